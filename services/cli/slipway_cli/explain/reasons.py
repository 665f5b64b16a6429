"""What each reason means to a person, and what they can do about it.

One entry for every member of the closed set; a test holds the two together. ``{version}`` and
``{model}`` stand for the names. The operator's own messages say more where there is one; these
say what they assume to be known.
"""

from __future__ import annotations

from dataclasses import dataclass

from slipway_contracts.conditions import Reason


@dataclass(frozen=True, slots=True)
class Meaning:
    """``do``: empty where nothing need be done."""

    says: str
    do: str = ""


_LOG = "read the log: slipway logs {version}"
_AGAIN = "correct the cause, then begin again: slipway retry {version}"
_DESCRIBE = "see its gates: slipway describe mv/{version}"

MEANINGS: dict[Reason, Meaning] = {
    Reason.ACCEPTED: Meaning("its spec is accepted"),
    Reason.INVALID: Meaning(
        "its spec cannot be used as it is", "correct the field that the message names and apply it"
    ),
    Reason.MODEL_NOT_FOUND: Meaning(
        "its Model {model} does not exist", "apply a Model named {model}, or correct spec.model"
    ),
    Reason.BASE_NOT_READY: Meaning(
        "the version that it is trained from has no artifact yet",
        "look at the base version: slipway get mv",
    ),
    Reason.FIXED_TRAFFIC: Meaning(
        "its Model has a fixed spec.traffic, which leaves no room for a rollout",
        "take spec.traffic out of {model}'s manifest and apply it",
    ),
    Reason.MODE_NOT_SUPPORTED: Meaning(
        "its serving.mode is not supported", "use serving.mode BlueGreen or Recreate and apply it"
    ),
    Reason.PINNED: Meaning(
        "its Model is pinned to another version", "let rollouts decide again: slipway unpin {model}"
    ),
    Reason.TRAINING_RUNNING: Meaning("its training runs", _LOG),
    Reason.TRAINING_SUCCEEDED: Meaning("its training made the artifact"),
    Reason.TRAINING_FAILED: Meaning("its training failed", f"{_LOG}; {_AGAIN}"),
    Reason.IMPORTING: Meaning("its artifact is being imported", _LOG),
    Reason.IMPORTED: Meaning("its artifact was imported"),
    Reason.IMPORT_FAILED: Meaning("its artifact could not be imported", f"{_LOG}; {_AGAIN}"),
    Reason.EVALUATION_RUNNING: Meaning("its evaluation runs", _LOG),
    Reason.EVALUATION_PASSED: Meaning("it passed every gate"),
    Reason.EVALUATION_SKIPPED: Meaning(
        "no evaluation is configured", "set spec.evaluation to hold versions to figures"
    ),
    Reason.EVALUATION_ERROR: Meaning("its evaluation could not be made", f"{_LOG}; {_AGAIN}"),
    Reason.GATE_FAILED: Meaning(
        "a gate of its evaluation was missed", f"{_DESCRIBE}; train it better as a new version"
    ),
    Reason.STABLE_CHANGED: Meaning(
        "the version that it was compared with no longer serves, so it is evaluated again"
    ),
    Reason.VERIFIED: Meaning("every byte of its artifact is what the digest says"),
    Reason.DIGEST_MISMATCH: Meaning(
        "its artifact is not the one that the digest names",
        "publish the artifact again; then: slipway retry {version}",
    ),
    Reason.ARTIFACT_REFUSED: Meaning(
        "its artifact holds what may not be served",
        "correct the artifact; then: slipway retry {version}",
    ),
    Reason.DOWNLOAD_FAILED: Meaning("its artifact could not be fetched", _AGAIN),
    Reason.INSUFFICIENT_CAPACITY: Meaning(
        "there is no room for it", "add a node, or lower serving.resources"
    ),
    Reason.IMAGE_PULL: Meaning(
        "its image cannot be pulled", "check the image's name and the pull secret"
    ),
    Reason.OOM_KILLED: Meaning(
        "it ran out of memory",
        "raise its memory, or lower what it needs; then: slipway retry {version}",
    ),
    Reason.STARTUP_FAILED: Meaning("its engine did not start", f"{_LOG}; {_AGAIN}"),
    Reason.DEADLINE_EXCEEDED: Meaning("it was not ready in time", f"{_LOG}; {_AGAIN}"),
    Reason.ANOTHER_ROLLOUT_ACTIVE: Meaning(
        "another version of {model} has the rollout slot",
        "wait, or end that rollout: slipway rollback {model}",
    ),
    Reason.STARTING: Meaning("its engine starts", _LOG),
    Reason.BACKEND_READY: Meaning("its engine answers"),
    Reason.BACKEND_LOST: Meaning("its engine does not answer", _LOG),
    Reason.AWAITING_APPROVAL: Meaning(
        "a person has to say yes", "say yes: slipway approve {version}"
    ),
    Reason.SHADOWING: Meaning("copies of requests are sent to it"),
    Reason.IN_PROGRESS: Meaning("its rollout is on its way"),
    Reason.ROUTES_APPLIED: Meaning("every live gateway applies its weight"),
    Reason.ROUTES_PENDING: Meaning(
        "not every live gateway applies its weight yet", "see the gateways: slipway status"
    ),
    Reason.GATEWAY_UNAVAILABLE: Meaning("no gateway is alive", "start a gateway: slipway doctor"),
    Reason.ANALYSIS_PASSED: Meaning("the evidence is good enough for this step"),
    Reason.ANALYSIS_RUNNING: Meaning("the evidence does not decide yet"),
    Reason.ANALYSIS_FAILED: Meaning(
        "the evidence says that it is worse than allowed",
        "see what failed: slipway report {version}; apply a corrected one as a new version",
    ),
    Reason.GUARD_TRIPPED: Meaning(
        "at least half of its answers were bad, so the guard took its traffic at once",
        f"{_LOG}; apply a corrected one as a new version",
    ),
    Reason.NO_DATA: Meaning(
        "no request of its own was judged yet", "send traffic: slipway chat {model}"
    ),
    Reason.METRICS_UNAVAILABLE: Meaning(
        "the evidence cannot be read", "check PostgreSQL and the gateways' log: slipway status"
    ),
    Reason.UNDECIDED: Meaning(
        "the evidence did not decide within rollout.maxDuration",
        "raise rollout.maxDuration or send more traffic; then: slipway retry {version}",
    ),
    Reason.ERROR_BUDGET_SPENT: Meaning(
        "the evidence was unreadable too often",
        "check PostgreSQL and the gateways; then: slipway retry {version}",
    ),
    Reason.FIRST_VERSION: Meaning("nothing served before it, so there was nothing to compare with"),
    Reason.PROMOTED: Meaning("it passed every step"),
    Reason.PROMOTED_BY_REQUEST: Meaning(
        "a person pinned {model} to it", "let rollouts decide again: slipway unpin {model}"
    ),
    Reason.ABORTED: Meaning("a person ended its rollout", "begin again: slipway retry {version}"),
    Reason.DRAINING: Meaning("its streams run out before it goes"),
    Reason.SUPERSEDED: Meaning(
        "a newer version serves", "go back to it: slipway promote {version}"
    ),
    Reason.RETIRED: Meaning("a person retired it", "bring it back: slipway retry {version}"),
    Reason.PAUSED: Meaning("a person paused it", "go on: slipway resume {version}"),
    Reason.RESUMED: Meaning("it goes on after a pause"),
    Reason.RETRIED: Meaning("a new attempt began"),
    Reason.REPLACED: Meaning("an object of the same name replaced it"),
    Reason.SERVING: Meaning("it answers requests"),
    Reason.NOT_SERVING: Meaning("it gets no requests"),
    Reason.HEALTHY: Meaning("nothing is wrong with it"),
}


def meaning(reason: Reason, *, version: str, model: str) -> Meaning:
    """With the names filled in."""
    found = MEANINGS[reason]
    names = {"version": version, "model": model}
    return Meaning(found.says.format(**names), found.do.format(**names))

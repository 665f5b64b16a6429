"""Alerts about versions on their way to production: refused, rolled back, stuck, unjudged."""

from __future__ import annotations

from slipway_rules.kinds import Alert, Group, Severity

_BY = "by (namespace, model, version)"
_OF = "on (namespace, model, version)"
_NAMED = "{{ $labels.version }} of {{ $labels.model }}"


def _was(phases: str) -> str:
    return (
        f'max {_BY} (max_over_time(slipway_version_phase{{phase=~"{phases}"}}[10m]))\n'
        f'== 1\nunless {_OF}\n(slipway_version_phase{{phase=~"Serving|Canary|Shadowing"}} == 1)'
    )


ROLLED_BACK = Alert(
    name="VersionRolledBack",
    expr=_was("RollingBack|RolledBack"),
    hold="0s",
    keep="5m",
    severity=Severity.TICKET,
    summary=f"{_NAMED} was rolled back",
    description=(
        "Production said no, or a person did: it has no traffic any more. Read why with "
        "`slipway rollout explain {{ $labels.version }}`, correct the cause, then apply a new "
        "version or `slipway retry {{ $labels.version }}`."
    ),
    meaning="A candidate's traffic was taken back.",
)
FAILED = Alert(
    name="VersionFailed",
    expr=_was("Failed"),
    hold="0s",
    keep="5m",
    severity=Severity.TICKET,
    summary=f"{_NAMED} failed",
    description=(
        "Its run, its evaluation or its backend broke; nothing was decided about its quality. See "
        "`slipway describe {{ $labels.version }}`, correct the cause, then "
        "`slipway retry {{ $labels.version }}`."
    ),
    meaning="Machinery broke before a version could be judged.",
)
REJECTED = Alert(
    name="VersionRejected",
    expr=_was("Rejected"),
    hold="0s",
    keep="5m",
    severity=Severity.INFO,
    summary=f"{_NAMED} did not pass its evaluation",
    description=(
        "A gate said no, as it should; users saw nothing of it. "
        "`slipway describe {{ $labels.version }}` shows the figures."
    ),
    meaning="An evaluation's gate refused a version.",
)
STUCK = Alert(
    name="RolloutStuck",
    expr=f"""(max {_BY} (slipway_rollout_step_seconds) > 900
and
max {_BY} (slipway_rollout_step_seconds) > 0.5 * max {_BY} (slipway_rollout_max_seconds))
or
max {_BY} (slipway_rollout_seconds) > 0.9 * max {_BY} (slipway_rollout_max_seconds)""",
    hold="1m",
    severity=Severity.TICKET,
    summary=f"The rollout of {_NAMED} does not get on",
    description=(
        "One step has taken half of maxDuration, or little of it is left; then onUndecided "
        "happens. `slipway rollout status {{ $labels.version }}` says what is missing; "
        "`slipway pause`, `slipway promote` or `slipway abort` decide by hand."
    ),
    meaning="A step takes much longer than expected, or maxDuration is nearly over.",
)
PAUSED = Alert(
    name="RolloutPausedLong",
    expr=f"max {_BY} (slipway_rollout_paused) == 1",
    hold="4h",
    severity=Severity.TICKET,
    summary=f"The rollout of {_NAMED} has waited for a person for four hours",
    description=(
        "It is paused or waits for approval, and holds the Model's rollout slot. "
        "`slipway approve {{ $labels.version }}`, `slipway resume {{ $labels.version }}` or "
        "`slipway abort {{ $labels.version }}`."
    ),
    meaning="A rollout has been paused, or has waited for approval, for four hours.",
)
WITHOUT_DATA = Alert(
    name="AnalysisWithoutData",
    expr=f"""max {_BY} (slipway_version_phase{{phase=~"Canary|Shadowing"}}) == 1
unless {_OF} (max {_BY} (slipway_analysis_requests{{side="candidate"}}) > 0)
unless {_OF} (max {_BY} (slipway_rollout_paused) == 1)""",
    hold="5m",
    severity=Severity.TICKET,
    summary=f"No request to judge {_NAMED} by",
    description=(
        "For five minutes the candidate has had no request that counts, so its weight is held. See "
        "that clients call the Model and that gateways apply the weight: "
        "`slipway rollout status {{ $labels.version }}`."
    ),
    meaning="A candidate takes traffic on paper, and no request of it can be judged.",
)
UNREADABLE = Alert(
    name="AnalysisUnreadable",
    expr="""slipway_rollout_error_budget{kind="spent"}
  >= ignoring (kind) 0.5 * slipway_rollout_error_budget{kind="total"}
and ignoring (kind)
slipway_rollout_error_budget{kind="spent"} > 0""",
    hold="0s",
    severity=Severity.TICKET,
    summary=f"The evidence on {_NAMED} cannot be read",
    description=(
        "Half of the error budget of its analysis is spent; when it is, the rollout is aborted. "
        "See that PostgreSQL answers and that the gateways ship their log: "
        "`slipway rollout status {{ $labels.version }}`."
    ),
    meaning="The analysis could not read its evidence so often that an abort is near.",
)
UNSCHEDULABLE = Alert(
    name="CandidateUnschedulable",
    expr=f'max {_BY} (slipway_version_stalled{{reason="InsufficientCapacity"}}) == 1',
    hold="2m",
    severity=Severity.TICKET,
    summary=f"There is no room for {_NAMED}",
    description=(
        "Its backend waits for a node or a GPU; after serving.capacityTimeout the version ends. "
        "Add capacity, free some, or lower serving.resources: "
        "`slipway describe {{ $labels.version }}`."
    ),
    meaning="No node has room for a version's backend.",
)
STALLED = Alert(
    name="VersionStalled",
    expr="""max by (namespace, model, version, reason) (
  slipway_version_stalled{reason!="InsufficientCapacity"}
) == 1""",
    hold="5m",
    severity=Severity.TICKET,
    summary=f"{_NAMED} cannot go on: {{{{ $labels.reason }}}}",
    description=(
        "Its condition Stalled is true, and its message names the next action: "
        "`slipway describe {{ $labels.version }}`."
    ),
    meaning="A version says itself that it cannot go on.",
)


def groups() -> tuple[Group, ...]:
    """What the file ``rollout.yaml`` holds."""
    return (
        Group(
            name="slipway-rollout",
            rules=(
                ROLLED_BACK,
                FAILED,
                REJECTED,
                STUCK,
                PAUSED,
                WITHOUT_DATA,
                UNREADABLE,
                UNSCHEDULABLE,
                STALLED,
            ),
        ),
    )

"""A Job and its pods → how far the run is, without its result. Pure.

The Job's own conditions say whether it ended; the pods say why. A Job between two pods is RUNNING
with the reason why the last one ended. ``pod`` is the one whose log and termination message count.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from slipway_contracts.conditions import Reason
from slipway_contracts.training import EXIT_INVALID, EXIT_OUT_OF_MEMORY
from slipway_operator.core.snapshot import RunState
from slipway_operator.platforms.kubernetes import pods
from slipway_operator.platforms.kubernetes.build_run import CONTAINER, QUEUE_LABEL
from slipway_operator.platforms.kubernetes.kinds import Body
from slipway_operator.platforms.kubernetes.progress import result_in
from slipway_operator.platforms.serving.applications import last_line

COMPLETION_INDEX = "batch.kubernetes.io/job-completion-index"
SIGKILLED = 137
# So long the Job controller may take to make a pod before anybody is told.
POD_PATIENCE = timedelta(seconds=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """``unseen``: the Job ended, but the pod that could tell more is not among those given."""

    state: RunState
    pod: Body | None = None
    exit_code: int | None = None
    reason: Reason | None = None
    message: str = ""
    restarts: int = 0
    unseen: bool = False

    @property
    def over(self) -> bool:
        """It does not go on by itself."""
        return self.state in (RunState.SUCCEEDED, RunState.FAILED)

    @property
    def told(self) -> bool:
        """It waits for a pod, and no patience with that pod runs out: the watch tells the rest."""
        waits = self.pod is None or pods.phase(self.pod) == "Pending"
        return self.state is RunState.RUNNING and self.reason is None and waits


def judge(job: Body, its_pods: list[Body], now: datetime) -> Judged:
    """``its_pods``: those that this very Job made."""
    status = job.get("status") or {}
    if _holds(status, "Complete"):
        return _complete(status, its_pods)
    failed = _holds(status, "Failed")
    if failed is not None:
        return _failed(status, failed, its_pods)
    return _running(job, status, its_pods, now)


def ended_badly(ended: pods.Ended) -> tuple[Reason | None, str]:
    """Reason and sentence of a container's end. The run's own words first."""
    said = result_in(ended.message)
    words = said.error if said is not None and said.error else ""
    killed = ended.out_of_memory or ended.exit_code == EXIT_OUT_OF_MEMORY
    if killed:
        fix = "raise training.resources.memory, or lower training.batchSize"
        default = f"the run was killed for its memory; {fix}"
        return Reason.OOM_KILLED, words or default
    reason = Reason.INVALID if ended.exit_code == EXIT_INVALID else None
    if words:
        return reason, words
    last = last_line(ended.message) if ended.message.strip() else "it left no message"
    how = "was killed" if ended.exit_code == SIGKILLED else "ended"
    return reason, f"the run {how} with exit code {ended.exit_code}: {last}"


def _complete(status: dict[str, Any], its_pods: list[Body]) -> Judged:
    first = [pod for pod in its_pods if _index(pod) == 0 and pods.phase(pod) == "Succeeded"]
    pod = pods.newest(first)
    return Judged(
        state=RunState.SUCCEEDED,
        pod=pod,
        exit_code=0,
        restarts=int(status.get("failed") or 0),
        unseen=pod is None,
    )


def _failed(status: dict[str, Any], condition: dict[str, Any], its_pods: list[Body]) -> Judged:
    restarts = max(0, int(status.get("failed") or 0) - 1)
    if condition.get("reason") == "DeadlineExceeded":
        return Judged(
            state=RunState.FAILED,
            reason=Reason.DEADLINE_EXCEEDED,
            message="the run took longer than its deadline; raise training.wallClockLimit, or "
            "look for what it waits for",
            restarts=restarts,
        )
    pod = _last_failed(its_pods)
    ended = pods.ended_of(pod, CONTAINER) if pod is not None else None
    if ended is None:
        said = str(condition.get("message") or condition.get("reason") or "")
        return Judged(
            state=RunState.FAILED, message=f"the Job failed: {said}", restarts=restarts, unseen=True
        )
    reason, message = ended_badly(ended)
    return Judged(
        state=RunState.FAILED,
        pod=pod,
        exit_code=ended.exit_code,
        reason=reason,
        message=message,
        restarts=restarts,
    )


def _running(job: Body, status: dict[str, Any], its_pods: list[Body], now: datetime) -> Judged:
    restarts = int(status.get("failed") or 0)
    if (job.get("spec") or {}).get("suspend"):
        queue = (job["metadata"].get("labels") or {}).get(QUEUE_LABEL, "")
        return Judged(
            state=RunState.RUNNING,
            message=f"waits until Kueue's queue {queue} admits it" if queue else "is suspended",
            restarts=restarts,
        )
    living = [pod for pod in its_pods if pods.phase(pod) not in ("Succeeded", "Failed")]
    for pod in living:
        trouble = pods.trouble_of(pod, now)
        if trouble is not None:
            return Judged(
                state=RunState.FAILED if trouble.lasting else RunState.RUNNING,
                pod=pod,
                reason=trouble.reason,
                message=trouble.message,
                restarts=restarts,
            )
    return Judged(
        state=RunState.RUNNING,
        pod=pods.newest([pod for pod in living if _index(pod) == 0]),
        message="" if living else _between(job, its_pods, now),
        restarts=restarts,
    )


def _between(job: Body, its_pods: list[Body], now: datetime) -> str:
    """Why there is no pod at the moment."""
    if any(pods.phase(pod) == "Succeeded" for pod in its_pods):
        return ""
    last = _last_failed(its_pods)
    if last is None:
        made = job["metadata"].get("creationTimestamp")
        young = made is not None and now - datetime.fromisoformat(made) < POD_PATIENCE
        return "" if young else "its Job has no pod yet"
    taken = pods.disrupted(last)
    if taken:
        return f"its pod was taken away ({taken}); it goes on with another"
    ended = pods.ended_of(last, CONTAINER)
    return f"{ended_badly(ended)[1]}; it is started again" if ended is not None else ""


def _last_failed(its_pods: list[Body]) -> Body | None:
    """The last pod that failed of itself, else the last that failed."""
    failed = [pod for pod in its_pods if pods.phase(pod) == "Failed"]
    own = [pod for pod in failed if not pods.disrupted(pod)]
    return pods.newest(own or failed)


def _index(pod: Body) -> int:
    """0 for the only pod, and for the first of several nodes."""
    return int((pod["metadata"].get("annotations") or {}).get(COMPLETION_INDEX, "0"))


def _holds(status: dict[str, Any], kind: str) -> dict[str, Any] | None:
    for condition in status.get("conditions") or ():
        if condition.get("type") == kind and condition.get("status") == "True":
            found: dict[str, Any] = condition
            return found
    return None

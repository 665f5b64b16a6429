"""What people ask to go: deleted, Retired, Aborted, pinned away, or refused by a fixed split.

Leaving is always the same: weight 0, confirmed, drained, gone. Asking twice, or asking to abort
what is not in progress, changes nothing.
"""

from __future__ import annotations

from slipway_contracts.conditions import Phase, Reason
from slipway_operator.core.draft import Draft, VersionDraft


def retire(draft: Draft) -> None:
    """Every version that somebody wants out."""
    model = draft.model
    ends = model is not None and model.metadata.deletion_timestamp is not None
    for v in draft:
        if not v.live:
            continue
        if v.deleted:
            v.leave(Phase.RETIRED, Reason.RETIRED, message="the ModelVersion was deleted")
        elif ends:
            v.leave(Phase.RETIRED, Reason.RETIRED, message=f"Model {v.spec.model} was deleted")
        elif v.spec.desired_state == "Retired":
            v.leave(Phase.RETIRED, Reason.RETIRED, message="spec.desiredState is Retired")
        elif v.spec.desired_state == "Aborted" and in_progress(draft, v):
            v.leave(
                Phase.ROLLED_BACK,
                Reason.ABORTED,
                message="spec.desiredState is Aborted; set it to Active and a new spec.retry.id "
                "to try again",
            )
    _pinned_away(draft)


def in_progress(draft: Draft, v: VersionDraft) -> bool:
    """It has something that an abort could stop; a version that simply serves has not."""
    if not v.promoted:
        return True
    previous = draft.roles.previous
    return v is draft.roles.stable and previous is not None and previous.live


def _pinned_away(draft: Draft) -> None:
    """A pin on what serves, served, or is superseded ends whatever is under way."""
    pinned, roles = draft.pinned, draft.roles
    if pinned is None or not pinned.promoted:
        return
    superseded = pinned.over and pinned.status.outcome is not None
    if superseded and not _superseded(pinned):
        return
    candidate, stable, previous = roles.candidate, roles.stable, roles.previous
    message = f"the Model's spec.pinnedVersion names {pinned.name}"
    if candidate is not None and candidate is not pinned:
        candidate.leave(Phase.ROLLED_BACK, Reason.PINNED, message=message)
    if stable is None or previous is None or not previous.live:
        return
    if pinned is previous:
        stable.leave(Phase.ROLLED_BACK, Reason.PINNED, message=message)
    elif pinned is not stable:
        previous.leave(Phase.SUPERSEDED, Reason.SUPERSEDED, message=message)


def _superseded(v: VersionDraft) -> bool:
    return v.status.outcome is not None and v.status.outcome.phase is Phase.SUPERSEDED

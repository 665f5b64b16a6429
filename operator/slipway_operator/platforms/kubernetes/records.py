"""A run's record: the ConfigMap that remembers how it ended, when the Job is long gone. Pure.

An ended run never runs again, whatever becomes of its Job: that is what the record is for. It goes
with its ModelVersion.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import orjson
from pydantic import ValidationError

from slipway_contracts.conditions import Reason
from slipway_contracts.run import RunResult
from slipway_operator.core.snapshot import RunObservation, RunState
from slipway_operator.platforms.kubernetes.kinds import Body, name_of

OUTCOME_KEY = "outcome.json"
RESULT_KEY = "result.json"
# etcd takes 1.5 MiB an object; a report that large is no report.
RESULT_LIMIT = 512 << 10


def recorded(record: Body) -> RunObservation | None:
    """How the run ended; None while it has not, or where the record is damaged."""
    data = record.get("data") or {}
    if OUTCOME_KEY not in data:
        return None
    return _parsed(name_of(record), str(data[OUTCOME_KEY]), data.get(RESULT_KEY))


# Every pass asks for every run that ever was of a Model, and an outcome never changes.
@lru_cache(maxsize=4096)
def _parsed(name: str, text: str, result: str | None) -> RunObservation | None:
    try:
        outcome: dict[str, Any] = orjson.loads(text)
        return RunObservation(
            name=name,
            state=RunState(outcome["state"]),
            exit_code=outcome.get("exitCode"),
            reason=Reason(outcome["reason"]) if outcome.get("reason") else None,
            message=str(outcome.get("message", "")),
            restarts=int(outcome.get("restarts", 0)),
            result=RunResult.model_validate_json(result) if result else None,
        )
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, ValidationError):
        return None


def outcome_patch(record: Body, seen: RunObservation) -> Body:
    """The merge patch that adds the outcome to this very record."""
    outcome = {
        "state": seen.state.value,
        "exitCode": seen.exit_code,
        "reason": seen.reason.value if seen.reason is not None else None,
        "message": seen.message,
        "restarts": seen.restarts,
    }
    data = {OUTCOME_KEY: orjson.dumps(outcome).decode()}
    if seen.result is not None:
        text = seen.result.model_dump_json(by_alias=True, exclude_none=True)
        if len(text) <= RESULT_LIMIT:
            data[RESULT_KEY] = text
    return {"metadata": {"uid": record["metadata"].get("uid")}, "data": data}

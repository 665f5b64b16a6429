"""A run's progress lines → the last one, and when it last did what.

Both platforms read the end of what a run has written; lines that are no progress are passed over.
"""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import ValidationError

from slipway_contracts.run import Progress
from slipway_operator.core.snapshot import Milestones


def progress_lines(bodies: Iterable[str]) -> list[Progress]:
    """Those that are whole, in their order."""
    found = []
    for body in bodies:
        try:
            found.append(Progress.model_validate_json(body))
        except ValidationError:
            continue
    return found


def milestones(lines: Iterable[Progress]) -> Milestones:
    """Of lines in their order, as far back as they go."""
    began = stepped = sealed = loss = None
    step: int | None = None
    for line in lines:
        if line.event == "start":
            began = line.at
        elif line.event == "checkpoint":
            sealed = line.at
        if line.event != "start" and line.step and (step is None or line.step > step):
            stepped = line.at
        step = line.step
        loss = loss if line.eval_loss is None else line.eval_loss
    return Milestones(began_at=began, stepped_at=stepped, checkpoint_at=sealed, eval_loss=loss)

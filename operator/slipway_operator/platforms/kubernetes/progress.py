"""What a run says on its standard output: marked lines → progress and result.

``RunLogs`` reads the ends of pods' logs, each at most every few seconds: progress is told a little
late rather than at the price of a request a pass. A log that cannot be read hides nothing but that.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from pydantic import ValidationError

from slipway_contracts.run import PROGRESS_MARK, RESULT_MARK, Progress, RunResult
from slipway_operator.core.snapshot import Milestones
from slipway_operator.errors import Conflict, Terminal, Transient
from slipway_operator.platforms.kubernetes.api import Api
from slipway_operator.platforms.kubernetes.kinds import Body, name_of, uid_of
from slipway_operator.platforms.kubernetes.pods import phase
from slipway_operator.platforms.progress_lines import milestones, progress_lines

EVERY_SECONDS = 3.0
PROGRESS_LINES = 40
RESULT_LINES = 400


def progress_in(text: str) -> Progress | None:
    """The last progress line that is whole."""
    for body in _marked(text, PROGRESS_MARK):
        try:
            return Progress.model_validate_json(body)
        except ValidationError:
            continue
    return None


def milestones_in(text: str) -> Milestones:
    """When it last did what, as far back as the text goes."""
    return milestones(progress_lines(reversed(_marked(text, PROGRESS_MARK))))


def result_in(text: str) -> RunResult | None:
    """The result, as a marked line or as the whole text."""
    for body in (*_marked(text, RESULT_MARK), text):
        try:
            return RunResult.model_validate_json(body)
        except ValidationError:
            continue
    return None


def _marked(text: str, mark: str) -> list[str]:
    lines = (line.strip() for line in reversed(text.splitlines()))
    return [line.removeprefix(mark).strip() for line in lines if line.startswith(f"{mark} ")]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Heard:
    at: float
    progress: Progress | None
    milestones: Milestones


class RunLogs:
    """Pods' logs. Holds the last progress of each pod that runs; losing it costs a request."""

    def __init__(
        self, api: Api, container: str, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._api = api
        self._container = container
        self._clock = clock
        self._heard: dict[str, _Heard] = {}

    async def progress(self, pod: Body) -> Progress | None:
        """Where the run in this pod is, at most a few seconds old."""
        uid, now = uid_of(pod), self._clock()
        heard = self._heard.get(uid)
        if phase(pod) == "Pending" or (heard is not None and now - heard.at < EVERY_SECONDS):
            return heard.progress if heard is not None else None
        try:
            text = await self._tail(pod, PROGRESS_LINES)
        except (Transient, Terminal):
            text = ""
        found = progress_in(text) or (heard.progress if heard is not None else None)
        seen = milestones_in(text)
        if not text and heard is not None:
            seen = heard.milestones
        self._heard[uid] = _Heard(at=now, progress=found, milestones=seen)
        return found

    async def result(self, pod: Body) -> RunResult | None:
        """The result line in the log; None where there is none. Raises Transient."""
        try:
            return result_in(await self._tail(pod, RESULT_LINES))
        except Conflict:
            return None

    def last(self, pod: Body) -> Progress | None:
        """What was heard of it, without asking."""
        heard = self._heard.get(uid_of(pod))
        return heard.progress if heard is not None else None

    def milestones(self, pod: Body) -> Milestones:
        """Of the lines that were last heard of it, without asking."""
        heard = self._heard.get(uid_of(pod))
        return heard.milestones if heard is not None else Milestones()

    @property
    def heard(self) -> int:
        """How many pods were heard."""
        return len(self._heard)

    def keep(self, uids: set[str]) -> None:
        """Forget all other pods."""
        self._heard = {uid: heard for uid, heard in self._heard.items() if uid in uids}

    async def _tail(self, pod: Body, lines: int) -> str:
        return await self._api.pod_log(name_of(pod), container=self._container, tail_lines=lines)

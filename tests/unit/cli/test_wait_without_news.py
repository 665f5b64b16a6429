"""What was deleted before the watch began is in no change; the wait ends all the same."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from types import SimpleNamespace

from slipway_cli.errors import NotFound
from slipway_cli.resources import Kind
from slipway_cli.verbs import wait
from slipway_contracts.model import Model


class Objects:
    """One Model that is there once, and a watch that never tells anything."""

    def __init__(self) -> None:
        self.looks = 0
        self.watching = False

    async def get(self, kind: Kind, name: str) -> Model:
        self.looks += 1
        if self.looks > 1:
            raise NotFound("gone")
        return Model.model_validate(
            {"metadata": {"name": name}, "spec": {"task": "text-generation"}}
        )

    async def changes(self):
        self.watching = True
        try:
            await asyncio.Event().wait()
            yield Kind.MODEL, "m"
        finally:
            self.watching = False


async def test_a_deletion_that_nobody_tells_is_seen(monkeypatch):
    monkeypatch.setattr(wait, "LOOK_AGAIN", 0.01)
    objects = Objects()
    session = SimpleNamespace(objects=objects)
    await wait.until_met(session, "model/m", None, limit=timedelta(seconds=60))
    assert objects.looks == 2
    assert not objects.watching

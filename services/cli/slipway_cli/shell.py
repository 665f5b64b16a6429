"""One invocation: its home, its terminal, and how it reaches a running Slipway.

Typer carries it as ``ctx.obj``; ``main`` builds the real one, tests build one over fakes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from typing import TypeVar

import typer

from slipway_cli.client import Session
from slipway_cli.cluster.target import ClusterTarget
from slipway_cli.local.layout import Layout, default_home
from slipway_cli.postgres import connect
from slipway_cli.terminal import Terminal

T = TypeVar("T")
Connect = Callable[[Layout], AbstractAsyncContextManager[Session]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shell:
    """What a verb gets. ``connect`` opens a session, or raises NotRunning. ``cluster``: None is
    local mode.
    """

    terminal: Terminal = field(default_factory=Terminal)
    layout: Layout = field(default_factory=lambda: Layout(default_home()))
    connect: Connect = connect
    cluster: ClusterTarget | None = None

    def at(self, cluster: ClusterTarget) -> Shell:
        """The same invocation, with the objects of a cluster."""

        def connect_there(_layout: Layout) -> AbstractAsyncContextManager[Session]:
            from slipway_cli.cluster.session import connect_cluster  # Kubernetes' client: 0.2 s

            return connect_cluster(cluster)

        return replace(self, connect=connect_there, cluster=cluster)

    def run(self, work: Callable[[Session], Awaitable[T]]) -> T:
        """Do ``work`` in a session of its own event loop."""

        async def whole() -> T:
            async with self.connect(self.layout) as session:
                return await work(session)

        return asyncio.run(whole())


def shell_of(ctx: typer.Context) -> Shell:
    """The invocation's shell."""
    shell = ctx.obj
    assert isinstance(shell, Shell)
    return shell

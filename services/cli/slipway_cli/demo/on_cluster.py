"""``python -m slipway_cli.demo.on_cluster``: the demo's story on a release that is installed.

Ends with the same report as ``make demo``. The gateway is reached through its Service, PostgreSQL
(for the evidence) through a port-forward; the key and the DSN come from the release's Secrets.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from rich.console import Console

from slipway_cli.demo.cluster import Cluster, Kubectl
from slipway_cli.demo.context import DemoContext, DemoOutcome
from slipway_cli.demo.findings import Bars
from slipway_cli.demo.story import run_story
from slipway_cli.errors import CliError
from slipway_store.connect import Pool

# Every container of the cluster has it, so that its memory can be summed where nodes are processes
# of this machine; elsewhere the figure is 0 and no bar.
POD_MARK = "KUBERNETES_SERVICE_HOST="
# Images are there and pods start in seconds; two engines, their trainings and the clients share
# what the node has.
BARS = Bars(first_answer_seconds=None, total_seconds=None, peak_gib=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """Where to play. ``gateway`` empty: the cluster IP of the gateway's Service."""

    namespace: str
    name: str
    gateway: str
    home: Path
    rate: float


async def play(release: Release) -> DemoOutcome:
    """The story, from an installed release to its report. Raises CliError."""
    began = time.time()
    kubectl = Kubectl(namespace=release.namespace)
    gateway = release.gateway or await _gateway(kubectl, release.name)
    key = await kubectl.secret(f"{release.name}-first-key", "key")
    dsn = await kubectl.secret(f"{release.name}-database", "dsn")
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(kubectl.listening("proxy", "--port", "0"))
        postgres = await stack.enter_async_context(
            kubectl.listening("port-forward", f"service/{release.name}-postgres", ":5432")
        )

        def platform(_: Pool) -> Cluster:
            return Cluster(kubectl=kubectl, api=f"http://127.0.0.1:{api}")

        return await run_story(
            DemoContext(
                dsn=moved(dsn, postgres),
                gateway_url=gateway,
                platform=platform,
                home=release.home,
                made_at=began,
                started_at=began,
                console=Console(stderr=True),
                marks=(POD_MARK,),
                key=key,
                rate=release.rate,
                bars=BARS,
            )
        )


async def _gateway(kubectl: Kubectl, release: str) -> str:
    path = "jsonpath={.spec.clusterIP}:{.spec.ports[0].port}"
    address = await kubectl("get", "service", f"{release}-gateway", "--output", path)
    return f"http://{address.decode()}"


def moved(dsn: str, port: int) -> str:
    """The same database and user behind a port of the loopback."""
    parts = urlsplit(dsn)
    user, at, _ = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user}{at}127.0.0.1:{port}"))


def main() -> int:
    """The exit code; the report is the last line of stdout."""
    parser = argparse.ArgumentParser(prog="slipway_cli.demo.on_cluster", description=__doc__)
    parser.add_argument("--namespace", default="slipway")
    parser.add_argument("--release", default="slipway", dest="name")
    parser.add_argument("--gateway", default="", help="its URL (default: the Service's cluster IP)")
    parser.add_argument("--home", type=Path, required=True, help="ledger and logs go here")
    parser.add_argument("--rate", type=float, default=5.0, help="requests a second")
    try:
        outcome = asyncio.run(play(Release(**vars(parser.parse_args()))))
    except CliError as error:
        print(f"demo: {error}", file=sys.stderr)
        return error.exit_code
    print(outcome.line, flush=True)
    return 0 if outcome.ok else 1


if __name__ == "__main__":
    sys.exit(main())

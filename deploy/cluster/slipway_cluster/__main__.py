"""The command line: ``python3 deploy/cluster up|down|status|logs|tools|import|minio|prometheus|…``.

It prints one line a step on standard error; an error is one line that says what to do.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from . import cache, kind, minio, preflight, prometheus, release, tools, volumes
from .assembled import Assembled
from .cache import Folders
from .errors import ClusterError
from .kind import Kind
from .versions import SETS

Cluster = Assembled | Kind


def parser() -> argparse.ArgumentParser:
    """The surface, frozen by a test."""
    made = argparse.ArgumentParser(prog="slipway_cluster", description=__doc__)
    made.add_argument(
        "--runtime",
        choices=["auto", "kind", "assembled"],
        default="auto",
        help="auto: kind where it is installed and Docker answers, else assembled",
    )
    commands = made.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="start a cluster, or say that it runs")
    up.add_argument("--without-kuberay", action="store_true", help="no KubeRay operator")
    able = commands.add_parser("able", help="whether one, and its images, can be made here")
    browser = commands.add_parser("browser", help="Debian's chromium, for tests that open a page")
    for verb in (up, able, browser):
        verb.add_argument(
            "--install-packages",
            action="store_true",
            default=os.environ.get("CI") == "true",
            help="apt-get install what is missing (default where CI=true)",
        )
    down = commands.add_parser("down", help="end it; tools and images stay in the cache")
    down.add_argument("--force", action="store_true", help="even if its state folder is gone")
    commands.add_parser("kubeconfig", help="print the path of the administrator's")
    commands.add_parser("status", help="what runs; exit status 1 unless all does")
    logs = commands.add_parser("logs", help="the ends of the processes' logs")
    logs.add_argument("names", nargs="*", help="processes; default: all")
    logs.add_argument("--lines", type=int, default=20)
    build = commands.add_parser("tools", help="build the tools that are missing")
    names = f"tools or sets ({', '.join(SETS)}); default: all"
    build.add_argument("names", nargs="*", default=["all"], help=names)
    load = commands.add_parser("import", help="import image archives into the node")
    load.add_argument("archives", nargs="+", type=Path)
    store = commands.add_parser("minio", help="an S3 server in it; install takes values-minio.yaml")
    watch = "a Prometheus in it, by its operator; install takes values-monitored.yaml"
    commands.add_parser("prometheus", help=watch)
    install = commands.add_parser("install", help="the chart, with values-test.yaml")
    install.add_argument("--values", action="append", default=[], type=Path)
    remove = commands.add_parser("remove", help="the namespace that install made")
    for verb in (store, install, remove):
        verb.add_argument("--namespace", default=release.NAME)
    # Run by the cluster itself, not by people.
    commands.add_parser("reclaim")
    return made


def say(line: str) -> None:
    """One step, for the person who waits."""
    print(line, file=sys.stderr, flush=True)


def chosen(folders: Folders, runtime: str) -> Cluster:
    """The cluster that is meant; one that runs is meant before one that could."""
    assembled = Assembled(folders, say=say)
    if runtime == "assembled" or (runtime == "auto" and assembled.marked()):
        return assembled
    if runtime == "kind" and not kind.available():
        raise ClusterError("kind or a Docker daemon is missing; install kind and start Docker")
    return Kind(folders, say=say) if runtime == "kind" or kind.available() else assembled


def run_up(folders: Folders, options: argparse.Namespace) -> int:
    cluster = chosen(folders, options.runtime)
    cluster.up(with_kuberay=not options.without_kuberay, install=options.install_packages)
    print(f"export KUBECONFIG={folders.admin}")
    return 0


def run_able(folders: Folders, options: argparse.Namespace) -> int:
    if isinstance(chosen(folders, options.runtime), Assembled):
        preflight.check(folders.state, install=options.install_packages, builders=True)
        preflight.isolates()
    tools.require_go()
    return 0


def run_down(folders: Folders, options: argparse.Namespace) -> int:
    chosen(folders, options.runtime).down(force=options.force)
    return 0


def run_status(folders: Folders, options: argparse.Namespace) -> int:
    cluster = chosen(folders, options.runtime)
    print("\n".join(cluster.status()))
    return 0 if cluster.whole() else 1


def run_kubeconfig(folders: Folders, options: argparse.Namespace) -> int:
    del options
    print(folders.admin)
    return 0


def run_logs(folders: Folders, options: argparse.Namespace) -> int:
    logs = chosen(folders, options.runtime).logs()
    unknown = set(options.names) - set(logs)
    if unknown:
        raise ClusterError(f"no log of {', '.join(sorted(unknown))}; there are: {', '.join(logs)}")
    for name in options.names or logs:
        print(f"==> {logs[name]} <==")
        if logs[name].exists():
            lines = logs[name].read_text("utf-8", "replace").splitlines()
            print("\n".join(lines[-options.lines :]))
    return 0


def run_tools(folders: Folders, options: argparse.Namespace) -> int:
    tools.build(folders, options.names, say=say)
    say(f"tools are in {folders.binaries}")
    return 0


def run_import(folders: Folders, options: argparse.Namespace) -> int:
    chosen(folders, options.runtime).load(options.archives)
    return 0


def run_minio(folders: Folders, options: argparse.Namespace) -> int:
    chosen(folders, options.runtime).load([minio.image(folders, say=say)])
    minio.install(folders, options.namespace, say=say)
    return 0


def run_browser(_folders: Folders, options: argparse.Namespace) -> int:
    """Installed where packages may be."""
    preflight.browser(install=options.install_packages)
    return 0


def run_prometheus(folders: Folders, options: argparse.Namespace) -> int:
    chosen(folders, options.runtime).load(prometheus.archives(folders, say=say))
    prometheus.install(folders, say=say)
    return 0


def run_install(folders: Folders, options: argparse.Namespace) -> int:
    release.install(folders, options.namespace, *options.values, say=say)
    return 0


def run_remove(folders: Folders, options: argparse.Namespace) -> int:
    release.remove(folders, options.namespace, say=say)
    return 0


def run_reclaim(folders: Folders, options: argparse.Namespace) -> int:
    del options
    volumes.run(Assembled(folders, say=say).plane.client, folders.state / "volumes")
    return 0


COMMANDS: dict[str, Callable[[Folders, argparse.Namespace], int]] = {
    "up": run_up,
    "able": run_able,
    "down": run_down,
    "kubeconfig": run_kubeconfig,
    "status": run_status,
    "logs": run_logs,
    "tools": run_tools,
    "import": run_import,
    "minio": run_minio,
    "prometheus": run_prometheus,
    "browser": run_browser,
    "install": run_install,
    "remove": run_remove,
    "reclaim": run_reclaim,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status; 1 after a line that says what is wrong."""
    options = parser().parse_args(arguments)
    try:
        return COMMANDS[options.command](cache.folders(), options)
    except ClusterError as failed:
        print(f"error: {failed}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # Whoever read (`| head`) has enough; nothing more can be printed, at exit neither.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("interrupted; run the same again, or cluster-down", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())

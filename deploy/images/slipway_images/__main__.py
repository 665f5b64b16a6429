"""The command line: ``python3 deploy/images build|load|sizes|save|prune``.

Docker where its daemon answers, buildah otherwise. One line a step on standard error; an error is
one line that says what to do.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from . import base, buildah, docker
from .catalog import Image, images
from .containerd import Containerd
from .errors import ImagesError
from .folders import Folders, folders
from .store import Store

# Above the base; the bar for what everybody pulls.
LIMITS = {"gateway": 150_000_000, "worker": 150_000_000, "operator": 150_000_000}


def parser() -> argparse.ArgumentParser:
    """The surface, frozen by a test."""
    made = argparse.ArgumentParser(prog="slipway_images", description="Slipway's container images")
    chosen = argparse.ArgumentParser(add_help=False)
    chosen.add_argument("names", nargs="*", help="which images; none: all")
    chosen.add_argument("--tag", default="dev", help="default: dev")
    chosen.add_argument("--gpu", action="store_true", help="the CUDA variants (tag TAG-cuda)")
    verbs = made.add_subparsers(dest="verb", required=True)
    verbs.add_parser("build", parents=[chosen], help="build what changed")
    load = verbs.add_parser("load", parents=[chosen], help="hand them to the test cluster")
    load.add_argument("--socket", type=Path, help="containerd's; default: the test cluster's")
    load.add_argument("--kind", default="slipway", help="the kind cluster's name (with Docker)")
    verbs.add_parser("sizes", parents=[chosen], help="bytes above the base")
    save = verbs.add_parser("save", parents=[chosen], help="write OCI archives")
    save.add_argument("--output", type=Path, required=True, help="a folder")
    verbs.add_parser("prune", help="drop what no image needs")
    return made


def say(line: str) -> None:
    """One step, for the person who waits."""
    print(line, file=sys.stderr, flush=True)


def build(chosen: Sequence[Image], where: Folders) -> None:
    """Build the images whose content key changed."""
    if docker.available():
        for image in chosen:
            say(f"{image.reference}: docker")
            docker.build(image, where.logs / f"{image.name}.log")
        return
    if not buildah.available():
        raise ImagesError("neither a Docker daemon nor buildah as root is here (docs/images.md)")
    builder = buildah.Buildah(where)
    start = base.ensure(builder, where, say)
    keys = json.loads(where.keys.read_text()) if where.keys.exists() else {}
    for image in chosen:
        key, began = image.key(start), time.monotonic()
        if keys.get(image.reference) == key and builder.image_id(image.reference):
            say(f"{image.reference}: unchanged")
            continue
        builder.build(image, where.logs / f"{image.name}.log")
        keys[image.reference] = key
        where.keys.write_text(json.dumps(keys, indent=1, sort_keys=True))
        say(f"{image.reference}: built in {time.monotonic() - began:.0f} s")


def load(chosen: Sequence[Image], where: Folders, *, socket: Path | None, kind: str) -> None:
    """Give the cluster what it does not have."""
    if docker.available():
        for image in chosen:
            docker.load(image, kind)
        return
    store, cluster = _store(where), Containerd(socket or where.socket)
    held = cluster.images()
    for image in chosen:
        manifest, began = store.manifest(image.reference), time.monotonic()
        if held.get(image.reference) == manifest.digest:
            say(f"{image.reference}: loaded already")
            continue
        sent = cluster.load(store, manifest)
        took = time.monotonic() - began
        say(f"{image.reference}: loaded in {took:.0f} s, {sent / 1e6:.0f} MB were new")


def sizes(chosen: Sequence[Image], where: Folders) -> bool:
    """Print MB above the base; False when one is over its limit."""
    fine = True
    for image in chosen:
        above = _above_base(image, where)
        limit = LIMITS.get(image.name)
        over = limit is not None and above > limit
        bar = f" (limit {limit / 1e6:.0f} MB{', TOO LARGE' if over else ''})" if limit else ""
        print(f"{image.reference}\t{above / 1e6:.0f} MB above the base{bar}")
        fine = fine and not over
    return fine


def _above_base(image: Image, where: Folders) -> int:
    if docker.available():
        return docker.size(image.reference) - docker.size("docker.io/library/debian:12-slim")
    # debootstrap's base is the lowest layer, whole.
    return sum(size for _, size in _store(where).manifest(image.reference).layers[1:])


def _store(where: Folders) -> Store:
    return Store(buildah.Buildah(where), where.store)


def save(chosen: Sequence[Image], where: Folders, output: Path) -> None:
    """One whole archive an image, for machines that share no registry with this one."""
    store = _store(where)
    output.mkdir(parents=True, exist_ok=True)
    for image in chosen:
        manifest = store.manifest(image.reference)
        path = output / f"{image.name}-{image.tag}-{manifest.digest[7:19]}.tar"
        with path.open("wb") as sink:
            store.write_archive(manifest, sink)
        say(f"{path}")


def main(arguments: Sequence[str] | None = None) -> int:
    """0, or 1 after one line that says what is wrong."""
    options = parser().parse_args(arguments)
    where = folders()
    where.make()
    try:
        with (where.home / "lock").open("w") as lock:
            # Two builds would share layers of one store; the second waits and finds them made.
            fcntl.flock(lock, fcntl.LOCK_EX)
            return _carry_out(options, where)
    except ImagesError as failed:
        print(f"error: {failed}", file=sys.stderr)
        return 1


def _carry_out(options: argparse.Namespace, where: Folders) -> int:
    if options.verb == "prune":
        buildah.Buildah(where).prune()
        return 0
    chosen = images(options.names, tag=options.tag, gpu=options.gpu)
    match options.verb:
        case "build":
            build(chosen, where)
        case "load":
            load(chosen, where, socket=options.socket, kind=options.kind)
        case "save":
            save(chosen, where, options.output)
        case _:
            return 0 if sizes(chosen, where) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Text sources → passages, split by content into a training and a held-out part.

A passage's side depends on its own words only, never on its file, its place or the run. So the
held-out part of every run and of every evaluation is disjoint from what any run trained on, even
when two sources repeat a passage or a run asks for a smaller held-out part.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from urllib.parse import unquote, urlsplit

from slipway_training.errors import ConfigInvalid

BUNDLED = ("jargon", "devil")
# Evaluation suites hold out this share; training never sees less, whatever its own eval_fraction.
HELD_OUT_SHARE = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """Passages by side, and a digest over all of them in order."""

    train: tuple[str, ...]
    held_out: tuple[str, ...]
    digest: str


def load_corpus(
    sources: Sequence[str],
    eval_fraction: float = HELD_OUT_SHARE,
    *,
    max_characters: int | None = None,
) -> Corpus:
    """Read ``sources`` in order (at most ``max_characters`` in all) and split them.

    Held out is every passage whose share is below ``eval_fraction``; trained on is every passage
    whose share is at least ``max(eval_fraction, HELD_OUT_SHARE)``.
    """
    digest, train, held_out = hashlib.sha256(), [], []
    room = max_characters
    for source in sources:
        text = read_source(source)[:room]
        digest.update(hashlib.sha256(text.encode()).digest())
        if room is not None:
            room -= len(text)
        for passage in passages(text):
            share = share_of(passage)
            if share < eval_fraction:
                held_out.append(passage)
            elif share >= HELD_OUT_SHARE:
                train.append(passage)
    return Corpus(
        train=tuple(train), held_out=tuple(held_out), digest="sha256:" + digest.hexdigest()
    )


def read_source(source: str) -> str:
    """The text behind ``bundled:NAME``, a path or a ``file://`` URI (``.gz`` is unpacked)."""
    scheme, _, name = source.partition(":")
    if scheme == "bundled":
        if name not in BUNDLED:
            raise ConfigInvalid(
                f"data source {source!r} is not bundled; bundled are: "
                + ", ".join(f"bundled:{known}" for known in BUNDLED)
            )
        packed = resources.files("slipway_training") / "data" / f"{name}.txt.gz"
        return gzip.decompress(packed.read_bytes()).decode()
    path = local_path(source, field="data source")
    try:
        raw = path.read_bytes()
        return (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode()
    except OSError as error:
        raise ConfigInvalid(f"data source {source!r} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigInvalid(f"data source {source!r} is not UTF-8 text: {error}") from error


def local_path(uri: str, *, field: str) -> Path:
    """A plain path or ``file://`` URI → Path; every other scheme is refused by name."""
    parts = urlsplit(uri)
    if parts.scheme == "file":
        return Path(unquote(parts.path))
    if "://" in uri:
        raise ConfigInvalid(
            f"{field} {uri!r}: this run reads local files only; mount or copy it, then use file://"
        )
    return Path(uri)


def passages(text: str) -> list[str]:
    """Cut at blank lines; an indented paragraph stays with the unindented one before it.

    In a dictionary a passage is an entry (headword, then indented paragraphs), in prose a
    paragraph.
    """
    found: list[list[str]] = []
    for paragraph in text.replace("\r\n", "\n").split("\n\n"):
        body = paragraph.strip("\n").rstrip()
        if not body:
            continue
        if found and body[0].isspace():
            found[-1].append(body)
        else:
            found.append([body])
    return ["\n\n".join(parts) for parts in found]


def share_of(passage: str) -> float:
    """A fixed number in [0, 1) of the passage's words; white space does not matter."""
    words = " ".join(passage.split())
    return int.from_bytes(hashlib.sha256(words.encode()).digest()[:8], "big") / 2**64

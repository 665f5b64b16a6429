"""What an import's URI names, copied into WORK so that nothing changes while it is checked.

Only file types that may serve are copied; documentation is left behind; everything else (pickles,
code, archives, links, hidden files) refuses the whole source by name.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from pathlib import Path

from slipway_contracts.artifact import ArtifactRefused, check_file, folder_files, hash_file
from slipway_training.errors import ConfigInvalid, SourceRefused

CHAT_TEMPLATE = "chat_template.jinja"
_COMMIT = re.compile(r"[0-9a-f]{40}")
_HUB = re.compile(r"hf://(?P<name>[\w.-]+/[\w.-]+)(?:@(?P<revision>[^/@]+))?")
_LEFT_BEHIND = re.compile(r"(?i)(readme|licen[cs]e|notice|use_policy)[\w.-]*|\.gitattributes")
_LARGEST_TEMPLATE = 1 << 16


def stage(source: Path, target: Path, *, besides: str = "") -> None:
    """Copy the servable files of ``source`` to ``target``; SourceRefused names what may not be.

    ``besides`` is one file that the caller reads itself.
    """
    if source.is_symlink() or not source.is_dir():
        raise ConfigInvalid(f"{source} is no folder")
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    try:
        for relative in sorted(folder_files(source)):
            if relative == besides or left_behind(relative):
                continue
            if relative != CHAT_TEMPLATE:
                check_file(source, relative)
            copied = target / relative
            copied.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / relative, copied, follow_symlinks=False)
            if relative != CHAT_TEMPLATE:
                check_file(target, relative)
    except ArtifactRefused as error:
        raise SourceRefused(f"{source}: {error}") from error
    _fold_chat_template(target)
    _check_shards(target)


def left_behind(name: str) -> bool:
    """Whether a file is documentation, which no artifact needs."""
    return _LEFT_BEHIND.fullmatch(name) is not None


def tree_digest(folder: Path) -> str:
    """``sha256:…`` over names and contents of the files in ``folder``."""
    lines = [f"{hash_file(folder / name)[1]}  {name}\n" for name in sorted(folder_files(folder))]
    return "sha256:" + hashlib.sha256("".join(lines).encode()).hexdigest()


def download(uri: str, revision: str | None, target: Path) -> Path:
    """A pinned revision of a Hugging Face repository; only servable files are asked for."""
    match = _HUB.fullmatch(uri)
    if match is None:
        raise ConfigInvalid(f"{uri!r} is not of the form hf://OWNER/NAME@COMMIT")
    pinned = match["revision"] or revision
    if pinned is None or not _COMMIT.fullmatch(pinned):
        raise ConfigInvalid(
            f"{uri!r} is not pinned: {pinned!r} may move; set revision to the 40-digit commit"
        )
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        snapshot_download(
            match["name"],
            revision=pinned,
            local_dir=target,
            allow_patterns=[
                "*.safetensors",
                "*.json",
                "merges.txt",
                "vocab.txt",
                "*.model",
                "*.jinja",
            ],
        )
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        first = str(error).splitlines()[0]
        raise ConfigInvalid(
            f"{uri} at {pinned} was not downloaded ({first}); check the name, the token and the "
            "network, or import a local folder"
        ) from error
    shutil.rmtree(target / ".cache", ignore_errors=True)
    return target


def _fold_chat_template(folder: Path) -> None:
    """Move ``chat_template.jinja`` into tokenizer_config.json, where serving reads it as data."""
    template = folder / CHAT_TEMPLATE
    if not template.exists():
        return
    text = template.read_text(encoding="utf-8", errors="replace")
    if len(text) > _LARGEST_TEMPLATE:
        raise SourceRefused(f"{CHAT_TEMPLATE} has {len(text)} characters; that is no template")
    config = folder / "tokenizer_config.json"
    content = json.loads(config.read_bytes()) if config.exists() else {}
    content["chat_template"] = text
    config.write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")
    template.unlink()


def _check_shards(folder: Path) -> None:
    """Every shard that an index names must be a file of the folder itself."""
    for index in folder.glob("*.safetensors.index.json"):
        try:
            shards = set(json.loads(index.read_bytes())["weight_map"].values())
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise SourceRefused(f"{index.name} is no index of shards") from error
        for shard in shards:
            if not isinstance(shard, str) or Path(shard).name != shard:
                raise SourceRefused(f"{index.name} points outside the folder: {shard!r}")
            if not (folder / shard).is_file():
                raise SourceRefused(f"{index.name} names {shard}, which is not there")

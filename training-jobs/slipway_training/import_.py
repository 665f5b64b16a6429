"""``import``: ready-made or random weights become an artifact with a manifest.

Ready-made is a Slipway artifact (copied under its own digest), a Hugging Face folder or pinned
revision, a ``checkpoint.pt`` with its config.json and tokenizer beside it, or a LoRA adapter; each
of them on disk or in an object store.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from slipway_artifacts.address import is_object_store
from slipway_contracts.artifact import (
    MANIFEST_NAME,
    ArtifactRef,
    ArtifactRefused,
    Lineage,
    Manifest,
    hash_file,
    verify_artifact,
)
from slipway_contracts.model_version import ArtifactSource, RandomSource
from slipway_contracts.run import AdapterImport, ImportRun, RunResult
from slipway_training.architectures import architecture, new_model
from slipway_training.artifacts import FETCHED, open_artifact, publish, reference
from slipway_training.corpus import load_corpus, local_path
from slipway_training.errors import ConfigInvalid, SourceRefused
from slipway_training.files import build_folder
from slipway_training.lineage import code_revision, config_digest
from slipway_training.object_store import bring, holds_artifact, stored_digest
from slipway_training.sandbox import Job, convert
from slipway_training.sources import download, stage, tree_digest
from slipway_training.tokenizer import save_tokenizer, train_tokenizer

# What an untrained model's tokenizer is made from: it must be able to serve, not to be good.
_TOKENIZER_TEXT = ("bundled:jargon",)
_TOKENIZER_SIZE = 4096
_CHECKPOINT = "checkpoint.pt"
# Reading a checkpoint holds it twice (read and written); imports of tiny files need torch's own.
_MEMORY_FACTOR, _MEMORY_FLOOR = 4, 4 << 30


def import_(run: ImportRun, work: Path) -> RunResult:
    """Carry out ``run``; raises SourceRefused for what may not become an artifact."""
    given = [source for source in (run.artifact, run.adapter, run.random) if source is not None]
    target = Path(run.artifact_dir)
    match given:
        case [ArtifactSource() as source]:
            return _artifact(source, work, target)
        case [AdapterImport() as source]:
            return _adapter(source, work, target)
        case [RandomSource() as source]:
            return _random(source, target)
        case _:
            raise ConfigInvalid("import needs exactly one of artifact, adapter, random")


def _artifact(source: ArtifactSource, work: Path, target: Path) -> RunResult:
    if source.uri.startswith("hf://"):
        folder = download(source.uri, source.revision, work / "download")
        return _folder(source, folder, work, target)
    if is_object_store(source.uri) and holds_artifact(source.uri):
        folder = _fetched(source, work)
        return _copy(source, folder, work, target)
    path = _readable(source.uri, work, field="artifact.uri")
    if not path.exists():
        raise ConfigInvalid(f"artifact.uri {source.uri}: nothing is there")
    if path.is_dir() and (path / MANIFEST_NAME).exists():
        return _copy(source, path, work, target)
    if path.is_file():
        return _checkpoint(source, path, work, target)
    if (path / _CHECKPOINT).is_file() and not any(path.glob("*.safetensors")):
        return _checkpoint(source, path / _CHECKPOINT, work, target)
    return _folder(source, path, work, target)


def _readable(uri: str, work: Path, *, field: str) -> Path:
    """A local path, to which what an object store holds is brought first."""
    if is_object_store(uri):
        return bring(uri, work / "download")
    return local_path(uri, field=field)


def _fetched(source: ArtifactSource, work: Path) -> Path:
    if source.digest is None:
        raise _no_digest(stored_digest(source.uri))
    ref = ArtifactRef(uri=source.uri, digest=source.digest)
    return open_artifact(ref, work / FETCHED)[0]


def _no_digest(found: str) -> ConfigInvalid:
    return ConfigInvalid(f"artifact.digest is missing; the artifact there now is {found}")


def _copy(source: ArtifactSource, folder: Path, work: Path, target: Path) -> RunResult:
    """The same artifact at another place: same bytes, same manifest, same digest."""
    if source.digest is None:
        raise _no_digest(reference(folder).digest)
    manifest = _verified(folder, source.digest, work)
    wanted = source.digest

    def fill(partial: Path) -> None:
        for name in [MANIFEST_NAME, *(entry.path for entry in manifest.files)]:
            (partial / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / name, partial / name, follow_symlinks=False)
        try:
            verify_artifact(partial, wanted)
        except ArtifactRefused as error:
            raise SourceRefused(f"{folder} changed while it was copied: {error}") from error

    build_folder(target, fill)
    return RunResult(artifact=reference(target), lineage=manifest.lineage, metrics=manifest.metrics)


def _folder(source: ArtifactSource, folder: Path, work: Path, target: Path) -> RunResult:
    staged = work.absolute() / "staged"
    stage(folder, staged)
    digest = tree_digest(staged)
    _check_digest(source, digest)
    name = convert(
        Job(kind="folder", source=str(staged), target=str(staged), memory_bytes=_MEMORY_FLOOR)
    )
    return _publish_staged(staged, target, name, _lineage(source, digest))


def _checkpoint(source: ArtifactSource, path: Path, work: Path, target: Path) -> RunResult:
    if path.suffix not in (".pt", ".pth") or path.is_symlink():
        raise SourceRefused(f"{path.name} is not imported; give a folder or a {_CHECKPOINT}")
    size, sha256 = hash_file(path)
    _check_digest(source, f"sha256:{sha256}")
    staged = work.absolute() / "staged"
    stage(path.parent, staged, besides=path.name)
    if not (staged / "tokenizer.json").exists() and not list(staged.glob("*.model")):
        raise SourceRefused(f"no tokenizer.json lies beside {path.name}; put it there")
    name = convert(
        Job(
            kind="checkpoint",
            source=str(path.absolute()),
            target=str(staged),
            memory_bytes=_MEMORY_FLOOR + _MEMORY_FACTOR * size,
        )
    )
    return _publish_staged(staged, target, name, _lineage(source, f"sha256:{sha256}"))


def _adapter(source: AdapterImport, work: Path, target: Path) -> RunResult:
    base, manifest = open_artifact(source.base, work / FETCHED)
    staged, merged = work.absolute() / "staged", work.absolute() / "merged"
    folder = _readable(source.uri, work, field="adapter.uri")
    if (folder / MANIFEST_NAME).exists():
        _verified(folder, source.digest or reference(folder).digest, work)
    stage(folder, staged)
    if not (staged / MANIFEST_NAME).exists() and source.digest not in (None, tree_digest(staged)):
        raise SourceRefused(f"adapter.digest is {source.digest}, the folder's is another")
    for needed in ("adapter_config.json", "adapter_model.safetensors"):
        if not (staged / needed).is_file():
            raise SourceRefused(f"{source.uri} has no {needed}: it is no LoRA adapter")
    shutil.rmtree(merged, ignore_errors=True)
    merged.mkdir()
    size = sum(entry.size for entry in manifest.files)
    job = Job(
        kind="adapter",
        source=str(staged),
        target=str(merged),
        base=str(base.absolute()),
        memory_bytes=_MEMORY_FLOOR + _MEMORY_FACTOR * size,
    )
    convert(job)
    lineage = Lineage(
        parent=source.base.digest,
        base=manifest.lineage.base or source.base.digest,
        dataset_digest=None,
        config_digest=config_digest(source),
        code_revision=code_revision(),
    )
    return _publish_staged(merged, target, manifest.architecture, lineage)


def _verified(folder: Path, digest: str, work: Path) -> Manifest:
    ref = ArtifactRef(uri=folder.absolute().as_uri(), digest=digest)
    return open_artifact(ref, work / FETCHED)[1]


def _random(source: RandomSource, artifact_dir: Path) -> RunResult:
    shape = architecture(source.architecture)
    corpus = load_corpus(_TOKENIZER_TEXT)
    tokenizer = train_tokenizer(corpus.train, vocab_size=_TOKENIZER_SIZE, context=shape.context)
    model = new_model(source.architecture, tokenizer, seed=source.seed)
    lineage = Lineage(
        config_digest=config_digest(source), code_revision=code_revision(), seed=source.seed
    )

    def fill(folder: Path) -> None:
        model.save_pretrained(str(folder))
        save_tokenizer(tokenizer, folder)

    artifact = publish(
        artifact_dir, fill, architecture=source.architecture, lineage=lineage, metrics={}
    )
    return RunResult(artifact=artifact, lineage=lineage)


def _publish_staged(staged: Path, target: Path, name: str, lineage: Lineage) -> RunResult:
    def fill(folder: Path) -> None:
        shutil.copytree(staged, folder, dirs_exist_ok=True)

    artifact = publish(target, fill, architecture=name, lineage=lineage, metrics={})
    shutil.rmtree(staged)
    return RunResult(artifact=artifact, lineage=lineage)


def _check_digest(source: ArtifactSource, found: str) -> None:
    if source.digest not in (None, found):
        raise SourceRefused(f"artifact.digest is {source.digest}, the source's is {found}")


def _lineage(source: ArtifactSource, digest: str) -> Lineage:
    return Lineage(base=digest, config_digest=config_digest(source), code_revision=code_revision())

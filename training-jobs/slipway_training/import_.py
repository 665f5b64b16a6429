"""``import``: ready-made or random weights become an artifact with a manifest."""

from __future__ import annotations

from pathlib import Path

from slipway_contracts.artifact import Lineage
from slipway_contracts.model_version import RandomSource
from slipway_contracts.run import ImportRun, RunResult
from slipway_training.architectures import architecture, new_model
from slipway_training.artifacts import publish
from slipway_training.corpus import load_corpus
from slipway_training.errors import ConfigInvalid
from slipway_training.lineage import code_revision, config_digest
from slipway_training.tokenizer import save_tokenizer, train_tokenizer

# What an untrained model's tokenizer is made from: it must be able to serve, not to be good.
_TOKENIZER_TEXT = ("bundled:jargon",)
_TOKENIZER_SIZE = 4096


def import_(run: ImportRun, work: Path) -> RunResult:
    """Carry out ``run``; raises SourceRefused for what may not become an artifact."""
    if run.random is not None:
        return _random(run.random, Path(run.artifact_dir))
    raise ConfigInvalid("import needs exactly one of artifact, adapter, random")


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

"""``evaluate``: every suite on the candidate and, where one is given, on the baseline.

The report states figures with their sample counts and judges nothing: gates are the operator's.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from slipway_contracts.evaluation import EvaluationReport, Figure, Suite, SuiteResult
from slipway_contracts.run import EvaluateRun, EvaluationTarget, RunResult
from slipway_training import endpoint
from slipway_training.architectures import context_of
from slipway_training.artifacts import open_artifact
from slipway_training.corpus import load_corpus
from slipway_training.errors import ConfigInvalid
from slipway_training.heldout import BLOCK_SIZE, load_model, score
from slipway_training.stop import StopFlag
from slipway_training.tokenizer import load_tokenizer

logger = logging.getLogger(__name__)

# An endpoint suite without prompts asks for the continuation of this many held-out words.
_PROMPT_WORDS = 12
ENDPOINT_METRICS = ("success", "non_empty", "latency_p95_ms", "prefix_agreement")


def evaluate(run: EvaluateRun, stop: StopFlag, *, cache: Path) -> RunResult:
    """Measure; raises ConfigInvalid for a suite that cannot be read, never for a bad figure.

    ``cache``: where artifacts of an object store are fetched to.
    """
    held_out = {suite.name: _held_out(suite) for suite in run.suites}
    measured = [
        _measure(target, run.suites, held_out, stop, cache=cache)
        for target in (run.candidate, run.baseline)
        if target is not None
    ]
    candidate, baseline = measured[0], measured[1] if run.baseline else {}
    suites = tuple(
        SuiteResult(
            suite=suite.name,
            kind=suite.kind,
            candidate=candidate[suite.name],
            baseline=baseline.get(suite.name, {}),
        )
        for suite in run.suites
    )
    report = EvaluationReport(
        version=run.candidate.version,
        baseline=run.baseline.version if run.baseline else None,
        suites=suites,
    )
    return RunResult(report=report)


def _held_out(suite: Suite) -> Sequence[str]:
    return load_corpus(suite.sources).held_out if suite.sources else ()


def _measure(
    target: EvaluationTarget,
    suites: Sequence[Suite],
    held_out: dict[str, Sequence[str]],
    stop: StopFlag,
    *,
    cache: Path,
) -> dict[str, dict[str, Figure]]:
    folder, _ = open_artifact(target.artifact, cache)
    model, tokenizer = load_model(folder), load_tokenizer(folder)
    figures = {}
    for suite in suites:
        stop.check()
        passages = held_out[suite.name]
        if suite.kind == "heldout":
            if not passages:
                raise ConfigInvalid(f"suite {suite.name} holds out no text; set its sources")
            figures[suite.name] = score(
                model,
                tokenizer,
                passages,
                max_samples=suite.max_samples,
                block_size=min(BLOCK_SIZE, context_of(model.config)),
            )
        else:
            figures[suite.name] = _through_endpoint(target, suite, passages, (model, tokenizer))
    return figures


def _through_endpoint(
    target: EvaluationTarget,
    suite: Suite,
    passages: Sequence[str],
    loaded: tuple[Any, Any],
) -> dict[str, Figure]:
    prompts = prompts_of(suite, passages)
    if not prompts:
        raise ConfigInvalid(f"suite {suite.name} has neither prompts nor sources; set one")
    if target.endpoint is None:
        logger.warning(
            "no endpoint: %s has no samples", suite.name, extra={"version": target.version}
        )
        return dict.fromkeys(ENDPOINT_METRICS, Figure(value=None, samples=0))
    model, tokenizer = loaded
    references = endpoint.greedy_references(model, tokenizer, prompts, max_tokens=suite.max_tokens)
    ask = partial(endpoint.ask, target.endpoint, target.served_model, max_tokens=suite.max_tokens)
    return endpoint.measure(lambda prompt: ask(prompt=prompt), prompts, references=references)


def prompts_of(suite: Suite, passages: Sequence[str]) -> list[str]:
    """The suite's own prompts, or the first words of held-out passages; at most maxSamples."""
    if suite.prompts:
        return list(suite.prompts[: suite.max_samples])
    starts = (" ".join(passage.split()[:_PROMPT_WORDS]) for passage in passages)
    return [start for start in starts if start][: suite.max_samples]

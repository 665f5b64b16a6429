"""The shipped manifests are valid, and say what the story needs them to say."""

from __future__ import annotations

import pytest

from slipway_cli.demo.cast import BETTER, FIRST, HOPELESS, MODEL, VERSIONS, WORSE, manifest
from slipway_cli.manifests import read_manifests
from slipway_contracts.base import format_duration


@pytest.fixture(scope="module")
def resources():
    found = read_manifests([str(manifest(name)) for name in ("model", *VERSIONS)])
    return {resource.metadata.name: resource for resource in found}


def test_one_model_and_its_versions(resources):
    assert list(resources) == [MODEL, *VERSIONS]
    assert resources[MODEL].spec.default
    assert all(resources[name].spec.model == MODEL for name in VERSIONS)


def test_the_better_one_continues_the_first_and_is_shadowed(resources):
    spec = resources[BETTER].spec
    assert spec.source.training.base.version == FIRST
    assert resources[MODEL].spec.rollout.overridden_by(spec.rollout).shadow is not None


def test_every_rollout_goes_10_50(resources):
    for name in VERSIONS:
        rollout = resources[MODEL].spec.rollout.overridden_by(resources[name].spec.rollout)
        assert [step.weight for step in rollout.steps] == [10, 50]
        assert format_duration(rollout.post_promotion_watch) == "30s"


def test_the_worse_one_differs_in_its_context_only(resources):
    base = resources[MODEL].spec.serving
    worse = base.overridden_by(resources[WORSE].spec.serving)
    assert worse.engine.max_model_len == 128
    assert base.engine.max_model_len == 512
    undone = worse.model_copy(
        update={
            "engine": worse.engine.model_copy(update={"max_model_len": base.engine.max_model_len})
        }
    )
    assert undone.wire() == base.wire()
    assert resources[WORSE].spec.source.training.base.version == BETTER
    assert resources[MODEL].spec.rollout.shadow is None


def test_the_gate_is_non_inferiority_and_a_bound(resources):
    gate = next(g for g in resources[MODEL].spec.evaluation.gates if g.max_relative_increase)
    assert gate.metric == "heldout.perplexity"
    assert gate.max is not None
    assert resources[HOPELESS].spec.source.training.max_steps <= 5

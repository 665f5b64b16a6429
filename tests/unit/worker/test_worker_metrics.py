"""The worker's metrics are the contract's."""

from __future__ import annotations

from metric_pages import silent, strays

from slipway_contracts.metrics.kinds import Owner
from slipway_store.jobs import Depth
from slipway_worker.metrics import Metrics
from slipway_worker.outcome import Again, GivenUp, Stored


def test_every_metric_of_the_worker_is_there_and_no_other() -> None:
    metrics = Metrics(["question"], ended_batches=lambda: {"failed": 2})
    metrics.ran("question", Stored(result=None), 0.1)
    text = metrics.text().decode()
    assert not strays(text, Owner.WORKER)
    assert not silent(text, Owner.WORKER)
    assert 'batch_jobs_total{status="failed"} 2.0' in text
    assert 'batch_jobs_total{status="completed"} 0.0' in text


def test_kinds_beyond_the_bound_are_told_together() -> None:
    metrics = Metrics(["question"])
    metrics.saw([Depth(kind=f"kind-{i}", waiting=1, oldest_seconds=i) for i in range(10_000)])
    text = metrics.text().decode()
    assert not strays(text, Owner.WORKER)
    assert 'slipway_jobs_oldest_seconds{kind="_other"} 9999.0' in text


def test_counts_runs_by_outcome() -> None:
    metrics = Metrics(["question"])
    for outcome in (
        Stored(result=1),
        GivenUp(reason=""),
        Again(delay=1, counts=True, reason=""),
        Again(delay=1, counts=False, reason=""),
    ):
        metrics.ran("question", outcome, 1.0)
    text = metrics.text().decode()
    for word in ("done", "dead", "failed", "later"):
        line = f'slipway_worker_runs_total{{kind="question",outcome="{word}"}} 1.0'
        assert line in text


def test_a_kind_without_jobs_tells_zeros_also_after_it_had_some() -> None:
    metrics = Metrics(["question"])
    assert 'slipway_jobs{kind="question",state="waiting"} 0.0' in metrics.text().decode()
    metrics.saw([Depth(kind="batch", waiting=3, oldest_seconds=9)])
    assert 'slipway_jobs_oldest_seconds{kind="batch"} 9.0' in metrics.text().decode()
    metrics.saw([])
    assert 'slipway_jobs{kind="batch",state="waiting"} 0.0' in metrics.text().decode()

"""Evidence out of a real log: ticks, what stable was before, what a dead database says."""

from datetime import timedelta

import pytest
from attempt_rows import T0, at, attempt
from builders import a_model, a_model_version

from slipway_contracts.route import Heartbeat
from slipway_operator.errors import Transient
from slipway_operator.observe import Observer
from slipway_operator.platforms.evidence import PostgresEvidence
from slipway_operator.subject import subject_of
from slipway_store.attempts import ship
from slipway_store.connect import open_pool
from slipway_store.measurements import latest
from slipway_store.routes import heartbeat
from slipway_verdicts.judgement import Verdict


@pytest.fixture
async def pool(dsn):
    async with await open_pool(dsn) as pool:
        yield pool


def a_subject(**rollout):
    """v2 of `tiny` on its first step since T0."""
    version = (
        a_model_version("v2").canary().with_rollout(started_at=T0, step_started_at=T0, **rollout)
    )
    model = a_model("tiny").build()
    status = model.status.model_copy(update={"stable": "v1", "candidate": "v2"})
    return subject_of(model.model_copy(update={"status": status}), (version.build(),))


async def write(pool, *rows):
    await ship(pool, gateway="g", segment="s", offset=1, attempts=rows, overdue=())


async def reported(pool, seconds):
    """A living gateway that has shipped everything until then."""
    beat = Heartbeat(gateway="g", revision=1, watermark=at(seconds), at=T0)
    await heartbeat(pool, beat)


async def test_ticks_up_to_the_watermark(pool):
    await write(pool, attempt(2), attempt(3, version="v1", error=True), attempt(7))
    ticks = await PostgresEvidence(pool).ticks(a_subject(), at(6))
    (error,) = [tick for tick in ticks if tick.metric == "error"]
    assert (error.candidate.n, error.stable.n, error.stable.bad) == (1, 1, 1)


async def test_stable_before_is_counted_from_before_the_rollout_only(pool):
    before = attempt(-60, version="v1", error=True)
    await write(pool, before, attempt(-30, version="v1"), attempt(2, version="v1", error=True))
    counts = await PostgresEvidence(pool).stable_before(a_subject())
    assert (counts["error"].n, counts["error"].bad) == (2, 1)


async def test_a_judgement_is_recorded_once_a_tick(pool):
    await write(pool, *(attempt(n / 10, error=True) for n in range(1, 40)))
    await reported(pool, 6)
    observer = Observer(platform=None, evidence=PostgresEvidence(pool))
    subject = a_subject()
    first = await observer._judge(subject)
    again = await observer._judge(subject)
    assert first.judgement is again.judgement
    assert first.judgement.verdict is not Verdict.PASS
    kept = await latest(pool, "tiny", "v2")
    assert kept.verdict == first.judgement.verdict
    assert await pool.fetchval("SELECT count(*) FROM measurements") == 1


async def test_without_a_living_gateway_there_is_no_data(pool):
    observer = Observer(platform=None, evidence=PostgresEvidence(pool))
    analysis = await observer._judge(a_subject())
    assert analysis.judgement.verdict is Verdict.NO_DATA


async def test_in_flight_is_unknown_without_a_gateway_and_summed_with(pool):
    evidence = PostgresEvidence(pool)
    assert await evidence.in_flight() is None
    for name, count in (("a", 2), ("b", 3)):
        beat = Heartbeat(
            gateway=name, revision=1, watermark=T0, at=T0, in_flight={"v1": count, "v2": 1}
        )
        await heartbeat(pool, beat)
    assert await evidence.in_flight() == {"v1": 5, "v2": 2}


async def test_a_database_that_is_away_is_transient(pool):
    evidence = PostgresEvidence(pool)
    await pool.close()
    with pytest.raises(Exception) as raised:
        await evidence.ticks(a_subject(), T0 + timedelta(seconds=60))
    assert isinstance(raised.value, Transient)

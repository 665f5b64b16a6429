"""The lease: one leader, another after it, and never two."""

from __future__ import annotations

import asyncio

import pytest
from api_server import MemoryApi

from slipway_operator.errors import LeaseLost
from slipway_operator.platforms.kubernetes.kinds import LEASES
from slipway_operator.platforms.kubernetes.lease import Lease, Terms

TERMS = Terms(duration=1.0, renew=0.6, retry=0.05)
# For who must not lose it: a machine that stalls for seconds is no loss.
PATIENT = Terms(duration=6.0, renew=5.0, retry=0.05)


def a_lease(api: MemoryApi, identity: str, terms: Terms = TERMS) -> Lease:
    return Lease(api, name="operator", identity=identity, terms=terms)


def holder(api: MemoryApi) -> str:
    return str(api.objects[LEASES]["operator"]["spec"]["holderIdentity"])


@pytest.fixture
def api() -> MemoryApi:
    return MemoryApi()


async def test_the_first_leads_and_the_second_waits(api: MemoryApi) -> None:
    first, second = a_lease(api, "a", PATIENT), a_lease(api, "b", PATIENT)
    await first.acquire()
    assert first.leads
    holding = asyncio.create_task(first.hold())
    waiting = asyncio.create_task(second.acquire())
    await asyncio.sleep(PATIENT.duration * 1.2)
    assert not waiting.done()
    assert holder(api) == "a"
    for task in (holding, waiting):
        task.cancel()
    await asyncio.gather(holding, waiting, return_exceptions=True)


async def test_a_released_lease_is_taken_at_once(api: MemoryApi) -> None:
    first, second = a_lease(api, "a"), a_lease(api, "b")
    await first.acquire()
    await first.release()
    assert not first.leads
    await second.acquire()
    assert holder(api) == "b"
    assert api.objects[LEASES]["operator"]["spec"]["leaseTransitions"] == 2


async def test_the_lease_of_a_dead_leader_is_taken_when_it_expires(api: MemoryApi) -> None:
    first, second = a_lease(api, "a"), a_lease(api, "b")
    await first.acquire()
    async with asyncio.timeout(30):
        await second.acquire()
    # a frozen process that wakes up knows that it leads no more
    assert not first.leads
    with pytest.raises(LeaseLost, match=r"no renewal|held by b"):
        await first.hold()


async def test_a_restarted_leader_has_its_own_lease_back(api: MemoryApi) -> None:
    await a_lease(api, "a", PATIENT).acquire()
    again = a_lease(api, "a", PATIENT)
    await again.acquire()
    assert again.leads


async def test_a_leader_that_cannot_renew_gives_up_before_another_may_lead(
    api: MemoryApi,
) -> None:
    first = a_lease(api, "a")
    await first.acquire()
    api.down = True
    with pytest.raises(LeaseLost, match="no renewal"):
        await first.hold()
    assert not first.leads


async def test_a_renewal_whose_answer_was_lost_is_no_loss(api: MemoryApi) -> None:
    first = a_lease(api, "a", PATIENT)
    await first.acquire()
    api.lose_answers = 1
    holding = asyncio.create_task(first.hold())
    async with asyncio.timeout(30):
        while len([r for r in api.requests if r[0] == "replace"]) < 4:
            await asyncio.sleep(0.01)
    assert first.leads
    assert not holding.done()
    holding.cancel()
    await asyncio.gather(holding, return_exceptions=True)


async def test_an_acquisition_whose_answer_was_lost_is_found_out(api: MemoryApi) -> None:
    api.lose_answers = 1
    first = a_lease(api, "a", PATIENT)
    async with asyncio.timeout(30):
        await first.acquire()
    assert (first.leads, holder(api)) == (True, "a")


async def test_a_lease_that_another_took_is_lost(api: MemoryApi) -> None:
    first = a_lease(api, "a")
    await first.acquire()
    body = api.objects[LEASES]["operator"]
    api.put(LEASES, body | {"spec": body["spec"] | {"holderIdentity": "b"}})
    with pytest.raises(LeaseLost, match="held by b"):
        await first.hold()
    await first.release()
    assert holder(api) == "b"

"""Lost statuses, replaced objects, and statuses that were written half."""

from __future__ import annotations

from dataclasses import replace

import pytest
from builders import (
    a_model,
    a_model_version,
    a_route,
    a_run,
    a_snapshot,
    an_artifact,
    at,
    backend_of,
    routes_of,
    url_of,
)
from decided import decided

from slipway_contracts.conditions import Phase
from slipway_contracts.model import Leftover
from slipway_contracts.route import BackendRoute


def lost(name):
    """A version whose status is gone; its object is the same."""
    return a_model_version(name)


def remembered(*names):
    return tuple(backend_of(lost(name), remembers=True) for name in names)


def look(*versions, routes, backends, **changes):
    return decided(a_snapshot(a_model(), *versions, routes=routes, backends=backends, **changes))


def test_19_a_lost_status_of_the_serving_version_is_rebuilt():
    stored = routes_of(a_route((lost("v1"), 100, "stable"), salt="uid-v1"))
    result = look(lost("v1"), routes=stored, backends=remembered("v1"))
    assert result.weights == {"v1": 100}
    assert result.listed == {"v1"}
    assert result.decision.runs == ()
    assert result.phase("v1") == "Serving"
    assert result.decision.model_status.stable == "v1"
    assert result.status("v1").artifact == an_artifact("v1")


def test_19_a_lost_status_mid_canary_restarts_the_rung():
    stored = routes_of(a_route((lost("v2"), 50, "candidate"), (lost("v1"), 50, "stable")))
    result = look(lost("v1"), lost("v2"), routes=stored, backends=remembered("v1", "v2"))
    assert result.weights == {"v2": 50, "v1": 50}
    assert result.status().rollout.step == 1
    assert result.phase() == "Canary"
    assert result.decision.model_status.candidate == "v2"


def test_19_lost_statuses_in_the_watch_keep_their_roles():
    stored = routes_of(a_route((lost("v2"), 95, "stable"), (lost("v1"), 5, "previous")))
    result = look(lost("v1"), lost("v2"), routes=stored, backends=remembered("v1", "v2"))
    assert result.weights == {"v2": 95, "v1": 5}
    model = result.decision.model_status
    assert (model.stable, model.previous) == ("v2", "v1")
    assert result.status().slot_taken_at is not None


def test_19_lost_statuses_of_a_split():
    model = a_model().split(v1=50, v2=50)
    stored = routes_of(a_route((lost("v1"), 50, "fixed"), (lost("v2"), 50, "fixed")))
    result = decided(
        a_snapshot(model, lost("v1"), lost("v2"), routes=stored, backends=remembered("v1", "v2"))
    )
    assert result.weights == {"v1": 50, "v2": 50}


def test_19_the_run_tells_the_artifact_that_the_backend_forgot():
    stored = routes_of(a_route((lost("v1"), 100, "stable")))
    result = look(
        lost("v1"),
        routes=stored,
        backends=(backend_of(lost("v1")),),
        runs=(a_run(lost("v1"), "import"),),
    )
    assert result.weights == {"v1": 100}
    assert result.status("v1").artifact == an_artifact("v1")
    assert result.status("v1").serving is not None


@pytest.mark.parametrize(
    "runs",
    [
        pytest.param((), id="nothing"),
        pytest.param((a_run(lost("v1"), "import", "failed"),), id="no-result"),
        pytest.param((a_run(lost("v1"), "import", artifact=False),), id="no-artifact"),
    ],
)
def test_19_what_nobody_remembers_begins_anew(runs):
    result = look(lost("v1"), routes=routes_of(None), backends=(backend_of(lost("v1")),), runs=runs)
    assert result.status("v1").rollout is None


def test_a_backend_without_traffic_goes_on_as_a_candidate():
    result = look(
        a_model_version("v1").serving_since(),
        lost("v2"),
        routes=routes_of(a_route((lost("v1"), 100, "stable"))),
        backends=(*remembered("v2"), backend_of(a_model_version("v1").serving_since())),
    )
    assert result.phase() in {"Deploying", "Canary"}
    assert result.decision.model_status.candidate == "v2"


def test_a_lost_status_of_the_model_is_a_projection_made_again():
    versions = (a_model_version("v1").serving_since(), a_model_version("v2").canary())
    result = decided(a_snapshot(a_model(), *versions))
    model = result.decision.model_status
    assert (model.stable, model.candidate, model.previous) == ("v1", "v2", None)


# replaced objects (kubectl replace --force): a new uid, old children


def orphan(name="v1", **changes):
    """The backend of the object that was replaced."""
    return replace(backend_of(lost(name), remembers=True), **changes)


def replaced(name="v1"):
    return a_model_version(name).with_uid("uid-new")


def test_19_a_replaced_serving_version_serves_on_until_the_new_one_can():
    stored = routes_of(a_route((lost("v1"), 100, "stable")))
    result = look(replaced(), routes=stored, backends=(orphan(),))
    assert result.weights == {"v1": 100}
    assert orphan().name in {b.name for b in result.decision.backends}
    assert result.decision.model_status.leftovers == (Leftover(backend=orphan().name),)
    assert result.phase("v1") == "Training"
    assert result.model_said("Ready") == "True/Serving"
    assert result.status("v1").rollout is None


def test_19_then_the_old_children_are_collected_after_their_drain():
    new = replaced().watched(None, first=True)
    backends = (backend_of(new), orphan())
    settled = decided(a_snapshot(a_model(), new, backends=backends))
    route = settled.decision.route
    assert [b.url for b in route.backends] == [url_of(new.status.backend)]
    model = a_model().build()
    status = model.status.model_copy(update={"leftovers": (Leftover(backend=orphan().name),)})
    model = model.model_copy(update={"status": status})
    draining = decided(
        a_snapshot(model, new, backends=backends, routes=routes_of(route), seconds=4)
    )
    (left,) = draining.decision.model_status.leftovers
    assert left.since == at(4)
    assert len(draining.decision.backends) == 2
    model = model.model_copy(update={"status": draining.decision.model_status})
    after = decided(a_snapshot(model, new, backends=backends, routes=routes_of(route), seconds=34))
    assert after.decision.model_status.leftovers == ()
    assert len(after.decision.backends) == 1


def test_19_a_replaced_candidate_gives_its_share_back():
    stable = a_model_version("v1").serving_since()
    stored = routes_of(a_route((lost("v2"), 10, "candidate"), (lost("v1"), 90, "stable")))
    result = look(
        stable, replaced("v2"), routes=stored, backends=(backend_of(stable), orphan("v2"))
    )
    assert result.weights == {"v1": 100}
    assert orphan("v2").name in {b.name for b in result.decision.backends}
    assert result.status().rollout is None


def deleted_since(result, *, seconds):
    """One more look, at the Model's status that ``result`` wrote; v1 itself is gone."""
    model = a_model().build().model_copy(update={"status": result.decision.model_status})
    stored = result.decision.route
    return decided(
        a_snapshot(model, routes=routes_of(stored), backends=(orphan(),), seconds=seconds)
    )


def test_30_a_deleted_serving_version_drains_although_nothing_else_could_answer():
    stored = routes_of(a_route((lost("v1"), 100, "stable")))
    first = decided(a_snapshot(a_model(), routes=stored, backends=(orphan(),)))
    assert first.weights == {"v1": 100}
    (left,) = first.decision.model_status.leftovers
    assert left.absent_since == at(0)
    assert first.decision.requeue_after <= 10
    early = deleted_since(first, seconds=9)
    assert early.weights == {"v1": 100}
    late = deleted_since(early, seconds=10)
    assert late.weights == {}
    assert len(late.decision.backends) == 1
    draining = deleted_since(late, seconds=12)
    (left,) = draining.decision.model_status.leftovers
    assert left.since is not None
    gone = deleted_since(draining, seconds=60)
    assert gone.decision.backends == ()
    assert gone.decision.model_status.leftovers == ()


def test_19_a_version_that_is_back_in_time_was_replaced():
    stored = routes_of(a_route((lost("v1"), 100, "stable")))
    first = decided(a_snapshot(a_model(), routes=stored, backends=(orphan(),)))
    model = a_model().build().model_copy(update={"status": first.decision.model_status})
    back = decided(a_snapshot(model, replaced(), routes=stored, backends=(orphan(),), seconds=30))
    assert back.weights == {"v1": 100}
    assert back.decision.model_status.leftovers == (Leftover(backend=orphan().name),)


def test_both_sides_of_a_canary_replaced_keep_serving():
    stored = routes_of(a_route((lost("v2"), 10, "candidate"), (lost("v1"), 90, "stable")))
    result = look(
        replaced("v1"),
        replaced("v2"),
        routes=stored,
        backends=(orphan("v1"), orphan("v2", state="failed")),
    )
    assert result.weights == {"v1": 100}


@pytest.mark.parametrize(
    ("routes", "backend"),
    [
        pytest.param(routes_of(None), orphan(), id="no-traffic"),
        pytest.param(
            routes_of(a_route((lost("v1"), 100, "stable"))),
            replace(orphan(), artifact=None),
            id="not-remembered",
        ),
    ],
)
def test_what_cannot_or_need_not_be_kept_goes(routes, backend):
    result = look(replaced(), routes=routes, backends=(backend,))
    assert result.weights == {}
    assert result.listed == set()


def test_a_leftover_without_its_settings_is_kept_by_the_model_s():
    stored = routes_of(a_route((lost("v1"), 100, "stable")))
    result = look(replaced(), routes=stored, backends=(replace(orphan(), serving=None),))
    assert result.weights == {"v1": 100}
    assert len(result.decision.backends) == 1


@pytest.mark.parametrize("model", [a_model().deleted(), a_model().split(v1=100)])
def test_a_model_that_ends_or_splits_carries_no_leftover(model):
    stored = routes_of(a_route((lost("v1"), 100, "stable")))
    result = decided(a_snapshot(model, replaced(), routes=stored, backends=(orphan(),)))
    assert result.weights == {}
    assert not result.decision.release_model


def test_a_share_of_zero_is_not_carried():
    stored = a_route((lost("v1"), 100, "stable"))
    idle = BackendRoute(version="v1", weight=0, url=orphan().url, role="stable")
    other = BackendRoute(version="v9", weight=100, url="http://gone", role="stable")
    stored = stored.model_copy(update={"backends": (idle, other)})
    assert look(replaced(), routes=routes_of(stored), backends=(orphan(),)).weights == {}


# half-written statuses


def test_18_a_promotion_whose_old_version_was_not_written_is_completed():
    new = a_model_version("v2").watched()
    result = decided(a_snapshot(a_model(), a_model_version("v1").serving_since(), new))
    assert result.weights == {"v2": 95, "v1": 5}


def test_three_promoted_versions_end_as_one():
    old = a_model_version("v0").serving_since(-3000).leaving(Phase.SUPERSEDED)
    versions = (old, a_model_version("v1").serving_since(), a_model_version("v2").watched())
    result = decided(a_snapshot(a_model(), *versions, in_flight={"v0": 1}))
    assert result.weights == {"v2": 95, "v1": 5}
    assert result.listed == {"v0", "v1", "v2"}


def test_18_a_route_that_was_written_before_its_status_is_written_again():
    """Killed after the route of a rise and before the status: the rise is decided again."""
    canary = a_model_version("v2").canary(0)
    stable = a_model_version("v1").serving_since()
    ahead = routes_of(a_route((canary, 50, "candidate"), (stable, 50, "stable")))
    result = decided(a_snapshot(a_model(), stable, canary, routes=ahead, seconds=5))
    assert result.weights == {"v2": 10, "v1": 90}

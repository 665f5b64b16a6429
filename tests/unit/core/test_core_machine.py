"""Random observation sequences against the core: what must hold whatever happens.

The rules are what people, platforms, gateways and the evidence may do at any time; after each, a
pass of the control loop, and the invariants of the design's rollout rules.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from builders import a_model, a_model_version, judged, unreadable
from hypothesis import HealthCheck, settings
from hypothesis import Phase as HypothesisPhase
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from lifecycle_world import World

from slipway_contracts.conditions import TERMINAL_PHASES, Phase
from slipway_contracts.model import ModelStatus
from slipway_contracts.model_version import ModelVersionStatus, RolloutStatus
from slipway_operator.core.decide import decide, fed_back
from slipway_operator.core.decision import Decision
from slipway_operator.core.draft import Draft
from slipway_operator.core.evidence import read_evidence
from slipway_operator.core.snapshot import BackendState, RunState, Snapshot
from slipway_verdicts.judge import Verdict

NAMES = ("v1", "v2", "v3")
DESIRED = ("Active", "Active", "Active", "Paused", "Aborted", "Retired")
STATES = tuple(BackendState)


class Lifecycle(RuleBasedStateMachine):
    """One Model, three versions, and a world that does what it likes."""

    @initialize(
        shadow=st.booleans(),
        auto_promote=st.booleans(),
        undecided=st.sampled_from(["Abort", "Promote", "Hold"]),
        recreate=st.sampled_from([False, False, True]),
        on_the_way=st.sampled_from([True, True, False]),
    )
    def begin(self, shadow, auto_promote, undecided, recreate, on_the_way):
        self.model = a_model().rollout(
            autoPromote=auto_promote,
            maxDuration="10m",
            postPromotionWatch="60s",
            analysis={"onUndecided": undecided, "errorBudget": 2},
            **({"shadow": {"minDuration": "10s", "minRequests": 5}} if shadow else {}),
        )
        if recreate:
            self.model = self.model.with_spec(serving={"mode": "Recreate"})
        self.world = World(model=self.model.build())
        self.nonce = 0
        self.error_tick = 0
        self.condemned: dict[tuple[str, str], int] = {}
        self.versions = {name: a_model_version(name) for name in NAMES}
        self.apply("v1")
        for _ in range(4):
            self.step(1)
        if on_the_way:
            self.step(70)
            self.apply("v2")
            for _ in range(4):
                self.step(1)

    # people

    def apply(self, name):
        self.world.apply(self.versions[name])

    @rule(name=st.sampled_from(NAMES))
    def person_applies(self, name):
        self.apply(name)
        self.step(1)

    @rule(name=st.sampled_from(NAMES), state=st.sampled_from(DESIRED))
    def person_wants(self, name, state):
        if name in self.world.versions:
            self.versions[name] = self.versions[name].desired(state)
            self.apply(name)
        self.step(1)

    @rule(name=st.sampled_from(NAMES))
    def person_retries(self, name):
        if name in self.world.versions:
            self.nonce += 1
            self.versions[name] = self.versions[name].retry(str(self.nonce)).desired("Active")
            self.apply(name)
        self.step(1)

    @rule(name=st.sampled_from(NAMES))
    def person_approves(self, name):
        if name in self.world.versions:
            self.versions[name] = self.versions[name].approved()
            self.apply(name)
        self.step(1)

    @rule(name=st.sampled_from([None, None, *NAMES]))
    def person_pins(self, name):
        self.model = self.model.pinned(name)
        self.world.apply_model(self.model)
        self.step(1)

    @rule(split=st.sampled_from([None, None, None, {"v1": 50, "v2": 50}, {"v2": 100}]))
    def person_splits(self, split):
        self.model = self.model.with_spec(traffic=[])
        if split:
            self.model = self.model.split(**split)
        self.world.apply_model(self.model)
        self.step(1)

    @rule(steps=st.sampled_from([(10, 50), (5, 20, 80), (30,), ()]))
    def person_edits_steps(self, steps):
        self.model = self.model.rollout(steps=[{"weight": weight} for weight in steps])
        self.world.apply_model(self.model)
        self.step(1)

    @rule(
        name=st.sampled_from(NAMES),
        drastic=st.sampled_from(["delete", "replace", "lose", "lose the Model's"]),
    )
    def something_drastic(self, name, drastic):
        version = self.world.versions.get(name)
        if version is not None and drastic == "delete":
            self.versions[name] = a_model_version(name)
            self.world.apply(self.versions[name].deleted())
        elif version is not None and drastic == "replace":
            self.nonce += 1
            self.versions[name] = self.versions[name].with_uid(f"uid-{name}-{self.nonce}")
            self.apply(name)
            self.condemned.pop((name, version.status.attempt), None)
        elif version is not None and drastic == "lose":
            # what was condemned was remembered in the status; the analysis says it again
            self.condemned.pop((name, version.status.attempt), None)
            lost = version.model_copy(update={"status": ModelVersionStatus()})
            self.world.versions[name] = lost
        elif drastic == "lose the Model's":
            self.world.model = self.world.model.model_copy(update={"status": ModelStatus()})
        self.step(1)

    # the world

    @rule(name=st.sampled_from(NAMES), state=st.sampled_from(STATES))
    def backend_becomes(self, name, state):
        self.world.states[name] = state
        self.step(1)

    @rule()
    def backends_recover(self):
        self.world.states.clear()
        self.step(1)

    @rule(alive=st.integers(0, 2), apply=st.booleans())
    def gateways_change(self, alive, apply):
        self.world.gateways, self.world.gateways_apply = alive, apply
        self.step(1)

    @rule(count=st.one_of(st.none(), st.integers(0, 3)))
    def requests_are_in_flight(self, count):
        busy = dict.fromkeys(NAMES, count) if count else {}
        self.world.in_flight = None if count is None else busy
        self.step(1)

    @rule(instant=st.booleans())
    def runs_go(self, instant):
        self.world.instant_runs = instant
        self.step(1)

    @precondition(lambda self: self.world.desired_runs)
    @rule(state=st.sampled_from([RunState.FAILED, RunState.SUCCEEDED, RunState.LOST]))
    def run_ends(self, state):
        self.world.finish(min(self.world.desired_runs), state)
        self.step(1)

    @rule(verdict=st.sampled_from(list(Verdict)), guard=st.booleans())
    def evidence_says(self, verdict, guard):
        holder = self.holder()
        guard = guard and verdict is Verdict.FAIL
        self.world.analysis = judged(verdict, version=holder, guard=guard) if holder else None
        self.step(1)
        # evidence is read anew for each pass; a step that has no samples has no verdict
        self.world.analysis = None

    @rule()
    def evidence_passes_for_a_while(self):
        for _ in range(4):
            holder = self.holder()
            self.world.analysis = judged("Pass", version=holder) if holder else None
            self.step(70)
        self.world.analysis = None

    @rule()
    def evidence_is_unreadable(self):
        self.error_tick += 1
        self.world.analysis = unreadable(self.error_tick, version=self.holder() or "")
        self.step(1)
        self.world.analysis = None

    @rule(copies=st.integers(0, 40), bad=st.integers(0, 40))
    def copies_are_answered(self, copies, bad):
        base = judged("NoData", version=self.holder() or "", requests=0)
        self.world.analysis = replace(
            base, judgement=None, shadow_requests=copies, shadow_bad=min(copies, bad)
        )
        self.step(15)
        self.world.analysis = None

    @rule(seconds=st.sampled_from([1, 15, 70, 700]))
    def time_passes(self, seconds):
        self.step(seconds)

    @rule(writes=st.integers(0, 8), twice=st.booleans())
    def controller_is_killed(self, writes, twice):
        """Between any two writes; the next pass starts from what was written."""
        for _ in range(2 if twice else 1):
            self.step(1, writes=writes)
        self.step(1)

    # one pass and what must hold

    def holder(self):
        held = [n for n, v in self.world.versions.items() if v.status.slot_taken_at is not None]
        return held[0] if held else None

    def step(self, seconds, writes=99):
        self.world.now += timedelta(seconds=seconds)
        before = self.world.snapshot()
        decision = self.world.turn(0, writes=writes)
        self.check(before, decision)

    def check(self, before: Snapshot, decision: Decision):
        check_idempotent(before, decision)
        check_route(before, decision)
        check_one_candidate(decision)
        check_backends_outlive_their_traffic(before, decision)
        check_terminal_states_stay(before, decision)
        check_rises_are_confirmed(before, decision)
        check_clocks_begin_when_applied(before, decision)
        self.check_the_condemned(before, decision)

    def check_the_condemned(self, before: Snapshot, decision: Decision):
        """A bad verdict is never followed by a higher weight."""
        draft = Draft.of(before)
        weights = weights_of(decision)
        stored = before.routes.stored
        held = {b.version: b.weight for b in stored.backends} if stored else {}
        for v in draft:
            rollout = before_status(before, v.name).rollout
            judged_now = v.holds_slot and rollout is not None and v.live
            if judged_now and read_evidence(draft, v).verdict is Verdict.FAIL:
                key = (v.name, v.status.attempt)
                self.condemned.setdefault(key, held.get(v.name, 0))
        for (name, attempt), weight in list(self.condemned.items()):
            status = decision.version_statuses.get(name)
            if status is None or status.attempt != attempt:
                del self.condemned[(name, attempt)]
            elif status.rollout is not None and status.rollout.first:
                continue  # nothing better is there: Degraded, it serves on
            else:
                assert weights.get(name, 0) <= weight, (name, weights, weight)


def before_status(before: Snapshot, name: str) -> ModelVersionStatus:
    return next(v.status for v in before.versions if v.metadata.name == name)


def weights_of(decision: Decision) -> dict[str, int]:
    backends = decision.route.backends if decision.route is not None else ()
    return {b.version: b.weight for b in backends}


def check_idempotent(before: Snapshot, decision: Decision):
    again = decide(fed_back(before, decision))
    assert again.version_statuses == decision.version_statuses
    assert again.model_status == decision.model_status
    assert again.events == ()
    assert (again.runs, again.backends) == (decision.runs, decision.backends)
    assert again.route == decision.route


def check_route(before: Snapshot, decision: Decision):
    if decision.route is None:
        return
    backends = decision.route.backends
    assert sum(b.weight for b in backends) in {0, 100}
    states = {seen.url: seen.state for seen in before.backends.values() if seen.url}
    for backend in backends:
        state = states.get(backend.url)
        unhealthy = backend.role in {"stable", "previous"} and state is BackendState.UNHEALTHY
        assert state is BackendState.READY or unhealthy, (backend, state)
    listed = {desired.name for desired in decision.backends}
    urls = {seen.url: seen.name for seen in before.backends.values()}
    assert {urls[backend.url] for backend in backends} <= listed


def check_one_candidate(decision: Decision):
    roles = [b.role for b in decision.route.backends] if decision.route else []
    assert roles.count("candidate") <= 1
    slots = [s for s in decision.version_statuses.values() if s.slot_taken_at is not None]
    assert len(slots) <= 1


def check_backends_outlive_their_traffic(before: Snapshot, decision: Decision):
    """Nothing goes while a live gateway may still send to it."""
    if before.routes.stored is None or not before.routes.live_gateways:
        return
    deleted = {v.metadata.name for v in before.versions if v.metadata.deletion_timestamp}
    weights = {b.url: b.weight for b in before.routes.stored.backends}
    listed = {desired.name for desired in decision.backends}
    for seen in before.backends.values():
        if weights.get(seen.url) and seen.version not in deleted:
            assert seen.name in listed, seen.name


def check_terminal_states_stay(before: Snapshot, decision: Decision):
    for version in before.versions:
        old, new = version.status, decision.version_statuses[version.metadata.name]
        if old.outcome is None or version.metadata.deletion_timestamp is not None:
            continue
        assert old.outcome.phase in TERMINAL_PHASES
        revived = old.outcome.phase is Phase.SUPERSEDED and new.outcome is None
        assert new.outcome == old.outcome or new.attempt != old.attempt or revived


def check_rises_are_confirmed(before: Snapshot, decision: Decision):
    """A step rises only where every live gateway had applied what was written before."""
    for version in before.versions:
        old = version.status.rollout
        new = decision.version_statuses[version.metadata.name].rollout
        if old is None or new is None or rung(new) <= rung(old):
            continue
        stable_gone = new.first and not old.first
        stored, wanted = before.routes.stored, decision.route
        written = stored and wanted and stored.backends == wanted.backends  # killed before status
        if not stable_gone and not written:
            assert before.routes.live_gateways
            assert before.routes.applied >= before.routes.revision


def check_clocks_begin_when_applied(before: Snapshot, decision: Decision):
    """A step, a shadow phase and a drain begin when every live gateway applies what is decided."""
    stored, applied = before.routes.stored, before.routes.applied >= before.routes.revision
    confirmed = (
        before.routes.live_gateways > 0
        and applied
        and (stored.backends if stored else ())
        == (decision.route.backends if decision.route else ())
    )
    for version in before.versions:
        old = version.status.rollout
        new = decision.version_statuses[version.metadata.name].rollout
        if new is None or confirmed:
            continue
        for clock in ("step_started_at", "shadow_started_at"):
            began = getattr(new, clock)
            assert began is None or (old is not None and began == getattr(old, clock)), clock


def rung(rollout: RolloutStatus) -> int:
    """The weight that the rollout stands for."""
    if rollout.promoted_at is not None:
        return 100
    return rollout.plan[rollout.step] if 0 <= rollout.step < len(rollout.plan) else 0


TestLifecycle = Lifecycle.TestCase
TestLifecycle.settings = settings(
    max_examples=40,
    stateful_step_count=30,
    deadline=None,
    derandomize=True,
    phases=[HypothesisPhase.explicit, HypothesisPhase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)

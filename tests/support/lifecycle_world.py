"""A small world for the core: applies decisions, moves a clock, and answers as platforms do.

Runs end when ``finish``ed, backends become what ``backend_states`` says (READY by default),
gateways apply routes while ``gateways`` is above zero. ``turn`` is one pass of the control loop.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial

from builders import T0, ModelBuilder, VersionBuilder, an_artifact, url_of

from slipway_contracts.evaluation import EvaluationReport, Figure, SuiteResult
from slipway_contracts.model import Model
from slipway_contracts.model_version import ModelVersion
from slipway_contracts.route import ModelRoute
from slipway_contracts.run import Progress, RunResult
from slipway_operator.core.decide import decide
from slipway_operator.core.decision import Decision, DesiredBackend, DesiredRun, EvaluateRequest
from slipway_operator.core.snapshot import (
    Analysis,
    BackendObservation,
    BackendState,
    Baseline,
    RoutesObservation,
    RunObservation,
    RunState,
    Snapshot,
)


@dataclass
class World:
    model: Model | None
    versions: dict[str, ModelVersion] = field(default_factory=dict)
    now: datetime = T0
    runs: dict[str, RunObservation] = field(default_factory=dict)
    desired_runs: dict[str, DesiredRun] = field(default_factory=dict)
    backends: dict[str, DesiredBackend] = field(default_factory=dict)
    states: dict[str, BackendState] = field(default_factory=dict)
    replicas: dict[str, int] = field(default_factory=dict)
    route: ModelRoute | None = None
    revision: int = 0
    applied: int = 0
    gateways: int = 1
    gateways_apply: bool = True
    instant_runs: bool = True
    analysis: Analysis | None = None
    baseline: Baseline = field(default_factory=Baseline)
    in_flight: dict[str, int] | None = field(default_factory=dict)
    terminating: bool = False
    losses: dict[str, float] = field(default_factory=dict)
    events: list = field(default_factory=list)
    history: list[Decision] = field(default_factory=list)

    # people

    def apply(self, version: VersionBuilder) -> None:
        """``kubectl apply``: the spec changes, the status stays."""
        built = version.build()
        old = self.versions.get(version.name)
        if old is not None and old.metadata.uid == built.metadata.uid:
            built = built.model_copy(update={"status": old.status})
        self.versions[version.name] = built

    def apply_model(self, model: ModelBuilder) -> None:
        built = model.build()
        if self.model is not None:
            built = built.model_copy(update={"status": self.model.status})
        self.model = built

    # the loop

    def snapshot(self) -> Snapshot:
        return Snapshot(
            now=self.now,
            model=self.model,
            versions=tuple(self.versions.values()),
            runs=dict(self.runs),
            backends={name: self._seen(name) for name in self.backends},
            routes=RoutesObservation(
                revision=self.revision,
                applied=self.applied if self.gateways else 0,
                live_gateways=self.gateways,
                stored=self.route,
            ),
            baseline=self.baseline,
            analysis=self.analysis,
            in_flight=self.in_flight,
            namespace_terminating=self.terminating,
        )

    def turn(self, seconds: float = 1.0, *, writes: int = 99) -> Decision:
        """One pass. ``writes``: the controller is killed after so many writes."""
        decision = decide(self.snapshot())
        self._apply(decision, writes)
        self.now += timedelta(seconds=seconds)
        return decision

    def turns(self, count: int, seconds: float = 1.0) -> Decision:
        for _ in range(count):
            decision = self.turn(seconds)
        return decision

    def until(self, predicate, *, limit: int = 2000, seconds: float = 1.0) -> Decision:
        for _ in range(limit):
            decision = self.turn(seconds)
            if predicate(self):
                return decision
        raise AssertionError(f"not within {limit} turns; phases {self.phases}")

    def _apply(self, decision: Decision, writes: int) -> None:
        """In the order of ``reconcile``: runs, backends, route, statuses, events, finalizers."""
        self.history.append(decision)
        todo = [self._write_runs, self._write_backends, self._write_route]
        todo += [partial(self._write_version, name=name) for name in decision.version_statuses]
        todo += [self._write_model, self._write_events, self._write_releases]
        for write in todo[:writes]:
            write(decision)
        if self.gateways and self.gateways_apply:
            self.applied = self.revision

    def _write_runs(self, decision: Decision) -> None:
        self.desired_runs = {run.name: run for run in decision.runs}
        for run in decision.runs:
            self.runs.setdefault(run.name, RunObservation(name=run.name, state=RunState.RUNNING))
            if self.instant_runs and self.runs[run.name].state is RunState.RUNNING:
                self.finish(run.name)

    def _write_backends(self, decision: Decision) -> None:
        self.backends = {backend.name: backend for backend in decision.backends}

    def _write_route(self, decision: Decision) -> None:
        if decision.route is None:
            self.route = None
        elif self.route is None or decision.route.digest() != self.route.digest():
            self.revision += 1
            self.route = decision.route.model_copy(update={"revision": self.revision})

    def _write_version(self, decision: Decision, *, name: str) -> None:
        update = {"status": decision.version_statuses[name]}
        version = self.versions[name].model_copy(update=update)
        # through the wire, as a real store keeps it
        self.versions[name] = ModelVersion.model_validate(version.wire())

    def _write_model(self, decision: Decision) -> None:
        if self.model is not None and decision.model_status is not None:
            model = self.model.model_copy(update={"status": decision.model_status})
            self.model = Model.model_validate(model.wire())

    def _write_events(self, decision: Decision) -> None:
        self.events += decision.events

    def _write_releases(self, decision: Decision) -> None:
        for name in decision.release_versions:
            if self.versions[name].metadata.deletion_timestamp is not None:
                del self.versions[name]
        if decision.release_model:
            self.model = None

    def _seen(self, name: str) -> BackendObservation:
        desired = self.backends[name]
        state = self.states.get(desired.version, BackendState.READY)
        answers = state in {BackendState.READY, BackendState.UNHEALTHY}
        ready = self.replicas.get(desired.version, desired.replicas)
        return BackendObservation(
            name=name,
            state=state,
            url=url_of(name) if answers else "",
            ready_replicas=ready if state is BackendState.READY else 0,
            version=desired.version,
            artifact=desired.artifact,
            serving=desired.serving,
        )

    # platforms

    def finish(self, name: str, state: RunState = RunState.SUCCEEDED, **changes) -> None:
        run = self.desired_runs[name]
        result = RunResult(artifact=an_artifact(run.version))
        if isinstance(run.request, EvaluateRequest):
            result = RunResult(report=self._report(run.version, run.request))
        self.runs[name] = replace(
            self.runs[name],
            state=state,
            result=result if state is RunState.SUCCEEDED else None,
            progress=Progress(at=0, step=5, max_steps=10, loss=2.0),
            **changes,
        )

    def _report(self, version: str, request: EvaluateRequest) -> EvaluationReport:
        def figures(of: str) -> dict[str, Figure]:
            return {
                "loss": Figure(value=self.losses.get(of, 1.0), samples=64),
                "success": Figure(value=1.0, samples=8),
            }

        return EvaluationReport(
            version=version,
            baseline=request.baseline_version,
            suites=tuple(
                SuiteResult(
                    suite=suite.name,
                    kind=suite.kind,
                    candidate=figures(version),
                    baseline=figures(request.baseline_version) if request.baseline_version else {},
                )
                for suite in request.suites
            ),
        )

    # questions

    @property
    def phases(self) -> dict[str, str]:
        return {name: v.status.phase.value for name, v in self.versions.items()}

    @property
    def weights(self) -> dict[str, int]:
        entries = self.route.backends if self.route is not None else ()
        return {entry.version: entry.weight for entry in entries}

    def condition(self, name: str, kind: str):
        found = [c for c in self.versions[name].status.conditions if c.type == kind]
        return found[0] if found else None

    def reason(self, name: str, kind: str) -> str | None:
        found = self.condition(name, kind)
        return found.reason.value if found else None

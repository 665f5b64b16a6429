"""Builders of resources and observations for tests: ``a_model().…``, ``a_model_version().…``.

Immutable: each call gives a changed copy. ``build()`` ends the sentence. They make statuses as the
core writes them, so that a table can start in the middle of a life.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from slipway_contracts.artifact import ArtifactRef, Lineage
from slipway_contracts.conditions import (
    Condition,
    ConditionStatus,
    ConditionType,
    Phase,
    Reason,
)
from slipway_contracts.evaluation import EvaluationReport
from slipway_contracts.model import Model
from slipway_contracts.model_version import (
    ModelVersion,
    ModelVersionSpec,
    ModelVersionStatus,
    Outcome,
    RolloutStatus,
    SlowThresholds,
    StepSummary,
)
from slipway_contracts.names import attempt_id, child_name
from slipway_contracts.rollout import Rollout
from slipway_contracts.route import BackendRoute, ModelRoute
from slipway_contracts.run import RunResult
from slipway_contracts.serving import Serving
from slipway_operator.core.draft import Draft
from slipway_operator.core.effective import rollout_digest
from slipway_operator.core.snapshot import (
    Analysis,
    BackendObservation,
    BackendState,
    RoutesObservation,
    RunObservation,
    RunState,
    Snapshot,
)
from slipway_operator.core.traffic import route_for
from slipway_verdicts.judge import Judgement, MetricJudgement, Verdict

T0 = datetime(2026, 1, 1, 12, tzinfo=UTC)
PLAN = (10, 50)


def at(seconds: float) -> datetime:
    """Seconds after the story's beginning."""
    return T0 + timedelta(seconds=seconds)


def an_artifact(name: str) -> ArtifactRef:
    digit = f"{sum(name.encode()):x}"[-1]
    return ArtifactRef(uri=f"file:///artifacts/{name}", digest="sha256:" + digit * 64)


STEPS = {"steps": [{"weight": w, "minDuration": "60s"} for w in PLAN]}


@dataclass(frozen=True)
class ModelBuilder:
    name: str = "chat"
    spec: dict = field(default_factory=lambda: {"rollout": STEPS})
    meta: dict = field(default_factory=dict)
    status: dict = field(default_factory=dict)

    def with_spec(self, **spec) -> ModelBuilder:
        return replace(self, spec={**self.spec, **spec})

    def rollout(self, **changes) -> ModelBuilder:
        return self.with_spec(rollout={**self.spec.get("rollout", {}), **changes})

    def pinned(self, version: str | None) -> ModelBuilder:
        return self.with_spec(pinnedVersion=version)

    def split(self, **shares: int) -> ModelBuilder:
        traffic = [{"version": name, "weight": weight} for name, weight in shares.items()]
        return self.with_spec(traffic=traffic)

    def deleted(self) -> ModelBuilder:
        return replace(self, meta={**self.meta, "deletionTimestamp": T0.isoformat()})

    def build(self) -> Model:
        return Model.model_validate(
            {
                "metadata": {"name": self.name, "uid": f"uid-{self.name}", **self.meta},
                "spec": self.spec,
                "status": self.status,
            }
        )


def a_model(name: str = "chat") -> ModelBuilder:
    return ModelBuilder(name=name)


@dataclass(frozen=True)
class VersionBuilder:
    name: str = "v1"
    spec: dict = field(default_factory=lambda: {"source": {"random": {}}})
    meta: dict = field(default_factory=dict)
    status: ModelVersionStatus = field(default_factory=ModelVersionStatus)

    @property
    def uid(self) -> str:
        return self.meta.get("uid", f"uid-{self.name}")

    def with_spec(self, **spec) -> VersionBuilder:
        return replace(self, spec={**self.spec, **spec})

    def source(self, **source) -> VersionBuilder:
        return self.with_spec(source=source)

    def trained(self, **training) -> VersionBuilder:
        return self.source(training={"data": {"sources": ["bundled:jargon"]}, **training})

    def desired(self, state: str) -> VersionBuilder:
        return self.with_spec(desiredState=state)

    def approved(self) -> VersionBuilder:
        return self.with_spec(approval={"granted": True})

    def retry(self, nonce: str) -> VersionBuilder:
        return self.with_spec(retry={"id": nonce})

    def rollout(self, **rollout) -> VersionBuilder:
        return self.with_spec(rollout=rollout)

    def evaluation(self, **evaluation) -> VersionBuilder:
        return self.with_spec(evaluation=evaluation)

    def serving(self, **serving) -> VersionBuilder:
        return self.with_spec(serving=serving)

    def created(self, seconds: float) -> VersionBuilder:
        return replace(self, meta={**self.meta, "creationTimestamp": at(seconds).isoformat()})

    def with_uid(self, uid: str) -> VersionBuilder:
        return replace(self, meta={**self.meta, "uid": uid})

    def deleted(self) -> VersionBuilder:
        return replace(self, meta={**self.meta, "deletionTimestamp": T0.isoformat()})

    def with_status(self, **changes) -> VersionBuilder:
        return replace(self, status=self.status.model_copy(update=changes))

    def with_rollout(self, **changes) -> VersionBuilder:
        rollout = (self.status.rollout or RolloutStatus()).model_copy(update=changes)
        return self.with_status(rollout=rollout)

    def accepted(self) -> VersionBuilder:
        attempt = attempt_id(self.spec.get("retry", {}).get("id", ""))
        return self.with_status(
            attempt=attempt,
            attempt_number=1,
            backend=child_name(self.name, self.uid, attempt),
            serving=Serving().overridden_by(
                Serving.model_validate(self.spec["serving"]) if "serving" in self.spec else None
            ),
        )

    def with_artifact(self) -> VersionBuilder:
        return self.accepted().with_status(artifact=an_artifact(self.name))

    def with_slot(self, seconds: float = 0) -> VersionBuilder:
        return self.with_artifact().with_status(slot_taken_at=at(seconds))

    def _rollout(self, **changes) -> VersionBuilder:
        rules = Rollout.model_validate(STEPS).overridden_by(
            Rollout.model_validate(self.spec["rollout"]) if "rollout" in self.spec else None
        )
        return self.with_rollout(
            plan=PLAN,
            started_at=T0,
            spec_digest=rollout_digest(rules),
            thresholds=SlowThresholds(ttft_ms=2000, token_ms=250),
            **changes,
        )

    def shadowing(self, since: float | None = 0) -> VersionBuilder:
        started = at(since) if since is not None else None
        return self.with_slot()._rollout(step=-1, shadow_started_at=started)

    def canary(self, step: int = 0, since: float | None = 0) -> VersionBuilder:
        """On ``step`` of the plan, confirmed at ``since``; None: not confirmed yet."""
        started = at(since) if since is not None else None
        return self.with_slot()._rollout(
            step=step,
            step_started_at=started,
            steps=tuple(
                StepSummary(
                    step=index,
                    weight=weight,
                    started_at=started or T0,
                    ended_at=None if index == step else started,
                    verdict="" if index == step else "Pass",
                )
                for index, weight in enumerate(PLAN)
                if index < step or (index == step and started is not None)
            ),
        )

    def serving_since(self, seconds: float = -1000) -> VersionBuilder:
        """Promoted, its own watch over."""
        return self.with_artifact()._rollout(
            step=len(PLAN), promoted_at=at(seconds), step_started_at=at(seconds)
        )

    def watched(self, since: float | None = 0, *, first: bool = False) -> VersionBuilder:
        """Promoted, its watch confirmed at ``since``."""
        started = at(since) if since is not None else None
        summary = StepSummary(step=len(PLAN), weight=95, started_at=started or T0)
        return self.with_slot()._rollout(
            step=len(PLAN),
            promoted_at=at(since or 0),
            step_started_at=started,
            first=first,
            steps=(summary,) if started is not None else (),
        )

    def leaving(self, phase: Phase = Phase.ROLLED_BACK, since: float = 0) -> VersionBuilder:
        reason = {
            Phase.ROLLED_BACK: Reason.ANALYSIS_FAILED,
            Phase.SUPERSEDED: Reason.SUPERSEDED,
        }.get(phase, Reason.RETIRED)
        return self.with_status(ending=Outcome(phase=phase, reason=reason, at=at(since)))

    def ended(self, phase: Phase, reason: Reason, seconds: float = 0) -> VersionBuilder:
        outcome = Outcome(phase=phase, reason=reason, at=at(seconds))
        return self.with_status(ending=outcome, outcome=outcome, slot_taken_at=None)

    def saying(self, kind: ConditionType, status: str, reason: Reason) -> VersionBuilder:
        condition = Condition(
            type=kind,
            status=ConditionStatus(status),
            reason=reason,
            last_transition_time=T0,
        )
        return self.with_status(conditions=(*self.status.conditions, condition))

    def build(self) -> ModelVersion:
        return ModelVersion(
            metadata={
                "name": self.name,
                "uid": self.uid,
                "creationTimestamp": T0.isoformat(),
                **self.meta,
            },
            spec=ModelVersionSpec.model_validate({"model": "chat", **self.spec}),
            status=self.status,
        )


def a_model_version(name: str = "v1") -> VersionBuilder:
    return VersionBuilder(name=name)


def backend_of(
    version: VersionBuilder | ModelVersion,
    state: BackendState | str = BackendState.READY,
    *,
    replicas: int = 1,
    reason: Reason | None = None,
    message: str = "",
    remembers: bool = False,
) -> BackendObservation:
    """The backend of a version as a platform sees it."""
    built = version if isinstance(version, ModelVersion) else version.build()
    meta, status = built.metadata, built.status
    attempt = status.attempt or attempt_id(built.spec.retry.id)
    name = status.backend or child_name(meta.name, meta.uid, attempt)
    state = BackendState(state)
    answers = state in {BackendState.READY, BackendState.UNHEALTHY}
    return BackendObservation(
        name=name,
        state=state,
        url=url_of(name) if answers else "",
        ready_replicas=replicas if state is BackendState.READY else 0,
        reason=reason,
        message=message,
        version=meta.name if remembers else "",
        artifact=an_artifact(meta.name) if remembers else None,
        serving=Serving() if remembers else None,
    )


def url_of(backend: str) -> str:
    return f"http://127.0.0.1:8100/{backend}"


def judged(
    verdict: Verdict | str,
    *,
    version: str = "",
    guard: bool = False,
    needed: int | None = None,
    requests: int = 40,
    error_tick: int = 0,
) -> Analysis:
    """Evidence with that verdict."""
    metric = MetricJudgement(
        metric="error", verdict=Verdict(verdict), candidate_n=requests, candidate_bad=1
    )
    return Analysis(
        version=version,
        judgement=Judgement(
            verdict=Verdict(verdict),
            guard=guard,
            metrics=(metric,) if requests else (),
            requests_needed=needed,
            message=f"judged {verdict}",
        ),
        error_tick=error_tick,
    )


def unreadable(tick: int, *, version: str = "") -> Analysis:
    return Analysis(version=version, error="request_logs: connection refused", error_tick=tick)


def routes_of(
    route: ModelRoute | None, *, revision: int = 7, applied: int | None = None, gateways: int = 1
) -> RoutesObservation:
    """A stored route; confirmed by every gateway unless ``applied`` says otherwise."""
    return RoutesObservation(
        revision=revision,
        applied=revision if applied is None else applied,
        live_gateways=gateways,
        body_digest=route.digest() if route is not None else "",
        stored=route,
    )


def a_route(*backends: tuple[VersionBuilder, int, str], salt: str = "uid-chat") -> ModelRoute:
    return ModelRoute(
        model="chat",
        salt=salt,
        backends=tuple(
            BackendRoute(version=v.name, weight=w, url=backend_of(v).url, role=role)
            for v, w, role in backends
        ),
    )


def a_snapshot(
    model: ModelBuilder | Model | None,
    *versions: VersionBuilder,
    seconds: float = 0,
    backends: tuple[BackendObservation, ...] | None = None,
    runs: tuple[RunObservation, ...] = (),
    routes: RoutesObservation | None = None,
    **changes,
) -> Snapshot:
    """One moment. By default every version that should run is READY and every gateway applies
    exactly what the statuses ask for, so that a test names only what is different."""
    built = model.build() if isinstance(model, ModelBuilder) else model
    objects = tuple(version.build() for version in versions)
    if backends is None:
        backends = tuple(backend_of(v) for v in objects if v.status.rollout is not None)
    snapshot = Snapshot(
        now=at(seconds),
        model=built,
        versions=objects,
        runs={run.name: run for run in runs},
        backends={backend.name: backend for backend in backends},
        routes=routes or RoutesObservation(live_gateways=1),
        in_flight=changes.pop("in_flight", {}),
        **changes,
    )
    if routes is None:
        snapshot = replace(snapshot, routes=routes_of(route_for(Draft.of(snapshot))))
    return snapshot


def a_run(
    version: VersionBuilder,
    kind: str,
    state: RunState | str = RunState.SUCCEEDED,
    *,
    report: EvaluationReport | None = None,
    artifact: bool = True,
    **changes,
) -> RunObservation:
    """A run of that version, by the suffix of its name."""
    status = version.accepted().status
    result = None
    if RunState(state) is RunState.SUCCEEDED:
        made = an_artifact(version.name) if artifact and report is None else None
        result = RunResult(artifact=made, report=report, lineage=Lineage(dataset_digest="d"))
    return RunObservation(
        name=child_name(version.name, version.uid, status.attempt, kind),
        state=RunState(state),
        result=changes.pop("result", result),
        **changes,
    )

"""The two promises about each Model, and the recorded series that say how well they are kept.

Availability: the share of attempts that an engine answers; a call that the gateway turns away for
want of a place counts as bad, a prompt that the version refuses does not. First token: the share of
streams whose first byte comes in time; "in time" is one of the histogram's buckets (``le``).

Targets are recorded series, so that a laptop and a chart use the same rules: the file
``targets.yaml`` holds nothing else, and the chart writes its own from ``monitoring.slos``. A target
with a ``model`` goes over the one without.
"""

from __future__ import annotations

from dataclasses import dataclass

from slipway_rules.kinds import Group, RecordedSeries

TARGET = "slipway:slo_target:ratio"
OBJECTIVE = "slipway:slo_objective:ratio"
BUDGET = "slipway:slo_budget:ratio"
RAW_WINDOWS = ("5m", "30m", "1h", "2h", "6h")
LONG_WINDOWS = ("1d", "3d")
_BY = "by (namespace, model)"


@dataclass(frozen=True, slots=True, kw_only=True)
class SLO:
    """One promise. ``bad`` and ``every`` are rates of events, with ``{w}`` for the window."""

    name: str
    title: str
    bad: str
    every: str
    models: str
    """A vector that has one series a Model."""
    target: float
    """Share of good events on a laptop; a chart's is in ``monitoring.slos``."""
    le: str = ""
    """The bucket that is in time, as the histogram spells it."""


AVAILABILITY = SLO(
    name="availability",
    title="answers",
    bad=f"""sum {_BY} (
  rate(inference_requests_total{{outcome="error"}}[{{w}}])
  or
  rate(slipway_queue_refused_total[{{w}}])
)""",
    every=f"""sum {_BY} (
  rate(inference_requests_total{{outcome=~"ok|error|refused"}}[{{w}}])
  or
  rate(slipway_queue_refused_total[{{w}}])
)""",
    models="group by (model) (inference_requests_total)",
    target=0.99,
)
# Ten seconds: on a laptop engines share two cores with a training.
TTFT = SLO(
    name="ttft",
    title="first tokens in time",
    bad=f"""sum {_BY} (rate(slipway_time_to_first_token_seconds_count[{{w}}]))
-
sum {_BY} (
  rate(slipway_time_to_first_token_seconds_bucket[{{w}}])
  and on (model, le)
  {OBJECTIVE}{{slo="ttft"}}
)""",
    every=f"sum {_BY} (rate(slipway_time_to_first_token_seconds_count[{{w}}]))",
    models="group by (model) (slipway_time_to_first_token_seconds_count)",
    target=0.95,
    le="10.0",
)
SLOS = (AVAILABILITY, TTFT)


def targets() -> Group:
    """The file that a chart writes for itself."""
    return Group(name="slipway-slo-targets", rules=tuple(_target(slo) for slo in SLOS))


def recorded() -> tuple[Group, ...]:
    """A group a promise: they do not wait for one another."""
    return tuple(
        Group(name=f"slipway-slo-{slo.name}", rules=(*_objective(slo), *_rates(slo)))
        for slo in SLOS
    )


def _target(slo: SLO) -> RecordedSeries:
    le = (("le", slo.le),) if slo.le else ()
    return RecordedSeries(
        record=TARGET,
        expr=f"vector({slo.target})",
        help="Share of good events that is promised; without a model: to all of them.",
        of=("slo", "model", "le"),
        labels=(("slo", slo.name), *le),
    )


def _objective(slo: SLO) -> tuple[RecordedSeries, ...]:
    keep = "le" if slo.le else ""
    named = (("slo", slo.name),)
    return (
        RecordedSeries(
            record=OBJECTIVE,
            expr=f"""{TARGET}{{slo="{slo.name}",model!=""}}
or on (model)
{slo.models}
* on () group_left ({keep})
{TARGET}{{slo="{slo.name}",model=""}}""",
            help="The target that holds for a Model: its own, else the general one.",
            of=("slo", "model", *((keep,) if keep else ())),
            labels=named,
        ),
        RecordedSeries(
            record=BUDGET,
            expr=f'max by (model) (1 - {OBJECTIVE}{{slo="{slo.name}"}})',
            help="Share of bad events that the target allows.",
            of=("slo", "model"),
            labels=named,
        ),
    )


def _rates(slo: SLO) -> tuple[RecordedSeries, ...]:
    named = (("slo", slo.name),)
    chosen = f'{{slo="{slo.name}"}}'
    rules: list[RecordedSeries] = []

    def record(what: str, expr: str, says: str) -> None:
        series = RecordedSeries(
            record=f"slipway:{what}", expr=expr, help=says, of=("slo", "model"), labels=named
        )
        rules.append(series)

    for window in RAW_WINDOWS:
        record(f"slo_events:rate{window}", slo.every.replace("{w}", window), "Events a second.")
        record(f"slo_errors:rate{window}", slo.bad.replace("{w}", window), "Bad events a second.")
        record(
            f"slo_errors:ratio_rate{window}",
            f"slipway:slo_errors:rate{window}{chosen}\n/\n"
            f"(slipway:slo_events:rate{window}{chosen} > 0)",
            "Share of bad events; no series where there were none at all.",
        )
    for window in LONG_WINDOWS:
        record(
            f"slo_errors:ratio_rate{window}",
            f"sum_over_time(slipway:slo_errors:rate5m{chosen}[{window}])\n/\n"
            f"(sum_over_time(slipway:slo_events:rate5m{chosen}[{window}]) > 0)",
            "Share of bad events; no series where there were none at all.",
        )
    record(
        "slo_budget_spent:ratio3d",
        f"slipway:slo_errors:ratio_rate3d{chosen}\n/ on (slo, model) group_left ()\n"
        f"{BUDGET}{chosen}",
        "How many times three days' budget three days have spent: above 1, the promise is broken.",
    )
    return tuple(rules)

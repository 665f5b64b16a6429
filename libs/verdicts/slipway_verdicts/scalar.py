"""One scalar measurement (a gauge, a query's answer) against a bound.

Such a value has no sample size, so it can hold or fail a rollout and never pass a step alone:
``judge`` lets a Pass of it through and counts it for nothing. What is not one finite number is
never Pass: an empty answer or NaN is NoData (a query over no traffic divides 0 by 0), ±Inf and
anything that is not a number is Error, and so are several series, since picking one of them would
judge something that nobody asked about.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from slipway_verdicts.errors import PlanError
from slipway_verdicts.judgement import MetricJudgement, Verdict


def judge_scalar(
    metric: str,
    values: Sequence[object],
    *,
    minimum: float | None = None,
    maximum: float | None = None,
) -> MetricJudgement:
    """``values``: one a series that the query returned. Raises PlanError without any bound."""
    if minimum is None and maximum is None:
        raise PlanError(f"{metric}: a scalar needs a bound; set minimum or maximum")
    verdict, message = _judged(values, minimum=minimum, maximum=maximum)
    return MetricJudgement(metric=metric, verdict=verdict, message=f"{metric}: {message}.")


def _judged(
    values: Sequence[object], *, minimum: float | None, maximum: float | None
) -> tuple[Verdict, str]:
    if not values:
        return Verdict.NO_DATA, "the query returned nothing"
    if len(values) > 1:
        return (
            Verdict.ERROR,
            f"ambiguous, the query returned {len(values)} series; aggregate to one",
        )
    value = values[0]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return Verdict.ERROR, f"the query returned {value!r}, which is not a number"
    if math.isnan(value):
        return Verdict.NO_DATA, "the query returned NaN"
    if math.isinf(value):
        return Verdict.ERROR, f"the query returned {value}, which no bound can be held against"
    if maximum is not None and value > maximum:
        return Verdict.FAIL, f"{value:g} is above {maximum:g}"
    if minimum is not None and value < minimum:
        return Verdict.FAIL, f"{value:g} is below {minimum:g}"
    return Verdict.PASS, f"{value:g} is within its bound"

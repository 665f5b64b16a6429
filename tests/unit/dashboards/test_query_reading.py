"""The reader finds what Prometheus would only answer with nothing."""

import pytest

from slipway_dashboards.filling import filled
from slipway_dashboards.promql import recorded
from slipway_dashboards.reading import alert_labels, legend_labels, read
from slipway_dashboards.vocabulary import vocabulary

KNOWN = vocabulary()

RIGHT = {
    "a counter": "sum by (model) (rate(inference_requests_total[5m]))",
    "a variable": 'inference_requests_total{model=~"$model",outcome="ok"}',
    "a bucket": 'slipway_time_to_first_token_seconds_bucket{le="0.25"}',
    "a quantile": "histogram_quantile(0.5, sum by (le, model) "
    "(rate(inference_latency_seconds_bucket[5m])))",
    "a mean": "rate(inference_latency_seconds_sum[5m]) / rate(inference_latency_seconds_count[5m])",
    "no value of a kind": 'inference_requests_total{outcome!~"ok|error"}',
    "a regex over values": 'slipway_version_phase{phase=~"Rolling.*"}',
    "others' metric": 'sum by (version) (ray_vllm_num_requests_running{model=~"a"})',
    "an added label": 'label_replace(slipway_cache_bytes, "who", "$1", "instance", "(.*)")',
    "a scalar on the left": "1 - slipway_candidates_fenced",
    "a label brought over": "slipway_rollout_step * on (model) group_left (task) "
    "slipway_model_info",
    "a scrape's label": 'up{job="slipway-gateway"}',
}
WRONG = {
    "a name nobody has": ("sum(slipway_request_total)", "nobody emits"),
    "a histogram bare": ("inference_latency_seconds", "nobody emits"),
    "a bucket of a counter": ("inference_requests_total_bucket", "nobody emits"),
    "a label it has not": ('slipway_tokens_total{tenant="a"}', "no label tenant"),
    "a value it never has": ('inference_requests_total{outcome="success"}', "never has"),
    "one dead value of two": ('inference_requests_total{outcome=~"ok|failed"}', "'failed'"),
    "a bucket it has not": ('inference_latency_seconds_bucket{le="0.3"}', "'0.3'"),
    "a bucket misspelt": ('inference_latency_seconds_bucket{le="10"}', "'10'"),
    "a grouping it has not": ("sum by (tenant) (slipway_tokens_total)", "groups by tenant"),
    "a grouping that is gone": ("sum by (version) (sum by (model) (slipway_tokens_total))", "gone"),
    "a quantile without le": (
        "histogram_quantile(0.5, sum by (model) (rate(inference_latency_seconds_bucket[5m])))",
        "without le",
    ),
    "a match that neither has": (
        "slipway_cache_bytes / on (tenant) slipway_log_pending_rows",
        "matches on tenant",
    ),
    "nonsense": ("sum by (model", "does not parse"),
}
MEANT = {"gone": "groups by version"}


@pytest.mark.parametrize("expr", RIGHT.values(), ids=RIGHT.keys())
def test_what_is_right_passes(expr):
    assert read(expr, KNOWN).mistakes == []


@pytest.mark.parametrize(("expr", "says"), WRONG.values(), ids=WRONG.keys())
def test_a_mistake_is_named(expr, says):
    mistakes = read(expr, KNOWN).mistakes
    assert MEANT.get(says, says) in " ".join(mistakes)


@pytest.mark.parametrize(
    ("expr", "labels"),
    [
        ("sum(slipway_cache_bytes)", set()),
        ("sum by (model) (slipway_tokens_total)", {"model"}),
        ("topk(3, sum by (tenant) (slipway_tenant_tokens_total))", {"tenant"}),
        (
            "sum by (model) (slipway_tokens_total) > 0 "
            "or sum by (tenant) (slipway_tenant_tokens_total)",
            {"model", "tenant"},
        ),
        ("sum by (model) (slipway_tokens_total) and up", {"model"}),
        ("2 * sum by (model) (slipway_tokens_total)", {"model"}),
        ("vector(1)", set()),
    ],
)
def test_the_labels_of_a_result_are_followed(expr, labels):
    assert read(expr, KNOWN).labels == labels


def test_grafanas_variables_are_filled():
    asked = 'rate(a{m=~"$model"}[$__rate_interval]) + b{c="${tenant}"} + d[$__range]'
    said = 'rate(a{m=~".*"}[1m]) + b{c=".*"} + d[1h]'
    assert filled(asked, window="1m") == said


def test_labels_are_found_in_texts():
    assert legend_labels("{{model}} of {{ version }}") == {"model", "version"}
    assert alert_labels("{{ $labels.model }} has {{ $value }}") == {"model"}


def test_a_series_that_no_rule_keeps_is_refused():
    with pytest.raises(ValueError, match="no rule records"):
        recorded("slipway:nothing:sum")

"""A page of metrics against the catalogue: what should not be on it, and what is missing.

``_created`` series are not shown by processes (``only_the_catalogue``), but by bare registries.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from slipway_contracts.metrics import CATALOGUE
from slipway_contracts.metrics.kinds import OTHER, MetricName, Owner

PARTS = ("_bucket", "_count", "_sum")
MACHINE = ("process_",)


def of_owner(owner: Owner) -> dict[str, MetricName]:
    return {metric.name: metric for metric in CATALOGUE if metric.owner is owner}


def samples(text: str) -> Iterator[Sample]:
    for family in text_string_to_metric_families(text):
        yield from family.samples


def metric_of(sample: Sample, known: dict[str, MetricName]) -> MetricName | None:
    if sample.name in known:
        return known[sample.name]
    for part in PARTS:
        metric = known.get(sample.name.removesuffix(part))
        if sample.name.endswith(part) and metric is not None and metric.kind == "histogram":
            return metric
    return None


def strays(text: str, owner: Owner) -> list[str]:
    """What the catalogue does not allow: names, labels, values, and too many of them."""
    known, wrong = of_owner(owner), []
    values: dict[tuple[str, str], set[str]] = defaultdict(set)
    for sample in samples(text):
        if sample.name.startswith(MACHINE) or sample.name.endswith("_created"):
            continue
        metric = metric_of(sample, known)
        if metric is None:
            wrong.append(f"{sample.name} is not in the catalogue")
            continue
        labels = {name: value for name, value in sample.labels.items() if name != "le"}
        if set(labels) != set(metric.labels):
            wrong.append(f"{sample.name} has labels {sorted(labels)}")
        for label in metric.of:
            value = labels.get(label.name, "")
            values[metric.name, label.name].add(value)
            if label.values and value not in label.values:
                wrong.append(f"{sample.name}: {label.name} is {value!r}")
    for name, metric in known.items():
        for label in metric.of:
            count = len(values[name, label.name] - {OTHER})
            if count > (label.bound or len(label.values)):
                wrong.append(f"{name}: {label.name} has {count} values")
    return wrong


def silent(text: str, owner: Owner, *, but: Collection[str] = ()) -> list[str]:
    """Metrics of the catalogue without a sample."""
    known = of_owner(owner)
    told = {metric.name for s in samples(text) if (metric := metric_of(s, known)) is not None}
    return sorted(known.keys() - told - set(but))

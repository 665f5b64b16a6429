"""The catalogue of Prometheus metrics: every name that a process of Slipway emits, by owner.

Dashboards, alerts, ``slipway top`` and the processes all take names from here. The source systems'
names (``http_requests_total``, ``inference_requests_total``, ``inference_latency_seconds``,
``batch_jobs_total``) stay queryable.
"""

from slipway_contracts.metrics.gateway import GATEWAY
from slipway_contracts.metrics.kinds import MetricName
from slipway_contracts.metrics.lifecycle import LIFECYCLE
from slipway_contracts.metrics.operator import OPERATOR
from slipway_contracts.metrics.worker import WORKER

CATALOGUE: tuple[MetricName, ...] = (*GATEWAY, *OPERATOR, *LIFECYCLE, *WORKER)

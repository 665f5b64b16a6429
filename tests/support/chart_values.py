"""Values that people give to the chart: those that must render, and those that must be refused.

``ACCEPTED``: id → values. ``REFUSED``: id → (values, what the message must name).
"""

from __future__ import annotations

from typing import Any

Values = dict[str, Any]
DIGEST = "sha256:" + "0" * 64
MODEL = {"spec": {"default": True}, "versions": {"m-1": {"spec": {"source": {"random": {}}}}}}


def nested(path: str, value: Any) -> Values:
    """``nested("a.b", 1)`` → ``{"a": {"b": 1}}``."""
    for key in reversed(path.split(".")):
        value = {key: value}
    return value


def merged(*given: Values) -> Values:
    """Deep merge; later ones win."""
    result: Values = {}
    for values in given:
        for key, value in values.items():
            both = isinstance(value, dict) and isinstance(result.get(key), dict)
            result[key] = merged(result[key], value) if both else value
    return result


MINIO = {
    "artifacts": {
        "s3": {
            "uri": "s3://models/slipway",
            "endpoint": "http://minio.minio:9000",
            "existingSecret": "minio",
        }
    },
    "networkPolicy": {
        "objectStore": {
            "to": [
                {
                    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "minio"}},
                    "podSelector": {"matchLabels": {"app": "minio"}},
                }
            ],
            "ports": [9000],
        }
    },
}

TRACED = {
    "telemetry": {"traces": {"endpoint": "http://otel.monitoring:4318", "existingSecret": "otel"}},
    "networkPolicy": {"traces": {"to": [{"podSelector": {"matchLabels": {"app": "otel"}}}]}},
}

EVERYTHING = merged(
    MINIO,
    TRACED,
    nested("models.m", MODEL),
    nested("operator.replicas", 2),
    nested("gateway.walVolume.enabled", True),
    nested("gateway.autoscaling.enabled", True),
    nested("gateway.ingress", {"enabled": True, "hosts": ["a.example"], "tlsSecret": "tls"}),
    nested("gateway.httpRoute", {"enabled": True, "parentRefs": [{"name": "public"}]}),
    nested("networkPolicy.runsEgress.enabled", True),
    nested("networkPolicy.rayAutoscaling", True),
    nested("networkPolicy.clients", [{"namespaceSelector": {}}]),
    nested("monitoring", {"enabled": True, "labels": {"release": "prometheus"}}),
    nested("runs.huggingFace.existingSecret", "hub"),
    nested("images.pullSecrets", ["registry"]),
)

ACCEPTED: dict[str, Values] = {
    "defaults": {},
    "everything": EVERYTHING,
    "a model without versions": nested("models.m", {"spec": {}}),
    "a model with a version": nested("models.m", MODEL),
    "labelled models": nested("models.m", MODEL | {"labels": {"team": "a"}, "annotations": {}}),
    "an embedding model": nested("models.e.spec", {"task": "embedding"}),
    "a mirror": nested("images.registry", "mirror.example:5000/hub"),
    "a tag for all": nested("images.tag", "dev"),
    "one image's tag": nested("images.engine.tag", "0.1.0-cuda"),
    "a digest": nested("images.gateway.digest", DIGEST),
    "never pulled": nested("images.pullPolicy", "Never"),
    "pull secrets": nested("images.pullSecrets", ["one", "two"]),
    "another user": nested("podSecurity", {"user": 1000700000, "group": 1000700000}),
    "two operators": nested("operator.replicas", 2),
    "no operator for now": nested("operator.replicas", 0),
    "operator placed": nested(
        "operator",
        {
            "nodeSelector": {"pool": "system"},
            "tolerations": [{"key": "system", "operator": "Exists"}],
            "priorityClassName": "system-cluster-critical",
            "affinity": {"nodeAffinity": {}},
            "podLabels": {"a": "b"},
            "podAnnotations": {"c": "d"},
            "env": [{"name": "HTTPS_PROXY", "value": "http://proxy.example:3128"}],
            "serviceAccountAnnotations": {"e": "f"},
        },
    ),
    "one gateway": nested("gateway.replicas", 1),
    "no gateway for now": nested("gateway.replicas", 0),
    "log on claims": nested("gateway.walVolume", {"enabled": True, "storageClass": "fast"}),
    "autoscaled": nested("gateway.autoscaling", {"enabled": True, "maxReplicas": 20}),
    "claims and autoscaled": nested(
        "gateway", {"walVolume": {"enabled": True}, "autoscaling": {"enabled": True}}
    ),
    "gateway settings": nested(
        "gateway.settings",
        {"log_text_policy": "none", "body_limit": 1048576, "first_byte_timeout": 0.5},
    ),
    "a given first key": nested("gateway.firstKey", {"existingSecret": "mine", "key": "api.key"}),
    "no first key": nested("gateway.firstKey.enabled", False),
    "load balancer": nested("gateway.service", {"type": "LoadBalancer", "port": 80}),
    "ingress": nested("gateway.ingress", {"enabled": True, "hosts": ["llm.example"]}),
    "ingress with TLS": nested(
        "gateway.ingress",
        {
            "enabled": True,
            "className": "nginx",
            "hosts": ["a.example", "b.example"],
            "tlsSecret": "tls",
            "annotations": {"nginx.ingress.kubernetes.io/proxy-buffering": "off"},
        },
    ),
    "HTTPRoute": nested(
        "gateway.httpRoute",
        {"enabled": True, "parentRefs": [{"name": "g"}], "hostnames": ["a.example"]},
    ),
    "no spread": nested("gateway.topologySpread.enabled", False),
    "hard spread": nested("gateway.topologySpread.whenUnsatisfiable", "DoNotSchedule"),
    "no budgets": {
        "operator": {"replicas": 2, "podDisruptionBudget": {"enabled": False}},
        "gateway": {"podDisruptionBudget": {"enabled": False}},
    },
    "long streams": nested("gateway", {"drainSeconds": 30, "streamGraceSeconds": 1800}),
    "external database": nested("database.external", {"existingSecret": "pg", "key": "uri"}),
    "external database at an address": {
        "database": {"external": {"existingSecret": "pg"}},
        "networkPolicy": {"database": {"cidrs": ["10.1.2.3/32"], "port": 6432}},
    },
    "trial database on a class": nested("database.trial.storage", {"storageClass": "fast"}),
    "nothing stays": {
        "artifacts": {"keepOnUninstall": False},
        "database": {"trial": {"storage": {"keepOnUninstall": False}}},
    },
    "a given claim": nested("artifacts.existingClaim", "shared"),
    "a shared claim": nested("artifacts", {"accessMode": "ReadWriteMany", "size": "1Ti"}),
    "artifacts in MinIO": MINIO,
    "artifacts at AWS": {
        "artifacts": {"s3": {"uri": "s3://models", "existingSecret": "s3", "region": "eu-west-1"}},
        "networkPolicy": {"objectStore": {"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}},
    },
    "artifacts behind a CA of one's own": merged(
        MINIO,
        nested(
            "artifacts.s3",
            {"endpoint": "https://s3.example", "caSecret": "ca", "cacheLimit": "60Gi"},
        ),
    ),
    "imports alone read a store": merged(MINIO, nested("artifacts.s3.uri", "")),
    "a store without policies": {
        "artifacts": {"s3": {"uri": "s3://models", "existingSecret": "s3"}},
        "networkPolicy": {"enabled": False},
    },
    "traced": TRACED,
    "traced but for engines": merged(TRACED, nested("telemetry.traces.engines", False)),
    "traced with every request": merged(TRACED, nested("telemetry.traces.ratio", 1)),
    "bigger runs": nested(
        "runs",
        {
            "cpu": 4,
            "memory": "32Gi",
            "env": [{"name": "WANDB_MODE", "value": "offline"}],
            "nodeSelector": {"pool": "train"},
            "tolerations": [{"operator": "Exists"}],
            "priorityClass": "batch",
        },
    ),
    "a hub token": nested("runs.huggingFace", {"existingSecret": "hub", "key": "hf"}),
    "engines tuned": nested("engines", {"shmSize": "10Gi", "objectStoreBytes": 4_000_000_000}),
    "no policies": nested("networkPolicy.enabled", False),
    "callers named": nested(
        "networkPolicy.clients", [{"namespaceSelector": {"matchLabels": {"team": "a"}}}]
    ),
    "runs reach out": nested("networkPolicy.runsEgress", {"enabled": True, "ports": [443, 9000]}),
    "Ray scales itself": nested("networkPolicy.rayAutoscaling", True),
    "narrow API server": nested("networkPolicy.apiServer", {"cidrs": ["10.0.0.1/32"]}),
    "monitored": nested("monitoring", {"enabled": True, "interval": "30s"}),
    "monitored but for engines": nested("monitoring", {"enabled": True, "engines": False}),
    "every exporter": nested(
        "monitoring",
        {
            "enabled": True,
            "exporters": {
                name: {"enabled": True} for name in ("postgres", "qdrant", "node", "dcgm")
            },
        },
    ),
    "neither rules nor dashboards": nested(
        "monitoring", {"enabled": True, "rules": False, "dashboards": {"enabled": False}}
    ),
    "many to a core": nested("cpuOvercommit", 2.5),
    "another domain": nested("clusterDomain", "k8s.example"),
    "from a parent chart": nested("global.anything", {"a": 1}),
}

REFUSED: dict[str, tuple[Values, tuple[str, ...]]] = {
    "a top-level typo": ({"gatway": {}}, ("gatway",)),
    "a typo in the gateway": (nested("gateway.replica", 3), ("gateway", "replica")),
    "a typo in the operator": (nested("operator.resource", {}), ("operator", "resource")),
    "a typo far down": (nested("gateway.ingress.host", "a"), ("ingress", "host")),
    "a share of traces above all": (
        merged(TRACED, nested("telemetry.traces.ratio", 2)),
        ("telemetry", "ratio"),
    ),
    "a collector that nobody may reach": (
        nested("telemetry.traces.endpoint", "http://otel:4318"),
        ("networkPolicy.traces.to",),
    ),
    "a provider of tokens that the gateway may not reach": (
        nested(
            "gateway.jwt", {"jwksUrl": "https://id/keys", "issuer": "https://id", "audience": "a"}
        ),
        ("networkPolicy.identityProvider.to",),
    ),
    "a pepper as a value": (nested("gateway.settings", {"key_pepper": "x"}), ("key_pepper",)),
    "an unknown gateway setting": (
        nested("gateway.settings", {"log_txt": False}),
        ("settings", "log_txt"),
    ),
    "a setting that is the chart's": (nested("gateway.settings", {"port": 1}), ("port",)),
    "a setting of another type": (
        nested("gateway.settings.log_text_limit", "no"),
        ("log_text_limit",),
    ),
    "replicas in words": (nested("gateway.replicas", "two"), ("gateway/replicas", "integer")),
    "negative replicas": (nested("gateway.replicas", -1), ("gateway/replicas",)),
    "too many operators": (nested("operator.replicas", 9), ("operator/replicas",)),
    "root": (nested("podSecurity.user", 0), ("podSecurity/user",)),
    "an unknown pull policy": (nested("images.pullPolicy", "Sometimes"), ("pullPolicy",)),
    "a tag with a colon": (nested("images.tag", "a:b"), ("images/tag",)),
    "half a digest": (nested("images.engine.digest", "sha256:12"), ("engine/digest",)),
    "an empty registry": (nested("images.registry", ""), ("images/registry",)),
    "pull secrets as objects": (
        nested("images.pullSecrets", [{"name": "a"}]),
        ("images/pullSecrets/0",),
    ),
    "a size in words": (nested("artifacts.size", "big"), ("artifacts/size",)),
    "an unknown access mode": (nested("artifacts.accessMode", "RWX"), ("artifacts/accessMode",)),
    "a relative mount": (nested("artifacts.mountPath", "data"), ("artifacts/mountPath",)),
    "a quantity in words": (
        nested("operator.resources.limits.memory", "lots"),
        ("operator/resources/limits/memory",),
    ),
    "a port beyond": (nested("gateway.service.port", 70000), ("gateway/service/port",)),
    "an unknown service type": (nested("gateway.service.type", "Cluster"), ("service/type",)),
    "an env entry without a name": (nested("engines.env", [{"value": "x"}]), ("engines/env/0",)),
    "an env entry with a typo": (
        nested("runs.env", [{"name": "A", "valu": "x"}]),
        ("runs/env/0", "valu"),
    ),
    "an env value that is no text": (
        nested("operator.env", [{"name": "A", "value": 1}]),
        ("operator/env/0/value",),
    ),
    "no address range": (nested("networkPolicy.apiServer.cidrs", []), ("apiServer/cidrs",)),
    "an address without a mask": (
        nested("networkPolicy.database.cidrs", ["10.0.0.1"]),
        ("database/cidrs/0",),
    ),
    "an interval in words": (nested("monitoring.interval", "often"), ("monitoring/interval",)),
    "an unknown exporter": (nested("monitoring.exporters.redis", {}), ("exporters", "redis")),
    "an exporter without a port": (
        nested("monitoring.exporters.qdrant.port", ""),
        ("exporters/qdrant/port",),
    ),
    "an exporter's namespace in capitals": (
        nested("monitoring.exporters.node.namespaces", ["Monitoring"]),
        ("node/namespaces/0",),
    ),
    "a label that is no text": (nested("monitoring.labels.a", 1), ("monitoring/labels/a",)),
    "a model without spec": (nested("models.m", {"versions": {}}), ("models/m", "spec")),
    "a model's name in capitals": (nested("models.GPT.spec", {}), ("models", "GPT")),
    "a typo beside a model's spec": (
        nested("models.m", {"spec": {}, "version": {}}),
        ("models/m", "version"),
    ),
    "a version without spec": (
        nested("models.m", {"spec": {}, "versions": {"m-1": {}}}),
        ("models/m/versions/m-1", "spec"),
    ),
    "models as a list": ({"models": []}, ("models", "object")),
    "a store without keys": (
        nested("artifacts.s3.uri", "s3://models"),
        ("artifacts.s3.existingSecret",),
    ),
    "an endpoint without keys": (
        nested("artifacts.s3.endpoint", "http://minio:9000"),
        ("artifacts.s3.existingSecret",),
    ),
    "a store that nothing may reach": (
        merged(MINIO, nested("networkPolicy.objectStore.to", [])),
        ("networkPolicy.objectStore.to",),
    ),
    "a CA for plain HTTP": (
        merged(MINIO, nested("artifacts.s3.caSecret", "ca")),
        ("artifacts.s3.caSecret", "http://minio.minio:9000"),
    ),
    "a CA without a store": (
        nested("artifacts.s3.caSecret", "ca"),
        ("artifacts.s3.existingSecret",),
    ),
    "a store of another kind": (
        nested("artifacts.s3.uri", "gs://models"),
        ("artifacts/s3/uri",),
    ),
    "a prefix that ends in a slash": (
        nested("artifacts.s3.uri", "s3://models/"),
        ("artifacts/s3/uri",),
    ),
    "an endpoint with a path": (
        nested("artifacts.s3.endpoint", "http://minio:9000/models"),
        ("artifacts/s3/endpoint",),
    ),
    "keys in the values": (
        nested("artifacts.s3", {"secretAccessKey": "x"}),
        ("artifacts/s3", "secretAccessKey"),
    ),
    "MinIO is not bundled": (nested("minio.enabled", True), ("minio",)),
    "autoscaling upside down": (
        nested("gateway.autoscaling", {"enabled": True, "minReplicas": 5, "maxReplicas": 2}),
        ("gateway.autoscaling.maxReplicas", "minReplicas"),
    ),
    "ingress without hosts": (nested("gateway.ingress.enabled", True), ("gateway.ingress.hosts",)),
    "HTTPRoute without a Gateway": (
        nested("gateway.httpRoute.enabled", True),
        ("gateway.httpRoute.parentRefs",),
    ),
    "a version of another model": (
        nested("models.m", {"spec": {}, "versions": {"v": {"spec": {"model": "other"}}}}),
        ("models.m.versions.v.spec.model", "other"),
    ),
    "one name for two versions": (
        {"models": {n: {"spec": {}, "versions": {"v": {"spec": {}}}} for n in "ab"}},
        ("models.b.versions.v", "models.a"),
    ),
}

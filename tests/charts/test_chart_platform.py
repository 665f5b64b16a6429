"""What the chart tells the processes is what they accept: settings by name, and in content."""

from __future__ import annotations

import pytest
import yaml
from chart_values import ACCEPTED, MINIO, nested
from helm_chart import environment, of_kind, only, pods, render

from slipway_gateway.settings import Settings as GatewaySettings
from slipway_gateway.settings import reject_unknown
from slipway_operator.platforms.kubernetes.settings import PlatformConfig
from slipway_operator.settings import KubernetesSettings, Platform
from slipway_store.keys import id_of


def platform(objects) -> PlatformConfig:
    """Parsed as the operator does; unknown names are refused there."""
    data = only(objects, "ConfigMap", "slipway-platform")["data"]
    return PlatformConfig.model_validate(yaml.safe_load(data["platform.yaml"]))


def pod_of(objects, where: str):
    return dict(pods(objects))[where]


@pytest.mark.parametrize("values", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_the_operator_accepts_the_platform_of_every_value_set(values):
    objects = render(values)
    config = platform(objects)
    names = {found["metadata"]["name"] for found in of_kind(objects, "ServiceAccount")}
    assert {config.runs.service_account, config.engines.service_account} <= names
    assert config.anchor == "slipway-platform"


def test_nothing_that_the_operator_can_be_told_is_left_to_its_own_defaults(default):
    rendered = yaml.safe_load(
        only(default, "ConfigMap", "slipway-platform")["data"]["platform.yaml"]
    )
    assert platform(default).wire() == rendered


def test_values_reach_the_platform():
    values = {
        "images": {"engine": {"tag": "0.1.0-cuda"}, "pullSecrets": ["registry"]},
        "artifacts": {"existingClaim": "shared", "mountPath": "/data"},
        "runs": {
            "cpu": 4,
            "env": [{"name": "A", "value": "b"}],
            "huggingFace": {"existingSecret": "hub"},
            "tolerations": [{"operator": "Exists"}],
        },
        "engines": {"objectStoreBytes": 4_000_000_000, "priorityClass": "serving"},
    }
    config = platform(render(values))
    assert config.images.engine == "docker.io/slipway/engine:0.1.0-cuda"
    assert config.images.pull_secrets == ("registry",)
    assert (config.artifacts.claim, config.artifacts.mount_path) == ("shared", "/data")
    assert [entry["name"] for entry in config.runs.env] == ["A", "HF_TOKEN"]
    assert config.runs.env[1]["valueFrom"] == {"secretKeyRef": {"name": "hub", "key": "token"}}
    assert config.runs.tolerations == ({"operator": "Exists"},)
    assert config.engines.object_store_bytes == 4_000_000_000
    assert config.engines.priority_class == "serving"


def test_the_store_reaches_the_platform_and_its_keys_do_not():
    objects = render(MINIO)
    store = platform(objects).artifacts.s3
    assert (store.uri, store.endpoint) == ("s3://models/slipway", "http://minio.minio:9000")
    assert (store.secret, store.access_key_key) == ("minio", "accessKeyId")
    assert not [found for found in of_kind(objects, "Secret") if "s3" in str(found)]


def test_a_changed_platform_restarts_the_operator(default):
    def checksum(objects):
        template = pod_of(objects, "Deployment/slipway-operator")
        return template["metadata"]["annotations"]["checksum/platform"]

    assert checksum(render()) == checksum(default)
    assert checksum(render(nested("runs.threads", 2))) != checksum(default)


def test_the_operator_knows_every_variable(default):
    prefix = "SLIPWAY_OPERATOR_"
    names = environment(pod_of(default, "Deployment/slipway-operator"))
    given = {n.removeprefix(prefix).lower() for n in names if n.startswith(prefix)}
    assert given <= KubernetesSettings.model_fields.keys() | Platform.model_fields.keys()
    assert given >= {"platform", "namespace", "identity", "platform_file", "health_port", "dsn"}


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
def test_the_gateway_accepts_its_environment(kind):
    settings = {"log_text_policy": "none", "body_limit": 1048576, "first_byte_timeout": 0.5}
    values = {"gateway": {"settings": settings, "walVolume": {"enabled": kind == "StatefulSet"}}}
    objects = render(values)
    given = environment(pod_of(objects, f"{kind}/slipway-gateway"))
    reject_unknown(given)
    prefix = "SLIPWAY_GATEWAY_"
    plain = {
        name.removeprefix(prefix).lower(): value
        for name, value in given.items()
        if name.startswith(prefix) and isinstance(value, str)
    }
    key = only(objects, "Secret", "slipway-first-key")["stringData"]["key"]
    accepted = GatewaySettings(**plain, slot="a", dsn="postgresql://x@y/z", first_key=key)
    assert {name: getattr(accepted, name) for name in settings} == settings
    assert not accepted.keyless_loopback
    assert (accepted.drain_delay, accepted.shutdown_grace) == (10, 60)
    for name in ("DSN", "SLOT", "FIRST_KEY"):
        assert prefix + name in given


def test_a_pod_lives_as_long_as_its_streams_may():
    values = nested("gateway", {"drainSeconds": 20, "streamGraceSeconds": 600})
    pod = pod_of(render(values), "Deployment/slipway-gateway")
    grace = pod["spec"]["terminationGracePeriodSeconds"]
    flush = GatewaySettings.model_fields["flush_timeout"].default
    assert grace > 20 + 600 + flush


def test_the_first_key_is_one_and_another_each_time(default):
    keys = [
        only(o, "Secret", "slipway-first-key")["stringData"]["key"] for o in (default, render())
    ]
    assert all(map(id_of, keys))
    assert keys[0] != keys[1]


def test_the_dsn_leads_to_the_trial_database(default):
    secret = only(default, "Secret", "slipway-database")["stringData"]
    service = only(default, "Service", "slipway-postgres")
    host = f"{service['metadata']['name']}.{service['metadata']['namespace']}.svc.cluster.local"
    assert secret["dsn"] == f"postgresql://slipway:{secret['password']}@{host}:5432/slipway"
    assert len(secret["password"]) >= 32
    assert secret["password"].isalnum()


def test_an_external_database_replaces_ours_and_its_secret():
    objects = render(nested("database.external", {"existingSecret": "pg", "key": "uri"}))
    assert not [o for o in objects if "postgres" in o["metadata"]["name"]]
    assert not [o for o in objects if o["metadata"]["name"] == "slipway-database"]
    reference = {"secretKeyRef": {"name": "pg", "key": "uri"}}
    for where, name in (
        ("Deployment/slipway-operator", "SLIPWAY_OPERATOR_DSN"),
        ("Deployment/slipway-gateway", "SLIPWAY_GATEWAY_DSN"),
    ):
        assert environment(pod_of(objects, where))[name] == reference

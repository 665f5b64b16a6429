"""What a pod needs to reach the release's object store: variables, the CA, and room. Pure.

Keys come from the Secret by reference and are never read by the operator. The variables are those
of every S3 client, so that what else runs in the pod finds the same store.
"""

from __future__ import annotations

from dataclasses import dataclass

from slipway_operator.platforms.kubernetes import pod_parts
from slipway_operator.platforms.kubernetes.kinds import Body
from slipway_operator.platforms.kubernetes.settings import ObjectStore, PlatformConfig

SCHEME = "s3://"
CACHE_PATH = "/var/cache/slipway"
_CA_FOLDER = "/etc/slipway/s3"
_CA_FILE = "ca.crt"


def is_stored(uri: str) -> bool:
    """Whether an artifact is in an object store, and no folder of the volume."""
    return uri.startswith(SCHEME)


def variables(config: PlatformConfig) -> list[Body]:
    """The container's environment; nothing where the release has no store."""
    store = config.artifacts.s3
    if not store.secret:
        return []
    return [
        *([_plain("AWS_ENDPOINT_URL", store.endpoint)] if store.endpoint else []),
        _plain("AWS_REGION", store.region),
        _secret("AWS_ACCESS_KEY_ID", store, store.access_key_key),
        _secret("AWS_SECRET_ACCESS_KEY", store, store.secret_key_key),
        *([_plain("AWS_CA_BUNDLE", f"{_CA_FOLDER}/{_CA_FILE}")] if store.ca_secret else []),
    ]


def ca_volumes(config: PlatformConfig) -> list[Body]:
    """The CA that signed the store's certificate, where it is a private one."""
    store = config.artifacts.s3
    if not (store.secret and store.ca_secret):
        return []
    items = [{"key": store.ca_key, "path": _CA_FILE}]
    return [{"name": "s3-ca", "secret": {"secretName": store.ca_secret, "items": items}}]


def ca_mounts(config: PlatformConfig) -> list[Body]:
    """Where it lies."""
    return [
        {"name": volume["name"], "mountPath": _CA_FOLDER, "readOnly": True}
        for volume in ca_volumes(config)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Supply:
    """How an engine's pod comes by its artifact: from the volume, or from the store."""

    volumes: tuple[Body, ...]
    mounts: tuple[Body, ...]
    variables: tuple[Body, ...] = ()


def supply(config: PlatformConfig, uri: str) -> Supply:
    """By the artifact's own URI: versions from before a release had its store serve on."""
    if not is_stored(uri):
        return Supply(
            volumes=(pod_parts.claim(config, read_only=True),),
            mounts=(pod_parts.claim_mount(config, read_only=True),),
        )
    # A copy of the pod's own, which goes with it.
    limit = config.artifacts.s3.cache_limit
    room = {"name": "cache", "emptyDir": {"sizeLimit": str(limit)} if limit else {}}
    return Supply(
        volumes=(room, *ca_volumes(config)),
        mounts=({"name": "cache", "mountPath": CACHE_PATH}, *ca_mounts(config)),
        variables=tuple(variables(config)),
    )


def _plain(name: str, value: str) -> Body:
    return {"name": name, "value": value}


def _secret(name: str, store: ObjectStore, key: str) -> Body:
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": store.secret, "key": key}}}

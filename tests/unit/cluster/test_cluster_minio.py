"""The test cluster's S3 server: what the manifest says is what code and values say."""

from __future__ import annotations

import yaml
from pod_security import violations

from slipway_cluster import images, minio


def objects():
    return {body["kind"]: body for body in yaml.safe_load_all(minio.MANIFEST.read_text())}


def test_the_manifest_is_restricted_and_names_our_image():
    spec = objects()["Deployment"]["spec"]["template"]["spec"]
    assert violations(spec) == []
    containers = [*spec["initContainers"], *spec["containers"]]
    assert {found["image"] for found in containers} == {images.MINIO_IMAGE}


def test_the_keys_are_the_manifests():
    spec = objects()["Deployment"]["spec"]["template"]["spec"]
    env = {entry["name"]: entry["value"] for entry in spec["containers"][0]["env"]}
    assert list(minio.KEYS.values()) == [env["MINIO_ROOT_USER"], env["MINIO_ROOT_PASSWORD"]]


def test_the_values_lead_there():
    values = yaml.safe_load(minio.VALUES.read_text())
    store = values["artifacts"]["s3"]
    assert store["existingSecret"] == minio.SECRET
    service = objects()["Service"]
    host = f"{service['metadata']['name']}.{service['metadata']['namespace']}.svc.cluster.local"
    assert store["endpoint"] == f"http://{host}:{service['spec']['ports'][0]['port']}"
    init = objects()["Deployment"]["spec"]["template"]["spec"]["initContainers"][0]
    assert store["uri"].split("/")[2] == init["volumeMounts"][0]["subPath"]
    (peer,) = values["networkPolicy"]["objectStore"]["to"]
    labels = objects()["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert peer["podSelector"]["matchLabels"] == labels

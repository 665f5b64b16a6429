"""The operator that most people would write: Kopf's handlers, the Kubernetes client, no more.

``kopf run --standalone --namespace NS benchmarks/peers/stock_kopf.py``.
"""

import contextlib
import json

import kopf
import kubernetes

VERSIONS = ("slipway.dev", "v1alpha1", "modelversions")
kubernetes.config.load_kube_config()
core, batch = kubernetes.client.CoreV1Api(), kubernetes.client.BatchV1Api()


@kopf.on.create("slipway.dev", "v1alpha1", "models")
@kopf.on.update("slipway.dev", "v1alpha1", "models", field="spec")
def model(meta, patch, **_):
    patch.status["observedGeneration"] = meta["generation"]


def made(create, namespace, body):
    kopf.adopt(body)
    with contextlib.suppress(kubernetes.client.ApiException):  # it is there: made before
        create(namespace, body)


@kopf.on.create(*VERSIONS)
def start(name, namespace, spec, meta, patch, **_):
    head = {"name": f"{name}-run", "labels": {"slipway.dev/model": spec["model"]}}
    text = json.dumps(dict(spec["source"]))
    made(core.create_namespaced_config_map, namespace, {"metadata": head, "data": {"spec": text}})
    container = {"name": "run", "image": "docker.io/slipway/training:dev"}
    pod = {"restartPolicy": "Never", "containers": [container], "serviceAccountName": "slipway-run"}
    job = {"metadata": dict(head), "spec": {"backoffLimit": 2, "template": {"spec": pod}}}
    made(batch.create_namespaced_job, namespace, job)
    patch.status.update({"observedGeneration": meta["generation"], "phase": "Training"})


@kopf.on.update(*VERSIONS, field="spec")
def edited(spec, meta, patch, **_):
    patch.status["observedGeneration"] = meta["generation"]
    patch.status["phase"] = "Paused" if spec["desiredState"] == "Paused" else "AwaitingApproval"


@kopf.timer(*VERSIONS, interval=5, when=lambda status, **_: not status.get("artifact"))
def follow(name, namespace, patch, **_):
    run = f"{name}-run"
    selector = f"batch.kubernetes.io/job-name={run}"
    pods = core.list_namespaced_pod(namespace, label_selector=selector).items
    if pods and pods[0].status.phase == "Succeeded":
        text = pods[0].status.container_statuses[0].state.terminated.message
        core.patch_namespaced_config_map(run, namespace, {"data": {"result": text}})
        patch.status["artifact"] = json.loads(text)["artifact"]
        patch.status["phase"] = "AwaitingApproval"

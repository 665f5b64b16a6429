"""What ``make test`` could not run on this machine and why; printed last, never silent."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path


def hub_answers() -> bool:
    """Whether hf:// imports could be tried from here."""
    try:
        socket.create_connection(("huggingface.co", 443), timeout=3).close()
    except OSError:
        return False
    return True


def built(tool: str) -> bool:
    """Whether ``make tools`` has built it."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    cache = Path(os.environ.get("SLIPWAY_CACHE") or base / "slipway")
    return any(cache.glob(f"bin/{tool}-*"))


def cluster() -> str:
    """What hinders the cluster tier here; empty where it ran."""
    argv = [sys.executable, "deploy/cluster", "able"]
    asked = subprocess.run(argv, text=True, capture_output=True, check=False)
    return asked.stderr.strip() if asked.returncode else ""


def not_run() -> list[str]:
    """A line for each thing: what, and why."""
    found = []
    if not Path("/dev/nvidiactl").exists():
        found.append(
            "CUDA: no NVIDIA device here. Unit tests check the engine's GPU arguments; bf16 "
            "training and vLLM on a GPU did not run."
        )
    if shutil.which("docker") is None or not Path("/var/run/docker.sock").exists():
        found.append("kind: no Docker daemon answers here.")
    if shutil.which("go") is None:
        found.append("charts, apiserver, S3: no Go here to build helm, kube-apiserver, MinIO with.")
    elif not (built("kwok") and built("kube-scheduler")):
        found.append("bench-operator at small scale: kwok is not built (`make bench-operator`).")
    if not built("promtool"):
        found.append(
            "alert rules and `slipway up --observe` in a real Prometheus: neither apt nor Go "
            "provides it here."
        )
    if shutil.which("chromium") is None:
        found.append("reports in a browser: no chromium here (Debian: chromium).")
    if shutil.which("node") is None or not Path("tests/node/node_modules/openai").is_dir():
        found.append("OpenAI's Node client: no Node here, or npm could not install tests/node.")
    if not hub_answers():
        found.append("hf:// imports: the Hugging Face hub is not reached from here.")
    if not Path(".compiled/.ready").exists():
        found.append(
            "compiled gateway: no C compiler or no Python.h here; its processes ran interpreted."
        )
    hindered = cluster()
    if hindered:
        found.append(f"cluster: real nodes and engines. {hindered}")
    return [
        *found,
        "soak: the operator's death after each single write, the demo's story on a cluster, there "
        "a canary that loses its memory, an absent image and an object store, 2,000 versions, the "
        "whole loss storms of gateway, log and worker, 20,000 generated requests, "
        "fuzzers; `make soak`, of these `make soak-gateway`.",
        "NetworkPolicies: the test cluster does not enforce them; flows are checked on paper.",
        "W&B and MLflow: no account here; only that a missing key or package is loud is tested.",
    ]


if __name__ == "__main__":
    print("\nNot run on this machine:")
    for line in not_run():
        print(f"  - {line}")

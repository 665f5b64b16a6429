"""What ``make test`` could not run on this machine and why; printed last, never silent."""

import os
import shutil
import socket

NOT_RUN = []
if not os.path.exists("/dev/nvidiactl"):
    NOT_RUN.append(
        "CUDA: no NVIDIA device here. The engine builder's GPU arguments are checked by unit tests; "
        "bf16 training and vLLM on a GPU are not."
    )
if shutil.which("docker") is None or not os.path.exists("/var/run/docker.sock"):
    NOT_RUN.append(
        "kind: no Docker daemon answers here; the cluster tiers come with the operator's issue."
    )
NOT_RUN.append("charts, apiserver, cluster: these tiers are not built yet (docs/scope.md).")
try:
    socket.create_connection(("huggingface.co", 443), timeout=3).close()
except OSError:
    NOT_RUN.append("hf:// imports: the Hugging Face hub is not reached from here.")
NOT_RUN.append(
    "W&B and MLflow: no account here; only that a missing key or package is loud is tested."
)

print("\nNot run on this machine:")
for line in NOT_RUN:
    print(f"  - {line}")

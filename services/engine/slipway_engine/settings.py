"""``Serving`` → the arguments of Ray Serve LLM, as plain data. Pure: imports no Ray, no vLLM.

The same function serves CPU and CUDA; ``resources.gpu`` alone decides. What is fixed here and why
was measured on two cores: see ``docs/engine.md``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from slipway_contracts.backend import ENGINE_DEPLOYMENT, BackendArgs, scaling
from slipway_contracts.serving import EngineArgs, Serving
from slipway_engine.patience import NAME as PATIENCE

# On a CPU a longer batch only makes every stream in it slower.
CPU_MAX_NUM_SEQS = 16
# vLLM's block on a CPU: the last block of every sequence is part empty.
CPU_BLOCK_TOKENS = 128
CPU_KV_BYTES = (32 << 20, 4 << 30)
CPU_KV_BYTES_UNKNOWN = 1 << 30


# OpenTelemetry's own name: a full address, to which vLLM sends its spans.
TRACES_ENDPOINT = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"


def llm_config(
    args: BackendArgs, folder: Path, *, model: Mapping[str, Any], traces: str = ""
) -> dict[str, Any]:
    """Arguments of Ray's ``LLMConfig``; ``model`` is the ``config.json`` of the verified folder.

    ``traces``: where vLLM's spans go; empty: there are none.
    """
    told = {"otlp_traces_endpoint": traces} if traces else {}
    return {
        "model_loading_config": {"model_id": args.model, "model_source": str(folder)},
        "engine_kwargs": engine_kwargs(args.serving, model=model) | told,
        "deployment_config": _deployment(args.serving),
        "runtime_env": {"env_vars": environment(args.serving)},
        **_accelerator(args.serving),
    }


def engine_kwargs(serving: Serving, *, model: Mapping[str, Any]) -> dict[str, Any]:
    """vLLM's own arguments. There is no way to ask for remote code."""
    engine = serving.engine
    cpu = serving.resources.gpu == 0
    sequences = engine.max_num_seqs or (CPU_MAX_NUM_SEQS if cpu else None)
    given = {
        "max_model_len": engine.max_model_len,
        "quantization": engine.quantization,
        "gpu_memory_utilization": None if cpu else engine.gpu_memory_utilization,
        "max_num_seqs": sequences,
        "enforce_eager": cpu if engine.enforce_eager is None else engine.enforce_eager,
        "tensor_parallel_size": engine.tensor_parallel_size,
        "dtype": "float32" if cpu and engine.dtype == "auto" else engine.dtype,
        "trust_remote_code": False,
        "load_format": "safetensors",
        "kv_cache_memory_bytes": cpu_kv_bytes(engine, model) if cpu else None,
    }
    return {name: value for name, value in given.items() if value is not None}


def cpu_kv_bytes(engine: EngineArgs, model: Mapping[str, Any]) -> int:
    """Room for a full batch of the longest sequences, within bounds; all of it is touched.

    1 GiB where the architecture does not say its shape in the usual words.
    """
    try:
        heads = int(model["num_attention_heads"])
        width = int(model.get("head_dim") or int(model["hidden_size"]) // heads)
        keys = int(model.get("num_key_value_heads") or heads)
        length = engine.max_model_len or int(model["max_position_embeddings"])
        token = 2 * int(model["num_hidden_layers"]) * keys * width * 4
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return CPU_KV_BYTES_UNKNOWN
    # One block more for each sequence and one that vLLM keeps for itself.
    blocks = (engine.max_num_seqs or CPU_MAX_NUM_SEQS) * (length // CPU_BLOCK_TOKENS + 1) + 1
    low, high = CPU_KV_BYTES
    return min(max(blocks * CPU_BLOCK_TOKENS * token, low), high)


def environment(serving: Serving) -> dict[str, str]:
    """Environment of the replica and of the engine processes below it."""
    offline = {
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
    }
    if serving.resources.gpu:
        return offline
    return {
        **offline,
        # vLLM's sampler is compiled by Dynamo, which needs a C++ compiler that a laptop may lack.
        "TORCHDYNAMO_DISABLE": "1",
        "VLLM_PLUGINS": PATIENCE,
        # Left to itself vLLM binds the threads of every engine to the same last core.
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "OMP_NUM_THREADS": str(serving.resources.cpu),
    }


def _deployment(serving: Serving) -> dict[str, Any]:
    return {
        "name": ENGINE_DEPLOYMENT.partition(":")[2],
        **scaling(serving, serving.replicas.min),
        "max_ongoing_requests": 1024,
        "health_check_period_s": 5,
        "health_check_timeout_s": 30,
        "graceful_shutdown_timeout_s": serving.drain_seconds,
        "graceful_shutdown_wait_loop_s": 0.5,
        # A second try helps against a passing shortage, a third only delays the verdict.
        "max_constructor_retry_count": 2,
    }


def _accelerator(serving: Serving) -> dict[str, Any]:
    if serving.resources.gpu == 0:
        return {
            "accelerator_config": {"kind": "cpu"},
            "placement_group_config": {"bundle_per_worker": {"CPU": 1}},
        }
    return {
        "accelerator_config": {"kind": "gpu"},
        "placement_group_config": {"bundle_per_worker": {"CPU": 1, "GPU": 1}},
    }

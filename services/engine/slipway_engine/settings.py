"""``Serving`` → the arguments of Ray Serve LLM, as plain data. Pure: imports no Ray, no vLLM.

The same function serves CPU and CUDA; ``resources.gpu`` alone decides. What is fixed here and why
was measured on two cores: see ``docs/engine.md``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from slipway_contracts.backend import ENGINE_DEPLOYMENT, BackendArgs, scaling
from slipway_contracts.serving import EngineArgs, Serving

# On a CPU a longer batch only makes every stream in it slower.
CPU_MAX_NUM_SEQS = 16


def llm_config(args: BackendArgs, folder: Path) -> dict[str, Any]:
    """Arguments of Ray's ``LLMConfig``; ``folder`` is the verified artifact."""
    return {
        "model_loading_config": {"model_id": args.model, "model_source": str(folder)},
        "engine_kwargs": engine_kwargs(args.serving.engine, cpu=args.serving.resources.gpu == 0),
        "deployment_config": _deployment(args.serving),
        "runtime_env": {"env_vars": environment(args.serving)},
        **_accelerator(args.serving),
    }


def engine_kwargs(engine: EngineArgs, *, cpu: bool) -> dict[str, Any]:
    """vLLM's own arguments. There is no way to ask for remote code."""
    given = {
        "max_model_len": engine.max_model_len,
        "quantization": engine.quantization,
        "gpu_memory_utilization": None if cpu else engine.gpu_memory_utilization,
        "max_num_seqs": engine.max_num_seqs or (CPU_MAX_NUM_SEQS if cpu else None),
        "enforce_eager": cpu if engine.enforce_eager is None else engine.enforce_eager,
        "tensor_parallel_size": engine.tensor_parallel_size,
        "dtype": "float32" if cpu and engine.dtype == "auto" else engine.dtype,
        "trust_remote_code": False,
        "load_format": "safetensors",
    }
    return {name: value for name, value in given.items() if value is not None}


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
        "VLLM_CPU_KVCACHE_SPACE": "1",
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
        # A new replica beside the old one needs room that a small machine lacks.
        "graceful_shutdown_wait_loop_s": 0.5,
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

"""``Serving`` → Ray Serve LLM's arguments, on CPU and CUDA."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from slipway_contracts.artifact import ArtifactRef
from slipway_contracts.backend import BackendArgs
from slipway_contracts.serving import EngineArgs, Replicas, Resources, Serving
from slipway_engine.settings import cpu_kv_bytes, engine_kwargs, environment, llm_config

MIB = 1 << 20
TINY = {
    "hidden_size": 256,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "num_hidden_layers": 4,
    "max_position_embeddings": 512,
}
GPU = Serving(resources=Resources(gpu=1))


def config(serving: Serving) -> dict[str, Any]:
    args = BackendArgs(
        artifact=ArtifactRef(uri="file:///a", digest="sha256:" + "0" * 64),
        model="demo",
        version="v1",
        serving=serving,
    )
    return llm_config(args, Path("/artifacts/v1"), model=TINY)


def test_a_cpu_version() -> None:
    got = config(Serving())
    assert got["model_loading_config"] == {"model_id": "demo", "model_source": "/artifacts/v1"}
    assert got["accelerator_config"] == {"kind": "cpu"}
    assert got["placement_group_config"] == {"bundle_per_worker": {"CPU": 1}}
    kwargs = got["engine_kwargs"]
    assert kwargs["dtype"] == "float32"
    assert kwargs["enforce_eager"] is True
    assert "gpu_memory_utilization" not in kwargs
    variables = got["runtime_env"]["env_vars"]
    assert variables["TORCHDYNAMO_DISABLE"] == "1"
    assert variables["OMP_NUM_THREADS"] == "1"
    assert variables["VLLM_PLUGINS"] == "slipway_patience"


def test_a_cuda_version() -> None:
    engine = EngineArgs(gpu_memory_utilization=0.8, tensor_parallel_size=2, quantization="fp8")
    got = config(Serving(engine=engine, resources=Resources(gpu=2)))
    assert got["accelerator_config"] == {"kind": "gpu"}
    assert got["placement_group_config"] == {"bundle_per_worker": {"CPU": 1, "GPU": 1}}
    kwargs = got["engine_kwargs"]
    assert kwargs["gpu_memory_utilization"] == 0.8
    assert kwargs["tensor_parallel_size"] == 2
    assert kwargs["quantization"] == "fp8"
    assert kwargs["dtype"] == "auto"
    assert kwargs["enforce_eager"] is False
    assert "max_num_seqs" not in kwargs
    assert "kv_cache_memory_bytes" not in kwargs
    assert set(got["runtime_env"]["env_vars"]) == set(environment(Serving())) - {
        "TORCHDYNAMO_DISABLE",
        "VLLM_PLUGINS",
        "VLLM_CPU_OMP_THREADS_BIND",
        "OMP_NUM_THREADS",
    }


@pytest.mark.parametrize("serving", [Serving(), GPU], ids=["cpu", "cuda"])
def test_no_remote_code_no_network_no_pickle(serving: Serving) -> None:
    kwargs = engine_kwargs(serving, model=TINY)
    assert kwargs["trust_remote_code"] is False
    assert kwargs["load_format"] == "safetensors"
    assert environment(serving)["HF_HUB_OFFLINE"] == "1"
    assert environment(serving)["VLLM_NO_USAGE_STATS"] == "1"


def test_what_a_person_sets_wins() -> None:
    engine = EngineArgs(max_model_len=128, max_num_seqs=3, enforce_eager=False, dtype="bfloat16")
    kwargs = engine_kwargs(Serving(engine=engine), model=TINY)
    assert kwargs["max_model_len"] == 128
    assert kwargs["max_num_seqs"] == 3
    assert kwargs["enforce_eager"] is False
    assert kwargs["dtype"] == "bfloat16"


def test_replicas_and_drain() -> None:
    serving = Serving(replicas=Replicas(min=2, max=5, target=9), drain_seconds=7)
    got = config(serving)["deployment_config"]
    assert got["autoscaling_config"] == {
        "min_replicas": 2,
        "max_replicas": 5,
        "target_ongoing_requests": 9,
    }
    assert got["graceful_shutdown_timeout_s"] == 7
    assert config(Serving())["deployment_config"]["num_replicas"] == 1


@pytest.mark.parametrize(
    ("engine", "model", "expected"),
    [
        # 8 KiB a token, 16 sequences of 512 tokens and a spare block each.
        pytest.param(EngineArgs(), TINY, (16 * 5 + 1) * 128 * 8192, id="a full batch"),
        pytest.param(EngineArgs(max_model_len=16, max_num_seqs=1), TINY, 32 * MIB, id="low bound"),
        pytest.param(EngineArgs(max_model_len=131072), TINY, 4096 * MIB, id="high bound"),
        pytest.param(EngineArgs(), {}, 1024 * MIB, id="unknown shape"),
        pytest.param(EngineArgs(), {**TINY, "num_attention_heads": 0}, 1024 * MIB, id="nonsense"),
        pytest.param(
            EngineArgs(),
            {**TINY, "num_key_value_heads": None, "head_dim": 32},
            (16 * 5 + 1) * 128 * 4096,
            id="own head size",
        ),
    ],
)
def test_kv_cache_on_a_cpu(engine: EngineArgs, model: dict[str, Any], expected: int) -> None:
    assert cpu_kv_bytes(engine, model) == expected


def test_spans_go_where_the_pod_is_told():
    artifact = ArtifactRef(uri="file:///a", digest="sha256:" + "0" * 64)
    args = BackendArgs(artifact=artifact, model="m", version="v")
    traced = llm_config(args, Path("/a"), model=TINY, traces="http://otel:4318/v1/traces")
    silent = llm_config(args, Path("/a"), model=TINY)
    told = {"otlp_traces_endpoint": "http://otel:4318/v1/traces"}
    assert traced["engine_kwargs"] == silent["engine_kwargs"] | told

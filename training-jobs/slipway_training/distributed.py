"""``mode`` → the Trainer options for several devices, or a refusal that names what is missing.

On a CPU the Trainer's ``fsdp`` silently becomes DDP, so it is refused there rather than pretended.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from slipway_training.environment import read_environment
from slipway_training.errors import ConfigInvalid

# ZeRO stage 2 shards optimizer states and gradients; weights stay whole: saving gathers nothing.
_DEEPSPEED = {
    "zero_optimization": {"stage": 2, "overlap_comm": True, "contiguous_gradients": True},
    "bf16": {"enabled": "auto"},
    "gradient_accumulation_steps": "auto",
    "gradient_clipping": "auto",
    "train_batch_size": "auto",
    "train_micro_batch_size_per_gpu": "auto",
}


def check_mode(mode: str) -> None:
    """Raise ConfigInvalid when this machine cannot do what ``mode`` promises."""
    if mode == "baseline":
        return
    import torch

    if not torch.cuda.is_available():
        raise ConfigInvalid(
            f"training.mode is {mode!r}, which needs CUDA devices and this machine shows none; "
            "use mode 'baseline' (on a CPU the Trainer would silently do something else)"
        )
    if not torch.distributed.is_nccl_available():
        raise ConfigInvalid(f"training.mode is {mode!r}, but this torch has no NCCL; install it")
    if not read_environment().launched:
        raise ConfigInvalid(
            f"training.mode is {mode!r}, but this is a lone process; set training.resources.gpu, "
            "or start it with --processes N or torchrun"
        )
    if mode == "deepspeed" and find_spec("deepspeed") is None:
        raise ConfigInvalid(
            "training.mode is 'deepspeed', but the package deepspeed is not installed; "
            "install slipway-training[deepspeed], or use mode 'fsdp'"
        )


def distributed_arguments(mode: str) -> dict[str, Any]:
    """Keyword arguments of TrainingArguments for ``mode`` (checked before)."""
    match mode:
        case "fsdp":
            return {
                "fsdp": "full_shard auto_wrap",
                "fsdp_config": {"version": 2, "state_dict_type": "FULL_STATE_DICT"},
            }
        case "deepspeed":
            return {"deepspeed": _DEEPSPEED}
        case _:
            return {}

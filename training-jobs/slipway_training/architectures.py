"""The bundled model shapes that a run may start from scratch, by name.

Sizes are for a 4,096-token vocabulary where the shape is tiny. Contexts leave room for a prompt
and an answer; head sizes (64) are ones that vLLM's CPU kernels accept.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from slipway_training.errors import ConfigInvalid, one_of
from slipway_training.hushed import hush


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """A transformers configuration class by its model type, and the values that make the shape."""

    model_type: str
    context: int
    settings: dict[str, Any] = field(default_factory=dict)


ARCHITECTURES = {
    # 0.3 M: for smoke tests of a pipeline; learns next to nothing.
    "micro-llama": Architecture(
        model_type="llama",
        context=128,
        settings={
            "hidden_size": 64,
            "intermediate_size": 128,
            "num_hidden_layers": 2,
            "num_attention_heads": 1,
            "num_key_value_heads": 1,
            "max_position_embeddings": 128,
            "tie_word_embeddings": True,
        },
    ),
    # 4.1 M: what the demo trains. Three wide layers and untied embeddings learned most in a minute
    # of one core, at a learning rate of 1e-3 and 4 x 128 tokens a step.
    "tiny-llama": Architecture(
        model_type="llama",
        context=512,
        settings={
            "hidden_size": 256,
            "intermediate_size": 512,
            "num_hidden_layers": 3,
            "num_attention_heads": 4,
            "num_key_value_heads": 4,
            "max_position_embeddings": 512,
            "tie_word_embeddings": False,
        },
    ),
    # 4.3 M
    "tiny-gpt2": Architecture(
        model_type="gpt2",
        context=512,
        settings={
            "n_embd": 256,
            "n_layer": 4,
            "n_head": 4,
            "n_positions": 512,
            "resid_pdrop": 0.0,
            "embd_pdrop": 0.0,
            "attn_pdrop": 0.0,
        },
    ),
    # 1.1 B with a 50,257-token vocabulary: the shape of the source system's Russian GPT-2.
    "gpt2-1b": Architecture(
        model_type="gpt2",
        context=1024,
        settings={"n_embd": 2048, "n_layer": 20, "n_head": 32, "n_positions": 1024},
    ),
}


def architecture(name: str) -> Architecture:
    """The bundled shape ``name``; ConfigInvalid lists the known ones."""
    try:
        return ARCHITECTURES[name]
    except KeyError:
        raise one_of("training.architecture", name, list(ARCHITECTURES)) from None


def check_context(context: int, block_size: int) -> None:
    """Refuse blocks that the model cannot attend over."""
    if block_size > context:
        raise ConfigInvalid(
            f"training.data.blockSize is {block_size}, the model's context is {context}; lower it"
        )


def new_model(name: str, tokenizer: Any, *, seed: int) -> Any:
    """A ``PreTrainedModel`` for causal language modelling with seeded random weights, float32."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    hush()
    shape = architecture(name)
    config = AutoConfig.for_model(
        shape.model_type,
        vocab_size=len(tokenizer),
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        **shape.settings,
    )
    torch.manual_seed(seed)
    return AutoModelForCausalLM.from_config(config, dtype=torch.float32)


def context_of(config: Any) -> int:
    """How many tokens a model of ``config`` attends over (a transformers configuration)."""
    for name in ("max_position_embeddings", "n_positions"):
        value = getattr(config, name, None)
        if isinstance(value, int):
            return value
    return 1 << 20

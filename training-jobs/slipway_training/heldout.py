"""Held-out loss of a model on passages it never trained on: evaluation and final metrics."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from slipway_contracts.evaluation import Figure
from slipway_training.blocks import SEPARATOR, evenly_spaced, token_blocks
from slipway_training.hushed import hush
from slipway_training.memory import naming_the_remedy

BLOCK_SIZE = 128
# Tokens a forward pass: fills a CPU's caches, is nothing to a GPU.
_PASS_TOKENS = 1024


def load_model(folder: Path, *, dtype: str = "float32") -> Any:
    """The artifact's model in evaluation mode on this machine's device."""
    import torch
    from transformers import AutoModelForCausalLM

    hush()
    with naming_the_remedy("loading the model"):
        model = AutoModelForCausalLM.from_pretrained(
            str(folder),
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            dtype=dtype if dtype == "auto" else getattr(torch, dtype),
        )
        return model.to("cuda" if torch.cuda.is_available() else "cpu").eval()


def score(
    model: Any,
    tokenizer: Any,
    passages: Sequence[str],
    *,
    max_samples: int,
    block_size: int = BLOCK_SIZE,
) -> dict[str, Figure]:
    """``loss`` (nats a token), ``perplexity`` and ``bits_per_byte`` over blocks of the passages.

    A sample is one block. A block whose loss is no finite number is counted as failed and left out
    of the mean. ``bits_per_byte`` can be compared between tokenizers, the other two cannot.
    """
    blocks = token_blocks(tokenizer, passages, size=block_size)
    losses = _losses(model, evenly_spaced(blocks, max_samples))
    finite = [value for value in losses if math.isfinite(value)]
    counts = {"samples": len(losses), "failed": len(losses) - len(finite)}
    if not finite:
        empty = Figure(value=None, **counts)
        return {"loss": empty, "perplexity": empty, "bits_per_byte": empty}
    loss = sum(finite) / len(finite)
    tokens = len(blocks) * block_size
    text = sum(len((passage + SEPARATOR).encode()) for passage in passages)
    return {
        "loss": Figure(value=loss, **counts),
        "perplexity": Figure(value=math.exp(min(loss, 700.0)), **counts),
        "bits_per_byte": Figure(value=loss / math.log(2) * tokens / text, **counts),
    }


def _losses(model: Any, blocks: Any) -> list[float]:
    import torch

    found: list[float] = []
    if len(blocks) == 0:  # torch splits nothing into one part without rows
        return found
    with torch.inference_mode(), naming_the_remedy("scoring"):
        for batch in blocks.split(max(1, _PASS_TOKENS // max(1, blocks.shape[-1]))):
            ids = batch.to(model.device)
            logits = model(input_ids=ids, use_cache=False).logits[:, :-1].float()
            loss = torch.nn.functional.cross_entropy(
                logits.transpose(1, 2), ids[:, 1:], reduction="none"
            )
            found.extend(loss.mean(dim=1).tolist())
    return found

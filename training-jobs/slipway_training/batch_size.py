"""Automatic batch size: the largest power of two whose trial step fits.

The choice is stored in WORK, so that a resumed run keeps the batches it began with.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from slipway_training.environment import read_environment
from slipway_training.files import write_atomically
from slipway_training.memory import CPU_TOKENS, GPU_TOKENS, is_out_of_memory, largest_batch

FILE = "batch_size.json"
# Optimizer states come after the trial, and allocators fragment.
_HEADROOM = 0.7


def automatic_batch_size(model: Any, blocks: Any, work: Path) -> int:
    """Samples a device and step for ``blocks`` (count, size) of token ids."""
    stored = work / FILE
    if stored.exists():
        return int(json.loads(stored.read_bytes()))
    import torch

    cuda = torch.cuda.is_available()
    limit = max(1, (GPU_TOKENS if cuda else CPU_TOKENS) // blocks.shape[1])
    found = largest_batch(lambda size: _fits(model, blocks, size), min(limit, len(blocks)))
    if read_environment().is_first:
        write_atomically(stored, json.dumps(found).encode())
    return found


def _fits(model: Any, blocks: Any, size: int) -> bool:
    """Whether one forward and backward pass of ``size`` blocks leaves room for the rest."""
    import torch

    cuda = torch.cuda.is_available()
    try:
        if cuda:
            model.to("cuda")
            torch.cuda.reset_peak_memory_stats()
        ids = blocks[:size].to(model.device)
        model(input_ids=ids, labels=ids, use_cache=False).loss.backward()
        if cuda:
            _, total = torch.cuda.mem_get_info()
            return bool(torch.cuda.max_memory_allocated() < _HEADROOM * total)
    except (MemoryError, RuntimeError) as error:
        if is_out_of_memory(error):
            return False
        raise
    finally:
        model.zero_grad(set_to_none=True)
    return True

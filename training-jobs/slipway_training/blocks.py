"""Passages → blocks of token ids of one length: what a language model trains and is scored on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

# One token: two would teach that a line break is followed by a line break, and a small model learns
# little else.
SEPARATOR = "\n"
# Tokenised at a time: bounds memory, and lets the tokenizer use its own threads.
_CHUNK = 512


def token_blocks(tokenizer: Any, passages: Sequence[str], *, size: int) -> Any:
    """An int64 tensor (blocks, size): the passages' tokens in order; the short rest is dropped."""
    import torch

    ids: list[int] = []
    for start in range(0, len(passages), _CHUNK):
        texts = [passage + SEPARATOR for passage in passages[start : start + _CHUNK]]
        for encoded in tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]:
            ids.extend(encoded)
    whole = len(ids) // size
    return torch.tensor(ids[: whole * size], dtype=torch.int64).reshape(whole, size)


class Blocks:
    """A map-style data set over ``token_blocks``; the model shifts the labels itself."""

    def __init__(self, blocks: Any) -> None:
        self._blocks = blocks

    def __len__(self) -> int:
        return len(self._blocks)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"input_ids": self._blocks[index], "labels": self._blocks[index]}


def evenly_spaced(blocks: Any, count: int) -> Any:
    """At most ``count`` blocks, spread over the whole so that no part of the text is favoured."""
    total = len(blocks)
    if total <= count:
        return blocks
    return blocks[[index * total // count for index in range(count)]]

"""Out of memory, recognised wherever it comes from, with the remedy; automatic batch sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from slipway_training.errors import OutOfMemory

REMEDY = (
    "out of memory{where}; lower training.batchSize{size} and raise gradientAccumulation by the "
    "same factor, lower data.blockSize, turn bf16 on, or use method lora. Cause: {cause}"
)
# Larger batches than this many tokens only make a CPU's steps slower, not its tokens faster.
CPU_TOKENS = 2048
GPU_TOKENS = 1 << 17


@contextmanager
def naming_the_remedy(where: str = "", batch_size: int | None = None) -> Iterator[None]:
    """Turn any out-of-memory error of the body into OutOfMemory."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        size = f" (now {batch_size})" if batch_size else ""
        cause = str(error).splitlines()[0] if str(error) else type(error).__name__
        text = REMEDY.format(where=where and f" {where}", size=size, cause=cause)
        raise OutOfMemory(text) from error


def is_out_of_memory(error: BaseException) -> bool:
    """CUDA's own error, Python's, or the CPU allocator's RuntimeError."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and (
        "out of memory" in text or "can't allocate memory" in text or "not enough memory" in text
    )


def largest_batch(fits: Callable[[int], bool], limit: int) -> int:
    """The largest power of two ≤ ``limit`` that ``fits``; OutOfMemory when not even 1 does.

    Doubles from 1, so that nothing much larger than what fits is ever tried.
    """
    best, size = 0, 1
    while size <= limit and fits(size):
        best, size = size, size * 2
    if best == 0:
        raise OutOfMemory(
            "not even a batch of 1 fits; lower data.blockSize, use method lora or a smaller model"
        )
    return best

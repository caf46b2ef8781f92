"""When memory runs out: how it shows, and what a smaller batch is."""

from __future__ import annotations

import gc

import torch

SAID = ("not enough memory", "out of memory", "can't allocate memory", "cannot allocate memory")


def ran_out(error: BaseException) -> bool:
    """Whether an exception says that memory ran out: of a GPU, or of the processor (torch says so in a RuntimeError)."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in SAID)


def free() -> None:
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def halved(batch_size: int, accumulate: int) -> tuple[int, int] | None:
    """(batch size, batches a step) with the same number of rows a step and at most half of them at once; None: it is one row already.

    >>> halved(16, 1), halved(5, 2), halved(1, 16)
    ((8, 2), (2, 5), None)
    """
    rows = batch_size * accumulate
    smaller = next((n for n in range(batch_size // 2, 0, -1) if rows % n == 0), None)
    return None if smaller is None else (smaller, rows // smaller)

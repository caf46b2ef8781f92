"""In which order rows are trained on, and how a batch is made: by seed and epoch alone, so that a run goes on where another stopped."""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from transformers.trainer_pt_utils import get_length_grouped_indices

SEEDS = 2**32


@contextmanager
def kept_chance() -> Iterator[None]:
    """Random states afterwards are those of before: what is done in between does not change the steps that follow."""
    before = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
            yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])


class ByLength(torch.utils.data.Sampler[int]):
    """The rows of an epoch, those of similar length in the same step, so that little is spent on padding.

    The order depends on the seed and the number of the epoch, not on what was drawn before (that of transformers does): a run
    that goes on from a checkpoint gets the same one. Steps are shuffled among themselves, for lengths would else fall and rise;
    the longest step is the first, so that too little memory shows at once.
    """

    def __init__(self, lengths: Sequence[int], rows_a_step: int, seed: int) -> None:
        """`lengths`: tokens of each row. `rows_a_step`: of all batches and processes whose gradients make one step."""
        self.lengths, self.rows_a_step, self.seed, self.epoch = list(lengths), rows_a_step, seed, 0
        self._order: tuple[int, list[int]] = (-1, [])

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[int]:
        return iter(self.order(self.epoch))

    @property
    def steps(self) -> int:
        """Of an epoch."""
        return -(-len(self.lengths) // self.rows_a_step)

    def order(self, epoch: int) -> list[int]:
        if self._order[0] != epoch:
            draw = torch.Generator().manual_seed((self.seed * 1_000_003 + epoch) % SEEDS)
            rows = get_length_grouped_indices(self.lengths, self.rows_a_step, generator=draw)
            whole = len(rows) // self.rows_a_step
            steps = [rows[i * self.rows_a_step : (i + 1) * self.rows_a_step] for i in torch.randperm(whole, generator=draw).tolist()]
            longest = max(range(whole), key=lambda i: sum(self.lengths[row] for row in steps[i]), default=0)
            if steps:
                steps[0], steps[longest] = steps[longest], steps[0]
            shuffled = [row for step in steps for row in step]
            self._order = (epoch, shuffled + rows[whole * self.rows_a_step :])  # what makes no whole step comes last
        return self._order[1]

    def rows_of(self, step: int) -> list[int]:
        """Of one step, counted from 0 over all epochs."""
        epoch, within = divmod(step, self.steps)
        return self.order(epoch)[within * self.rows_a_step : (within + 1) * self.rows_a_step]

    def tokens(self, first: int, last: int) -> int:
        """That the steps from `first` to before `last` read, without padding."""
        epochs, rest = divmod(last, self.steps)
        until = epochs * sum(self.lengths) + sum(self.lengths[row] for row in self.order(epochs)[: rest * self.rows_a_step])
        return until - (self.tokens(0, first) if first else 0)


class Seeded:
    """A collator whose chance (masked words, for instance) depends on the seed, the epoch and the batch.

    Batches are made one ahead of the step that reads them: with the common random state, what a run draws after a checkpoint would
    not be what it would have drawn without.
    """

    def __init__(self, collator: Any, order: ByLength) -> None:
        self.collator, self.order = collator, order

    def __call__(self, rows: list[dict[str, Any]]) -> Any:
        first = np.asarray(rows[0]["input_ids"], dtype=np.int64).tobytes() if "input_ids" in rows[0] else repr(rows[0]).encode()
        seed = zlib.crc32(first, (self.order.seed * 1_000_003 + self.order.epoch) % SEEDS)
        with kept_chance():
            torch.manual_seed(seed)
            random.seed(seed)
            np.random.seed(seed)
            return self.collator(rows)

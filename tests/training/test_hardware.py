"""Limits of a container, and the precision that pays."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from flows.training import hardware
from flows.training.batches import ByLength, Seeded


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"cpu.max": "150000 100000\n"}, 2),
        ({"cpu.max": "50000 100000"}, 1),
        ({"cpu.max": "max 100000"}, 64),
        ({"cpu/cpu.cfs_quota_us": "300000", "cpu/cpu.cfs_period_us": "100000"}, 3),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, 64),
        ({"cpu.max": "nonsense"}, 64),
        ({}, 64),
    ],
)
def test_a_container_has_the_processors_that_it_may_use(tmp_path, monkeypatch, files, expected):
    monkeypatch.setattr(hardware.os, "sched_getaffinity", lambda pid: set(range(64)))
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert hardware.processors(tmp_path) == expected


def test_threads_are_never_more_than_that(monkeypatch):
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        monkeypatch.setattr(hardware, "processors", lambda: 64)
        assert hardware.use_threads() == 2, "what somebody set lower stays"
        monkeypatch.setattr(hardware, "processors", lambda: 2)
        assert hardware.use_threads(processes=2) == 1
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(("amx", "expected"), [(True, "bf16"), (False, "fp32")])
def test_the_precision_of_a_processor(monkeypatch, amx, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    assert hardware.precision("auto") == expected
    assert [hardware.precision(p) for p in ("fp32", "bf16")] == ["fp32", "bf16"]


@pytest.mark.parametrize(("gpu", "expected"), [(True, "bf16"), (False, "fp32")])
def test_the_precision_of_a_gpu(monkeypatch, gpu, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: gpu)
    assert hardware.precision("auto") == expected


# ---- the order of rows ---------------------------------------------------------------------------------------------

LENGTHS = [int(n) for n in np.random.default_rng(1).integers(3, 200, 103)]


def test_every_row_once_an_epoch_those_of_similar_length_together():
    order = ByLength(LENGTHS, 8, seed=3)
    rows = order.order(0)
    assert sorted(rows) == list(range(103)) and order.steps == 13
    padded = sum(8 * max(LENGTHS[r] for r in rows[i : i + 8]) for i in range(0, 96, 8))
    by_chance = sum(8 * max(LENGTHS[i : i + 8]) for i in range(0, 96, 8))
    assert padded < 0.75 * by_chance
    assert max(LENGTHS) in [LENGTHS[r] for r in rows[:8]], "the longest first"


def test_the_order_depends_on_seed_and_epoch_alone():
    order = ByLength(LENGTHS, 8, seed=3)
    first, second = order.order(0), order.order(1)
    torch.manual_seed(0)
    torch.rand(5)
    assert order.order(0) == first != second and ByLength(LENGTHS, 8, seed=4).order(0) != first
    assert ByLength(LENGTHS, 8, seed=3).order(1) == second, "not on what was drawn before"


def test_rows_and_tokens_of_steps():
    order = ByLength(LENGTHS, 8, seed=3)
    assert [r for step in range(13) for r in order.rows_of(step)] == order.order(0)
    assert order.rows_of(13) == order.order(1)[:8]
    assert order.tokens(0, 13) == sum(LENGTHS) and order.tokens(0, 26) == 2 * sum(LENGTHS)
    assert order.tokens(5, 20) == sum(LENGTHS[r] for step in range(5, 20) for r in order.rows_of(step))
    assert sorted(ByLength([5, 6, 7], 8, seed=1).order(0)) == [0, 1, 2], "fewer rows than a step has"


def test_the_chance_of_a_collator_is_that_of_its_batch_and_epoch():
    order = ByLength(LENGTHS, 8, seed=3)
    collator = Seeded(lambda rows: (torch.rand(2).tolist(), float(np.random.rand())), order)
    torch.manual_seed(1)
    expected = torch.rand(3)
    one = collator([{"input_ids": [1, 2]}])
    torch.manual_seed(1)
    assert collator([{"input_ids": [1, 2]}]) == one != collator([{"input_ids": [1, 3]}])
    assert torch.equal(torch.rand(3), expected), "the common random state is as before"
    order.epoch = 1
    assert collator([{"input_ids": [1, 2]}]) != one

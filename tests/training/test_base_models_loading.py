"""What from_pretrained is told: never code, never a pickle, never the network; fewer bits only where they can be had."""

from __future__ import annotations

import importlib.metadata
import importlib.util

import pytest

from flows.errors import ConfigurationError
from flows.project import FrozenCandidate, TransformerCandidate
from flows.training.base_models import loading_arguments

SAFE = {"use_safetensors": True, "trust_remote_code": False, "local_files_only": True}


def candidate(quantise=None):
    return TransformerCandidate.model_validate({"base_model": "lake:grand@1", "lora": {}, "quantise": quantise})


def test_every_candidate_is_loaded_from_safe_files_that_are_here():
    assert loading_arguments(candidate()) == SAFE
    assert loading_arguments(FrozenCandidate(base_model="lake:mini@1")) == SAFE


def test_a_pickle_is_not_loaded_even_if_it_is_all_there_is(tmp_path):
    import torch
    from transformers import AutoModel

    from tests.training import tiny

    folder = tiny.make(tmp_path / "tiny")
    weights = AutoModel.from_pretrained(folder).state_dict()
    (folder / "model.safetensors").unlink()
    torch.save(weights, folder / "pytorch_model.bin")
    with pytest.raises(OSError, match="safetensors"):
        AutoModel.from_pretrained(folder, **loading_arguments(candidate()))


@pytest.fixture
def gpu(monkeypatch):
    """A machine that says it has a card."""
    import torch

    def made(bf16=True):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: bf16)

    return made


@pytest.fixture
def library(monkeypatch):
    """It says that bitsandbytes is installed."""
    find, version = importlib.util.find_spec, importlib.metadata.version
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: object() if name == "bitsandbytes" else find(name, *more))
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "0.50.0" if name == "bitsandbytes" else version(name))


@pytest.mark.parametrize("bits", ["4bit", "8bit"])
def test_without_a_gpu_it_is_said_what_to_do(monkeypatch, library, bits):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigurationError, match=f"{bits} needs a CUDA GPU") as caught:
        loading_arguments(candidate(bits))
    assert caught.value.where == "lake:grand@1" and "quantised" in caught.value.hint


@pytest.mark.parametrize("bits", ["4bit", "8bit"])
def test_without_the_library_it_is_said_what_to_do(monkeypatch, gpu, bits):
    gpu()
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: None if name == "bitsandbytes" else find(name, *more))
    with pytest.raises(ConfigurationError, match="needs bitsandbytes") as caught:
        loading_arguments(candidate(bits))
    assert "pip install 'socle[quantised]'" in caught.value.hint


def test_with_both(gpu, library, monkeypatch):
    import torch

    gpu()
    four = loading_arguments(candidate("4bit"))
    assert four.items() >= SAFE.items() and four["device_map"] == {"": 0} and four["dtype"] is torch.bfloat16
    kept = four["quantization_config"]
    assert (kept.load_in_4bit, kept.load_in_8bit, kept.bnb_4bit_quant_type, kept.bnb_4bit_use_double_quant) == (True, False, "nf4", True)
    assert kept.bnb_4bit_compute_dtype is torch.bfloat16
    eight = loading_arguments(candidate("8bit"))["quantization_config"]
    assert (eight.load_in_4bit, eight.load_in_8bit) == (False, True)
    monkeypatch.setenv("LOCAL_RANK", "2")
    assert loading_arguments(candidate("8bit"))["device_map"] == {"": 2}


def test_an_older_card_computes_in_float16(gpu, library):
    import torch

    gpu(bf16=False)
    four = loading_arguments(candidate("4bit"))
    assert four["dtype"] is torch.float16 and four["quantization_config"].bnb_4bit_compute_dtype is torch.float16

"""Small folders that look like pretrained models."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

APACHE = "---\nlanguage: fr\nlicense: apache-2.0\n---\n# Mini\n"
INDEX = "model.safetensors.index.json"


def weights(path: Path, value: float = 1.0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({"w": np.full(3, value, dtype=np.float32)}, path)


def model(folder: Path, value: float = 1.0, name: str = "model.safetensors", card: str = "", **config: Any) -> Path:
    weights(folder / name, value)
    (folder / "config.json").write_text(json.dumps({"model_type": "bert", **config}))
    (folder / "tokenizer.json").write_text("{}")
    if card:
        (folder / "README.md").write_text(card, encoding="utf-8")
    return folder


def sharded(folder: Path, *values: float, card: str = "") -> Path:
    """Weights in several files, with their index."""
    names = [f"model-{n:05}-of-{len(values):05}.safetensors" for n in range(1, len(values) + 1)]
    for name, value in zip(names, values, strict=True):
        model(folder, value, name, card)
    (folder / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": {f"w{n}": name for n, name in enumerate(names)}}))
    return folder


def sentences(folder: Path, dense: str = "model.safetensors", kind: str = "sentence_transformers.models.Dense", card: str = "") -> Path:
    """A model of sentence-transformers with a layer of its own; `dense`: the file of that layer's weights."""
    model(folder, card=card)
    modules = [{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"}]
    modules.append({"idx": 1, "name": "1", "path": "1_Dense", "type": kind})
    (folder / "modules.json").write_text(json.dumps(modules))
    if dense.endswith(".safetensors"):
        weights(folder / "1_Dense" / dense, 2.0)
    else:
        (folder / "1_Dense").mkdir(exist_ok=True)
        (folder / "1_Dense" / dense).write_bytes(b"\x80\x04.")
    (folder / "1_Dense" / "config.json").write_text("{}")
    return folder


def clutter(folder: Path) -> list[str]:
    """What repositories have besides, and what is never taken. Returns the names."""
    files = {
        "pytorch_model.bin": b"\x80\x04.",
        "training_args.bin": b"PK\x03\x04",
        "optimizer.pt": b"\x80\x02.",
        "vocab.pkl": b"\x80\x03.",
        "modeling_mini.py": b"raise SystemExit('code was run')",
        "pytorch_model.bin.index.json": b"{}",
        "tf_model.h5": b"h5",
        "adapter_config.json": b"{}",
        "onnx/model.onnx": b"onnx",
        "onnx/config.json": b"{}",
        "original/consolidated.safetensors": b"x",
        "consolidated.safetensors": b"x",
        ".gitattributes": b"",
        "figure.png": b"png",
    }
    for name, data in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)
    return sorted(files)


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def combined(*paths: Path) -> str:
    """The hash of weights in several files, as the documentation says it."""
    return hashlib.sha256("".join(sha256(p) for p in paths).encode()).hexdigest()

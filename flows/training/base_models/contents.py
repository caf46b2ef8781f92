"""What of a pretrained model is taken, and what is refused: configuration, tokenizer, safetensors weights; never code, never a pickle.

Names are relative to the model's folder, with slashes. Sources: the folder layouts of transformers (one weights file, or shards with an
index) and of sentence-transformers (`modules.json`, and folders such as `1_Pooling`, `2_Dense`).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from flows.errors import Refused
from flows.lake.base_models import file_sha256, is_file_name, require_file_name

CONFIG, WEIGHTS, INDEX = "config.json", "model.safetensors", "model.safetensors.index.json"
MODULE = re.compile(r"\d+_\w+")
"""A folder of one module of sentence-transformers."""
TEXTS = (".json", ".txt", ".jinja", ".tiktoken", ".codes")
SENTENCE_PIECE = (".model", ".spm")
NOTICE = re.compile(r"README\.md|(LICEN[CS]E|NOTICE|COPYING)[\w-]*(\.(md|txt))?", re.IGNORECASE)
ADAPTER = ("adapter_config.json", "adapter_model.safetensors")
PICKLES = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt")
VOCABULARIES = ("tokenizer.json", "vocab.json", "added_tokens.json")
"""Large, and nothing in them names code."""
CODE = ("auto_map", "custom_pipelines")
CONVERT = "load it where you trust it, save it with save_pretrained(..., safe_serialization=True), then socle base-model add"


def texts(names: Iterable[str]) -> list[str]:
    """Of all files of a model those that are small and taken: configuration, tokenizer, card and licence."""
    return sorted(name for name in names if _is_text(name) and is_file_name(name))


def weights(names: Iterable[str], read: Callable[[str], bytes], where: str) -> list[str]:
    """The weights that libraries would load: `model.safetensors`, or the shards of its index, and those of modules.

    `read` gives the bytes of one of the names. Without either name, every safetensors file of the folder counts.
    Raises: Refused if there are none, or the index names a file that is not there or not in the folder.
    """
    there = set(names)
    main = [WEIGHTS] if WEIGHTS in there else _shards(there, read, where) if INDEX in there else _others(there)
    if not main and there & set(ADAPTER):
        raise Refused("this is an adapter, not a whole model", where=where, hint="merge it into its base model first")
    if not main:
        raise Refused("only models with safetensors weights are loaded", where=where, hint=CONVERT)
    modules = [n for n in there if n.endswith(".safetensors") and n.count("/") == 1 and MODULE.fullmatch(n.partition("/")[0])]
    for name in (*main, *modules):
        require_file_name(name, where)
    return sorted({*main, *modules})


def files(folder: Path) -> list[str]:
    """Names of its files and of those one folder below: deeper, no library looks."""
    return sorted(p.relative_to(folder).as_posix() for pattern in ("*", "*/*") for p in folder.glob(pattern) if p.is_file())


def weights_of(folder: Path) -> list[str]:
    return weights(files(folder), lambda name: (folder / name).read_bytes(), str(folder))


def weights_sha256(folder: Path) -> str:
    """sha256 of model.safetensors; for weights in several files, of their hashes (hex, joined) in the order of their names.

    Raises: Refused as `weights` does.
    """
    return combined([file_sha256(folder / name) for name in weights_of(folder)])


def combined(hashes: list[str]) -> str:
    return hashes[0] if len(hashes) == 1 else hashlib.sha256("".join(hashes).encode()).hexdigest()


def require_texts(folder: Path, name: str) -> None:
    """The small files of a model are what they should be, and bring no code.

    Raises: Refused.
    """
    require_inside(folder, CONFIG)
    config = _json(folder, CONFIG, name)
    if config.get("transformers_weights") not in (None, WEIGHTS, INDEX):
        raise Refused(f"the configuration of {name!r} names other weights", where=str(folder / CONFIG), hint=f"name them {WEIGHTS}")
    for file in texts(files(folder)):
        require_inside(folder, file)
        if file.endswith(SENTENCE_PIECE) or NOTICE.fullmatch(file):
            _require_no_pickle(folder / file, name)
        elif file.endswith(".json"):
            if file not in VOCABULARIES and (key := _names_code(_json(folder, file, name, Any))):
                raise Refused(f"{name!r} brings its own code, which is never run ({key})", where=str(folder / file))
        else:
            _require_utf8(folder / file, name)
    _require_known_modules(folder, name)


def require_no_adapter(folder: Path, name: str) -> None:
    """transformers would load an adapter that lies in the folder, and the base model that it names, wherever that is.

    Raises: Refused.
    """
    if (folder / ADAPTER[0]).exists():
        raise Refused(
            f"{name!r} has an adapter in it", where=str(folder / ADAPTER[0]), hint="take the adapter out, or merge it into its model"
        )


def require_weights(folder: Path, name: str) -> None:
    """Each weights file is whole and lies in the folder. No module has its weights in a pickle alone.

    Raises: Refused.
    """
    from safetensors import SafetensorError, safe_open

    for file in weights_of(folder):
        require_inside(folder, file)
        try:
            with safe_open(folder / file, framework="np"):
                pass
        except (SafetensorError, OSError) as error:
            raise Refused(f"the weights of {name!r} are damaged ({type(error).__name__})", where=str(folder / file)) from None
    require_no_pickled_module(files(folder), name, str(folder))


def require_no_pickled_module(names: Iterable[str], name: str, where: str) -> None:
    there = set(names)
    for file in sorted(there):
        module = file.partition("/")[0]
        if file.endswith(PICKLES) and file.count("/") == 1 and MODULE.fullmatch(module) and f"{module}/{WEIGHTS}" not in there:
            raise Refused(f"the weights of the module {module} of {name!r} are a pickle, which is never loaded", where=where, hint=CONVERT)


def require_inside(folder: Path, name: str) -> None:
    """A file of a model is in its folder, or, in a cache of the hub, where that keeps the bytes of the same model."""
    around = folder.resolve()
    if around.parent.name == "snapshots":
        around = around.parent.parent
    if not (folder / name).resolve().is_relative_to(around):
        raise Refused(f"{name} is a link out of the model's folder", where=str(folder), hint="copy it with its links resolved (cp -rL)")


def _is_text(name: str) -> bool:
    folder, _, file = name.rpartition("/")
    if folder and not (MODULE.fullmatch(folder) or folder == "additional_chat_templates"):
        return False
    if file in ADAPTER or (file.endswith(".index.json") and file != INDEX):
        return False
    return file.endswith(TEXTS + SENTENCE_PIECE) or NOTICE.fullmatch(file) is not None


def _shards(there: set[str], read: Callable[[str], bytes], where: str) -> list[str]:
    try:
        named = sorted(set(json.loads(read(INDEX))["weight_map"].values()))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Refused("the index of the weights is damaged", where=f"{where}/{INDEX}") from None
    for name in named:
        require_file_name(name, f"{where}/{INDEX}")  # before anything is looked for there
        if not name.endswith(".safetensors"):
            raise Refused(f"the index names {name!r}, which is not safetensors", where=f"{where}/{INDEX}", hint=CONVERT)
    if absent := [name for name in named if name not in there]:
        raise Refused(f"weights are missing: {', '.join(absent[:3])} ({len(absent)} of {len(named)})", where=f"{where}/{INDEX}")
    return named


def _others(there: set[str]) -> list[str]:
    return [name for name in there if name.endswith(".safetensors") and "/" not in name and name not in ADAPTER]


def _json(folder: Path, file: str, name: str, kind: Any = dict) -> Any:
    try:
        value = json.loads((folder / file).read_bytes())
    except (ValueError, RecursionError):
        value = ...
    if value is ... or (kind is dict and not isinstance(value, dict)):
        raise Refused(f"the configuration of {name!r} is damaged", where=str(folder / file))
    return value


def _names_code(value: Any) -> str:
    """The key that names code, anywhere in it; empty if there is none."""
    pending = [value]
    while pending:
        one = pending.pop()
        if isinstance(one, dict):
            if found := next((key for key in CODE if one.get(key)), ""):
                return found
            pending += one.values()
        elif isinstance(one, list):
            pending += one
    return ""


def _require_known_modules(folder: Path, name: str) -> None:
    """Modules of sentence-transformers are classes by name: those of that library, and nobody else's."""
    if not (folder / "modules.json").is_file():
        return
    modules = _json(folder, "modules.json", name, Any)
    for module in modules if isinstance(modules, list) else [None]:
        kind, place = (module.get("type"), module.get("path", "")) if isinstance(module, dict) else (None, "")
        if not isinstance(kind, str) or not kind.startswith("sentence_transformers."):
            raise Refused(f"{name!r} brings its own code, which is never run ({kind})", where=str(folder / "modules.json"))
        if place:
            require_file_name(place, str(folder / "modules.json"))


def _require_utf8(path: Path, name: str) -> None:
    try:
        path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise Refused(f"{path.name} of {name!r} is not UTF-8 text", where=str(path)) from None


def _require_no_pickle(path: Path, name: str) -> None:
    """By how pickles (protocol 2 and later) and the archives that torch writes begin."""
    with path.open("rb") as file:
        start = file.read(2)
    if start == b"PK" or (start[:1] == b"\x80" and start[1:] in (b"\x02", b"\x03", b"\x04", b"\x05")):
        raise Refused(f"{path.name} of {name!r} is a pickle or an archive", where=str(path))

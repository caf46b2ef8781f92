"""A project's own function between what a file says and the rows of a dataset. Whatever it raises is reported as its error."""

from __future__ import annotations

import importlib.util
import traceback
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from flows.errors import ConfigurationError, SocleError


def load_transform(folder: Path, transform: str) -> tuple[Callable[[Any], Iterable[Any]], str]:
    """The project's function, and the name of its one argument: `records` (dictionaries) or `batch` (Polars frames)."""
    file, name = transform.split(":")
    spec = importlib.util.spec_from_file_location(f"socle_transform_{abs(hash(folder))}", folder / file)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        function = getattr(module, name)
    except (Exception, SystemExit) as error:
        raise _transform_error(error, transform, "while it was loaded", str(folder / file)) from error
    return function, function.__code__.co_varnames[0]


def guarded(rows: Callable[[], Iterable[Any]], transform: str, name: str) -> Iterator[Any]:
    """A transform is the project's code: whatever it raises is reported as its error, with its line."""
    count = 0
    try:
        for row in rows():
            if not (isinstance(row, dict) or hasattr(row, "iter_slices") or hasattr(row, "sink_parquet")):
                raise TypeError(f"it gave a {type(row).__name__}, not a row (dict) or a frame of Polars")
            yield row
            count += 1
    except SocleError:
        raise
    except (Exception, SystemExit) as error:
        raise _transform_error(error, transform, f"after {count} rows of {name}", name) from error


def _transform_error(error: BaseException, transform: str, moment: str, where: str) -> ConfigurationError:
    own = [f for f in traceback.extract_tb(error.__traceback__) if f.filename.endswith(transform.split(":", maxsplit=1)[0])]
    line = f", line {own[-1].lineno}" if own else ""
    reason = "".join(traceback.format_exception_only(error)).strip()
    return ConfigurationError(
        f"the transform {transform} failed {moment}: {reason}{line}", where=where, hint="socle validate, then fix the transform"
    )

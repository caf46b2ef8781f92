"""Bytes -> what a load makes of them, without a lake to commit to: rows with their places, refused rows, what was read."""

from __future__ import annotations

import itertools
import shutil
from dataclasses import dataclass, replace
from typing import Any

from flows.errors import SocleError
from flows.lake.raw import RawFile
from flows.project import Dataset
from flows.steps import Run, fast, refused
from flows.steps.identity import LeftOut
from flows.steps.parse import Loader
from flows.steps.plan import DatasetPlan, erasures

NUMBERS = itertools.count()


@dataclass(frozen=True)
class Loaded:
    rows: list[dict[str, Any]]
    """Declared columns, FILE and ROW, in order."""
    schema: dict[str, Any]
    refused: list[dict[str, Any]]
    read: int
    reading: dict[str, Any]
    taken: int
    """Files that went the short way."""
    bunched: int = 0
    """Files that were read together with others."""
    findings: tuple[str, ...] = ()


def declared(columns: dict[str, Any], **more: Any) -> Dataset:
    return Dataset.model_validate({"title": "Essai", "source": {"type": "file", "path": "data/*"}, "columns": columns} | more)


class Loads:
    """Loads of files into nothing, in the work folder of one run."""

    def __init__(self, run: Run) -> None:
        self.run = run
        run.lake.bucket("essai").ensure()

    def __call__(self, dataset: Dataset, files: dict[str, bytes], short: bool, together: bool = False) -> Loaded | SocleError:
        """`short`: files may go the short way. `together`: little ones may be read at once."""
        project = self.run.project.model_copy(update={"datasets": {"demandes": dataset}})
        object.__setattr__(project, "_folder", self.run.project.folder)
        object.__setattr__(project, "_name", "essai")
        settings = self.run.settings.model_copy(update={"retyped_percent": 100})  # drift is for other tests
        run = replace(self.run, settings=settings, project=project, work=self.run.work / str(next(NUMBERS)))
        plan = DatasetPlan("demandes", "load", [], load_id="essai")
        run.work.mkdir()
        before, fast.SMALL = fast.SMALL, 0 if short else 1 << 60
        taken, bunched = list[bool](), list[int]()
        try:
            loader = Loader(run, plan, LeftOut(erasures(run, "demandes"), dataset), lambda amount: None)
            short_way = loader._fast
            loader._fast = lambda *what: taken.append(short_way(*what)) or taken[-1]  # type: ignore[method-assign,func-returns-value]
            received = []
            for name, data in files.items():
                path = run.work / name
                path.write_bytes(data)
                received.append((RawFile("", name, len(data), name, path), path))
            if together:
                load_one = loader._load
                loader._load = lambda *what: bunched.append(-1) or load_one(*what)  # type: ignore[method-assign,func-returns-value]
                bunched.append(len(files))
                loader.load(received)
            for each in [] if together else received:
                loader.load([each])
            return replace(_loaded(loader.finish(), sum(taken)), bunched=sum(bunched))
        except SocleError as error:
            return error
        finally:
            fast.SMALL = before
            shutil.rmtree(run.work, ignore_errors=True)  # Polars may still be writing what was given up


def _loaded(parsed: Any, taken: int) -> Loaded:
    import polars as pl

    frames = [part.scan().collect() for part in parsed.parts]
    assert [f.height for f in frames] == [part.rows for part in parsed.parts]
    whole = pl.concat(frames) if frames[0].height or len(frames) > 1 else frames[0]
    out = refused.scan(parsed.refused_files).collect().sort("file", "row_number")
    findings = tuple(f.text for f in parsed.findings)
    return Loaded(whole.to_dicts(), dict(whole.schema), out.to_dicts(), parsed.read, parsed.reading, taken, findings=findings)

"""Where else a person can be: raw bytes, samples in check reports, and, afterwards, every object of the bucket."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from flows import progress
from flows.errors import NotFound, SocleError
from flows.lake import keys
from flows.lake.local import TEMPORARY, LocalObjects
from flows.lake.objects import ObjectInfo
from flows.lake.raw import RawFile, RawStore
from flows.quality.results import CheckReport
from flows.steps import Run
from flows.steps.identity import Person
from flows.steps.pieces import read_again
from flows.steps.plan import source_of
from flows.steps.reports import kept_trend, put_report

DAY_S = 86_400.0
PROJECT_WIDE = ("audit/", keys.ERASURES)  # records that are never changed


# ---- raw bytes -----------------------------------------------------------------------------------------------------


def find_raw(run: Run, name: str, who: Person) -> tuple[RawStore, list[RawFile], int]:
    """(store, files with rows of the person, files that were searched). Read as a load would read them; and looked through as text,
    because what a transform leaves out is in the bytes all the same."""
    _, raw = source_of(run, name, None)
    prefix = keys.raw_folder(name)
    listed = [o for o in raw.objects.list(prefix) if "/" not in o.key.removeprefix(prefix) and not o.key.endswith(".json")]
    found = []
    for item in listed:
        sha256 = item.key.removeprefix(prefix)
        path = run.work / "raw-file"
        raw.objects.fetch(item.key, path)
        known = raw.known(sha256) or RawFile(sha256, sha256, item.size, "")
        if _raw_holds(run, name, replace(known, path=path), who):
            found.append(known)
        path.unlink()
    return raw, found, len(listed)


def _raw_holds(run: Run, name: str, file: RawFile, who: Person) -> bool:
    assert file.path is not None
    try:
        source, _ = source_of(run, name, None)
        if any(who.in_rows(batch.lazy()) for batch in read_again(run, name, file.name, source.unpack(file.path, run.work))):
            return True
        readable = True
    except (SocleError, UnicodeError, ValueError):  # of another format than today's, or damaged
        readable = False
    return (who.is_distinct or not readable) and who.needle.in_file(file.path, run.work)


def temporary_files(run: Run) -> None:
    """What a killed write left in a local lake; no listing shows it."""
    objects = run.lake.bucket(run.project.name)
    if isinstance(objects, LocalObjects):
        for path in objects.folder.rglob(f"{TEMPORARY}*"):
            if path.is_file() and time.time() - path.stat().st_mtime > DAY_S:
                path.unlink(missing_ok=True)


# ---- check reports -------------------------------------------------------------------------------------------------


def clean_checks(run: Run, name: str, who: Person, *, found: bool, dry_run: bool) -> int:
    """Take samples out of the reports, and write their pages again. `found`: rows of the person were in some load, so that any sample
    of the dataset can be of theirs: all go. Otherwise only those that name the person."""
    objects, changed = run.lake.bucket(run.project.name), 0
    for item in list(objects.list(keys.checks(name))):
        if not item.key.endswith("/result.json"):
            continue
        load_id = item.key.split("/")[2]
        try:
            before = json.loads(objects.get(item.key))
            page = objects.get(keys.check_docs(name, load_id)).decode(errors="replace")
        except NotFound:
            page = ""
        after = _blanked(before, who, found)
        if after != before or who.needle.in_text(page):
            changed += 1
            if not dry_run:
                put_report(run, CheckReport.from_json(json.dumps(after).encode()), kept_trend(run, name, load_id))
    return changed


def _blanked(value: Any, who: Person, samples: bool) -> Any:
    if isinstance(value, dict):
        return {k: [] if k == "examples" and samples else _blanked(v, who, samples) for k, v in value.items()}
    if isinstance(value, list):
        return [_blanked(v, who, samples) for v in value]
    if isinstance(value, str):
        return who.needle.blank(value) if who.is_distinct else value
    return value


def copied_report(run: Run, name: str, load_id: str, new: str, total: int) -> None:
    """The new version's report: that of the version that it was made from, without samples."""
    try:
        report = CheckReport.from_json(run.lake.bucket(run.project.name).get(keys.check_result(name, load_id)))
    except NotFound:
        return
    results = [replace(r, examples=[]) for r in report.results]
    put_report(run, replace(report, load_id=new, rows=report.rows | {"total": total}, results=results), kept_trend(run, name, load_id))


# ---- afterwards ----------------------------------------------------------------------------------------------------


def verify(run: Run, name: str, who: Person, advance: progress.Advance) -> dict[str, Any]:
    """Read every object of the bucket. `rows_left`: objects of this dataset that still have a row of the person, or the value where
    nothing but the person can be meant. `mentions`: other objects in which the value is a word; somebody has to look at those."""
    rows_left, mentions, count, size = list[str](), list[str](), 0, 0
    objects = run.lake.bucket(run.project.name)
    for item in list(objects.list()):
        path = run.work / "verify"
        try:
            objects.fetch(item.key, path)
        except NotFound:  # deleted by another run
            continue
        kind = _kind(run, name, item, path, who)
        if kind == "row":
            rows_left.append(item.key)
        elif kind == "mention":
            mentions.append(item.key)
        count, size = count + 1, size + item.size
        path.unlink()
        advance(1)
    return {"objects_read": count, "bytes_read": size, "rows_left": rows_left, "mentions": mentions}


def _kind(run: Run, name: str, item: ObjectInfo, path: Path, who: Person) -> str:
    places = (f"{keys.table(name)}/", f"{keys.quarantine(name)}/", keys.raw_folder(name), keys.checks(name), keys.corrections(name))
    own = item.key.startswith(places)
    if own and item.key.endswith(".parquet") and any(_rows(path, item.key, name, who)):
        return "row"
    if not who.needle.in_file(path, run.work):
        return ""
    if item.key.startswith(PROJECT_WIDE):
        return "mention"
    return "row" if own and who.is_distinct and not _other_rows(item.key, name) else "mention"


def _rows(path: Path, key: str, name: str, who: Person) -> Iterator[int]:
    import polars as pl

    try:
        if key.startswith(f"{keys.quarantine(name)}/") and "_delta_log" not in key:
            yield sum(who.in_refused(pl.read_parquet(path)))
        else:
            yield who.in_rows(pl.scan_parquet(path))
    except pl.exceptions.PolarsError:
        yield 0


def _other_rows(key: str, name: str) -> bool:
    """Rows of other people may mention the value in a text of theirs; that they were read is enough to know that none is the person's."""
    rows = (f"{keys.table(name)}/", f"{keys.quarantine(name)}/", keys.corrections(name))
    return key.startswith(rows) and "_delta_log" not in key

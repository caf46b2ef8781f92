"""What a load would make of a source, without loading anything: how its bytes are read and why, which columns there seem to be, what
can be read in two ways, and, for a dataset, whether the present file would be refused.

It looks at the first rows of a file only; `whole` says whether these are all.
"""

from __future__ import annotations

import itertools
import re
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows import contract, formats
from flows.contract.propose import Proposal
from flows.errors import ConfigurationError, NotFound, Refused, SourceRefused
from flows.findings import Finding
from flows.formats import BadRow
from flows.lake.datasets import Dataset
from flows.lake.loads import DatasetVersion
from flows.lake.raw import RawFile
from flows.project import Dataset as Declared
from flows.project import Format
from flows.project.sources import DatasetsSource, PseudonymisedSource
from flows.settings import Settings
from flows.steps import Run
from flows.steps.explain_yaml import block, dataset_name
from flows.steps.passing import passing_source
from flows.steps.pieces import read_batches
from flows.steps.plan import source_of
from flows.steps.reading import Reading

if TYPE_CHECKING:
    import polars as pl

DATA_GOUV = re.compile(r"^https?://www\.data\.gouv\.fr/(?:[a-z]{2}/)?datasets/([\w-]+)/?$")
CHECKED = 50  # files of a dataset that are compared with its last load


@dataclass(frozen=True)
class Refusal:
    """Why a load of this file would be refused."""

    file: str
    why: str
    french: str
    hint: str


@dataclass(frozen=True)
class Explained:
    """One file, as it would be read."""

    name: str
    size: int
    format: Format
    reasons: dict[str, str]
    findings: list[Finding]
    columns: list[Proposal]
    rows: list[dict[str, Any]]
    """The first ones, as the file has them; none where they are about persons."""
    seen: int
    """Rows that were looked at."""
    whole: bool
    bad: list[BadRow]
    """Records among those that are no rows."""
    hidden: bool = False
    """There are rows, which are not shown because they are about persons."""
    others: list[str] = field(default_factory=list)
    """Further files of the source."""
    examples: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Column -> a text, and the value that is made of it, where these differ."""
    yaml: str = ""
    frozen: dict[str, Any] = field(default_factory=dict)
    """Of a dataset: what its last load was read with."""
    version: str = ""
    refusals: list[Refusal] = field(default_factory=list)


# ---- a file, or an address ------------------------------------------------------------------------------------------


def explain_path(path: Path, settings: Settings, rows: int) -> Explained:
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise ConfigurationError(f"{path} {what}", where=str(path.absolute().parent), hint="socle explain FILE, or PROJECT/DATASET")
    source = {"type": "file", "path": f"data/{path.name}"}
    with tempfile.TemporaryDirectory(prefix="socle-explain-") as folder:
        return _explain_bytes(path, path.name, source, Path(folder), settings, rows)


def explain_address(url: str, settings: Settings, rows: int) -> Explained:
    """Nothing of it is kept. A page of a data.gouv.fr dataset stands for its file."""
    known = DATA_GOUV.match(url)
    declared = {"type": "datagouv", "dataset": known[1]} if known else {"type": "http", "url": url}
    with tempfile.TemporaryDirectory(prefix="socle-explain-") as name:
        folder = Path(name)
        hint = "socle explain FILE, PROJECT/DATASET or an address"
        source = passing_source(declared, folder, settings, name="explain", hint=hint)
        files = source.fetch(folder / "fetched")
        if not files:
            raise SourceRefused(f"{url} gave no file", where=url)
        path = source.unpack(_path(files[0]), folder)
        found = _explain_bytes(path, files[0].name, declared, folder, settings, rows)
        return replace(found, others=[*found.others, *(f.name for f in files[1:])])


def _explain_bytes(path: Path, name: str, source: dict[str, Any], folder: Path, settings: Settings, rows: int) -> Explained:
    members = formats.members(path, name, None, folder / "members", settings)
    member = next(members, None)
    if member is None:
        raise SourceRefused(f"{name} holds no file that can be read", where=str(path))
    others = [m.name for m in itertools.islice(members, CHECKED)]
    decision = formats.decide(member.path, member.name, None, settings)
    sample, bad, whole = _sample(
        _frames(formats.read(member.path, member.name, decision.format, settings), decision.format), settings.batch_rows
    )
    columns = contract.propose(sample)
    found = Explained(
        name=member.name,
        size=member.path.stat().st_size,
        format=decision.format,
        reasons=decision.reasons,
        findings=decision.findings + [f for c in columns for f in c.findings],
        columns=columns,
        rows=_rows(sample, rows),
        seen=sample.height,
        whole=whole,
        bad=bad,
        others=others,
        examples=_examples(sample, columns),
    )
    return replace(found, yaml=block(dataset_name(name), {"title": Path(name).stem, "source": source}, found.format, columns))


def _frames(pieces: Iterator[Any], how: Format) -> Iterator[Any]:
    """Frames, and records that are no rows."""
    if how.type not in formats.RECORD_FORMATS:
        yield from pieces
        return
    while chunk := list(itertools.islice(pieces, 1000)):
        yield from (p for p in chunk if isinstance(p, BadRow))
        if records := [p for p in chunk if not isinstance(p, BadRow)]:
            yield contract.frame_of_records(records)


def _sample(pieces: Iterable[Any], most: int) -> tuple[pl.DataFrame, list[BadRow], bool]:
    """The first rows of a file, the records before them that are none, and whether there is nothing more."""
    import polars as pl

    frames, bad, height = list[pl.DataFrame](), list[BadRow](), 0
    iterator = iter(pieces)
    for piece in iterator:
        if isinstance(piece, BadRow):
            bad.append(piece)
        else:
            contract.require_names(piece.columns, "its first records")
            frames.append(piece.select([c for c in piece.columns if not c.startswith("__")]))
            height += piece.height
        if height >= most or len(bad) >= most:
            rest = next(iterator, None) is None
            break
    else:
        rest = True
    sample = pl.concat(frames, how="diagonal_relaxed") if frames else pl.DataFrame()
    return sample.head(most), bad, rest and sample.height <= most


# ---- a dataset of a project -----------------------------------------------------------------------------------------


def explain_dataset(run: Run, name: str, rows: int, *, show_values: bool = False) -> Explained:
    """The files that its source gives now; the first of them is shown (of pictures, the newest), all are compared with the last load."""
    if name not in run.project.datasets:
        there = ", ".join(run.project.datasets)
        raise ConfigurationError(f"project {run.project.name} has no dataset {name!r}", where=f"datasets there: {there}")
    declared = run.project.datasets[name]
    if isinstance(declared.source, DatasetsSource | PseudonymisedSource):
        inputs = " and ".join(declared.source.datasets)
        raise ConfigurationError(
            f"{run.project.name}/{name} is made from versions of {inputs}: it has no file of its own that could be read in some way",
            where=f"datasets.{name}.source",
            hint=f"socle explain of those, or socle show {run.project.name}/{name}",
        )
    table = Dataset(run.lake, run.project.name, name)
    current = table.latest() if run.lake.bucket(run.project.name).bucket_exists() else None
    files, source = _files_of(run, name, current)
    if declared.mode == "snapshot":
        files = _pictures(files, current)
    hidden = declared.personal_data != "none" and not show_values
    found: Explained | None = None
    refusals, others = list[Refusal](), list[str]()
    for file in files[:CHECKED]:
        for member in formats.members(source.unpack(_path(file), run.work), file.name, declared.format, run.work / "members", run.settings):
            others.append(member.name)
            each, refusal = _explain_member(run, name, member, current, rows if found is None else 0, hidden)
            refusals += refusal
            found = found or each
    if found is None:
        if refusals:
            raise Refused(refusals[0].why, where=refusals[0].file, hint=refusals[0].hint, french=refusals[0].french)
        raise NotFound(f"the source of {run.project.name}/{name} has no file", hint=f"socle validate {run.project.name}")
    frozen = current.load.reading if current else {}
    source_block = declared.source.model_dump(exclude_none=True, exclude_defaults=True) | {"type": declared.source.type}
    head = {"title": declared.title, "source": source_block}
    head |= {"transform": declared.transform} if declared.transform else {}
    return replace(
        found,
        refusals=refusals,
        others=[o for o in others if o != found.name],
        frozen=frozen,
        version=str(current) if current else "",
        hidden=hidden and found.seen > 0,
        yaml=block(name, head, found.format, found.columns),
    )


def _files_of(run: Run, name: str, current: DatasetVersion | None) -> tuple[list[RawFile], Any]:
    """Those of the source; where it has nothing new to give, those of the last load."""
    source, raw = source_of(run, name, current)
    raw.deferred = True  # nothing is kept: this is no load
    files = source.fetch(run.work / "fetched" / name)
    if files or current is None:
        return files, source
    kept = [known for sha in current.load.raw.values() if (known := raw.known(sha)) and raw.has_bytes(sha)]
    folder = run.work / "kept"
    folder.mkdir(exist_ok=True)
    return [RawFile(f.sha256, f.name, f.size, f.source, raw.fetch(f, folder)) for f in kept], source


def _pictures(files: list[RawFile], current: DatasetVersion | None) -> list[RawFile]:
    """Of a `snapshot`: the newest first, without those that came before the one that is served, which nothing reads any more."""
    newest = max(current.load.raw, default="") if current else ""
    return sorted((f for f in files if f.name >= newest), key=lambda f: f.name, reverse=True)


def _explain_member(
    run: Run, name: str, member: formats.Member, current: DatasetVersion | None, rows: int, hidden: bool
) -> tuple[Explained | None, list[Refusal]]:
    """What a load would do with one file, up to its rows."""
    declared, refusals = run.project.datasets[name], list[Refusal]()
    reading = Reading(name, declared, run.settings, current.load.reading if current else {})
    try:
        how = reading.format_of(member.path, member.name)
    except SourceRefused:
        raise
    except Refused as error:
        refusals.append(_refusal(member.name, error))
        how = formats.decide(member.path, member.name, declared.format, run.settings).format
    decision = formats.decide(member.path, member.name, declared.format, run.settings)
    sample, bad, whole = _sample(read_batches(run, name, member.path, member.name, how), run.settings.batch_rows)
    conventions = reading.conventions
    try:
        conventions = reading.conventions_of(sample, member.name)
    except Refused as error:
        refusals.append(_refusal(member.name, error))
    found, why, findings = contract.find_conventions(declared, sample)
    conventions = contract.merged(conventions, found)
    drifted = contract.drift(declared, set(sample.columns), sample, conventions, run.settings.retyped_percent)
    try:
        rule, _ = contract.settle(declared, name, member.name, drifted)
        if rule:
            refusals.append(Refusal(member.name, f"every row goes to quarantine: {rule}", drifted.french, "on_drift: quarantine"))
    except Refused as error:
        refusals.append(_refusal(member.name, error))
    columns = _declared_columns(declared, sample, conventions, why, masked=hidden)
    explained = Explained(
        name=member.name,
        size=member.path.stat().st_size,
        format=how,
        reasons=decision.reasons,
        findings=decision.findings + findings + [f for c in columns for f in c.findings],
        columns=columns,
        rows=[] if hidden else _rows(sample, rows),
        seen=sample.height,
        whole=whole,
        bad=[BadRow(b.rule, b.row_number, "", b.line, b.offset) for b in bad] if hidden else bad,
        examples={} if hidden else _examples(sample, columns),
    )
    return explained, refusals


def _declared_columns(
    declared: Declared, sample: pl.DataFrame, conventions: dict[str, Any], why: dict[str, str], *, masked: bool
) -> list[Proposal]:
    """What is declared, with what was found beside it; then proposals for what is not declared."""
    there = contract.origins(declared, sample.columns)
    made = []
    for name, column in declared.columns.items():
        convention = {k: v for k, v in conventions.get(name, {}).items() if k in type(column).model_fields}
        known = column.model_dump(exclude_none=True, exclude_defaults=True)
        whole = type(column).model_validate({**convention, **known})
        if name not in there:
            made.append(Proposal(name, contract.own_name(name, column), whole, "declared; it is not in the file"))
            continue
        empty = sample[there[name]].null_count()
        reason = "; ".join(r for r in ("declared", why.get(name, "")) if r)
        made.append(Proposal(name, there[name], whole, reason, [], empty, sample.height))
    rest = sample.select([c for c in sample.columns if c not in there.values()])
    return made + [_undeclared(p) for p in contract.propose(rest, masked=masked)]


def _undeclared(proposal: Proposal) -> Proposal:
    p = proposal
    return Proposal(p.name, p.origin, p.column, f"not declared; {p.reason}", p.findings, p.empty, p.rows)


def _refusal(file: str, error: Refused) -> Refusal:
    return Refusal(file, error.message, error.french, error.hint)


# ---- what is shown --------------------------------------------------------------------------------------------------


def _rows(sample: pl.DataFrame, count: int) -> list[dict[str, Any]]:
    return sample.head(count).to_dicts()


def _examples(sample: pl.DataFrame, columns: list[Proposal]) -> dict[str, tuple[str, str]]:
    """For columns whose values are made into something else: one of them, before and after."""
    import polars as pl

    found = {}
    for column in columns:
        if column.column.type == "string" or column.origin not in sample.columns or sample.schema[column.origin] != pl.String:
            continue
        texts = sample.select(pl.col(column.origin)).filter(pl.first().str.strip_chars() != "").head(200)
        made = texts.select(contract.convert(pl.first(), pl.String(), column.column)).to_series()
        read = [(t, m) for t, m in zip(texts.to_series(), made, strict=True) if m is not None]
        if read:
            found[column.name] = (str(read[0][0]).strip(), contract.as_text(read[0][1]) or "")
    return found


def _path(file: RawFile) -> Path:
    assert file.path is not None
    return file.path


__all__ = ["Explained", "Refusal", "explain_address", "explain_dataset", "explain_path"]

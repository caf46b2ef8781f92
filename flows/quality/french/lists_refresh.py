"""From what publishers give to the lists of the repository: parsing, plausibility, writing. Who fetches is steps/reference_lists.py."""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from flows.errors import SourceRefused
from flows.quality.french import lists

CODE = {
    "communes": r"^(?:[0-9]{2}|2[AB])[0-9]{3}$",
    "departments": r"^(?:[0-9]{2,3}|2[AB])$",
    "postal_codes": r"^[0-9]{5}$",
    "naf": r"^[0-9]{2}\.[0-9]{2}[A-Z]$",
    "rome": r"^[A-Z][0-9]{4}$",
    "idcc": r"^[0-9]{4}$",
}
"""What every code of a list looks like: a publisher who changes the format must not go unnoticed."""


@dataclass(frozen=True)
class Change:
    """What became of a list."""

    name: str
    before: int
    after: int
    added: list[str]
    removed: list[str]
    altered: list[str]
    """Codes that stay, of which something else is said now: a commune that is a part of another, a postal code with one commune more."""

    @property
    def nothing(self) -> bool:
        return not (self.added or self.removed or self.altered)


def build(name: str, files: list[Path]) -> pl.DataFrame:
    """The list, sorted, from the files of its sources, in their order.

    Raises: SourceRefused if they are not of the shape that they had.
    """
    try:
        rows = BUILDERS[name](files)
    except (KeyError, TypeError, ValueError, AttributeError, OSError, zipfile.BadZipFile, pl.exceptions.PolarsError) as error:
        why = f"{type(error).__name__}: {error}"
        raise SourceRefused(f"the source of the list {name!r} has another shape than it had ({why})", where=_names(files)) from None
    wrong = rows.filter(~pl.col(rows.columns[0]).str.contains(CODE[name]).fill_null(False))
    if rows.is_empty() or wrong.height:
        found = f"it has codes such as {wrong[0, 0]!r}" if wrong.height else "it is empty"
        raise SourceRefused(f"the list {name!r} is not plausible: {found}", where=_names(files))
    return rows.unique().sort(rows.columns)


def write(name: str, rows: pl.DataFrame, entry: dict[str, Any], shrink_percent: float, folder: Path = lists.FOLDER) -> Change:
    """Replace the list and its entry in the manifest. `entry`: the one before, with the sources as they were `read`.

    Raises: SourceRefused if the list lost more than `shrink_percent` of its rows: nothing is written then.
    """
    path, manifest = folder / f"{name}.csv", lists.manifest(folder)
    old = pl.read_csv(path, infer_schema=False, glob=False) if path.is_file() else rows.clear()
    if rows.height < old.height * (1 - shrink_percent / 100):
        raise SourceRefused(
            f"the list {name!r} would shrink from {old.height} to {rows.height} rows, more than {shrink_percent:g} %",
            where=str(path),
            hint="look at what its source gives; if it is right, set SOCLE_REFERENCE_SHRINK_PERCENT higher for this once",
        )
    data = rows.write_csv().encode()
    sha256 = hashlib.sha256(data).hexdigest()
    fetched = f"{datetime.now(UTC):%Y-%m-%d}"
    if sha256 != entry.get("sha256"):
        entry = {key: value for key, value in entry.items() if key != "of"}  # said of the list before
    manifest[name] = {**entry, "fetched": fetched, "rows": rows.height, "sha256": sha256}
    path.write_bytes(data)
    (folder / lists.MANIFEST).write_text(json.dumps(manifest, indent=2, ensure_ascii=False, sort_keys=True) + "\n", encoding="utf-8")
    lists.forget()
    before, after = set(old[old.columns[0]]), set(rows[rows.columns[0]])
    altered = sorted(before & after & _different(old, rows))
    return Change(name, old.height, rows.height, sorted(after - before), sorted(before - after), altered)


def _different(old: pl.DataFrame, new: pl.DataFrame) -> set[str]:
    """Codes with a row in one of the two that the other does not have."""
    if old.columns != new.columns:
        return set(new[new.columns[0]])
    only = [a.join(b, on=a.columns, how="anti", nulls_equal=True) for a, b in ((old, new), (new, old))]
    return {code for rows in only for code in rows[rows.columns[0]]}


def _names(files: list[Path]) -> str:
    return ", ".join(file.name for file in files)


# ---- one function a list ---------------------------------------------------------------------------------------------


def _communes(files: list[Path]) -> pl.DataFrame:
    """code, kind (commune, arrondissement, former), current: the commune that a former one, or an arrondissement, is now a part of."""
    (file,) = files
    current, parts = dict[str, tuple[str, str]](), dict[str, tuple[str, str]]()
    for entry in json.loads(file.read_text(encoding="utf-8")):
        code, kind = entry["code"], entry["type"]
        if kind == "commune-actuelle":
            current[code] = ("commune", code)
            parts |= dict.fromkeys(entry.get("anciensCodes", []), ("former", code))
        elif kind == "arrondissement-municipal":
            parts[code] = ("arrondissement", entry["commune"])
        elif kind in ("commune-deleguee", "commune-associee"):
            parts[code] = ("former", entry["chefLieu"])
        else:
            raise ValueError(f"a kind of commune that is not known: {kind}")
    every = parts | current
    return _frame(("code", "kind", "current"), [(code, *rest) for code, rest in every.items()])


def _departments(files: list[Path]) -> pl.DataFrame:
    """code, kind: department, or collectivity overseas that is none. Corsica was 20 until 1976."""
    (file,) = files
    entries = json.loads(file.read_text(encoding="utf-8"))
    rows = [(e["code"], "collectivity" if e["zone"] == "com" else "department") for e in entries]
    return _frame(("code", "kind"), [*rows, ("20", "former")])


def _postal_codes(files: list[Path]) -> pl.DataFrame:
    """postal_code, commune: one row a pair; Paris, Lyon and Marseille as a whole, and each of their arrondissements."""
    (file,) = files
    entries = json.loads(file.read_text(encoding="utf-8"))
    return _frame(("postal_code", "commune"), [(postal, e["code"]) for e in entries for postal in e.get("codesPostaux", [])])


def _naf(files: list[Path]) -> pl.DataFrame:
    """code, nomenclature: subclasses of the NAF rév. 2 (first file) and of the NAF 2025 (second)."""
    second, newest = files
    rows = [(e["id"], "rev2") for e in json.loads(second.read_text(encoding="utf-8")) if len(e["id"]) == 6]
    found = re.findall(r"\"([0-9]{2}\.[0-9]{2}[A-Z])\"", newest.read_text(encoding="utf-8"))
    if not rows or not found:
        raise ValueError("one of the two has no subclasses")
    return _frame(("code", "nomenclature"), [*rows, *((code, "2025") for code in found)])


def _rome(files: list[Path]) -> pl.DataFrame:
    """code: of the archive of CSV files of France Travail, the one of the codes."""
    (file,) = files
    with zipfile.ZipFile(file) as archive:
        member = next(name for name in archive.namelist() if re.search(r"referentiel_code_rome_v\d+_utf8\.csv$", name))
        rows = pl.read_csv(io.BytesIO(archive.read(member)), infer_schema=False)
    return rows.select(pl.col("code_rome").alias("code"))


def _idcc(files: list[Path]) -> pl.DataFrame:
    """code, kind: in force in the first file; known to an earlier one only (former)."""
    now, *earlier = ({f"{int(e['num']):04}" for e in json.loads(f.read_text(encoding="utf-8"))} for f in files)
    rows = [(code, "current") for code in now]
    return _frame(("code", "kind"), rows + [(code, "former") for code in set().union(*earlier) - now])


def _frame(columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String), orient="row")


BUILDERS: dict[str, Callable[[list[Path]], pl.DataFrame]] = {
    "communes": _communes,
    "departments": _departments,
    "postal_codes": _postal_codes,
    "naf": _naf,
    "rome": _rome,
    "idcc": _idcc,
}

"""Whether suggested suites memorise: `python -m benchmarks.suggested [FOLDER]`, FOLDER as in shared/data.

A suite is suggested on one half of real files and tried on the other half, which it has not seen: drawn at random, and the first rows
against the last. What is not met there is a false alarm. Then the other half is spoilt in ways that happen: each spoilt copy that no
expectation notices is a miss. Beside it, a suite that copies the sample: its range, its values, its number of rows, its mean.
"""

from __future__ import annotations

import csv
import logging
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl

from flows.contract import convert, propose
from flows.quality.expectations import evaluate, select
from flows.quality.previous import evaluate_previous, on_previous
from flows.quality.suggest import About, suggest
from flows.quality.suites import Suite

HERE = Path(__file__).resolve().parent.parent.parent / "shared" / "data"
FILES = {
    "egapro/index-egalite-fh.csv": ["SIREN", "annee"],
    "egapro/sirens.csv": ["siren"],
    "egapro/naf.csv": ["id_5"],
    "code-du-travail/articles.csv": ["id"],
    "controles-alimentaires/instantane_2017-06-29.csv": ["Numero_inspection"],
    "controles-alimentaires/instantane_2017-08-22.csv": ["Numero_inspection"],
    "rome/unix_referentiel_appellation_v347_utf8.csv": ["code_ogr"],
    "rome/unix_referentiel_competence_v347_utf8.csv": ["code_ogr"],
    "rome/unix_referentiel_code_rome_v347_utf8.csv": ["code_rome"],
    "rome/unix_texte_v347_utf8.csv": [],
    "rome/unix_rubrique_mobilite_v347_utf8.csv": [],
    "fichiers-difficiles/csvkit/realdata/ks_1033_data.csv": [],
    "fichiers-difficiles/csvkit/realdata/census_2000/determination.csv": [],
}
SNAPSHOTS = [f"controles-alimentaires/instantane_2017-{day}.csv" for day in ("04-20", "06-29", "08-22")]
Rows = pl.DataFrame
Suggester = Callable[[Rows, list[Rows], list[str]], dict[str, Any]]


class Table:
    """A file as texts, and how texts become typed rows: what does not fit its column is empty then, as a lenient reader has it."""

    def __init__(self, path: Path) -> None:
        raw = path.read_bytes()
        try:
            text = raw.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = raw.decode("cp1252")
        delimiter = max(",;\t|", key=text.splitlines()[0].count)
        records = list(csv.reader(text.splitlines(keepends=True), delimiter=delimiter))
        names = [f"{n.strip()}_{i}" if records[0].index(n) != i else n.strip() for i, n in enumerate(records[0])]
        rows = [r for r in records[1:] if len(r) == len(names)]
        texts = pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")
        self.proposed = propose(texts.head(20_000))
        self.texts = texts.rename({p.origin: p.name for p in self.proposed}).with_columns(pl.all().replace("", None))

    def typed(self, texts: Rows) -> Rows:
        columns = [convert(pl.col(p.name), pl.String(), p.column).alias(p.name) for p in self.proposed if p.name in texts.columns]
        return texts.select(columns)


# ---- suggesters ----------------------------------------------------------------------------------------------------


def socle(rows: Rows, earlier: list[Rows], key: list[str]) -> dict[str, Any]:
    return suggest(rows.lazy(), [e.lazy() for e in earlier], About(key=[k for k in key if k in rows.columns]), "essai").suite


def copier(rows: Rows, earlier: list[Rows], key: list[str]) -> dict[str, Any]:
    """What profilers that copy the sample propose."""
    made: list[dict[str, Any]] = [{"type": "expect_table_row_count_to_equal", "kwargs": {"value": rows.height}}]
    for name, kind in rows.schema.items():
        values, column = rows[name].drop_nulls(), {"column": name}
        if len(values) == rows.height:
            made.append({"type": "expect_column_values_to_not_be_null", "kwargs": column})
        if not len(values):
            continue
        if values.n_unique() == rows.height:
            made.append({"type": "expect_column_values_to_be_unique", "kwargs": column})
        if kind == pl.String:
            lengths = values.str.len_chars()
            bounds = {"min_value": lengths.min(), "max_value": lengths.max()}
            made.append({"type": "expect_column_value_lengths_to_be_between", "kwargs": column | bounds})
        elif kind != pl.Boolean:
            low, high = (str(v) if kind.is_temporal() else v for v in (values.min(), values.max()))
            made.append({"type": "expect_column_values_to_be_between", "kwargs": column | {"min_value": low, "max_value": high}})
        if kind.is_numeric():
            mean = float(values.mean())  # type: ignore[arg-type]
            made.append({"type": "expect_column_mean_to_be_between", "kwargs": column | {"min_value": mean, "max_value": mean}})
        if kind == pl.String and values.n_unique() <= 50:
            made.append({"type": "expect_column_values_to_be_in_set", "kwargs": column | {"value_set": values.unique().to_list()}})
    return {"name": "copie", "expectations": made}


# ---- what happens to files -----------------------------------------------------------------------------------------


def _by(texts: Rows, change: Callable[[str], str]) -> Rows:
    return texts.with_columns(pl.all().map_elements(change, return_dtype=pl.String))


def shifted(texts: Rows) -> Rows:
    names = texts.columns
    return texts.select(pl.col(names[-1 if i == 0 else i - 1]).alias(n) for i, n in enumerate(names))


def partly_shifted(texts: Rows) -> Rows:
    """Every twentieth row has a delimiter too many."""
    part = pl.int_range(texts.height, eager=True) % 20 == 0
    return pl.concat([texts.filter(~part), shifted(texts.filter(part))])


def swapped_dates(texts: Rows, table: Table) -> Rows | None:
    there = [p.name for p in table.proposed if p.column.type in ("date", "datetime")]
    iso, slashes = r"^(\d{4})-(\d\d)-(\d\d)", r"^(\d+)/(\d+)/(\d+)"
    return texts.with_columns(pl.col(there).str.replace(iso, "$1-$3-$2").str.replace(slashes, "$2/$1/$3")) if there else None


def zeros_lost(texts: Rows) -> Rows | None:
    there = [c for c in texts.columns if (texts[c].str.contains(r"^0\d+$").mean() or 0) > 0.02]  # type: ignore[operator]
    return texts.with_columns(pl.col(there).str.replace(r"^0+(\d)", "$1")) if there else None


def larger_unit(texts: Rows, table: Table) -> Rows | None:
    there = [p.name for p in table.proposed if p.column.type == "number" or (p.column.type == "integer" and "code" not in p.name)]
    there = [c for c in there if texts[c].drop_nulls().len()]
    return (
        texts.with_columns(pl.col(there).str.replace(",", ".").cast(pl.Float64, strict=False).mul(100).cast(pl.String)) if there else None
    )


def emptied(texts: Rows) -> Rows:
    fullest = max(texts.columns, key=lambda c: -texts[c].null_count())
    half = pl.int_range(texts.height, eager=True) % 2 == 0
    return texts.with_columns(pl.when(half).then(pl.col(fullest)).alias(fullest))


def spoilt(texts: Rows, table: Table) -> Iterator[tuple[str, Rows]]:
    """(what happened, the texts afterwards), where it changes something."""
    accents = any((texts[c].str.contains(r"[À-ÿ]").mean() or 0) > 0.02 for c in texts.columns)  # type: ignore[operator]
    found: dict[str, Rows | None] = {
        "columns shifted": shifted(texts) if texts.width > 1 else None,
        "one row in 20 shifted": partly_shifted(texts) if texts.width > 1 else None,
        "UTF-8 read as Windows-1252": _by(texts, lambda v: v.encode().decode("cp1252", "replace")) if accents else None,
        "Latin-1 read as UTF-8": _by(texts, lambda v: v.encode("cp1252", "replace").decode("utf-8", "replace")) if accents else None,
        "day and month swapped": swapped_dates(texts, table),
        "leading zeros lost": zeros_lost(texts),
        "amounts times 100": larger_unit(texts, table),
        "a column half emptied": emptied(texts),
        "file cut at a quarter": texts.head(texts.height // 4),
        "file twice": pl.concat([texts, texts]),
        "one row in 10 twice": pl.concat([texts, texts.gather_every(10)]),
    }
    yield from ((what, rows) for what, rows in found.items() if rows is not None)


# ---- measuring -----------------------------------------------------------------------------------------------------


def failed(suite: dict[str, Any], rows: Rows, previous: Rows) -> list[str]:
    whole = Suite("s", suite["expectations"], "")
    found = [e for selection in select([whole]) for e in evaluate(rows.lazy(), selection, show_values=False)]
    found += evaluate_previous(rows.lazy(), previous.lazy(), on_previous([whole]), show_values=False)
    return [f"{e.result.rule} {e.result.arguments}" for e in found if not e.result.success]


def halves(rows: Rows) -> Iterator[tuple[str, Rows, Rows]]:
    middle = rows.height // 2
    mixed = rows.sample(fraction=1, shuffle=True, seed=1)
    yield "drawn at random", mixed[:middle], mixed[middle:]
    yield "first rows, last rows", rows[:middle], rows[middle:]


def main() -> None:
    logging.disable(logging.WARNING)
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE
    for name, suggester in (("Socle", socle), ("copy of the sample", copier)):
        print(f"\n## {name}")
        measure(folder, suggester, tell=name == "Socle")


def measure(folder: Path, suggester: Suggester, *, tell: bool) -> None:
    proposed, alarms = dict[str, int](), dict[str, int]()
    tried, missed, start = dict[str, int](), dict[str, list[str]](), time.monotonic()
    for file, key in FILES.items():
        table = Table(folder / file)
        for how, seen, unseen in halves(table.texts):
            before = table.typed(seen)
            suite = suggester(before, [], key)
            wrong = failed(suite, table.typed(unseen), before)
            proposed[how] = proposed.get(how, 0) + len(suite["expectations"])
            alarms[how] = alarms.get(how, 0) + len(wrong)
            if tell and wrong:
                print(f"  {file}, {how}: {wrong}")
            if how != "drawn at random":
                continue
            for what, texts in spoilt(unseen, table):
                tried[what] = tried.get(what, 0) + 1
                if set(failed(suite, table.typed(texts), before)) <= set(wrong):
                    missed.setdefault(what, []).append(file)
    for how in proposed:
        print(f"false alarms, {how}: {alarms[how]} of {proposed[how]} ({alarms[how] / proposed[how]:.1%})")
    snapshots = [Table(folder / f) for f in SNAPSHOTS]
    versions = [t.typed(t.texts) for t in snapshots]
    for here in (1, 2):
        for earlier in ([], versions[: here - 1]) if here > 1 else ([],):
            suite = suggester(versions[here - 1], earlier, ["Numero_inspection"])
            there = [e for e in suite["expectations"] if e["kwargs"].get("column", "Numero_inspection") in versions[here].columns]
            wrong = failed({"expectations": there}, versions[here], versions[here - 1])
            known = f"{len(earlier) + 1} version(s) known"
            print(f"false alarms, snapshot {here} -> {here + 1}, {known}: {len(wrong)} of {len(there)} {wrong if tell else ''}")
    for what, times in tried.items():
        print(f"noticed, {what}: {times - len(missed.get(what, []))} of {times} {missed.get(what, '') if tell else ''}")
    print(f"({time.monotonic() - start:.0f} s)")


if __name__ == "__main__":
    main()

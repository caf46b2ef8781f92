"""Who reads hostile CSV files right, with nothing declared: `python -m benchmarks.dialects [folder of real files]`.

Three corpora: the hostile files of the tests, with what they hold; real files, with delimiter and names of columns checked by hand;
and one table polluted in the ways that the Pollock benchmark found in public files (our own table, our own code: its kinds of mess).
The peers are not dependencies: those that are not installed are left out.
"""

from __future__ import annotations

import csv
import itertools
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.formats.csv_files import Case, cases

Table = tuple[str, list[str] | None, list[tuple[str, ...]]]
"""(delimiter, or nothing where the tool does not say; names; rows)"""


def socle(path: Path) -> Table:
    from flows import formats
    from flows.formats.csv.reading import open_records
    from flows.project.formats import CsvFormat
    from flows.settings import Settings

    settings = Settings(root=path.parent)
    how: Any = formats.decide(path, path.name, CsvFormat(type="csv"), settings).format
    text, layout, _ = open_records(path, how)
    with text:
        names, rows = layout.names, list[tuple[str, ...]]()
    for piece in formats.read(path, path.name, how, settings):
        if not isinstance(piece, formats.BadRow):
            rows += piece.select(names).rows()
    return how.delimiter, names if how.header_rows else None, rows


def duckdb(path: Path) -> Table:
    import duckdb

    with duckdb.connect() as db:
        found = db.execute("select Delimiter, HasHeader from sniff_csv(?)", [str(path)]).fetchone()
        read = db.execute("select * from read_csv(?, all_varchar=true, ignore_errors=true)", [str(path)])
        return found[0], [c[0] for c in read.description] if found[1] else None, read.fetchall()


def pandas(path: Path) -> Table:
    import pandas

    frame = pandas.read_csv(path, sep=None, engine="python", dtype=str, on_bad_lines="skip", keep_default_na=False)
    return "", list(frame.columns), [tuple(row) for row in frame.itertuples(index=False, name=None)]


def clevercsv(path: Path) -> Table:
    import clevercsv
    from clevercsv.encoding import get_encoding

    encoding = get_encoding(str(path))
    text = _text(path, encoding)
    dialect = clevercsv.Sniffer().sniff(text[:100_000])
    rows = [tuple(r) for r in clevercsv.reader(text.splitlines(keepends=True), dialect) if r]
    has_header = clevercsv.Sniffer().has_header(text[:100_000])
    return dialect.delimiter, list(rows[0]) if has_header else None, rows[1:] if has_header else rows


def python(path: Path) -> Table:
    text = _text(path, "utf-8-sig")
    sniffer = csv.Sniffer()
    dialect = sniffer.sniff(text[:100_000])
    rows = [tuple(r) for r in csv.reader(text.splitlines(keepends=True), dialect) if r]
    has_header = sniffer.has_header(text[:100_000])
    return dialect.delimiter, list(rows[0]) if has_header else None, rows[1:] if has_header else rows


def _text(path: Path, encoding: str) -> str:
    with path.open(encoding=encoding, newline="") as file:
        return file.read()


def frictionless(path: Path) -> Table:
    from frictionless import Resource, system

    with system.use_context(trusted=True):
        resource = Resource(path=str(path), format="csv", scheme="file")
        resource.infer()
        with resource:
            rows = [tuple(r) for r in resource.cell_stream]
            control = resource.dialect.to_dict().get("csv", {})
            header = resource.dialect.header
    return control.get("delimiter", ","), [str(c) for c in rows[0]] if header else None, rows[1:] if header else rows


def csv_detective(path: Path) -> Table:
    from csv_detective.detection.encoding import detect_encoding
    from csv_detective.detection.headers import detect_header_position
    from csv_detective.detection.separator import detect_separator

    with path.open("rb") as binary:
        encoding = detect_encoding(binary)
    with path.open(encoding=encoding, newline="") as file:
        separator = detect_separator(file)
        file.seek(0)
        skipped = detect_header_position(file)
        file.seek(0)
        found = [tuple(r) for r in csv.reader(itertools.islice(file, skipped, None), delimiter=separator) if r]
    return separator, list(found[0]), found[1:]


TOOLS: dict[str, Callable[[Path], Table]] = {
    "Socle": socle, "DuckDB": duckdb, "CleverCSV": clevercsv, "csv-detective": csv_detective, "frictionless": frictionless,
    "pandas": pandas, "csv.Sniffer": python,
}  # fmt: skip


# ---- corpora -------------------------------------------------------------------------------------------------------

EXCEPTIONS: dict[str, tuple[str, int | None]] = {
    "no_header_row.csv": (",", None), "no_header_row2.csv": (",", None), "no_header_row3.csv": (",", None), "sniff_limit.csv": (";", 0),
    "Datagov_FY10_EDU_recp_by_State.csv": (",", 2), "a_test_file.csv": (";", 2), "c_test_file.csv": (";", 0), "accent.csv": (";", 0),
    "chunk2.headless.csv": (",", None), "chunk3.csv": (",", None), "countries.csv": (",", 1), "country-2.csv": (";", 1),
    "delimiter.csv": (";", 0), "dialect.csv": ("|", 0), "issue-1009-semicolon.csv": (";", 0), "issue-1100.csv": (";", 0),
    "issue-1105-timezone.csv": (";", 0), "issue-1138.csv": (";", 0), "issue-1232.csv": (";", 0), "matrix-with-comment.csv": (",", 1),
    "skip-rows-before-headers.csv": (",", 1), "skip-rows.csv": (",", 1), "table-delimiter.csv": (";", 0),
    "table-with-accents.csv": (";", 0),
    "vix.csv": (";", 0), "without-headers.csv": (",", None), "without-headers-extra.csv": (",", None), "issue-1478/table.csv": ("|", None),
    "bad_skip_lines.csv": (",", 3), "test_skip_lines.csv": (",", 3), "VilleMTP_MTP_BudgetPri_2015.csv": (";", 0),
    "arbo_rome_ogr_202107.csv": (";", 0), "naf_libelles_ape_entete_multiligne.csv": (";", 0), "index-egalite-fh.csv": (";", 0),
    "dummy.tsv": ("\t", 0), "table.tsv": ("\t", 0), "FR-manual-dev.tsv": (" ", None), "FR-manual-train.tsv": (" ", None),
}  # fmt: skip
"""Of the real files: delimiter and line of the header, where they are not a comma and the first."""
ENCODINGS = {"table-infer-iso-8859-7.csv": "cp1253", "test_utf16_big.csv": "utf-16", "test_utf16_little.csv": "utf-16"}
LEFT_OUT = {"empty.csv", "test_header_newline.csv"}


def real(folder: Path) -> Iterator[tuple[Path, str, list[str] | None]]:
    """(file, delimiter, names)"""
    for path in sorted([*folder.rglob("*.csv"), *folder.rglob("*.tsv")]):
        if path.name in LEFT_OUT or "gx-cases" in path.parts or path.name == "index.csv":
            continue
        key = f"{path.parent.name}/{path.name}" if f"{path.parent.name}/{path.name}" in EXCEPTIONS else path.name
        delimiter, line = EXCEPTIONS.get(key, (",", 0))
        if path.name == "exemple.csv":
            first = path.read_text(encoding="utf-8-sig").split("\n", 1)[0]
            delimiter = ";" if first.count(";") > first.count(",") else ","
        data = path.read_bytes()
        encoding = ENCODINGS.get(path.name) or ("utf-8-sig" if _is_utf8(data) else "cp1252")
        lines = data.decode(encoding).replace("\r\n", "\n").replace("\r", "\n").split("\n")
        spaced = path.name in ("issue-1109.csv", "escaping.csv", "capitals.csv", "table-limits.csv")
        names = None if line is None else next(csv.reader([x + "\n" for x in lines[line:]], delimiter=delimiter, skipinitialspace=spaced))
        yield path, delimiter, names


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def polluted(every: int) -> Iterator[Case]:
    """The kinds of mess of the Pollock benchmark, on a table of 84 rows; of those with a file for each cell, one in `every`."""
    names = ["date", "heure", "référence", "prix", "quantité", "article", "description", "taille", "nouveau"]
    kinds = ["Chaussures d'hiver", "Veste, imperméable", 'Table ronde 48"', "Sac de voyage"]
    rows = [
        (f"{i % 28 + 1:02}/0{i % 9 + 1}/2018", f"{i % 24:02}:{i % 4 * 15:02}", f"MG-{8769 + i}", f"{i * 1.37 + 3:.2f}", str(i % 7),
         kinds[i % 4], f"Légère, solide et pratique, la no {i} dure longtemps", f"{36 + i % 9}", str(i % 2))
        for i in range(84)
    ]  # fmt: skip

    def write(rows: list[tuple[str, ...]], delimiter: str = ",", quote: str = '"', escape: str = "", end: str = "\r\n") -> str:
        def cell(value: str) -> str:
            if any(c in value for c in (delimiter.strip() or " ", quote, "\n")):
                return quote + value.replace(quote, (escape or quote) + quote) + quote
            return value

        return "".join(delimiter.join(map(cell, r)) + end for r in rows)

    def case(name: str, text: str, delimiter: str = ",", header: list[str] | None = names, kept: Any = None) -> Case:
        return Case(name, text.encode(), delimiter, header, rows if kept is None else kept)

    head, whole = tuple(names), write([tuple(names), *rows])
    yield case("source", whole)
    yield case("no last line end", whole.rstrip())
    yield case("two last line ends", whole + "\r\n")
    yield case("no header", write(rows), header=None)
    yield case("preamble", "PREAMBLE\r\n\r\n" + whole)
    yield case("header only", write([head]), kept=[])
    yield case("one row", write([head, rows[0]]), kept=rows[:1])
    for count in (2, 3):
        yield case(f"{count} header lines", write([head] * (count - 1)) + whole)
    for d in (" ", ", ", ";", "\t", "|"):
        yield case(f"delimiter {d!r}", write([head, *rows], d), d.strip() or d)
    yield case("apostrophes", write([head, *rows], quote="'"))
    yield case("backslashes", write([head, *rows], escape="\\"))
    for end in ("\n", "\r"):
        yield case(f"line end {end!r}", write([head, *rows], end=end))
    for number, (i, j) in enumerate(itertools.product(range(84), range(9))):
        if number % every:
            continue
        before, row, after, left = write([head, *rows[:i]]), list(rows[i]), write(rows[i + 1 :]), rows[:i] + rows[i + 1 :]
        yield case(f"more {i} {j}", before + write([(*row[:j], "", *row[j:])]) + after, kept=left)
        if j:
            cells = [write([(c,)]).rstrip() for c in row]
            short = ",".join(cells[:j]) + cells[j] + "".join("," + c for c in cells[j + 1 :])
            yield case(f"less {i} {j}", before + short + "\r\n" + after, kept=left)
        quoted = [write([(c,)]).rstrip() for c in row]
        quoted[j] = '"' + quoted[j]
        yield case(f"quote {i} {j}", before + ",".join(quoted) + "\r\n" + after, kept=left)
    for i in range(0, 84, every):
        line = write([rows[i]], " ")
        yield case(f"delimiter of a row {i}", write([head, *rows[:i]]) + line + write(rows[i + 1 :]), kept=rows[:i] + rows[i + 1 :])


# ---- scores --------------------------------------------------------------------------------------------------------


def _clean(rows: list[tuple[Any, ...]]) -> list[tuple[str, ...]]:
    return [tuple("" if f is None else str(f) for f in r) for r in rows]


def whole(tool: Callable[[Path], Table], case: Case, path: Path) -> tuple[bool, float]:
    """(whether header and rows are exactly right, F1 of the rows)"""
    path.write_bytes(case.data)
    try:
        _, names, rows = tool(path)
    except Exception:
        return False, 0.0
    found, wanted = _clean(rows), _clean(list(case.rows))
    exact = found == wanted and (not wanted or [n.strip() for n in names or []] == [n.strip() for n in case.header or []])
    common = len(set(found) & set(wanted))
    total = len(found) + len(wanted)
    return exact, 2 * common / total if total else 1.0


def main() -> None:
    every = 9
    path = Path(tempfile.mkdtemp()) / "file.csv"
    corpora = {"hostile files of the tests": cases(), f"Pollock's kinds of mess (1 in {every})": list(polluted(every))}
    for title, corpus in corpora.items():
        print(f"{title}: {len(corpus)} files")
        for name, tool in _installed():
            start = time.perf_counter()
            scores = [whole(tool, case, path) for case in corpus]
            took = time.perf_counter() - start
            exact, f1 = sum(e for e, _ in scores), sum(f for _, f in scores) / len(scores)
            share, each = exact / len(corpus), 1000 * took / len(corpus)
            print(f"   {name:<14} exactly right {exact:>4} ({share:.0%})   rows F1 {f1:.3f}   {each:.0f} ms a file")
    if len(sys.argv) > 1:
        files = list(real(Path(sys.argv[1])))
        print(f"real files: {len(files)}")
        for name, tool in _installed():
            start, right, named, wrong = time.perf_counter(), 0, 0, list[str]()
            for file, delimiter, header in files:
                try:
                    found, names, _ = tool(file)
                except Exception:
                    found, names = "error", []
                one_column = header is not None and len(header) == 1
                right += found == delimiter or one_column
                named += (ok := _same_names(names, header))
                wrong += [] if ok else [file.name]
            took = time.perf_counter() - start
            share, each = named / len(files), 1000 * took / len(files)
            print(f"   {name:<14} delimiter {right:>4}   header {named:>4} ({share:.0%})   {each:.0f} ms a file")
            if name == "Socle":
                print("      wrong:", ", ".join(wrong))


def _same_names(found: list[str] | None, wanted: list[str] | None) -> bool:
    """Names that come twice or are empty are made different in ways of their own: their number counts."""
    if found is None or wanted is None:
        return found is wanted
    wanted = wanted[: len(found)] if not any(w.strip() for w in wanted[len(found) :]) else wanted
    pairs = list(zip(found, wanted, strict=False))
    return len(found) == len(wanted) and all(f.strip() == w.strip() or not w.strip() or wanted.count(w) > 1 for f, w in pairs)


def _installed() -> Iterator[tuple[str, Callable[[Path], Table]]]:
    from importlib.util import find_spec

    modules = {"Socle": "flows", "csv.Sniffer": "csv", "DuckDB": "duckdb", "csv-detective": "csv_detective"}
    return ((name, tool) for name, tool in TOOLS.items() if find_spec(modules.get(name, name.lower())))


if __name__ == "__main__":
    main()

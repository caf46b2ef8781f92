"""How a file is to be read: what is declared stays, the rest is found in a bounded part of it, and what is not certain is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flows.errors import SocleError
from flows.findings import Finding
from flows.formats.base import Decision
from flows.formats.csv import cells, dialect, encoding, table
from flows.formats.csv.dialect import CLOSE, Reading
from flows.formats.csv.grammar import Grammar
from flows.formats.csv.header import joined, named
from flows.formats.csv.text import Text, first_line, footer_start, normal, resolve
from flows.project.formats import CsvFormat
from flows.settings import Settings

SAMPLE, LARGER, LARGEST = 1 << 17, 1 << 20, 8 << 20  # bytes of the head that are looked at
TAIL = 1 << 16
NAMES = {"\t": "tab", " ": "space", ",": "comma", ";": "semicolon", "|": "vertical bar", ":": "colon", "": "none"}
FRENCH = {"\t": "tabulation", " ": "espace", ",": "virgule", ";": "point-virgule", "|": "barre verticale", ":": "deux-points", "": "aucun"}


def decide(path: Path, name: str, declared: CsvFormat | None, settings: Settings) -> Decision:
    """Raises: ConfigurationError for what cannot be declared, naming the file."""
    declared = declared or CsvFormat(type="csv")
    try:
        return _decide(path, declared)
    except SocleError as error:
        raise type(error)(f"{name}: {error.message}", where=error.where, hint=error.hint, french=error.french) from None


def _decide(path: Path, declared: CsvFormat) -> Decision:
    found: dict[str, Any] = {}
    reasons: dict[str, str] = {}
    findings: list[Finding] = []
    if declared.encoding is None:
        chars = encoding.find(path)
        found["encoding"], reasons["encoding"] = chars.name, chars.reason
        findings += chars.findings
    name = declared.encoding or found["encoding"]
    Grammar.of(declared.model_copy(update={"delimiter": declared.delimiter or "\x1f"}), _given(path, name))
    data, whole = _head(path, name)
    skipped = _after_lines(data, declared.skip_rows or 0)
    announced = _announced(data) if declared.delimiter is None else ""
    choices = declared.model_dump(include={"delimiter", "quote", "escape", "skip_space"})
    tried = dialect.readings(data[skipped:], whole, {**choices, "delimiter": choices["delimiter"] or announced or None})
    best = _best(tried, found, reasons, findings, announced)
    layout = table.find(best, data[skipped:])
    for field in ("skip_rows", "header_rows", "empty_columns", "names"):
        found[field] = getattr(layout, field)
    reasons |= layout.reasons
    findings += [f for f in layout.findings if declared.header_rows is None and not declared.names]
    if declared.header_rows is not None or declared.names:
        found["names"] = None
    if declared.footer_rows is None:
        found["footer_rows"], said, total = _footer(path, name, best, whole, data)
        if total:
            findings.append(_total_read(total))
        if said:
            reasons["footer_rows"] = f"what comes after the last record is no record: {said[0]!r}"
            findings.append(_left_out(said))
    how = declared.model_copy(update={k: v for k, v in found.items() if getattr(declared, k) is None})
    declared_fields = [f for f in type(declared).model_fields if getattr(declared, f) is not None]
    reasons = {k: "declared" if k in declared_fields else v for k, v in reasons.items() if k in type(how).model_fields}
    findings += _names(how, best, data[skipped:])
    return Decision(how, reasons, findings)


def _given(path: Path, name: str) -> str:
    with Text(path, name) as text:
        return text.encoding


def _head(path: Path, name: str) -> tuple[bytes, bool]:
    """(the head as UTF-8, whether it is all): as much as holds some records."""
    with Text(path, name) as text:
        for size in (SAMPLE, LARGER, LARGEST):
            text.fill(min(size, 1 << 16))
            while len(text.buffer) < size and not text.final:
                text.fill(min(size, len(text.buffer) + (1 << 16)))
            data, whole = text.buffer[:size], text.final and len(text.buffer) <= size
            if whole or data.count(b"\n") + data.count(b"\r") > 20:
                break
        if not whole:
            data = data[: max(data.rfind(b"\n"), data.rfind(b"\r")) + 1] or data
        if text.encoding != "utf-8":
            data = data.decode(text.encoding, "replace").encode()
        return data, whole


def _after_lines(data: bytes, count: int) -> int:
    at = 0
    for _ in range(count):
        _, at = first_line(data, at)
    return at


def _announced(data: bytes) -> str:
    """Excel's `sep=;` in the first line."""
    line = data[: first_line(data)[0]].decode("utf-8", "replace").strip('"')
    return line[4] if len(line) == 5 and line.lower().startswith("sep=") else ""


def _best(tried: list[Reading], found: dict[str, Any], reasons: dict[str, str], findings: list[Finding], announced: str) -> Reading:
    best = tried[0]
    others = [r for r in tried[1:] if r.width > 1 and r.score >= CLOSE * best.score and best.width > 1]
    if best.width == 1 and len(tried) > 1:
        commas = [r for r in tried if r.delimiter == ","]
        best = commas[0] if commas and commas[0].width == 1 else best
        others = [r for r in tried if r.width > 1 and r.score >= CLOSE * CLOSE * best.score]
    delimiter = best.delimiter
    found |= {"delimiter": delimiter, "quote": best.quote, "escape": best.escape, "skip_space": best.skip_space}
    shown = NAMES.get(delimiter, delimiter)
    if announced:
        reasons["delimiter"] = f"the first line announces it: sep={announced}"
    elif best.width > 1:
        reasons["delimiter"] = f"with {shown}, {best.consistency:.0%} of the lines have {best.width} fields, which look like values"
    else:
        reasons["delimiter"] = "no delimiter makes a table: there is one column"
    if best.quote:
        reasons["quote"] = "fields in quotes are well formed" if best.quote.encode() in b"".join(r.raw for r in best.records) else "usual"
    else:
        reasons["quote"] = "quotes are part of the text: as quotes, they would break lines"
    reasons["escape"] = "it stands before quotes or delimiters that are text" if best.escape else "quotes inside quotes are doubled"
    reasons["skip_space"] = "nearly every delimiter is followed by a space" if best.skip_space else "spaces are part of the values"
    findings += [_two_ways(best, other) for other in others[:1]]
    return best


def _two_ways(best: Reading, other: Reading) -> Finding:
    one, two = NAMES.get(best.delimiter, best.delimiter), NAMES.get(other.delimiter, other.delimiter)
    un, deux = FRENCH.get(best.delimiter, best.delimiter), FRENCH.get(other.delimiter, other.delimiter)
    return Finding(
        "ambiguous",
        f"the delimiter may be {one} (chosen, {best.width} columns) or {two} ({other.width} columns)",
        f"le délimiteur peut être : {un} (retenu, {best.width} colonnes) ou {deux} ({other.width} colonnes)",
    )


def _footer(path: Path, name: str, best: Reading, whole: bool, data: bytes) -> tuple[int, list[str], str]:
    """Lines after the last record, their texts, and the text of a total that is read as a record."""
    declared, mark = resolve(path, name)
    grammar = Grammar(best.delimiter.encode(), best.quote.encode(), best.escape.encode(), best.skip_space)
    if whole:
        tail, records = data, dialect.records(data, grammar, True, limit=1_000_000)
    else:
        start = max(mark, footer_start(path, name, 200), path.stat().st_size - TAIL)
        start += (start - mark) % 4
        with path.open("rb") as file:
            file.seek(start)
            raw = file.read()
        text = raw.decode(declared, "replace")
        tail = text.encode()
        tail = tail[first_line(tail)[1] :] if start > mark else tail
        records = dialect.records(tail, grammar, True, limit=1_000_000)
    kinds = [cells.kind(r.fields[0]) for r in records[:100] if r.fields]
    key = max(set(kinds), key=kinds.count) if kinds else "text"
    header = 1 if whole else 0
    if len(records) <= header + 1:
        return 0, [], ""
    lines, said = table.footer(records[header:], tail, best.width, key)
    return lines, said, "" if said else table.total_read(records[header:], best.width)


def _total_read(text: str) -> Finding:
    return Finding(
        "ambiguous",
        f"the line {text!r} near the end is read as a record; if it is a total, declare format.footer_rows",
        f"La ligne « {text} », près de la fin, est lue comme une donnée ; si c'est un total, il faut le déclarer (format.footer_rows)",
    )


def _left_out(said: list[str]) -> Finding:
    shown = " / ".join(said)[:120]
    return Finding(
        "note",
        f"{len(said)} lines after the last record are left out: {shown!r}",
        f"{len(said)} lignes après la dernière donnée sont laissées de côté : « {shown} »",
    )


def _names(how: CsvFormat, best: Reading, data: bytes) -> list[Finding]:
    """Names that were made up or made different."""
    if how.names or not how.header_rows:
        return []
    from flows.formats.csv.text import line_ends

    rows = [r.fields for r in best.records if r.fields and line_ends(data[: r.start]) >= (how.skip_rows or 0)][: how.header_rows]
    if not rows:
        return []
    layout = named(joined(rows), how.empty_columns or 0)
    findings = []
    if layout.unnamed:
        shown = ", ".join(layout.unnamed[:10])
        findings.append(Finding("note", f"columns without a name are called {shown}", f"des colonnes sans nom sont appelées {shown}"))
    for name, others in layout.doubled.items():
        shown = ", ".join(others[:10])
        findings.append(
            Finding(
                "note",
                f"{len(others) + 1} columns are named {name!r}: the later ones are called {shown}",
                f"{len(others) + 1} colonnes s'appellent « {name} » : les suivantes sont appelées {shown}",
            )
        )
    return findings


def incompatible(path: Path, name: str, kept: CsvFormat, settings: Settings) -> str | None:
    """In which way a file would be read differently if nothing were known; None where it would not, or where that is not sure."""
    new = decide(path, name, None, settings)
    found, unsure = new.format, " ".join(f.text for f in new.findings if f.kind == "ambiguous")
    assert isinstance(found, CsvFormat)
    assert kept.encoding and found.encoding
    if other := other_encoding(path, kept.encoding, found.encoding):
        return other
    if "delimiter" not in unsure and _has_columns(path, found) and found.delimiter != kept.delimiter and not _is_regular(path, kept):
        return f"{name} is delimited by {_shown(found.delimiter)}, not by {_shown(kept.delimiter)} as before"
    return _other_layout(path, name, kept, settings)


def other_encoding(path: Path, kept: str, found: str) -> str | None:
    """In which way the bytes are another text in the encoding that was found; None if it is the same."""
    one, other = normal(kept), normal(found)
    parts = encoding.sample(path)
    wide = any(n.startswith(("utf-16", "utf-32")) for n in (one, other))
    if one == other or (not wide and all(p.isascii() for p in parts)):
        return None
    if wide:
        same = resolve(path, kept)[0] == resolve(path, found)[0]
    else:
        same = all(p.decode(one, "replace") == p.decode(other, "replace") for p in parts)
    return None if same else f"it is in {found}, not in {kept} as before"


def _has_columns(path: Path, found: CsvFormat) -> bool:
    data, _ = _head(path, found.encoding or "utf-8")
    return (found.delimiter or "").encode() in data


def _is_regular(path: Path, kept: CsvFormat) -> bool:
    """Whether the reading of before makes a table of it, whatever else might: the header, and all records that are looked at, as wide."""
    data, whole = _head(path, kept.encoding or "utf-8")
    lines = dialect.records(data[_after_lines(data, kept.skip_rows or 0) :], Grammar.of(kept, "utf-8"), whole)
    widths = {len(line.fields or ()) for line in lines}
    return len(widths) == 1 and max(widths) > 1


def _other_layout(path: Path, name: str, kept: CsvFormat, settings: Settings) -> str | None:
    """The dialect is the same as before: what is found with it declared."""
    dialect_of = {f: getattr(kept, f) for f in ("encoding", "delimiter", "escape", "skip_space")}
    new = decide(path, name, CsvFormat(type="csv", **dialect_of), settings)
    found, unsure = new.format, " ".join(f.text for f in new.findings if f.kind == "ambiguous")
    assert isinstance(found, CsvFormat)
    if found.quote not in (kept.quote, '"', ""):
        return f"{name} has {found.quote} for quotes, not {kept.quote or 'none'} as before"
    if found.quote == '"' != kept.quote and new.reasons.get("quote") == "fields in quotes are well formed":
        return f'{name} has " for quotes, not {kept.quote or "none"} as before'
    if kept.names is None and found.skip_rows != kept.skip_rows:
        return f"{name} has {found.skip_rows} lines before its header, not {kept.skip_rows} as before"
    if "header" not in unsure and kept.names is None and found.header_rows != kept.header_rows and _has_rows(path, kept):
        return f"{name} has {found.header_rows} header lines, not {kept.header_rows} as before"
    if (kept.footer_rows or 0) > (found.footer_rows or 0):
        return f"{name} has {found.footer_rows} lines after its last record, not {kept.footer_rows} as before: records would be lost"
    return None


def _has_rows(path: Path, kept: CsvFormat) -> bool:
    data, _ = _head(path, kept.encoding or "utf-8")
    return len(data.split(b"\n", 3)) > 2 or data.count(b"\r") > 1


def _shown(delimiter: str | None) -> str:
    return NAMES.get(delimiter or "", repr(delimiter))

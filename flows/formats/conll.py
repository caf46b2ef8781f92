"""Annotated texts, as tools for annotation write them (CoNLL 2003): a word and its tag a line, an empty line after each sentence.

A record is a sentence: `document` and `sentence` (numbers in the file, from 1), `tokens` and `tags` (lists). What tags mean is not
looked at here. Columns between the first and the last (parts of speech ...) are left out; `-DOCSTART-` begins a document.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flows.errors import SourceRefused
from flows.formats.base import BadRow, Decision
from flows.formats.json import refuse_other_text
from flows.formats.recognise import other_than
from flows.formats.records import MOST_RAW
from flows.project.formats import ConllFormat
from flows.settings import Settings

BOM = b"\xef\xbb\xbf"
DOCUMENT = "-DOCSTART-"
BLANKS = re.compile(r"[ \t]+")  # no other: a token may hold a no-break space


def decide(path: Path, name: str, declared: ConllFormat | None, settings: Settings) -> Decision:
    """It is never guessed: such a file looks like CSV with spaces."""
    return Decision(declared or ConllFormat(type="conll"))


def incompatible(path: Path, name: str, kept: ConllFormat, settings: Settings) -> str | None:
    return other_than(path, name, "conll")


def read(path: Path, name: str, how: ConllFormat, settings: Settings) -> Iterator[dict[str, Any] | BadRow]:
    """A sentence with a word without a tag, or that is no UTF-8, is a record that is no row.

    Raises: SourceRefused if no sentence of the file has tags, or one is longer than `max_record_mb`.
    """
    refuse_other_text(path, name)
    document, number, good = 1, 0, False
    bad: BadRow | None = None
    for line, offset, raw in _sentences(path, name, settings.max_record_mb * 1_000_000):
        found = _words(raw)
        if not isinstance(found, str) and found[0][0] == DOCUMENT:
            document += 1 if number else 0
            found = (found[0][1:], found[1][1:])
        if isinstance(found, str) or found[0]:
            number += 1
        if isinstance(found, str):
            bad = BadRow(f"conll:{found}", number, raw.decode("utf-8", "backslashreplace")[:MOST_RAW], line, offset)
            yield bad
        elif found[0]:
            good = True
            yield {"document": document, "sentence": number, "tokens": found[0], "tags": found[1]}
    if bad is not None and not good:
        raise SourceRefused(
            f"{name} has no sentence with a tag at the end of each line, such as line {bad.line}",
            where=str(path),
            hint="format.type: conll is a word and its tag a line, with spaces or a tab between them",
            french=f"Le fichier {name} n'a pas un mot et son étiquette par ligne.",
        )


def _sentences(path: Path, name: str, limit: int) -> Iterator[tuple[int, int, bytes]]:
    """(number of its first line, offset of its first byte, its lines)"""
    lines, begun, begins, offset = list[bytes](), 0, 0, 0
    with path.open("rb") as file:
        for number, line in enumerate(iter(lambda: file.readline(limit + 1), b""), 1):
            at, offset = offset, offset + len(line)
            text = (line.removeprefix(BOM) if number == 1 else line).strip(b" \t\r\n")
            if text:
                begun, begins = (begun, begins) if lines else (number, at)
                lines.append(text)
                if offset - begins > limit:
                    raise SourceRefused(
                        f"{name}: the sentence that begins at line {begun} is longer than {limit // 1_000_000} MB",
                        where=str(path),
                        hint="is there an empty line after each sentence? If so, raise SOCLE_MAX_RECORD_MB",
                    )
            elif lines:
                yield begun, begins, b"\n".join(lines)
                lines = []
    if lines:
        yield begun, begins, b"\n".join(lines)


def _words(raw: bytes) -> tuple[list[str], list[str]] | str:
    """(words, their tags), or why there are none."""
    try:
        lines = raw.decode().split("\n")
    except UnicodeDecodeError:
        return "text:not UTF-8"
    fields = [line.split("\t") if "\t" in line else BLANKS.split(line) for line in lines]
    if fields[0] == [DOCUMENT]:
        fields[0] = [DOCUMENT, "O"]
    if any(len(f) < 2 or not f[0].strip() for f in fields):
        return "fields:a word without a tag"
    return [f[0].strip() for f in fields], [f[-1].strip() for f in fields]

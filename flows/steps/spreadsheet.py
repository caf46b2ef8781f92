"""CSV for people who open it in a spreadsheet, and back again without a change that nobody made.

A spreadsheet runs what looks like a formula, and rewrites what looks like a number or a date: 01234 becomes 1234, a SIRET 8,44E+13.
Such values get an apostrophe in front, which makes them text; it is taken away on the way back, one only. UTF-8 with a byte order mark
and semicolons is what a French Excel opens right.
"""

from __future__ import annotations

import csv
import os
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from flows.errors import ConfigurationError

GUARD = "'"
ACTIVE = "=+-@\t\r\n|%" + GUARD + "＝＋－＠"
"""First characters that a spreadsheet takes for a formula, or drops."""
PLAIN_NUMBER = re.compile(r"0|[1-9][0-9]{0,10}")
LIKE_NUMBER = re.compile(r"(?![eE])[\d\s.,:/+\-eE%€$£()\u00a0\u202f]*\d[\d\s.,:/+\-eE%€$£()\u00a0\u202f]*")
MONTH = (
    r"jan(v(ier)?|uary)?|f[ée]v(r(ier)?)?|feb(ruary)?|mar(s|ch)?|avr(il)?|apr(il)?|mai|may|juin|june?|juil(let)?|july?|ao[uû]t?|aug(ust)?"
    r"|sept?(emb(re|er))?|oct(ob(re|er))?|nov(emb(re|er))?|d[ée]c(emb(re|er))?"
)
LIKE_DATE = re.compile(rf"(\d{{1,4}}[\s./-]*)?({MONTH})\.?([\s./-]*\d{{1,4}})*", re.IGNORECASE)
LIKE_TRUTH = re.compile(r"true|false|vrai|faux", re.IGNORECASE)
CELL = 32_767
"""Characters: a spreadsheet cuts longer values when it saves."""
CODES = ("utf-8-sig", "cp1252")
DELIMITERS = ";,\t"


def guarded(text: str) -> str:
    if not text or PLAIN_NUMBER.fullmatch(text):
        return text
    changes = text[0] in ACTIVE or text != text.strip()
    changes = changes or any(like.fullmatch(text) for like in (LIKE_NUMBER, LIKE_DATE, LIKE_TRUTH))
    return GUARD + text if changes else text


def unguarded(text: str) -> str:
    return text.removeprefix(GUARD)


def write(path: Path, header: list[str], rows: Iterable[list[str]]) -> None:
    """For its owner's eyes only, and whole or not at all.

    Raises: ConfigurationError if there is something at `path`: it may be somebody's work.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding=CODES[0], newline="") as file:
            out = csv.writer(file, delimiter=DELIMITERS[0])
            out.writerow(header)
            out.writerows([guarded(value) for value in row] for row in rows)
        os.link(unfinished, path)
    except FileExistsError:
        raise ConfigurationError("there is a file already, which is not written over", where=str(path), hint="give another name") from None
    except OSError as error:
        raise ConfigurationError(f"the file cannot be written: {error.strerror or error}", where=str(path)) from None
    finally:
        unfinished.unlink(missing_ok=True)


class Sheet:
    """A CSV file that a person gives back."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.encoding = self._encoding()

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """(line that it begins on, cells) of each row that has any, the header first.

        Raises: ConfigurationError if the file cannot be read.
        """
        csv.field_size_limit(sys.maxsize)  # a field of many megabytes is one
        try:
            with self.path.open(encoding=self.encoding, newline="") as file:
                reader = csv.reader(file, delimiter=self._delimiter(file), strict=True)
                before = 0
                for cells in reader:
                    if any(cells):
                        yield before + 1, [unguarded(cell) for cell in cells]
                    before = reader.line_num
        except (csv.Error, UnicodeDecodeError) as error:
            raise ConfigurationError(f"the file is not CSV: {error}", where=str(self.path), hint="save it as CSV, UTF-8") from None
        except OSError as error:
            raise ConfigurationError(f"the file cannot be read: {error.strerror or error}", where=str(self.path)) from None

    def is_untouched(self, before: str, after: str) -> bool:
        """Whether a cell came back as it was given, or only as a spreadsheet writes it again."""
        if before == after or _lines(before) == _lines(after):
            return True
        return self.encoding != CODES[0] and before.encode(self.encoding, "replace") == after.encode(self.encoding, "replace")

    def _delimiter(self, file: IO[str]) -> str:
        header = file.readline()
        file.seek(0)
        return max(DELIMITERS, key=header.count)

    def _encoding(self) -> str:
        """What a spreadsheet saves as: UTF-8, or the code page of Windows in French."""
        try:
            with self.path.open(encoding=CODES[0], newline="") as file:
                while file.read(1 << 20):
                    pass
        except UnicodeDecodeError:
            return CODES[1]
        except OSError as error:
            raise ConfigurationError(f"the file cannot be read: {error.strerror or error}", where=str(self.path)) from None
        return CODES[0]


def was_cut(before: str, after: str) -> bool:
    return len(before) > CELL and len(after) <= CELL and len(after) > CELL - 10 and _lines(before).startswith(_lines(after)[: CELL - 20])


def _lines(text: str) -> str:
    """One kind of line end."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


__all__ = ["Sheet", "guarded", "unguarded", "was_cut", "write"]

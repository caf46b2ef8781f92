"""Pieces of a file -> frames of text columns, and a BadRow for each record that is no row.

Arrow parses what is certain; where it refuses a block, the records that it cannot take are found by counting and looked at one by one.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.errors import SocleError
from flows.formats.base import BadRow
from flows.formats.csv.grammar import Broken, Grammar, Incomplete
from flows.formats.csv.header import Layout, layout
from flows.formats.csv.parsing import nothing, parse
from flows.formats.csv.pieces import Block, Single, pieces
from flows.formats.csv.text import BLOCK, UNDECODABLE, Lines, Text, footer_start
from flows.project.formats import CsvFormat
from flows.settings import Settings

if TYPE_CHECKING:
    import polars as pl

FIRST = 3 << 20  # bytes that hold as many rows as a batch has, as a rule
SHOWN = 1 << 16  # bytes of a refused record that are kept as its text
ROW = "__row"


def open_records(path: Path, how: CsvFormat, name: str = "") -> tuple[Text, Layout, Grammar]:
    """The text behind the header and before the footer, the columns, the dialect in its bytes.

    Raises: ConfigurationError for a dialect that cannot be, SourceRefused for a header that is not in its encoding.
    """
    assert how.encoding is not None
    try:
        text = Text(path, how.encoding, footer_start(path, how.encoding, how.footer_rows or 0))
        grammar = Grammar.of(how, text.encoding)
        return text, layout(text, how, grammar), grammar
    except SocleError as error:
        raise type(error)(f"{name or path.name}: {error.message}", where=error.where, hint=error.hint, french=error.french) from None


def first_rows(path: Path, name: str, how: CsvFormat, settings: Settings) -> pl.DataFrame | None:
    """The first frame that `read` gives, with less effort: no more of the file is parsed than that takes. None if there is none."""
    for window in (FIRST, BLOCK):
        frame = next((piece for piece in read(path, name, how, settings, window) if not isinstance(piece, BadRow)), None)
        if frame is None or frame.height >= settings.batch_rows:
            break
    return frame


def read(path: Path, name: str, how: CsvFormat, settings: Settings, window: int = BLOCK) -> Iterator[pl.DataFrame | BadRow]:
    text, found, grammar = open_records(path, how, name)
    with text:
        if not found.names:
            return
        reader = Reader(text, grammar, found.names, settings.batch_rows, Lines(path, text.declared))
        for piece in pieces(text, grammar, len(found.names), int(settings.csv_max_record_mb * 1e6), window):
            yield from reader.block(piece) if isinstance(piece, Block) else reader.single(piece)
        yield from reader.flush()


class Reader:
    def __init__(self, text: Text, grammar: Grammar, names: list[str], batch_rows: int, lines: Lines) -> None:
        self.text, self.grammar, self.names, self.batch_rows, self.lines = text, grammar, names, batch_rows, lines
        self.row = 0
        """Records that were seen."""
        self.waiting: list[tuple[int, list[str | None]]] = []
        """Rows that were read one by one."""

    # ---- one by one ----------------------------------------------------------------------------------------------

    def single(self, piece: Single) -> Iterator[pl.DataFrame | BadRow]:
        self.row += 1
        rule = self._keep(piece.fields, piece.raw, self.row) if piece.fields is not None else piece.rule
        if rule:
            yield self._bad(rule, self.row, piece.raw, piece.offset)
        if len(self.waiting) >= self.batch_rows:
            yield from self.flush()

    def _keep(self, fields: list[bytes | None], raw: bytes, row: int) -> str:
        """Put it with the waiting rows, or say which rule it breaks."""
        width = len(self.names)
        found = len(fields)
        while len(fields) > width and fields[-1] is None:
            fields.pop()
        if len(fields) != width:
            return f"csv:fields:expected {width}, found {found}"
        if b"\0" in raw:
            return "csv:nul:a NUL byte"
        try:
            values = [None if f is None else f.decode(self.text.encoding) for f in fields]
        except UnicodeDecodeError:
            return f"csv:encoding:not {self.text.declared}"
        if not self.text.direct and any(v and UNDECODABLE in v for v in values):
            return f"csv:encoding:not {self.text.declared}"
        self.waiting.append((row, values))
        return ""

    def flush(self) -> Iterator[pl.DataFrame]:
        """The waiting rows as a frame, with their numbers."""
        import polars as pl

        if not self.waiting:
            return
        numbers, rows = [n for n, _ in self.waiting], [values for _, values in self.waiting]
        columns = {name: pl.Series([r[i] for r in rows], dtype=pl.String) for i, name in enumerate(self.names)}
        self.waiting = []
        yield pl.DataFrame({**columns, ROW: pl.Series(numbers, dtype=pl.Int64)})

    def _bad(self, rule: str, row: int, raw: bytes, offset: int | None) -> BadRow:
        shown = self.text.show(raw[:SHOWN])
        if len(raw) > SHOWN:
            shown += f" … ({len(raw)} bytes)"
        return BadRow(rule, row, shown, None if offset is None else self.lines.of(offset), offset)

    # ---- many at a time ------------------------------------------------------------------------------------------

    def block(self, piece: Block) -> Iterator[pl.DataFrame | BadRow]:
        yield from self.flush()
        frame = None if self._has_strangers(piece.data) else self._parse(piece.data)
        if frame is None or (self.grammar.skip_space and frame.height != len(self._odd(piece)[0])):  # a line of spaces is one
            yield from self._sorted_out(piece)
            return
        self.row += frame.height
        yield from frame.iter_slices(self.batch_rows)

    def _has_strangers(self, data: bytes) -> bool:
        return b"\0" in data or (not self.text.direct and UNDECODABLE.encode() in data)

    def _parse(self, data: bytes) -> pl.DataFrame | None:
        return parse(data, self.grammar, self.names, self.text.encoding)

    def _sorted_out(self, piece: Block) -> Iterator[pl.DataFrame | BadRow]:
        """Those records that Arrow takes, and each of the others by itself."""
        import polars as pl

        data, first = piece.data, self.row + 1
        starts, ends, odd = self._odd(piece)
        self.row += len(starts)
        frame = self._parse(_join(data, starts, ends, odd)) if not odd.all() else nothing(self.names)
        if frame is None or frame.height != int((~odd).sum()):  # then no record is certain
            odd[:], frame = True, nothing(self.names)
        bad = []
        for index in odd.nonzero()[0]:
            start, end = int(starts[index]), int(ends[index])
            raw = data[start:end]
            rule = self._alone(raw, first + int(index))
            if rule:
                bad.append((rule, first + int(index), raw, start))
        numbers = pl.Series(ROW, (~odd).nonzero()[0] + first, dtype=pl.Int64)
        whole = pl.concat([frame.with_columns(numbers), *self.flush()]).sort(ROW)
        yield from whole.iter_slices(self.batch_rows)
        for rule, row, raw, start in bad:
            width = start if self.text.direct else self.text.width(data[:start])
            yield self._bad(rule, row, raw, None if piece.offset is None or width is None else piece.offset + width)

    def _alone(self, raw: bytes, row: int) -> str:
        try:
            fields, _ = self.grammar.record(raw, 0, True)
        except (Broken, Incomplete) as error:
            return str(error.args[0]) if error.args else "csv:quote:never closed"
        return self._keep(fields, raw, row)

    def _odd(self, piece: Block) -> tuple[Any, Any, Any]:
        """(starts, ends, whether it is none that Arrow takes) of the records."""
        import numpy as np

        from flows.formats.csv.bits import Marks

        data = piece.data
        marks = piece.marks or Marks(data, self.grammar.delimiter, b"", b"", True)
        starts, ends, delimiters = marks.records(len(data))
        odd = delimiters != len(self.names) - 1
        if len(starts):
            array = np.frombuffer(data, np.uint8)
            strangers = [(array == 0).nonzero()[0], np.array(self._undecodable(data, ends), np.int64)]
            for places in strangers:
                if len(places):
                    odd[np.minimum(np.searchsorted(starts, places, "right") - 1, len(starts) - 1)] = True
        return starts, ends, odd

    def _undecodable(self, data: bytes, ends: Any) -> list[int]:
        """A place in each record that is not in the encoding."""
        import codecs

        if not self.text.direct:
            mark, places, at = UNDECODABLE.encode(), [], 0
            while (at := data.find(mark, at)) >= 0:
                places.append(at)
                at += len(mark)
            return places
        decode, view = codecs.getdecoder(self.text.encoding), memoryview(data)
        places, at, ahead = [], 0, 1
        while at < len(data):
            # in parts that grow: a decoder makes room for all that it is given, each time
            upto = int(ends[min(int(ends.searchsorted(at)) + ahead, len(ends) - 1)])
            try:
                decode(view[at:upto])
                if upto >= ends[-1]:
                    break
                at, ahead = upto, ahead * 2
            except UnicodeDecodeError as error:
                places.append(at + error.start)
                after = int(ends.searchsorted(places[-1], "right"))
                at, ahead = (int(ends[after]) if after < len(ends) else len(data)), 1
        return places


def _join(data: bytes, starts: Any, ends: Any, odd: Any) -> bytes:
    """The records but the odd ones, a line each."""
    parts, at = list[bytes | memoryview](), 0
    view = memoryview(data)
    for index in odd.nonzero()[0]:
        parts.append(view[at : int(starts[index])])
        at = int(ends[index])
    parts.append(view[at:])
    return b"".join(parts)

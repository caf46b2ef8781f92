"""Personal data in the columns of a table: one pass in pieces, flat memory, a bounded cost.

Every row is looked at by one regular expression a column, in Polars: what it lets through may hold something with digits or an
address. Of those, a spread sample of bounded size is verified with checksums; where that is not all, counts are extrapolated, and the
report says so. Names, postal addresses and the model, which are costly, are looked for in a spread sample of the rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flows.privacy.columns import Tally, findings_of, people
from flows.privacy.entities import Model
from flows.privacy.headers import hints
from flows.privacy.report import PrivacyReport

if TYPE_CHECKING:
    import polars as pl

SUSPICIOUS = "|".join(
    (
        r"@[\w-]+\.",
        r"\d(?:[ .\-/\u00a0\u202f()]{0,2}\d){9}",
        r"\+\d(?:[ .()\u00a0-]{0,2}\d){7}",
        r"[12][ .]?\d\d[ .]?\d\d[ .]?2[ABab][ .]?\d{3}",
        r"(?-u:\b)[A-Za-z]{2}\d\d[ \u00a0-]?[A-Za-z0-9]{4}[ \u00a0-]?[A-Za-z0-9]{4}",
        r"(?i:naissance|(?-u:\b)n[ée]{1,2}(?:\(e\)|·e|\.e)?s?(?:\s+le(?-u:\b)|\s*:)|(?-u:\b)D\.?D\.?N(?-u:\b))",
        r"(?-u:\b)[A-Z]{2}[ -]\d{3}[ -][A-Z]{2}(?-u:\b)",
        r"(?-u:\b)\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}(?-u:\b)",
        r"[0-9A-Fa-f]{1,4}:[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:]+:",
    )
)
"""Lets through more than is found in the end. Word boundaries are those of ASCII: Unicode's make Rust's engine twenty times slower on texts
with accents, and let through less only beside letters that no pattern begins or ends with."""
PLAIN_NUMBER = r"^\d+$"
NINE_DIGITS = r"^[1-9]\d{8}$"
LENGTHS = (10, 13, 15, 16)
"""Digits that a phone, a tax number, a NIR and a card have: other cells that are one number are none of them (SIREN, SIRET)."""
PIECE_MB = 64  # that are looked at together, as far as the first rows tell
PEEK = 1_000  # rows
AROUND = r"(?s).{0,80}(?:" + SUSPICIOUS + r")[\w.-]{0,40}"
SNIPPETS = 50  # of one long cell
HELD_MB = 256  # that samples may hold before they are made smaller
ORDER = "__order"


@dataclass(frozen=True)
class Limits:
    """What a look at a table may cost."""

    rows: int = 5_000
    """In which names and addresses are looked for."""
    values: int = 20_000
    """Suspicious values of a column that are verified one by one."""
    chars: int = 4_000
    """Of one value that are read for names and addresses."""
    model_rows: int = 200


@dataclass
class _Sample:
    """The rows with the smallest ORDER: a spread sample that is the same each time."""

    size: int
    frame: pl.DataFrame | None = None
    seen: int = 0

    def possible(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Without those that cannot come in, as what is held is all before them."""
        import polars as pl

        full = self.frame is not None and self.frame.height >= self.size
        return rows.filter(pl.col(ORDER) < self.frame[ORDER].max()) if full and self.frame is not None else rows

    def add(self, rows: pl.DataFrame, seen: int) -> None:
        """`rows`: the possible ones of `seen` rows."""
        import polars as pl

        self.seen += seen
        if rows.is_empty():
            return
        rows = rows.bottom_k(self.size, by=ORDER)
        joined = rows if self.frame is None else pl.concat([self.frame, rows])
        self.frame = joined.bottom_k(self.size, by=ORDER)

    def shrink(self) -> None:
        if self.frame is not None:
            self.size = max(100, self.frame.height // 2)
            self.frame = self.frame.bottom_k(self.size, by=ORDER)

    @property
    def megabytes(self) -> float:
        return 0.0 if self.frame is None else float(self.frame.estimated_size("mb"))


def find(rows: pl.LazyFrame, limits: Limits | None = None, *, model: Model | None = None, model_name: str = "") -> PrivacyReport:
    """Columns whose names begin with two underscores are Socle's own and are not looked at."""
    import polars as pl

    limits = limits or Limits()
    texts, skipped, dates = _as_text(rows)
    total, filled, samples, suspects = 0, Counter[str](), _Sample(limits.rows), {c: _Sample(limits.values) for c in texts}
    long = Counter[str]()
    wanted = rows.select(*texts.values(), *(pl.col(c).is_not_null().alias(f"__filled {c}") for c in dates))
    for piece in wanted.collect_batches(chunk_size=_rows_of_a_piece(wanted), maintain_order=True):
        numbered = _long_numbers_as_text(piece).with_columns(_order(total, piece.height))
        total += piece.height
        for column in dates:
            filled[column] += int(piece[f"__filled {column}"].sum())
        looked = [c for c in texts if numbered[c].dtype == pl.String]
        suspicious = numbered.lazy().select(_suspicious(c).alias(c) for c in looked).collect()
        for column in looked:
            if suspicious[column].any():
                _take_suspects(numbered.select(ORDER, column).filter(suspicious[column]), column, suspects[column], limits)
            long[column] += int((numbered[column].str.len_bytes() > limits.chars).sum())
        for column in texts:
            filled[column] += piece.height - piece[column].null_count()
        sampled = [pl.col(c).cast(pl.String).str.slice(0, limits.chars) for c in texts]
        samples.add(samples.possible(numbered).select(ORDER, *sampled), piece.height)
        for held in (samples, *suspects.values()):
            if held.megabytes > HELD_MB / (1 + len(suspects) ** 0.5):
                held.shrink()
    tallies = [Tally(c, filled[c], total, _counted(suspects[c], c), suspects[c].seen, _sampled(samples, c)) for c in texts]
    tallies += [Tally(c, filled[c], total, {}, 0, {}, is_date=True) for c in dates]
    used = 0
    if model is not None:
        used = min(limits.model_rows, 0 if samples.frame is None else samples.frame.height)
    found = [f for t in tallies for f in findings_of(t, model=model, model_rows=used)]
    return PrivacyReport(
        rows=total,
        columns=tuple(sorted(people(found, tallies), key=lambda f: (f.certainty != "certain", -f.rows, f.column, f.kind))),
        sampled_rows=0 if samples.frame is None else samples.frame.height,
        checked={c: s.frame.height for c, s in suspects.items() if s.frame is not None and s.frame.height < s.seen},
        skipped=skipped,
        cut={c: n for c, n in long.items() if n},
        model=model_name if model is not None else "",
        model_rows=used,
    )


def _rows_of_a_piece(rows: pl.LazyFrame) -> int:
    first = rows.head(PEEK).collect(engine="streaming")
    return int(min(200_000, max(PEEK, PIECE_MB * first.height / max(first.estimated_size("mb"), 1e-6))))


def _order(start: int, height: int) -> pl.Expr:
    """Fibonacci hashing of the row's number: its smallest values are spread evenly over any table."""
    import polars as pl

    return (pl.int_range(start, start + height, dtype=pl.UInt64) * 2_654_435_761 % 4_294_967_296).alias(ORDER)


def _as_text(rows: pl.LazyFrame) -> tuple[dict[str, pl.Expr], dict[str, str], list[str]]:
    """(column -> its values as text or integers, column -> why it is not looked at, columns of dates)."""
    import polars as pl

    texts, skipped, dates = dict[str, pl.Expr](), dict[str, str](), list[str]()
    for name, kind in rows.collect_schema().items():
        if name.startswith("__"):
            continue
        column = pl.col(name)
        if kind == pl.String or kind.is_integer():
            texts[name] = column
        elif kind in (pl.Categorical, pl.Enum):
            texts[name] = column.cast(pl.String)
        elif kind in (pl.Date, pl.Datetime):
            dates.append(name)
        elif isinstance(kind, pl.List | pl.Array | pl.Struct):
            texts[name] = pl.struct(column.alias("_")).struct.json_encode().alias(name)
        elif kind == pl.Binary:
            skipped[name] = "elle contient des octets et non du texte"
    return texts, skipped, dates


def _long_numbers_as_text(piece: pl.DataFrame) -> pl.DataFrame:
    """Integers of less than nine digits are no number of a person."""
    import polars as pl

    numbers = [c for c, kind in piece.schema.items() if kind.is_integer()]
    long = [c for c in numbers if max(int(piece[c].max() or 0), -int(piece[c].min() or 0)) >= 10**8]  # type: ignore[call-overload, arg-type]
    return piece.with_columns(pl.col(long).cast(pl.String))


def _suspicious(column: str) -> pl.Expr:
    import polars as pl

    value = pl.col(column)
    kept = value.str.contains(SUSPICIOUS)
    if "phone" in hints(column):  # a spreadsheet takes the first 0 away
        kept |= value.str.contains(NINE_DIGITS)
    return kept.fill_null(False)


def _take_suspects(suspicious: pl.DataFrame, column: str, into: _Sample, limits: Limits) -> None:
    import polars as pl

    value = pl.col(column)
    phones = value.str.contains(NINE_DIGITS) if "phone" in hints(column) else pl.lit(False)
    number = value.str.contains(PLAIN_NUMBER) & ~value.str.len_bytes().is_in(LENGTHS)
    suspicious = suspicious.filter(~number | phones)
    short = value.str.len_bytes() <= limits.chars
    parts = value.str.extract_all(AROUND).list.head(SNIPPETS).list.join("\n")
    chosen = into.possible(suspicious.select(ORDER, column)).lazy()
    into.add(chosen.with_columns(pl.when(short).then(value).otherwise(parts)).collect(), suspicious.height)


def _counted(sample: _Sample, column: str) -> Mapping[str, int]:
    """Value -> rows of the sample that hold it."""
    return {} if sample.frame is None else _counts(sample.frame[column])


def _sampled(sample: _Sample, column: str) -> Mapping[str, int]:
    if sample.frame is None:
        return {}
    return _counts(sample.frame[column])


def _counts(values: pl.Series) -> dict[str, int]:
    """In the order of the values: the same table gives the same report."""
    return dict(values.drop_nulls().value_counts(name="__times").sort(values.name).iter_rows())

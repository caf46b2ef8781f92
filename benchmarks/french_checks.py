"""French checks beside a plain regular expression (the least that any check costs) and python-stdnum value by value.

    python -m benchmarks.french_checks [ROWS]

Everything in one run; only ratios mean something.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import polars as pl
from stdnum import iban as standard_iban
from stdnum.fr import nir as standard_nir
from stdnum.fr import siren as standard_siren
from stdnum.fr import siret as standard_siret

from flows.quality.french import codes, codes_contact, codes_date, codes_iban, codes_listed, lists

SAMPLE = 20_000  # values that python-stdnum is timed on


def rows(count: int) -> pl.DataFrame:
    """Well-formed values, about as many right as by chance; all dates, communes and postal codes are right."""
    k, pairs = pl.col("k"), lists.table("postal_codes")
    places = pl.int_range(0, count, eager=True) % pairs.height

    def digits(step: int, length: int) -> pl.Expr:
        return (k * step % 10**length).cast(pl.String).str.zfill(length)

    made = pl.DataFrame({"k": pl.int_range(0, count, eager=True)}).with_columns(
        siren=digits(433_000_007, 9),
        siret=digits(433_000_007, 9) + digits(31, 5),
        nir=pl.lit("2") + digits(7, 2) + "0575" + digits(7919, 6) + digits(31, 2),
        iban=pl.lit("FR7630006000011") + digits(7919, 10) + digits(31, 2),
        phone=pl.lit("0") + digits(433_000_007, 9),
        date=(k % 28 + 1).cast(pl.String).str.zfill(2) + "/02/" + (k % 100 + 1920).cast(pl.String),
    )
    return made.with_columns(postal_code=pairs["postal_code"].gather(places), commune=pairs["commune"].gather(places))


def seconds(frame: pl.DataFrame, check: Callable[..., pl.Expr], *columns: str) -> float:
    """The best of three."""
    taken = []
    for _ in range(3):
        start = time.perf_counter()
        frame.lazy().select(check(*(pl.col(c) for c in columns)).sum()).collect(engine="streaming")
        taken.append(time.perf_counter() - start)
    return min(taken)


def main(count: int) -> None:
    frame = rows(count)
    least = seconds(frame, lambda values: values.str.contains(r"^[0-9]{9}$"), "siren")
    print(f"{count:,} rows; a regular expression: {least:.2f} s")
    checks: list[tuple[Callable[..., pl.Expr], tuple[str, ...], Callable[[str], bool] | None]] = [
        (codes.siren, ("siren",), standard_siren.is_valid),
        (codes.siret, ("siret",), standard_siret.is_valid),
        (codes.nir, ("nir",), standard_nir.is_valid),
        (codes_iban.iban, ("iban",), standard_iban.is_valid),
        (codes_contact.phone, ("phone",), None),
        (codes_date.french_date, ("date",), None),
        (codes_listed.commune, ("commune",), None),
        (codes_listed.postal_code, ("postal_code",), None),
        (codes_listed.postal_code_in_commune, ("postal_code", "commune"), None),
    ]
    for check, columns, standard in checks:
        taken = seconds(frame, check, *columns)
        line = f"{check.__name__:24} {taken / least:5.1f} times a regular expression"
        if standard is not None:
            start = time.perf_counter()
            for value in frame[columns[0]].head(SAMPLE):
                standard(value)
            line += f"; python-stdnum takes {(time.perf_counter() - start) * count / SAMPLE / taken:.0f} times as long"
        print(line)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2_000_000)

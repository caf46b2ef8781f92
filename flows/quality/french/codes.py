"""Numbers that carry their own key: SIREN, SIRET, NIR, FINESS, UAI, and the RNA, which has a shape only.

Each check is a pure function of a column of text and gives an expression that is true where a value meets it; what it says of nulls does
not matter. Codes are text: a number has lost its leading zeros. Nothing here is Python per row, so that millions of rows are cheap.
"""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

LA_POSTE = "356000000"
LA_POSTE_HEAD_OFFICE = "35600000000048"
UAI_LETTERS = "ABCDEFGHJKLMNPRSTUVWXYZ"
"""Twenty-three: no I, O or Q, which read like digits."""


def siren(values: pl.Expr, *, spaces: bool = False) -> pl.Expr:
    """Nine digits of which the last is the key of Luhn (`732829320`). Nine zeros, which have a right key, are nobody's.

    `spaces`: also as printed, in threes (`732 829 320`).
    Source: article R123-221 of the Code de commerce; Insee, definition “Numéro SIREN”; the key is that of ISO/IEC 7812-1.
    """
    values = _packed(values, r"^[0-9]{3} [0-9]{3} [0-9]{3}$", spaces)
    return values.str.contains(r"^[0-9]{9}$") & _once(_integer(values), _siren)


def siret(values: pl.Expr, *, spaces: bool = False) -> pl.Expr:
    """A SIREN, four digits and the key of Luhn on all fourteen (`73282932000074`).

    The establishments of La Poste (356000000) are too many for Luhn: of theirs, the sum of the digits is a multiple of five, save the head
    office, whose number is older. What some files have for establishments of Monaco (`MONACOCONFO001`) is none.

    `spaces`: also as printed (`732 829 320 00074`).
    Source: Insee, definition “Numéro SIRET”, and its note on La Poste; python-stdnum has the same rule.
    """
    values = _packed(values, r"^[0-9]{3} [0-9]{3} [0-9]{3} [0-9]{5}$", spaces)
    return values.str.contains(r"^[0-9]{14}$") & _once(_integer(values), _siret)


def nir(values: pl.Expr, *, spaces: bool = False, provisional: bool = True) -> pl.Expr:
    """Number of social security with its key: fifteen characters (`253072B07300470`).

    Sex, year, month (1 to 12, or 20 and above where the register does not know it), department of birth (in the key, 2A and 2B count as 19
    and 18), commune, order (neither of which is 000), and 97 minus the rest of the division by 97.

    `spaces`: also as printed (`2 53 07 2B 073 004 70`). `provisional`: also numbers that begin with 3, 4, 7 or 8, of persons who are being
    registered.
    Source: Insee, “Numéro de sécurité sociale” (structure of the NIR); décret n° 82-103 du 22 janvier 1982.
    """
    values = _packed(values, r"^[0-9] [0-9]{2} [0-9]{2} [0-9][0-9AB] [0-9]{3} [0-9]{3} [0-9]{2}$", spaces)
    first = "1-478" if provisional else "12"
    shape = rf"^[{first}][0-9]{{2}}(?:0[1-9]|1[0-2]|[2-9][0-9])(?:[0-9]{{2}}|2[AB])[0-9]{{8}}$"
    corsican = values.str.slice(5, 2)
    digits = values.str.replace("A", "0", literal=True).str.replace("B", "0", literal=True)
    island = pl.when(corsican == "2A").then(100_000_000).when(corsican == "2B").then(200_000_000).otherwise(0)
    return values.str.contains(shape) & _once(_integer(digits) - island, _nir)


def rna(values: pl.Expr) -> pl.Expr:
    """Number of an association: W, the three characters of the office that declared it, six digits (`W751515517`). It has no key.

    The second of the three is a letter in Corsica and overseas (`W2A1000123`, `W9R2000456`). Associations of Alsace and Moselle are under
    local law and have none.
    Source: arrêté du 14 octobre 2009 portant création du répertoire national des associations; the shape is that of csv-detective.
    """
    return values.str.contains(r"^W[0-9][0-9A-Z][0-9]{7}$") & (values.str.slice(4) != "000000")


def finess(values: pl.Expr) -> pl.Expr:
    """Number of a health or social establishment, or of the legal entity that runs it: nine characters with a key of Luhn (`750712184`).

    It begins with the department, 2A or 2B in Corsica: the letter then counts as 1 or 2, which is Luhn's formula on letters, too (A is 10).
    Source: Drees, Finess (fichier national des établissements sanitaires et sociaux); that of the letter was found on numbers of Corsican
    hospitals, no text of it was at hand.
    """
    shape = r"^(?:[0-9]{2}|2[AB])[0-9]{7}$"
    digits = values.str.slice(0, 2).replace({"2A": "21", "2B": "22"}) + values.str.slice(2)
    return values.str.contains(shape) & (values.str.slice(0, 2) != "00") & _once(_integer(digits), lambda number: luhn(number, 9) == 0)


def uai(values: pl.Expr) -> pl.Expr:
    """Number of a school or university, formerly RNE: seven digits, of which the first three are the department, and the letter that their
    rest by 23 gives (`0750655E`).

    Source: ministère de l'Éducation nationale, répertoire académique et ministériel sur les établissements du système éducatif (Ramsese).
    """
    rest = _integer(values.str.slice(0, 7)) % 23
    letter = rest.replace_strict(dict(enumerate(UAI_LETTERS)), default=None, return_dtype=pl.String)
    return values.str.contains(r"^[0-9]{7}[A-Z]$") & (values.str.slice(0, 3) != "000") & (values.str.slice(7) == letter)


def luhn(number: pl.Expr, length: int) -> pl.Expr:
    """The sum of Luhn modulo 10, which is 0 where the key is right, of integers that have `length` digits (ISO/IEC 7812-1, annex B)."""
    sums = list[pl.Expr]()
    for place in range(length):
        digit = _digit(number, place)
        sums.append(digit * 2 - pl.when(digit > 4).then(9).otherwise(0) if place % 2 else digit)
    return pl.sum_horizontal(sums) % 10


def _siren(number: pl.Expr) -> pl.Expr:
    return (number > 0) & (luhn(number, 9) == 0)


def _siret(number: pl.Expr) -> pl.Expr:
    head = number // 10**5
    sum_of_la_poste = sum(map(int, LA_POSTE)) + pl.sum_horizontal(_digit(number, place) for place in range(5))
    of_la_poste = (sum_of_la_poste % 5 == 0) | (number == int(LA_POSTE_HEAD_OFFICE))
    return _siren(head) & pl.when(head == int(LA_POSTE)).then(of_la_poste).otherwise(luhn(number, 14) == 0)


def _nir(number: pl.Expr) -> pl.Expr:
    """Of fifteen digits, where Corsica is 19 or 18."""
    body = number // 100
    told = (body % 10**3 != 0) & (body // 10**3 % 10**3 != 0) & (body // 10**6 % 100 != 0)
    return told & (97 - body % 97 == number % 100)


def _once(numbers: pl.Expr, right: Callable[[pl.Expr], pl.Expr]) -> pl.Expr:
    """`right(numbers)`, with `numbers` computed once: Polars' streaming engine would do it again for each digit."""

    def judge(found: pl.Series) -> pl.Series:
        return found.alias("number").to_frame().select(right(pl.col("number"))).to_series()

    return numbers.map_batches(judge, return_dtype=pl.Boolean, is_elementwise=True)


def _digit(number: pl.Expr, place: int) -> pl.Expr:
    """From the right."""
    return number // int(10**place) % 10


def _integer(values: pl.Expr) -> pl.Expr:
    return values.cast(pl.Int64, strict=False)


def _packed(values: pl.Expr, printed: str, spaces: bool) -> pl.Expr:
    """Without the spaces (of any kind) that it is printed with."""
    if not spaces:
        return values
    plain = values.str.replace_all("[\u00a0\u202f]", " ")
    return pl.when(plain.str.contains(printed)).then(plain.str.replace_all(" ", "", literal=True)).otherwise(values)

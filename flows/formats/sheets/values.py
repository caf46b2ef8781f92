"""Cells -> text: what a person sees where it matters, and never less than the file holds."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import lru_cache

Converter = Callable[[float], tuple[str, str]]
"""A number of a cell -> (text, kind)."""

TEXT, NUMBER, DATE, BOOLEAN, ERROR, FORMULA, EMPTY = "tndbef "
"""Kinds of cells. FORMULA: one that holds no value, because the program that wrote it never computed."""

ERRORS = {
    0x00: "#NULL!",
    0x07: "#DIV/0!",
    0x0F: "#VALUE!",
    0x17: "#REF!",
    0x1D: "#NAME?",
    0x24: "#NUM!",
    0x2A: "#N/A",
    0x2B: "#GETTING_DATA",
}

NOISE_DIGITS = 12
"""Excel computes with 15 digits. A number that needs more, and at most these when it is rounded to 15, has noise of arithmetic."""
DAY_S = 86_400
LAST_DAY = 2_958_466  # 9999-12-31, in days of 1900

BUILTIN_DATES = {*range(14, 18), *range(27, 32), 34, 35, 36, *range(50, 59)}
BUILTIN_TIMES = {18, 19, 20, 21, 32, 33, 45, 47}
BUILTIN = {22: "yyyy-mm-dd hh:mm", 46: "[h]:mm:ss"} | dict.fromkeys(BUILTIN_DATES, "yyyy-mm-dd") | dict.fromkeys(BUILTIN_TIMES, "hh:mm:ss")
QUOTED = re.compile(r'"[^"]*"|\\.|_.|\*.')
BRACKETS = re.compile(r"\[(?!(?:h+|m+|s+)\])[^\]]*\]", re.IGNORECASE)


def number_text(value: float) -> str:
    """Without `.0`, without an exponent where that is readable, and without noise of arithmetic (274.65999999999997 is 274.66)."""
    if value.is_integer() and abs(value) < 1e21:
        return str(int(value))
    text = repr(value)
    short = f"{value:.15g}"
    if len(short) < len(text) and len(short.split("e", 1)[0].lstrip("-0.").replace(".", "")) <= NOISE_DIGITS:
        text = repr(float(short))
    if "e-" in text and abs(value) > 1e-15:
        text = f"{float(text):.{len(text.split('e')[0].lstrip('-').replace('.', '')) - 1 - int(text.split('e')[1])}f}"
    return text.removesuffix(".0")


@lru_cache(1000)
def converter(code: str, since_1904: bool) -> Converter:
    """How numbers with this number format are written."""
    first = QUOTED.sub("", BRACKETS.sub("", code)).split(";")[0].strip().lower()
    if re.search(r"\[(h+|m+|s+)\]", first):
        return _duration
    if first not in ("general", "standard", "@") and not re.search(r"e[+-]", first):
        plain = re.sub(r"am/pm|a/p", "h", first)
        if re.search(r"[ymdhsaj]", plain) and not re.search(r"[#?]", plain):
            return _dates(
                bool(re.search(r"[ydaj]", plain)) or ("m" in plain and not re.search("[hs]", plain)),
                "h" in plain or "s" in plain,
                since_1904,
            )
        digits = re.sub(r"[^0#?]", "", first)
        if "0" in digits and not re.search(r"[.,%/@e]", first) and (width := len(digits) - digits.index("0")) > 1:
            return _codes(width)
    return lambda value: (number_text(value), NUMBER)


def _duration(value: float) -> tuple[str, str]:
    """36:15:00: hours go beyond 24."""
    seconds = round(abs(value) * DAY_S)
    hours, rest = divmod(seconds, 3600)
    return f"{'-' if value < 0 else ''}{hours:02}:{rest // 60:02}:{rest % 60:02}", TEXT


def _codes(width: int) -> Converter:
    """00000 shows a postal code with its leading zeros, which are part of it."""

    def text(value: float) -> tuple[str, str]:
        if value >= 0 and value.is_integer():
            return number_text(value).zfill(width), TEXT if value < 10 ** (width - 1) else NUMBER
        return number_text(value), NUMBER

    return text


def _dates(has_day: bool, has_time: bool, since_1904: bool) -> Converter:
    def text(value: float) -> tuple[str, str]:
        written = date_text(value, has_day, has_time, since_1904)
        return (number_text(value), NUMBER) if written is None else (written, DATE)

    return text


def date_text(value: float, has_day: bool, has_time: bool, since_1904: bool) -> str | None:
    """ISO; None if no day has that number."""
    if not 0 <= value < LAST_DAY - (1462 if since_1904 else 0):
        return None
    if not has_day and value < 1:
        return (datetime(1900, 1, 1) + timedelta(milliseconds=round(value * DAY_S * 1000))).time().isoformat(_precision(value))
    if since_1904:
        epoch = datetime(1904, 1, 1)
    else:  # Excel has a 29 February 1900, number 60, that never was
        if value < 1 or 60 <= value < 61:
            return None
        epoch = datetime(1899, 12, 30) if value >= 60 else datetime(1899, 12, 31)
    moment = epoch + timedelta(days=int(value), milliseconds=round((value - int(value)) * DAY_S * 1000))
    if value.is_integer() and not has_time:
        return moment.date().isoformat()
    return moment.isoformat(timespec=_precision(value))


def _precision(value: float) -> str:
    milliseconds = round((value - int(value)) * DAY_S * 1000)
    return "milliseconds" if milliseconds % 1000 else "seconds"


def iso_duration_text(text: str) -> str:
    """PT36H15M00S (OpenDocument) -> 36:15:00"""
    found = re.fullmatch(r"(-?)P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:[.,]\d+)?S)?)?", text)
    if not found:
        return text
    days, hours, minutes, seconds = (int(g or 0) for g in found.groups()[1:])
    return f"{found[1]}{days * 24 + hours:02}:{minutes:02}:{seconds:02}"


@lru_cache(20_000)
def column_number(reference: str) -> int:
    """`AB12` or `AB` -> 27"""
    number = 0
    for letter in reference:
        if not "A" <= letter <= "Z":
            break
        number = number * 26 + ord(letter) - 64
    return number - 1


def column_letters(number: int) -> str:
    letters = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")


def unescaped(text: str) -> str:
    """`_x000D_` stands for a character that XML cannot hold."""
    return ESCAPED.sub(lambda m: m[0] if 0xD800 <= int(m[1], 16) <= 0xDFFF else chr(int(m[1], 16)), text) if "_x" in text else text

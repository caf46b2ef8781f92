"""Python's regular expressions in the syntax of Rust's, with the same answer to "is it found?", or not at all.

Python's parser reads the expression, so that nothing is guessed from its text. What Rust does not have (look-around, back-references), or
reads differently in ways that cannot be written down (\\b, case folding), is Untranslatable.
"""

from __future__ import annotations

import re
from re import _constants as c  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

import polars as pl

CATEGORIES = {c.CATEGORY_DIGIT: r"\p{Nd}", c.CATEGORY_SPACE: r"\s\x1c-\x1f", c.CATEGORY_WORD: r"\p{L}\p{N}_"}
OPPOSITES = {c.CATEGORY_NOT_DIGIT: c.CATEGORY_DIGIT, c.CATEGORY_NOT_SPACE: c.CATEGORY_SPACE, c.CATEGORY_NOT_WORD: c.CATEGORY_WORD}
"""str.isspace and str.isalnum, which Python uses, as Unicode classes."""
PLACES = {c.AT_BEGINNING: r"\A", c.AT_BEGINNING_STRING: r"\A", c.AT_END: r"(?:\n?\z)", c.AT_END_STRING: r"\z"}
"""Python's $ also stands before a last newline. The newline is eaten here, which changes nothing to whether there is a match."""
NAMES = {
    c.ASSERT: "a look-around", c.ASSERT_NOT: "a look-around", c.GROUPREF: "a back-reference", c.GROUPREF_EXISTS: "a conditional group",
    c.ATOMIC_GROUP: "an atomic group", c.POSSESSIVE_REPEAT: "a possessive repeat", c.AT: "a word boundary",
}  # fmt: skip


class Untranslatable(ValueError):
    """Its message names what Rust's regular expressions lack."""


def translate(regex: str) -> str:
    """Raises: Untranslatable; re.error if Python cannot read it either."""
    parsed = parser.parse(regex)
    if parsed.state.flags & ~re.UNICODE:
        raise Untranslatable("flags such as (?i)")
    text = _sequence(parsed, last=True)
    try:
        pl.Series([""]).str.contains(text)
    except pl.exceptions.ComputeError as error:
        raise Untranslatable(str(error).splitlines()[0]) from None
    return text


def _sequence(parsed: Any, last: bool) -> str:
    """`last`: nothing follows it in the whole expression."""
    steps = list(parsed)
    return "".join(_one(op, argument, last and number == len(steps) - 1) for number, (op, argument) in enumerate(steps))


def _one(op: Any, argument: Any, last: bool) -> str:
    if op is c.LITERAL:
        return _escaped(argument)
    if op is c.NOT_LITERAL:
        return f"[^{_escaped(argument)}]"
    if op is c.ANY:
        return "."
    if op is c.IN:
        return _set(argument)
    if op is c.BRANCH:
        return "(?:" + "|".join(_sequence(p, last) for p in argument[1]) + ")"
    if op is c.SUBPATTERN and not argument[1] and not argument[2]:
        return f"(?:{_sequence(argument[3], last)})"
    if op in (c.MAX_REPEAT, c.MIN_REPEAT):
        low, high, what = argument
        return f"(?:{_sequence(what, last=False)}){{{low},{'' if high is c.MAXREPEAT else high}}}"
    if op is c.AT and argument in PLACES:
        if argument is c.AT_END and not last:
            raise Untranslatable("a $ that something follows")
        return PLACES[argument]
    raise Untranslatable(NAMES.get(op, "flags in a group"))


def _set(members: list[tuple[Any, Any]]) -> str:
    inside = ""
    negated = False
    for op, argument in members:
        if op is c.NEGATE:
            negated = True
        elif op is c.LITERAL:
            inside += _escaped(argument)
        elif op is c.RANGE:
            inside += f"{_escaped(argument[0])}-{_escaped(argument[1])}"
        elif argument in CATEGORIES:
            inside += CATEGORIES[argument]
        elif argument in OPPOSITES:
            inside += f"[^{CATEGORIES[OPPOSITES[argument]]}]"
        else:
            raise Untranslatable("an unknown class")
    return f"[{'^' if negated else ''}{inside}]"


def _escaped(code: int) -> str:
    if 0xD800 <= code <= 0xDFFF:
        raise Untranslatable("half of a surrogate pair")
    return chr(code) if chr(code).isalnum() else f"\\x{{{code:x}}}"

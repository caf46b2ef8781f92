"""What a cell looks like: enough to tell a column from a line cut in the wrong places, and a header from a record.

No value is read here.
"""

from __future__ import annotations

import re

NUMBER = re.compile(r"[-+(]?\s?[€$£]?\s?(?:\d{1,3}(?:[ \u00a0\u202f.,'’]\d{3})+|\d+)(?:[.,]\d+)?(?:[eE][-+]?\d+)?\s?[%€$£)]?|[-+]?[.,]\d+")
DATE = re.compile(
    r"\d{1,4}([-/.])\d{1,2}\1\d{1,4}(?:[T ]\d{1,2}[:h.]\d{2}(?:[:m.]\d{2}(?:[.,]\d+)?)?s?\s?(?:[AaPp][Mm])?\s?(?:Z|UTC|[-+]\d{2}:?\d{2})?)?"
)
TIME = re.compile(r"\d{1,2}[:h]\d{2}(?:[:m]\d{2}(?:[.,]\d+)?)?s?\s?(?:[AaPp][Mm])?(?:Z|[-+]\d{2}:?\d{2})?")
WORD = re.compile(r"[\w.+#°/@&-]+", re.UNICODE)
ADDRESS = re.compile(r"(?:https?|ftp)://\S+|[\w.+-]+@[\w-]+\.[\w.-]+")
NOTHING = {"", "-", "na", "n/a", "nan", "nd", "n.d.", "nc", "null", "none", "ns", "s", "so", "s.o.", "?", "--", "...", "x", "#n/a"}
BOOLEANS = {"true", "false", "vrai", "faux", "oui", "non", "yes", "no", "o", "n", "y", "t", "f"}
STRONG = ";\t|"
"""Characters that are hardly ever inside a value that is not quoted."""


def kind(cell: str) -> str:
    """`empty`, `number`, `date`, `time`, `boolean` or `text`."""
    cell = cell.strip()
    if not cell:
        return "empty"
    if not cell[-1].isalpha() or cell[0].isdigit():
        if NUMBER.fullmatch(cell):
            return "number"
        if DATE.fullmatch(cell):
            return "date"
        if TIME.fullmatch(cell):
            return "time"
    return "boolean" if cell.lower() in BOOLEANS else "text"


def soundness(cell: str, delimiter: str, is_quoted: bool) -> float:
    """From 0 to 1: how much this looks like one value."""
    if is_quoted:
        return 0.95
    stripped = cell.strip()
    if not stripped:
        return 0.75
    if kind(stripped) != "text":
        return 1.0
    if any(c in stripped for c in STRONG if c != delimiter) or stripped[0] in ",;:" or stripped[-1] in ",;":
        return 0.3
    if stripped[0] in "\"'" and (len(stripped) == 1 or stripped[-1] != stripped[0]):
        return 0.3
    if stripped[0] == '"' or stripped[-1] == '"':
        return 0.5
    if WORD.fullmatch(stripped):
        return 0.97
    if ADDRESS.fullmatch(stripped):
        return 1.0
    if re.search(r"[^\W\d_],[^\W\d_]", stripped):
        return 0.7
    return 0.9

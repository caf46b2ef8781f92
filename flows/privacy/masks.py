"""Personal data made unreadable: enough is left to see what it was, never whose."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from flows.privacy.entities import Model, entities
from flows.privacy.kinds import KINDS

ADDRESS = re.compile(r"([\w.+'-])[\w.+'-]*@[^\s,;>]*?(\.[A-Za-z]{2,24})(?![\w.-])")
IN_TEXT = {
    "nir": "[NIR]",
    "iban": "[IBAN]",
    "card": "[carte bancaire]",
    "tax_number": "[numéro fiscal]",
    "email": "[e-mail]",
    "phone": "[téléphone]",
    "birth_date": "[date de naissance]",
    "name": "[nom]",
    "address": "[adresse]",
    "plate": "[plaque]",
    "ip": "[adresse IP]",
}


def mask(text: str, *, model: Model | None = None) -> str:
    """Each entity that is found in it replaced by its kind. A name that no rule knows stays: for columns that are known to hold
    personal data, use mask_value."""
    out, at = [], 0
    for one in entities(text, model=model):
        out += [text[at : one.start], IN_TEXT[one.kind]]
        at = one.end
    return "".join([*out, text[at:]])


def mask_value(value: str, kinds: Iterable[str]) -> str:
    """One value of a column that holds such kinds; none of its letters and digits stays but those that tell the kind.

    `j***@***.fr`, `06 ** ** ** **`, `1 ** ** ** *** *** **`, `FR** ****`, `M*** D***`; any other kind of text: as mask() does.
    """
    kinds = list(kinds)
    unknown = [k for k in kinds if k not in KINDS]
    if unknown:
        raise ValueError(f"no kind of personal data: {', '.join(unknown)}")
    if not kinds:
        return mask(value)
    if "email" in kinds and "@" in value:
        return ADDRESS.sub(r"\1***@***\2", _mask_but_emails(value))
    for kind, first in (("phone", 2), ("nir", 1), ("iban", 2), ("card", 0), ("tax_number", 0), ("plate", 0), ("ip", 0)):
        if kind in kinds and sum(c.isdigit() for c in value) >= 3 and len(value) <= 60:
            return _stars(value, first)
    if "birth_date" in kinds and re.search(r"\d", value) and len(value) <= 40:
        return _stars(value, 0)
    if "name" in kinds or "address" in kinds:
        short = re.sub(r"[^\W\d_]+", lambda m: m[0][0] + "***", re.sub(r"\d", "*", value[:80]))
        return short if len(value) <= 80 else short + "…"
    return mask(value)


def _mask_but_emails(value: str) -> str:
    """A cell with an address may hold a name as well: `Jeanne Dupont <j.dupont@...>`."""
    found = [e for e in entities(value) if e.kind != "email"]
    out, at = [], 0
    for one in found:
        out += [value[at : one.start], IN_TEXT[one.kind]]
        at = one.end
    return "".join([*out, value[at:]])


def _stars(value: str, first: int) -> str:
    """Letters and digits after the `first` ones become stars; what separates them stays."""
    seen, out = 0, []
    for c in value:
        if c.isalnum():
            out.append(c if seen < first else "*")
            seen += 1
        else:
            out.append(c)
    return "".join(out)


def masker(columns: Mapping[str, Sequence[str]]) -> Callable[[str, str], str]:
    """(column, value) -> the value as it may be shown. `columns`: the kinds that each is known to hold (PrivacyReport.kinds).

    Every example of a check goes through it before it is written anywhere.
    """
    return lambda column, value: mask_value(value, columns.get(column, ()))

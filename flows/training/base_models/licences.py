"""Under which licence a pretrained model is: what its card says, what a project expects, what the platform accepts."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from flows.errors import Refused

CARD = "README.md"
UNKNOWN = ("other", "unknown", "")


def licence_of(folder: Path) -> str:
    """The licence in the head of the model card, as the hub writes them (`apache-2.0`); `license_name` where it says `other`.

    Empty if there is no card, or it does not say.
    """
    try:
        text = (folder / CARD).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
    head = re.match(r"\ufeff?\s*---\r?\n(.*?)\r?\n---\s*(\r?\n|$)", text, re.DOTALL)
    if head is None:
        return ""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        card: Any = YAML(typ="safe", pure=True).load(head[1])
    except (YAMLError, ValueError):
        return ""
    if not isinstance(card, dict):
        return ""
    named = card.get("license")
    names = [normal(str(one)) for one in (named if isinstance(named, list) else [named]) if one]
    if names in ([], ["other"]):
        names = [normal(str(card.get("license_name") or ""))]
    return ", ".join(sorted(name for name in names if name not in UNKNOWN))


def normal(licence: str) -> str:
    return " ".join(licence.lower().split())


def agreed(given: str | None, found: str, name: str, where: str) -> str:
    """The licence of a model: `given` by whoever adds it or declares it, and `found` in its card or manifest.

    Raises: Refused if both are there and differ.
    """
    if given and found and normal(given) != found:
        raise Refused(
            f"the licence of {name!r} is {found!r}, not {normal(given)!r}", where=where, hint="read the model's card, then correct one"
        )
    return normal(given or "") or found


def require_allowed(licence: str, allowed: str, name: str, where: str) -> None:
    """`allowed`: SOCLE_LICENCES_ALLOWED, names separated by commas; empty: any.

    Raises: Refused.
    """
    names = [normal(one) for one in allowed.split(",") if one.strip()]
    if names and not (licence and {part.strip() for part in licence.split(",")} <= set(names)):
        found = f"{licence!r} is not among those that are accepted here" if licence else "is not known"
        raise Refused(f"the licence of {name!r} {found}", where=where, hint=f"SOCLE_LICENCES_ALLOWED has {', '.join(names)}")

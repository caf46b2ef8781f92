"""Sentences of annotated decisions -> one row a sentence, which says of what decision it is."""

from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Any

from flows.models.spans import joined

BEGINS = ("PROCÉDURE", "PROCEDURE")


def phrases(records: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """A decision begins at a sentence that is the word PROCÉDURE alone: the files have no other sign of it.

    Its name is a hash of its words, so that it stays the same wherever it stands in a file, and when its tags are corrected.
    """
    decision = list[dict[str, Any]]()
    for sentence in records:
        if len(sentence["tokens"]) == 1 and sentence["tokens"][0] in BEGINS and decision:
            yield from _rows(decision)
            decision = []
        decision.append(sentence)
    if decision:
        yield from _rows(decision)


def _rows(decision: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    words = "\n".join(" ".join(sentence["tokens"]) for sentence in decision)
    name = sha256(words.encode()).hexdigest()[:12]
    for number, sentence in enumerate(decision, 1):
        yield {
            "id": f"{name}-{number:03}",
            "decision": name,
            "rang": number,
            "texte": joined(sentence["tokens"])[0],
            "mots": sentence["tokens"],
            "etiquettes": sentence["tags"],
        }

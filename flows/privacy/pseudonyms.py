"""Entities of a document replaced consistently: `[PERSONNE 1]` is the same person wherever it stands in that document.

Only numbers of first appearance are given, nothing is kept: there is no table that leads back. What is found is what a model and the
rules of this package find; what they miss stays in the text.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from flows.privacy.entities import entities

PSEUDONYMS_REVISION = "1"
"""Raise it when other text comes out than before: pseudonymised datasets are then made again."""
Span = tuple[int, int, str]
"""(start, end, label), in characters, end not included."""
PERSON, DATE = "PERSONNE", "DATE"
NAMES = {
    "PER": PERSON, "PERS": PERSON, "PERSON": PERSON, "LEGAL_PROFESSIONAL": PERSON,
    "LOC": "LIEU", "GPE": "LIEU", "ORG": "ORGANISATION", "DATE": DATE, "DATETIME": DATE, "TIME": "HEURE", "CODE": "NUMÉRO",
    "NATIONALITY": "NATIONALITÉ", "ETHNIC_CATEGORY": "ORIGINE", "ADDRESS": "ADRESSE", "MISC": "NOM",
}  # fmt: skip
"""Usual labels -> what stands in the text; another label is written as it is."""
RULES = {
    "name": PERSON, "birth_date": DATE, "address": "ADRESSE", "email": "E-MAIL", "phone": "TÉLÉPHONE", "nir": "NIR", "iban": "IBAN",
    "card": "CARTE BANCAIRE", "tax_number": "NUMÉRO FISCAL", "plate": "PLAQUE", "ip": "ADRESSE IP",
}  # fmt: skip
ARTICLE = re.compile(r"(?:l['’]|d['’]|(?:le|la|les|du|des|de|en|au|aux|à)\s+)+(?=\S)", re.IGNORECASE)
CIVILITY = re.compile(
    r"(?:MM?\.|Mr\.?|Mmes?|Mlles?|Monsieur|Messieurs|Madame|Mesdames|Mademoiselle|Me|Mes|Ma[iî]tres?|Dr\.?|docteur|Pr\.?|professeur|juge|sir|lord)\s+",
    re.IGNORECASE,
)
NUMBER_OF = {
    month: number
    for number, names in enumerate(
        (
            "janvier janv",
            "fevrier fevr",
            "mars",
            "avril",
            "mai",
            "juin",
            "juillet juil",
            "aout",
            "septembre sept",
            "octobre oct",
            "novembre nov",
            "decembre dec",
        ),
        1,
    )
    for month in names.split()
}
PARTICLES = {"de", "du", "des", "la", "le", "les", "van", "von", "der", "den", "et", "di", "da", "dos", "ben", "el", "al"}
SHORTEST = 3  # letters of a name that is looked for in the rest of a document


@dataclass
class Replaced:
    """Texts of one document, and how often something was replaced, by what it is."""

    texts: list[str | None]
    spans: list[list[tuple[int, int]]]
    """What was replaced in each of the texts that were given."""
    counts: Counter[str] = field(default_factory=Counter)


def pseudonymise(texts: Sequence[str | None], found: Sequence[Iterable[Span]], names: Mapping[str, str] | None = None) -> Replaced:
    """The texts of one document with entities replaced by `[NAME number]`.

    found: a model's spans of each text. names: label -> what is written; labels that it lacks stay in the text (None: NAMES, and every
    label is replaced). Besides: whatever entities() finds, and every other place in the document where a person's name stands that was
    found once. Where spans overlap, all that they cover is replaced, as what the longest says.
    """
    given = [_named(spans, names) for spans in found]
    settled = [_settled(text or "", [*spans, *_by_rules(text or "")]) for text, spans in zip(texts, given, strict=True)]
    people = _Elsewhere(text[s:e] for text, spans in zip(texts, settled, strict=True) for s, e, n in spans if n == PERSON and text)
    settled = [_settled(text or "", [*spans, *people.spans(text or "")]) for text, spans in zip(texts, settled, strict=True)]
    register = _Register((n, text[s:e]) for text, spans in zip(texts, settled, strict=True) for s, e, n in spans if text)
    result = Replaced([], [[(s, e) for s, e, _ in spans] for spans in settled])
    for text, spans in zip(texts, settled, strict=True):
        if text is None:
            result.texts.append(None)
            continue
        out, at = [], 0
        for start, end, name in spans:
            out += [text[at:start], f"[{name} {register.number(name, text[start:end])}]"]
            result.counts[name] += 1
            at = end
        result.texts.append("".join([*out, text[at:]]))
    return result


def _named(spans: Iterable[Span], names: Mapping[str, str] | None) -> list[Span]:
    if names is None:
        return [(start, end, NAMES.get(label, label)) for start, end, label in spans]
    return [(start, end, names[label]) for start, end, label in spans if label in names]


def _by_rules(text: str) -> list[Span]:
    return [(one.start, one.end, RULES[one.kind]) for one in entities(text)]


def _settled(text: str, spans: Iterable[Span]) -> list[Span]:
    """In order, none over another: those that overlap become one. An article or a civility before a name stays in the text."""
    merged: list[list[Span]] = []
    for span in sorted(spans):
        if merged and span[0] < max(s[1] for s in merged[-1]):
            merged[-1].append(span)
        else:
            merged.append([span])
    trimmed = [_trimmed(text, group[0][0], max(s[1] for s in group), max(group, key=lambda s: s[1] - s[0])[2]) for group in merged]
    return [span for span in trimmed if span is not None]


def _trimmed(text: str, start: int, end: int, name: str) -> Span | None:
    if match := ARTICLE.match(text, start, end):
        start = match.end()
    if name == PERSON:
        while match := CIVILITY.match(text, start, end):
            start = match.end()
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return (start, end, name) if any(c.isalnum() for c in text[start:end]) else None


class _Elsewhere:
    """Finds again the names of people that were found once, written the same way or in capitals."""

    def __init__(self, mentions: Iterable[str]) -> None:
        kept = {m for m in mentions if m[:1].isupper() and sum(c.isalpha() for c in m) >= SHORTEST}
        forms = sorted({form for m in kept for form in (m, m.upper())}, key=len, reverse=True)
        self.pattern = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, forms))})(?!\w)") if forms else None

    def spans(self, text: str) -> list[Span]:
        return [(*match.span(), PERSON) for match in self.pattern.finditer(text)] if self.pattern else []


class _Register:
    """Which mentions are of one and the same, in a document. Numbers are given in the order of first appearance.

    Case, accents, civilities and articles do not count, and dates count as the day that they say. Of people besides: a mention whose words
    are all in exactly one longer name of the document (an initial stands for a word that begins so) is of that one; where several have
    them, it is one of its own: two people never become one by a guess.
    """

    def __init__(self, mentions: Iterable[tuple[str, str]]) -> None:
        self.numbers: dict[str, dict[object, int]] = {}
        ordered = [(name, _key(name, text)) for name, text in mentions]
        people = list(dict.fromkeys(key for name, key in ordered if name == PERSON))
        self.longer = {key: _owner(key, people) for key in people}
        for name, key in ordered:
            known = self.numbers.setdefault(name, {})
            known.setdefault(self._of(name, key), len(known) + 1)

    def number(self, name: str, text: str) -> int:
        return self.numbers[name][self._of(name, _key(name, text))]

    def _of(self, name: str, key: tuple[str, ...]) -> tuple[str, ...]:
        return self.longer[key] if name == PERSON else key


def _owner(key: tuple[str, ...], people: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """The longest name that this mention is a part of; itself if there is none, or it could be of several."""
    for_it = [p for p in people if _letters(p) > _letters(key) and _is_part(key, p)]
    whole = [p for p in for_it if not any(_letters(q) > _letters(p) and _is_part(p, q) for q in for_it)]
    return whole[0] if len(whole) == 1 else key


def _is_part(key: tuple[str, ...], name: tuple[str, ...]) -> bool:
    left = list(name)
    for word in key:
        match = next((w for w in left if w == word or (len(word) == 1 and w.startswith(word))), None)
        if match is None:
            return False
        left.remove(match)
    return any(len(word) > 1 for word in key)


def _letters(name: tuple[str, ...]) -> int:
    return sum(map(len, name))


def _key(name: str, text: str) -> tuple[str, ...]:
    words = tuple(re.findall(r"\w+", _plain(text)))
    if name == PERSON:
        return tuple(w for w in words if w not in PARTICLES) or words
    return _day(words) or words if name == DATE else words


def _day(words: tuple[str, ...]) -> tuple[str, ...]:
    """(year, month, day) of a whole date: `28 mai 1996`, `1er mai 1996`, `28/05/1996` and `1996-05-28` are of the same form."""
    some = [str(NUMBER_OF.get(w, w.removesuffix("er"))) for w in words if w not in ("le", "du", "au")]
    if len(some) != 3 or not all(w.isdecimal() for w in some):
        return ()
    day, month, year = some if len(some[0]) < 3 else some[::-1]
    return ("date", year, str(int(month)), str(int(day)))


def _plain(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in decomposed if not unicodedata.combining(c))

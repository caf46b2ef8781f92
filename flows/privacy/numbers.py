"""Rules for what has digits: NIR, IBAN, cards, tax numbers, phones, dates of birth, plates, IP addresses.

Shapes are regular expressions; what decides is a checksum or a numbering plan, by python-stdnum and phonenumbers (both follow the
published rules: Insee's key of the NIR, ISO 13616, ISO/IEC 7812, the numbering plan of Arcep).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from ipaddress import ip_address

from flows.privacy.kinds import Certainty, Entity

DIGIT = re.compile(r"\d")
SPACE = r"[ \u00a0\u202f.\-]"
NIR = re.compile(
    rf"(?<![\w.,])[12378]{SPACE}?\d\d{SPACE}?(?:0[1-9]|1[0-2]|[2-9]\d){SPACE}?(?:\d\d|2[ABab]){SPACE}?\d{{3}}{SPACE}?\d{{3}}{SPACE}{{0,3}}\d\d(?!\w|,\d)"
)
NIR_SHORT = re.compile(
    rf"(?<![\w.,])[12]{SPACE}?\d\d{SPACE}?(?:0[1-9]|1[0-2]){SPACE}?(?:\d\d|2[ABab]){SPACE}?\d{{3}}{SPACE}?\d{{3}}(?!\w|,\d)"
)
NIR_WORDS = re.compile(r"s[ée]curit[ée] sociale|\bs[ée]cu\b|\bNIR\b|\bassur[ée]e?\b|\bINSEE\b", re.IGNORECASE)
IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}\d\d(?:[ \u00a0\u202f-]?[A-Za-z0-9]){11,30}")
TREASURY = ("10071", "30001")
"""Bank codes of the public treasury and of the Banque de France: accounts of administrations."""
CARD = re.compile(r"(?<![\w.,-])(?:\d{4}[ \u00a0-]?){3}\d{4}(?!\w|[.,-]\d)")
TAX = re.compile(r"(?<!\w)[0-3]\d(?:[ \u00a0]?\d){11}(?!\w)")
TAX_WORDS = re.compile(r"fiscal|\bSPI\b|\bNIF\b", re.IGNORECASE)
PHONE = re.compile(
    r"(?<![\w+.,/])(?:(?:\(?(?:\+|00)[ \u00a0]?33\)?[ \u00a0.]?(?:\(0\)[ \u00a0]?)?|0)[1-9](?:[ \u00a0\u202f.\-/]?\d\d){4}"
    r"|\+(?!33)\d{1,3}(?:[ \u00a0.()-]{0,2}\d){6,12})(?!\w|[.,/-]?\d)"
)
PHONE_WORDS = re.compile(r"t[ée]l|phone|portable|mobile|joindre|joignable|appel|\bSMS\b|num[ée]ro|\bgsm\b", re.IGNORECASE)
NOT_PHONE = re.compile(
    r"(?:\bn[°o]s?|num[ée]ro|dossier|r[ée]f(?:[ée]rence|\.)?|siren|siret|commande|facture|identifiant|allocataire|code)\s*(?:de|d'|du)?\s*"
    r"(?:dossier|commande|facture|client|allocataire)?\s*[:n°]*\s*$",
    re.IGNORECASE,
)
PLATE = re.compile(r"(?<![\w-])[A-HJ-NP-TV-Z]{2}([ -])\d{3}\1[A-HJ-NP-TV-Z]{2}(?![\w-])")
IPV4 = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w]|\.\d)")
IPV6 = re.compile(r"(?<![\w:])[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{0,4}){3,7}(?![\w:])")
NOT_IP = re.compile(r"(?:version|\bv\.?|article|\bart\.?|§|section|paragraphe|chapitre|n°|num[ée]ro)\s*$", re.IGNORECASE)
MONTHS = (
    r"janvier|f[ée]vrier|mars|avril|mai|juin|juillet|ao[ûu]t|septembre|octobre|novembre|d[ée]cembre|"
    r"janv\.|f[ée]vr\.|sept\.|oct\.|nov\.|d[ée]c\."
)
DATE = (
    r"(?:\d{1,2}[/.\- ]\d{1,2}[/.\- ](?:19|20)?\d\d|(?:19|20)\d\d-\d\d-\d\d|"
    rf"(?:1er|\d{{1,2}})\s+(?:{MONTHS})\s+(?:19|20)\d\d)(?!\w)"
)
BIRTH = re.compile(
    r"(?<!\w)(n[ée]{1,2}(?:\(e\)|·e|\.e)?s?\s+le|date\s+de\s+naissance|naissance|DDN|D\.D\.N\.|n[ée]{1,2}(?:\(e\))?\s*:)"
    rf"\W{{0,4}}(?:le\s+)?({DATE})",
    re.IGNORECASE,
)
SAYS_BIRTH = re.compile(r"naissance|DDN|D\.D\.N", re.IGNORECASE)
PERSON_NEAR = re.compile(
    r"\bMM?\.(?!\w)|\b(?:Mr|Mmes?|Mlle|Monsieur|Madame|fils|fille|enfant|[ée]poux|[ée]pouse|conjoint|soussign[ée]|p[èe]re|m[èe]re|patiente?|"
    r"demandeure?s?e?|b[ée]n[ée]ficiaire|assur[ée]e?|salari[ée]e?|[ée]tudiante?|[ée]l[èe]ve|requ[ée]rante?|suis|moi|elle|il)\b"
)
NEAR = 60  # characters before a number in which a word tells what it is


def _before(text: str, start: int, length: int = NEAR) -> str:
    return text[max(0, start - length) : start]


def _compact(text: str) -> str:
    return re.sub(r"[\s\u00a0\u202f.\-/()]", "", text)


def numbers(text: str) -> Iterator[Entity]:
    """Every entity with digits in `text`; they may overlap (entities.py chooses)."""
    if not DIGIT.search(text):
        return
    yield from _nir(text)
    yield from _iban(text)
    yield from _cards(text)
    yield from _tax(text)
    yield from _phones(text)
    yield from _births(text)
    yield from _plates(text)
    yield from _addresses_of_machines(text)


def _nir(text: str) -> Iterator[Entity]:
    from stdnum.fr import nir

    for match in NIR.finditer(text):
        if nir.is_valid(_compact(match[0]).upper()):
            told = bool(NIR_WORDS.search(_before(text, match.start())))
            bare = match[0].isalnum() and not told
            yield Entity("nir", *match.span(), "certain", "clé du NIR exacte", bare)
    if NIR_WORDS.search(text):
        for match in NIR_SHORT.finditer(text):
            if NIR_WORDS.search(_before(text, match.start())):
                yield Entity("nir", *match.span(), "possible", "numéro de 13 chiffres sans clé, annoncé comme NIR")


def _iban(text: str) -> Iterator[Entity]:
    from stdnum import iban

    for match in IBAN.finditer(text):
        places = [i for i, c in enumerate(match[0]) if c.isalnum()]
        packed = "".join(match[0][i] for i in places).upper()
        for length in range(len(packed), 14, -1):  # words may follow it in capitals; its country says where it ends
            if iban.is_valid(packed[:length], check_country=False):  # a list of banks is never complete
                if not (packed.startswith("FR") and packed[4:9] in TREASURY):
                    yield Entity("iban", match.start(), match.start() + places[length - 1] + 1, "certain", "clé de l'IBAN exacte")
                break


def _cards(text: str) -> Iterator[Entity]:
    from stdnum import luhn

    for match in CARD.finditer(text):
        digits = _compact(match[0])
        prefix = digits[0] == "4" or "51" <= digits[:2] <= "55" or "2221" <= digits[:4] <= "2720"
        if prefix and len(set(digits)) > 2 and luhn.is_valid(digits):
            yield Entity("card", *match.span(), "certain", "clé de Luhn exacte et préfixe de carte bancaire", match[0].isdigit())


def _tax(text: str) -> Iterator[Entity]:
    from stdnum.fr import nif

    if not TAX_WORDS.search(text):
        return
    for match in TAX.finditer(text):
        if TAX_WORDS.search(_before(text, match.start())) and nif.is_valid(_compact(match[0])):
            yield Entity("tax_number", *match.span(), "certain", "clé du numéro fiscal exacte")


def _phones(text: str) -> Iterator[Entity]:
    for match in PHONE.finditer(text):
        line = line_of(_compact(match[0]))
        if line is None:
            continue
        bare, before = match[0].isdigit(), _before(text, match.start())
        if bare and NOT_PHONE.search(before) and not re.search(r"t[ée]l|portable|mobile", before, re.IGNORECASE):
            continue
        told = bool(PHONE_WORDS.search(before))
        why = "numéro de mobile valide" if line == "certain" else "numéro de ligne fixe ou de service attribuable"
        yield Entity("phone", *match.span(), line, why, bare and not told)


REGIONS = ("FR", "RE", "GP", "MQ", "GF", "YT", "PM", "NC", "PF")


@lru_cache(maxsize=4096)
def line_of(digits: str) -> Certainty | None:
    """certain: a mobile, which is one person's; possible: a fixed line, which may be an office's; None: none, or one that everybody calls.

    Numbers that Arcep keeps for fiction (06 39 98 xx xx and the like) are nobody's.
    """
    import phonenumbers
    from phonenumbers import PhoneNumberType as Type

    digits = re.sub(r"^00(?=33)", "+", digits)
    digits = re.sub(r"^\+330", "+33", digits)
    if re.match(r"(?:0|\+33)(?:63998|19900|26191|35301|46571|53649)", digits):
        return None
    for region in (None,) if digits.startswith("+") else REGIONS[:6]:
        try:
            number = phonenumbers.parse(digits, region)
        except phonenumbers.NumberParseException:
            continue
        if not phonenumbers.is_valid_number(number):
            continue
        kind = phonenumbers.number_type(number)
        if kind == Type.MOBILE:
            return "certain"
        return "possible" if kind in (Type.FIXED_LINE, Type.FIXED_LINE_OR_MOBILE, Type.VOIP, Type.PERSONAL_NUMBER) else None
    return None


def _births(text: str) -> Iterator[Entity]:
    for match in BIRTH.finditer(text):
        year = re.search(r"(?:19|20)\d\d", match[2])
        if year and not 1900 <= int(year[0]) <= 2100:
            continue
        sure = SAYS_BIRTH.search(match[1]) or PERSON_NEAR.search(_before(text, match.start(), 80)) or _at_a_place(text, match.end())
        certainty: Certainty = "certain" if sure else "possible"
        yield Entity("birth_date", *match.span(2), certainty, "date annoncée comme une naissance")


def _at_a_place(text: str, end: int) -> bool:
    return re.match(r",?\s+(?:à|au|aux|en)\s+[A-ZÀ-Þ]", text[end : end + 12]) is not None


def _plates(text: str) -> Iterator[Entity]:
    for match in PLATE.finditer(text):
        if not match[0].startswith(("SS", "WW")) and not match[0].endswith("SS"):
            yield Entity("plate", *match.span(), "possible", "forme d'une plaque d'immatriculation")


def _addresses_of_machines(text: str) -> Iterator[Entity]:
    for pattern in (IPV4, IPV6) if text.count(":") > 2 else (IPV4,):
        for match in pattern.finditer(text):
            try:
                address = ip_address(match[0])
            except ValueError:
                continue
            if address.is_global and not NOT_IP.search(_before(text, match.start(), 14)):
                yield Entity("ip", *match.span(), "possible", "adresse IP publique")

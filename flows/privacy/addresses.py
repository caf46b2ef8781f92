"""Postal addresses in French text: a number, a kind of way, its name; and the postal code and town after it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from flows.privacy.kinds import Entity

SURE = (
    r"rue|avenue|av\.?|ave|boulevard|boul\.|bd|bld|all[ée]es?|impasse|imp\.?|chemin|che|quai|square|ruelle|venelle|faubourg|fg|lotissement|"
    r"hameau|rond-point|lieu[- ]dit|sentier|esplanade|promenade"
)
UNSURE = (
    r"place|pl\.?|cours|route|rte|passage|r[ée]sidence|villa|cit[ée]|voie|mail|traverse|mont[ée]e|c[ôo]te|parvis|domaine|quartier|mas|clos"
)
SMALL = r"(?:d[eu]s?|la|les?|aux?|en|sur|sous|et|lès|d['’]|l['’])"
NUMBER = r"(?<![\w,.])(?P<number>\d{1,4})(?:[ ]?(?:bis|ter|quater|[A-Da-d](?!\w)))?(?:(?:[ ]?[-&][ ]?|/)\d{1,4})?,?[ \u00a0]{1,2}"
NAME = rf"(?:[ \u00a0]{{1,2}}(?:{SMALL}(?:[ \u00a0]|(?<=['’])))*(?:(?:[A-ZÀ-Þ][a-z]{{0,2}}\.(?=[ ])|[A-ZÀ-Þ0-9][\w'’-]*))){{1,6}}"
LOWER = rf"(?:[ \u00a0]{{1,2}}(?:{SMALL}(?:[ \u00a0]|(?<=['’])))*[\w'’-]+){{1,2}}"
LINK = r"[A-ZÀ-Þ][\w'’-]+|sur|sous|en|les?|la|lès|de|du|d['’][\w]+|aux?"
TOWN = (
    r"(?:[ \u00a0]*[,\n–-]?[ \u00a0]*(?:F-)?(?:0[1-9]|[1-8]\d|9[0-8])\d{3}[ \u00a0]+"
    rf"[A-ZÀ-Þ][\w'’-]+(?:[ -](?:{LINK})){{0,5}})"
)
CAPITAL = re.compile(rf"{NUMBER}(?i:{SURE}|{UNSURE})(?!\w){NAME}{TOWN}?")
SMALLER = re.compile(rf"{NUMBER}(?i:{SURE})(?!\w){LOWER}{TOWN}?")
HOME = re.compile(
    r"(?:j['’]habite|j['’]ai emm[ée]nag[ée]|demeurant|domicili[ée]e?s?|r[ée]sid(?:e|ant)\b|habit(?:e|ant)\b|mon adresse|"
    r"(?:mon|son|leur) domicile|chez moi)[\w ,:’'-]{0,25}$",
    re.IGNORECASE,
)
"""Words before an address that say that somebody lives there."""
OFFICE = re.compile(
    r"soci[ée]t[ée]|entreprise|association|[ée]tablissement|si[èe]ge|cabinet|SARL|SAS|[ée]lection de domicile", re.IGNORECASE
)
NEAR = 60  # characters
BOX = re.compile(rf"(?<!\w)(?:BP|B\.P\.|CS)[ ]?\d{{2,6}}{TOWN}")


def addresses(text: str) -> Iterator[Entity]:
    for pattern in (CAPITAL, SMALLER, BOX):
        for match in pattern.finditer(text):
            before = text[max(0, match.start() - NEAR) : match.start()]
            home = pattern is not BOX and HOME.search(before) and not OFFICE.search(before)
            why = "adresse d'un domicile" if home else "numéro et nom de voie"
            yield Entity("address", *match.span(), "certain" if home else "possible", why)

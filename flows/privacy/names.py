"""Names of persons in French text: after a civility, a given name before or after a surname, an initial before a surname; and again
wherever a surname that was found so comes back in the same text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from flows.privacy.kinds import Entity
from flows.privacy.lists import WORDS, given_names, plain, surnames

UP = "A-ZÀ-ÖØ-Þ"
WORD = rf"[{UP}][\w’'ʼ]*[\w](?:-[{UP}]?[\w’']+)*"
INITIAL = rf"[{UP}](?:[a-z]{{1,2}})?\.(?:[ \u00a0]?-[ \u00a0]?[{UP}]\.)*"
PARTICLE = r"(?:de la|de|du|des|d[’']|le|la|van der|van den|van|von|der|den|el|al|ben|bin|di|da|dos|do|del|della|ter|ten|af|zu|y)"
TOKEN = re.compile(rf"{WORD}|{INITIAL}|[{UP}](?![\w.])")
PART = rf"(?:{WORD}|{INITIAL}|[{UP}](?![\w’']))"
GAP = r"[ \u00a0]{1,2}"
SEQUENCE = rf"{PART}(?:(?:{GAP}|[ \u00a0]?-[ \u00a0]?)(?:{PARTICLE}(?:{GAP}|(?<=[’'])))?{PART}){{0,4}}"
CIVIL = re.compile(
    r"(?<![\w.])(?:MM?\.|"
    r"(?:^|(?<=[.:;,(\n])|(?<=[.:;,(] )|(?<=\bde )|(?<=\bet )|(?<=\bpar )|(?<=\bque )|(?<=\bà ))(?P<bare>M)|"
    r"Mmes?\.?|Mlles?\.?|Mr\.?|Messieurs|Monsieur|Madame|Mesdames|Mademoiselle|Me|Dr\.?|Pr\.?|"
    r"Lord(?: Justice)?|Sir|Lady|"
    r"(?i:ma[îi]tre|docteure?|professeure?|juge|sergente?|capitaine|lieutenante?|commandante?|colonel(?:le)?|brigadi(?:er|[èe]re)|veuve)|"
    r"[Jj]e soussign[ée]e?,?|[Mm][’']appelle|[Aa]u nom de|(?:[Mm]on|[Mm]a|[Ss]on|[Ss]a) (?:mari|femme|fils|fille|fr[èe]re|s(?:œ|oe)ur|"
    r"m[èe]re|"
    r"p[èe]re|[ée]poux|[ée]pouse|conjointe?|voisine?|coll[èe]gue)|[Ff]oyer de|[Cc]ordialement,?|[Ss]ign[ée] :?|[Nn]om(?: et pr[ée]nom)? ?:)"
    rf"{GAP}(?:(?:le|la) (?:juge|docteur|professeure?)[ ])?(?P<name>(?:{PARTICLE}(?:{GAP}|(?<=[’'])))?{SEQUENCE})"
)
PROPER = re.compile(rf"(?<![\w’'.-]){SEQUENCE}")
_TITLES = """
Ministre Ministres Préfet Préfète Préfets Président Présidente Directeur Directrice Maire Maires Juge Procureur Procureure Député
Députée Sénateur Sénatrice Secrétaire Inspecteur Inspectrice Recteur Rectrice Commissaire Général Générale Ambassadeur Chef Cheffe
Premier Première Madame Monsieur Conseiller Conseillère Greffier Greffière Avocat Avocate Rapporteur Notaire Le La Les Défenseur Agent
Délégué Gouverneur Ouvrage Œuvre Chief Chancellor Advocate Clerk Vice-Président Contrôleur Médecin Proviseur Principal Principale
Officier Colonel Capitaine Lieutenant
"""
TITLES = frozenset(plain(w) for w in _TITLES.split())
PLACES = re.compile(
    r"(?:\b(?:rue|avenue|av\.|boulevard|bd|place|quai|cours|allée|allee|chemin|impasse|square|pont|port|lycée|collège|école|hôpital|université|"
    r"stade|institut|fondation|prix|musée|centre|clinique|résidence|maison|gare|théâtre|salle|espace|parc|commune|ville|société|sociétés|"
    r"cathédrale|église|basilique|hôtel|restaurant|loi|rapport|métro|arrêt|jurisprudence|groupe|cabinet|entreprise|marque)\s+"
    r"(?:(?:de la|de|du|des|d['’]|le|la|les|l['’])\s*)?)$",
    re.IGNORECASE,
)
COMPANY = re.compile(
    r"\b(?:SARL|SAS|SASU|EURL|SCI|SNC|SCM|SELARL|SA|GIE|EARL|GAEC|SCEA|ETS|ETABLISSEMENTS?|STE|SOCIETE|GROUPE|HOLDING|RESTAURANT|HOTEL|CAFE|BAR|"
    r"BOULANGERIE|BOUCHERIE|PHARMACIE|GARAGE|CLINIQUE|HOPITAL|LYCEE|COLLEGE|ECOLE|MAIRIE|COMMUNE|CENTRE|FONDATION|ASSOCIATION|FRERES|"
    r"FILS|ET CIE|"
    r"TRANSPORTS?|SERVICES?|INDUSTRIES?|FRANCE|INTERNATIONAL|CONSULTING|DISTRIBUTION|SOLUTIONS?|SYSTEMS?|COMPANY|MAISON|RESIDENCE|EHPAD|CHEZ|AUX?|"
    r"SUPER|MARCHE|U|CARREFOUR|LECLERC|AUCHAN)\b"
)
_STOP = """
Le La Les Un Une Des De Du En Et Ou Il Elle Ils Elles On Je Nous Vous Ce Cette Ces Mon Ma Mes Son Sa Ses Leur Leurs Notre Votre Si Dans
Sur Sous Par Pour Avec Sans Au Aux Janvier Février Mars Avril Mai Juin Juillet Août Septembre Octobre Novembre Décembre Lundi Mardi
Mercredi Jeudi Vendredi Samedi Dimanche République Française France Europe Cour Conseil Tribunal Commission Convention Article Articles
Code Livre Titre Chapitre Section Partie Paragraphe Gouvernement Etat Etats Ministère Préfecture Mairie Région Département Bonjour
Madame Monsieur Merci Cordialement Objet Annexe Chambre Assemblée Union Nations Droits Homme Loi Décret Arrêté Règlement Protocole
Grande Police Parquet Constitution Comité Direction Service Université Institut Centre Saint Sainte Nord Sud Est Ouest Rue Avenue Place
Paris Lyon Marseille Requête Affaire Arrêt Procédure Introduction Greffe Fait Faits Droit Vol Recueil Rapport Annuaire Série Sté Société
SA SARL SAS
"""
STOP = frozenset(plain(w) for w in _STOP.split())
CIVILITIES = frozenset(("M.", "MM.", "Mr", "Mr.", "Mme", "Mmes", "Mlle", "Me", "Dr", "Dr.", "Pr", "Pr.", "Maître", "Docteur", "Professeur"))
PARTICLES = frozenset(["LE", "LA", "DE", "DU", "DES", "EL", "AL", "BEN", "DA", "DOS", "VAN", "VON", "DI"])
ROMAN = ("I.", "V.", "X.", "L.")  # numbers of paragraphs, and articles of codes
INITIAL_FIRST = "initiale suivie d'un nom"
LONGEST = 4  # letters of a surname that is looked for again, at least


CIVILITY = re.compile(r"M\.|Mmes?\b|Mlles?\b|Mr\b|Monsieur|Madame|Mademoiselle")
OF_ONESELF = re.compile(r"[Jj]e soussign|[Mm][’']appelle|[Mm](?:on|a) |[Cc]ordialement|[Nn]om")
"""Words before a name that say whose it is; others (Maître, juge, Signé) are of people in their office."""
AT_HOME = re.compile(
    r"\s{0,2}(?:[,(]|qui|est)?\s{0,2}(?:n[ée]{1,2}e?(?:\(e\))?\s+(?:le|en)\b|demeurant|domicili[ée]|habit(?:e|ant)\b|r[ée]sid(?:e|ant)\b)",
    re.IGNORECASE,
)
OFFICE = (
    r"(?:ministre|secr[ée]taire|d[ée]put[ée]|s[ée]nat|maire|pr[ée]fet|pr[ée]sident|vice-pr|rapporteu|direct|juge|greffi|conseill|avocat|procureu|"
    r"commissaire|professeu|docteu|ambassad|inspect|recteur|rectrice|chef|d[ée]fenseu|m[ée]decin|notaire|expert|auteur|membre|agent|co-?agent)"
)
IN_OFFICE = re.compile(rf"[\s,(]{{0,3}}(?:l[ea]\s|l['’]|une?\s|en qualit[ée] de\s|alors\s)?{OFFICE}", re.IGNORECASE)
OFFICE_BEFORE = re.compile(rf"{OFFICE}[\w ,’'-]{{0,40}}$|rapport de $|[«»\"]\s?$", re.IGNORECASE)


def names(text: str) -> list[Entity]:
    found = [*_after_civility(text), *_by_lists(text)]
    return [_surer(text, one) for one in [*found, *_again(text, found)]]


def _surer(text: str, one: Entity) -> Entity:
    """Certain where a birth or a home follows."""
    at_home = one.certainty == "possible" and one.why != INITIAL_FIRST and AT_HOME.match(text, one.end)
    return replace(one, certainty="certain", why="nom suivi d'une naissance ou d'un domicile") if at_home else one


def _after_civility(text: str) -> Iterator[Entity]:
    for match in CIVIL.finditer(text):
        start, end = match.span("name")
        end = _end_of_name(text, start, end)
        words = TOKEN.findall(text[start:end])
        place = PLACES.search(text[max(0, match.start() - 30) : match.start()])
        first = next((plain(w) for w in words if plain(w) not in PARTICLES), None)
        known = not match["bare"] or first in surnames() - WORDS  # a single M may be anything
        if first is not None and not place and first not in TITLES and known:
            sure = _whole(words) and (
                (CIVILITY.match(match[0]) and not OFFICE_BEFORE.search(text, max(0, match.start() - 60), match.start()))
                or OF_ONESELF.match(match[0])
            )
            certain = sure and not IN_OFFICE.match(text, end)
            yield Entity("name", start, end, "certain" if certain else "possible", "nom après une civilité")


def _whole(words: list[str]) -> bool:
    """A given name that everybody knows, and another word."""
    full = [plain(w) for w in words if not _initial(w) and plain(w) not in PARTICLES]
    return len(full) >= 2 and any(_given(w) and w not in WORDS for w in full) and any(len(w) > 2 for w in full[1:])


def _end_of_name(text: str, start: int, end: int) -> int:
    """Titles and ordinary words in capitals are not part of it."""
    for match in TOKEN.finditer(text, start, end):
        if match.start() > start and plain(match[0]) in (TITLES | STOP) - PARTICLES - surnames() - given_names():
            return len(text[: match.start()].rstrip())
    return end


def _by_lists(text: str) -> Iterator[Entity]:
    for match in PROPER.finditer(text):
        tokens = list(TOKEN.finditer(text, *match.span()))
        while tokens and (plain(tokens[0][0]) in STOP | TITLES or tokens[0][0] in CIVILITIES) and not _noble(tokens):
            tokens = tokens[1:]
        while tokens and plain(tokens[-1][0]) in STOP - given_names():
            tokens = tokens[:-1]
        if len(tokens) < 2 or PLACES.search(text[max(0, tokens[0].start() - 30) : tokens[0].start()]):
            continue
        why = _why([t[0] for t in tokens], text[tokens[0].start() : tokens[-1].end()])
        if why:
            yield Entity("name", tokens[0].start(), tokens[-1].end(), "possible", why)


def _noble(tokens: list[re.Match[str]]) -> bool:
    """`LE GOFF Solveig`: the article is of the name."""
    words = [t[0] for t in tokens[:3]]
    return len(words) == 3 and words[0] in PARTICLES and words[1].isupper() and not words[2].isupper()


def _why(words: list[str], text: str) -> str | None:
    flat = [plain(w) for w in words]
    if any(w in STOP - PARTICLES and w not in given_names() for w in flat[1:]) or flat[-1] in PARTICLES:
        return None
    first, last = _given(flat[0]), _given(flat[-1])
    shouted = all(w.isupper() for w in words)
    if shouted:
        if len(words) > 4 or COMPANY.search(" ".join(flat)):
            return None
        if (first and flat[-1] in surnames()) or (last and flat[0] in surnames()):
            return "prénom et nom connus"
        return None
    if first and not _initial(words[0]):
        others = flat[1:]
        if flat[0] in WORDS and not any(o in surnames() for o in others):
            return None
        acronym = words[-1].isupper() and len(words[-1]) <= 4 and flat[-1] not in surnames()
        if any(len(o) > 2 for o in others) and not acronym:
            return "prénom connu suivi d'un nom"
    begins = words[1] if words[0] in PARTICLES else words[0]
    if (
        (last or flat[-2] in surnames())
        and begins.isupper()
        and len(begins) > 2
        and len(words[-1]) > 2
        and not words[-1].isupper()
        and flat[-1] not in WORDS
    ):
        return "nom en capitales suivi d'un prénom connu"
    small, capital = (words[0], words[-1]) if words[-1].isupper() else (words[-1], words[0])
    if (
        capital.isupper()
        and small[1:].islower()
        and plain(capital) in surnames()
        and len(capital) > 3
        and not COMPANY.search(" ".join(flat))
    ):
        return "nom connu, en capitales, à côté d'un prénom"
    joined = "-" in text[len(words[0]) : len(words[0]) + 3]  # A. - Dispositions
    if words[0].endswith(".") and words[0] not in ROMAN and len(flat[-1]) > 2 and not joined:
        usual = words[-1][1:].islower() and not re.match(r"[LDJNSMCQ][’'ʼ]", words[-1])
        return INITIAL_FIRST if usual or flat[-1] in surnames() else None
    return None


def _given(word: str) -> bool:
    names = given_names()
    return word in names or all(part in names for part in word.split("-"))


def _initial(word: str) -> bool:
    return word.endswith(".") or len(word) == 1


def _again(text: str, found: list[Entity]) -> Iterator[Entity]:
    """A surname alone, once somebody of that name was found."""
    known = set()
    for one in found:
        if one.why == INITIAL_FIRST:  # too weak to be repeated
            continue
        words = [w for w in TOKEN.findall(text[one.start : one.end]) if not _initial(w)]
        if words and len(words[-1]) >= LONGEST and plain(words[-1]) not in STOP | WORDS | TITLES:
            known.add(words[-1])
    if known:
        for match in re.finditer(rf"(?<![\w-])(?:{'|'.join(map(re.escape, sorted(known, key=len, reverse=True)))})(?![\w-])", text):
            yield Entity("name", *match.span(), "possible", "nom déjà trouvé dans le texte")


def is_full_name(value: str, *, announced: bool = False) -> bool:
    """A cell that holds a person's name and nothing else: `DUPONT Jeanne`, `Jeanne Dupont`, `M. Dupont`. `announced`: its column says that
    it is of names: then `jeanne dupont` is one, too."""
    value = value.strip()
    if announced and value.islower():
        value = value.title()
    if not 4 <= len(value) <= 60 or COMPANY.search(plain(value)):
        return False
    return any(e.end - e.start >= 0.6 * len(value) for e in names(value))

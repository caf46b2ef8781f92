"""Personal data: how much is found, how much of it is right, how fast; beside Presidio where it is installed.

`python -m benchmarks.personal_data [FILE.tsv ...]`. Presidio (with spaCy's French model) is measured when this runs in an environment
that has it, and nothing else of Socle is needed there. FILE.tsv: `token LABEL` a line, as in shared/data/decisions-cedh. The invented
texts are the same for the same seed; the rules were corrected on the first
set and on the file for training; the second set of templates was measured once.
"""

from __future__ import annotations

import re
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random

Span = tuple[int, int, str]
Finder = Callable[[str], list[Span]]
PERSONS = ("PER", "LEGAL_PROFESSIONAL")
CIVIL = re.compile(r"^(?:M|MM|Mme|Mmes|Mlle|Me|Dr|Pr|Mr|Docteur|Professeur|Maître|\W+|no|d|de|la|le|l)$", re.IGNORECASE)

_FIRST = (
    "Jeanne Mohammed Solveig Kévin Marie-Thérèse Ousmane Gwenaël Nadège Jean-Pierre Aïssatou Ludivine Thibault Xuan Bérangère Youssef "
    "Clotilde Ewa Rémi Josiane Tiago Fanny Hamid Odile Ritchy Maëlle Anatole Svetlana Loïc Mariama Gérard"
)
_LAST = (
    "Durand Benali Kowalczyk Le-Goff Traoré Nguyen Vandenbroucke Etxeberria Ribeiro Schneider Lemaître Ouédraogo Pelissier Haddad "
    "Rossi Guivarch Belhadj Marchand Zimmermann Toussaint Da-Silva Quéméneur Bouchard Chevallier Mbappé Ferrandi Delcourt Sow Tran Poirier"
)
FIRST, LAST = _FIRST.split(), _LAST.split()
TOWNS = ("69003 Lyon", "35000 Rennes", "97400 Saint-Denis", "59800 Lille", "13005 Marseille", "64100 Bayonne", "75011 Paris")
WAYS = (
    "12 rue des Lilas",
    "4 bis avenue Jean-Jaurès",
    "27, boulevard de la Liberté",
    "118 chemin du Moulin",
    "3 impasse des Acacias",
    "9 place Bellecour",
)
WEB = ("gmail.com", "orange.fr", "laposte.net", "hotmail.fr", "entreprise-durable.fr")

TEMPLATES = (
    "Bonjour, je m'appelle {name} et je n'ai pas reçu mon attestation. Vous pouvez me joindre au {phone}.",
    "Dossier suivi pour Mme {last}, née le {birth_date} à Nantes, n° de sécurité sociale {nir}.",
    "Merci d'envoyer le courrier au {address}. Cordialement, {name}",
    "Le virement est à faire sur le compte {iban} au nom de {name}.",
    "Je soussigné {name}, demeurant {address}, certifie sur l'honneur l'exactitude des renseignements.",
    "Contact : {email} ou {phone} après 18 h.",
    "M. {last} a rappelé hier, son adresse est {email}.",
    "Date de naissance : {birth_date}. Véhicule immatriculé {plate}.",
    "L'assuré ({nir}) conteste l'indu notifié le 3 mars 2024.",
    "Suite à votre appel, le docteur {last} vous recevra au {address}.",
    "Connexion refusée depuis {ip} pour le compte de {name}.",
    "mon mari {name} est parti, son portable {phone}, son mail {email}",
    "Références bancaires : {iban}",
    "Numéro fiscal : {tax_number}, foyer de {name}.",
    "Elle est née le {birth_date}.",
)
HELD = (
    "Objet : réclamation de Monsieur {name}\nMadame, Monsieur, je conteste la décision reçue ce jour.",
    "Patient {last} vu en consultation, DDN {birth_date}, NIR {nir}. Retour au domicile.",
    "Ma voisine, Mme {last}, m'a conseillé de vous écrire depuis son adresse {email}.",
    "Résidant au {address} depuis 2018, j'ai changé de portable : {phone}",
    "Pièces jointes : RIB ({iban}), carte grise {plate}.",
    "Entretien avec {name} le 12 mai 2023, rappeler au {phone} svp",
    "Mes coordonnées sont {email} / {phone} / {address}",
    "Le bénéficiaire, {name}, né le {birth_date} à Rabat, réside au {address}.",
    "De : {name} <{email}>",
    "Me {last}, avocat de la partie civile, a été entendu avec {name}.",
    "adresse ip {ip} bloquée, utilisateur {email}",
    "Votre numéro fiscal est le {tax_number} et celui de votre conjoint le {tax_number}.",
)
"""Written when the rules were done, and measured once."""
OTHERS = (
    "Selon l'article L. 1221-1 du code du travail, le contrat est conclu pour une durée indéterminée.",
    "La société Durand SARL, SIREN 732 829 320, emploie 52 salariés depuis le 12 mars 2019.",
    "Pour toute question, écrivez à contact@mairie-exemple.fr ou appelez le 0 800 123 456.",
    "Le dossier n° 0612345678 a été clos le 14/02/2024, montant versé 12 345 678,90 €.",
    "SIRET 73282932000074, code APE 6201Z, code postal 75015.",
    "La loi du 5 juillet 1985 et le décret n° 2019-1234 s'appliquent. Version 4.1.2.3 du logiciel.",
    "Le lycée Jean Moulin et la rue Victor Hugo sont fermés du 1er au 15 août 2025.",
    "Madame la Ministre et Monsieur le Préfet ont inauguré le bâtiment.",
    "Direction générale des Finances publiques, Tour Atlantique, service des ressources humaines.",
    "Le numéro de commande 295109912611100 reste introuvable.",
)


def generate(count: int, seed: int = 5, templates: tuple[str, ...] = TEMPLATES) -> list[tuple[str, list[Span]]]:
    """Texts with the spans that are in them."""
    random, out = Random(seed), []
    for number in range(count):
        if number % 3 == 2:
            out.append((random.choice(OTHERS), []))
            continue
        text, spans = "", []
        for piece in re.split(r"(\{\w+\})", random.choice(templates)):
            if piece.startswith("{"):
                kind = piece[1:-1]
                value = _make(kind, random)
                spans.append((len(text), len(text) + len(value), "name" if kind == "last" else kind))
                piece = value
            text += piece
        out.append((text, spans))
    return out


def _make(kind: str, random: Random) -> str:
    first, last = random.choice(FIRST), random.choice(LAST).replace("-", " ") if random.random() < 0.5 else random.choice(LAST)
    if kind == "name":
        return random.choice((f"{first} {last}", f"{first} {last.upper()}", f"{last.upper()} {first}"))
    if kind == "last":
        return last
    if kind == "phone":
        return _phone(random)
    if kind == "email":
        return f"{first}.{last}@{random.choice(WEB)}".lower().replace(" ", "").encode("ascii", "ignore").decode()
    if kind == "birth_date":
        day, month, year = random.randint(1, 28), random.randint(1, 12), random.randint(1930, 2010)
        return random.choice((f"{day:02}/{month:02}/{year}", f"{day} {('mars', 'août', 'décembre')[month % 3]} {year}"))
    if kind == "address":
        return random.choice((f"{random.choice(WAYS)}, {random.choice(TOWNS)}", random.choice(WAYS)))
    if kind == "plate":
        first, last = (f"{random.choice('ABCDEFG')}{random.choice('HJKLMNP')}" for _ in range(2))
        return f"{first}-{random.randint(100, 999)}-{last}"
    if kind == "ip":
        return f"{random.choice((82, 90, 176))}.{random.randint(1, 250)}.{random.randint(1, 250)}.{random.randint(1, 250)}"
    return _checked(kind, random)


def _phone(random: Random) -> str:
    pairs = [f"{random.choice((0, 1, 2, 3, 5, 7, 8))}{random.randint(0, 9)}", *(f"{random.randint(10, 99)}" for _ in range(3))]
    return random.choice((" ", ".", "-", "")).join(["06", *pairs]) if random.random() < 0.7 else "+33 6 " + " ".join(pairs)


def _checked(kind: str, random: Random) -> str:
    if kind == "nir":
        born = f"{random.choice('12')}{random.randint(30, 99)}{random.randint(1, 12):02}{random.randint(1, 95):02}"
        number = f"{born}{random.randint(1, 990):03}{random.randint(1, 999):03}"
        key = f"{97 - int(number) % 97:02}"
        parts = (number[0], number[1:3], number[3:5], number[5:7], number[7:10], number[10:], key)
        return random.choice((" ", "")).join(parts)
    if kind == "iban":
        account = "".join(str(random.randint(0, 9)) for _ in range(23))
        key = 98 - int(account + "152700") % 97
        packed = f"FR{key:02}{account}"
        return " ".join(packed[i : i + 4] for i in range(0, 27, 4)) if random.random() < 0.6 else packed
    base = f"{random.randint(0, 3)}{random.randint(0, 999_999_999):09}"
    return f"{base}{int(base) % 511:03}"


def annotated(path: Path) -> list[tuple[str, list[Span]]]:
    """A file of tokens as texts of 20 sentences, with the spans of persons."""
    texts, text, spans, sentences = [], "", [], 0
    for line in [*path.read_text(encoding="utf-8").splitlines(), ""]:
        token, _, label = line.rpartition(" ")
        if not token:
            sentences += 1
            text += "\n"
            if sentences % 20 == 0:
                texts.append((text, spans))
                text, spans = "", []
            continue
        tight = token[0] in ",.);:-'’" or (text and text[-1] in "(-'’")
        text += token if tight or not text or text[-1] == "\n" else " " + token
        if label.removeprefix("B-").removeprefix("I-") in PERSONS:
            spans.append((len(text) - len(token), len(text), "name"))
    return [*texts, (text, spans)]


def score(texts: list[tuple[str, list[Span]]], find: Finder, only: str | None = None) -> dict[str, tuple[int, int, int]]:
    """Kind -> (words that are so and are found, words that are so, words that are found), civilities and particles left out."""
    right, wanted, got = Counter[str](), Counter[str](), Counter[str]()
    for text, spans in texts:
        found = [s for s in find(text) if only is None or s[2] == only]
        for match in re.finditer(r"[\w@]+", text):
            if CIVIL.match(match[0]) and only == "name":
                continue
            truth = {k for a, b, k in spans if a < match.end() and b > match.start()}
            said = {k for a, b, k in found if a < match.end() and b > match.start()}
            for kind in truth:
                wanted[kind] += 1
                right[kind] += kind in said
            for kind in said:
                got[kind] += 1
    return {k: (right[k], wanted[k], got[k]) for k in sorted(wanted | got)}


def socle() -> Finder:
    from flows.privacy.entities import entities

    return lambda text: [(e.start, e.end, e.kind) for e in entities(text)]


PRESIDIO = {
    "PERSON": "name",
    "EMAIL_ADDRESS": "email",
    "PHONE_NUMBER": "phone",
    "IBAN_CODE": "iban",
    "CREDIT_CARD": "card",
    "IP_ADDRESS": "ip",
    "LOCATION": "address",
    "DATE_TIME": "birth_date",
}


def presidio(model: str) -> Finder:
    """Presidio as its documentation sets it up for another language: spaCy's model, and the recognisers that are of no one country."""
    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
    from presidio_analyzer.nlp_engine import NlpEngineProvider
    from presidio_analyzer.predefined_recognizers import PhoneRecognizer

    nlp = NlpEngineProvider(
        nlp_configuration={"nlp_engine_name": "spacy", "models": [{"lang_code": "fr", "model_name": model}]}
    ).create_engine()
    registry = RecognizerRegistry(supported_languages=["fr"])
    registry.load_predefined_recognizers(languages=["fr"], nlp_engine=nlp)
    registry.add_recognizer(PhoneRecognizer(supported_language="fr", supported_regions=("FR",)))
    engine = AnalyzerEngine(registry=registry, nlp_engine=nlp, supported_languages=["fr"])
    return lambda text: [(r.start, r.end, PRESIDIO[r.entity_type]) for r in engine.analyze(text, "fr") if r.entity_type in PRESIDIO]


def main() -> None:
    finders: dict[str, Finder] = {"socle": socle()}
    for model in ("fr_core_news_sm", "fr_core_news_md"):
        try:
            finders[f"presidio {model}"] = presidio(model)
        except ImportError:
            print(f"presidio with {model}: not installed here, not measured")
    corpora = {"invented": (generate(1500), None), "invented, held out": (generate(1500, 6, HELD), None)}
    corpora |= {p: (annotated(Path(p)), "name") for p in sys.argv[1:]}
    for title, (texts, only) in corpora.items():
        size = sum(len(t) for t, _ in texts)
        for name, find in finders.items():
            find(texts[0][0])
            start = time.perf_counter()
            scores = score(texts, find, only)
            seconds = time.perf_counter() - start
            print(f"\n{Path(title).name} · {name}: {len(texts)} texts, {size / 1e3:.0f} kB, {size / 1e3 / seconds:.0f} kB/s")
            for kind, (right, wanted, got) in scores.items():
                recall = f"{right / wanted:.3f}" if wanted else "  –  "
                precision = f"{right / got:.3f}" if got else "  –  "
                print(f"  {kind:<11} recall {recall}  precision {precision}  ({wanted} words)")


if __name__ == "__main__":
    main()

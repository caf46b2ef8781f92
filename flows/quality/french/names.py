"""Names of persons and companies that somebody typed to fill a field."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from flows.near_duplicates.folding import folded

FILLERS = "test, tests, essai, essais, exemple, example, toto, foobar"
"""Also with a number: "test 1", "toto2"."""
PLACEHOLDERS = """
    lorem ipsum, azerty, azertyuiop, qwerty, qsdf, asdf, n/a, n.a., na, n.c., nc, n.d., nd, n.r., nr, n.s., s.o., so, null, nul,
    none, nan, undefined, unknown, néant, aucun, aucune, anonyme, anonymisé, anonymisée, inconnu, inconnue, nom inconnu, sans nom,
    sans objet, sans dénomination, manquant, non renseigné, non renseignée, non communiqué, non communiquée, non connu, non
    connue, non précisé, non précisée, non disponible, non déterminé, non déterminée, non défini, non définie, non applicable, non
    fourni, non transmis, non concerné, non spécifié, non attribué, non identifié, non indiqué, pas de nom, pas renseigné, ne sait
    pas, nsp, à compléter, à définir, à déterminer, à préciser, à renseigner, à remplir, à saisir, à venir, en attente, en cours,
    en cours de création, tbd, tbc, to do, to be defined, placeholder, nom, prénom, nom prénom, prénom nom, nom et prénom,
    prénom et nom, votre nom, nom de famille, nom usuel, nom de l'entreprise, raison sociale, dénomination, dénomination sociale,
    société, entreprise, john doe, jane doe, monsieur x, m. x, mr x, madame x, mme x, supprimé, supprimée, à supprimer,
    ne pas utiliser, doublon
"""
REPEATED = 3  # how often one character is typed in a row, and nothing else, to fill a field
ALONE = ("x", "y", "z", "0")


def is_not_placeholder(names: pl.Expr, *, allowed: Sequence[str] = (), also: Sequence[str] = ()) -> pl.Expr:
    """A name, and not what is typed where one is asked for: "TEST", "xxx", "N/A", "inconnu", "à compléter", "---".

    allowed: names that are real although they look so, such as the company "AAA". also: further placeholders.
    Case, accents and punctuation do not count, in either list too. The whole value is compared: "Test & Co" and "Avenir" are names.
    """
    name = folded(names)
    letters = name.str.replace_all(" ", "", literal=True)
    repeated = (letters.str.len_chars() >= REPEATED) & (letters.str.strip_chars(letters.str.slice(0, 1)) == "")
    numbered = name.str.strip_chars_end("0123456789 ").is_in(_known(FILLERS.split(",")))
    known = name.is_in(_known([*PLACEHOLDERS.replace("\n", " ").split(","), *also]))
    return ~((name == "") | name.is_in(ALONE) | repeated | numbered | known) | name.is_in(_known(allowed))


def _known(names: Sequence[str]) -> list[str]:
    return [name for name in pl.DataFrame({"name": list(names)}, {"name": pl.String}).select(folded(pl.col("name"))).to_series() if name]

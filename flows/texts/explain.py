"""Errors as a project team reads them, in French: what happened, what to do, and whom to tell.

The technical text of an error stays English and is shown below as it is: it is for whoever is told.
"""

from __future__ import annotations

from dataclasses import dataclass

from flows.errors import (
    BadParameter,
    ConfigurationError,
    Conflict,
    NotFound,
    Refused,
    SocleError,
    SourceRefused,
    StorageError,
    SystemFailure,
)
from flows.sources.npm import SourceUnreachable


@dataclass(frozen=True)
class Explanation:
    what: str
    todo: str


AGAIN = "Relancer dans quelques minutes. Si cela se reproduit, prévenir l'exploitation, avec l'adresse de cette page."
EXPLANATIONS: list[tuple[type[BaseException], Explanation]] = [
    (
        SourceUnreachable,
        Explanation("La source des données n'a pas répondu : réseau coupé, ou service en panne.", AGAIN),
    ),
    (
        SourceRefused,
        Explanation(
            "Les données reçues ne sont pas lisibles : fichier abîmé, incomplet, ou d'un autre format que prévu.",
            "Vérifier le fichier à la source, puis relancer. Si le format a changé, prévenir l'ingénieur du projet.",
        ),
    ),
    (
        Refused,
        Explanation(
            "Un contrôle ou une règle du projet a dit non. Ce qui était publié le reste.",
            "Corriger les données à la source, ou faire changer la règle par l'ingénieur du projet, puis relancer.",
        ),
    ),
    (
        BadParameter,
        Explanation(
            "Une valeur du formulaire n'est pas possible.",
            "Corriger cette valeur : menu ⋮ en haut à droite, « Copy to new run », puis relancer.",
        ),
    ),
    (
        NotFound,
        Explanation(
            "Ce qui est demandé n'existe pas, ou pas encore.",
            "Vérifier ce qui a été choisi dans le formulaire, puis relancer.",
        ),
    ),
    (
        ConfigurationError,
        Explanation("Le fichier du projet ou les réglages de la plateforme contiennent une erreur.", "Prévenir l'ingénieur du projet."),
    ),
    (
        Conflict,
        Explanation("Quelqu'un d'autre a publié en même temps. Rien n'est perdu, rien n'est publié à moitié.", "Relancer."),
    ),
    (StorageError, Explanation("Le stockage des données n'a pas répondu ou a refusé.", AGAIN)),
    (SystemFailure, Explanation("Une machine, le réseau ou le disque a fait défaut.", AGAIN)),
    (
        BaseException,
        Explanation(
            "Une erreur imprévue s'est produite : c'est un défaut de la plateforme ou du code du projet.",
            "Prévenir l'ingénieur du projet, avec l'adresse de cette page. Relancer donnera sans doute la même erreur.",
        ),
    ),
]
"""The first whose type fits."""


def explain(error: BaseException) -> Explanation:
    found = next(e for kind, e in EXPLANATIONS if isinstance(error, kind))
    own = error.french if isinstance(error, SocleError) else ""
    return Explanation(own, found.todo) if own else found


def sentence(error: BaseException) -> str:
    """One line, for the state of a run."""
    found = explain(error)
    return f"{found.what} À faire : {found.todo[0].lower()}{found.todo[1:]}"


def paragraphs(name: str, error: BaseException) -> str:
    """Markdown: what, what to do, and the technical text for whoever is told."""
    found = explain(error)
    parts = [f"**{name}** : {found.what}", f"**À faire** : {found.todo}"]
    parts.append("\n".join(f"> {line}" for line in ["À transmettre (texte technique) :", "", *_technical(error).splitlines()]))
    return "\n\n".join(parts)


def _technical(error: BaseException) -> str:
    if not isinstance(error, SocleError):
        return type(error).__name__  # its text may hold data
    lines = [error.message]
    lines += [f"Looked at: {error.where}"] if error.where else []
    lines += [f"Next: {error.hint}"] if error.hint else []
    return "\n".join(lines)

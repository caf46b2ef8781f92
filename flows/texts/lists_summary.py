"""What a look at the reference lists says of itself, in French: how old they are, what changed, what could not be read, what to do."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from flows.errors import Refused
from flows.quality.words import counted, number, value
from flows.steps.reference_lists import Review, Stayed

if TYPE_CHECKING:
    from flows.quality.french.lists_refresh import Change

SHOWN = 20  # codes of each kind that are named
KINDS = (("Ajoutés", "added"), ("Retirés", "removed"), ("Modifiés", "altered"))
WHY_NOT = {
    "no checkout": "Les fichiers n'ont pas été réécrits : cette exécution ne se fait pas dans une copie de travail du dépôt "
    "(pas de git ici), et ce qui serait écrit serait perdu avec elle.",
    "read only": "Les fichiers n'ont pas été réécrits : l'exécution n'a pas le droit d'écrire dans la copie de travail du dépôt.",
}


def title(review: Review) -> str:
    return "Listes de référence : ce qui a été mis à jour" if review.written else "Listes de référence : ce qui changerait"


def has_warning(review: Review) -> bool:
    """Something that was asked for could not be done; a list that changed is news, and no warning."""
    return bool(review.stayed or review.obstacle)


def sentence(review: Review) -> str:
    """One line, for the state of the run."""
    changed = sum(not change.nothing for change in review.changes)
    read = f"{counted(len(review.changes), 'liste lue')}"
    parts = [f"Sur {read}, {number(changed)} {_verb(review, changed)}." if changed else f"Sur {read}, rien n'a changé."]
    if review.stayed:
        unreachable = sum(_unreachable(one) for one in review.stayed)
        parts += [f"{counted(unreachable, 'liste')} dont une source est injoignable."] if unreachable else []
        refused = len(review.stayed) - unreachable
        parts += [f"{counted(refused, 'liste')} dont la source donne autre chose que prévu."] if refused else []
    if review.obstacle:
        parts.append(WHY_NOT[review.obstacle])
    return " ".join(parts)


def text(review: Review) -> str:
    rows = [_row(review, one) for one in review.outcomes]
    head = ["| Liste | Relevée | Données de | Source | Licence | Lignes | Ce qui change |", "|---|---|---|---|---|---|---|"]
    lines = [f"# {title(review)}", sentence(review), "\n".join([*head, *rows])]
    lines += [_details(change) for change in review.changes if not change.nothing]
    lines += [_failure(one) for one in review.stayed]
    return "\n\n".join([*lines, "**À faire**", "\n".join(f"- {line}" for line in _todo(review))])


def _verb(review: Review, count: int) -> str:
    if review.written:
        return "ont été mises à jour" if count > 1 else "a été mise à jour"
    return "ne sont plus celles de leur source" if count > 1 else "n'est plus celle de sa source"


def _row(review: Review, one: Change | Stayed) -> str:
    entry = review.entries[one.name]
    if isinstance(one, Stayed):
        said, rows = "source injoignable" if _unreachable(one) else "source refusée", number(entry.get("rows"))
    else:
        rows = number(one.after) if one.after == one.before else f"{number(one.before)} → {number(one.after)}"
        said = ", ".join(f"{number(len(codes))} {word.lower()}" for word, codes in _kinds(one)) or "rien"
    cells = (f"`{one.name}`", _age(entry), entry.get("of", "–"), entry.get("publisher", "–"), entry.get("licence", "–"), rows, said)
    return f"| {' | '.join(_cell(cell) for cell in cells)} |"


def _kinds(change: Change) -> list[tuple[str, list[str]]]:
    return [(word, codes) for word, name in KINDS if (codes := getattr(change, name))]


def _age(entry: dict[str, Any]) -> str:
    if not (fetched := entry.get("fetched")):
        return "jamais"
    days = (datetime.now(UTC).date() - date.fromisoformat(fetched)).days
    ago = f"il y a {counted(days, 'jour')}" if days > 0 else "aujourd'hui"
    return f"{value(fetched)}, {ago}"


def _details(change: Change) -> str:
    lines = [f"**`{change.name}`**", ""]
    for word, codes in _kinds(change):
        more = f" … (les {SHOWN} premiers)" if len(codes) > SHOWN else ""
        lines.append(f"- {word} ({number(len(codes))}) : {', '.join(f'`{code}`' for code in codes[:SHOWN])}{more}")
    return "\n".join(lines)


def _failure(one: Stayed) -> str:
    what = "une source n'a pas répondu" if _unreachable(one) else "la source donne autre chose que prévu"
    technical = [one.error.message, *([f"Looked at: {one.error.where}"] if one.error.where else [])]
    technical += [f"Next: {one.error.hint}"] if one.error.hint else []
    quoted = [f"> {line}" for line in "\n".join(technical).splitlines()]
    return "\n".join([f"**`{one.name}`** : {what}. La liste reste comme elle était.", "", *quoted])


def _todo(review: Review) -> list[str]:
    todo = []
    if any(not change.nothing for change in review.changes):
        refresh = "" if review.written else "dans une copie de travail du dépôt, lancer `socle reference-lists --refresh`, puis "
        line = f"{refresh}relire la différence (`git diff`), lancer les tests, et valider les listes avec leur manifeste (`git commit`)."
        todo.append(line[0].upper() + line[1:])
    if any(map(_unreachable, review.stayed)):
        todo.append(
            "Relancer plus tard. Si une source reste injoignable, vérifier le réseau ou le proxy, et que son adresse existe encore."
        )
    if not all(map(_unreachable, review.stayed)):
        todo.append("Regarder ce que donne la source refusée : le texte technique dit ce qui n'allait pas.")
    return todo or ["Rien : les listes du dépôt sont celles de leurs sources."]


def _unreachable(one: Stayed) -> bool:
    return not isinstance(one.error, Refused)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")

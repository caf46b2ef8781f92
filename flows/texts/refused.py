"""Refused rows as a project team reads them, in French: by cause, where they are, and what became of those before them.

Places only, no row of data: whoever may see values asks `socle quarantine`.
"""

from __future__ import annotations

from flows.quality.words import counted
from flows.steps import Run
from flows.steps.quarantine import RefusedRow, Survey, causes, french, survey

CAUSES, PLACES = 5, 3  # how many are shown


def refused_text(run: Run, name: str, load_id: str) -> list[str]:
    """Markdown paragraphs about the rows that a load refused, and about the whole quarantine; nothing if it is empty."""
    found = survey(run, name)
    own = [row for row in found.rows if load_id in (row.load_id, row.tried_by)]
    lines = []
    for cause, rows in list(causes(own).items())[:CAUSES]:
        where = " ; ".join(_place(row) for row in rows[:PLACES])
        lines.append(f"- {french(run, name, cause, rows)} : {counted(len(rows), 'ligne')} ({where}{' …' if len(rows) > PLACES else ''})")
    paragraphs = ["**Où sont les lignes écartées**", "\n".join(lines)] if lines else []
    return [*paragraphs, *_accounted(run, name, found)]


def _place(row: RefusedRow) -> str:
    file = row.file.replace("`", "")
    return f"`{file}`, ligne {row.line}" if row.line else f"`{file}`, enregistrement {row.row_number}"


def _accounted(run: Run, name: str, found: Survey) -> list[str]:
    """What became of all rows that were ever refused."""
    counts = found.counts
    said = {
        "open": ("ligne", "encore à reprendre"),
        "held": ("ligne", "en attente, avec tout leur chargement"),
        "let in": ("ligne entrée", "depuis"),
        "closed": ("ligne", "sans suite, leurs données ayant été remplacées"),
        "expired": ("ligne", "dont la durée de garde est passée"),
    }
    parts = [f"{counted(count, said[state][0])} {said[state][1]}" for state, count in counts.items() if count]
    if not parts:
        return []
    text = f"Quarantaine : {', '.join(parts)}."
    if counts["open"] or counts["held"]:
        text += f" Pour les corriger et les reprendre : `socle quarantine {run.project.name}/{name}`, avec l'ingénieur du projet."
    return [text]

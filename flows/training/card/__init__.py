"""The model card: README.md of a model version, in Hugging Face's format, in French for project teams and then in English.

    write(facts)       the text
metadata.py            its head, which Hugging Face reads
origin.py, results.py  what it says of data, training and cost; of how good the version is
use.py                 Python that uses the version without Socle
words.py               figures and names in both languages
"""

from __future__ import annotations

from typing import Any

from flows.training.card import metadata, origin, results, use
from flows.training.card.words import Words, plain, spaced

ENGLISH = "## In English"
"""The heading below which everything is in English."""


def write(facts: dict[str, Any]) -> str:
    """The card's text.

    facts: the fields of the manifest (candidate, dataset, metrics, cost, training, labels, inputs, made, base_model, environment), and
    title, task, metric (the one that decides), ministry, team, email, reference (project/model), purpose, limits, split (of the project
    file), reasons (word -> French, of rows left out), report (evaluation.json), about (socle.json), sections (fr and en: the task's own)
    and plots (file, fr, en: pictures.draw).
    """
    f = facts | {"kind": facts["about"]["kind"]}
    french, english = ("\n\n".join(part for part in _part(f, Words(language)) if part) for language in ("fr", "en"))
    body = f"{spaced(french)}\n\n---\n\n{ENGLISH}\n\n{english}"
    return f"---\n{metadata.front_matter(f)}\n---\n\n{body}\n"


def _part(f: dict[str, Any], w: Words) -> list[str]:
    snippet = use.snippet(f["about"])
    return [
        *_head(f, w),
        w("## À quoi il sert", "## What it is for"),
        origin.purpose(f, w),
        w("## Données", "## Data"),
        origin.data(f, w),
        w("## Résultats", "## Results"),
        results.scores(f, w),
        results.labels(f, w),
        *_plots(f, w),
        f["sections"][w.language],
        results.sureness(f, w),
        results.weak_groups(f, w),
        results.suspicious(f, w),
        results.wrong_answers(f, w) if w.french else "",  # texts of the data, which are in French
        w("## Limites", "## Limits"),
        results.limits(f, w),
        w("## Coût", "## Cost"),
        origin.cost(f, w),
        w("## Comment il a été fait", "## How it was made"),
        origin.training(f, w),
        *([w("## L'utiliser sans Socle", "## Using it without Socle"), _snippet(snippet, w)] if snippet else []),
        w("## Le refaire", "## Making it again"),
        origin.again(f, w),
    ]


def _head(f: dict[str, Any], w: Words) -> list[str]:
    made = w(
        f"Modèle `{f['reference']}` ({plain(f['ministry'])}), équipe {plain(f['team'])} ({plain(f['email'])}). "
        f"Fait le {w.day(f['made']['at'])} par {plain(f['made']['who'])}.",
        f"{plain(f['title'])}: model `{f['reference']}` ({plain(f['ministry'])}), team {plain(f['team'])} ({plain(f['email'])}). "
        f"Made on {w.day(f['made']['at'])} by {plain(f['made']['who'])}. Names and texts of the project are in French.",
    )
    return [f"# {plain(f['title'])}", "[In English](#in-english)", made] if w.french else [made]


def _plots(f: dict[str, Any], w: Words) -> list[str]:
    """Pictures are in French; in English they are linked, not shown again."""
    if w.french:
        return [f"![{plain(p['fr'])}]({p['file']})" for p in f["plots"]]
    return ["Pictures: " + ", ".join(f"[{plain(p['en'])}]({p['file']})" for p in f["plots"]) + "."] if f["plots"] else []


def _snippet(snippet: str, w: Words) -> str:
    if not w.french:
        return (
            "See [the Python above](#lutiliser-sans-socle); run it in the folder of this version, with the libraries that are named here."
        )
    return f"Dans le dossier de cette version, avec les bibliothèques nommées ci-dessus :\n\n```python\n{snippet}```"

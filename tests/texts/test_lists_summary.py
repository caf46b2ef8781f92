"""What a look at the reference lists says, and in which words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from flows.errors import SourceRefused, SystemFailure
from flows.quality.french.lists_refresh import Change
from flows.steps.reference_lists import Review, Stayed
from flows.texts import lists_summary

NAMES = ("communes", "naf", "rome")
DAY = f"{datetime.now(UTC) - timedelta(days=40):%Y-%m-%d}"
ENTRIES = {n: {"fetched": DAY, "publisher": "Insee | COG", "licence": "Licence Ouverte 2.0", "of": "2026", "rows": 1000} for n in NAMES}
CODES = [f"{n:05}" for n in range(25)]
CHANGED = Change("communes", 1000, 1024, CODES, ["99999"], [])
SAME = Change("naf", 1000, 1000, [], [], [])
UNREACHABLE = Stayed("rome", SystemFailure("the name x is not known", where="DNS", hint="check the network"))


def of(*outcomes: Any, wanted: bool = False, obstacle: Any = None) -> Review:
    return Review(ENTRIES, list(outcomes), wanted, obstacle)


def test_age_licence_source_and_what_changes() -> None:
    text = lists_summary.text(of(CHANGED, SAME))
    row = next(line for line in text.splitlines() if line.startswith("| `communes`"))
    assert "il y a 40 jours" in row and "Insee \\| COG" in row and "Licence Ouverte 2.0" in row
    assert "1\u202f000 → 1\u202f024" in row and row.endswith("25 ajoutés, 1 retirés |")
    assert text.count("`000") == 20 and "`00019` … (les 20 premiers)" in text and "- Retirés (1) : `99999`" in text
    assert "`socle reference-lists --refresh`" in text and "git commit" in text
    assert not lists_summary.has_warning(of(CHANGED, SAME)), "news is no warning"
    assert lists_summary.sentence(of(CHANGED, SAME)) == "Sur 2 listes lues, 1 n'est plus celle de sa source."


def test_what_was_written_is_to_be_reviewed() -> None:
    text = lists_summary.text(of(CHANGED, wanted=True))
    assert "1 a été mise à jour" in text and "- Relire la différence" in text and "--refresh" not in text


def test_what_could_not_be_read_is_told_apart() -> None:
    refused = Stayed("naf", SourceRefused("the list 'naf' would shrink"))
    review = of(SAME, UNREACHABLE, refused)
    text = lists_summary.text(review)
    assert "1 liste dont une source est injoignable. 1 liste dont la source donne autre chose que prévu." in lists_summary.sentence(review)
    assert "> the name x is not known\n> Looked at: DNS\n> Next: check the network" in text
    assert "Relancer plus tard" in text and "Regarder ce que donne la source refusée" in text
    assert lists_summary.has_warning(review) and "Regarder" not in lists_summary.text(of(SAME, UNREACHABLE))


def test_why_files_were_not_written_and_nothing_to_do() -> None:
    for obstacle, words in (("no checkout", "pas de git ici"), ("read only", "pas le droit d'écrire")):
        review = of(CHANGED, wanted=True, obstacle=obstacle)
        assert words in lists_summary.text(review) and lists_summary.has_warning(review) and "--refresh" in lists_summary.text(review)
    assert "Rien : les listes du dépôt" in lists_summary.text(of(SAME))

"""The summary that a person reads after `socle run`."""

from __future__ import annotations

from flows.cli import display
from flows.steps import open_run
from flows.steps.pipeline import run_plain


def shown(capsys) -> str:
    with open_run("essai") as run:
        result = run_plain(run)
        capsys.readouterr()
        display.summary(result, run.lake, run.project, 1.0)
    return capsys.readouterr().out


def test_a_champion_of_an_earlier_run_is_named_and_its_card_given(root, edit, capsys):
    edit("at_least: 0.3", "at_least: 0.0")
    first = shown(capsys)
    edit("candidates: [tfidf]", "candidates: [{kind: tfidf, max_features: 1}]")
    second = shown(capsys)
    assert "not promoted" in second
    assert "★ champion: essai/theme@1" in second
    card = next(line for line in first.splitlines() if "model card" in line)
    assert card in second.splitlines()


def test_brackets_in_titles_and_messages_stand_as_they_are(root, edit, capsys):
    edit("title: Thème d'une demande", 'title: "Thème [bold]d\'une[/nothing] demande"')
    (root / "projects" / "essai" / "data" / "demandes.csv").write_text("id,texte,[/theme]\n1,a,b\n", encoding="utf-8")
    text = shown(capsys)
    assert "'[/theme]'" in text
    assert "Thème [bold]d'une[/nothing] demande" in text

"""How an expectation did over the versions: the same one in each, in words and drawn."""

from __future__ import annotations

import re

import pytest

from flows.quality.docs import render
from flows.quality.trends import Answer, Trend, answer, described, drawn, english, keyed, phrase
from tests.quality.test_docs import EVIL, Page, evil_report, report, result

COUNT = {"type": "expect_table_row_count_to_be_between", "arguments": {"min_value": 1}, "level": "table", "unexpected": None}
GOOD, BAD = Answer(True, 0.0, None), Answer(False, 0.02, None)


def trend(*reports, limit=50) -> Trend:
    found = Trend()
    for number, one in enumerate(reports):
        one.load_id, one.at = f"load{number}", f"2026-11-{number + 1:02}T10:00:00+00:00"
        found = found.with_report(one, limit)
    return found


def test_each_expectation_is_followed_over_versions():
    found = trend(
        report(result(), result(**COUNT, observed=10)),
        report(result(success=False, unexpected=2, checked_rows=8), result(**COUNT, observed=12)),
        report(result(**COUNT, observed=9)),
    )
    nulls, count = found.answers
    assert [a for _, a in found.of(nulls)] == [Answer(True, 0.0, None), Answer(False, 0.25, None)]
    assert [p.load_id for p, _ in found.of(nulls)] == ["load0", "load1"]
    assert [a.observed for _, a in found.of(count)] == [10, 12, 9]
    assert [(p.passed, p.checks) for p in found.points] == [(2, 2), (1, 2), (1, 1)]
    assert Trend.from_json(found.to_json()) == found


def test_only_the_newest_are_kept_and_what_nobody_asks_any_more_is_forgotten():
    found = trend(report(result(arguments={"column": "ancienne"})), *(report(result()) for _ in range(6)), limit=3)
    assert [p.load_id for p in found.points] == ["load4", "load5", "load6"]
    assert [len(each) for each in found.answers.values()] == [3]


def test_other_limits_make_no_other_expectation_and_other_columns_or_forms_do():
    def key(**arguments):
        return next(iter(keyed([result(arguments=arguments)])))

    assert key(column="a", min_value=1) == key(column="a", max_value=3, mostly=0.9)
    assert key(column="a") != key(column="b")
    assert key(column="a", regex="x") != key(column="a", regex="y")
    assert key(column="a", row_condition="b > 1") != key(column="a")
    assert len(keyed([result(), result()])) == 2, "the same one twice: both are followed"


def test_only_figures_are_kept():
    assert answer(result(observed=["Jeanne Dupont"], unexpected=None)) == Answer(True, None, None)
    assert answer(result(observed=float("nan"), unexpected=None)).observed is None
    assert "Dupont" not in trend(report(result(success=False, examples=["Dupont"], observed="Dupont"))).to_json().decode()


@pytest.mark.parametrize(
    ("answers", "said", "in_english"),
    [
        ([GOOD], "", ""),
        ([GOOD, GOOD, GOOD], "satisfait 3 fois de suite", ""),
        ([BAD, GOOD], "de nouveau satisfait ; 0 % des lignes en cause, contre 2 % avant", ""),
        (
            [GOOD, BAD],
            "non satisfait, alors qu'il l'était la fois précédente ; 2 % des lignes en cause, contre 0 % avant",
            "passed 1 time(s) before",
        ),
        (
            [BAD, GOOD, GOOD, BAD],
            "non satisfait, après 2 fois où il l'était ; 2 % des lignes en cause, contre 0 % avant",
            "passed 2 time(s) before",
        ),
        ([GOOD, BAD, BAD], "non satisfait 2 fois de suite", "failed 2 times in a row"),
        ([Answer(True, None, 1200), Answer(True, None, 900)], "satisfait 2 fois de suite ; 900, contre 1\u202f200 avant", ""),
    ],
)
def test_a_trend_in_a_phrase(answers, said, in_english):
    assert (phrase(answers), english(answers)) == (said, in_english)


def test_a_drawing_has_a_mark_for_each_report_and_words_for_who_does_not_see_it():
    found = trend(*(report(result(success=n != 2, unexpected=n, checked_rows=10)) for n in range(4)))
    series = found.of(next(iter(found.answers)))
    line, marks = drawn(series)
    assert [m.success for m in marks] == [True, True, False, True]
    assert [m.x for m in marks] == sorted({m.x for m in marks}) and marks[0].y > marks[3].y, "more is higher"
    assert line == " ".join(f"{m.x},{m.y}" for m in marks)
    assert described(series) == "Contrôlé 4 fois, non satisfait 1 fois"
    assert drawn([(series[0][0], Answer(True, None, None))])[0] == "", "no figures, no line"


def test_the_page_shows_it_and_nothing_of_the_data_becomes_part_of_the_page():
    reports = [evil_report() for _ in range(3)]
    found = trend(*reports)
    page = Page(render(reports[-1], EVIL, found))
    plain = [report(result(success=False, examples=["x"], error="y")) for _ in range(3)]
    known = Page(render(plain[-1], "Titre", trend(*plain)))
    assert page.elements.count("svg") == 2 and "script" not in page.elements
    assert {name for name, _ in page.attributes} <= {name for name, _ in known.attributes}
    labels = [v for n, v in page.attributes if n == "aria-label"]
    assert labels == ["Contrôlé 3 fois, non satisfait 3 fois"] * 2
    assert "non satisfait 3 fois de suite" in page.text and "02/11/2026 à 10:00 UTC" in page.text


def test_the_page_has_what_screen_readers_need():
    html = render(report(result(), result(success=False)), "Titre")
    page = Page(html)
    assert '<html lang="fr">' in html and page.elements.count("h1") == page.elements.count("main") == 1
    levels = [int(e[1]) for e in page.elements if re.fullmatch("h[1-6]", e)]
    assert levels == sorted(levels) and set(levels) == {1, 2}
    assert page.elements.count("caption") == page.elements.count("table")
    assert page.elements.count("th") == sum(name == "scope" for name, _ in page.attributes)


def test_a_dataset_without_expectations_says_so():
    empty = report()
    empty.results.clear()
    assert "Aucun contrôle n'est déclaré" in Page(render(empty, "Titre")).text

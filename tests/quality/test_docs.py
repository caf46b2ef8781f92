"""Data docs: one page in French, safe whatever the data holds."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.quality.docs import reasons, render, rule, sentence
from flows.quality.results import CheckReport, CheckResult
from flows.quality.trends import Trend
from flows.quality.words import counted, number

EVIL = "<script>alert(1)</script>\" onmouseover='x' &lt; {{ 7*7 }} {% raw %}"


def result(**changes) -> CheckResult:
    fields = {
        "suite": "commun/texte.json",
        "type": "expect_column_values_to_not_be_null",
        "arguments": {"column": "texte"},
        "severity": "critical",
        "level": "row",
        "success": True,
        "unexpected": 0,
        "checked_rows": 1234567,
    }
    return CheckResult(**fields | changes)


def report(*results: CheckResult, **changes) -> CheckReport:
    fields = {
        "project": "essai",
        "dataset": "demandes",
        "load_id": "abc",
        "check": "def",
        "verdict": "passed",
        "on_failure": "block",
        "results": list(results) or [result()],
        "rows": {"read": 1234567, "kept": 1234000, "refused": 567, "total": 1234000},
        "refused_by_rule": {},
        "reasons": [],
        "at": "2026-11-24T01:17:00+00:00",
    }
    return CheckReport(**fields | changes)


class Page(HTMLParser):
    """Elements and the text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements, self.attributes, self.text = [], [], ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.elements.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.text += data


PLAIN = Page(render(report(), "Titre"))


def test_counts_of_values_of_rows_and_of_changes():
    distinct = {"type": "expect_column_distinct_values_to_be_in_set", "arguments": {"column": "texte", "value_set": ["a"]}}
    values = result(**distinct, success=False, unexpected=2, level="table", checked_rows=None, examples=["b", "c"])
    common = {"type": "expect_column_most_common_value_to_be_in_set", "arguments": {"column": "texte", "value_set": ["a"]}}
    most = result(**common, success=False, unexpected=None, level="table", checked_rows=None, observed=["b", "c"])
    drop = {"type": "expect_row_count_to_stay_close_to_previous", "arguments": {"max_drop": 0.1}, "level": "table"}
    fewer = result(**drop, success=False, unexpected=None, observed=-0.35, examples=["65 lignes au lieu de 100 (−35 %)"])
    took = result(unexpected=0, checked_rows=600, refused=334, refused_of=1000)
    page = Page(render(report(values, most, fewer, took, verdict="refused"), "Titre")).text
    assert "2 valeurs en cause" in page and "« b », « c »" in page.replace("\u00a0", " ") and "constaté : b, c" in page
    assert (
        "334 lignes écartées sur 1\u202f000" in page
        and "65 lignes au lieu de 100" in page
        and "« 65 lignes" not in page.replace("\u00a0", " ")
    )


def test_what_took_rows_out_is_not_said_to_be_met_again_and_again():
    took = report(result(unexpected=0, checked_rows=600, refused=400, refused_of=1000))
    text = Page(render(took, "Titre", Trend().with_report(report(result()), 9).with_report(took, 9))).text
    assert "fois de suite" not in text and "40\u202f% des lignes en cause, contre 0\u202f% avant" in text


def evil_report() -> CheckReport:
    one = result(
        suite=EVIL, arguments={"column": EVIL}, success=False, unexpected=2, examples=[EVIL], error=EVIL, description="", observed=EVIL
    )
    other = result(type=EVIL, arguments={"value_set": [EVIL]}, level="table", success=False, unexpected=None, observed=EVIL)
    return report(one, other, verdict="refused", reasons=[EVIL], refused_by_rule={EVIL: 3}, project=EVIL, dataset=EVIL, load_id=EVIL)


def test_nothing_in_the_data_becomes_part_of_the_page():
    page = Page(render(evil_report(), EVIL))
    assert "script" not in page.elements
    assert {name for name, _ in page.attributes} <= {name for name, _ in PLAIN.attributes} | {"class"}
    assert EVIL in page.text, "shown as it is"
    assert "49" not in page.text


def test_nothing_is_loaded_from_elsewhere():
    assert not {"script", "link", "img", "iframe"} & set(PLAIN.elements)
    assert not [v for n, v in PLAIN.attributes if n in ("src", "href")]
    assert "url(" not in render(report(), "Titre") and "@import" not in render(report(), "Titre")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1234567, "1\u202f234\u202f567"),
        (-12345, "-12\u202f345"),
        (0.5, "0,5"),
        (1234.5678, "1\u202f234,568"),
        (100.0, "100"),
        (0.0001, "0"),
        (None, "–"),
        (True, "True"),
        ("1.5", "1.5"),
        ("x" * 300, "x" * 199 + "…"),
    ],
)
def test_figures_the_french_way(value, text):
    assert number(value) == text


@given(st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False, min_value=-1e15, max_value=1e15)))
def test_a_figure_can_be_read_back(value):
    back = float(number(value).replace("\u202f", "").replace(",", "."))
    assert abs(back - value) <= max(0.000501, abs(value) * 1e-12)


def test_figures_of_the_page():
    for text in ("1\u202f234\u202f567", "1\u202f234\u202f000", "567", "24/11/2026 à 01:17 UTC"):
        assert text in PLAIN.text


@pytest.mark.parametrize(
    ("verdict", "title"),
    [("passed", "Conforme"), ("warned", "réserves"), ("quarantined", "écartées"), ("refused", "ce qui était publié le reste")],
)
def test_every_verdict_has_its_words(verdict, title):
    assert title in Page(render(report(verdict=verdict), "Titre")).text


def test_failures_come_first_the_gravest_at_the_top():
    results = [
        result(description="satisfait"),
        result(description="information manquée", success=False, severity="info"),
        result(description="alerte manquée", success=False, severity="warning"),
        result(description="critique manqué", success=False),
    ]
    text = Page(render(report(*results), "Titre")).text
    order = [text.index(d) for d in ("critique manqué", "alerte manquée", "information manquée", "satisfait\n")]
    assert order[:3] == sorted(order[:3])
    table = text[text.index("Constaté") :]
    assert table.rindex("satisfait") > table.index("information manquée")


@pytest.mark.parametrize(
    ("kind", "arguments", "text"),
    [
        ("expect_column_values_to_not_be_null", {"column": "id"}, "La colonne « id » ne doit pas être vide"),
        ("expect_table_row_count_to_be_between", {"min_value": 3}, "Le nombre de lignes doit être supérieur ou égal à 3"),
        (
            "expect_column_values_to_match_regex",
            {"column": "a", "regex": "^{2}$"},
            "Les valeurs de la colonne « a » doivent avoir la forme ^{2}$",
        ),
        ("expect_of_somebody", {"column": "a"}, "Contrôle « expect_of_somebody » de la colonne « a »"),
    ],
)
def test_sentences(kind, arguments, text):
    assert sentence(result(type=kind, arguments=arguments)) == text
    assert sentence(result(type=kind, arguments=arguments, description="La mienne")) == "La mienne"


def test_a_bound_that_is_null_is_no_bound():
    assert "None" not in sentence(result(type="expect_table_row_count_to_be_between", arguments={"min_value": 3, "max_value": None}))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("key:id:twice in this load", "clé « id » en double"),
        ("type:age:integer", "« age » n'est pas un nombre entier"),
        ("type:ok:boolean", "« ok » n'est ni oui ni non"),
        ("type:t:string", "« t » n'a pas le type déclaré"),
        ("required:id", "« id » manque"),
        ("expect_column_values_to_not_be_null:texte", "non respecté : La colonne « texte » ne doit pas être vide"),
        ("autre", "autre"),
    ],
)
def test_rules_in_words(name, text):
    assert rule(name, [result()]) == text


def test_reasons_name_critical_failures_and_rows_set_aside():
    found = reasons(
        report(
            result(success=False, unexpected=1200),
            result(success=False, severity="warning", description="alerte"),
            result(type="expect_table_row_count_to_be_between", level="table", success=False, unexpected=None, observed=0.5, arguments={}),
            result(type="x", success=False, error="motif illisible"),
            refused_by_rule={"required:id": 3},
            rows={"read": 3, "kept": 0, "refused": 3, "total": 0},
        )
    )
    text = "\n".join(found)
    assert "1\u202f200 lignes en cause" in text and "constaté : 0,5" in text and "motif illisible" in text
    assert "3 lignes écartées : « id » manque" in text and "Aucune ligne ne reste" in text
    assert "alerte" not in text


def test_a_report_travels_as_json():
    before = evil_report()
    assert CheckReport.from_json(before.to_json()) == before


def test_nought_and_one_are_singular() -> None:
    assert [counted(n, "ligne lue") for n in (0, 1, 2, 1200)] == ["0 ligne lue", "1 ligne lue", "2 lignes lues", "1\u202f200 lignes lues"]

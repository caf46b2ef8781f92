"""What failed, how often, how it was before, examples, what to do: in French, harmless in Markdown."""

from __future__ import annotations

from dataclasses import replace

import pytest

from flows.quality.trends import Trend
from flows.texts.checks import SHOWN, found, table, todo
from flows.texts.summary import quoted, report_text
from tests.quality.test_docs import EVIL, evil_report, report, result
from tests.quality.test_trends import COUNT, trend

BAD = {"success": False, "unexpected": 12, "checked_rows": 1000}


def test_a_failure_says_how_much_how_it_was_and_gives_examples():
    reports = [report(result(), verdict="refused"), report(result(**BAD, examples=["J*** D***", "a*b"]), verdict="refused")]
    (line,) = found(reports[1], trend(*reports), quoted)
    assert line == (
        "**Non satisfait** – La colonne « texte » ne doit pas être vide : 12 lignes en cause sur 1\u202f000, 1,2 % ; "
        "non satisfait, alors qu'il l'était la fois précédente ; 1,2 % des lignes en cause, contre 0 % avant. "
        "Par exemple : « J\\*\\*\\* D\\*\\*\\* », « a\\*b »."
    )


def test_what_changed_since_the_version_before_is_a_sentence_and_no_example():
    drop = result(
        success=False, type="expect_row_count_to_stay_close_to_previous", arguments={"max_drop": 0.1}, level="table", observed=-0.35
    )
    (line,) = found(report(replace(drop, examples=["65 lignes au lieu de 100 (−35 %)"]), verdict="refused"), Trend(), quoted)
    assert line.endswith(" : constaté : 65 lignes au lieu de 100 \\(−35 %\\).") and "Par exemple" not in line and "0,35" not in line
    described = replace(drop, description="Le fichier est entier.", examples=["65 lignes au lieu de 100"])
    (line,) = found(report(described, verdict="refused"), Trend(), quoted)
    assert line == "**Non satisfait** – Le fichier est entier : constaté : 65 lignes au lieu de 100."


def test_values_that_a_whole_column_should_not_have_are_no_rows():
    distinct = {"type": "expect_column_distinct_values_to_be_in_set", "arguments": {"column": "texte", "value_set": ["a"]}}
    one = result(**distinct, success=False, unexpected=2, level="table", checked_rows=None, examples=["b", "c"])
    (line,) = found(report(one, verdict="refused"), Trend(), quoted)
    assert line.endswith(" : 2 valeurs en cause. Par exemple : « b », « c ».")
    (row,) = table(report(one, verdict="refused"), Trend())
    assert (row["lignes en cause"], row["constaté"]) == ("–", "2 valeurs en cause")


def test_what_took_rows_out_comes_before_warnings_and_counts_of_all_rows_that_were_checked():
    took = result(success=True, unexpected=0, checked_rows=600, refused=334, refused_of=1000)
    warned = result(**BAD, severity="warning", arguments={"column": "a"})
    still = result(success=False, unexpected=1, checked_rows=600, refused=3, refused_of=1000, arguments={"column": "b"})
    lines = found(report(warned, took, still, verdict="refused"), Trend(), quoted)
    assert [line.partition(" –")[0] for line in lines] == ["**Non satisfait**", "**Lignes écartées**", "**À regarder**"]
    (line,) = found(report(took), trend(report(result()), report(took)), quoted)
    assert "satisfait" not in line and line.endswith("33,4 % ; 33,4 % des lignes en cause, contre 0 % avant.")
    assert "334 lignes écartées sur 1\u202f000, 33,4 %" in lines[1] and "encore 1 ligne en cause" in lines[0]


def test_the_gravest_come_first_and_of_many_the_rest_is_counted():
    many = [result(**BAD, arguments={"column": f"c{n}"}, severity="warning") for n in range(SHOWN)]
    lines = found(report(*many, result(**BAD), personal_data=["« nir » : 3 lignes"], refused_by_rule={"required:id": 3}), Trend(), quoted)
    assert lines[0].startswith("**Données personnelles** – « nir »") and lines[1].startswith("**Non satisfait**")
    assert lines[-2] == "… et 1 autre contrôle, dans la page des contrôles."
    assert lines[-1] == "3 lignes écartées : « id » manque"


@pytest.mark.parametrize(
    ("changes", "results", "said"),
    [
        ({"verdict": "passed"}, [result()], []),
        ({"verdict": "passed"}, [result(**BAD, severity="warning")], ["n'ont rien bloqué"]),
        ({"verdict": "refused"}, [result(**BAD)], ["Corriger à la source les lignes"]),
        ({"verdict": "refused"}, [result(**COUNT, success=False, observed=2)], ["la source est complète"]),
        ({"verdict": "refused"}, [result(success=False, error="x")], ["la règle qui n'a pas pu"]),
        ({"verdict": "refused", "personal_data": ["x"]}, [result()], ["Retirer ces données personnelles"]),
        ({"verdict": "quarantined"}, [result()], ["567 lignes écartées"]),
        ({"verdict": "refused"}, [result()], ["Corriger la source ou la règle"]),
    ],
)
def test_what_to_do(changes, results, said):
    lines = todo(report(*results, **changes))
    assert len(lines) == len(said) and all(part in line for part, line in zip(said, lines, strict=True))


def test_nothing_in_the_data_becomes_markup():
    text = report_text(evil_report(), Trend())
    assert "<script>" not in text and quoted(EVIL) in text

"""Every problem of a project at once, each with its file and line, and what was probably meant."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from flows.errors import ConfigurationError
from flows.validation import check_project, check_suite, expectation_types, load_project
from tests.conftest import PROJECT, write_project

LINES = PROJECT.splitlines()


@pytest.fixture
def problems(root: Path) -> Callable[..., list]:
    """The problems after replacements in the project file."""

    def found(*changes: tuple[str, str]) -> list:
        text = PROJECT
        for old, new in changes:
            assert old in text, old
            text = text.replace(old, new, 1)
        (root / "projects" / "essai" / "project.yaml").write_text(text, encoding="utf-8")
        return check_project(root, "essai")[1]

    return found


def line(containing: str) -> int:
    return next(n for n, text in enumerate(LINES, 1) if containing in text)


def test_a_right_project_has_none(root):
    project, problems = check_project(root, "essai")
    assert problems == [] and project == load_project(root, "essai")
    assert (project.name, project.folder) == ("essai", root / "projects" / "essai")


@pytest.mark.parametrize(
    ("old", "new", "said", "hint"),
    [
        ("texte: string, ", 'texte: string, "\\ud800x": string, ', "'\\ud800x' holds half a character", "whole character"),
        ("title: Demandes reçues", 'title: "Demandes \\udfff"', "'Demandes \\udfff' holds half a character", ""),
        ("texte: string, ", "texte: string, ID: string, ", "differ in capitals alone", ""),
        ("on_failure: block", "on_failur: block", "unknown key", "'on_failure'"),
        ("on_failure: block", "on_failure: blok", "'blok' is not one of the choices", "'block'"),
        ("path: data/*.csv", "pat: data/*.csv", "is missing", ""),
        ("type: csv", "type: cvs", "cvs", ""),
        ("type: file, path: data/*.csv", 'type: http, url: "ftp://x/y"', "source.url: an address begins with https://", ""),
        ("type: file, path: data/*.csv", 'type: http, url: ["ftp://x/y"]', "source.url.0: an address begins with https://", ""),
        ("key: [id]", "key: id", "valid list", ""),
        ("email: equipe@example.gouv.fr", "email: equipe", "'equipe' does not have the right form", ""),
        ("title: Demandes reçues", "titl: Demandes reçues", "unknown key", "'title'"),
        ("key: [id]", "key: [idd]", "'idd' is not one of the columns", ""),
        ("theme: string}", "theme: strin}", "'strin'", "'string'"),
        ("expectations: [demandes.json]", "expectations: [demande.json]", "expectations/demande.json does not exist", "'demandes.json'"),
        ("expectations: [demandes.json]", "expectations: [../projects/essai/project.yaml]", "outside expectations/", ""),
        ("dataset: demandes", "dataset: demande", "no dataset 'demande'", "'demandes'"),
        ("label: theme", "label: thème", "no column 'thème'", "'theme'"),
        ("inputs: [texte]", "inputs: [text]", "no column 'text'", "'texte'"),
        ("inputs: [texte]", "inputs: [texte, theme]", "the label is among the inputs", ""),
        ("candidates: [tfidf]", "candidates: [tfdif]", "tfdif", ""),
        ("candidates: [tfidf]", "candidates: [{base_model: 'package:absent_ici/model'}]", "is not installed", ""),
        ("validation: 0.2, test: 0.2", "validation: 0.49, test: 0.49", "nothing is left to train on", ""),
        ("personal_data: none", "shared_with: [essay]", "no project 'essay'", "'essai'"),
        ("at_least: 0.3", "at_least: 3", "at_least", ""),
    ],
)
def test_a_problem_is_told_with_its_line_and_what_was_meant(problems, old, new, said, hint):
    found = problems((old, new))
    assert found, new
    matching = [p for p in found if said in p.message]
    assert matching, [str(p) for p in found]
    assert matching[0].file == Path("projects/essai/project.yaml")
    assert matching[0].line == line(old)
    assert hint in matching[0].hint


@pytest.mark.parametrize(
    ("search", "said"),
    [
        ("{trials: 5}", "says what is varied"),
        ("{trials: 1, c: [1.0, 2.0]}", "greater than or equal to 2"),
        ("{c: [2.0, 1.0]}", "c: 2 to 1 is no range"),
        ("{c: [1.0, 1.0]}", "c: 1 to 1 is no range"),
        ("{c: [0.0, 1.0]}", "greater than 0"),
        ("{c: [1.0, 2.0, 3.0]}", "at most 2 items"),
        ("{learning_rate: [0.1, 0.2]}", "the last candidate is tfidf, whose learning_rate is not searched; of it there is c"),
        ("{trails: 5, c: [1.0, 2.0]}", "unknown key"),
    ],
)
def test_a_search_that_makes_no_sense_is_told_with_its_line(problems, search, said):
    found = problems(("candidates: [tfidf]", f"candidates: [tfidf]\n    search: {search}"))
    assert any(said in p.message for p in found), [str(p) for p in found]
    assert {p.line for p in found} == {line("candidates: [tfidf]") + 1}


@pytest.mark.parametrize(
    ("search", "said"),
    [
        ("{batch_size: [8]}", "two or more sizes"),
        ("{batch_size: [8, 8]}", "two or more sizes"),
        ("{epochs: [0, 2]}", "greater than or equal to 1"),
        ("{epochs: [1.5, 2]}", "integer"),
        ("{learning_rate: [1.0e-5, 1.0]}", "learning_rate: 1 is not possible for transformer"),
        ("{max_leaf_nodes: [2, 31]}", "max_leaf_nodes is not searched; of it there is learning_rate, epochs, batch_size"),
    ],
)
def test_a_search_that_its_candidate_cannot_follow_is_told_with_its_line(problems, search, said):
    candidates = "candidates: [tfidf, {base_model: 'path:x'}]"
    found = problems(("candidates: [tfidf]", f"{candidates}\n    search: {search}"))
    assert any(said in p.message for p in found), [str(p) for p in found]
    assert {p.line for p in found} == {line("candidates: [tfidf]") + 1}


def test_a_search_that_makes_sense_has_no_problems(problems):
    block = "search: {trials: 5, learning_rate: [1.0e-5, 1.0e-3], epochs: [1, 3], batch_size: [8, 16]}"
    assert problems(("candidates: [tfidf]", f"candidates: [tfidf, {{base_model: 'path:x'}}]\n    {block}")) == []


def test_one_mistake_does_not_hide_another(problems):
    found = problems(
        ("on_failure: block", "on_failur: block"),
        ("label: theme", "label: themes"),
        ("expectations: [demandes.json]", "expectations: [x.json]"),
    )
    assert [p.line for p in found] == sorted({line("expectations:"), line("on_failure"), line("label: theme")})


def test_load_raises_them_all_with_the_next_command(root, problems):
    problems(("on_failure: block", "on_failur: block"), ("label: theme", "label: themes"))
    with pytest.raises(ConfigurationError) as caught:
        load_project(root, "essai")
    text = str(caught.value)
    assert "2 problem(s)" in text and "socle validate essai" in text
    assert f"projects/essai/project.yaml:{line('label: theme')}: " in text


def test_a_missing_project_is_suggested(root):
    _, [problem] = check_project(root, "esai")
    assert "no project 'esai'" in problem.message and "'essai'" in problem.hint


@pytest.mark.parametrize(
    ("text", "at", "said"),
    [
        ("title: a\n  b: c\n", 2, "not valid YAML"),
        ("title: a\ntitle: b\n", 2, "duplicate key"),
        ("- a\n- b\n", 1, "mapping"),
        ("", 1, "mapping"),
        ("title: [a\n", 2, "not valid YAML"),
        ("title: \x00\n", 1, "not valid YAML"),
        ("title: *absent\n", 1, "not valid YAML"),
    ],
)
def test_files_that_are_not_yaml(root, text, at, said):
    (root / "projects" / "essai" / "project.yaml").write_text(text, encoding="utf-8")
    _, [problem] = check_project(root, "essai")
    assert said in problem.message and problem.line == at


def test_a_file_that_is_not_utf8(root):
    (root / "projects" / "essai" / "project.yaml").write_bytes("title: Équipe".encode("latin-1"))
    _, [problem] = check_project(root, "essai")
    assert "UTF-8" in problem.message


@pytest.mark.parametrize("name", ["commun", "Majuscules", "a_b", "é", "a" * 49])
def test_names_that_no_project_can_have(root, name):
    write_project(root, name)
    assert any("cannot name a project" in p.message for p in check_project(root, name)[1])


def test_a_dataset_and_a_model_of_one_name(problems):
    found = problems(("  theme:\n    title", "  demandes:\n    title"))
    assert any("names are unique" in p.message for p in found)


def test_a_model_needs_a_key_to_split_by(problems):
    assert any("needs a `key`" in p.message for p in problems(("    key: [id]\n", "")))


@pytest.mark.parametrize("zone", ["Europe/Pari", "", "../etc/passwd", "42"])
def test_time_zones(root, problems, zone):
    text = PROJECT + f"schedules:\n  pipeline: {{cron: '0 4 * * 1', timezone: '{zone}'}}\n"
    (root / "projects" / "essai" / "project.yaml").write_text(text, encoding="utf-8")
    found = check_project(root, "essai")[1]
    assert [p.line for p in found if "not a time zone" in p.message] == [len(LINES) + 2]


# ---- transforms ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "said", "at"),
    [
        (None, "does not exist", None),
        ("def demande(records):\n    return records\n", "no function 'demandes'", None),
        ("demandes = 3\n", "no function 'demandes'", None),
        ("\ndef demandes(rows):\n    return rows\n", "`records` or `batch`", 2),
        ("def demandes(records, other):\n    return records\n", "`records` or `batch`", 1),
        ("def demandes(records):\n    return (\n", "is not Python", 2),
    ],
)
def test_transforms_are_read_and_never_run(root, problems, code, said, at):
    if code is not None:
        (root / "projects" / "essai" / "transform.py").write_text("" + code, encoding="utf-8")
    [problem] = problems(("key: [id]", "transform: transform.py:demandes\n    key: [id]"))
    assert said in problem.message
    expected = ("projects/essai/transform.py", at) if at else ("projects/essai/project.yaml", line("key: [id]"))
    assert (str(problem.file), problem.line) == expected


def test_a_transform_is_not_run_when_it_is_checked(root, problems):
    (root / "projects" / "essai" / "transform.py").write_text("raise SystemExit(9)\n\n\ndef demandes(batch):\n    return batch\n")
    assert problems(("key: [id]", "transform: transform.py:demandes\n    key: [id]")) == []


# ---- suites -------------------------------------------------------------------------------------------------------


def suite(root, content) -> list:
    file = root / "expectations" / "demandes.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content, indent=1), encoding="utf-8")
    return check_suite(root, file, ["id", "texte", "theme"])


NULL = "expect_column_values_to_not_be_null"


@pytest.mark.parametrize(
    ("entry", "said", "hint"),
    [
        ({"type": "expect_column_values_to_not_be_nul", "kwargs": {"column": "id"}}, "unknown expectation", NULL),
        ({"type": NULL, "kwargs": {"column": "text"}}, "no column 'text'", "'texte'"),
        ({"type": "expect_compound_columns_to_be_unique", "kwargs": {"column_list": ["id", "x"]}}, "no column 'x'", ""),
        ({"type": NULL, "kwargs": {"column": "id"}, "severity": "grave"}, "severity", ""),
        ({"type": NULL}, 'no "kwargs"', ""),
        ({"kwargs": {}}, 'no "type"', ""),
        ({"type": "expect_compound_columns_to_be_unique", "kwargs": {"column_list": 5}}, "column_list", ""),
        ("texte", 'no "type"', ""),
    ],
)
def test_problems_of_a_suite(root, entry, said, hint):
    good = {"type": NULL, "kwargs": {"column": "id"}}
    problems = suite(root, {"expectations": [good, entry]})
    assert len(problems) == 1 and said in problems[0].message and hint in problems[0].hint
    assert problems[0].file == Path("expectations/demandes.json")


def test_the_line_of_an_expectation(root):
    entry = '{"type": "' + NULL + '", "kwargs": {"column": "%s"}}'
    text = '{"expectations": [\n ' + entry.replace("%s", "id") + ",\n" + entry.replace("%s", "x").replace(", ", ",\n ", 1) + "\n]}"
    [problem] = suite(root, text)
    assert problem.line == 3


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"expectations": {}}', "null", pytest.param("[" * 99_999, id="deep")])
def test_files_that_are_no_suites(root, text):
    assert len(suite(root, text)) == 1


def test_every_expectation_of_great_expectations_is_known():
    assert NULL in expectation_types() and len(expectation_types()) > 40


# ---- anything at all ----------------------------------------------------------------------------------------------

scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.dates())
words = st.sampled_from(["tfidf", "csv", "package:", "package:.a", "package:json.x/m", "hub:a@b", "path:x", "../x", ":", "a.py:f", "\x00"])
trees = st.recursive(
    st.one_of(scalars, words),
    lambda t: st.one_of(st.lists(t, max_size=3), st.dictionaries(st.one_of(words, scalars), t, max_size=3)),
    max_leaves=6,
)


def places(node, path=()):
    yield path
    for key, child in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        yield from places(child, (*path, key))


PLACES = [p for p in places(YAML(typ="safe").load(PROJECT)) if p]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None, max_examples=150)
@given(place=st.sampled_from(PLACES), value=trees)
def test_anything_anywhere_gives_problems_or_a_project(root, place, value):
    tree = YAML(typ="safe").load(PROJECT)
    node = tree
    for key in place[:-1]:
        node = node[key]
    node[place[-1]] = value
    with (root / "projects" / "essai" / "project.yaml").open("w", encoding="utf-8") as file:
        YAML(typ="safe").dump(tree, file)
    project, problems = check_project(root, "essai")
    assert problems or project is not None
    assert all(p.line >= 1 and p.message for p in problems)


@pytest.mark.parametrize("base", ["package:", "package:.x", "package:a.b/model", "package:json.absent/m", "package:/x"])
def test_odd_names_of_packages_are_problems(problems, base):
    assert problems(("candidates: [tfidf]", f"candidates: [{{base_model: '{base}'}}]"))


def test_a_project_that_contains_itself_is_a_problem(problems):
    assert problems(("inputs: [texte]", "inputs: &a [texte, *a]"))

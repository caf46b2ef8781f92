"""Little files of one shape are told at a glance, and nothing else is."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from flows import formats
from flows.formats.base import Decision
from flows.settings import Settings

FIRST = "nom;prix\npain;1\nlait;2\n"


def put(folder: Path, text: str, name: str = "a.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode("utf-8"))
    return path


def decided(folder: Path, text: str = FIRST) -> Decision:
    path = put(folder, text)
    return formats.decide(path, path.name, None, Settings(root=folder))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nom;prix\nsel;12\n", True),
        ("nom;prix\nl'eau;3", True),
        ("nom,prix\npain,1\n", False),  # another delimiter
        ("nom;prix\npain;1;x\n", False),  # another width
        ("nom;cout\npain;1\n", False),  # another header
        ("nom;prix\n(texte);(euros)\npain;1\n", False),  # a second header line
        ("nom;prix\n'pain';1\n", False),  # other quotes
        ('nom;prix\n"pain";1\n', False),  # quotes, which the first had not
        ("titre\n\nnom;prix\npain;1\n", False),
        ("nom;prix\n", False),
    ],
)
def test_files_of_one_shape_have_one_mark(tmp_path, text, expected):
    how, limits = decided(tmp_path).format, Settings(root=tmp_path)
    first = formats.mark(put(tmp_path, FIRST), how, limits)
    assert first is not None
    assert (formats.mark(put(tmp_path, text), how, limits) == first) is expected


def test_what_cannot_be_told_at_a_glance_has_no_mark(tmp_path):
    found, limits = decided(tmp_path).format, Settings(root=tmp_path)
    latin = tmp_path / "latin.csv"
    latin.write_bytes("nom;prix\nthé;1\n".encode("cp1252"))
    assert formats.mark(latin, found, limits) is None
    assert formats.mark(put(tmp_path, FIRST), found.model_copy(update={"footer_rows": 1}), limits) is None


@settings(max_examples=150, deadline=None)
@example([("1,", "2,5")] * 4, ";")  # by commas it would be a table of three columns, under another header
@given(
    st.lists(st.tuples(st.text("ab1'\"; ,é", max_size=4), st.sampled_from(["1", "2,5", "x", "", "01/02/2024"])), min_size=1, max_size=5),
    st.sampled_from([";", ","]),
)
def test_a_file_with_a_known_mark_is_compatible(tmp_path_factory, rows, delimiter):
    folder = tmp_path_factory.mktemp("mark")
    how, limits = decided(folder).format, Settings(root=folder)
    known = formats.mark(put(folder, FIRST), how, limits)
    other = put(folder, delimiter.join(["nom", "prix"]) + "\n" + "".join(delimiter.join(r) + "\n" for r in rows), "b.csv")
    if formats.mark(other, how, limits) == known:
        assert formats.incompatible(other, other.name, how, limits) is None


QUOTED = 'a;b;c\n1;"x";y\n'


@pytest.mark.parametrize(
    ("texts", "taken"),
    [
        ([QUOTED] * 4, 4),
        ([QUOTED, QUOTED, 'a;b;c\n1;"x\n', 'a;b;c\n";z\n1;"b";c\n'], 2),  # together they would be well formed
        ([QUOTED, QUOTED, 'a;b;c\n1;"x"\n', QUOTED], 2),
        ([QUOTED, "a;b;c\n"], 1),
        ([QUOTED, "a;b;c\n1;x;y\n"], 1),  # without quotes: another mark
        ([QUOTED, "a;b;c\nn;'x';\"y\"\n"], 1),
        (["a;b;d\n1;2;3\n", QUOTED], 0),
        ([QUOTED.removesuffix("\n"), QUOTED.replace("y", "y\n\n")], 2),
        ([QUOTED.replace("\n", "\r\n"), QUOTED], 0),
        ([QUOTED, QUOTED + "2;x;\x00\n"], 1),
    ],
)
def test_only_files_that_are_well_formed_each_for_itself_are_read_together(tmp_path, texts, taken):
    how, limits = decided(tmp_path, QUOTED).format, Settings(root=tmp_path)
    marks = {formats.mark(put(tmp_path, QUOTED), how, limits)} - {None}
    paths = [put(tmp_path, text, f"{number}.csv") for number, text in enumerate(texts)]
    found = formats.together(paths, how, marks, limits)
    assert (0 if found is None else len(found.records)) <= taken
    if taken in (len(texts), 0) or "\x00" in texts[-1]:
        assert (0 if found is None else len(found.records)) == taken
    if found is not None:
        assert found.records == [1] * len(found.records) and set(found.rows["b"]) == {"x"}

"""Little files that are read together give exactly what each of them gives alone, whatever is odd in one of them."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from flows.errors import SocleError, SourceRefused
from flows.formats import Member
from flows.lake.raw import RawFile
from flows.steps.bunches import Ahead
from tests.steps.loaders import Loads, declared

BOUNDED = settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
COLUMNS = {"nom": "string", "prix": "number", "jour": "date", "n": "integer"}
HEADER = "nom;prix;jour;n\n"
GOOD = "pain;1,5;03/04/2024;1\nlait;12,25;31/12/2024;2\n"
ODD_FILES = {
    "another delimiter": HEADER.replace(";", ",") + "pain,1.5,03/04/2024,1\n",
    "another header": HEADER.replace("prix", "cout") + GOOD,
    "a column more": HEADER.replace("\n", ";x\n") + "pain;1,5;03/04/2024;1;y\n",
    "a short row": HEADER + GOOD + "seul;1\n" + GOOD,
    "a long row": HEADER + GOOD + "pain;1,5;03/04/2024;1;2;3\n",
    "a wrong number": HEADER + GOOD + "pain;néant;03/04/2024;1\n",
    "points": HEADER + "pain;1.5;03/04/2024;1\nsel;2.5;03/04/2024;1\n",
    "other dates": HEADER + "pain;1,5;04/13/2024;1\nsel;2,5;05/23/2024;1\n",
    "nothing": HEADER,
    "empty": "",
    "a quote that is never closed": HEADER + 'pain;1,5;03/04/2024;1\n"lait;12,25;31/12/2024;2\n',
    "a quote that the next file would close": HEADER + '"pain;1,5;03/04/2024;1',
    "quotes": HEADER + '"pain; beurre";"1,5";03/04/2024;1\n"a\nb";2,5;03/04/2024;1\n',
    "blank lines": HEADER + "\n\n" + GOOD.replace("\n", "\n\n"),
    "no last line end": HEADER + GOOD.rstrip(),
    "carriage returns": (HEADER + GOOD).replace("\n", "\r\n"),
    "lone carriage returns": HEADER + GOOD.replace("\n", "\r"),
    "a NUL": HEADER + GOOD.replace("lait", "la\0it"),
    "missing values": HEADER + "pain;NA;;\nlait;-;03/04/2024;3\n",
    "a mark": "\ufeff" + HEADER + GOOD,
    "a mark in the middle": HEADER + "\ufeffpain;1,5;03/04/2024;1\n",
    "a note at the end": HEADER + GOOD + "\nSource : essai, relevé de 2024\n",
    "large": HEADER + GOOD * 400,
}


@pytest.fixture
def loads(run: Any) -> Loads:
    return Loads(run)


def told(outcome: Any) -> Any:
    """All that somebody can see of it; findings in any order, as archives are looked into ahead."""
    if isinstance(outcome, SocleError):
        return type(outcome), outcome.message
    rows = [{k: repr(v) for k, v in row.items()} for row in outcome.rows]
    return rows, outcome.schema, outcome.refused, outcome.read, outcome.reading, sorted(outcome.findings)


def assert_same(loads: Loads, files: list[bytes], columns: dict[str, Any] = COLUMNS, **more: Any) -> Any:
    dataset = declared(columns, **more)
    named = {f"f{i:03}.csv": data for i, data in enumerate(files)}
    both, alone = (loads(dataset, named, short=False, together=way) for way in (True, False))
    assert told(both) == told(alone)
    return both


def test_files_of_one_shape_are_read_together(loads: Loads) -> None:
    """Guards the tests below: reading that takes none together would pass them."""
    files = [f"{HEADER}pain;1,5;{i % 27 + 1:02}/04/2024;{i}\nlait;2,25;30/12/2024;{i}\n".encode() for i in range(40)]
    found = assert_same(loads, files)
    assert found.bunched == 38 and found.read == 80
    assert [(r["__file"], r["__row"], r["n"]) for r in found.rows[-3:]] == [("f038.csv", 2, 38), ("f039.csv", 1, 39), ("f039.csv", 2, 39)]


def test_so_are_those_in_cp1252(loads: Loads) -> None:
    files = [f"{HEADER}pâté n° {i};1,5;03/04/2024;1\ncafé crème;2,25;30/12/2024;{i}\n".encode("cp1252") for i in range(20)]
    found = assert_same(loads, files)
    assert found.bunched == 18 and found.rows[0]["nom"] == "pâté n° 0"
    assert assert_same(loads, [*files[:9], (HEADER + "pâté;1,5;03/04/2024;1\n").encode(), *files[9:]], on_drift="quarantine")


@pytest.mark.parametrize("name", ODD_FILES)
@pytest.mark.parametrize("at", [1, 7])
@pytest.mark.parametrize("on_drift", ["quarantine", "evolve"])
def test_an_odd_one_is_read_as_it_is_alone(loads: Loads, name: str, at: int, on_drift: str) -> None:
    files = [f"{HEADER}{GOOD}sel;{i},5;13/04/2024;{i}\n".encode() for i in range(12)]
    files.insert(at, ODD_FILES[name].encode())
    assert_same(loads, files, on_drift=on_drift)


def test_rows_of_wrong_types_have_their_places_in_their_own_files(loads: Loads) -> None:
    files = [(HEADER + GOOD * 3 + ("pain;néant;03/04/2024;x\n" if i % 5 == 4 else "") + GOOD).encode() for i in range(30)]
    found = assert_same(loads, files)
    assert [(r["file"], r["row_number"]) for r in found.refused] == [(f"f{i:03}.csv", 7) for i in range(4, 30, 5)]
    assert found.bunched == 28


CELLS = st.sampled_from(
    ["pain", "l'eau", "'x'", 'a"b', '"a;b"', '"a\nb"', "", "1", "1,5", "1.5", "NA", "03/04/2024", "2024-04-03", "é", " x ", "\r"]
)


@BOUNDED
@given(
    st.lists(st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=0, max_size=3), min_size=4, max_size=10),
    st.sampled_from(["utf-8", "cp1252"]),
    st.sampled_from(["string", "number", "date", "integer"]),
)
@example([[("pain", "1", "x")]] * 3 + [[('"', "1", "x")], [('"', "", "")]], "utf-8", "string")
def test_whatever_files_hold_both_ways_give_the_same(loads: Loads, files: list[list[tuple[str, ...]]], encoding: str, kind: str) -> None:
    data = ["a;b;c\n" + "".join(";".join(row) + "\n" for row in rows) for rows in files]
    form = {"type": "csv", "delimiter": ";", "header_rows": 1, "skip_rows": 0, "encoding": encoding}
    assert_same(loads, [d.encode(encoding) for d in data], {"a": "string", "b": kind, "c": "string"}, format=form, on_drift="quarantine")


def test_what_goes_wrong_on_the_way_is_raised_in_its_turn() -> None:
    def items() -> Any:
        for number in range(3):
            yield RawFile(str(number), "", 0, ""), Member("", Path())
        raise SourceRefused("damaged")

    ahead = Ahead(items())
    assert len(list(itertools.islice(ahead.look(), 10))) == 3
    for number in range(3):
        first = ahead.first()
        assert first is not None and first[0].sha256 == str(number)
        ahead.take(1)
    with pytest.raises(SourceRefused):
        ahead.first()

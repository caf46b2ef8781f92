"""Other bytes with the same rows make no version; what is not the same does."""

from __future__ import annotations

import random

from tests.conftest import csv_text, rows


def write(root, text):
    (root / "projects" / "essai" / "data" / "demandes.csv").write_bytes(text.encode())


def test_other_line_ends_quotes_and_order_make_no_version_and_are_not_read_twice(root, load, history, unchecked):
    load()
    lines = rows(90)
    random.Random(1).shuffle(lines)
    write(root, csv_text([tuple(f'"{value}"' for value in line) for line in lines]).replace("\n", "\r\n"))
    outcome = load()
    assert (outcome.action, outcome.reasons) == ("nothing", ["the bytes changed, the rows did not"])
    assert outcome.report.verdict == "unchanged" and history() == [1]
    again = load()
    assert again.action == "nothing" and again.report is None, "it is known by its bytes now"


def test_one_other_value_makes_a_version(root, load, history, unchecked):
    load()
    write(root, csv_text(rows(90)).replace("question 7 ", "question 7bis "))
    assert load().action == "loaded" and history() == [2, 1]


def test_a_bag_of_rows_is_not_a_set(root, load, history, unchecked, edit):
    """Two of one and one of the other are as many rows as one of the one and two of the other."""
    edit("    key: [id]\n", "")
    text = (root / "projects" / "essai" / "project.yaml").read_text()
    (root / "projects" / "essai" / "project.yaml").write_text(text.partition("models:")[0])
    one, other = rows(2)
    write(root, csv_text([one, one, other]))
    load()
    write(root, csv_text([one, other, other]))
    assert load().action == "loaded"
    write(root, csv_text([other, one, other]))
    assert load().action == "nothing" and history() == [2, 1]

"""The same one gets the same placeholder, two never share one, and what is covered leaves nothing behind."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.privacy.pseudonyms import pseudonymise


def spans(text, **labels):
    """`PER="Anna Martin"` or a list: every place where these words stand."""
    found = []
    for label, words in labels.items():
        for word in [words] if isinstance(words, str) else words:
            found += [(m.start(), m.end(), label) for m in re.finditer(rf"(?<!\w){re.escape(word)}(?!\w)", text)]
    return found


def one(text, names=None, **labels):
    return pseudonymise([text], [spans(text, **labels)], names).texts[0]


def test_each_gets_its_own_number_in_the_order_of_appearance():
    text = "Anna Martin a vu Bruno Petit à Lyon, puis Anna Martin est partie pour Nice."
    said = one(text, PER=["Anna Martin", "Bruno Petit"], LOC=["Lyon", "Nice"])
    assert said == "[PERSONNE 1] a vu [PERSONNE 2] à [LIEU 1], puis [PERSONNE 1] est partie pour [LIEU 2]."


@pytest.mark.parametrize("other", ["ANNA MARTIN", "Mme Martin", "martin", "A. Martin", "Mme MARTIN", "Anna", "Ànna  Martin"])
def test_a_part_of_one_name_in_another_case_is_that_person(other):
    text = f"Anna Martin et Bruno Petit. Ensuite, {other} seule."
    said = one(text, PER=["Anna Martin", "Bruno Petit", other])
    civility = "Mme " if other.startswith("Mme") else ""
    assert said == f"[PERSONNE 1] et [PERSONNE 2]. Ensuite, {civility}[PERSONNE 1] seule."


def test_a_surname_before_the_whole_name_is_that_person_too():
    assert one("Martin parle. Anna Martin écoute.", PER=["Martin", "Anna Martin"]) == "[PERSONNE 1] parle. [PERSONNE 1] écoute."


def test_a_surname_that_two_have_is_neither():
    said = one("Anna Martin, Paul Martin, puis Martin.", PER=["Anna Martin", "Paul Martin", "Martin"])
    assert said == "[PERSONNE 1], [PERSONNE 2], puis [PERSONNE 3]."


def test_an_initial_alone_is_nobody_else():
    assert one("Anna Martin et A. sont là.", PER=["Anna Martin", "A."]).startswith("[PERSONNE 1] et [PERSONNE 2]")


@pytest.mark.parametrize("other", ["28/05/1996", "28 MAI 1996", "le 28 mai 1996", "1996-05-28"])
def test_a_date_is_the_day_that_it_says(other):
    said = one(f"né le 28 mai 1996, vu {other}, revu le 29 mai 1996", DATE=["28 mai 1996", other, "29 mai 1996"])
    assert said.count("[DATE 1]") == 2 and "[DATE 2]" in said and not re.search(r"\d{2,}", said)


def test_articles_stay_in_the_sentence():
    assert one("Le 3 mai 1990, la France et l’Italie.", DATE="Le 3 mai 1990", LOC=["la France", "l’Italie"]) == (
        "Le [DATE 1], la [LIEU 1] et l’[LIEU 2]."
    )


def test_what_rules_know_is_replaced_without_a_model():
    text = "Écrire à jean.dupont@orange.fr ou au 06 12 34 56 78, NIR 2 85 05 78 006 084 41, IBAN FR76 3000 6000 0112 3456 7890 189."
    said = pseudonymise([text], [[]]).texts[0]
    assert "[E-MAIL 1]" in said and "[TÉLÉPHONE 1]" in said and "[IBAN 1]" in said and "[NIR 1]" in said
    assert not re.search(r"\d{2}", said)


def test_a_name_that_was_found_once_is_replaced_everywhere_in_the_document():
    texts = ["Zelda Kowalska demande.", "On entend Zelda Kowalska, puis ZELDA KOWALSKA."]
    said = pseudonymise(texts, [[(0, 14, "PER")], []])
    assert said.texts == ["[PERSONNE 1] demande.", "On entend [PERSONNE 1], puis [PERSONNE 1]."]
    assert said.counts == {"PERSONNE": 3}


def test_numbers_begin_again_in_another_document():
    assert pseudonymise(["Zelda Kowalska"], [[(0, 14, "PER")]]).texts == pseudonymise(["Ivan Petrov"], [[(0, 11, "PER")]]).texts


def test_overlapping_finds_leave_nothing():
    text = "Xaxa Yoyo Zuzuzuz habite ici"
    assert pseudonymise([text], [[(0, 9, "PER"), (5, 17, "ORG")]]).texts == ["[ORGANISATION 1] habite ici"]


def test_labels_that_are_not_asked_for_stay():
    text = "Anna Martin a payé trois euros à Lyon."
    said = one(text, {"PER": "PERSONNE"}, PER="Anna Martin", LOC="Lyon", QUANTITY="trois")
    assert said == "[PERSONNE 1] a payé trois euros à Lyon."


def test_empty_texts_stay_empty():
    assert pseudonymise([None, "", "rien"], [[], [], []]).texts == [None, "", "rien"]


@given(
    st.text("ABc é.,'-12[] \n", max_size=40),
    st.lists(st.tuples(st.integers(0, 40), st.integers(1, 10), st.sampled_from(["PER", "LOC", "DATE"]))),
)
def test_whatever_is_found_is_covered_but_articles_and_civilities(text, made):
    found = [(s, min(s + n, len(text)), label) for s, n, label in made if s < len(text)]
    said = pseudonymise([text], [found])
    assert said.spans[0] == sorted(said.spans[0])
    covered = {i for s, e in said.spans[0] for i in range(s, e)}
    for start, end, _ in found:
        if any(c.isalnum() for c in text[start:end]):
            left = "".join(text[i] for i in range(start, end) if i not in covered)
            assert not re.search(r"[0-9A-Z]", re.sub(r"(?i)\b[ld]['’]", "", left)) or not text[start:end].strip(" .,'-[]\n")

"""Language, encoding errors, HTML."""

from __future__ import annotations

import csv
import html

import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from flows.near_duplicates.folding import folded
from flows.quality.french.names import is_not_placeholder
from flows.quality.french.near_duplicates import is_not_near_duplicate
from flows.quality.french.places import is_point_in_france
from flows.quality.french.texts import ORDINARY, is_free_of_html, is_free_of_mojibake, is_french
from tests.conftest import REPOSITORY
from tests.quality.french.meets import meets, met

ARTICLES = REPOSITORY.parent / "shared" / "data" / "code-du-travail" / "articles.csv"
FRENCH = [
    "L'employeur informe chaque salarié par écrit au moins quinze jours avant la date de la visite.",
    "LE DÉLAI DE PRÉAVIS COURT À COMPTER DE LA NOTIFICATION DE LA DÉCISION.",
    "Les representants du personnel sont elus pour quatre ans, sauf accord contraire de la branche.",
    "Arrêté du 12 mars 2021 fixant la liste des communes éligibles à la dotation de solidarité rurale",
]
OTHERS = [
    "The employer shall inform each employee in writing at least fifteen days before the visit.",
    "El empleador informará a cada trabajador por escrito al menos quince días antes de la visita.",
    "Der Arbeitgeber unterrichtet jeden Arbeitnehmer mindestens fünfzehn Tage vor dem Besuch schriftlich.",
    "Il datore di lavoro informa per iscritto ciascun lavoratore almeno quindici giorni prima della visita.",
    "De werkgever stelt elke werknemer ten minste vijftien dagen voor het bezoek schriftelijk op de hoogte.",
    "O empregador informa cada trabalhador por escrito pelo menos quinze dias antes da data da visita.",
    "يُبلغ صاحب العمل كل عامل كتابيًا قبل خمسة عشر يومًا على الأقل من تاريخ الزيارة",
]
WORDS = [
    "le",
    "la",
    "délai",
    "préavis",
    "cœur",
    "œuvre",
    "août",
    "où",
    "forêt",
    "naïf",
    "ça",
    "garçon",
    "île",
    "hôpital",
    "dès",
    "été",
    "L'État",
    "Noël",
    "maïs",
    "sûreté",
    "12",
    "1°",
    "École",
    "À",
    "Âge",
]
sentences = st.lists(
    st.sampled_from(WORDS) | st.text("abcdefghijklmnopqrstuvwxyzàâçèéêëîïôùû", min_size=1, max_size=9), min_size=1, max_size=12
).map(" ".join)
accented = st.sampled_from("àâçèéêëîïôùûœ«»’…ÀÉÈÊÇŒ–€°")


def test_texts_in_french_and_in_other_languages() -> None:
    assert meets(is_french, *FRENCH) == [True] * len(FRENCH)
    assert meets(is_french, *OTHERS) == [False] * len(OTHERS)


def test_a_text_too_short_to_tell_is_not_judged_unless_asked_for() -> None:
    assert meets(is_french, *["Open space", "", "Der Arbeitgeber ist nicht da."]) == [True] * 3
    assert met(is_french, "Der Arbeitgeber ist nicht da.", min_length=20) is False


def test_a_text_in_doubt_is_kept_unless_less_confidence_is_asked_for() -> None:
    doubtful = "Responsable e-CRM electronic Customer Relationship Management"
    assert met(is_french, doubtful, min_confidence=0.95) is True
    assert met(is_french, doubtful, min_confidence=0.0) is False


def test_space_around_does_not_count() -> None:
    assert meets(is_french, " " * 400 + OTHERS[0], " " * 400 + FRENCH[0], "\n" * 50 + "court") == [
        False,
        True,
        True,
    ]


def test_equal_texts_are_asked_about_once_and_keep_their_places() -> None:
    column = [FRENCH[0], OTHERS[0], "", FRENCH[0], OTHERS[0], "court"]
    assert meets(is_french, *column) == [True, False, True, True, False, True]


@pytest.mark.skipif(not ARTICLES.exists(), reason="needs shared/data/code-du-travail")
def test_every_article_of_the_labour_code_is_french_readable_and_without_html() -> None:
    csv.field_size_limit(2**30)
    with ARTICLES.open(encoding="utf-8", newline="") as file:
        texts = [row["texte"] for row in csv.DictReader(file)][::9]
    assert len(texts) > 1000
    for condition in (is_french, is_free_of_mojibake, is_free_of_html):
        assert all(meets(condition, *texts))


@settings(deadline=None)
@given(sentences, accented, st.integers(0, 100), st.sampled_from(["latin-1", "cp1252"]), st.integers(1, 3))
def test_mojibake_put_into_any_french_text_is_found(text: str, letter: str, place: int, wrong: str, times: int) -> None:
    """UTF-8 read as something else, once or several times over."""
    damaged = letter
    for _ in range(times):
        damaged = damaged.encode().decode(wrong, "replace")
    place %= len(text) + 1
    assert met(is_free_of_mojibake, text) is True
    assert met(is_free_of_mojibake, f"{text[:place]}{damaged}{text[place:]}") is False


@settings(deadline=None)
@given(sentences, st.integers(0, 100))
def test_bytes_that_could_not_be_read_are_found(text: str, place: int) -> None:
    place %= len(text) + 1
    assert met(is_free_of_mojibake, f"{text[:place]}\ufffd{text[place:]}") is False


@pytest.mark.parametrize(("written", "read"), [("mac_roman", "cp1252"), ("cp850", "cp1252"), ("cp1252", "cp850"), ("cp1252", "mac_roman")])
def test_letters_of_another_one_byte_encoding_are_found(written: str, read: str) -> None:
    text = "Le délai fixé au premier alinéa court à compter de la notification de la décision."
    assert met(is_free_of_mojibake, text.encode(written).decode(read)) is False


@settings(deadline=None, max_examples=300)
@given(st.text(st.sampled_from([c for c in map(chr, range(0x20, 0x2100)) if pl.Series([c]).str.contains(f"^[{ORDINARY}]$").item()])))
def test_texts_that_are_not_searched_have_no_mojibake(text: str) -> None:
    """Of ordinary letters in whatever order; what would be found among them, they would have to be searched for."""
    from ftfy.badness import is_bad

    assert not is_bad(text)


def test_foreign_names_and_symbols_are_no_mojibake() -> None:
    names = ["Łukasz Müller", "São Tomé, Ángel, Núñez", "Škoda à Žilina", "5 ‰ de la masse¹", "Ελλάδα", "Ville d’Âge-d’Or", "mot† et note‡"]
    assert meets(is_free_of_mojibake, *names) == [True] * len(names)


def test_html_is_found() -> None:
    residue = [
        "<p>Le texte</p>",
        "ligne<br/>suivante",
        "<A HREF='x'>lien</A>",
        "Prix&nbsp;: 3&#160;€",
        "H &amp; M",
        "d&rsquo;un",
        "<!-- note -->",
        "<o:p></o:p>",
        "<td nowrap>",
        "<p >",
        '<span style="color:red" lang=fr>',
    ]
    assert meets(is_free_of_html, *residue) == [False] * len(residue)
    plain = [
        "a < b et c > d",
        "si a<b et c>d",
        "l'indice <i et le reste> de la formule",
        "effectif <50 salariés>",
        "écrire à <nom>",
        "R&D; recherche",
        "Recherche & développement",
        "<jean@exemple.fr>",
        "AT&T;",
    ]
    assert meets(is_free_of_html, *plain) == [True] * len(plain)


@settings(deadline=None)
@given(sentences, st.sampled_from(["&eacute;", "&#233;", "&#xE9;", "<b>", "</span>", '<td class="x">', "<br>"]), st.integers(0, 100))
def test_html_put_into_any_text_is_found(text: str, residue: str, place: int) -> None:
    place %= len(text) + 1
    assert met(is_free_of_html, text) is True
    assert met(is_free_of_html, f"{text[:place]}{residue}{text[place:]}") is False


@settings(deadline=None)
@given(st.text(st.characters(codec="latin-1", categories=["L", "Nd", "Zs"])))
def test_what_is_escaped_for_html_is_found(text: str) -> None:
    assume(met(is_free_of_html, text))
    escaped = html.escape(f"{text} & « <")
    assert met(is_free_of_html, escaped) is False


def test_folded_texts() -> None:
    column = pl.DataFrame({"text": ["Œuvre d’ÉTÉ,  n° 12", " - ?! ", None, "STRASSE", "Straße"]})
    assert column.select(folded(pl.col("text"))).to_series().to_list() == ["oeuvre d ete n 12", "", None, "strasse", "strasse"]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.text(), max_size=8), st.sampled_from([pl.String, pl.Categorical]))
def test_any_text_gets_an_answer(texts: list[str], kind: type[pl.DataType]) -> None:
    column = pl.DataFrame({"text": [*texts, None]}, schema={"text": pl.String}).cast(kind)
    for condition in (is_french, is_free_of_mojibake, is_free_of_html, is_not_placeholder, is_not_near_duplicate, is_point_in_france):
        answers = column.filter(pl.col("text").is_not_null()).select(condition(pl.col("text"))).to_series()
        assert (answers.dtype, len(answers), answers.null_count()) == (pl.Boolean, len(texts), 0), condition


def test_a_column_without_any_text_is_no_error() -> None:
    column = pl.DataFrame({"text": [None, None]})
    for condition in (is_french, is_free_of_mojibake, is_free_of_html, is_not_placeholder, is_not_near_duplicate, is_point_in_france):
        assert column.select(condition(pl.col("text"))).height == 2

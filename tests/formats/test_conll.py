"""Annotated texts: a word and its tag a line."""

from __future__ import annotations

import pytest

from flows.errors import SourceRefused
from flows.formats import BadRow
from flows.project.formats import ConllFormat
from tests.formats.reading import read

CONLL = ConllFormat(type="conll")


@pytest.fixture
def sentences(tmp_path):
    def given(data: bytes, **limits):
        path = tmp_path / "a.tsv"
        path.write_bytes(data)
        return list(read(path, path.name, CONLL, **limits))

    return given


def short(found):
    return [f if isinstance(f, BadRow) else (f["document"], f["sentence"], " ".join(f["tokens"]), " ".join(f["tags"])) for f in found]


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("between", [b" ", b"\t", b"   "])
def test_sentences(sentences, end, between):
    lines = [b"\xef\xbb\xbfAnna" + between + b"B-PER", b"dort" + between + b"O", b"", b"", "é".encode() + between + b"O"]
    assert short(sentences(end.join(lines))) == [(1, 1, "Anna dort", "B-PER O"), (1, 2, "é", "O")]


def test_columns_between_word_and_tag_are_left_out(sentences):
    assert short(sentences(b"Anna NNP B-NP B-PER\ndort VB B-VP O\n")) == [(1, 1, "Anna dort", "B-PER O")]


def test_documents(sentences):
    data = b"-DOCSTART- -X- O O\n\na O\n\nb O\n\n-DOCSTART-\n\nc O\n-DOCSTART- O\nd O\n"
    assert [(d, s) for d, s, *_ in short(sentences(data))[:3]] == [(1, 1), (1, 2), (2, 3)]


def test_a_no_break_space_is_within_a_word(sentences):
    assert sentences("10\u00a0000 B-QUANTITY\n".encode())[0]["tokens"] == ["10\u00a0000"]


def test_a_word_with_a_space_needs_tabs(sentences):
    assert sentences(b"Anna Martin\tB-PER\n")[0]["tokens"] == ["Anna Martin"]


@pytest.mark.parametrize("line", [b"seul", b"\xff O", b"\tO"])
def test_a_sentence_that_cannot_be_read_is_no_row_with_its_place(sentences, line):
    good, bad, last = sentences(b"a O\n\nb O\n" + line + b"\n\nc O")
    assert good["sentence"] == 1 and last["sentence"] == 3
    assert isinstance(bad, BadRow) and bad.rule.startswith("conll:") and (bad.row_number, bad.line, bad.offset) == (2, 3, 5)


def test_a_file_without_tags_is_refused(sentences):
    with pytest.raises(SourceRefused, match="no sentence with a tag"):
        sentences(b"un texte\nseul\n\nautre\n")


def test_an_empty_file_has_no_row(sentences):
    assert sentences(b"\n\n") == []


def test_a_web_page_is_refused(sentences):
    with pytest.raises(SourceRefused, match="web page"):
        sentences(b"<!doctype html><title>Connexion</title>\n")


def test_a_sentence_without_end_is_refused(sentences):
    with pytest.raises(SourceRefused, match="longer than 1 MB"):
        sentences(b"mot O\n" * 200_000, max_record_mb=1)

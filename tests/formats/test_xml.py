"""XML records: the repeated element, attributes and children as columns; nothing that grows or reaches out."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from flows.errors import ConfigurationError, SocleError, SourceRefused
from flows.formats import decide, incompatible, xml_safely
from flows.project.formats import XmlFormat
from flows.settings import Settings
from tests.formats.reading import read

XML = XmlFormat(type="xml")


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return tmp_path_factory.mktemp("xml") / "source.xml"


def rows(file, data, declared=None, **limits):
    file.write_bytes(data if isinstance(data, bytes) else data.encode())
    return list(read(file, file.name, declared, 1000, **{"max_record_mb": 10, **limits}))


def decided(file, data):
    file.write_bytes(data.encode())
    return decide(file, file.name, None, Settings(root=file.parent))


def test_attributes_and_children_are_columns_and_what_is_nested_is_json(file):
    data = """<?xml version="1.0"?><reponse xmlns="urn:x" xmlns:b="urn:b"><lignes>
    <ligne id="1"><b:nom>Élodie</b:nom><tel>1</tel><tel>2</tel><montant devise="EUR">12,5</montant></ligne>
    <ligne id="2"><b:nom/><adresse type="p"><cp>01000</cp><ville>Bourg</ville></adresse>
      <vide xsi:nil="true" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"/></ligne></lignes></reponse>"""
    first, second = rows(file, data)
    assert first == {"id": "1", "nom": "Élodie", "tel": '["1","2"]', "montant": "12,5", "montant.devise": "EUR"}
    assert json.loads(second.pop("adresse")) == {"type": "p", "cp": "01000", "ville": "Bourg"}
    assert second == {"id": "2", "nom": None, "vide": None}


@pytest.mark.parametrize(
    ("data", "record"),
    [
        ("<r><l><a>1</a></l><l><a>2</a></l></r>", "l"),
        ("<r><meta><d>x</d></meta><ls><l a='1'/><l a='2'/></ls></r>", "l"),
        ("<r><d><p><n>1</n></p><p><n>2</n></p><p><n>3</n></p></d><d><p><n>4</n></p></d></r>", "d"),
        ("<r><link/><link/>" + "<e><a>1</a><b>2</b><c>3</c></e>" * 5 + "</r>", "e"),
        ("<r><l><a>1</a><b>2</b></l></r>", "l"),
        ("<r><code>A</code><code>B</code></r>", "code"),
        ("<r a='1'/>", "r"),
    ],
)
def test_the_repeated_element_is_found(file, data, record):
    decision = decided(file, data)
    assert decision.format.record == record and decision.reasons["record"]


def test_two_repeated_elements_are_reported(file):
    decision = decided(file, "<r>" + "<a><x>1</x></a>" * 5 + "<b><x>1</x></b>" * 3 + "</r>")
    assert decision.format.record == "a"
    assert [f.kind for f in decision.findings] == ["ambiguous"] and "b (3)" in decision.findings[0].french


def test_a_record_that_is_a_text_and_one_with_text_between_its_children(file):
    assert rows(file, "<r><code>A</code><code>B</code></r>") == [{"code": "A"}, {"code": "B"}]
    assert rows(file, "<r><p>un <b>deux</b> trois</p><p x='1'>quatre</p></r>") == [
        {"b": "deux", "text": "untrois"},
        {"x": "1", "text": "quatre"},
    ]


def test_elements_in_themselves_belong_to_the_outer_record(file):
    found = rows(file, "<r><n><v>1</v><n><v>2</v></n></n><n><v>3</v></n></r>", XmlFormat(type="xml", record="n"))
    assert found == [{"v": "1", "n": '{"v":"2"}'}, {"v": "3"}]


@pytest.mark.parametrize("encoding", ["utf-8", "iso-8859-1", "windows-1252", "utf-16", "iso-8859-15"])
def test_encodings_that_the_prologue_declares(file, encoding):
    data = f'<?xml version="1.0" encoding="{encoding}"?><r><l><v>Nîmes</v></l><l><v>Évry</v></l></r>'.encode(encoding)
    assert rows(file, data) == [{"v": "Nîmes"}, {"v": "Évry"}]


def test_an_element_that_is_not_there(file):
    with pytest.raises(ConfigurationError, match="no element 'x'"):
        rows(file, "<r><l/></r>", XmlFormat(type="xml", record="x"))
    why = incompatible(file, "source.xml", XmlFormat(type="xml", record="x"), Settings(root=file.parent))
    assert why and "'x'" in why
    assert incompatible(file, "source.xml", XmlFormat(type="xml", record="l"), Settings(root=file.parent)) is None


LAUGHS = '<!DOCTYPE r [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]>'


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (LAUGHS + "<r><l><v>&c;</v></l><l/></r>", "entities"),
        (LAUGHS + '<r><l v="&c;"/><l/></r>', "entities"),
        ('<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><r><l>&x;</l><l/></r>', "entities"),
        ('<!DOCTYPE r [<!ENTITY % p SYSTEM "http://127.0.0.1:9/x">%p;]><r><l/><l/></r>', "entities"),
        ('<!DOCTYPE r SYSTEM "http://127.0.0.1:9/x.dtd"><r><l><v>a&eacute;b</v></l><l/></r>', "eacute"),
        ("<r>" + "<a>" * 1000, "not well-formed"),
        ("<r><l><v>1</v></l>", "not well-formed"),
        ("<r><l a='1' a='2'/></r>", "not well-formed"),
        ("<r>\x00</r>", "not well-formed"),
        ('<?xml version="1.0" encoding="klingon"?><r/>', "not"),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_what_is_refused(file, data, said, encoding):
    if encoding == "utf-16" and "<?xml" in data:
        return
    with pytest.raises(SourceRefused, match=said if encoding == "utf-8" else "source.xml"):
        rows(file, data.encode(encoding), XmlFormat(type="xml", record="l"))


def test_entities_in_the_second_piece_of_the_prologue(file):
    data = "<!-- " + "x" * xml_safely.CHUNK + " -->" + LAUGHS + "<r><l><v>&c;</v></l><l/></r>"
    with pytest.raises(SourceRefused, match="entities"):
        rows(file, data, XmlFormat(type="xml", record="l"))


def test_a_record_without_end_is_refused(file):
    with pytest.raises(SourceRefused, match="declare the element"):
        rows(file, "<r>" + "<l><v>1</v></l>" * 150_000 + "</r>", XmlFormat(type="xml", record="r"))
    with pytest.raises(SourceRefused):
        rows(file, "<r><l><v>" + "x" * 3_000_000 + "</v><v/></l></r>", XmlFormat(type="xml", record="l"), max_record_mb=1)


def test_many_records_take_no_memory(file):
    import resource

    with file.open("w") as out:
        out.write("<r>\n")
        for i in range(100_000):
            out.write(f"  <l><id>{i}</id><v>{'x' * 200}</v></l>\n")
        out.write("</r>")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    count = sum(1 for _ in read(file, file.name, XmlFormat(type="xml", record="l")))
    assert count == 100_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000, "kB: the file has 25 MB"


parts = st.lists(
    st.sampled_from(
        ["<a>", "</a>", "<b x='1'>", "</b>", "<c/>", "x", "&amp;", "&lt", "<!--", "-->", "<![CDATA[", "]]>", "<?pi?>", " ", "é"]
    )
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(parts.map("".join), st.sampled_from([None, XML, XmlFormat(type="xml", record="a")]))
@example("<a>]]></a>", XML)
def test_any_markup_gives_records_or_a_clear_error(file, data, declared):
    try:
        assert all(isinstance(r, dict) for r in rows(file, f"<r>{data}</r>", declared or XML))
    except SocleError as error:
        assert file.name in str(error)


names = st.sampled_from(["a", "b", "ville", "_x", "é"])
texts = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="\ufffe\uffff"), max_size=8).filter(
    lambda t: t == t.strip()
)


@settings(deadline=None)
@given(st.lists(st.dictionaries(names, texts, min_size=1), min_size=2, max_size=5))
def test_what_is_written_comes_back(file, records):
    from xml.etree import ElementTree

    root = ElementTree.Element("r")
    for record in records:
        element = ElementTree.SubElement(root, "l")
        for name, text in record.items():
            ElementTree.SubElement(element, name).text = text
    assert rows(file, ElementTree.tostring(root, encoding="utf-8"), XmlFormat(type="xml", record="l")) == [
        {k: v or None for k, v in r.items()} for r in records
    ]

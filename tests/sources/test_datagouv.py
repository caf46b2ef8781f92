"""data.gouv.fr, against answers in the form of its API v2 (datagouv/*.json), from a real server on loopback."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from flows.errors import ConfigurationError, SourceRefused, SystemFailure
from flows.lake.local import LocalObjects
from flows.lake.raw import RawStore
from flows.project.web_sources import DataGouvSource
from flows.sources.datagouv import DataGouv, Resource
from tests.sources.context import context
from tests.sources.server import File, serving
from tests.sources.test_web import FAST, SECRET

ANSWERS = Path(__file__).parent / "datagouv"
DATA = "siret;résultat\n0001;bon\n".encode()
CSV, XLSX, PDF = ("0b5f6b3a-1c2d-4e5f-8a9b-0c1d2e3f4a5b", "1c6a7c4b-2d3e-4f60-9bac-1d2e3f4a5b6c", "2d7b8d5c-3e4f-4071-8cbd-2e3f4a5b6c7d")
OLD, NEW = "3e8c9e6d-4f50-4182-9dce-3f4a5b6c7d8e", "4f9dafe7-5061-4293-8edf-4a5b6c7d8e9f"
DATASET = "resultats-des-controles"


class Portal:
    """The site: what its API says, which tests change, and the files."""

    def __init__(self, site) -> None:
        self.site = site
        texts = [(ANSWERS / name).read_text(encoding="utf-8") for name in ("resources.json", "resources-2.json")]
        sha1 = hashlib.sha1(DATA).hexdigest()
        self.pages = [json.loads(text.replace("{files}", site.url).replace("{sha1}", sha1)) for text in texts]
        site.answers |= {
            f"/api/2/datasets/{DATASET}/resources/": self.page,
            "/resources/controles/20240102-083011/export.csv": File(DATA),
            "/resources/controles/20240102-083011/export.xlsx": File(b""),
            "/resources/controles/notice.pdf": File(b"%PDF", etag=None, modified=None),
            "/regional/controles": lambda r: (File(b"[]", etag='"2022"') if "2022" in r.query else File(b"", etag=None, modified=None))(r),
        }
        for resource in (r for page in self.pages for r in page["data"]):
            said = {"resource": resource, "dataset_id": "5d13a8b6634f41070a43dff3"}
            site.answers[f"/api/2/datasets/resources/{resource['id']}/"] = lambda r, said=said: r.say(200, json.dumps(said))

    def page(self, request) -> None:
        number = int(request.query.partition("page=")[2].partition("&")[0])
        request.say(200, json.dumps(self.pages[number - 1]), {"Content-Type": "application/json"})

    def resource(self, id: str) -> dict:
        return next(r for page in self.pages for r in page["data"] if r["id"] == id)

    def files_asked(self) -> int:
        return sum(not path.startswith("/api/") for path, _ in self.site.requests)


@pytest.fixture
def portal():
    with serving() as site:
        yield Portal(site)


@pytest.fixture
def raw(tmp_path) -> RawStore:
    objects = LocalObjects(tmp_path / "lake")
    objects.ensure()
    return RawStore(objects, "controles")


@pytest.fixture
def source(portal, raw, tmp_path):
    def make(settings: dict | None = None, **declared) -> DataGouv:
        block = DataGouvSource(type="datagouv", **({"dataset": DATASET} | declared))
        return DataGouv(block, context(tmp_path, raw, datagouv_url=portal.site.url + "/", **(FAST | (settings or {}))))

    return make


def load(source: DataGouv, folder: Path):
    known = source.identify()
    if known is not None:
        return known, False
    files = source.fetch(folder)
    for file in files:
        source.context.raw.keep(file)
    return files, True


@pytest.mark.parametrize(
    "declared", [{"format": "CSV"}, {"format": ".csv", "title": "*EXPORT complet"}, {"resource": CSV}, {"resource": CSV, "dataset": None}]
)
def test_a_resource_is_chosen_and_its_schema_kept(portal, source, tmp_path, declared):
    opened = source(**declared)
    [file], new = load(opened, tmp_path / "1")
    assert new and file.path.read_bytes() == DATA and file.name == "export.csv" and file.source == f"datagouv:{CSV}"
    assert opened.next_state["resources"][CSV]["schema"] == {"name": "etalab/controles", "version": "1.2.0"}
    assert opened.next_state["resources"][CSV]["checksum"] == f"sha1:{hashlib.sha1(DATA).hexdigest()}"
    json.dumps(opened.next_state)


def test_what_did_not_change_is_not_asked_for(portal, source, tmp_path):
    """For what lies on data.gouv.fr itself, the API tells."""
    [first], _ = load(source(format="csv"), tmp_path / "1")
    asked = portal.files_asked()
    [again], new = load(source(format="csv"), tmp_path / "2")
    assert not new and (again.sha256, again.name, again.source) == (first.sha256, first.name, first.source)
    assert portal.files_asked() == asked


@pytest.mark.parametrize("same_address", [True, False])
def test_what_changed_is_brought(portal, source, tmp_path, same_address):
    load(source(format="csv"), tmp_path / "1")
    changed, said = b"siret;r\n2;mal\n", portal.resource(CSV)
    said["checksum"]["value"], said["last_modified"] = hashlib.sha1(changed).hexdigest(), "2024-02-02T08:30:12+00:00"
    if not same_address:
        said["url"] = said["url"].replace("20240102", "20240202")
    portal.site.answers[said["url"].removeprefix(portal.site.url)] = File(changed, etag='"v2"')
    [file], new = load(source(format="csv"), tmp_path / "2")
    assert new and file.path.read_bytes() == changed


def test_a_remote_file_is_asked_for_whatever_the_api_says(portal, source, tmp_path):
    load(source(resource=OLD), tmp_path / "1")
    asked = portal.files_asked()
    [file], new = load(source(resource=OLD), tmp_path / "2")
    assert not new and portal.files_asked() == asked + 1 and file.name == "controles.json"
    portal.site.answers["/regional/controles"] = File(b"[1]", etag='"v2"')
    assert load(source(resource=OLD), tmp_path / "3")[1]


def test_a_remote_file_of_which_its_server_tells_nothing_goes_by_its_checksum(portal, source, tmp_path):
    load(source(resource=NEW), tmp_path / "1")
    assert not load(source(resource=NEW), tmp_path / "2")[1]
    portal.resource(NEW)["checksum"] = None
    assert load(source(resource=NEW), tmp_path / "3")[1]
    assert load(source(resource=NEW), tmp_path / "4")[1], "nothing tells"


@pytest.mark.parametrize(("id", "hint"), [(CSV, False), (NEW, True)])
def test_bytes_that_have_not_the_published_checksum(portal, source, tmp_path, id, hint):
    portal.resource(id)["checksum"]["value"] = portal.resource(id)["checksum"]["value"].translate(str.maketrans("0123", "3210"))
    with pytest.raises(SourceRefused, match=r"sha1|md5") as caught:
        source(resource=id).fetch(tmp_path / "1")
    assert ("verify" in caught.value.hint) == hint
    assert source(resource=id, verify=False).fetch(tmp_path / "2")[0].path.is_file()


@pytest.mark.parametrize(
    ("said", "checksum"),
    [
        ({"type": "sha1", "value": "A" * 40}, ("sha1", "a" * 40)),
        ({"type": "sha256", "value": "a" * 64}, ("sha256", "a" * 64)),
        ({"type": "sha2", "value": "a" * 64}, ("sha256", "a" * 64)),
        ({"type": "sha2", "value": "a" * 128}, ("sha512", "a" * 128)),
        ({"type": "md5", "value": "a" * 32}, ("md5", "a" * 32)),
        ({"type": "crc", "value": "a" * 8}, None),
        ({"type": "sha1", "value": "a" * 39}, None),
        ({"type": "sha1", "value": None}, None),
        ({"type": "sha2", "value": ""}, None),
        ({"value": "a" * 40}, None),
        ("a" * 40, None),
        (None, None),
    ],
)
def test_forms_of_checksums(said, checksum):
    assert Resource.of({"id": "x", "checksum": said}).checksum == checksum


def test_several_that_fit_are_listed(source, tmp_path):
    with pytest.raises(ConfigurationError, match="2 resources fit") as caught:
        source(title="Contrôles 202*").identify()
    assert OLD in caught.value.message and NEW in caught.value.message and CSV not in caught.value.message and caught.value.french


def test_none_that_fits_lists_what_there_is(source):
    with pytest.raises(ConfigurationError, match="no resource fits") as caught:
        source(format="parquet").fetch(Path("x"))
    assert all(id in caught.value.message for id in (CSV, XLSX, PDF, OLD, NEW))


def test_several_are_taken_if_it_is_said(source, tmp_path):
    [latest] = source(title="contrôles 20??*", pick="latest", verify=False).fetch(tmp_path / "1")
    assert latest.source == f"datagouv:{NEW}"
    both = source(title="contrôles 20??*", pick="all", verify=False).fetch(tmp_path / "2")
    assert [f.source for f in both] == [f"datagouv:{OLD}", f"datagouv:{NEW}"] and len({f.name for f in both}) == 2


def test_documentation_only_if_nothing_else_fits(source, tmp_path):
    assert source(format="pdf").fetch(tmp_path / "1")[0].path.read_bytes() == b"%PDF"
    with pytest.raises(ConfigurationError, match="4 resources fit"):
        source().identify()


@pytest.mark.parametrize("status", [404, 410])
def test_a_dataset_that_is_not_there(portal, source, status):
    portal.site.answers[f"/api/2/datasets/{DATASET}/resources/"] = lambda r: r.say(status, '{"message": "Dataset not found"}')
    with pytest.raises(ConfigurationError, match=f"does not know the dataset '{DATASET}'"):
        source(format="csv").identify()
    with pytest.raises(ConfigurationError, match="does not know the resource"):
        source(dataset=None, resource="0" * 8 + CSV[8:]).identify()


def test_a_slug_that_moved_is_followed(portal, source, tmp_path):
    portal.site.answers["/api/2/datasets/ancien-nom/resources/"] = lambda r: r.say(
        308, headers={"Location": f"/api/2/datasets/{DATASET}/resources/?{r.query}"}
    )
    assert source(dataset="ancien-nom", format="csv").fetch(tmp_path / "1")[0].path.read_bytes() == DATA


@pytest.mark.parametrize("body", ["[]", "{}", '{"data": {}}', '{"data": [1]}', '{"data": [{"title": "x"}]}', "null"])
def test_answers_that_are_not_those_of_the_api(portal, source, body):
    portal.site.answers[f"/api/2/datasets/{DATASET}/resources/"] = lambda r: r.say(200, body)
    with pytest.raises(SourceRefused, match="form"):
        source().identify()


@pytest.mark.parametrize(("body", "kind"), [("<html>", SourceRefused), ("", SystemFailure), ('{"data": [', SystemFailure)])
def test_answers_that_are_no_json(portal, source, body, kind):
    portal.site.answers[f"/api/2/datasets/{DATASET}/resources/"] = lambda r: r.say(200, body)
    with pytest.raises(kind):
        source().identify()


def test_a_list_that_never_ends(portal, source):
    portal.pages[1]["next_page"] = "https://www.data.gouv.fr/encore"
    portal.pages.append(portal.pages[1])
    with pytest.raises(SourceRefused, match="twice"):
        source(format="csv").identify()


def test_a_resource_that_lies_inside(portal, source, tmp_path):
    portal.resource(CSV)["url"] = "http://169.254.169.254/latest/meta-data"
    with pytest.raises(ConfigurationError, match="link-local"):
        source(format="csv").fetch(tmp_path / "1")
    portal.resource(CSV)["url"] = "ftp://example.org/a.csv"
    with pytest.raises(SourceRefused, match="no address"):
        source(format="csv").fetch(tmp_path / "1")


def test_the_key_goes_to_the_api_and_nowhere_else(portal, source, tmp_path, monkeypatch):
    monkeypatch.setenv("SOCLE_CREDENTIAL_ESSAI_CLE", SECRET)
    with serving() as elsewhere:
        elsewhere.answers["/export.csv"] = File(DATA)
        portal.resource(CSV)["url"] = f"{elsewhere.url}/export.csv"
        load(source(format="csv", credentials="cle"), tmp_path / "1")
        assert all(headers["x-api-key"] == SECRET for _, headers in portal.site.requests)
        assert elsewhere.requests and all("x-api-key" not in headers for _, headers in elsewhere.requests)
    kept = b"".join(path.read_bytes() for path in (tmp_path / "lake").rglob("*") if path.is_file())
    assert SECRET.encode() not in kept


@pytest.mark.parametrize(
    "block",
    [
        {},
        {"dataset": "a/b"},
        {"resource": "x"},
        {"resource": CSV, "format": "csv"},
        {"resource": CSV, "pick": "all"},
        {"dataset": "a", "pick": "first"},
    ],
)
def test_declarations_that_are_wrong(block):
    with pytest.raises(ValidationError):
        DataGouvSource(type="datagouv", **block)

"""socle explain: what it says of a file, of an address and of a dataset, and that what it proposes can be pasted and holds."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from flows.project import Dataset
from flows.steps import open_run
from flows.steps.ingest import load_dataset
from flows.steps.pipeline import run_plain
from tests.conftest import REPOSITORY, csv_text

HARD = REPOSITORY.parent / "shared" / "data"
FILES = [
    *(HARD / "fichiers-difficiles" / "francais-reel").glob("*"),
    *(HARD / "egapro").glob("*.csv"),
    *(HARD / "controles-alimentaires").glob("*.csv"),
]
BUDGET = "Exercice;Code fonction;Libellé;Voté le; BP2015 \n" + "".join(
    f"2015;0{n};Écoles;1{n}/04/2015; {n} 454 000,00 \n" for n in range(1, 9)
)


@pytest.fixture
def budget(tmp_path: Path) -> Path:
    path = tmp_path / "Budget primitif 2015.csv"
    path.write_bytes(BUDGET.encode("cp1252"))
    return path


def declared(text: str) -> Dataset:
    """The dataset of a block for project.yaml."""
    [dataset] = YAML(typ="safe").load(text)["datasets"].values()
    return Dataset.model_validate(dataset)


def test_a_file_is_explained(socle, root, budget):
    done = socle("explain", str(budget), "--rows", "2")
    assert done.code == 0 and not done.err
    for words in ("How it is read", "cp1252", "First rows", "8 rows", "For project.yaml", "budget-primitif-2015:", "Écoles"):
        assert words in done.out, words
    assert done.out.count("Écoles") == 2
    dataset = declared(done.out.split("For project.yaml")[1])
    assert {n: c.type for n, c in dataset.columns.items()} == {
        "Exercice": "integer",
        "code_fonction": "string",
        "libelle": "string",
        "vote_le": "date",
        "bp2015": "number",
    }
    assert dataset.columns["bp2015"].decimal == "," and dataset.columns["vote_le"].format == "%d/%m/%Y"


def test_what_it_proposes_loads_the_file(socle, root, budget):
    folder = root / "projects" / "essai"
    yaml = socle("explain", str(budget), "--json").json["yaml"]
    text = (folder / "project.yaml").read_text(encoding="utf-8")
    (folder / "data" / budget.name).write_bytes(budget.read_bytes())
    (folder / "project.yaml").write_text(text.split("datasets:\n")[0] + yaml, encoding="utf-8")
    with open_run("essai") as run:
        from flows.lake.datasets import Dataset as Table

        outcome = load_dataset(run, "budget-primitif-2015")
        assert outcome.report.rows["kept"] == 8 and outcome.report.rows["refused"] == 0
        table = Table(run.lake, "essai", "budget-primitif-2015")
        first = table.scan(table.latest().number).collect().row(0, named=True)
        assert first["bp2015"] == 1454000.0 and first["code_fonction"] == "01" and str(first["vote_le"]) == "2015-04-11"


def test_json_says_the_same(socle, root, budget):
    done = socle("explain", str(budget), "--json")
    assert done.code == 0
    assert done.json["format"]["encoding"] == "cp1252" and done.json["seen"] == 8 and done.json["whole"] is True
    assert [c["declared"] for c in done.json["columns"] if c["name"] == "Exercice"] == ["integer"]
    assert done.json["refusals"] == []


def test_what_can_be_read_in_two_ways_is_said(socle, root, tmp_path):
    path = tmp_path / "dates.csv"
    path.write_text("id,jour\n" + "".join(f"a{n},0{n}/0{n + 1}/2024\n" for n in range(1, 9)), encoding="utf-8")
    done = socle("explain", str(path))
    assert "? jour: '01/02/2024' can be day/month/year or month/day/year" in done.out
    assert [f["kind"] for f in done.json["findings"]] == ["ambiguous"] if (done := socle("explain", str(path), "--json")) else False


def test_nothing_in_a_file_steers_the_terminal(socle, root, tmp_path):
    path = tmp_path / "piege.csv"
    path.write_text('id,texte\n1,"[red]x[/red]\x1b[2J\u202e"\n2,"a\nb"\n', encoding="utf-8")
    out = socle("explain", str(path)).out
    assert "\x1b" not in out and "\u202e" not in out and "[red]x[/red]" in out and "a↵b" in out


@pytest.mark.parametrize("name", ["absent.csv", "essai/absent", "absent/demandes", "projects"])
def test_what_is_not_there_is_bad_usage(socle, root, monkeypatch, name):
    monkeypatch.chdir(root)
    done = socle("explain", name)
    assert done.code == 2 and "looked at" in done.err and "Traceback" not in done.err


def test_bytes_of_no_format_are_refused(socle, root, tmp_path):
    path = tmp_path / "image.bin"
    path.write_bytes(bytes(range(256)) * 40)
    done = socle("explain", str(path))
    assert done.code == 1 and "Traceback" not in done.err and not done.out


# ---- datasets -----------------------------------------------------------------------------------------------------


def test_of_pictures_the_newest_is_shown_and_old_ones_are_not_compared(socle, root, edit):
    edit("key: [id]", "key: [id]\n    mode: snapshot")
    folder = root / "projects" / "essai" / "data"
    (folder / "demandes.csv").rename(folder / "2023.csv")
    (folder / "2024.csv").write_text(csv_text([("neuf", "un", "paie")]), encoding="utf-8")
    shown = socle("explain", "essai/demandes", "--json").json
    assert (shown["name"], shown["others"]) == ("data/2024.csv", ["data/2023.csv"])
    with open_run("essai") as run:
        load_dataset(run, "demandes")
    (folder / "2023.csv").write_text("plus;rien;de;pareil\n1;2;3;4\n", encoding="utf-8")
    after = socle("explain", "essai/demandes", "--json").json
    assert (after["name"], after["refusals"]) == ("data/2024.csv", [])


def test_a_dataset_before_its_first_load(socle, root):
    done = socle("explain", "essai/demandes")
    assert done.code == 0 and "Kept from" not in done.out and "90 rows" in done.out
    assert not (root / ".socle" / "lake" / "essai").exists() or not list((root / ".socle" / "lake").glob("*essai/raw/**/*"))


def test_what_is_kept_and_that_the_present_file_would_be_refused(socle, root, edit):
    edit("theme: string}", "theme: string, recu: date}")
    data = root / "projects" / "essai" / "data" / "demandes.csv"
    lines = [(f"d{n}", "texte", "paie", f"{n + 10}/04/2024") for n in range(1, 9)]
    data.write_text(csv_text(lines, "id,texte,theme,recu"), encoding="utf-8")
    with open_run("essai") as run:
        load_dataset(run, "demandes")
    done = socle("explain", "essai/demandes")
    assert done.code == 0 and "Kept from essai/demandes@1" in done.out and "%d/%m/%Y" in done.out
    lines = [(f"d{n}", "texte", "paie", f"04/{n + 12}/2024") for n in range(1, 9)]
    data.write_text(csv_text(lines, "id,texte,theme,recu"), encoding="utf-8")
    done = socle("explain", "essai/demandes")
    assert done.code == 1 and "would be refused" in done.out and "month/day/year" in done.out
    [refusal, *_] = socle("explain", "essai/demandes", "--json").json["refusals"]
    assert refusal["file"].endswith("demandes.csv") and "mois/jour/année" in refusal["french"]


def test_drift_is_said_before_it_is_met(socle, root):
    (root / "projects" / "essai" / "data" / "demandes.csv").write_text("ID,texte,theme\na,b,c\n", encoding="utf-8")
    done = socle("explain", "essai/demandes")
    assert done.code == 1 and "only case, accents, spaces or punctuation differ" in " ".join(done.out.split())


def test_rows_about_persons_are_only_shown_when_asked_for(socle, root, edit):
    edit("personal_data: none", "personal_data: personal")
    edit("texte: string", "texte: number")
    (root / "projects" / "essai" / "data" / "demandes.csv").write_text(
        csv_text([(f"d{n}", "Jeanne Dupont", "paie") for n in range(9)]), encoding="utf-8"
    )
    for arguments in ([], ["--json"]):
        out = socle("explain", "essai/demandes", *arguments).out
        assert "Jeanne" not in out and "Dupont" not in out
    assert "not shown" in socle("explain", "essai/demandes").out
    assert "Jeanne Dupont" in socle("explain", "essai/demandes", "--show-values").out


def test_a_run_after_explain_is_what_it_would_have_been(socle, root):
    assert socle("explain", "essai/demandes").code == 0
    with open_run("essai") as run:
        result = run_plain(run)
    assert [d.action for d in result.datasets] == ["loaded"]


# ---- addresses ----------------------------------------------------------------------------------------------------


@pytest.fixture
def served(budget: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(budget.parent)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = server.server_address[1]
    monkeypatch.setenv("SOCLE_HTTP_ALLOWED", f"127.0.0.1:{port}")
    yield f"http://127.0.0.1:{port}/Budget%20primitif%202015.csv"
    server.shutdown()
    server.server_close()


def test_an_address(socle, root, served):
    done = socle("explain", served, "--json")
    assert done.code == 0, done.out
    assert done.json["format"]["encoding"] == "cp1252"
    assert declared(done.json["yaml"]).source.url == served


def test_an_address_that_may_not_be_reached(socle, root, served, monkeypatch):
    monkeypatch.delenv("SOCLE_HTTP_ALLOWED")
    done = socle("explain", served)
    assert done.code in (1, 2) and "Traceback" not in done.err and not done.out


# ---- real files ---------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not FILES, reason="the real data are not beside the repository")
@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_real_files(socle, root, path):
    found = socle("explain", str(path), "--json").json
    assert found["seen"] > 20 and found["bad"] == []
    columns = {c["name"]: c["type"] for c in found["columns"]}
    assert columns == {n: c.type for n, c in declared(found["yaml"]).columns.items()}
    for name, kind in columns.items():
        if name.lower() in ("siret", "siren", "code_postal", "cp", "idcc", "rome3", "fonction"):
            assert kind == "string", name
        if name.lower().startswith("date"):
            assert kind in ("date", "datetime"), name

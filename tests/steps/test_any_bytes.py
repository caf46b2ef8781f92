"""From bytes to a committed version: each record is served or in quarantine, or there is one clear error and no version."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, Phase, assume, event, example, given, settings
from hypothesis import strategies as st

from flows.errors import SocleError
from flows.lake.datasets import Dataset
from flows.lake.quarantine import Quarantine
from flows.project.formats import CsvFormat
from flows.steps import open_run
from flows.steps.ingest import load_dataset
from tests.conftest import write_project
from tests.formats.test_csv_properties import written

BOUNDED = settings(deadline=None, max_examples=30, suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.generate])
PROJECT: dict[str, Any] = {
    "title": "Essai",
    "ministry": "Ministère d'essai",
    "owner": {"team": "Équipe", "email": "equipe@example.gouv.fr"},
    "datasets": {
        "demandes": {
            "title": "Demandes",
            "source": {"type": "file", "path": "data/*"},
            "columns": {"id": "string", "montant": "number", "jour": "date"},
            "on_drift": "quarantine",
            "on_failure": "quarantine",
            "personal_data": "none",
        }
    },
}
Loaded = dict[str, Any]
"""rows: of the version, if there is one (served); counts: of the load; refused: rows in quarantine; raw: bytes that the lake has."""


@pytest.fixture
def brought(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Loaded | SocleError]:
    """Bytes, and what is declared of them -> what is in an empty lake afterwards."""
    folder = write_project(tmp_path, text="")
    (folder / "data" / "demandes.csv").unlink()
    monkeypatch.setenv("SOCLE_ROOT", str(tmp_path))
    monkeypatch.setenv("SOCLE_BATCH_ROWS", "3")

    def bring(data: bytes, name: str, **declared: Any) -> Loaded | SocleError:
        shutil.rmtree(tmp_path / ".socle", ignore_errors=True)
        path = folder / "data" / name
        path.write_bytes(data)
        text = PROJECT | {"datasets": {"demandes": PROJECT["datasets"]["demandes"] | declared}}
        (folder / "project.yaml").write_text(yaml.safe_dump(text, allow_unicode=True, sort_keys=False), encoding="utf-8")
        try:
            with open_run("essai") as run:
                table = Dataset(run.lake, "essai", "demandes")
                try:
                    outcome = load_dataset(run, "demandes")
                except SocleError as error:
                    assert table.latest() is None
                    return error
                report, objects = outcome.report, run.lake.bucket("essai")
                assert report
                return {
                    "rows": table.scan(outcome.version.number).collect().to_dicts() if outcome.version else [],
                    "counts": report.rows,
                    "refused": Quarantine(run.lake, "essai", "demandes").rows(report.load_id),
                    "raw": [objects.get(o.key) for o in objects.list("raw/") if not o.key.endswith(".json")],
                    "served": outcome.version is not None,
                }
        finally:
            path.unlink()

    return bring


def assert_nothing_is_lost(found: Loaded | SocleError, data: bytes) -> None:
    event(type(found).__name__)
    if isinstance(found, SocleError):
        assert found.message and found.exit_code in (1, 2)
        return
    counts = found["counts"]
    assert counts["read"] == counts["kept"] + counts["refused"] + counts.get("erased", 0) > 0
    assert len(found["rows"]) == (counts["kept"] if found["served"] else 0)
    assert found["served"] or counts["refused"], "nothing was wrong, and nothing is served"
    assert len(found["refused"]) == counts["refused"]
    assert len({row["row_number"] for row in found["refused"]}) == counts["refused"], "a row is refused twice"
    assert all(row["rules"] for row in found["refused"])
    assert found["raw"] == [data]


SEEDS = [
    b"id,montant,jour\na,1.5,2024-01-05\nb,faux,2024-01-06\nc,2,\n",
    b"id;montant;jour\r\na;1,5;05/01/2024\r\nb;2,5\r\n\r\nc;3,5;06/01/2024;trop\r\n",
    b'id,montant,jour\n"a\nb",1,2024-01-05\n"c,2,2024-01-06\n',
    "id\tmontant\tjour\né\t1\t2024-01-05\n".encode("utf-16"),
    b'{"id": "a", "montant": 1.5}\n{"id": 2, "jour": "2024-01-05", "plus": [1]}\nfaux\n[1]\n',
    b'[{"id": "a", "montant": 1}, {"id": null, "jour": "?"}]',
    b"<r><e><id>a</id><montant>1</montant></e><e><id>b</id><jour>2024-01-05</jour></e></r>",
]
PIECES = [
    b"\x00",
    b"\r",
    b"\n",
    b"\n\n",
    b'"',
    b",",
    b";",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\\",
    b"{",
    b"]",
    b"<",
    b"&",
    b" ",
    b"1e999",
    b"nan",
]


@st.composite
def any_bytes(draw: Any) -> tuple[bytes, str]:
    """(bytes, name): a file that somebody meant, a little or much spoilt; or nothing that anybody meant."""
    if draw(st.integers(0, 4)) == 0:
        return draw(st.binary(max_size=200)), draw(st.sampled_from(["f.csv", "f.json", "f.jsonl", "f", "f.xlsx", "f.zip", "f.parquet"]))
    data = draw(st.sampled_from(SEEDS))
    for _ in range(draw(st.integers(0, 5))):
        at, piece = draw(st.integers(0, len(data))), draw(st.sampled_from(PIECES))
        data = draw(st.sampled_from([data[:at] + piece + data[at:], data[:at] + data[at + 3 :], data + data[at:], data[:at]]))
    return data, draw(st.sampled_from(["f.csv", "f.txt", "f.json", "f.jsonl", "f.xml"]))


@BOUNDED
@given(any_bytes(), st.sampled_from([None, None, "csv", "jsonl", "json"]), st.sampled_from([[], [], ["id"]]))
@example((b"", "f.csv"), "csv", [])
@example((b"\x00", "f.csv"), "csv", [])
@example((b"id,montant,jour\n", "f.csv"), "csv", [])
@example((SEEDS[1], "f.csv"), "csv", ["id"])
@example((SEEDS[2], "f.csv"), "csv", ["id"])
@example((SEEDS[4], "f.jsonl"), "jsonl", [])
def test_any_bytes_are_rows_refused_rows_or_a_clear_error(brought, case, kind, key) -> None:
    data, name = case
    assert_nothing_is_lost(brought(data, name, key=key, **({"format": {"type": kind}} if kind else {})), data)


@BOUNDED
@given(written())
def test_what_pythons_csv_writes_is_served_as_it_was_written(brought, case: tuple[CsvFormat, list[str], list[Any], bytes]) -> None:
    how, header, rows, data = case
    assume(rows)
    names = [f"c{i}" for i in range(len(header))]  # what YAML can write is for other tests
    how = how.model_copy(update={"names": names})
    found = brought(data, "f.csv", format=how.model_dump(exclude_none=True), columns=dict.fromkeys(names, "string"))
    assert not isinstance(found, SocleError), found
    assert_nothing_is_lost(found, data)
    assert found["refused"] == []
    assert [tuple(v or None for v in row.values()) for row in found["rows"]] == [tuple(v or None for v in row) for row in rows]

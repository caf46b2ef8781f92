"""Spoilt files for the readers, in a process of its own: whatever the bytes are, the answer is rows, records that are no rows, or a
clear error.

Run as `python -m tests.formats.fuzz FOLDER SEED SECONDS [CASE]`. FOLDER/case always holds the bytes that are being read, so that
they are there after a crash; each failure is a line of JSON. With CASE, that file is read once.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import os
import random
import resource
import shutil
import signal
import sys
import tarfile
import time
import traceback
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.formats import workbooks
from tests.formats.csv_files import cases

HANG_S = 60
MEMORY = 6 << 30  # bytes of addresses, beyond those that the libraries take
REAL = Path(__file__).parents[3] / "shared" / "data" / "fichiers-difficiles"
REAL_BYTES = 100_000
TOKENS = [b"\0", b"\xff", b"\r", b"\n", b'"', b'""', b",", b";", b"\t", b"{", b"}", b"[", b"]", b":", b"<", b">", b"&", b"\\", b"\\u", b"'"]
TOKENS += [
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"\xfe\xff",
    b"PK\x03\x04",
    b"\x1f\x8b\x08",
    b"PAR1",
    b"ARROW1",
    b"<!DOCTYPE a [",
    b"<!ENTITY a 'b'>",
    b"&a;",
]
TOKENS += [
    b"1e999",
    b"-1",
    b"9" * 400,
    b"NaN",
    b"null",
    b"true",
    b"[" * 200,
    b'{"a":' * 200,
    b"<a>" * 200,
    b"\\ud800",
    b"\x80",
    b"\xc3",
    b"sep=;\n",
]
NUMBERS = [0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF]
TYPES = ["csv", "excel", "json", "jsonl", "geojson", "xml", "parquet", "arrow"]


# ---- what is spoilt --------------------------------------------------------------------------------------------------


def seeds(folder: Path) -> dict[str, bytes]:
    """Name -> good bytes, of every format; the name says which."""
    found = {f"{i}.csv": case.data for i, case in enumerate(cases()) if len(case.data) < REAL_BYTES}
    found |= _texts() | _columnar() | _workbooks(folder)
    found |= {f"zip-{n}.zip": _zip({n: found[n], "b.csv": b"a,b\n1,2\n"}) for n in ("0.csv", "r.jsonl", "r.xml", "t.parquet")}
    found |= {f"{n}.gz": gzip.compress(found[n]) for n in ("0.csv", "r.jsonl")} | {"0.csv.tar": _tar({"0.csv": found["0.csv"]})}
    found |= {"0.csv.tar.gz": gzip.compress(found["0.csv.tar"]), "two.zip": _zip({"in.zip": found["zip-0.csv.zip"]})}
    real = sorted(p for p in REAL.rglob("*") if p.is_file() and p.stat().st_size < REAL_BYTES) if REAL.is_dir() else []
    return found | {f"{number}-{path.name}": path.read_bytes() for number, path in enumerate(real)}


def _texts() -> dict[str, bytes]:
    rows = [{"id": "a", "n": 1, "t": None, "x": [1, {"y": 2}]}, {"id": "é", "n": 2.5, "plus": True}]
    point = {"type": "Point", "coordinates": [1.5, 2]}
    features = [{"type": "Feature", "geometry": g, "properties": {"id": i}} for i, g in enumerate([point, None])]
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:OGC:1.3:CRS84"}}
    return {
        "r.jsonl": "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows * 3).encode(),
        "r.json": json.dumps(rows, ensure_ascii=False).encode(),
        "deep.json": json.dumps({"meta": {"n": 2}, "data": {"rows": rows}}).encode(),
        "c.geojson": json.dumps({"type": "FeatureCollection", "crs": crs, "features": features}).encode(),
        "r.xml": b"<?xml version='1.0' encoding='utf-8'?><l><e a='1'><id>x</id><n>1</n></e><e a='2'><id>y</id><n><m>2</m></n></e></l>",
        "ns.xml": b'<a:l xmlns:a="urn:x"><a:e><a:id>x</a:id></a:e><a:e><a:id><![CDATA[<y>]]></a:id></a:e></a:l>',
    }


def _columnar() -> dict[str, bytes]:
    import polars as pl

    frame = pl.DataFrame({"id": ["a", None, "é"] * 9, "n": list(range(27)), "l": [[1], [], None] * 9, "s": [{"y": 1}] * 27})
    out = {name: io.BytesIO() for name in ("t.parquet", "t.arrow", "s.arrow")}
    frame.write_parquet(out["t.parquet"])
    frame.write_ipc(out["t.arrow"])
    frame.write_ipc_stream(out["s.arrow"])
    return {name: data.getvalue() for name, data in out.items()}


def _workbooks(folder: Path) -> dict[str, bytes]:
    rows: list[list[Any]] = [["id", "n", "d"], ["a", 1, "x"], ["b", 2.5, None], ["c", None, "z"]]
    line = "<table:table-row>" + workbooks.ods_cell("id") + workbooks.ods_cell("n") + "</table:table-row>"
    line += "<table:table-row>" + workbooks.ods_cell("a") + workbooks.ods_cell("1", "float", 'office:value="1"') + "</table:table-row>"
    cells = [[workbooks.xlsb_cell(0, "id"), workbooks.xlsb_cell(1, "n")], [workbooks.xlsb_cell(0, "a"), workbooks.xlsb_cell(1, 1.5)]]
    made = [workbooks.xlsx(folder / "w.xlsx", rows), workbooks.xls(folder / "w.xls", rows), workbooks.ods(folder / "w.ods", line)]
    made.append(workbooks.xlsb(folder / "w.xlsb", cells, []))
    return {path.name: path.read_bytes() for path in made}


def _zip(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in members.items():
            made.writestr(name, data)
    return out.getvalue()


def _tar(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as made:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            made.addfile(info, io.BytesIO(data))
    return out.getvalue()


def spoil(data: bytes, rng: random.Random, others: list[bytes]) -> bytes:
    """A zip or gzip mostly inside: from outside it is only damaged."""
    if data.startswith(b"PK\x03\x04") and rng.random() < 0.7:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        chosen = rng.choice(list(members))
        return _zip(members | {chosen: spoil(members[chosen], rng, others)})
    if data.startswith(b"\x1f\x8b") and rng.random() < 0.5:
        return gzip.compress(spoil(gzip.decompress(data), rng, others))
    for _ in range(rng.choice([1, 1, 1, 2, 4, 12])):
        data = rng.choice(CHANGES)(data, rng.randrange(len(data) + 1), rng, others)
    return data[: 4 * REAL_BYTES]


def _flip(data: bytes, at: int, rng: random.Random, _: list[bytes]) -> bytes:
    return data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :] if at < len(data) else data


def _number(data: bytes, at: int, rng: random.Random, _: list[bytes]) -> bytes:
    size = rng.choice([1, 2, 4])
    value = (rng.choice(NUMBERS) & ((1 << 8 * size) - 1)).to_bytes(size, rng.choice(["little", "big"]))
    return data[:at] + value + data[at + size :]


CHANGES: list[Callable[[bytes, int, random.Random, list[bytes]], bytes]] = [
    _flip,
    _number,
    lambda data, at, rng, _: data[:at] + rng.choice(TOKENS) + data[at:],
    lambda data, at, rng, _: data[:at] + rng.randbytes(rng.randrange(1, 9)) + data[at:],
    lambda data, at, rng, _: data[:at] + data[at + rng.randrange(1, 40) :],
    lambda data, at, rng, _: data[:at] + data[at : at + rng.randrange(1, 200)] * rng.randrange(2, 20) + data[at:],
    lambda data, at, _, __: data[:at],
    lambda data, at, rng, others: data[:at] + (other := rng.choice(others))[rng.randrange(len(other) + 1) :],
]


# ---- reading it ------------------------------------------------------------------------------------------------------


def look(path: Path, name: str, declared: str | None, work: Path) -> str:
    """Read a file as a load does. Returns: what came of it. Raises: whatever should not come."""
    from pydantic import TypeAdapter

    from flows import formats
    from flows.errors import SocleError
    from flows.formats import BadRow
    from flows.project import Format
    from flows.settings import Settings

    limits = Settings(root=path.parent, batch_rows=7, csv_max_record_mb=0.2, max_record_mb=2, unpack_max_gb=0.05, unpack_max_ratio=200)
    form: Any = TypeAdapter(Format).validate_python({"type": declared}) if declared else None
    bad = 0
    try:
        for member in formats.members(path, name, form, work, limits):
            how = formats.decide(member.path, member.name, form, limits).format
            why = formats.incompatible(member.path, member.name, how, limits)
            assert why is None or declared, f"a file is not read as it was just decided: {why}"
            numbers = []
            for piece in formats.read(member.path, member.name, how, limits):
                if isinstance(piece, BadRow):
                    assert piece.rule and piece.row_number > 0, piece
                    numbers.append(piece.row_number)
                elif how.type in formats.RECORD_FORMATS:
                    assert isinstance(piece, dict), piece
                else:
                    assert piece.height <= limits.batch_rows
                    piece.to_dicts()
            assert len(set(numbers)) == len(numbers), "two records have one number"
            formats.locate(member.path, how, numbers[:20], limits)
            bad += len(numbers)
    except SocleError as error:
        assert error.message and len(str(error)) < 20_000, "an error that nobody can read"
        return "error"
    return "bad rows" if bad else "rows"


def main(folder: Path, seed: int, seconds: float, case: Path | None) -> None:
    import deltalake  # noqa: F401 - what is imported later would count as a failure of memory
    import pyarrow.dataset  # noqa: F401

    rng, known = random.Random(seed), seeds(folder)
    names, data = list(known), list(known.values())
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (taken + MEMORY, taken + MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    counts, end, failures = Counter[str](), time.monotonic() + seconds, 0
    while time.monotonic() < end and failures < 20:
        name = rng.choice(names)
        kind = name.rpartition(".")[2]
        kind = {"xlsx": "excel", "xls": "excel", "ods": "excel", "xlsb": "excel"}.get(kind, kind)
        declared = rng.choice([None, None, kind if kind in TYPES else None, rng.choice(TYPES)])
        content = case.read_bytes() if case else spoil(known[name], rng, data) if rng.random() < 0.95 else rng.randbytes(rng.randrange(300))
        if case:
            name, declared = json.loads(case.with_name("which").read_text())
        (folder / "which").write_text(json.dumps([name, declared]))
        (folder / "case").write_bytes(content)
        work = folder / "work"
        work.mkdir(exist_ok=True)
        signal.alarm(HANG_S)  # a reader that hangs in native code is ended all the same
        try:
            counts[look(folder / "case", name, declared, work)] += 1
        except BaseException as error:
            failures += 1
            kept = folder / f"failure-{seed}-{failures}"
            kept.mkdir(exist_ok=True)
            for file in ("case", "which"):
                shutil.copy(folder / file, kept / file)
            told = {"name": name, "declared": declared, "error": f"{type(error).__name__}: {error}"[:400], "bytes": repr(content[:300])}
            print(json.dumps(told | {"kept": str(kept), "where": traceback.format_exc().splitlines()[-12:-1]}), flush=True)
        signal.alarm(0)
        shutil.rmtree(work, ignore_errors=True)
        if case:
            break
    print(json.dumps({"counts": dict(counts)}), flush=True)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), Path(sys.argv[4]) if len(sys.argv) > 4 else None)

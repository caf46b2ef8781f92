"""Archives: every member in a stable order under the name a person knows; nothing that grows, escapes, hides or lies."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
from backports import zstd
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from flows.errors import ConfigurationError, Refused, SocleError, SourceRefused
from flows.formats.archives import Members, open_members
from flows.settings import Settings
from tests.conftest import REPOSITORY
from tests.formats.workbooks import xlsx

REAL = REPOSITORY.parent / "shared" / "data" / "fichiers-difficiles"
CSV = b"code,ville\n01004,Amb\n"


def opened(path: Path, glob: str | None = None, **limits: Any) -> Members:
    return open_members(path, path.name, glob, path.parent / "unpacked", Settings(root=path.parent, **limits))


def contents(path: Path, glob: str | None = None, **limits: Any) -> dict[str, bytes]:
    return {m.name: m.path.read_bytes() for m in opened(path, glob, **limits)}


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def tarred(files: dict[str, bytes], change: Any = None, form: int = tarfile.PAX_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            if change:
                change(info)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def made(tmp_path: Path, data: bytes, name: str) -> Path:
    (tmp_path / name).write_bytes(data)
    return tmp_path / name


COMPRESS = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress, "zst": zstd.compress}


# ---- what is in them ------------------------------------------------------------------------------------------------


def test_a_file_that_is_no_archive_is_itself(tmp_path):
    path = made(tmp_path, CSV, "a.csv")
    [member] = opened(path)
    assert (member.name, member.path) == ("a.csv", path)


def test_members_of_a_zip_in_the_order_of_their_names(tmp_path):
    path = made(tmp_path, zipped({"b.csv": CSV, "dossier/été.csv": CSV + b"x", "a.json": b"[]"}), "archive.zip")
    assert list(contents(path).items()) == [
        ("archive.zip/a.json", b"[]"),
        ("archive.zip/b.csv", CSV),
        ("archive.zip/dossier/été.csv", CSV + b"x"),
    ]


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_members_of_a_tar(tmp_path, form):
    path = made(tmp_path, tarred({"b/" + "long" * 20 + ".csv": CSV, "a.csv": CSV}, form=form), "a.tar")
    assert list(contents(path)) == ["a.tar/a.csv", "a.tar/b/" + "long" * 20 + ".csv"]


@pytest.mark.parametrize("suffix", COMPRESS)
def test_a_compressed_file_and_a_compressed_tar(tmp_path, suffix):
    compress = COMPRESS[suffix]
    assert contents(made(tmp_path, compress(CSV), f"a.csv.{suffix}")) == {f"a.csv.{suffix}/a.csv": CSV}
    assert contents(made(tmp_path, compress(CSV) + compress(CSV), f"a.csv.{suffix}")) == {f"a.csv.{suffix}/a.csv": CSV * 2}
    path = made(tmp_path, compress(tarred({"x.csv": CSV, "y.csv": CSV})), f"a.tar.{suffix}")
    assert contents(path) == {f"a.tar.{suffix}/x.csv": CSV, f"a.tar.{suffix}/y.csv": CSV}


def test_content_counts_and_not_the_name(tmp_path):
    assert contents(made(tmp_path, gzip.compress(CSV), "a.csv")) == {"a.csv/a.csv": CSV}
    assert contents(made(tmp_path, gzip.compress(tarred({"x.csv": CSV})), "donnees.tgz")) == {"donnees.tgz/x.csv": CSV}


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compressions_of_zip(tmp_path, method):
    assert contents(made(tmp_path, zipped({"a.csv": CSV}, method), "a.zip")) == {"a.zip/a.csv": CSV}


def test_zstd_in_a_zip(tmp_path):
    from backports.zstd import zipfile as zips

    with zips.ZipFile(tmp_path / "a.zip", "w", zips.ZIP_ZSTANDARD) as archive:
        archive.writestr("a.csv", CSV)
    assert contents(tmp_path / "a.zip") == {"a.zip/a.csv": CSV}


def test_archives_in_archives_two_deep_and_no_deeper(tmp_path):
    inner = zipped({"a.csv": CSV})
    assert contents(made(tmp_path, zipped({"i.zip": inner, "b.csv.gz": gzip.compress(CSV)}), "o.zip")) == {
        "o.zip/b.csv.gz/b.csv": CSV,
        "o.zip/i.zip/a.csv": CSV,
    }
    assert list(contents(made(tmp_path, zipped({"i.tar.gz": gzip.compress(tarred({"a.csv": CSV}))}), "o.zip"))) == ["o.zip/i.tar.gz/a.csv"]
    with pytest.raises(SourceRefused, match=r"o\.zip/m\.zip/i\.zip is an archive in 2 others"):
        contents(made(tmp_path, zipped({"m.zip": zipped({"i.zip": inner})}), "o.zip"))


def test_a_workbook_is_no_archive(tmp_path):
    path = xlsx(tmp_path / "a.xlsx", [["a"], [1]])
    assert [m.path for m in opened(path)] == [path]
    assert list(contents(made(tmp_path, zipped({"c.xlsx": path.read_bytes()}), "o.zip"))) == ["o.zip/c.xlsx"]


# ---- what is left out -------------------------------------------------------------------------------------------------


def test_what_is_no_data_is_left_out_and_said(tmp_path):
    files = dict.fromkeys(
        ("__MACOSX/._a.csv", ".git/x.csv", "Thumbs.db", "LISEZ-MOI.txt", "LICENCE", "carte.png", "datapackage.json"), b"x"
    )
    members = opened(made(tmp_path, zipped({**files, "a.csv": CSV, "readme_codes.csv": CSV}), "a.zip"))
    assert [m.name for m in members] == ["a.zip/a.csv", "a.zip/readme_codes.csv"]
    assert {n.removeprefix("a.zip/") for n, _ in members.left_out} == set(files)
    [finding] = members.findings()
    assert "7 files" in finding.text and "carte.png" in finding.text and "7 fichiers" in finding.french


@pytest.mark.parametrize("glob", ["*.csv", "data/*.csv", "d*/a.csv", "a.csv"])
def test_members_that_are_declared(tmp_path, glob):
    members = opened(made(tmp_path, zipped({"data/a.csv": CSV, "b.json": b"[]", "c.exe": b"MZ\0\0"}), "a.zip"), glob)
    assert [m.name for m in members] == ["a.zip/data/a.csv"]
    assert len(members.left_out) == 2


def test_a_declared_member_in_an_archive_within_another(tmp_path):
    path = made(tmp_path, zipped({"i.zip": zipped({"x.csv": CSV, "y.csv": CSV})}), "o.zip")
    assert list(contents(path, "i.zip/y.csv")) == ["o.zip/i.zip/y.csv"]


def test_a_readme_that_is_declared_is_data(tmp_path):
    assert list(contents(made(tmp_path, zipped({"notice.txt": CSV}), "a.zip"), "notice.txt")) == ["a.zip/notice.txt"]


def test_a_glob_that_fits_nothing_says_what_there_is(tmp_path):
    with pytest.raises(ConfigurationError, match=r"\*\.xml") as caught:
        contents(made(tmp_path, zipped({"a.csv": CSV}), "a.zip"), "*.xml")
    assert "a.csv" in caught.value.hint


@pytest.mark.parametrize("files", [{}, {"README.md": b"x"}])
def test_an_archive_without_data_is_refused(tmp_path, files):
    with pytest.raises(Refused, match="no data file"):
        contents(made(tmp_path, zipped(files), "a.zip"))


@pytest.mark.parametrize("data", [b"\x00\x01\x02binary" * 50, b"<!DOCTYPE html><html><body>404</body></html>"])
def test_a_member_of_no_format_is_an_error_and_not_left_out(tmp_path, data):
    with pytest.raises(SourceRefused, match=r"a\.zip/x\.bin") as caught:
        contents(made(tmp_path, zipped({"x.bin": data, "y.csv": CSV}), "a.zip"))
    assert "format.member" in caught.value.hint


# ---- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["../../evil.csv", "/tmp/evil.csv", "..\\evil.csv", "C:\\evil.csv", "a/../../evil.csv", "\u202evsc.exe.csv"]
)
@pytest.mark.parametrize("pack", [zipped, tarred])
def test_names_are_never_paths(tmp_path, name, pack):
    folder = tmp_path / "deep" / "deeper"
    folder.mkdir(parents=True)
    path = made(folder, pack({name: CSV}), "a.bin")
    for member in opened(path):
        assert member.path.parent == folder / "unpacked" and member.path.name.startswith("unpacked-")
    assert {p.name for p in tmp_path.rglob("*") if p.is_file()} == {"a.bin", *(p.name for p in (folder / "unpacked").iterdir())}


@pytest.mark.parametrize("suffix", [*COMPRESS, "zip"])
def test_bombs_are_refused_by_their_ratio_before_they_fill_the_disk(tmp_path, suffix):
    zeros = bytes(30_000_000)
    data = zipped({"a.csv": zeros}) if suffix == "zip" else COMPRESS[suffix](zeros)
    with pytest.raises(SourceRefused, match="SOCLE_UNPACK_MAX_RATIO"):
        contents(made(tmp_path, data, f"a.csv.{suffix}"))
    assert not list((tmp_path / "unpacked").iterdir()), "what was written is gone"


def test_a_bomb_in_layers_is_refused(tmp_path):
    layer = zipped({f"{i}.csv": bytes(3_000_000) for i in range(10)})
    with pytest.raises(SourceRefused, match="SOCLE_UNPACK_MAX_RATIO"):
        contents(made(tmp_path, zipped({f"{i}.zip": layer for i in range(10)}), "a.zip"))


def test_sizes_and_numbers_are_limited(tmp_path):
    path = made(tmp_path, zipped({f"{i}.csv": b"a,b\n" + bytes(str(i), "ascii") * 300_000 for i in range(5)}), "a.zip")
    with pytest.raises(SourceRefused, match="SOCLE_UNPACK_MAX_GB"):
        contents(path, unpack_max_gb=0.001)
    with pytest.raises(SourceRefused, match="SOCLE_UNPACK_MAX_FILES"):
        contents(path, unpack_max_files=4)
    assert len(contents(path, unpack_max_files=5)) == 5


def test_links_devices_and_sparse_files_are_refused(tmp_path):
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE):

        def change(info, kind=kind):
            info.type, info.linkname, info.size = kind, "/etc/passwd", 0

        with pytest.raises(SourceRefused, match="link or a device"):
            contents(made(tmp_path, tarred({"a.csv": b""}, change), "a.tar"))
    link = zipfile.ZipInfo("a.csv")
    link.create_system, link.external_attr = 3, 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(SourceRefused, match="link or a device"):
        contents(tmp_path / "a.zip")


def test_an_encrypted_zip_is_refused(tmp_path):
    data = bytearray(zipped({"a.csv": CSV}, zipfile.ZIP_STORED))
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(SourceRefused, match="encrypted") as caught:
        contents(made(tmp_path, bytes(data), "a.zip"))
    assert "mot de passe" in caught.value.french


def test_entries_upon_each_other_are_refused(tmp_path):
    """As in the zip bombs of David Fifield: many entries of the directory point to one compressed stream."""
    data = zipped({"a.csv": CSV, "b.csv": CSV}, zipfile.ZIP_STORED)
    second = data.rindex(b"PK\x01\x02")
    overlapping = bytearray(data)
    struct.pack_into("<I", overlapping, second + 42, 0)
    with pytest.raises(SourceRefused, match="upon each other"):
        contents(made(tmp_path, bytes(overlapping), "a.zip"))


def test_two_members_of_one_name_are_refused(tmp_path):
    with pytest.warns(UserWarning), zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.csv", CSV)
        archive.writestr("a.csv", CSV + CSV)
    with pytest.raises(SourceRefused, match="two files named"):
        contents(tmp_path / "a.zip")


@pytest.mark.parametrize("suffix", [*COMPRESS, "zip", "tar"])
def test_a_cut_archive_is_refused(tmp_path, suffix):
    data = "".join(f"{i},ville {i * 7919 % 1000}\n" for i in range(5000)).encode()
    packed = {"zip": lambda d: zipped({"a.csv": d}), "tar": lambda d: tarred({"a.csv": d})}.get(suffix) or COMPRESS[suffix]
    whole = packed(data)
    for length in (len(whole) // 3, len(whole) // 2, len(whole) - 1 - 10 * 1024 * (suffix == "tar")):
        with pytest.raises(SourceRefused):
            contents(made(tmp_path, whole[:length], f"a.csv.{suffix}"))


@pytest.mark.parametrize("suffix", ["gz", "bz2", "xz", "zip"])
def test_a_wrong_sum_is_refused(tmp_path, suffix):
    data = "".join(f"{i},ville {i * 7919 % 1000}\n" for i in range(5000)).encode()
    packed = bytearray(zipped({"a.csv": data}, zipfile.ZIP_STORED) if suffix == "zip" else COMPRESS[suffix](data))
    packed[len(packed) // 2] ^= 0x10
    with pytest.raises(SourceRefused):
        contents(made(tmp_path, bytes(packed), f"a.csv.{suffix}"))


def test_something_behind_a_compressed_file_is_refused(tmp_path):
    for suffix in ("gz", "xz", "zst"):
        with pytest.raises(SourceRefused):
            contents(made(tmp_path, COMPRESS[suffix](CSV) + b"something else", f"a.csv.{suffix}"))


def test_an_xz_that_asks_for_gigabytes_of_memory_is_refused(tmp_path):
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 30}]
    try:
        data = lzma.compress(CSV, filters=filters)
    except MemoryError:
        pytest.skip("this machine has not the memory to make one")
    with pytest.raises(SourceRefused):
        contents(made(tmp_path, data, "a.csv.xz"))


def test_a_header_of_a_tar_without_end_is_refused(tmp_path):
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, 5_000_000
    with pytest.raises(SourceRefused):
        contents(made(tmp_path, info.tobuf() + b"0" * 5_000_320 + tarred({"a.csv": CSV}), "a.tar"))


def test_a_directory_of_a_zip_without_end_is_refused_before_it_is_read(tmp_path):
    end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFF00, 0, 0)
    with pytest.raises(SourceRefused, match="SOCLE_UNPACK_MAX_FILES"):
        contents(made(tmp_path, b"PK\x03\x04" + bytes(100) + end, "a.zip"))


def test_many_small_files(tmp_path):
    assert len(contents(made(tmp_path, zipped({f"{i:05}.csv": CSV for i in range(2000)}, zipfile.ZIP_STORED), "a.zip"))) == 2000


# ---- any bytes --------------------------------------------------------------------------------------------------------

WHOLE = [
    zipped({"a.csv": CSV, "b/c.json": b"[1]"}),
    tarred({"a.csv": CSV}),
    gzip.compress(tarred({"a.csv": CSV})),
    zipped({"i.zip": zipped({"a.csv": CSV})}),
    zstd.compress(CSV),
    lzma.compress(CSV),
]


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(st.sampled_from(WHOLE), st.lists(st.tuples(st.integers(0, 20_000), st.integers(0, 255)), max_size=4), st.integers(0, 20_000))
@example(b"PK\x05\x06" + bytes(18), [], 99)
@example(b"\x1f\x8b", [], 99)
def test_damaged_archives_give_members_or_a_clear_error(tmp_path, whole, changes, length):
    data = bytearray(whole)
    for place, value in changes:
        data[place % len(data)] = value
    path = made(tmp_path, bytes(data[:length]), "a.bin")
    try:
        for member in opened(path, unpack_max_gb=0.01):
            assert member.path.exists()
    except SocleError as error:
        assert "a.bin" in str(error)


@pytest.mark.skipif(not REAL.is_dir(), reason="the real data are not here")
def test_real_archives():
    found: dict[str, bytes] = {}
    import tempfile

    for name in ("frictionless/package.zip", "csvkit/dummy.csv.bz2", "csv-detective/file.csv.gz", "frictionless/table-multiple-files.zip"):
        with tempfile.TemporaryDirectory() as folder:
            members = open_members(REAL / name, Path(name).name, None, Path(folder), Settings(root=Path(folder)))
            found |= {m.name: m.path.read_bytes() for m in members}
    assert list(found) == [
        "package.zip/data.csv", "package.zip/data2.csv", "dummy.csv.bz2/dummy.csv", "file.csv.gz/file.csv",
        "table-multiple-files.zip/table-reverse.csv", "table-multiple-files.zip/table.csv",
    ]  # fmt: skip
    assert found["dummy.csv.bz2/dummy.csv"] == b"a,b,c\n1,2,3\n"

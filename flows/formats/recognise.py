"""Which format a file is of: by what it holds, and by its name where that does not tell.

What is no data at all (a web page served in place of a file, a PDF, a picture) is refused here, by name.
"""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path

from flows.errors import SourceRefused
from flows.formats.unpacking import damaged, directory_bytes, encrypted

SUFFIXES = {
    ".csv": "csv", ".tsv": "csv", ".txt": "csv", ".tab": "csv", ".dat": "csv",
    ".json": "json", ".jsonl": "jsonl", ".ndjson": "jsonl", ".geojson": "geojson", ".geojsonl": "jsonl",
    ".xml": "xml", ".gml": "xml", ".rdf": "xml", ".rss": "xml", ".atom": "xml", ".kml": "xml",
    ".parquet": "parquet", ".pq": "parquet", ".arrow": "arrow", ".arrows": "arrow", ".feather": "arrow", ".ipc": "arrow",
    ".xls": "excel", ".xlsx": "excel", ".xlsm": "excel", ".xlsb": "excel", ".ods": "excel",
}  # fmt: skip
ARCHIVES = {
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",
    b"\x1f\x8b": "gzip",
    b"BZh": "bz2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
}
OTHERS = {
    b"%PDF": ("a PDF document", "un document PDF"),
    b"\x89PNG": ("a picture", "une image"),
    b"\xff\xd8\xff": ("a picture", "une image"),
    b"GIF8": ("a picture", "une image"),
    b"7z\xbc\xaf\x27\x1c": (
        "a 7z archive, which is not supported (zip, gzip, zstd, bz2, xz and tar are)",
        "une archive 7z : déposez un zip",
    ),
    b"Rar!": ("a RAR archive, which is not supported (zip, gzip, zstd, bz2, xz and tar are)", "une archive RAR : déposez un zip"),
    b"SQLite format 3\x00": ("an SQLite database: use a source of type sql", "une base SQLite"),
    b"FEA1": ("a Feather file of the first version: write it again as version 2", "un fichier Feather trop ancien"),
    b"PARE": ("an encrypted Parquet file", "un fichier Parquet chiffré"),
    b"{\\rtf": ("an RTF document", "un document RTF"),
    b"\x7fELF": ("a program", "un programme"),
}
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
OLD_EXCEL = (b"\x09\x00\x04\x00", b"\x09\x02\x06\x00", b"\x09\x04\x06\x00", b"\x09\x08\x08\x00\x00\x05", b"\x09\x08\x10\x00\x00\x06")
PAGE = re.compile(
    r"(?:<!--.*?-->\s*|<\?xml.*?\?>\s*)*<(?:!doctype\s+html|html|head|body|script|meta|title|table|div)\b", re.IGNORECASE | re.DOTALL
)
MARKUP = re.compile(r"<(?:\?xml\b|!--|!DOCTYPE\b|[A-Za-z_][\w.:-]*(?:\s+[\w.:-]+\s*=\s*[\"']|\s*/?>|\s*$|\s+xmlns))")
HEAD = 64 << 10
LARGEST_DIRECTORY = 8 << 20  # bytes, of a zip that may be a workbook
MARKED = 512  # bytes of the head that hold every mark of what is no text
UNMARKED = "unmarked"
LONGEST_LINE = 16 << 20  # bytes in which the first line of JSON Lines is looked for


def recognise(path: Path, name: str) -> str:
    """A key of FORMATS.

    Raises: SourceRefused if it is none of them, or an archive: see archives.py.
    """
    kind = by_content(path, name)
    if kind in (*ARCHIVES.values(), "tar"):
        raise SourceRefused(f"{name} is a {kind} archive within archives: too deep to be opened", where=str(path))
    named = SUFFIXES.get(Path(name).suffix.lower())
    if kind == "text":
        if named in (None, "csv"):
            return "csv"
        if _looks_delimited(path):
            return "csv"  # its name says something else, which it is not
        raise SourceRefused(
            f"{name} is named like {named}, but what it holds is plain text",
            where=str(path),
            hint="look at its first lines: a server may have sent a message in place of the file; or declare format.type",
            french=f"Le fichier {name} ne contient pas ce que son nom annonce.",
        )
    if kind is not None:
        return kind
    if named is not None and path.stat().st_size == 0:
        return named
    if named == "csv":
        return "csv"  # stray bytes are its reader's business
    raise SourceRefused(
        f"{name}: which format this is cannot be told" + (" (it is empty)" if path.stat().st_size == 0 else ""),
        where=str(path),
        hint="declare format.type in project.yaml",
        french=f"Le format du fichier {name} n'est pas reconnu.",
    )


def by_content(path: Path, name: str) -> str | None:
    """A format, an archive (zip, gzip, bz2, xz, zstd, tar), `text`, or None if the bytes do not tell.

    Raises: SourceRefused for what is known and is no data, or is encrypted.
    """
    with path.open("rb") as file:
        head = file.read(HEAD)
    told = _by_marks(head, path, name)
    return _text_kind(head, path, name) if told == UNMARKED else told


def by_marks(path: Path, name: str) -> str | None:
    """As `by_content`, and cheaper: UNMARKED for what may be a text, of whatever format.

    Raises: SourceRefused, as `by_content` does.
    """
    with path.open("rb") as file:
        return _by_marks(file.read(MARKED), path, name)


def _by_marks(head: bytes, path: Path, name: str) -> str | None:
    for mark, (what, french) in OTHERS.items():
        if head.startswith(mark):
            raise SourceRefused(f"{name} is {what}", where=str(path), french=f"Le fichier {name} est {french}.")
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(b"ARROW1\x00\x00") or (head[:4] == b"\xff\xff\xff\xff" and 0 < int.from_bytes(head[4:8], "little") < 1 << 28):
        return "arrow"
    if head.startswith(OLE) or head.startswith(OLD_EXCEL):
        return "excel" if workbook_kind(path, name) == "xls" else None
    kind = next((kind for mark, kind in ARCHIVES.items() if head.startswith(mark)), None)
    if kind == "zip":
        return "excel" if zipped_workbook(path, name) else "zip"
    if kind is not None:
        return kind
    if head[257:262] == b"ustar" or _is_old_tar(head):
        return "tar"
    return UNMARKED


def refuse_other(path: Path, name: str, kind: str) -> None:
    """Raises: SourceRefused if the bytes are surely of another format than `kind`, or no data at all.

    What only might be another (text) is left to the reader of `kind`.
    """
    if sentence := other_than(path, name, kind):
        raise SourceRefused(
            sentence,
            where=str(path),
            hint="check format.type in project.yaml, or the file",
            french=f"Le fichier {name} n'est pas du format prévu ({kind}).",
        )


def other_than(path: Path, name: str, kind: str) -> str | None:
    """Why the bytes are surely not of the format `kind`, in one sentence."""
    found = by_content(path, name)
    binary = {"parquet", "arrow", "excel", *ARCHIVES.values(), "tar"}
    if found is None or found == kind or not (found in binary or kind in binary):
        return None
    return f"{name} is {found}, not {kind}"


# ---- workbooks ------------------------------------------------------------------------------------------------------


def workbook_kind(path: Path, name: str) -> str:
    """xls, xlsx, xlsb or ods. Raises: SourceRefused if it is no workbook, or an encrypted one."""
    with path.open("rb") as file:
        head = file.read(512)
        if head.startswith(OLE):
            streams = _ole_streams(head + file.read((256 << 20) - 512))
            if {"encryptedpackage", "encryptioninfo"} & streams:
                raise encrypted(path, name)
            if {"workbook", "book"} & streams:
                return "xls"
            what = "a Word document" if "worddocument" in streams else "a document of an old Office program"
            raise SourceRefused(f"{name} is {what}, not a workbook", where=str(path), french=f"Le fichier {name} n'est pas un classeur.")
    if head.startswith(OLD_EXCEL):
        return "xls"
    if head.startswith(b"PK") and (kind := zipped_workbook(path, name)):
        return kind
    refuse_page(head.decode("latin-1"), path, name)
    raise SourceRefused(
        f"{name} is not a workbook (xls, xlsx, xlsb or ods)",
        where=str(path),
        hint="check format.type in project.yaml, or the file",
        french=f"Le fichier {name} n'est pas un classeur Excel ou LibreOffice.",
    )


def zipped_workbook(path: Path, name: str) -> str | None:
    """xlsx, xlsb or ods; None if it is another zip. Raises: SourceRefused for a document of another kind."""
    if directory_bytes(path) > LARGEST_DIRECTORY:
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            names = {n.replace("\\", "/").lstrip("/").lower(): n for n in archive.namelist()[:100_000]}
            mimetype = (
                archive.read(names["mimetype"])[:200] if "mimetype" in names and archive.getinfo(names["mimetype"]).file_size < 200 else b""
            )
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError, EOFError, UnicodeDecodeError) as error:
        if SUFFIXES.get(Path(name).suffix.lower()) == "excel":
            raise damaged(path, name, error) from None
        return None
    if "xl/workbook.bin" in names:
        return "xlsb"
    if "xl/workbook.xml" in names or any(re.fullmatch(r"xl/workbook\d*\.xml", n) for n in names):
        return "xlsx"
    if mimetype.startswith(b"application/vnd.oasis.opendocument.spreadsheet"):
        return "ods"
    if "[content_types].xml" in names or mimetype.startswith(b"application/"):
        what = mimetype.decode("ascii", "replace").strip() or "an Office document that is no workbook"
        raise SourceRefused(f"{name} is {what}", where=str(path), french=f"Le fichier {name} n'est pas un classeur.")
    return None


def _ole_streams(data: bytes) -> set[str]:
    """Names in the directory of an OLE file: its entries have 128 bytes, on sectors of 512 or more."""
    found = set()
    for wanted in ("Workbook", "Book", "EncryptedPackage", "EncryptionInfo", "WordDocument"):
        written, at = wanted.encode("utf-16-le"), -1
        while (at := data.find(written, at + 1)) >= 0:
            size = int.from_bytes(data[at + 64 : at + 66], "little")
            if at % 128 == 0 and size == len(written) + 2 and data[at + 66 : at + 67] == b"\x02":
                found.add(wanted.lower())
                break
    return found


def _is_old_tar(head: bytes) -> bool:
    """A tar before POSIX has no mark but the sum of its header."""
    if len(head) < 512 or not head[0]:
        return False
    try:
        told = int(head[148:156].strip(b" \x00") or b"x", 8)
    except ValueError:
        return False
    return told == sum(head[:148]) + 256 + sum(head[156:512])


# ---- text -----------------------------------------------------------------------------------------------------------


def decoded(head: bytes) -> str | None:
    """The beginning of a text; None if it is none. Which 8-bit encoding it is does not matter here."""
    for mark, encoding in (
        (b"\xef\xbb\xbf", "utf-8"),
        (b"\xff\xfe\0\0", "utf-32"),
        (b"\0\0\xfe\xff", "utf-32"),
        (b"\xff\xfe", "utf-16"),
        (b"\xfe\xff", "utf-16"),
    ):
        if head.startswith(mark):
            return head.decode(encoding, "replace").lstrip("\ufeff")
    if head[1::2].count(0) > len(head) * 0.3 or head[::2].count(0) > len(head) * 0.3:
        return head.decode("utf-16-le" if head[1::2].count(0) > head[::2].count(0) else "utf-16-be", "replace")
    strange = sum(head.count(c) for c in range(32) if c not in (9, 10, 12, 13))
    return None if strange > len(head) * 0.02 else head.decode("latin-1")


def refuse_page(text: str, path: Path, name: str) -> None:
    """Raises: SourceRefused if it is a web page, which servers send in place of data (errors, logins, moved files)."""
    if PAGE.match(text.lstrip()):
        title = re.search(r"<title[^>]*>\s*([^<]{1,100})", text, re.IGNORECASE)
        titled = f", titled {' '.join(title[1].split())!r}" if title else ""
        raise SourceRefused(
            f"{name} is a web page{titled}, not data",
            where=str(path),
            hint="open its address in a browser: it may ask for a login, say that the file moved, or show the table as a page",
            french=f"Le fichier {name} est une page web{' (« ' + ' '.join(title[1].split()) + ' »)' if title else ''}, pas des données.",
        )


def _text_kind(head: bytes, path: Path, name: str) -> str | None:
    text = decoded(head)
    if text is None or not text.strip():
        return None
    start = text.lstrip()
    refuse_page(start, path, name)
    named = SUFFIXES.get(Path(name).suffix.lower())
    if start[0] == "<" and MARKUP.match(start):
        return "xml" if named != "csv" or start.startswith("<?xml") else "text"
    if start[0] == "{":
        return _object_kind(start.encode() if head[:2] in (b"\xff\xfe", b"\xfe\xff", b"\0\0") else head, path, named)
    if start[0] == "[":
        return _list_kind(head, path, start, named)
    return "text"


def _object_kind(head: bytes, path: Path, named: str | None) -> str:
    """An object: one JSON document, GeoJSON, or the first line of JSON Lines."""
    if _is_lines(path):
        return "jsonl"
    if named == "jsonl":
        return "jsonl"
    seen, sound = _first_keys(head)
    if not sound and named == "csv":
        return "text"
    return "geojson" if seen else "json"


def _list_kind(head: bytes, path: Path, start: str, named: str | None) -> str:
    if named == "jsonl":
        return "jsonl"
    if named == "csv" and not re.match(r"\[\s*(?:[\[\]{\"\d-]|true|false|null)", start):
        return "text"
    return "json"


def _is_lines(path: Path) -> bool:
    """Two lines, each of which is an object by itself."""
    whole = 0
    with path.open("rb") as file:
        for number in range(20):
            line = file.readline(LONGEST_LINE)
            if not line:
                break
            if not line.strip():
                continue
            try:
                record = json.loads(line.removeprefix(b"\xef\xbb\xbf") if number == 0 else line)
            except (ValueError, RecursionError):
                record = None
            if isinstance(record, dict):
                whole += 1
                if whole == 2:
                    return True
            elif number == 0 and len(line.strip()) < 3:
                return False  # a document on several lines
    return False


def _first_keys(head: bytes) -> tuple[bool, bool]:
    """(it is GeoJSON, it begins as JSON does)"""
    import ijson

    class Once:
        data = head.removeprefix(b"\xef\xbb\xbf")

        def read(self, size: int = -1) -> bytes:
            given, self.data = (self.data, b"") if size else (b"", self.data)  # it asks for nothing to see of which type that is
            return given

    events = 0
    try:
        for prefix, event, value in ijson.parse(Once(), use_float=True):
            events += 1
            if prefix == "type" and event == "string":
                return value in ("FeatureCollection", "Feature"), True
            if prefix == "features.item.type" and value == "Feature":
                return True, True
    except (ijson.JSONError, UnicodeDecodeError, ValueError):
        return False, events > 2
    return False, True


def _looks_delimited(path: Path) -> bool:
    """Several lines with the same delimiter, as often in each."""
    with path.open("rb") as file:
        head = file.read(HEAD)
    lines = [line for line in (decoded(head) or "").splitlines() if line.strip()][: 20 if len(head) == HEAD else None]
    return len(lines) > 1 and any(
        lines[0].count(d) and all(line.count(d) == lines[0].count(d) for line in lines) for d in (";", ",", "\t", "|")
    )

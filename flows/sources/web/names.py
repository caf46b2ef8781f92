"""What a file that came over HTTP is called: as the server says, or as the last part of its address, made safe."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import unquote, urlsplit

import httpx

LONGEST = 150  # bytes of a name; file systems take 255
SUFFIXES = {
    "text/csv": ".csv",
    "application/csv": ".csv",
    "text/tab-separated-values": ".tsv",
    "application/json": ".json",
    "application/ld+json": ".json",
    "application/geo+json": ".geojson",
    "application/vnd.geo+json": ".geojson",
    "application/x-ndjson": ".jsonl",
    "application/jsonl": ".jsonl",
    "application/xml": ".xml",
    "text/xml": ".xml",
    "application/zip": ".zip",
    "application/gzip": ".gz",
    "application/x-gzip": ".gz",
    "application/vnd.apache.parquet": ".parquet",
    "application/vnd.ms-excel": ".xls",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ".xlsx",
    "application/vnd.oasis.opendocument.spreadsheet": ".ods",
}


def file_name(headers: httpx.Headers, declared: str, final: str) -> str:
    """`declared` is the address of project.yaml, `final` the one that it was redirected to. Never empty, and no path."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    said = _disposition(headers.get("content-disposition", ""))
    candidates = [safe(text) for text in (said, _last_part(final), _last_part(declared))]
    named = [name for name in candidates if name]
    with_suffix = [name for name in named if re.search(r"\.[A-Za-z0-9]{1,8}$", name)]
    name = candidates[0] or (with_suffix or named or ["file"])[0]
    return name if name in with_suffix else name + SUFFIXES.get(kind, "")


def safe(text: str) -> str:
    """The last part of what may be a path, without what is not shown or has a meaning to a shell or a file system."""
    text = re.split(r"[/\\]", unicodedata.normalize("NFC", text))[-1]
    text = "".join("_" if c in '<>:"|?*' else c for c in text if unicodedata.category(c)[0] != "C" and c not in "\u2028\u2029")
    text = re.sub(r"\s+", " ", text).strip(" .")
    stem, dot, suffix = text.rpartition(".")
    if not dot or len(suffix) > 10:
        stem, dot, suffix = text, "", ""
    room = LONGEST - len((dot + suffix).encode())
    return stem.encode()[:room].decode("utf-8", "ignore").rstrip() + dot + suffix if text else ""


def _disposition(text: str) -> str:
    """`filename*` (RFC 8187) before `filename`. Servers write it wrong in many ways: then it says nothing."""
    if extended := re.search(r"filename\*\s*=\s*([\w-]+)'[\w-]*'([^\s;\"]+)", text, re.IGNORECASE | re.ASCII):
        try:
            return unquote(extended[2], encoding=extended[1], errors="strict")
        except (LookupError, UnicodeError):
            pass
    quoted = re.search(r'filename\s*=\s*"((?:[^"\\]|\\.)*)"', text, re.IGNORECASE)
    if quoted:
        return _utf8(quoted[1].replace('\\"', '"'))
    bare = re.search(r"filename\s*=\s*([^\s;]+)", text, re.IGNORECASE)
    return _utf8(bare[1]) if bare else ""


def _utf8(text: str) -> str:
    """Headers are latin-1, in which many servers send UTF-8."""
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text


def _last_part(address: str) -> str:
    return unquote(urlsplit(address).path.rstrip("/").rpartition("/")[2], errors="replace")

"""JSON answers of an API, small enough for memory, with numbers as they are written: 12.10 stays 12.10, whatever its digits."""

from __future__ import annotations

import io
import json
import re
import secrets
import zlib
from dataclasses import dataclass, field
from typing import Any

import httpx

from flows.errors import SourceRefused
from flows.sources.web.client import Transient, Web, shown
from flows.sources.web.download import ENCODINGS, inflated

MISSING: Any = object()
LONGEST_INTEGER = 4000  # digits that Python reads without being asked to


@dataclass(frozen=True)
class Page:
    body: Any
    headers: httpx.Headers
    address: str


@dataclass(frozen=True)
class ExactJson:
    """Reads and writes JSON; between the two, a number with a point or an exponent is its text behind a mark that nothing else has."""

    mark: str = field(default_factory=lambda: secrets.token_hex(16))

    def parse(self, text: str) -> Any:
        """Raises: ValueError, also for a key that is there twice; RecursionError"""
        return json.loads(
            text,
            parse_float=lambda number: self.mark + number,
            parse_int=lambda number: int(number) if len(number) < LONGEST_INTEGER else self.mark + number,
            parse_constant=_no_number,
            object_pairs_hook=_no_key_twice,
        )

    def line(self, record: Any) -> bytes:
        """One line, its keys in order: the same record gives the same bytes."""
        for ascii_only in (False, True):  # half of a surrogate pair has no bytes: it stays an escape, as it came
            text = json.dumps(record, ensure_ascii=ascii_only, sort_keys=True, separators=(",", ":"))
            try:
                return (re.sub(f'"{self.mark}([^"]*)"', r"\1", text) + "\n").encode()
            except UnicodeEncodeError:
                continue
        raise AssertionError("ASCII has bytes")

    def value(self, value: Any) -> Any:
        """With a number as a float, to compare with."""
        return float(value.removeprefix(self.mark)) if isinstance(value, str) and value.startswith(self.mark) else value


def read_page(web: Web, address: str, exact: ExactJson | None = None) -> Page:
    """Raises: SystemFailure, ConfigurationError, SourceRefused if the answer is no JSON, or larger than SOCLE_HTTP_PAGE_MB"""
    ends, limit = web.deadline(), web.settings.http_page_mb * 1_000_000
    json_of = exact or ExactJson()

    def attempt() -> Page:
        with web.get(address, {"Accept-Encoding": "gzip"}, ends) as answer:
            data = bytearray()
            if answer.length is not None and answer.length > limit:
                raise _too_large(address, web)
            for piece in answer.chunks():
                data += piece
                if len(data) > limit:
                    raise _too_large(address, web)
            plain = _plain(bytes(data), answer.headers.get("content-encoding", ""), limit, address, web)
            return Page(_parsed(plain, answer.headers, address, json_of), answer.headers, answer.address)

    return web.patiently(address, ends, attempt)


def at(body: Any, path: str) -> Any:
    """What lies at `a.b.c`, or MISSING. Keys may have dots in them (`@odata.nextLink`); a number is a place in a list."""
    if not path:
        return body
    parts = path.split(".")
    for count in range(len(parts), 0, -1):
        key, rest = ".".join(parts[:count]), ".".join(parts[count:])
        if isinstance(body, dict) and key in body:
            found = at(body[key], rest)
        elif isinstance(body, list) and re.fullmatch(r"\d{1,6}", key, re.ASCII) and int(key) < len(body):
            found = at(body[int(key)], rest)
        else:
            continue
        if found is not MISSING:
            return found
    return MISSING


def _plain(data: bytes, encoding: str, limit: int, address: str, web: Web) -> bytes:
    coding = encoding.strip().lower()
    if coding in ("", "identity"):
        return data
    if coding not in ENCODINGS:
        raise SourceRefused(f"the server encodes its answer in a way that was not asked for: {coding}", where=shown(address))
    plain = bytearray()
    try:
        for piece in inflated(io.BytesIO(data), ENCODINGS[coding]):
            plain += piece
            if len(plain) > limit:
                raise _too_large(address, web)
    except zlib.error as error:
        raise Transient(f"its answer cannot be decoded ({error})") from None
    return bytes(plain)


def _parsed(data: bytes, headers: httpx.Headers, address: str, exact: ExactJson) -> Any:
    kind = headers.get("content-type", "")
    charset = re.search(r"charset\s*=\s*\"?([\w.:-]+)", kind, re.IGNORECASE)
    for encoding in (json.detect_encoding(data), charset[1] if charset else "utf-8"):
        try:
            return exact.parse(data.decode(encoding))
        except (UnicodeDecodeError, LookupError):
            continue
        except RecursionError:
            raise SourceRefused("the answer is nested too deeply", where=shown(address)) from None
        except ValueError as error:
            if isinstance(error, json.JSONDecodeError) and not data.lstrip().startswith(b"<"):
                raise Transient(f"its answer is no JSON: {error.msg} at character {error.pos:,}") from None
            what = "a page or XML" if not isinstance(error, _Said) else str(error)
            raise SourceRefused(
                f"the answer is no JSON that can be taken: {what}",
                where=shown(address),
                hint="open the address with curl: it may lead to a login, or want a header such as Accept: application/json",
            ) from None
    raise SourceRefused(f"the answer is neither UTF-8 nor what it says it is ({kind!r})", where=shown(address))


class _Said(ValueError):
    """What is wrong with JSON that Python would take."""


def _no_number(text: str) -> Any:
    raise _Said(f"it holds {text}, which is no number of JSON")


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        raise _Said(f"an object has the key {next(k for k in keys if keys.count(k) > 1)!r} twice, so that one value would be lost")
    return found


def _too_large(address: str, web: Web) -> SourceRefused:
    return SourceRefused(
        f"an answer is larger than {web.settings.http_page_mb} MB",
        where=shown(address),
        hint="ask for smaller pages, or raise SOCLE_HTTP_PAGE_MB; a file is a source of type http",
    )

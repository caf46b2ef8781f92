"""XML as a stream of elements: no entities, no network, no document that is deep or that grows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.parsers import expat

from flows.errors import SourceRefused
from flows.formats.unpacking import damaged

CHUNK = 256 << 10
MOST_BYTES = 64 << 20
"""Of text between two elements that were asked for: all of it is in memory."""


class _Seen(Exception):
    pass


class _Guard:
    """Refuses documents that declare entities, before anything is parsed that could refer to them: all that XML allows before
    the first element is looked at by a parser that expands nothing."""

    def __init__(self, path: Path, name: str) -> None:
        self.path, self.name = path, name
        parser = expat.ParserCreate()
        parser.EntityDeclHandler = self._refuse
        parser.StartElementHandler = self._seen
        parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
        self.parser: Any = parser

    def feed(self, data: bytes) -> None:
        if self.parser is None:
            return
        try:
            self.parser.Parse(data, False)
        except _Seen:
            self.parser = None
        except (expat.ExpatError, LookupError, ValueError):  # whatever is wrong, lxml says it; an encoding that only lxml knows
            self.parser = None
            if b"<!ENTITY" in data.replace(b"\x00", b""):
                self._refuse()

    def _seen(self, *_: Any) -> None:
        raise _Seen

    def _refuse(self, *_: Any) -> None:
        raise SourceRefused(
            f"{self.name} declares XML entities, which can be made to fill the memory or to read other files",
            where=str(self.path),
            hint="ask its producer for XML without a DOCTYPE",
            french=f"Le fichier {self.name} contient des « entités » XML : par sécurité, il est refusé.",
        )


def iterate(source: Any, path: Path, name: str, *tags: str, starts: bool = False) -> Iterator[tuple[str, Any]]:
    """(local name, element) at the end of each element, or of those with these local names; with `starts`, (`+local name`,
    element) at its start, too.

    Whoever iterates takes elements out of the tree when they are done with (`done`).
    """
    from lxml import etree

    guard, since = _Guard(path, name), 0
    parser = etree.XMLPullParser(
        events=("start", "end") if starts else ("end",),
        tag=[f"{{*}}{tag}" for tag in tags] or None,
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    names: dict[Any, str] = {}
    try:
        while data := source.read(CHUNK):
            guard.feed(data)
            parser.feed(data)
            since += len(data)
            if since > MOST_BYTES:
                raise SourceRefused(f"{name} has an element of more than {MOST_BYTES / 1e6:.0f} MB", where=str(path))
            for event, element in parser.read_events():
                tag = names.get(element.tag)
                if tag is None:
                    tag = names[element.tag] = element.tag.rpartition("}")[2]
                    if len(names) > 100_000:
                        raise SourceRefused(f"{name} has more than 100000 names of elements", where=str(path))
                since = 0
                yield (tag if event == "end" else f"+{tag}"), element
        parser.close()
    except etree.XMLSyntaxError as error:
        raise damaged(path, name, ValueError(f"not well-formed XML: {error}")) from None
    except (LookupError, AssertionError, UnicodeError) as error:
        raise damaged(path, name, error) from None


def done(element: Any) -> None:
    """Forget an element, and what stands before it under the same parent."""
    element.clear(keep_tail=False)
    parent = element.getparent()
    if parent is not None:
        while element.getprevious() is not None:
            del parent[0]

"""Which encoding a file is in, from its byte order mark or from samples of its beginning, middle and end.

UTF-8 proves itself: text in another encoding is hardly ever valid UTF-8. Among the encodings of Western Europe, detectors made for the
web go wrong on short French tables (docs/csv.md has the figures), so those are told apart here by where accented letters stand; what
is not Western is left to chardet.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from flows.errors import ConfigurationError
from flows.findings import Finding
from flows.formats.csv.text import MARKS, normal

WHOLE = 32 << 20  # bytes of a file that is looked at from end to end
HEAD, TAIL, PART, PARTS = 1 << 20, 1 << 18, 1 << 16, 32
WESTERN = ("cp1252", "iso8859-15", "mac-roman", "cp850")
"""In order of how likely they are. What is Latin-1 is cp1252, too, but for control characters."""
COMMON, LOWER = "éèàçê", "âîôûùëïüœæäößñáíóúìòãõåøÿ"
UPPER = (COMMON + LOWER).replace("ß", "").replace("ÿ", "").upper()
SIGNS = "€°«»’‘“”–—…²³½×§·ºª•¼¾±µ£®©¿¡\u00a0\u202f´"
CLEARLY, DOUBTFUL, CLOSE = 0.6, 0.3, 0.12
FEW = 10  # characters that are not ASCII: no statistics can be made of them
MOJIBAKE = re.compile(rb"\xc3[\x80-\xbf]|\xc2[\xa0-\xbf]|\xe2\x80[\x90-\xbf]|\xe2\x82\xac")
"""Letters and signs of French in UTF-8; in an encoding of one byte a character, pairs that no language has."""
STRANGE = 0.02  # share of what is not ASCII that may be no UTF-8 in a file that is UTF-8 all the same


@dataclass(frozen=True)
class Encoding:
    name: str
    reason: str
    ascii: bool = False
    """Nothing else was seen: any encoding reads it the same."""
    findings: list[Finding] = field(default_factory=list)


def sample(path: Path) -> list[bytes]:
    """The whole of a small file; else its head, parts between, its tail."""
    size = path.stat().st_size
    with path.open("rb") as file:
        if size <= WHOLE:
            return [file.read()]
        parts = [file.read(HEAD)]
        for i in range(1, PARTS + 1):
            file.seek(size * i // (PARTS + 1) // 4 * 4)
            parts.append(file.read(PART))
        file.seek((size - TAIL) // 4 * 4)
        parts.append(file.read())
    return parts


def find(path: Path) -> Encoding:
    parts = sample(path)
    head = parts[0]
    for mark, name in MARKS:
        if head.startswith(mark):
            shown = name.removesuffix("-le").removesuffix("-be")
            return Encoding(shown, f"the file begins with the byte order mark of {shown}")
    if wide := _wide(head):
        return Encoding(wide, f"zeros between the characters are those of {wide}")
    good, bad = map(sum, zip(*(_utf8(p, i == 0, i == len(parts) - 1) for i, p in enumerate(parts)), strict=True))
    if not bad and ESCAPES.search(head):
        return Encoding("iso2022_jp", "it has the escape sequences of iso2022_jp")
    if not good and not bad:
        return Encoding("utf-8", "there is only ASCII, which UTF-8 includes", ascii=True)
    if not bad:
        return Encoding("utf-8", f"{good} characters that are not ASCII are valid UTF-8")
    if good and bad <= max(1, STRANGE * good) and good > 10:
        return Encoding("utf-8", f"{good} characters are valid UTF-8, {bad} bytes are not", findings=[_strange(bad)])
    if good >= bad and good > 1:
        return Encoding("utf-8", f"{good} characters are valid UTF-8, {bad} bytes are not", findings=[_mixed("utf-8", good, bad)])
    found = _of_bytes(_telling(parts))
    if good and any(MOJIBAKE.search(part) for part in parts):
        found = replace(found, findings=[*found.findings, _mixed(found.name, good, bad)])
    return found


def _mixed(chosen: str, good: int, bad: int) -> Finding:
    """Several programs wrote into the file, or text was converted twice."""
    if chosen == "utf-8":
        what, quoi = "the rows with the others are refused", "les lignes qui contiennent les autres sont refusées"
    else:
        what, quoi = "they are read as pairs like “Ã©”", "ils sont lus comme des paires telles que « Ã© »"
    return Finding(
        "ambiguous",
        f"two encodings seem to be mixed: {good} characters are valid UTF-8, {bad} bytes are not; it is read as {chosen}, and {what}",
        f"deux encodages semblent mélangés : {good} caractères sont de l'UTF-8 valide, {bad} octets n'en sont pas ; lu en {chosen}, {quoi}",
    )


def _strange(bad: int) -> Finding:
    return Finding(
        "note",
        f"{bad} bytes are no UTF-8: the rows that hold them are refused",
        f"{bad} octets ne sont pas de l'UTF-8 : les lignes qui les contiennent sont refusées",
    )


def _wide(head: bytes) -> str:
    """UTF-16 or UTF-32 without a mark: most characters of most texts have zeros in the same places."""
    head = head[: min(len(head), 1 << 16) // 4 * 4]
    if len(head) < 4 or b"\0" not in head:
        return ""
    zeros = [head[i::4].count(0) / (len(head) / 4) for i in range(4)]
    for name, pattern in (("utf-32-le", "0111"), ("utf-32-be", "1110"), ("utf-16-le", "0101"), ("utf-16-be", "1010")):
        inside = min(z for z, p in zip(zeros, pattern, strict=True) if p == "1")
        outside = max(z for z, p in zip(zeros, pattern, strict=True) if p == "0")
        if inside > 0.1 and outside < inside / 8 and _decodes(head, name):
            return name
    return ""


def _decodes(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError as error:
        return error.end >= len(data) - 3
    return True


SEQUENCE = re.compile(
    rb"[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]"
    rb"|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2}"
)
ESCAPES = re.compile(rb"\x1b\$[@B].*\x1b\([BJ]")
ASCII, CONTINUING = bytes(range(128)), bytes(range(0x80, 0xC0))


def _utf8(part: bytes, first: bool, last: bool) -> tuple[int, int]:
    """(characters that are not ASCII, bytes that are no UTF-8); at a place where the file was cut, a character may be, too."""
    if part.isascii():
        return 0, 0
    if not first:
        part = part.lstrip(CONTINUING)
    try:
        codecs.utf_8_decode(part, "strict", last)
        bad = 0
    except UnicodeDecodeError:
        bad = len(SEQUENCE.sub(b"", part).translate(None, ASCII))
    return len(SEQUENCE.findall(part)) if bad else len(part.translate(None, ASCII + CONTINUING)), bad


def _telling(parts: list[bytes]) -> bytes:
    """Lines with something that is not ASCII in them: they tell the encoding, the others nothing."""
    lines, size = list[bytes](), 0
    for part in parts:
        for line in re.finditer(rb"[^\r\n]*[\x80-\xff][^\r\n]*", part):
            lines.append(line[0][:2000])
            size += len(lines[-1])
            if size > 200_000 / len(parts) + 2000:
                size = 0
                break
    return b"\n".join(lines)


def _of_bytes(data: bytes) -> Encoding:
    scores = sorted(((_western(data, name), -i, name) for i, name in enumerate(WESTERN)), reverse=True)
    (best, _, name), (second, _, other) = scores[0], scores[1]
    few = len(data.translate(None, ASCII)) < FEW
    if best >= (DOUBTFUL if few else CLEARLY):
        findings = [_ambiguous(name, other)] if best - second < CLOSE and not _same(data, name, other) else []
        return Encoding(name, f"accented letters stand where words have them when it is read as {name}", findings=findings)
    import chardet

    found = chardet.detect(data)
    guess = _known(found["encoding"], data)
    if guess:
        findings = [_ambiguous(guess, name) if best > DOUBTFUL else _foreign(guess)]
        return Encoding(guess, f"it is no UTF-8 and not Western; chardet takes it for {guess}", findings=findings)
    return Encoding(name, f"it is no UTF-8, and {name} fits best", findings=[_ambiguous(name, other)])


def _known(guess: str | None, data: bytes) -> str:
    """Python's name of an encoding that can read this, or nothing."""
    try:
        name = normal(guess or "")
        data.decode(name)
    except (ConfigurationError, UnicodeError):
        return ""
    return "" if name in ("utf-8", "ascii") else name


def _foreign(name: str) -> Finding:
    return Finding(
        "note",
        f"the encoding is taken for {name}: it cannot be proved, look at the first rows",
        f"l'encodage semble être {name} : rien ne le prouve, regarder les premières lignes",
    )


def _same(data: bytes, one: str, other: str) -> bool:
    return data.decode(one, "replace") == data.decode(other, "replace")


def _ambiguous(one: str, other: str) -> Finding:
    return Finding(
        "ambiguous",
        f"the encoding may be {one} (chosen) or {other}: too few characters tell them apart",
        f"l'encodage peut être {one} (retenu) ou {other} : trop peu de caractères les distinguent",
    )


def _western(data: bytes, encoding: str) -> float:
    """From -1 to 1: how much the characters that are not ASCII look like those of words in a Western language."""
    text = data.decode(encoding, "replace")
    total, count = 0.0, 0
    for found in re.finditer(r"[^\x00-\x7f]", text):
        at = found.start()
        before, after = text[at - 1 : at], text[at + 1 : at + 2]
        total += _stands_well(found[0], before, after)
        count += 1
        if count >= 20_000:
            break
    return total / count if count else 0.0


def _stands_well(letter: str, before: str, after: str) -> float:
    if before.isdigit() and (after.isdigit() or letter.isalpha()):
        return 1 if letter in "\u00a0\u202f" else 0.3 if letter in SIGNS else -1
    foreign: Callable[[str], bool] = lambda c: c > "\x7f" and c.isalpha()  # noqa: E731
    if letter in COMMON or letter in LOWER:
        if foreign(before) and foreign(after):
            return -1
        if before.isupper() and not after.islower() and letter not in "àâ":
            return 0.2
        return 1 if letter in COMMON else 0.85
    if letter in UPPER:
        if foreign(before) and foreign(after):
            return -1
        alone = not before.isalpha() and not after.isalpha()
        if before.islower() or (before.isalpha() and after.islower()):
            return -1
        return 0.75 if alone or after.islower() else 0.9
    if letter in SIGNS:
        if before.isalpha() and after.isalpha():
            return 0.9 if letter in "’‘·´" else -0.5
        return 0.5
    return -1

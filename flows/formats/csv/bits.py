"""Where quotes, delimiters and line ends are in a block of bytes, as bits: a proof of its structure at the speed of memory.

A bit a byte, 64 to a word: what is inside quotes is a prefix sum of bits, and each rule of CSV is one operation on words.
"""

from __future__ import annotations

import re
from typing import Any

STRIPE = 1 << 18  # bytes compared at a time: what fits in a core's cache
LF, CR = 10, 13


class Marks:
    """The structure of `data`, which begins at the beginning of a record.

    `quote` and `escape` are one byte each, or empty. `final`: nothing comes after `data`.
    """

    def __init__(self, data: bytes, delimiter: bytes, quote: bytes, escape: bytes, final: bool) -> None:
        import numpy as np

        data = masked(data, escape)
        self.np, self.length = np, len(data)
        array = np.frombuffer(data, np.uint8)
        ends = _bits(np, array, LF)
        self.bare_returns = None
        """Carriage returns that no line feed follows here, in quotes or not; None if there is none at all."""
        if b"\r" in data:
            returns = _bits(np, array, CR)
            self.bare_returns = returns & ~_earlier(np, ends)
            ends |= returns
        self.delimiters = _bits(np, array, delimiter[0])
        self.line_ends, self.inside = ends, None
        self.first_violation = self.length
        if quote and quote in data:
            self._quotes(_bits(np, array, quote[0]), final)

    def _quotes(self, quotes: Any, final: bool) -> None:
        np = self.np
        inside = _prefix_xor(np, quotes)
        edges = self.delimiters | self.line_ends | quotes
        before, after = _later(np, edges), _earlier(np, edges)
        before[0] |= np.uint64(1)  # nothing comes before the first byte
        last = self.length - 1
        after[last >> 6] |= np.uint64(1) << np.uint64(last & 63)  # the last one is judged with what follows it
        wrong = (quotes & inside & ~before) | (quotes & ~inside & ~after)
        self.line_ends = self.line_ends & ~inside
        self.broken_lines = edges & inside & ~quotes & ~self.delimiters
        self.delimiters = self.delimiters & ~inside
        self.inside = inside
        words = np.flatnonzero(wrong)
        if len(words):
            self.first_violation = int(words[0]) * 64 + _lowest(int(wrong[words[0]]))
        elif final and int(inside[last >> 6]) >> (last & 63) & 1:
            self.first_violation = self.length - 1  # a quote is never closed

    def whole(self) -> int:
        """Length of the part that is whole records, each of them well formed: up to the last line end that is one for certain."""
        np = self.np
        before = min(self.first_violation, self.length)
        words = self.line_ends[: (before + 63) >> 6].copy()
        if before & 63 and len(words):
            words[-1] &= np.uint64((1 << (before & 63)) - 1)
        found = np.flatnonzero(words)
        if not len(found):
            return 0
        return int(found[-1]) * 64 + int(words[found[-1]]).bit_length()

    def counts(self, upto: int) -> tuple[int, int]:
        """(delimiters between fields, bare carriage returns) in the first `upto` bytes."""
        return self._count(self.delimiters, upto), 0 if self.bare_returns is None else self._count(self.bare_returns, upto)

    def has_broken_lines(self) -> bool:
        """Whether a line end is inside quotes."""
        return self.inside is not None and bool(self.broken_lines.any())

    def end_lines(self, places: Any) -> Any:
        """Whether the byte at each place is a line end between records."""
        np = self.np
        return self.line_ends[places >> 6] >> (places & 63).astype(np.uint64) & np.uint64(1) == 1

    def filled(self, upto: int) -> int:
        """How many records there are in the first `upto` bytes, which end at the end of one; lines without anything are none."""
        blank = _later(self.np, self.line_ends)
        blank[0] |= self.np.uint64(1)
        count, last = self._count(self.line_ends & ~blank, upto), upto - 1
        return count + (not int(self.line_ends[last >> 6]) >> (last & 63) & 1)  # no line end after the last record

    def records(self, upto: int) -> tuple[Any, Any, Any]:
        """(starts, ends, delimiters) of the records in the first `upto` bytes; lines without anything are no records."""
        np = self.np
        ends = _positions(np, self.line_ends, upto)
        if not len(ends) or ends[-1] != upto - 1:
            ends = np.append(ends, upto)
        starts = np.concatenate(([0], ends[:-1] + 1))
        filled = starts < ends
        starts, ends = starts[filled], ends[filled]
        before = np.concatenate(([0], np.cumsum(np.bitwise_count(self.delimiters), dtype=np.int64)))
        return starts, ends, self._upto(before, ends) - self._upto(before, starts)

    def _upto(self, before: Any, places: Any) -> Any:
        """How many delimiters there are before each place; `before`: before each word."""
        np, words = self.np, places >> 6
        masks = (np.uint64(1) << (places & 63).astype(np.uint64)) - np.uint64(1)
        return before[words] + np.bitwise_count(self.delimiters[words] & masks)

    def _count(self, words: Any, upto: int) -> int:
        np = self.np
        total = int(np.bitwise_count(words[: upto >> 6]).sum(dtype=np.int64))
        if upto & 63:
            total += (int(words[upto >> 6]) & ((1 << (upto & 63)) - 1)).bit_count()
        return total


def masked(data: bytes, escape: bytes) -> bytes:
    """Of the same length, with nothing left that an escape makes text."""
    return re.sub(re.escape(escape) + b".", b"xx", data, flags=re.DOTALL) if escape and escape in data else data


def _bits(np: Any, array: Any, byte: int) -> Any:
    out = np.zeros(((len(array) + 63) // 64 + 1) * 8, np.uint8)
    for start in range(0, len(array), STRIPE):
        packed = np.packbits(array[start : start + STRIPE] == byte, bitorder="little")
        out[start // 8 : start // 8 + len(packed)] = packed
    return out.view("<u8")


def _prefix_xor(np: Any, words: Any) -> Any:
    out = words.copy()
    for shift in (1, 2, 4, 8, 16, 32):
        out ^= out << np.uint64(shift)
    odd = (out >> np.uint64(63)).astype(np.uint8)  # whether a word has an odd number of bits
    carried = np.bitwise_xor.accumulate(odd) ^ odd
    out ^= np.where(carried.astype(bool), np.uint64(0xFFFFFFFFFFFFFFFF), np.uint64(0))
    return out


def _later(np: Any, words: Any) -> Any:
    """Each bit one place on: what is true of the byte before."""
    out = words << np.uint64(1)
    out[1:] |= words[:-1] >> np.uint64(63)
    return out


def _earlier(np: Any, words: Any) -> Any:
    out = words >> np.uint64(1)
    out[:-1] |= words[1:] << np.uint64(63)
    return out


def _lowest(word: int) -> int:
    return (word & -word).bit_length() - 1


def _positions(np: Any, words: Any, upto: int) -> Any:
    bits = np.unpackbits(words[: (upto + 63) >> 6].view(np.uint8), bitorder="little")
    return np.flatnonzero(bits[:upto].view(bool))

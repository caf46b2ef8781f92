"""What a report may show of a dataset's values: examples, observed values and texts that quote some, masked before anything is written.

Values are read here and in no other place between the checks and the report (steps/audit.py): what leaves is masked by the kinds of
personal data that were found in the column, and, where the dataset is declared to hold some, as if every value were a name.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from flows.privacy.masks import IN_TEXT, mask, mask_value
from flows.project import Dataset as Declared
from flows.quality.previous import PREVIOUS
from flows.quality.results import CheckResult

LENGTH = 120  # characters of one example
EXAMPLES = 5
OBSERVED = 50  # values of an observed list
OF_ROWS = ("_max_", "_min_", "_median_", "_quantile_", "_most_common_", "_distinct_values_")
"""Parts of the names of expectations whose observed value is a value of some row, and no figure about all of them."""
TYPES = {"str", "int", "float", "bool", "bytes", "NoneType", "date", "datetime", "Timestamp", "Decimal", "list", "dict"}
"""Quoted by exceptions, and nobody's data."""
MASKED = "|".join([*map(re.escape, IN_TEXT.values()), r"\w\*\*\*@\*\*\*\.\w+"])
QUOTED = re.compile(r"« (.+?) »|'([^']*)'|\"([^\"]*)\"")


@dataclass(frozen=True)
class Shown:
    """What may be shown of one dataset. `kinds`: column -> kinds of personal data that were found in it."""

    kinds: Mapping[str, Sequence[str]]
    columns: Collection[str]
    personal_data: str = "none"

    @classmethod
    def of(cls, kinds: Mapping[str, Sequence[str]], declared: Declared, columns: Iterable[str] = ()) -> Shown:
        in_files = [c.source for c in declared.columns.values() if c.source]
        return cls(kinds, {*declared.columns, *in_files, *columns}, declared.personal_data)

    def result(self, result: CheckResult) -> CheckResult:
        if result.type in PREVIOUS:  # sentences about figures; a value in them is between quotation marks
            return replace(result, examples=[self.text(e) for e in result.examples], error=self.text(result.error))
        columns = result.columns
        if self.personal_data == "sensitive":
            examples = []
        else:
            examples = list(dict.fromkeys(self.value(columns, e) for e in result.examples))[:EXAMPLES]
        return replace(result, examples=examples, observed=self._observed(result), error=self.text(result.error))

    def value(self, columns: Collection[str], value: str) -> str:
        """A value of a column, of several of them together, or (no columns) of a whole row."""
        kinds = list(dict.fromkeys(kind for column in columns or self.kinds for kind in self.kinds.get(column, ())))
        if self.personal_data != "none" and not {"name", "address"} & set(kinds):
            kinds.append("name")  # a name that no rule knows is one all the same
        kinds.sort(key=lambda kind: kind in ("name", "address"))  # these leave first letters: whatever leaves more comes before
        shown = value if kinds else mask(value)
        for kind in kinds:  # one after the other: a cell with an address may hold a name as well
            shown = self._masked_again(shown, kind)
        return shown if len(shown) <= LENGTH else shown[: LENGTH - 1] + "…"

    def _masked_again(self, shown: str, kind: str) -> str:
        """What is masked already stays as it is, and so do names of columns beside values."""
        kept = "|".join([MASKED, *(f"'{re.escape(c)}':" for c in self.columns)])
        pieces = re.split(f"({kept})", shown)
        return "".join(piece if i % 2 else mask_value(piece, [kind]) for i, piece in enumerate(pieces))

    def text(self, text: str) -> str:
        """A sentence that may quote values: of an exception, or of how a file was read."""
        if self.kinds or self.personal_data != "none":
            text = QUOTED.sub(self._quoted, text)
        return mask(text)

    def _quoted(self, found: re.Match[str]) -> str:
        inside = next(g for g in found.groups() if g is not None)
        if inside in self.columns or inside in TYPES or not any(c.isalnum() for c in inside):
            return found[0]
        return found[0].replace(inside, mask_value(mask(inside), ["name"]))

    def _observed(self, result: CheckResult) -> Any:
        observed, is_figure = result.observed, isinstance(result.observed, int | float)
        if observed is None or isinstance(observed, bool):
            return observed
        of_rows = any(part in result.type for part in OF_ROWS)
        personal = any(self.kinds.get(c) for c in result.columns)
        if is_figure and not (of_rows and personal):
            return observed
        if self.personal_data == "sensitive" and of_rows:
            return None
        return self._masked(observed, result.columns)

    def _masked(self, value: Any, columns: Collection[str]) -> Any:
        if isinstance(value, dict):
            return {k: self._masked(v, columns) for k, v in value.items()}
        if isinstance(value, list | tuple | set):
            values = list(value)
            more = [f"… {len(values)}"] if len(values) > OBSERVED else []
            return [self._masked(v, columns) for v in values[:OBSERVED]] + more
        if value is None or isinstance(value, bool) or value in self.columns:
            return value
        if isinstance(value, int | float) and not any(self.kinds.get(c) for c in columns):
            return value
        return self.value(columns, str(value))

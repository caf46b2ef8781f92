"""How each expectation did over the versions of a dataset.

A trend goes with every report: that of the version before, and one more point. So a new report reads one object, however many there
were before, no two writers share one, and a load that was killed leaves nothing in the trends of others. Only figures are kept.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import NamedTuple

from flows.quality.previous import PREVIOUS
from flows.quality.results import CheckReport, CheckResult
from flows.quality.words import number, share

SETTINGS = {"min_value", "max_value", "strict_min", "strict_max", "mostly", "value", "threshold", "max_drop", "max_growth", "max_change"}
"""Arguments that only say how much: an expectation whose limits are changed keeps its trend."""


class Answer(NamedTuple):
    """What one expectation came to in one report."""

    success: bool
    share: float | None
    """Of rows that do not meet it, those that it took out included, 0 to 1; None for expectations of the whole table."""
    observed: float | None
    """A figure about the whole table."""

    @property
    def figure(self) -> float | None:
        return self.share if self.share is not None else self.observed


@dataclass(frozen=True)
class Point:
    """One report."""

    load_id: str
    at: str
    verdict: str
    total: int
    """Rows."""
    refused: int
    passed: int
    checks: int


@dataclass(frozen=True)
class Trend:
    points: list[Point] = field(default_factory=list)
    """The oldest first."""
    answers: dict[str, list[Answer | None]] = field(default_factory=dict)
    """key() -> one for each point; None where the expectation was not there."""

    def with_report(self, report: CheckReport, limit: int) -> Trend:
        """One point more; of more than `limit`, the newest."""
        named = keyed(report.results)
        now = {key: answer(result) for key, result in named.items()}
        known = {key: [*each, now.get(key)] for key, each in self.answers.items()}
        new = {key: [*[None] * len(self.points), one] for key, one in now.items() if key not in known}
        cut = {key: each[-limit:] for key, each in (known | new).items()}
        return Trend([*self.points, _point(report)][-limit:], {k: each for k, each in cut.items() if any(a is not None for a in each)})

    def of(self, key: str) -> list[tuple[Point, Answer]]:
        """The reports in which the expectation was, the oldest first."""
        return [(p, a) for p, a in zip(self.points, self.answers.get(key, []), strict=False) if a is not None]

    def to_json(self) -> bytes:
        return json.dumps(asdict(self), ensure_ascii=False, separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, data: bytes) -> Trend:
        plain = json.loads(data)
        answers = {key: [None if a is None else Answer(*a) for a in each] for key, each in plain["answers"].items()}
        return cls([Point(**p) for p in plain["points"]], answers)


def keyed(results: list[CheckResult]) -> dict[str, CheckResult]:
    """What tells an expectation from others, over the versions of its suite -> its result."""
    seen, named = Counter[str](), dict[str, CheckResult]()
    for result in results:
        own = {
            k: v for k, v in result.arguments.items() if k not in SETTINGS and k not in ("column", "column_A", "column_B", "column_list")
        }
        rest = hashlib.sha256(json.dumps(own, sort_keys=True, default=str).encode()).hexdigest()[:8] if own else ""
        key = "|".join([result.type, ",".join(result.columns), rest])
        seen[key] += 1
        named[f"{key}|{seen[key]}"] = result
    return named


def answer(result: CheckResult) -> Answer:
    part = None
    if result.level == "row" and result.unexpected is not None and (rows := result.judged_rows):
        part = round((result.unexpected + result.refused) / rows, 9)
    observed = result.observed if isinstance(result.observed, int | float) and not isinstance(result.observed, bool) else None
    return Answer(result.success, part, observed if observed is not None and math.isfinite(observed) else None)


def _point(report: CheckReport) -> Point:
    rows = report.rows
    return Point(
        report.load_id, report.at, report.verdict, rows.get("total", 0), rows.get("refused", 0), report.passed, len(report.results)
    )


# ---- in words ------------------------------------------------------------------------------------------------------


def streak(answers: list[Answer]) -> int:
    """How many times in a row, the last one included, it was as it is now."""
    last = answers[-1].success
    return next((n for n, a in enumerate(reversed(answers)) if a.success != last), len(answers))


def phrase(answers: list[Answer], kind: str = "") -> str:
    """For project teams: how it was before, in one phrase; nothing where there is no before. `kind`: type of the expectation."""
    if len(answers) < 2:
        return ""
    times = streak(answers)
    if answers[-1].success:
        said = f"satisfait {times} fois de suite" if times > 1 else "de nouveau satisfait"
    elif times == 1:
        before = streak(answers[:-1])
        said = (
            f"non satisfait, après {before} fois où il l'était" if before > 1 else "non satisfait, alors qu'il l'était la fois précédente"
        )
    else:
        said = f"non satisfait {times} fois de suite"
    further = "" if kind in PREVIOUS else moved(answers)  # a change is no figure that changes
    return f"{said} ; {further}" if further else said


def moved(answers: list[Answer]) -> str:
    """What its figure is now and was before, if that is not the same."""
    if len(answers) < 2:
        return ""
    before, now = answers[-2], answers[-1]
    if now.share is not None and before.share is not None:
        return "" if now.share == before.share else f"{share(now.share)} des lignes en cause, contre {share(before.share)} avant"
    if now.observed is not None and before.observed is not None and now.observed != before.observed:
        return f"{number(now.observed)}, contre {number(before.observed)} avant"
    return ""


def english(answers: list[Answer]) -> str:
    """For terminals, where it failed."""
    if len(answers) < 2 or answers[-1].success:
        return ""
    times = streak(answers)
    return f"failed {times} times in a row" if times > 1 else f"passed {streak(answers[:-1])} time(s) before"


def described(series: list[tuple[Point, Answer]]) -> str:
    """A drawing of it, for who does not see it."""
    failed = sum(not a.success for _, a in series)
    times = f"Contrôlé {len(series)} fois"
    return f"{times}, non satisfait {failed} fois" if failed else f"{times}, toujours satisfait"


# ---- drawn ---------------------------------------------------------------------------------------------------------

WIDTH, HEIGHT, EDGE = 140.0, 32.0, 5.0


@dataclass(frozen=True)
class Mark:
    x: float
    y: float
    success: bool


def drawn(series: list[tuple[Point, Answer]]) -> tuple[str, list[Mark]]:
    """(points of the line, as SVG writes them; one mark for each report). Where there are no figures, all marks are on one line."""
    figures = [a.figure for _, a in series]
    known = [f for f in figures if f is not None]
    low, high = (min(known), max(known)) if known else (0.0, 0.0)
    step = (WIDTH - 2 * EDGE) / max(1, len(series) - 1)
    marks = []
    for n, (_, one) in enumerate(series):
        height = 0.5 if one.figure is None or high == low else (one.figure - low) / (high - low)
        marks.append(Mark(round(EDGE + n * step, 1), round(HEIGHT - EDGE - height * (HEIGHT - 2 * EDGE), 1), one.success))
    return " ".join(f"{m.x},{m.y}" for m, f in zip(marks, figures, strict=True) if f is not None), marks


def figures(one: Answer) -> str:
    """As a cell of a table."""
    if one.share is not None:
        return f"{share(one.share)} des lignes"
    return number(one.observed) if one.observed is not None else "–"

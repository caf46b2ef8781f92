"""Would more rows help? The score of a candidate trained on part of the training side, then on more of it. Run when a person asks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from flows import progress

SHARES = (0.1, 0.25, 0.5, 1.0)


def learning_curve(
    rows: int, train_and_score: Callable[[int], Mapping[str, Any]], metric: str, shares: Sequence[float] = SHARES
) -> dict[str, Any]:
    """rows: of the training side. train_and_score: how many rows to train on -> metrics on the validation side, always the same rows.

    The rows of a smaller part should be among those of a larger one (Examples.read's `max_rows` does so): the points then differ by the
    rows that were added, not by which were drawn. `gain`: what the last step added to the score; None with one point or a score that does
    not exist.
    """
    sizes = sorted({min(rows, max(1, round(share * rows))) for share in shares})
    if not sizes or rows < 1 or min(shares) <= 0 or max(shares) > 1:
        raise ValueError(f"shares of {rows} rows: over 0 and up to 1, not {list(shares)}")
    points: list[dict[str, Any]] = []
    with progress.step("learning curve", "trainings", float(len(sizes))) as advance:
        for size in sizes:
            points.append({"rows": size, "share": size / rows, metric: dict(train_and_score(size)[metric])})
            advance(1)
    values = [p[metric]["value"] for p in points]
    known = len(values) > 1 and values[-1] is not None and values[-2] is not None
    return {"rows": rows, "metric": metric, "points": points, "gain": values[-1] - values[-2] if known else None}

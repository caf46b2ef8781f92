"""How the difference between two model versions looks in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flows.cli import display

if TYPE_CHECKING:
    from rich.console import Console

CHANGES = ("data", "settings", "model", "code and machine", "cost")


def told(found: dict[str, Any]) -> None:
    """`found`: of steps.compare.diff_models."""
    out = display.console()
    out.print(f"[bold]{' -> '.join(found['versions'])}[/]")
    out.print(f"made differently: {', '.join(found['made differently']) or 'nothing'}", markup=False)
    before, after = found["dataset"]
    out.print(f"dataset: {before}" + (f" -> {after}" if after != before else ""), markup=False)
    for title in CHANGES:
        if found[title]:
            out.print(f"[bold]{title}[/]")
        for name, old, new in found[title]:
            out.print(f"  {name}: {_said(old)} -> {_said(new)}", markup=False, soft_wrap=True)
    for title in ("labels added", "labels removed"):
        if found.get(title):
            out.print(f"{title}: {', '.join(found[title])}", markup=False)
    _scores(out, found["scores"])
    _same_rows(out, found["same rows"])


def _scores(out: Console, scores: dict[str, Any]) -> None:
    from rich.table import Table

    table = Table("score (95 %)", "before", "after", "difference", box=None, padding=(0, 2))
    for side, metrics in scores.items():
        for metric, (old, new) in metrics.items():
            known = old["value"] is not None and new["value"] is not None
            table.add_row(f"{metric}, {side}", _interval(old), _interval(new), f"{new['value'] - old['value']:+.3f}" if known else "–")
    out.print(table)
    out.print("  each on the test rows of its own time")


def _same_rows(out: Console, found: dict[str, Any]) -> None:
    if "why" in found:
        out.print(f"on the same rows: not compared, {found['why']}", markup=False)
        return
    left = f" ({found['other_truth']} more have another truth by now)" if found["other_truth"] else ""
    out.print(f"[bold]on the same {found['rows']} test rows[/]{left}, {found['metric']}")
    out.print(f"  {display.figure(found['champion'])} -> {display.figure(found['challenger'])}: {_paired(found)}")


def _paired(found: dict[str, Any]) -> str:
    if found["difference"] is None or found["low"] is None:
        return "no difference can be given"
    chance = "no more than chance" if found["low"] <= 0 <= found["high"] else "more than chance"
    return f"{found['difference']:+.3f} ({found['low']:+.3f} to {found['high']:+.3f}, p {found['p_value']:.2g}, {found['test']}), {chance}"


def _interval(score: dict[str, Any]) -> str:
    if score["value"] is None:
        return "–"
    ends = f" ({display.figure(score['low'])}–{display.figure(score['high'])})" if score.get("low") is not None else ""
    return display.figure(score["value"]) + ends


def _said(value: Any) -> str:
    if value is None or value == "":
        return "none"
    return f"{value:g}" if isinstance(value, float) and abs(value) < 1e6 else f"{value:,.0f}" if isinstance(value, float) else str(value)

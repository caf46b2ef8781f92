"""How results look in a terminal, and the same as JSON. Rich is only imported when something is shown."""

from __future__ import annotations

import dataclasses
import json
import sys
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

    from flows.lake import Lake
    from flows.project import Project
    from flows.steps.finetune import ModelOutcome
    from flows.steps.ingest import LoadOutcome
    from flows.steps.pipeline import RunResult

MARKS = {
    "passed": "[green]passed[/]",
    "warned": "[yellow]published, flagged[/]",
    "quarantined": "[yellow]rows set aside[/]",
    "unchanged": "[green]the same rows, no new version[/]",
    "refused": "[red]refused[/]",
}
ACTIONS = {"loaded": "new version", "checked": "checked again", "nothing": "unchanged", "refused": "refused"}


def console(*, stderr: bool = False) -> Console:
    from rich.console import Console

    made = Console(stderr=stderr, highlight=False, soft_wrap=False, emoji=False)
    if not made.is_terminal:
        made.width = 120  # a log or a file: no reason to cut figures
    return made


def as_json(value: Any) -> None:
    _write_json(value)


def _write_json(value: Any) -> None:
    sys.stdout.write(json.dumps(plain(value), ensure_ascii=False, indent=1, default=str) + "\n")


def plain(value: Any) -> Any:
    """Dataclasses and what is in them as JSON types."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value) if isinstance(value, Path) else value


def error(error: Any, *, as_json: bool) -> None:
    """Message, where, what next. Never a traceback: those are for bugs."""
    if as_json:
        fields = {k: getattr(error, k, "") for k in ("message", "where", "hint", "exit_code")}
        _write_json({"error": {"kind": type(error).__name__, **fields}})
        return
    from rich.markup import escape

    out = console(stderr=True)
    out.print(f"[bold red]✗[/] {escape(error.message)}")
    if error.where:
        out.print(f"  looked at: {escape(error.where)}")
    if error.hint:
        out.print(f"  next: {escape(error.hint)}")


def figure(value: float, digits: int = 3) -> str:
    return f"{value:.{digits}f}"


def count(value: int) -> str:
    return f"{value:,}".replace(",", " ")


def duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 90 else f"{seconds // 60:.0f} min {seconds % 60:.0f} s"


# ---- the summary of a run ------------------------------------------------------------------------------------------


def summary(result: RunResult, lake: Lake, project: Project, seconds: float) -> None:
    from rich.markup import escape
    from rich.panel import Panel

    out = console()
    out.print()
    out.print(Panel.fit(f"[bold]{escape(project.title)}[/]\n{escape(project.ministry)} · {project.name} · {escape(lake.place)}"))
    for dataset in result.datasets:
        _dataset(out, dataset, lake, project)
    for model in result.models:
        _model(out, model, project)
    for name, failure in result.failures:
        out.print(f"\n[bold red]✗ {name}[/]: {escape(failure.message)}")
        if failure.where:
            out.print(f"  looked at: {escape(failure.where)}")
        if failure.hint:
            out.print(f"  next: {escape(failure.hint)}")
    _where(out, result, lake, project)
    _steps(out, result, seconds)


def _dataset(out: Console, o: LoadOutcome, lake: Lake, project: Project) -> None:
    from rich.markup import escape

    out.print(
        f"\n[bold]{escape(project.datasets[o.dataset].title)}[/]  {o.version or project.name + '/' + o.dataset}  ({ACTIONS[o.action]})"
    )
    for reason in o.reasons if o.action != "refused" else []:
        out.print(f"  because {reason}", style="dim", markup=False)
    if o.report is None:
        return
    r = o.report
    out.print(f"  {count(r.rows['read'])} rows read, {count(r.rows['kept'])} kept, {count(r.rows['refused'])} refused")
    out.print(f"  checks: {r.passed} passed, {len(r.failed)} failed – {MARKS[r.verdict]}")
    for reason in r.reasons:
        out.print(f"    · {reason}", markup=False)
    for finding in r.findings:
        out.print(f"    note: {finding}", style="yellow", markup=False)
    for failed in r.failed:
        if failed.severity != "critical":
            found = failed.error or (failed.unexpected if failed.unexpected is not None else failed.observed)
            out.print(f"    · {failed.severity}: {failed.text} ({found})", markup=False)


def _model(out: Console, o: ModelOutcome, project: Project) -> None:
    from rich.markup import escape
    from rich.table import Table

    from flows.training.promotion import sentence

    model = project.models[o.model]
    metric = model.metric
    champion = o.state.aliases.get("champion") if o.state else None
    out.print(f"\n[bold]{escape(model.title)}[/]  {project.name}/{o.model}  ({o.action if o.action != 'nothing' else 'unchanged'})")
    if o.action == "waiting":
        out.print(f"  {'; '.join(o.reasons)}", markup=False)
        return
    table = Table("candidate", "version", f"{metric}, validation", f"{metric}, test (95 %)", "training", "size", box=None, padding=(0, 2))
    for column in table.columns:
        column.no_wrap = True
    for v in o.versions:
        test = v.metrics["test"][metric]
        name = f"{v.candidate['label']}" + ("  ★ champion" if v.number == champion else "")
        made = duration(v.cost["train_seconds"]) + ("" if v.number in o.trained else " (earlier)")
        interval = f"{figure(test['value'])} ({figure(test['low'])}–{figure(test['high'])})"
        row = [
            name,
            f"@{v.number}",
            figure(v.metrics["validation"][metric]["value"]),
            interval,
            made,
            f"{v.cost['size_bytes'] / 1e6:.1f} MB",
        ]
        table.add_row(*row, style="bold" if v.number == champion else "")
    out.print(table)
    if champion is not None and champion not in [v.number for v in o.versions]:
        out.print(f"  ★ champion: {project.name}/{o.model}@{champion}, of an earlier run, is still served")
    for v in o.versions:
        for notice in v.training.get("notices", []) if v.number in o.trained else []:
            out.print(f"  note: {v.candidate['label']}: {notice}", style="yellow", markup=False)
    if o.decision:
        out.print(f"  {'promoted' if o.decision.promoted else 'not promoted'}: {sentence(o.decision)}", markup=False)


def _where(out: Console, result: RunResult, lake: Lake, project: Project) -> None:
    from flows.lake import keys
    from flows.lake.models import Models

    lines = []
    for o in result.datasets:
        load_id = o.report.load_id if o.report else o.version.load.load_id if o.version else None
        if load_id:
            lines.append(("data docs", keys.check_docs(o.dataset, load_id)))
    for m in result.models:
        champion = m.state.aliases.get("champion") if m.state else None
        if champion is not None:
            version = Models(lake, result.project, m.model).version(champion)
            lines.append(("model card", keys.model_files(m.model, version.upload_id) + "README.md"))
    if not lines:
        return
    out.print("\n[bold]To read[/]")
    for what, key in lines:
        out.print(f"  {what}: {lake.table_uri(project.name, key)}", markup=False, soft_wrap=True)
    out.print(f"  or in a browser: socle up, then {lake.settings.public_docs_url}/{project.name}", soft_wrap=True)


def _steps(out: Console, result: RunResult, seconds: float) -> None:
    if result.steps:
        out.print("\n[bold]Time[/]")
        for name, spent in result.steps:
            out.print(f"  {duration(spent):>12}  {name}", markup=False)
    out.print(f"  {duration(seconds):>12}  in all")

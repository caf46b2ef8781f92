"""Real progress in a terminal: a bar where the total is known, a counter where it is not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from flows.progress import Timings, listening


class Bars:
    """Listener that draws. Finished steps stay as one line each."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.tasks: dict[str, tuple[TaskID, str, float | None]] = {}
        self.done: dict[str, float] = {}

    def started(self, name: str, unit: str, total: float | None) -> None:
        self.tasks[name] = (self.progress.add_task(name, total=total, shown=""), unit, total)
        self.done[name] = 0.0

    def advanced(self, name: str, amount: float) -> None:
        task, unit, total = self.tasks[name]
        self.done[name] += amount
        shown = f"{min(1.0, self.done[name] / total):.0%}" if total else _amount(self.done[name], unit)
        self.progress.update(task, completed=self.done[name], shown=shown)

    def ended(self, name: str, seconds: float, failed: bool) -> None:
        task, unit, _ = self.tasks[name]
        self.progress.remove_task(task)
        amount = f", {_amount(self.done[name], unit)}" if self.done[name] and unit != "%" else ""
        mark = "[red]✗[/]" if failed else "[green]✓[/]"
        self.progress.console.print(f"{mark} {name}  [dim]{seconds:.1f} s{amount}[/]")


def _amount(done: float, unit: str) -> str:
    return f"{done / 1e6:.1f} MB" if unit == "bytes" else f"{done:,.0f} {unit}".replace(",", " ")


@contextmanager
def bars(quiet: bool) -> Iterator[Timings]:
    """Listen to progress; draw it on standard error unless `quiet`."""
    if quiet:
        timings = Timings()
        with listening(timings):
            yield timings
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[shown]}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        timings = Timings(Bars(progress))
        with listening(timings):
            yield timings

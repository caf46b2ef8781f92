"""socle reproduce: a model version made again from its manifest, and compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.options import Json, Reference

if TYPE_CHECKING:
    from flows.steps.reproduce import Reproduction, ReproductionPlan

SAID = {
    "exact": "the same: every answer to the test rows, and every score",
    "within": "not bit for bit, but {metric} is within {tolerance} on both sides",
    "different": "different",
}


def reproduce(
    reference: Reference,
    tolerance: Annotated[
        float | None,
        typer.Option(min=0, help="Largest difference of the model's metric that does not count; by default that of `promote`."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what is not as it was then.")] = False,
    json: Json = False,
) -> None:
    """Make a model version again from its manifest and compare answers and scores. Commits nothing; exit 1 if it differs."""
    from flows.cli import display
    from flows.cli.progress_bars import bars
    from flows.errors import ConfigurationError
    from flows.lake.references import parse
    from flows.steps import open_run
    from flows.steps import reproduce as steps

    wanted = parse(reference)
    with open_run(wanted.project) as run:
        if wanted.name in run.project.datasets:
            raise ConfigurationError(f"{reference} is a dataset: only models are reproduced", hint="socle reproduce project/model@N")
        plan = steps.plan(run, wanted, tolerance)
        if not json:
            _beforehand(plan)
        if dry_run:
            if json:
                display.as_json({"version": str(plan.version), "dataset": str(plan.dataset), "notes": plan.notes})
            return
        with bars(quiet=json):
            found = steps.carry_out(run, plan)
    if json:
        display.as_json(found)
    else:
        _told(found)
    if found.verdict == "different":
        raise typer.Exit(1)


def _beforehand(plan: ReproductionPlan) -> None:
    from flows.cli import display

    out = display.console()
    base = f" and {plan.base.name}" if plan.base else ""
    out.print(f"[bold]{plan.version}[/]  {plan.version.candidate['label']}, from {plan.dataset}{base}", soft_wrap=True)
    if plan.notes:
        out.print("Not as it was then, so that the result may differ:")
    for note in plan.notes:
        out.print(f"  - {note}", markup=False, soft_wrap=True)
    if not plan.notes:
        out.print("Code, libraries and machine are as they were then.")


def _told(found: Reproduction) -> None:
    from rich.table import Table

    from flows.cli import display

    out = display.console()
    colour = "red" if found.verdict == "different" else "green"
    out.print(f"[bold {colour}]{SAID[found.verdict].format(metric=found.metric, tolerance=found.tolerance)}[/]")
    if found.examples:
        out.print(f"  the examples are others than then: {', '.join(found.examples)}")
    table = Table("score", "then", "now", "difference", box=None, padding=(0, 2))
    for side, scores in found.scores.items():
        for metric, (then, now) in scores.items():
            known = then is not None and now is not None
            gap = f"{now - then:+.2g}" if known and then is not None and now is not None else "–"
            table.add_row(f"{metric}, {side}", *(display.figure(v) if v is not None else "–" for v in (then, now)), gap)
    out.print(table)
    if a := found.answers:
        out.print(f"  {a['same']} of {a['rows']} test rows have the same answer; numbers differ by at most {a['largest_difference']:.2g}")
        if a["only_then"] or a["only_now"]:
            out.print(f"  {a['only_then']} test rows of then are none now, {a['only_now']} are new")
    else:
        out.print("  its answers to the test rows were not kept then: only scores are compared")
    if found.weights:
        same = sum(found.weights.values())
        out.print(f"  weights: {same} of {len(found.weights)} files are the same, byte for byte")


COMMANDS = (reproduce,)

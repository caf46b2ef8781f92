"""The result of a whole run, and the plain way to get it (flows/pipeline.py runs the same parts as Prefect flows)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from flows.errors import Refused, SocleError
from flows.lake.datasets import Dataset
from flows.steps import Run
from flows.steps.finetune import ModelOutcome, finetune_model
from flows.steps.ingest import LoadOutcome, load_dataset
from flows.steps.plan import in_order, plan_project


@dataclass
class RunResult:
    """What a run of a project did. One part that fails does not stop the others that do not need it."""

    project: str
    title: str
    run: str
    datasets: list[LoadOutcome] = field(default_factory=list)
    models: list[ModelOutcome] = field(default_factory=list)
    failures: list[tuple[str, SocleError]] = field(default_factory=list)
    """(dataset or model, why it stopped)."""
    steps: list[tuple[str, float]] = field(default_factory=list)
    """(step, seconds)."""

    @property
    def did_nothing(self) -> bool:
        actions = {d.action for d in self.datasets} | {m.action for m in self.models}
        return not self.failures and actions <= {"nothing"}

    @property
    def exit_code(self) -> int:
        """The gravest: 3 a system failed, 2 configuration, 1 refused, 0 done."""
        refused = [1 for d in self.datasets if d.refused]
        return max([error.exit_code for _, error in self.failures] + refused, default=0)

    def error(self) -> SocleError | None:
        """One error that stands for all that went wrong, with this result as its payload."""
        lines = [f"{d.dataset}: refused – {'; '.join(d.reasons)}" for d in self.datasets if d.refused]
        lines += [f"{name}: {error.message}" for name, error in self.failures]
        if not lines:
            return None
        gravest = max((e for _, e in self.failures), key=lambda e: e.exit_code, default=None)
        kind = type(gravest) if gravest and gravest.exit_code == self.exit_code else Refused
        summary = kind(
            "\n".join(lines), where=gravest.where if gravest else "", hint=gravest.hint if gravest else f"socle ls {self.project}"
        )
        summary.payload = self
        return summary

    def attempt(self, name: str, work: Callable[[], LoadOutcome | ModelOutcome]) -> None:
        """Run one part; keep its outcome or its failure."""
        try:
            self.add(work())
        except SocleError as error:
            self.failed(name, error)

    def add_waiting(self, run: Run, model: str) -> bool:
        """A model whose dataset was refused or failed, and never had a version, cannot be made: that is no failure of its own."""
        dataset = run.project.models[model].dataset
        stopped = {name for name, _ in self.failures} | {d.dataset for d in self.datasets if d.refused}
        if dataset not in stopped or Dataset(run.lake, run.project.name, dataset).latest() is not None:
            return False
        self.models.append(ModelOutcome(model, "waiting", [f"{dataset} has no version yet"], [], [], None, None, None))
        return True

    def add(self, outcome: LoadOutcome | ModelOutcome) -> None:
        if isinstance(outcome, LoadOutcome):
            self.datasets += [*outcome.earlier, replace(outcome, earlier=[])]
        else:
            self.models.append(outcome)

    def failed(self, name: str, error: SocleError) -> None:
        if isinstance(error.payload, LoadOutcome):  # a refused load is an outcome, not a failure; others were loaded before it
            self.add(error.payload)
            if error.payload.refused:
                return
        self.failures.append((name, error))


def run_plain(run: Run) -> RunResult:
    """Ingest and check every dataset, fine-tune what changed, promote: without Prefect."""
    plan_project(run, models=False)
    result = RunResult(run.project.name, run.project.title, run.id)
    for kind, name in in_order(run.project):
        if kind == "dataset":
            result.attempt(name, lambda name=name: load_dataset(run, name))  # type: ignore[misc]
        elif not result.add_waiting(run, name):
            result.attempt(name, lambda name=name: finetune_model(run, name))  # type: ignore[misc]
    return result

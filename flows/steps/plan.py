"""What a run has to do, read from the lake before anything heavy is imported.

Nothing here trains, checks or writes. A dataset is compared with its last load, a model with the versions that there are.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from flows.errors import ConfigurationError, NotFound, Refused, StorageError
from flows.lake import keys
from flows.lake.datasets import Dataset, DatasetVersion
from flows.lake.erasures import Erasures
from flows.lake.models import AliasMove, Models, ModelVersion
from flows.lake.raw import RawFile, RawStore
from flows.lake.references import parse
from flows.project import BaseModelCandidate, Project
from flows.project.sources import DatasetsSource, PseudonymisedSource
from flows.quality.results import CheckReport
from flows.quality.suites import Suite, load_suites
from flows.sources import Context, Source, open_source
from flows.steps import Run, corrections, fingerprints
from flows.training import TRAINING_REVISION
from flows.training.base_models import BaseModel, locate

Action = Literal["load", "check", "nothing", "refused"]


@dataclass(frozen=True)
class DatasetPlan:
    """What is to be done with one dataset, and why."""

    name: str
    action: Action
    reasons: list[str]
    files: list[RawFile] | None = None
    """What the load reads; None: the source has to be asked first."""
    ingest: fingerprints.Parts = field(default_factory=dict)
    check: fingerprints.Parts = field(default_factory=dict)
    load_id: str = ""
    current: DatasetVersion | None = None
    based_on: int | None = None
    """Delta version that this plan was made from, and that its commit must follow; None: there is no table yet."""
    refusal: CheckReport | None = None
    """For action `refused`: the same load was refused before."""
    source_state: dict[str, Any] = field(default_factory=dict)
    """What the source is to remember once this load is published."""
    record: dict[str, Any] = field(default_factory=dict)
    """Of the commit: what it says in place of what it would say of a load of new files (a replay)."""

    @property
    def ingest_fingerprint(self) -> str:
        return fingerprints.digest(self.ingest)

    @property
    def check_fingerprint(self) -> str:
        return fingerprints.digest([self.ingest, self.check])


@dataclass(frozen=True)
class CandidatePlan:
    label: str
    fingerprint: str
    parts: fingerprints.Parts
    base: BaseModel | None
    version: int | None
    """The version that was made from exactly this, if there is one."""


@dataclass(frozen=True)
class ModelPlan:
    name: str
    action: Literal["train", "decide", "nothing", "wait"]
    """wait: the dataset comes first, so what is to be done is not known yet."""
    reasons: list[str]
    candidates: list[CandidatePlan] = field(default_factory=list)
    decision: str = ""
    """Fingerprint of the promotion decision."""
    dataset: DatasetVersion | None = None
    state: AliasMove | None = None


@dataclass(frozen=True)
class ProjectPlan:
    datasets: list[DatasetPlan]
    models: list[ModelPlan]

    @property
    def is_empty(self) -> bool:
        return all(d.action == "nothing" for d in self.datasets) and all(m.action == "nothing" for m in self.models)


def plan_project(run: Run, *, datasets: bool = True, models: bool = True) -> ProjectPlan:
    """Raises: StorageError if the project's bucket is not there."""
    require_bucket(run)
    loads: dict[str, DatasetPlan] = {}
    trainings: dict[str, ModelPlan] = {}
    for kind, name in in_order(run.project):
        busy = {d.name for d in loads.values() if d.action == "load"} | {m.name for m in trainings.values() if m.action != "nothing"}
        if kind == "model" and models:
            trainings[name] = plan_model(run, name, busy)
        elif kind == "dataset" and datasets:
            after = [i for i in inputs_of(run.project, name) if i in busy or (i in run.project.models and not _has_champion(run, i))]
            loads[name] = DatasetPlan(name, "load", [f"after {', '.join(after)}"]) if after else plan_dataset(run, name)
    return ProjectPlan([loads[n] for n in run.project.datasets if n in loads], [trainings[n] for n in run.project.models if n in trainings])


def in_order(project: Project) -> list[tuple[Literal["dataset", "model"], str]]:
    """Every dataset and model, what each is made from before it: datasets, then models, then datasets that a model makes, and so on."""
    order: list[tuple[Literal["dataset", "model"], str]] = []
    done: set[str] = set()
    while len(order) < len(project.datasets) + len(project.models):
        for name in project.datasets:
            if name not in done and done.issuperset(inputs_of(project, name)):
                order.append(("dataset", name))
                done.add(name)
        ready = [n for n, model in project.models.items() if n not in done and model.dataset in done]
        if not ready:  # nothing, or parts that wait for each other: they say so themselves
            order += [("dataset", n) for n in project.datasets if n not in done]
            order += [("model", n) for n in project.models if n not in done]
            break
        order += [("model", n) for n in ready]
        done.update(ready)
    return order


def inputs_of(project: Project, name: str) -> list[str]:
    """Datasets and models of the project that this dataset is made from."""
    source = project.datasets[name].source
    if not isinstance(source, DatasetsSource | PseudonymisedSource):
        return []
    named = [r.name for r in (parse(text, project.name) for text in source.datasets) if r.project == project.name]
    return [*named, parse(source.model, project.name).name] if isinstance(source, PseudonymisedSource) else named


def _has_champion(run: Run, model: str) -> bool:
    state = Models(run.lake, run.project.name, model).state()
    return state is not None and "champion" in state.aliases


def require_bucket(run: Run) -> None:
    if not run.lake.bucket(run.project.name).bucket_exists():
        name = run.lake.bucket_name(run.project.name)
        raise StorageError(f"the bucket {name!r} does not exist", where=run.lake.place, hint="socle doctor --create")


# ---- datasets ------------------------------------------------------------------------------------------------------


def source_of(run: Run, name: str, current: DatasetVersion | None) -> tuple[Source, RawStore]:
    """`current`: the version that is served; what the source remembers of earlier loads travels in it."""
    raw = RawStore(run.lake.bucket(run.project.name), name)
    state = current.load.source_state if current else {}
    return open_source(run.project.datasets[name].source, Context(run.project, name, raw, run.settings, state)), raw


def erasures(run: Run, name: str) -> Erasures:
    return Erasures(run.lake.bucket(run.project.name), name)


def suites_of(run: Run, name: str) -> list[Suite]:
    return load_suites(run.settings.root, run.project.datasets[name].expectations)


def plan_dataset(run: Run, name: str, received: list[RawFile] | None = None) -> DatasetPlan:
    """`received`: the files, when the source has been asked already."""
    if name not in run.project.datasets:
        there = ", ".join(run.project.datasets)
        raise ConfigurationError(
            f"project {run.project.name} has no dataset {name!r}",
            where=f"datasets there: {there}",
            french=f"Le projet n'a pas de jeu de données « {name} ». Il a : {there}.",
        )
    dataset = run.project.datasets[name]
    based_on, history = Dataset(run.lake, run.project.name, name).state()
    current = history[0] if history else None
    files = received if received is not None else source_of(run, name, current)[0].identify()
    if files is None:
        return DatasetPlan(name, "load", ["the source was never read"], current=current, based_on=based_on)
    if not files:
        return replace(_nothing_new(run, name, current), based_on=based_on)
    if dataset.mode == "replace":
        return replace(_compare(run, name, files, current, files_are_new=True), based_on=based_on)
    if dataset.mode == "snapshot":
        new = _next_picture(name, files, history)
        files = [f for f in files if current and current.load.raw.get(f.name) == f.sha256]  # made again if the rules changed
    else:
        new = _new_files(files, history, dataset.mode)
    return replace(_compare(run, name, new or files, current, files_are_new=bool(new)), based_on=based_on)


def _nothing_new(run: Run, name: str, current: DatasetVersion | None) -> DatasetPlan:
    """The source gave nothing. Changed suites check what is there again; to read under other rules there is nothing."""
    nothing = DatasetPlan(name, "nothing", ["the source has nothing new"], [], current=current)
    if current is None:
        return nothing
    plan = _compare(run, name, [], current, files_are_new=False)
    return plan if plan.action == "check" else nothing


def _new_files(files: list[RawFile], history: list[DatasetVersion], mode: str) -> list[RawFile]:
    """Files to append or merge. Bytes that were loaded are never appended again; a file that is merged by key counts as new, too,
    when it went back to earlier bytes."""
    loaded, latest = _loaded(history)
    if mode == "append":
        return [f for f in files if f.sha256 not in loaded]
    return [f for f in files if latest.get(f.name, f.sha256 if f.sha256 in loaded else None) != f.sha256]


def _next_picture(name: str, files: list[RawFile], history: list[DatasetVersion]) -> list[RawFile]:
    """Each file is a full picture of its moment, and each becomes a version of its own: the next one, in the order of the names.

    Raises: Refused for a picture that comes before one that was loaded: it would be taken for the present one.
    """
    loaded, latest = _loaded(history)
    new = [f for f in files if latest.get(f.name, f.sha256 if f.sha256 in loaded else None) != f.sha256]
    newest = max(latest, default="")
    if early := [f.name for f in new if f.name < newest]:
        raise Refused(
            f"{early[0]} comes before {newest}, which is loaded already: it would be taken for what is so now",
            where=f"datasets.{name}.source",
            hint="pictures are loaded in the order of their names; to load them all again, use mode: replace or another dataset",
            french=f"L'instantané {early[0]} est antérieur à {newest}, déjà chargé : il ne peut plus être chargé après lui.",
        )
    return new[:1]


def _loaded(history: list[DatasetVersion]) -> tuple[set[str], dict[str, str]]:
    """(sha256 of all bytes that were ever loaded, name -> sha256 of what the source gave last under it)."""
    latest: dict[str, str] = {}
    for version in reversed(history):
        if not version.load.rollback:  # its files are those of an earlier load, not what the source gave last
            latest |= version.load.raw
    return {sha for version in history for sha in version.load.raw.values()}, latest


def _compare(run: Run, name: str, files: list[RawFile], current: DatasetVersion | None, files_are_new: bool) -> DatasetPlan:
    dataset = run.project.datasets[name]
    ingest = fingerprints.ingest_parts(run.project, dataset, files)
    if files_are_new or current is None:  # corrections of rows that were added already come in by a replay
        ingest |= corrections.fingerprint_part(run, name, files)
    check = fingerprints.check_parts(dataset, suites_of(run, name))
    load_id = fingerprints.digest([ingest, check, current.load.load_id if current else ""])
    before = current.load.last_parts if current else {}
    different = fingerprints.changed(before, ingest | check)
    if not files_are_new:  # the last load may have been of other files: which ones is not a difference then
        different = [d for d in different if d not in ("raw", corrections.PART)]
    action, reasons = _action(dataset.mode, files_are_new, ingest, different)
    earlier = _report(run, name, load_id) if action != "nothing" else None
    if action == "load" and earlier is not None and earlier.verdict == "refused":
        action, reasons = "refused", earlier.reasons
    elif action == "check" and earlier is not None:
        action, reasons = "nothing", []
    elif action == "load" and earlier is not None and earlier.verdict == "unchanged":
        action, reasons = "nothing", earlier.reasons
    if action == "load" and current is None:
        reasons = ["there is no version yet"]
    return DatasetPlan(name, action, reasons, files, ingest, check, load_id, current, refusal=earlier)


def _action(mode: str, files_are_new: bool, ingest: fingerprints.Parts, different: list[str]) -> tuple[Action, list[str]]:
    """A replaced table is made again when anything changed. Rows that were appended or merged stay: a changed suite only checks
    them again, and a file is never appended twice."""
    reasons = [f"{part} changed" for part in different]
    if mode == "replace" or (mode == "snapshot" and different):
        return ("load", reasons) if different else ("nothing", [])
    if files_are_new:
        return "load", [*(r for r in reasons if r != "raw changed"), "new source files"]
    settings = [d for d in different if d in ingest]
    if settings and mode == "upsert":
        return "load", reasons
    if [d for d in different if d not in ingest]:
        return "check", reasons
    return "nothing", [f"{part} changed: rows already appended stay as they are" for part in settings]


def _report(run: Run, name: str, load_id: str) -> CheckReport | None:
    try:
        return CheckReport.from_json(run.lake.bucket(run.project.name).get(keys.check_result(name, load_id)))
    except NotFound:
        return None


# ---- models --------------------------------------------------------------------------------------------------------


def plan_model(run: Run, name: str, busy: Collection[str] = ()) -> ModelPlan:
    """`busy`: datasets that are about to get another version."""
    if name not in run.project.models:
        raise ConfigurationError(
            f"project {run.project.name} has no model {name!r}",
            where=f"models there: {', '.join(run.project.models)}",
            french=f"Le projet n'a pas de modèle « {name} ». Il a : {', '.join(run.project.models) or 'aucun'}.",
        )
    model = run.project.models[name]
    dataset = Dataset(run.lake, run.project.name, model.dataset).latest()
    if model.dataset in busy or dataset is None:
        return ModelPlan(name, "wait", [f"after {model.dataset}"])
    store = Models(run.lake, run.project.name, name)
    state = store.state()
    candidates = _candidates(run, name, dataset, store, state)
    decision = fingerprints.digest([[c.fingerprint for c in candidates], model.promote.model_dump()])
    missing = [c for c in candidates if c.version is None]
    if missing:
        newest = _newest_parts(store)
        reasons = [f"{c.label}: {_why(c, newest)}" for c in missing]
        return ModelPlan(name, "train", reasons, candidates, decision, dataset, state)
    if state is None or state.decision.get("fingerprint") != decision:
        return ModelPlan(name, "decide", ["the promotion rule or the candidates changed"], candidates, decision, dataset, state)
    return ModelPlan(name, "nothing", [], candidates, decision, dataset, state)


def _candidates(run: Run, name: str, dataset: DatasetVersion, store: Models, state: AliasMove | None) -> list[CandidatePlan]:
    model = run.project.models[name]
    known: dict[str, int] = dict(state.decision.get("versions", {})) if state else {}
    older: dict[str, int] | None = None
    found = []
    for candidate, label in zip(model.all_candidates, model.labels, strict=True):
        base = None
        if isinstance(candidate, BaseModelCandidate):
            base = base_model(run, candidate)
        parts = fingerprints.candidate_parts(model, candidate, dataset.load.load_id, base.sha256 if base else "", TRAINING_REVISION)
        fingerprint = fingerprints.digest(parts)
        version = known.get(fingerprint)
        if version is None:  # not in the last decision: look through all versions, once
            if older is None:
                older = {v.fingerprint: v.number for v in store.versions()}
            version = older.get(fingerprint)
        found.append(CandidatePlan(label, fingerprint, parts, base, version))
    return found


def base_model(run: Run, candidate: BaseModelCandidate) -> BaseModel:
    """On this machine, verified. Raises: what locate() raises."""
    return locate(candidate, run.lake, run.settings.root, run.settings.state_folder / "base-models")


def _newest_parts(store: Models) -> dict[str, fingerprints.Parts]:
    """Label -> parts of its newest version."""
    newest: dict[str, ModelVersion] = {}
    for version in store.versions():
        newest.setdefault(str(version.candidate["label"]), version)
    return {label: v.candidate.get("parts", {}) for label, v in newest.items()}


def _why(candidate: CandidatePlan, newest: dict[str, fingerprints.Parts]) -> str:
    if candidate.label not in newest:
        return "never trained"
    return ", ".join(f"{part} changed" for part in fingerprints.changed(newest[candidate.label], candidate.parts))

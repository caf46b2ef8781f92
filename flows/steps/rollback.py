"""Go back to an earlier version of a dataset or to an earlier champion of a model. What was there stays, and can be gone back to.

A dataset gets a version more, which holds the rows of the earlier one again. The source has not changed by that: what it gave
last is not loaded again until the source, the rules or the settings change.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from flows.errors import NotFound
from flows.lake.datasets import Dataset, DatasetVersion
from flows.lake.models import AliasMove, Models
from flows.lake.references import Reference
from flows.steps import Run
from flows.steps.plan import require_bucket

CHAMPION = "champion"


@dataclass(frozen=True)
class RollbackOutcome:
    """`before` and `after`: numbers of the version that was served (or was champion), and of the one that is now.
    `restored`: the number of the version whose rows are served again; for a model, the same as `after`."""

    kind: Literal["dataset", "model"]
    name: str
    before: int
    after: int
    restored: int
    reason: str

    @property
    def changed(self) -> bool:
        return self.before != self.after


def rollback(run: Run, reference: Reference, reason: str) -> RollbackOutcome:
    """To the version that `reference` names; to the one before if it names none.

    Raises: NotFound if there is no such version; Conflict if somebody else moved it meanwhile.
    """
    require_bucket(run)
    if reference.name in run.project.datasets:
        return _dataset(run, reference, reason)
    if reference.name in run.project.models:
        return _model(run, reference, reason)
    names = ", ".join([*run.project.datasets, *run.project.models])
    raise NotFound(
        f"project {run.project.name} has neither dataset nor model {reference.name!r}",
        where=f"names there: {names}",
        french=f"Le projet n'a ni jeu de données ni modèle « {reference.name} ». Il a : {names}.",
    )


# ---- datasets ------------------------------------------------------------------------------------------------------


def _dataset(run: Run, reference: Reference, reason: str) -> RollbackOutcome:
    table = Dataset(run.lake, run.project.name, reference.name)
    based_on, history = table.state()
    if reference.alias is not None:
        raise NotFound(f"{reference}: a dataset has no {reference.alias}", hint=f"socle rollback {run.project.name}/{reference.name}@N")
    target = _version_before(reference, history) if reference.version is None else table.resolve(reference)
    current = history[0]
    standing = current.load.rollback.get("to", current.number)
    if target.number in (current.number, standing):
        return RollbackOutcome("dataset", reference.name, current.number, current.number, target.number, reason)
    record = replace(
        target.load,
        run=run.id,
        who=run.who,
        rollback={"to": target.number, "instead_of": current.number, "reason": reason},
        held=current.load.last_parts,
    )
    assert based_on is not None
    version = table.restore(target.number, based_on, record)
    return RollbackOutcome("dataset", reference.name, current.number, version.number, target.number, reason)


def _version_before(reference: Reference, history: list[DatasetVersion]) -> DatasetVersion:
    """The one that was loaded before the rows that are served now; another rollback goes one further back."""
    if history:
        standing = history[0].load.rollback.get("to", history[0].number)
        earlier = [v for v in history if v.number < standing and not v.load.rollback and v.expired is None]
        if earlier:
            return earlier[0]
    raise NotFound(
        f"{reference} has no earlier version to go back to",
        where=f"versions kept: {', '.join(str(v.number) for v in history if v.expired is None) or 'none'}",
        french=f"« {reference.name} » n'a pas de version antérieure à laquelle revenir.",
    )


# ---- models --------------------------------------------------------------------------------------------------------


def _model(run: Run, reference: Reference, reason: str) -> RollbackOutcome:
    store = Models(run.lake, run.project.name, reference.name)
    moves = list(store.moves())
    state = moves[0] if moves else None
    restores = None
    if reference.version is None and reference.alias is None:
        earlier = _champion_before(reference, moves)
        number, restores = earlier.aliases[CHAMPION], earlier.number
    else:
        number = store.resolve(reference).number
    before = state.aliases.get(CHAMPION, 0) if state else 0
    if number != before:
        store.move({CHAMPION: number}, expected=state, who=run.who, run=run.id, reason=reason, restores=restores)
    return RollbackOutcome("model", reference.name, before, number, number, reason)


def _champion_before(reference: Reference, moves: list[AliasMove]) -> AliasMove:
    """The move that made another version champion, before the one that stands; another rollback goes one further back."""
    by_number = {m.number: m for m in moves}
    standing = moves[0] if moves else None
    while standing is not None and standing.restores is not None:
        standing = by_number.get(standing.restores)
    if standing is not None:
        champion = standing.aliases.get(CHAMPION)
        for move in moves:
            if move.number < standing.number and move.restores is None and move.aliases.get(CHAMPION, champion) != champion:
                return move
    raise NotFound(
        f"{reference} had no other champion to go back to",
        hint=f"socle ls {reference.project}, then socle rollback {reference}@N",
        french=f"« {reference.name} » n'a pas eu d'autre champion auquel revenir.",
    )

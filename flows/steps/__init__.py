"""The steps of each flow as plain functions: they join the rooms, know nothing of Prefect, and are what tests kill.

flows/*.py wraps them in tasks. `Run` is what a step knows about the run that it belongs to.
"""

from __future__ import annotations

import errno
import getpass
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from flows.errors import SocleError, SystemFailure
from flows.lake import Lake
from flows.project import Project
from flows.settings import Settings, load_settings
from flows.validation import load_project


def whoami() -> str:
    """Who runs this, for histories: SOCLE_WHO (a worker's trigger), else the system user."""
    with suppress(KeyError, OSError):
        return os.environ.get("SOCLE_WHO") or getpass.getuser()
    return "unknown"


@dataclass(frozen=True)
class Run:
    """One run of one project: settings, lake, project, identity, and a work folder that is thrown away."""

    settings: Settings
    lake: Lake
    project: Project
    work: Path
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    who: str = field(default_factory=whoami)


@contextmanager
def open_run(project: str, run_id: str | None = None, who: str | None = None) -> Iterator[Run]:
    """Everything a run needs. The work folder goes away at the end; one left by a killed process goes at the next run."""
    settings = load_settings()
    loaded = load_project(settings.root, project)
    settings = settings.for_project(project)
    lake = Lake(settings)
    parent = settings.state_folder / "work"
    _remove_abandoned(parent)
    work = parent / f"{os.getpid()}-{uuid.uuid4().hex[:8]}"
    work.mkdir(parents=True)
    try:
        yield Run(settings, lake, loaded, work, run_id or uuid.uuid4().hex, who or whoami())
    finally:
        shutil.rmtree(work, ignore_errors=True)


@contextmanager
def work_disk(run: Run) -> Iterator[None]:
    """A full disk under the work folder -> SystemFailure. Polars, safetensors and Python each say it in their own way."""
    try:
        yield
    except SocleError:
        raise
    except Exception as error:
        if getattr(error, "errno", None) not in (errno.ENOSPC, errno.EDQUOT) and "No space left" not in str(error):
            raise
        raise SystemFailure("the disk of the work folder is full", where=str(run.work), hint="free some space, then run again") from None


def _remove_abandoned(parent: Path) -> None:
    for folder in parent.glob("*-*"):
        pid = folder.name.split("-")[0]
        if pid.isdigit() and not Path("/proc", pid).exists() and Path("/proc").exists():
            shutil.rmtree(folder, ignore_errors=True)

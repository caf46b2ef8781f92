"""A cleanup or an erasure in a process that ends itself with SIGKILL at one of its events: both sides of every write and deletion.

Run as `python -m tests.faults.cleaning ROOT WORK [NUMBER]`; without a number it goes through and prints the labels of its events.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

WORK = ("maintain", "purge")
LATER = timedelta(days=400)


def main(root: str, work: str, kill_at: int | None) -> None:
    os.environ["SOCLE_ROOT"] = root
    labels: list[str] = []

    def fire(label: str) -> None:
        if len(labels) == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        labels.append(label)

    install(fire)
    do(work)
    print(json.dumps(labels))


def do(work: str) -> None:
    from flows.steps import open_run
    from flows.steps.maintain import maintain_project
    from flows.steps.purge import purge
    from flows.steps.retention import Cutoffs

    with open_run("essai") as run:
        if work == "maintain":
            maintain_project(run, dry_run=False, cutoffs=Cutoffs.of(run, datetime.now(UTC) + LATER))
        elif work == "replay":
            from flows.steps.replay import replay

            assert replay(run, "demandes").exit_code == 0
        else:
            assert purge(run, "demandes", {"id": "d00003"}).is_clean


def install(fire: Any) -> None:
    import deltalake

    from flows.lake.local import LocalObjects

    def both_sides(owner: Any, name: str) -> None:
        original = getattr(owner, name)

        def replaced(*arguments: Any, **options: Any) -> Any:
            fire(f"before {name}")
            result = original(*arguments, **options)
            fire(f"after {name}")
            return result

        setattr(owner, name, replaced)

    for name in ("put", "create", "delete"):
        both_sides(LocalObjects, name)
    both_sides(deltalake, "write_deltalake")
    for name in ("create_write_transaction", "delete", "create_checkpoint"):
        both_sides(deltalake.DeltaTable, name)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else None)

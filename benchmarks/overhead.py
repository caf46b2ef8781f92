"""What the pipeline costs around the work itself: `socle run` (command line, Prefect, artifacts) against the same steps called
as plain functions in one process, both from nothing to a promoted model."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.measure import interleaved, show
from benchmarks.projects import environment, small_project

BIN = Path(sys.executable).parent
ROUNDS = 3
PLAIN = """
from flows.steps import open_run
from flows.steps.pipeline import run_plain
with open_run("mesure") as run:
    result = run_plain(run)
    assert result.exit_code == 0, result
"""


def main() -> None:
    spent: dict[str, float] = {}

    def once(command: list[str | Path], keep_prefect: Path | None = None) -> None:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            small_project(root)
            env = environment(root) | ({"PREFECT_HOME": str(keep_prefect)} if keep_prefect else {})
            done = subprocess.run(command, env=env, check=True, capture_output=True, text=True)
            if done.stdout.startswith("{"):
                for name, seconds in json.loads(done.stdout)["result"]["steps"]:
                    spent[name] = spent.get(name, 0.0) + seconds / ROUNDS

    with tempfile.TemporaryDirectory() as prefect_home:
        database = Path(prefect_home)
        once([BIN / "socle", "run", "mesure", "--json"], database)  # makes Prefect's database, once for all
        spent.clear()
        seconds = interleaved(
            {
                "the steps as plain functions": lambda: once([sys.executable, "-c", PLAIN]),
                "socle run (embedded Prefect server)": lambda: once([BIN / "socle", "run", "mesure", "--json"], database),
            },
            ROUNDS,
        )
    show(seconds, "the steps as plain functions")
    print(f"   in `socle run`, the steps themselves took {sum(spent.values()):.1f} s:")
    for name, value in spent.items():
        print(f"      {value:>6.2f} s  {name}")

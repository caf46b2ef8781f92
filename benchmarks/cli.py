"""`socle --help` (goal: under 0.5 s) and a run with nothing to do (goal: under 3 s), beside what they stand on."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.measure import interleaved, show
from benchmarks.projects import environment, small_project

BIN = Path(sys.executable).parent
ROUNDS = 5


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        small_project(root)
        env = environment(root)
        subprocess.run([BIN / "socle", "run", "mesure"], env=env, check=True, capture_output=True)

        def command(*words: str | Path) -> Callable[[], None]:
            return lambda: subprocess.run(list(words), env=env, check=True, capture_output=True) and None

        seconds = interleaved(
            {
                "socle --help": command(BIN / "socle", "--help"),
                "socle run, nothing changed": command(BIN / "socle", "run", "mesure"),
                "prefect --help": command(BIN / "prefect", "--help"),
                "python -c 'import prefect'": command(sys.executable, "-c", "import prefect"),
            },
            ROUNDS,
        )
        show(seconds, "prefect --help")
        shutil.rmtree(root / ".socle", ignore_errors=True)

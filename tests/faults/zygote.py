"""A warm process that forks the runs to be killed: heavy imports are paid once, yet every kill hits a process of its own.

Run as `python -m tests.faults.zygote`. Requests and answers are lines of JSON on standard input and output. It only imports
and never computes: threads of Polars or deltalake would not survive a fork.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path
from typing import Any

WARM = (
    "great_expectations",
    "pandas",
    "polars",
    "deltalake",
    "pyarrow.csv",
    "pyarrow.dataset",
    "encodings.utf_8_sig",
    "sklearn.linear_model",
    "flows.steps.pipeline",
    "flows.quality.expectations",
    "flows.quality.docs",
    "flows.training.baseline",
    "flows.training.card",
    "flows.training.evaluation",
    "flows.formats.csv",
    "flows.sources.file",
    "tests.faults.events",
)
LIMIT_S = 120.0


class Zygote:
    """The side of the tests."""

    def __init__(self) -> None:
        quiet = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "POLARS_MAX_THREADS": "2"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.zygote"],
            cwd=Path(__file__).parents[2],
            env={k: v for k, v in os.environ.items() if not k.startswith(("SOCLE_", "PREFECT_"))} | quiet,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def start(self, root: Path, **request: Any) -> None:
        """Begin runs of the project under `root`; see `_work` and `_watch` for what a request can hold."""
        assert self.process.stdin
        self.process.stdin.write(json.dumps({"root": str(root), **request}) + "\n")
        self.process.stdin.flush()

    def finish(self) -> dict[str, Any]:
        """{killed: bool, at: label, runs: [...], labels: [...]}. Fails if the process ended in any other way."""
        assert self.process.stdout
        line = self.process.stdout.readline()
        assert line, "the zygote died"
        answer: dict[str, Any] = json.loads(line)
        assert answer["status"] in ("killed", "done"), answer
        return answer | {"killed": answer["status"] == "killed"}

    def run(self, root: Path, **request: Any) -> dict[str, Any]:
        self.start(root, **request)
        return self.finish()

    def close(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait(30)


# ---- the side of the zygote ------------------------------------------------------------------------------------------


def main() -> None:
    answers, sys.stdout = sys.stdout, sys.stderr
    for name in WARM:
        importlib.import_module(name)
    for line in sys.stdin:
        request = json.loads(line)
        folder = Path(request["root"], "killed")
        folder.mkdir(exist_ok=True)
        for old in folder.iterdir():
            old.unlink()
        pid = os.fork()
        if pid == 0:
            _child(request, folder)
        status = _watch(pid, request)
        answers.write(json.dumps(_answer(status, folder)) + "\n")
        answers.flush()


def _answer(status: int, folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = {"status": "failed", "code": status, "at": "from outside", "runs": [], "labels": []}
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        found["status"] = "killed"
    elif status == 0:
        found["status"] = "done"
    if (folder / "at").exists():
        found["at"] = (folder / "at").read_text()
    if (folder / "result.json").exists():
        found |= json.loads((folder / "result.json").read_text())
    if found["status"] == "failed":
        found["log"] = (folder / "log").read_text()[-3000:]
    return found


def _watch(pid: int, request: dict[str, Any]) -> int:
    """Wait for the process. `kill_after`: kill it after so many seconds; `kill_when`: [folder, suffix], as soon as such a file is new."""
    after, when = request.get("kill_after"), request.get("kill_when")
    start, before = time.monotonic(), _files(when)
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return status
        spent = time.monotonic() - start
        if (after is not None and spent > after) or (when and _files(when) - before) or spent > LIMIT_S:
            os.kill(pid, signal.SIGTERM if spent > LIMIT_S else signal.SIGKILL)  # SIGTERM: hung, which is a failure
            return os.waitpid(pid, 0)[1]
        time.sleep(0.0002 if when else 0.002)


def _files(when: list[str] | None) -> set[str]:
    if not when:
        return set()
    with contextlib.suppress(FileNotFoundError):
        return {path.name for path in Path(when[0]).iterdir() if path.name.endswith(when[1])}
    return set()


def _child(request: dict[str, Any], folder: Path) -> None:
    log = os.open(folder / "log", os.O_WRONLY | os.O_CREAT)
    os.dup2(log, 1)
    os.dup2(log, 2)
    try:
        result = _work(request, folder)
        (folder / "result.json").write_text(json.dumps(result))
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(70)


def _work(request: dict[str, Any], folder: Path) -> dict[str, Any]:
    """`times` runs, one after the other. With `trace` or `kill_at`, events are counted."""
    from flows import progress
    from tests.faults.events import Steps, Trigger, install

    os.environ["SOCLE_ROOT"] = request["root"]
    os.environ["SOCLE_BATCH_ROWS"] = "20"  # several batches, so that reading has a middle
    os.environ.update(request.get("env", {}))
    trigger = Trigger(request.get("kill_at"), request.get("pause_s", 0.0), folder / "at")
    if not (request.get("trace") or "kill_at" in request):
        return {"runs": [_one() for _ in range(request.get("times", 1))]}
    install(trigger, Path(request["root"], ".socle", "lake"))
    with progress.listening(Steps(trigger)):
        runs = [_one() for _ in range(request.get("times", 1))]
    return {"runs": runs, "labels": trigger.labels}


def _one() -> dict[str, Any]:
    from flows.errors import SocleError
    from flows.steps import open_run
    from flows.steps.pipeline import run_plain

    try:
        with open_run("essai") as run:
            result = run_plain(run)
    except SocleError as error:
        return {"exit_code": error.exit_code, "did_nothing": False, "error": str(error)}
    error_ = result.error()
    return {"exit_code": result.exit_code, "did_nothing": result.did_nothing, "error": str(error_) if error_ else ""}


if __name__ == "__main__":
    main()

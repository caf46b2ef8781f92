"""`python -m flows.worker.process`: Prefect's process worker, which can be replaced without losing a run.

SIGTERM: it takes no more runs, lets those that go on finish, and ends. What is not finished in time is handed back: the run is
scheduled again, its process is killed, and another worker starts it anew. SIGINT hands back at once. Prefect's own command
cancels what it runs in both cases, and the runs end as crashed.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Awaitable
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from prefect.workers.process import ProcessWorker

from flows.worker.lost import Search

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun

HANDED_BACK = "Le worker a été arrêté ou remplacé : l'exécution reprend depuis le début sur un autre."
AGAIN_S = 10  # until a run that was handed back is due again: its old process is gone by then
HAND_BACK_S = 10.0  # longest time for the server to take them back
POLL_S = 0.5


class Worker(ProcessWorker):
    """Counts its runs, and takes none while it drains."""

    draining = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.going: set[UUID] = set()

    @classmethod
    def __dispatch_key__(cls) -> str | None:
        return "socle-process"  # to the server it is of type `process`; Prefect's own class keeps that name here

    async def get_and_submit_flow_runs(self) -> list[FlowRun]:
        return [] if self.draining else await super().get_and_submit_flow_runs()

    async def run(self, flow_run: FlowRun, *args: Any, **kwargs: Any) -> Any:
        self.going.add(flow_run.id)
        try:
            return await super().run(flow_run, *args, **kwargs)
        finally:
            self.going.discard(flow_run.id)

    @property
    def idle(self) -> bool:
        return not self.going and not self._submitting_flow_run_ids  # what is on its way from the server counts

    async def drained(self) -> None:
        self.draining = True
        while not self.idle:
            await asyncio.sleep(POLL_S)


async def work(worker: Worker, drain_s: float, lost_s: float) -> None:
    """Returns when it was asked to end and has nothing left, or has handed back what was left."""
    ending, now = asyncio.Event(), asyncio.Event()
    parent = os.getppid()

    def asked_to_end() -> None:
        # The kernel sends SIGTERM, too, when whoever started us was killed: the warm process is ended then, and its runs with it.
        (ending if os.getppid() == parent else now).set()

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, asked_to_end)
    loop.add_signal_handler(signal.SIGINT, now.set)
    working = asyncio.create_task(worker.start(printer=_say))
    searching = asyncio.create_task(_search(worker, timedelta(seconds=lost_s)))
    await _first(working, ending.wait(), now.wait())
    searching.cancel()
    if working.done():
        await working
        return
    if not now.is_set() and not worker.idle:
        _say(f"no more runs are taken; those that go on ({len(worker.going)}) have {drain_s:.0f} s to finish")
        await _first(working, now.wait(), asyncio.wait_for(worker.drained(), drain_s))
    worker.draining = True
    if not worker.idle:
        await _hand_back(worker)
    working.cancel()
    await asyncio.wait([working], timeout=HAND_BACK_S)


async def _search(worker: Worker, silent: timedelta) -> None:
    from prefect.client.orchestration import get_client

    async with get_client() as client:
        await Search(client, worker._work_pool_name, silent).keep_looking()


async def _hand_back(worker: Worker) -> None:
    """Ends this process: between the killing and its end, nothing of the worker may see that the runs ended and report them."""
    left = sorted(worker.going | worker._submitting_flow_run_ids)
    _say(f"handing back {len(left)} run(s)")
    try:
        back = asyncio.gather(*[_schedule_again(worker, run) for run in left], return_exceptions=True)
        results = await asyncio.wait_for(back, HAND_BACK_S)
        failed = [run for run, result in zip(left, results, strict=True) if isinstance(result, BaseException)]
    except TimeoutError:
        failed = left
    for run in failed:
        _say(f"the server did not take {run} back: it is closed when it gives no sign of life")
    _kill_runs()
    sys.stdout.flush()
    os._exit(0)


async def _schedule_again(worker: Worker, run: UUID) -> None:
    from prefect.client.schemas.objects import State
    from prefect.states import AwaitingRetry
    from prefect.types._datetime import now

    present = (await worker.client.read_flow_run(run)).state
    if present is not None and (present.is_final() or present.is_cancelling()):
        return  # somebody closed it, or wants it ended: it does not come back
    again: State[Any] = AwaitingRetry(scheduled_time=now("UTC") + timedelta(seconds=AGAIN_S), message=HANDED_BACK)
    await worker.client.set_flow_run_state(run, again, force=True)


def _kill_runs() -> None:
    """The launchers; the warm process ends a run whose launcher is gone."""
    import psutil

    for child in psutil.Process().children():
        child.kill()


async def _first(*waits: Awaitable[Any]) -> None:
    tasks = [asyncio.ensure_future(each) for each in waits]
    done, rest = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in rest & set(tasks[1:]):  # the first one is the work itself
        task.cancel()
    for task in done - {tasks[0]}:
        task.exception()  # a time that ran out is no error


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pool", required=True)
    parser.add_argument("--work-queue", action="append")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--name")
    parser.add_argument("--drain-s", type=float, required=True)
    parser.add_argument("--lost-s", type=float, required=True)
    given = parser.parse_args()

    async def run() -> None:
        await work(Worker(given.pool, work_queues=given.work_queue, name=given.name, limit=given.limit), given.drain_s, given.lost_s)

    asyncio.run(run())


if __name__ == "__main__":
    main()

"""From messages to targets: folded if there are many of a kind, tried again if a target does not answer, counted, never dropped
without a word."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from dataclasses import dataclass, field

from flows.errors import SocleError
from flows.notify import targets
from flows.notify.messages import Message, folded
from flows.notify.targets import Target
from flows.settings import Settings

log = logging.getLogger("socle.notify")
AT_ONCE = 4  # targets that are being talked to
FIRST_PAUSE_S, GROWS, LONGEST_S = 5.0, 4.0, 900.0
SHOWN = 20  # of the messages that are told as one
STOP_S = 10.0  # to deliver what is left when it ends


@dataclass
class Window:
    """Messages of one key since the first of them was sent."""

    first: Message
    others: list[Message] = field(default_factory=list)
    count: int = 0


class Delivery:
    """Lives in the event loop of the server."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.targets = targets.read(settings.notify_urls_file)
        self.counts: Counter[str] = Counter({"taken": 0, "sent": 0, "tried_again": 0, "failed": 0, "nobody": 0, "refused": 0})
        self.windows: dict[str, Window] = {}
        self.tasks: dict[asyncio.Task[None], Message] = {}
        self._free = asyncio.Semaphore(AT_ONCE)
        self._clocks: dict[asyncio.Task[None], str] = {}

    @property
    def waiting(self) -> int:
        return len(self.tasks)

    def take(self, message: Message) -> bool:
        """False: there are too many already; whoever sent it shall come again."""
        if (window := self.windows.get(message.key)) is not None:
            window.count += 1
            if len(window.others) < SHOWN:
                window.others.append(message)
        elif self.waiting >= self.settings.notify_queue:
            self.counts["refused"] += 1
            log.error("refused, %d messages wait already: %s", self.waiting, message.title)
            return False
        else:
            if self.settings.notify_fold_min:
                self._open(message)
            self._send_to_all(message)
        self.counts["taken"] += 1
        return True

    async def stop(self) -> None:
        """What was folded is told now; what cannot be delivered in time is logged."""
        for clock in list(self._clocks):
            clock.cancel()
        for window in list(self.windows.values()):
            self._tell(window)
        self.windows.clear()
        if self.tasks:
            await asyncio.wait(self.tasks, timeout=STOP_S)
        for task, message in self.tasks.items():
            task.cancel()
            log.error("not delivered before the end: %s", message.title)

    def _open(self, message: Message) -> None:
        self.windows[message.key] = Window(message)
        clock = asyncio.create_task(self._close_later(message.key))
        self._clocks[clock] = message.key
        clock.add_done_callback(lambda task: self._clocks.pop(task, None))

    async def _close_later(self, key: str) -> None:
        """A window with something in it is followed by another one."""
        while True:
            await asyncio.sleep(self.settings.notify_fold_min * 60)
            window = self.windows[key]
            if not window.count:
                del self.windows[key]
                return
            self.windows[key] = Window(window.first)
            self._tell(window)

    def _tell(self, window: Window) -> None:
        if window.count:
            self._send_to_all(folded(window.first, window.others, window.count))

    def _send_to_all(self, message: Message) -> None:
        try:
            self.targets = targets.read(self.settings.notify_urls_file)  # a new secret needs no restart
        except SocleError as error:
            log.error("%s; the addresses of before are used", error)
        wanted = [target for target in self.targets if target.wants(message)]
        if not wanted:
            self.counts["nobody"] += 1
            log.warning("nobody is to be told: %s", message.title)
        for target in wanted:
            task = asyncio.create_task(self._deliver(target, message))
            self.tasks[task] = message
            task.add_done_callback(lambda done: self.tasks.pop(done, None))

    async def _deliver(self, target: Target, message: Message) -> None:
        for left in reversed(range(self.settings.notify_tries)):
            async with self._free:
                taken = await asyncio.to_thread(targets.send, target, message)
            if taken:
                self.counts["sent"] += 1
                log.info("told (%s): %s", target, message.title)
                return
            if left:
                self.counts["tried_again"] += 1
                await asyncio.sleep(self._pause(self.settings.notify_tries - left - 1))
        self.counts["failed"] += 1
        log.error("not delivered in %d tries (%s): %s", self.settings.notify_tries, target, message.title)

    @staticmethod
    def _pause(number: int) -> float:
        return float(min(FIRST_PAUSE_S * GROWS**number, LONGEST_S))

"""Folding, trying again, counting: with targets that are down, slow or not there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from flows.notify import delivery, targets
from flows.notify.delivery import Delivery
from flows.notify.messages import Message
from flows.settings import load_settings

Make = Callable[..., Delivery]


class Post:
    """Takes what is sent; `refuses`: how often it does not."""

    def __init__(self) -> None:
        self.got: list[tuple[int, Message]] = []
        self.refuses = 0

    def send(self, target: targets.Target, message: Message) -> bool:
        if self.refuses > 0:
            self.refuses -= 1
            return False
        self.got.append((target.line, message))
        return True

    @property
    def titles(self) -> list[str]:
        return [message.title for _, message in self.got]


@pytest.fixture
def post(monkeypatch: pytest.MonkeyPatch) -> Post:
    post = Post()
    monkeypatch.setattr(targets, "send", post.send)
    monkeypatch.setattr(delivery, "FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(delivery, "STOP_S", 5.0)
    return post


@pytest.fixture
def make(root: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    def build(lines: str = "* = json://127.0.0.1\n", **settings: object) -> Delivery:
        (root / "urls").write_text(lines)
        monkeypatch.setenv("SOCLE_NOTIFY_URLS_FILE", str(root / "urls"))
        for name, value in settings.items():
            monkeypatch.setenv(f"SOCLE_NOTIFY_{name.upper()}", str(value))
        return Delivery(load_settings())

    return build


def message(name: str, project: str = "essai", key: str | None = None) -> Message:
    return Message(project, key or name, name, f"L'exécution : http://ui/{name}")


async def settle(found: Delivery) -> None:
    while found.tasks:
        await asyncio.sleep(0.01)


def test_it_goes_to_the_targets_of_its_project_and_to_those_of_all(make: Make, post: Post) -> None:
    async def run() -> None:
        found = make("* = json://a\nessai = json://b\nautre = json://c\n")
        assert found.take(message("un")) and found.take(message("deux", "autre"))
        await settle(found)
        assert sorted((line, m.title) for line, m in post.got) == [(1, "deux"), (1, "un"), (2, "un"), (3, "deux")]
        assert found.counts["sent"] == 4 and found.counts["taken"] == 2

    asyncio.run(run())


def test_many_of_a_kind_are_told_as_one(make: Make, post: Post) -> None:
    async def run() -> None:
        found = make(fold_min=0.005)
        for number in range(30):
            assert found.take(message(f"m{number}", key="k"))
        await settle(found)
        assert post.titles == ["m0"]
        while len(post.got) < 2:
            await asyncio.sleep(0.02)
        assert post.titles[1] == "m0 (29 autres)"
        assert "http://ui/m1\n" in post.got[1][1].text and "... et 9 encore" in post.got[1][1].text
        while found.windows:
            await asyncio.sleep(0.02)
        assert len(post.got) == 2, "a window without anything in it says nothing"
        found.take(message("plus tard", key="k"))
        await settle(found)
        assert post.titles[2] == "plus tard"

    asyncio.run(run())


def test_it_is_tried_again_and_given_up_loudly(make: Make, post: Post, caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        found = make(tries=3)
        post.refuses = 2
        found.take(message("passe"))
        await settle(found)
        assert post.titles == ["passe"] and found.counts["tried_again"] == 2
        post.refuses = 3
        found.take(message("perdu"))
        await settle(found)
        assert post.titles == ["passe"] and found.counts["failed"] == 1

    asyncio.run(run())
    assert "not delivered in 3 tries (json of line 1): perdu" in caplog.text


def test_beyond_the_queue_senders_are_told(make: Make, post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        found = make(queue=2, tries=2)
        monkeypatch.setattr(delivery, "FIRST_PAUSE_S", 60.0)
        post.refuses = 99
        assert found.take(message("un")) and found.take(message("deux"))
        assert not found.take(message("trois")) and found.counts["refused"] == 1
        monkeypatch.setattr(delivery, "STOP_S", 0.05)
        await found.stop()

    asyncio.run(run())


def test_nobody_to_tell_is_said(make: Make, post: Post, caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        found = make("autre = json://c\n")
        found.take(message("un"))
        await settle(found)
        assert found.counts["nobody"] == 1

    asyncio.run(run())
    assert "nobody is to be told: un" in caplog.text


def test_the_end_tells_what_was_folded_and_logs_what_is_left(make: Make, post: Post, caplog: pytest.LogCaptureFixture, monkeypatch) -> None:
    async def run() -> None:
        found = make()
        found.take(message("un", key="k"))
        found.take(message("deux", key="k"))
        await found.stop()
        assert post.titles == ["un", "un (1 autre)"]
        again = make()
        monkeypatch.setattr(delivery, "FIRST_PAUSE_S", 60.0)
        monkeypatch.setattr(delivery, "STOP_S", 0.05)
        post.refuses = 9
        again.take(message("trois"))
        await again.stop()

    asyncio.run(run())
    assert "not delivered before the end: trois" in caplog.text


def test_new_addresses_count_at_once_and_bad_ones_keep_the_old(make: Make, post: Post, root: Path, caplog) -> None:
    async def run() -> None:
        found = make("* = json://a\n")
        (root / "urls").write_text("# un\n* = json://b\n")
        found.take(message("un"))
        await settle(found)
        (root / "urls").write_text("n'importe quoi")
        found.take(message("deux"))
        await settle(found)
        assert post.got == [(2, message("un")), (2, message("deux"))]

    asyncio.run(run())
    assert "the addresses of before are used" in caplog.text

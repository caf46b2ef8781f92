"""What a `socle up` on this machine tells other commands about itself."""

from __future__ import annotations

from pathlib import Path

from flows.cli.embedded import UP_FILE, has_notifier, note_up, running_server
from flows.settings import load_settings

HERE, ELSEWHERE = "http://127.0.0.1:4200/api", "https://socle.example.gouv.fr:9443/api"


def test_only_a_server_of_this_machine_is_known_to_have_no_notifier(root: Path) -> None:
    settings = load_settings()
    assert has_notifier(settings, HERE), "nothing is known of it"
    settings.state_folder.mkdir()
    note_up(settings, HERE, notifier=False)
    assert not has_notifier(settings, HERE) and has_notifier(settings, ELSEWHERE)
    note_up(settings, HERE, notifier=True)
    assert has_notifier(settings, HERE)


def test_a_note_that_cannot_be_read_is_none(root: Path) -> None:
    settings = load_settings()
    settings.state_folder.mkdir()
    for text in ("", "[]", '{"api": ', f'{{"api": "{HERE}"'):
        (settings.state_folder / UP_FILE).write_text(text, encoding="utf-8")
        assert has_notifier(settings, HERE) and running_server(settings) is None

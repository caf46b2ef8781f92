"""The file of addresses: what is wrong is said by line number, and no address is ever shown."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from flows.cli.diagnosis import diagnose
from flows.errors import ConfigurationError
from flows.notify import targets
from flows.notify.messages import Message
from flows.settings import load_settings
from tests.notify.receivers import KEY, SECRETS, Receivers, all_of_them
from tests.platform import SOCLE, free_port

MESSAGE = Message("essai", "k", "Échec : ingest", "Première ligne : « é »\nDeuxième : http://x/y?a=b&c=d <b>gras</b>", "failure")


@pytest.fixture
def receivers():
    with all_of_them() as found:
        yield found


def test_a_message_arrives_as_it_is_by_every_way(receivers: Receivers, tmp_path: Path) -> None:
    file = tmp_path / "urls"
    file.write_text(receivers.lines("essai"))
    found = targets.read(file)
    assert [(t.project, t.line, t.kind) for t in found] == [("*", 2, "mmost"), ("*", 3, "mailto"), ("essai", 4, "matrix")]
    assert all(targets.send(target, MESSAGE) for target in found)
    for inbox in (receivers.mattermost, receivers.matrix, receivers.mail):
        (text,) = inbox.got
        assert "[Socle] Échec : ingest" in text and MESSAGE.text in text.replace("\r\n", "\n")
    assert receivers.matrix.requests[-1][2]["authorization"].startswith("Bearer ")
    assert not any("github" in text for text in receivers.mattermost.got), "no picture of elsewhere"


def test_a_target_that_is_down_is_no_exception(receivers: Receivers, tmp_path: Path, caplog, capfd) -> None:
    file = tmp_path / "urls"
    file.write_text(f"* = mmost://127.0.0.1:{receivers.mattermost.port}/{KEY}\n* = mmost://127.0.0.1:{free_port()}/{KEY}\n")
    receivers.mattermost.down = 1
    assert [targets.send(target, MESSAGE) for target in targets.read(file)] == [False, False]
    said = caplog.text + "".join(capfd.readouterr())
    assert not any(secret in said for secret in SECRETS)


def test_comments_and_empty_lines(tmp_path: Path) -> None:
    file = tmp_path / "urls"
    file.write_text("\n# rien\n   \n  essai  =  json://127.0.0.1/x?a=b=c  \n")
    (target,) = targets.read(file)
    assert (target.project, target.address) == ("essai", "json://127.0.0.1/x?a=b=c")
    assert target.wants(MESSAGE) and not target.wants(Message("autre", "k", "", ""))


@pytest.mark.parametrize("line", [f"mmost://h/{KEY}", f"* = nimporte://{KEY}", f"Essai = mmost://h/{KEY}", f"* {KEY}", f"essai = {KEY}"])
def test_a_wrong_line_is_named_by_its_number_only(tmp_path: Path, line: str) -> None:
    file = tmp_path / "urls"
    file.write_text(f"# un\n* = json://127.0.0.1\n{line}\n")
    with pytest.raises(ConfigurationError) as refused:
        targets.read(file)
    assert "line 3" in str(refused.value) and KEY not in str(refused.value) and KEY not in repr(refused.value.__cause__)


@pytest.mark.parametrize("make", [lambda p: None, lambda p: p.mkdir(), lambda p: p.write_bytes(b"\xff\xfe")])
def test_a_file_that_cannot_be_read(tmp_path: Path, make) -> None:
    make(tmp_path / "urls")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        targets.read(tmp_path / "urls")


def test_no_representation_shows_an_address(tmp_path: Path) -> None:
    (tmp_path / "urls").write_text(f"* = mmost://h/{KEY}")
    (target,) = targets.read(tmp_path / "urls")
    assert KEY not in f"{target} {target!r}"


def test_socle_notify_tries_every_target(receivers: Receivers, root: Path) -> None:
    file = root / "urls"
    file.write_text(receivers.lines("essai"))
    environment = {**os.environ, "SOCLE_ROOT": str(root), "SOCLE_NOTIFY_URLS_FILE": str(file)}
    done = subprocess.run([str(SOCLE), "notify"], env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0 and done.stdout.count("✓") == 3, done
    receivers.mattermost.down = 1
    done = subprocess.run([str(SOCLE), "notify", "essai"], env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 3 and "✗ mmost of line 2, project *: not taken" in done.stdout, done
    assert not any(secret in done.stdout + done.stderr for secret in SECRETS)
    assert "les messages de la plateforme Socle arrivent bien ici" in receivers.matrix.wait_for("Essai des notifications")


@pytest.mark.parametrize(
    ("lines", "mode", "state", "words"),
    [
        ("* = json://h\n", 0o600, "ok", "1 target(s)"),
        ("* = json://h\n", 0o644, "warning", "others may read"),
        ("inconnu = json://h\n", 0o600, "warning", "projects that are not there: inconnu"),
        (f"* = {KEY}\n", 0o600, "error", "line 1"),
        ("", 0o600, "warning", "nobody is told"),
    ],
)
def test_doctor_looks_at_the_file(root: Path, monkeypatch: pytest.MonkeyPatch, lines: str, mode: int, state: str, words: str) -> None:
    file = root / "urls"
    file.write_text(lines)
    file.chmod(mode)
    monkeypatch.setenv("SOCLE_NOTIFY_URLS_FILE", str(file))
    (finding,) = [found for found in diagnose(load_settings(), create=False) if found.what == "notifications"]
    assert finding.state == state and words in finding.found and KEY not in f"{finding}"

"""An npm package, through a fake npm client on PATH that answers what the real one would."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from flows.errors import ConfigurationError, SocleError, SourceRefused, SystemFailure
from flows.lake.local import LocalObjects
from flows.lake.raw import RawStore
from flows.project.sources import NpmSource
from flows.sources.npm import NpmPackage, SourceUnreachable
from tests.sources.context import context

TOKEN = "npm_s3cr3tT0k3n"
CLIENT = """#!{python}
import json, pathlib, shutil, sys, time
state = pathlib.Path({state!r})
answers = json.loads((state / "answers.json").read_text())
command = sys.argv[1]
with (state / "calls").open("a") as calls:
    calls.write(json.dumps(sys.argv[1:]) + "\\n")
answer = answers[command]
time.sleep(answer.get("sleep", 0))
if command == "pack" and not answer.get("code"):
    folder = pathlib.Path(sys.argv[sys.argv.index("--pack-destination") + 1])
    shutil.copy(state / "package.tgz", folder / "legi-data-1.0.0.tgz")
sys.stderr.write(answer.get("stderr", ""))
sys.stdout.write(answer.get("stdout", ""))
sys.exit(answer.get("code", 0))
"""


def archive(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


GOOD = archive({"package/package.json": b"{}", "package/data/LEGI.json": os.urandom(100_000)})


def integrity(data: bytes, algorithm: str = "sha512") -> str:
    return f"{algorithm}-" + base64.b64encode(hashlib.new(algorithm, data).digest()).decode()


@pytest.fixture
def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """.answers to change, .calls(), .package(member)."""
    state, bin_ = tmp_path / "npm", tmp_path / "bin"
    state.mkdir()
    bin_.mkdir()
    (bin_ / "npm").write_text(CLIENT.format(python=sys.executable, state=str(state)))
    (bin_ / "npm").chmod(0o755)
    monkeypatch.setenv("PATH", f"{bin_}:{os.environ['PATH']}")
    (state / "package.tgz").write_bytes(GOOD)
    fake = SimpleNamespace(folder=tmp_path / "work", bin=bin_, state=state)
    objects = LocalObjects(tmp_path / "lake")
    objects.ensure()
    fake.raw = RawStore(objects, "articles")
    fake.answers = {
        "view": {"stdout": json.dumps(integrity(GOOD))},
        "pack": {"stdout": json.dumps([{"filename": "legi-data-1.0.0.tgz"}]), "stderr": f"npm notice //registry/:_authToken={TOKEN}"},
    }

    def package(member: str = "data/LEGI.json", timeout_s: float = 30) -> NpmPackage:
        (state / "answers.json").write_text(json.dumps(fake.answers))
        declared = NpmSource(type="npm", package="@socialgouv/legi-data", version="1.0.0", member=member)
        return NpmPackage(declared, context(tmp_path, fake.raw, npm_timeout_s=timeout_s))

    fake.package = package
    fake.calls = lambda: [json.loads(c) for c in (state / "calls").read_text().splitlines()] if (state / "calls").exists() else []
    return fake


def failing(code: str) -> dict:
    stderr = f"npm error code {code}\nnpm error 404 https://user:{TOKEN}@registry.example/legi-data\n_authToken={TOKEN}"
    error = {"error": {"code": code, "summary": f"GET https://user:{TOKEN}@registry.example", "detail": TOKEN}}
    return {"code": 1, "stderr": stderr, "stdout": json.dumps(error)}


def raised(npm, kind: type[SocleError], **named) -> SocleError:
    with pytest.raises(kind) as caught:
        npm.package(**named).fetch(npm.folder)
    shown = "\n".join([str(caught.value), repr(caught.value), str(caught.value.__cause__), str(caught.value.__dict__)])
    assert TOKEN not in shown
    return caught.value


def test_a_package_is_fetched_verified_kept_and_pinned(npm):
    package = npm.package()
    assert package.identify() is None, "nothing is known before the first time"
    [file] = package.fetch(npm.folder)
    assert file.sha256 == hashlib.sha256(GOOD).hexdigest() and file.path.read_bytes() == GOOD
    assert file.source == "npm:@socialgouv/legi-data@1.0.0"
    assert npm.raw.known(file.sha256).size == len(GOOD)


def test_once_kept_nothing_is_asked_of_the_network(npm):
    [file] = npm.package().fetch(npm.folder)
    before = len(npm.calls())
    [again] = npm.package().identify()
    assert again.sha256 == file.sha256
    assert npm.raw.fetch(again, npm.folder / "lake").read_bytes() == GOOD
    assert len(npm.calls()) == before


def test_another_version_is_another_address(npm):
    npm.package().fetch(npm.folder)
    declared = NpmSource(type="npm", package="@socialgouv/legi-data", version="1.0.1", member="data/LEGI.json")
    assert NpmPackage(declared, context(npm.folder, npm.raw)).identify() is None


def test_scripts_of_the_package_are_never_run(npm):
    npm.package().fetch(npm.folder)
    assert all("--ignore-scripts" in call for call in npm.calls() if call[0] == "pack")


def test_an_integrity_that_differs_is_refused_and_nothing_is_kept(npm):
    npm.answers["view"]["stdout"] = json.dumps(integrity(GOOD + b"x"))
    error = raised(npm, SourceRefused)
    assert error.exit_code == 1 and "sha512" in error.message
    assert npm.package().identify() is None
    assert not list(npm.folder.glob("*.tgz"))


@pytest.mark.parametrize(
    "published", [integrity(GOOD, "sha1"), f"{integrity(GOOD, 'sha1')} {integrity(GOOD)}"], ids=["sha1", "sha1 and sha512"]
)
def test_other_forms_of_integrity(npm, published):
    npm.answers["view"]["stdout"] = json.dumps(published)
    assert len(npm.package().fetch(npm.folder)) == 1


@pytest.mark.parametrize("published", ["", "sha512", "crc32-AAAA", "rien", "-"])
def test_an_integrity_that_says_nothing_is_refused(npm, published):
    npm.answers["view"]["stdout"] = json.dumps(published)
    raised(npm, SocleError)
    assert npm.package().identify() is None


@pytest.mark.parametrize("command", ["view", "pack"])
@pytest.mark.parametrize(
    ("code", "kind", "exit_code"),
    [
        ("E404", ConfigurationError, 2),
        ("ETARGET", ConfigurationError, 2),
        ("ENOTFOUND", SourceUnreachable, 3),
        ("ECONNREFUSED", SourceUnreachable, 3),
        ("E503", SourceUnreachable, 3),
        ("EINTEGRITY", SourceRefused, 1),
        ("E401", SystemFailure, 3),
    ],
)
def test_errors_of_npm(npm, command, code, kind, exit_code):
    npm.answers[command] = failing(code)
    error = raised(npm, kind)
    assert error.exit_code == exit_code and type(error) is kind
    assert code in str(error) or code == "EINTEGRITY"
    assert "@socialgouv/legi-data@1.0.0" in str(error)


def test_a_code_that_is_only_on_stderr(npm):
    npm.answers["view"] = failing("E404") | {"stdout": ""}
    assert "E404" in str(raised(npm, ConfigurationError))


@pytest.mark.parametrize("stdout", ["", "pas du JSON", f'{{"error": "{TOKEN}"}}', "[1]", '{"error": {"code": null}}'])
def test_answers_that_make_no_sense(npm, stdout):
    npm.answers["view"] = {"code": 1, "stdout": stdout, "stderr": f"boum {TOKEN}"}
    assert raised(npm, SystemFailure).exit_code == 3


@pytest.mark.parametrize("stdout", ["", "null", "[]", "{}", '[{"name": "x"}]', '["x"]', '[{"filename": "autre.tgz"}]'])
def test_a_pack_without_a_file(npm, stdout):
    npm.answers["pack"]["stdout"] = stdout
    raised(npm, SocleError)


def test_a_version_that_does_not_exist_answers_nothing(npm):
    npm.answers["view"]["stdout"] = ""
    assert "1.0.0" in raised(npm, ConfigurationError).message


def test_an_answer_that_never_comes(npm):
    npm.answers["view"]["sleep"] = 30
    assert "SOCLE_NPM_TIMEOUT_S" in raised(npm, SourceUnreachable, timeout_s=0.3).hint


def test_no_npm(npm, monkeypatch):
    monkeypatch.setenv("PATH", str(npm.folder))
    assert "not installed" in raised(npm, SourceUnreachable).message


def test_an_npm_that_cannot_be_run(npm, monkeypatch):
    monkeypatch.setenv("PATH", str(npm.bin))  # or the next npm on PATH is tried
    (npm.bin / "npm").write_text("#!/chemin/absent\n")
    raised(npm, SystemFailure)


# ---- the archive --------------------------------------------------------------------------------------------------


def kept(npm, data: bytes) -> Path:
    npm.folder.mkdir(exist_ok=True)
    path = npm.folder / "kept.tgz"
    path.write_bytes(data)
    return path


def test_the_member_is_unpacked(npm):
    data = archive({"package/data/LEGI.json": b"[1]", "package/autre.json": b"[2]"})
    assert npm.package().unpack(kept(npm, data), npm.folder).read_bytes() == b"[1]"


def test_a_member_that_is_not_there_is_suggested(npm):
    with pytest.raises(ConfigurationError) as caught:
        npm.package("data/LEGY.json").unpack(kept(npm, GOOD), npm.folder)
    assert "data/LEGI.json" in caught.value.hint and caught.value.exit_code == 2


@pytest.mark.parametrize("data", [GOOD[:20], GOOD[: len(GOOD) // 2], b"", b"pas une archive"], ids=["20 bytes", "half", "empty", "a text"])
def test_a_truncated_archive_is_refused(npm, data):
    with pytest.raises(SourceRefused, match="legi-data"):
        npm.package().unpack(kept(npm, data), npm.folder)


def test_no_path_of_the_archive_is_followed(npm, tmp_path):
    data = archive({"package/../../evil": b"x", "/etc/evil": b"x", "package/data/LEGI.json": b"[1]"})
    before = set(tmp_path.rglob("*"))
    path = npm.package().unpack(kept(npm, data), npm.folder)
    assert path.parent == npm.folder
    assert {p.name for p in set(tmp_path.rglob("*")) - before} <= {"kept.tgz", path.name, "work", "answers.json"}


def test_a_link_is_no_member(npm):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        info = tarfile.TarInfo("package/data/LEGI.json")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(info)
    with pytest.raises(ConfigurationError):
        npm.package().unpack(kept(npm, out.getvalue()), npm.folder)


def test_the_fake_is_really_run(npm):
    npm.package()
    assert json.loads(subprocess.run(["npm", "view"], capture_output=True, check=True).stdout) == integrity(GOOD)

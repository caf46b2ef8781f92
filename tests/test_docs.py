"""The documentation says what there is: every command, option, setting and key is in it, its examples validate, its links lead
somewhere, and it names no command that does not exist."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from xml.etree import ElementTree

import pytest
import typer
from ruamel.yaml import YAML

from flows import project as declared
from flows.cli import app
from flows.lake.s3 import EXPLAINED
from flows.settings import FROM_FILE, Settings
from flows.validation import check_project
from tests.conftest import REPOSITORY

PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]
ENGINEERS = (REPOSITORY / "docs" / "ml-engineers.md").read_text(encoding="utf-8")
REFERENCE = ENGINEERS + (REPOSITORY / "docs" / "ops.md").read_text(encoding="utf-8")
KEYS = ENGINEERS + (REPOSITORY / "docs" / "models.md").read_text(encoding="utf-8")
GROUPS = {name: command for name, command in typer.main.get_command(app).commands.items() if hasattr(command, "commands")}
COMMANDS = {name: command for name, command in typer.main.get_command(app).commands.items() if name not in GROUPS} | {
    f"{group} {name}": command for group, of in GROUPS.items() for name, command in of.commands.items()
}
"""`expectations test` for what stands in a group."""
HEAD = {"title": "Exemple", "ministry": "Ministère d'essai", "owner": {"team": "Équipe", "email": "equipe@example.gouv.fr"}}


def _named(word: str, text: str) -> bool:
    """`word` is in the text, and not only as a part of a longer one."""
    return re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", text) is not None


def _options() -> list[tuple[str, str]]:
    found = {(name, opt) for name, command in COMMANDS.items() for p in command.params for opt in p.opts if opt.startswith("--")}
    return sorted(found)


def _keys() -> list[tuple[str, str]]:
    models = [m for m in vars(declared).values() if isinstance(m, type) and issubclass(m, declared.Strict)]
    return sorted({(m.__name__, name) for m in models for name in m.model_fields})


def _blocks(language: str) -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for number, text in enumerate(re.findall(rf"^```{language}\n(.*?)^```", page.read_text("utf-8"), re.DOTALL | re.MULTILINE), 1):
            yield f"{page.relative_to(REPOSITORY)}-{number}", text


EXAMPLES = [pytest.param(text, id=name) for name, text in _blocks("yaml") if re.search(r"^datasets:", text, re.MULTILINE)]


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_is_documented(command):
    assert f"socle {command}" in REFERENCE


@pytest.mark.parametrize(("command", "option"), _options())
def test_every_option_is_documented(command, option):
    assert _named(option, REFERENCE), f"{option} of socle {command}"


@pytest.mark.parametrize("setting", sorted(Settings.model_fields))
def test_every_setting_is_documented(setting):
    assert _named(f"SOCLE_{setting.upper()}", REFERENCE)


@pytest.mark.parametrize("setting", sorted(set(Settings.model_fields) - {f"{name}_file" for name in FROM_FILE}))
def test_every_setting_is_in_the_table_with_its_default(setting):
    row = re.search(rf"^\| `SOCLE_{setting.upper()}`.*$", ENGINEERS, re.MULTILINE)
    assert row, f"SOCLE_{setting.upper()} is not in the Settings table"
    default = Settings.model_fields[setting].default
    if isinstance(default, int | float) or (isinstance(default, str) and default):
        assert f"{default:g}" in row[0] if isinstance(default, float) else str(default) in row[0]


@pytest.mark.parametrize(("model", "key"), _keys())
def test_every_key_of_a_project_file_is_documented(model, key):
    assert re.search(rf"`[^`\n]*(?<![\w-]){key}(?![\w-])[^`\n]*`", KEYS), f"{key} of {model}"


@pytest.mark.parametrize("code", sorted(EXPLAINED))
def test_every_explained_error_of_s3_has_an_action(code):
    assert _named(code, REFERENCE)


def test_there_are_examples():
    assert len(EXAMPLES) >= 2


@pytest.mark.parametrize("text", EXAMPLES)
def test_examples_validate(text, tmp_path):
    """Beside the files of the repository's projects and suites. What an excerpt leaves out of the head is added."""
    name = re.match(r"# projects/([a-z0-9-]+)/project\.yaml\n", text)
    assert name, "an example begins with a comment that says which file it is"
    for folder in ("projects", "expectations"):
        shutil.copytree(REPOSITORY / folder, tmp_path / folder)
    plain = HEAD | dict(YAML(typ="safe").load(text))
    target = tmp_path / "projects" / name[1] / "project.yaml"
    target.parent.mkdir(exist_ok=True)
    with target.open("w", encoding="utf-8") as out:
        YAML(typ="safe").dump(plain, out)
    project, problems = check_project(tmp_path, name[1])
    assert project is not None and [str(p) for p in problems] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(REPOSITORY)))
def test_only_commands_that_exist_are_named(page):
    text = page.read_text(encoding="utf-8")
    named = set(re.findall(r"(?:`|^(?:\$ )?)socle ([a-z][a-z-]*)", text, re.MULTILINE))
    assert named <= {name.partition(" ")[0] for name in COMMANDS}
    inside = set(re.findall(rf"(?:`|^(?:\$ )?)socle ((?:{'|'.join(GROUPS)}) [a-z][a-z-]*)", text, re.MULTILINE))
    assert inside <= set(COMMANDS)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(REPOSITORY)))
def test_links_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    for target in [*re.findall(r"\]\(([^)\s]+)\)", text), *re.findall(r'src="([^"]+)"', text)]:
        if target.startswith("http"):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path) if path else page
        assert file.exists(), target
        if anchor:
            assert anchor in {_anchor(h) for h in re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)}, target


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize(("name", "text"), [pytest.param(n, t, id=n) for n, t in _blocks("python")])
def test_python_in_the_docs_is_python(name, text):
    compile(text, name, "exec")


def test_decisions_are_all_listed_and_have_their_parts():
    listed = (REPOSITORY / "docs" / "README.md").read_text(encoding="utf-8")
    for page in (REPOSITORY / "docs" / "decisions").glob("*.md"):
        assert f"decisions/{page.name}" in listed
        parts = re.findall(r"^\*\*(Context|Decision|Consequences|Measured)", page.read_text(encoding="utf-8"), re.MULTILINE)
        assert parts == ["Context", "Decision", "Consequences", "Measured"], page.name


def test_the_readme_is_short():
    assert len((REPOSITORY / "README.md").read_text(encoding="utf-8").splitlines()) < 130


def test_the_picture_is_whole_and_loads_nothing():
    picture = REPOSITORY / "docs" / "socle.svg"
    ElementTree.parse(picture)
    assert re.findall(r"https?://[^\"' <]+", picture.read_text(encoding="utf-8")) == ["http://www.w3.org/2000/svg"]

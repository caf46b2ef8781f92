"""Reads projects from disk and reports every problem at once, each with its file and line.

project.py says what is right; this file says what is wrong, where, and what was probably meant. Nothing is imported or run
from a project's folder: transforms are only parsed.
"""

from __future__ import annotations

import ast
import importlib.util
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, get_args
from zoneinfo import ZoneInfo

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from flows import project as declared
from flows.errors import ConfigurationError
from flows.project import NAME, AnyModel, Project, Strict
from flows.suite_files import ABOUT_PREVIOUS, Problem, check_suite, expectation_types, suggest, within

RESERVED = {"commun"}


SuiteCheck = Callable[[Path, Path, dict[str, str]], list[Problem]]
"""(root, file, columns of the dataset with their types) -> what is wrong with a suite: `check_suite`, or more than it."""


def project_names(root: Path) -> list[str]:
    """Folders under projects/ that hold a project.yaml, sorted."""
    return sorted(p.parent.name for p in (root / "projects").glob("*/project.yaml"))


def load_project(root: Path, name: str) -> Project:
    """Raises: ConfigurationError with every problem of the project, one a line."""
    project, problems = check_project(root, name)
    if project is None or problems:
        lines = "\n".join(f"  {p}" for p in problems)
        raise ConfigurationError(
            f"project {name!r} has {len(problems)} problem(s):\n{lines}", hint=f"fix them, then `socle validate {name}`"
        )
    return project


def check_project(root: Path, name: str, suites: SuiteCheck | None = None) -> tuple[Project | None, list[Problem]]:
    """The project if it could be typed at all, and all of its problems. `suites`: how its suites are checked, if not by `check_suite`."""
    file = root / "projects" / name / "project.yaml"
    shown = within(root, file)
    if not file.is_file():
        near = suggest(name, project_names(root))
        there = ", ".join(project_names(root)) or "none"
        return None, [Problem(shown, 1, f"there is no project {name!r}", near or f"projects there are: {there}")]
    try:
        tree = YAML(typ="rt", pure=True).load(file.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        return None, [Problem(shown, 1, f"is not UTF-8 text: {error.reason} at byte {error.start}")]
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        text = (error.problem or error.context or "not YAML").splitlines()[0]
        return None, [Problem(shown, mark.line + 1 if mark else 1, f"is not valid YAML: {text}")]
    except YAMLError as error:
        return None, [Problem(shown, 1, f"is not valid YAML: {str(error).splitlines()[0]}")]
    if not isinstance(tree, CommentedMap):
        return None, [Problem(shown, 1, "should be a mapping that begins with `title:`")]
    checker = _Checker(root, name, shown, tree, suites or check_suite)
    return checker.check()


def _plain(node: Any) -> Any:
    """ruamel's round-trip containers and scalars as plain Python."""
    if isinstance(node, CommentedMap):
        return {str(k): _plain(v) for k, v in node.items()}
    if isinstance(node, CommentedSeq):
        return [_plain(v) for v in node]
    for kind in (bool, int, float, str):
        if isinstance(node, kind):
            return kind(node)
    return node


def _texts(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], str]]:
    """Every text, keys included, with its path."""
    if isinstance(node, str):
        yield path, node
    for key, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        if isinstance(key, str):
            yield (*path, key), key
        yield from _texts(value, (*path, key))


def _has_bytes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def line_of(tree: Any, path: Iterable[Any]) -> int:
    """Line (from 1) of the deepest part of `path` that exists. Parts that are not keys (union tags) are passed over."""
    line = 1
    node = tree
    for part in path:
        if isinstance(node, CommentedMap) and part in node:
            line = node.lc.key(part)[0] + 1
        elif isinstance(node, CommentedSeq) and isinstance(part, int) and part < len(node):
            line = node.lc.item(part)[0] + 1
        else:
            continue
        node = node[part]
    return line


def _known_keys() -> set[str]:
    models = [m for m in vars(declared).values() if isinstance(m, type) and issubclass(m, Strict)]
    return {name for m in models for name in m.model_fields}


class _Checker:
    def __init__(self, root: Path, name: str, shown: Path, tree: CommentedMap, suites: SuiteCheck) -> None:
        self.root, self.name, self.file, self.tree, self.check_suite = root, name, shown, tree, suites
        self.folder = root / "projects" / name
        self.problems: list[Problem] = []

    def add(self, path: tuple[Any, ...], message: str, hint: str = "") -> None:
        self.problems.append(Problem(self.file, line_of(self.tree, path), message, hint))

    def check(self) -> tuple[Project | None, list[Problem]]:
        self._folder_name()
        project: Project | None = None
        plain = _plain(self.tree)
        if halves := [(path, text) for path, text in _texts(plain) if not _has_bytes(text)]:
            for path, text in halves:
                self.add(path, f"{text!a} holds half a character (a lone surrogate)", "write the whole character, without \\u")
            return None, self.problems  # nothing that names it could be shown, or kept
        try:
            project = Project.model_validate(plain)
            object.__setattr__(project, "_name", self.name)
            object.__setattr__(project, "_folder", self.folder)
        except ValidationError as error:
            for e in error.errors(include_url=False, include_context=False):
                self._pydantic_problem(e)
        # References are checked on the raw tree, so that one misspelt key does not hide a missing file.
        self._references(plain)
        return project, sorted(self.problems, key=lambda p: (str(p.file), p.line))

    def _folder_name(self) -> None:
        if not re.match(NAME, self.name) or self.name in RESERVED or len(self.name) > 48:
            self.add((), f"{self.name!r} cannot name a project", "a-z, 0-9 and -, a letter first, 48 at most, not commun")

    def _pydantic_problem(self, error: Any) -> None:
        tag, given = str(error["loc"][-1]), error["input"]
        if (tag.startswith("list[") and isinstance(given, str)) or (tag.startswith("function-") and isinstance(given, list)):
            return  # it is one or several: what is wrong is said of the way in which it is written
        loc = tuple(p for p in error["loc"] if p != "[key]" and not str(p).startswith(("function-", "list[")))  # of a union: no keys
        where = ".".join(str(p) for p in loc if self._is_in_file(loc, p) or p == loc[-1])
        message, hint = error["msg"].removeprefix("Value error, "), ""
        if error["type"] == "value_error":  # rules over several keys name theirs first: `key: ...`
            loc = (*loc, message.partition(":")[0])
        elif error["type"] == "extra_forbidden":
            message, hint = "unknown key", suggest(str(loc[-1]), _known_keys())
        elif error["type"] == "missing":
            message = "is missing"
        elif error["type"] == "literal_error":
            message = f"{error['input']!r} is not one of the choices: " + error["msg"].removeprefix("Input should be ")
            hint = suggest(str(error["input"]), re.findall(r"'([^']+)'", error["msg"]))
        elif error["type"] == "string_pattern_mismatch":
            message = f"{error['input']!r} does not have the right form"
        self.add(loc, f"{where}: {message}" if where else message, hint)

    def _is_in_file(self, loc: tuple[Any, ...], part: Any) -> bool:
        node: Any = self.tree
        for p in loc:
            inside = (isinstance(node, CommentedMap) and p in node) or (isinstance(node, CommentedSeq) and isinstance(p, int))
            if p == part:
                return bool(inside)
            if inside:
                node = node[p]
        return False

    # -- references between the parts of the project, and to files

    def _references(self, plain: dict[str, Any]) -> None:
        datasets, models = _mapping(plain, "datasets"), _mapping(plain, "models")
        for name in sorted(set(datasets) & set(models)):
            self.add(("models", name), f"models.{name}: a dataset has the same name; names are unique in a project")
        for name, dataset in datasets.items():
            self._transform(name, dataset)
            self._inputs(name, dataset, datasets)
            self._pseudonymised(name, dataset, datasets, models)
            self._suites(name, dataset)
            for other in _listed(dataset, "shared_with"):
                if other not in (names := project_names(self.root)):
                    self.add(("datasets", name, "shared_with"), f"shared_with: no project {other!r}", suggest(other, names))
        for name, model in models.items():
            self._model(name, model, datasets)
        for flow, schedule in _mapping(plain, "schedules").items():
            zone = schedule.get("timezone", "Europe/Paris")
            try:
                ZoneInfo(str(zone))
            except (ValueError, OSError, KeyError):
                self.add(("schedules", flow, "timezone"), f"schedules.{flow}.timezone: {zone!r} is not a time zone")

    def _transform(self, name: str, dataset: dict[str, Any]) -> None:
        reference = dataset.get("transform")
        if not isinstance(reference, str) or ":" not in reference:
            return
        path = ("datasets", name, "transform")
        file_name, function = reference.split(":", 1)
        file = self.folder / file_name
        if not file.is_file():
            self.add(path, f"transform: {within(self.root, file)} does not exist")
            return
        try:
            parsed = ast.parse(file.read_text(encoding="utf-8"))
        except (SyntaxError, UnicodeDecodeError) as error:
            line = getattr(error, "lineno", 1) or 1
            self.problems.append(Problem(within(self.root, file), line, f"is not Python: {error}"))
            return
        functions = {n.name: n for n in parsed.body if isinstance(n, ast.FunctionDef)}
        if function not in functions:
            self.add(path, f"transform: {file_name} has no function {function!r}", suggest(function, functions))
            return
        arguments = [a.arg for a in functions[function].args.args]
        joins = _source(dataset).get("type") == "datasets"
        if arguments not in ([["tables"]] if joins else [["records"], ["batch"]]):
            line, named = functions[function].lineno, "`tables`" if joins else "`records` or `batch`"
            text = f"{function} should take one argument named {named}, it takes {arguments}"
            self.problems.append(Problem(within(self.root, file), line, text))

    def _inputs(self, name: str, dataset: dict[str, Any], datasets: dict[str, Any]) -> None:
        """Datasets that are made from others come after them: they are loaded in the order of the file."""
        for index, text in enumerate(_listed(_source(dataset), "datasets")):
            self._made_from(name, text, ("datasets", index), datasets)

    def _made_from(self, name: str, text: Any, place: tuple[Any, ...], datasets: dict[str, Any]) -> str | None:
        """Its own name if `text` names a dataset of this project that comes before."""
        own, path, key = self._own_name(text), ("datasets", name, "source", *place), f"source.{place[0]}"
        if "/" in own:
            return None
        if own not in datasets:
            self.add(path, f"{key}: no dataset {own!r}", suggest(own, datasets))
            return None
        if list(datasets).index(own) >= list(datasets).index(name):
            self.add(path, f"{key}: {own} has to be declared before {name}, which is made from it")
            return None
        return own

    def _own_name(self, text: Any) -> str:
        return str(text).partition("@")[0].removeprefix(f"{self.name}/")

    def _pseudonymised(self, name: str, dataset: dict[str, Any], datasets: dict[str, Any], models: dict[str, Any]) -> None:
        """A dataset whose texts a model of this project reads."""
        source, path = _source(dataset), ("datasets", name, "source")
        if source.get("type") != "pseudonymised":
            return
        if dataset.get("personal_data") == "none":
            text = f"datasets.{name}.personal_data: a pseudonymised dataset is not free of personal data: names may be missed"
            self.add(("datasets", name, "personal_data"), text, "personal_data: pseudonymised")
        if (model := self._own_name(source.get("model"))) not in models:
            self.add((*path, "model"), f"source.model: no model {model!r} of this project", suggest(model, models))
        elif models[model].get("task") != "token-classification":
            self.add((*path, "model"), f"source.model: {model} is not for token-classification: it finds no entities")
        elif self._own_name(models[model].get("dataset")) == name:
            self.add((*path, "model"), f"source.model: {model} learns from {name}, which it is to make")
        if (own := self._made_from(name, source.get("dataset"), ("dataset",), datasets)) is None:
            return
        there = _mapping(datasets[own], "columns")
        taken = {c: of.get("source") or c if isinstance(of, dict) else c for c, of in _mapping(dataset, "columns").items()}
        for place, column in (*((("columns", c), t) for c, t in taken.items()), (("source", "document"), source.get("document"))):
            if column is not None and column not in there:
                text = f"datasets.{name}.{'.'.join(place)}: {own}, which it is made from, has no column {column!r}"
                self.add(("datasets", name, *place), text, suggest(column, there))

    def _suites(self, name: str, dataset: dict[str, Any]) -> None:
        declared = _mapping(dataset, "columns").items()
        columns = {str(c): str(of if isinstance(of, str) else of.get("type") if isinstance(of, dict) else "") for c, of in declared}
        for index, suite in enumerate(_listed(dataset, "expectations")):
            path = ("datasets", name, "expectations", index)
            file = self.root / "expectations" / str(suite)
            if not file.resolve().is_relative_to((self.root / "expectations").resolve()):
                self.add(path, f"expectations: {suite} is outside expectations/")
            elif not file.is_file():
                there = [str(p.relative_to(self.root / "expectations")) for p in (self.root / "expectations").rglob("*.json")]
                self.add(path, f"expectations: expectations/{suite} does not exist", suggest(str(suite), there))
            else:
                self.problems += self.check_suite(self.root, file, columns)

    def _model(self, name: str, model: dict[str, Any], datasets: dict[str, Any]) -> None:
        dataset = model.get("dataset")
        if not isinstance(dataset, str):
            return
        if dataset not in datasets:
            self.add(("models", name, "dataset"), f"models.{name}.dataset: no dataset {dataset!r}", suggest(dataset, datasets))
            return
        columns = _mapping(datasets[dataset], "columns")
        for path, column in _columns_named(model):
            if column not in columns:
                text = f"models.{name}.{'.'.join(path)}: dataset {dataset} has no column {column!r}"
                self.add(("models", name, *path), text, suggest(column, columns))
        if model.get("label") in _listed(model, "inputs"):
            self.add(("models", name, "inputs"), f"models.{name}.inputs: the label is among the inputs")
        if not _listed(datasets[dataset], "key"):
            self.add(("models", name, "dataset"), f"models.{name}: dataset {dataset} needs a `key` to split rows by")
        split = model.get("split") or {}
        for index, candidate in enumerate(_listed(model, "candidates")):
            base = candidate.get("base_model") if isinstance(candidate, dict) else None
            if isinstance(base, str) and base.startswith("package:") and not _package_there(base):
                text = f"base_model: the Python package of {base!r} is not installed"
                self.add(("models", name, "candidates", index, "base_model"), text)
        if isinstance(split, dict):
            held_out = [v for v in (split.get("validation", 0.1), split.get("test", 0.1)) if isinstance(v, int | float)]
            if sum(held_out) >= 0.9:
                self.add(("models", name, "split"), f"models.{name}.split: nothing is left to train on")


def _columns_named(model: dict[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
    """(path in the model's block, column of the dataset) wherever the task's block names one."""
    task = next((t for t in get_args(get_args(AnyModel)[0]) if model.get("task") in get_args(t.model_fields["task"].annotation)), None)
    for key in (*(task.COLUMNS if task else ()), "groups"):
        value = model.get(key)
        for column in value if isinstance(value, list) else [value]:
            if isinstance(column, str):
                yield (key,), column
    for key in ("column", "group"):
        if isinstance(column := (model.get("split") or {}).get(key) if isinstance(model.get("split") or {}, dict) else None, str):
            yield ("split", key), column


def _mapping(node: Any, key: str) -> dict[str, Any]:
    value = node.get(key) if isinstance(node, dict) else None
    if not isinstance(value, dict):
        return {}
    return {k: v for k, v in value.items() if isinstance(v, dict) or key == "columns"}


def _source(dataset: dict[str, Any]) -> dict[str, Any]:
    source = dataset.get("source")
    return source if isinstance(source, dict) else {}


def _listed(node: Any, key: str) -> list[Any]:
    value = node.get(key) if isinstance(node, dict) else None
    return value if isinstance(value, list) else []


def _package_there(base_model: str) -> bool:
    package = base_model.removeprefix("package:").split("/")[0]
    return package.isidentifier() and importlib.util.find_spec(package) is not None


# ---- schema for editors --------------------------------------------------------------------------------------------


def project_schema() -> dict[str, Any]:
    """JSON schema of project.yaml. The short forms (`cid: string`, `- tfidf`) are added: pydantic only knows the long ones."""
    schema = Project.model_json_schema()
    column = schema["$defs"]["Dataset"]["properties"]["columns"]["additionalProperties"]
    types = schema["$defs"]["Column"]["properties"]["type"]["enum"]
    schema["$defs"]["Dataset"]["properties"]["columns"]["additionalProperties"] = {"anyOf": [column, {"type": "string", "enum": types}]}
    for model in get_args(get_args(AnyModel)[0]):
        candidates = schema["$defs"][model.__name__]["properties"]["candidates"]
        candidates["items"] = {"anyOf": [{"enum": ["tfidf", "dictionary", "linear", "boosting"]}, *candidates["items"]["oneOf"]]}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "Socle project"}


__all__ = [
    "ABOUT_PREVIOUS",
    "Problem",
    "SuiteCheck",
    "check_project",
    "check_suite",
    "expectation_types",
    "line_of",
    "load_project",
    "project_names",
    "project_schema",
    "suggest",
]

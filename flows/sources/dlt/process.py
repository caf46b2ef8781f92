"""The process of a dlt source: reads on standard input what is asked, writes `rows.jsonl` or `rows.parquet` and `answer.json`
in its folder. Nothing of Socle's own is in its environment."""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import inspect
import json
import signal
import sys
import traceback
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, cast

from flows.errors import SocleError
from flows.sources.dlt.items import Rows

AWAY = {"ConnectionError", "Timeout", "TimeoutException", "TransportError", "TimeoutError", "IncompleteRead", "ProtocolError"}
BUSY = (408, 425, 429)


class Wrong(Exception):
    """Something in the project file: message, hint."""


def main() -> None:
    _end_with_parent()
    asked = json.load(sys.stdin)
    try:
        answer = _work(asked)
    except BaseException as error:
        answer = {"ok": False, **_explain(error, asked)}
    Path("answer.tmp").write_text(json.dumps(answer), encoding="utf-8")
    Path("answer.tmp").rename("answer.json")


def _end_with_parent() -> None:
    """A killed run leaves no process behind."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def _work(asked: dict[str, Any]) -> dict[str, Any]:
    from dlt.common.configuration.container import Container
    from dlt.common.json import json as dlt_json
    from dlt.common.pipeline import StateInjectableContext

    _only_these_secrets(asked["secrets"])
    state: dict[str, Any] = dlt_json.typed_loads(asked["state"]) if asked["state"] else {}
    found = _resource(asked)
    with Container().injectable_context(StateInjectableContext(state=cast(Any, state))), Rows(Path(), asked["max_gb"]) as rows:
        for item in found:
            rows.add(item)
    resources = [r for source in state.get("sources", {}).values() for r in source.get("resources", {}).values()]
    incremental = any(r.get("incremental") for r in resources)
    kept = dlt_json.typed_dumps({"sources": state["sources"]}) if state.get("sources") else ""
    return {"ok": True, "rows": rows.count, "file": rows.name, "state": kept, "incremental": incremental}


def _only_these_secrets(secrets: dict[str, str]) -> None:
    """In memory, in place of the files and vaults that dlt would look into. `a.b=c` is `c` in the section `a`."""
    from dlt.common.configuration.container import Container
    from dlt.common.configuration.providers import CustomLoaderDocProvider, EnvironProvider
    from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext

    document: dict[str, Any] = {}
    for name, value in secrets.items():
        *sections, last = name.split(".")
        place = document
        for section in sections:
            place = place.setdefault(section, {})
        place[last] = value
    ours = CustomLoaderDocProvider("credentials of the project", lambda: document, locations=["source.credentials"])
    Container()[PluggableRunContext].providers.providers[:] = [EnvironProvider(), ours]


# ---- what is iterated ------------------------------------------------------------------------------------------------


def _resource(asked: dict[str, Any]) -> Iterable[Any]:
    from dlt.extract import DltResource, DltSource

    dlt: Any = importlib.import_module("dlt")
    module, _, name = asked["resource"].partition(":")
    found: Any = getattr(_load(module, Path(asked["project"])), name, None)
    if found is None:
        raise Wrong(f"{module} has no {name!r}", "check source.resource")
    arguments = _with_secrets(asked["arguments"], asked["secrets"])
    if inspect.isgeneratorfunction(found):
        found = dlt.resource(found)
    if not isinstance(found, DltResource | DltSource) or arguments:
        if not callable(found):
            raise Wrong(f"{asked['resource']} is no function, resource or source", "check source.resource")
        found = found(**arguments)
    if isinstance(found, DltSource):
        chosen: Iterable[Any] = found.with_resources(_choose(list(found.resources), list(found.selected_resources), asked["select"]))
        return chosen
    if isinstance(found, list | tuple) and found and all(isinstance(one, DltResource) for one in found):
        by_name = {one.name: one for one in found}
        one: Iterable[Any] = by_name[_choose(list(by_name), list(by_name), asked["select"])]
        return one
    if isinstance(found, DltResource):
        if asked["select"] not in (None, found.name):
            raise Wrong(f"there is no resource {asked['select']!r}", f"there is {found.name}: check source.select")
        return found
    if isinstance(found, Iterable) and not isinstance(found, str | bytes):
        wrapped: Iterable[Any] = dlt.resource(found, name=name)
        return wrapped
    raise Wrong(f"{asked['resource']} gave a {type(found).__name__}, which has no rows", "it has to give a resource, a source or rows")


def _choose(there: list[str], selected: list[str], wanted: str | None) -> str:
    if wanted in there:
        return str(wanted)
    if wanted is None and len(selected) == 1:
        return selected[0]
    message = f"there is no resource {wanted!r}" if wanted else "the source has several resources"
    raise Wrong(message, f"source.select: one of {', '.join(sorted(there)[:30])}")


def _load(module: str, project: Path) -> Any:
    """A file of the project's folder comes first, then installed packages."""
    path = project / (module.replace(".", "/") + ".py")
    if not path.is_file():
        try:
            return importlib.import_module(module)
        except ModuleNotFoundError as error:
            if error.name and module.startswith(error.name):
                raise Wrong(
                    f"there is no module {module!r}", f"looked for {path.name} in the project's folder, and for a package"
                ) from None
            raise
    sys.path.insert(0, str(project))
    spec = importlib.util.spec_from_file_location(module.rpartition(".")[2], path)
    assert spec and spec.loader
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = loaded  # dlt looks functions up in their module
    spec.loader.exec_module(loaded)
    return loaded


def _with_secrets(value: Any, secrets: dict[str, str]) -> Any:
    """`{secret: NAME}` anywhere in the arguments -> that line of the credentials."""
    if isinstance(value, dict):
        if set(value) == {"secret"} and isinstance(value["secret"], str):
            if value["secret"].lower() not in secrets:
                raise Wrong(f"the credentials have no line {value['secret']!r}", "check source.credentials and source.arguments")
            return secrets[value["secret"].lower()]
        return {key: _with_secrets(entry, secrets) for key, entry in value.items()}
    return [_with_secrets(entry, secrets) for entry in value] if isinstance(value, list) else value


# ---- what went wrong -------------------------------------------------------------------------------------------------


def _explain(error: BaseException, asked: dict[str, Any]) -> dict[str, Any]:
    chain = list(_chain(error))
    if isinstance(error, SocleError):
        kind = "refused" if error.exit_code == 1 else "configuration" if error.exit_code == 2 else "system"
        return {"kind": kind, "message": error.message, "where": error.where, "hint": error.hint}
    if isinstance(error, Wrong):
        return {"kind": "configuration", "message": error.args[0], "hint": error.args[1]}
    missing = next((e for e in chain if type(e).__name__ == "ConfigFieldMissingException"), None)
    if missing is not None:
        fields = ", ".join(getattr(missing, "fields", []))
        return {
            "kind": "configuration",
            "message": f"the resource wants what neither source.arguments nor the credentials have: {fields}",
            "hint": "put them there",
        }
    cause = chain[-1]
    reason = " ".join("".join(traceback.format_exception_only(cause)).split())[:400]
    return {"kind": _kind(chain), "message": f"the resource {asked['resource']} failed: {reason}{_line(chain, asked['project'])}"}


def _chain(error: BaseException) -> Iterator[BaseException]:
    """From what was raised to what it began with: dlt wraps what a resource raises."""
    seen: set[int] = set()
    while error and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)  # type: ignore[assignment]


def _kind(chain: list[BaseException]) -> str:
    for error in chain:
        status = getattr(getattr(error, "response", None), "status_code", None)
        if isinstance(status, int):
            return "system" if status >= 500 or status in BUSY else "configuration"
    names = {kind.__name__ for error in chain for kind in type(error).__mro__}
    return "system" if names & AWAY or "MemoryError" in names else "configuration"


def _line(chain: list[BaseException], project: str) -> str:
    """Where in the project's own code."""
    frames = [frame for error in chain for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(project)]
    return f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""


if __name__ == "__main__":
    main()

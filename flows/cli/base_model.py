"""socle base-model add, ls, show: pretrained models that all projects share, mirrored into the lake."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.options import Json

if TYPE_CHECKING:
    from flows.lake.base_models import Added, BaseModelVersion

app = typer.Typer(
    name="base-model", help="Pretrained models that all projects share, in the lake.", no_args_is_help=True, rich_markup_mode=None
)


@app.command("add")
def add(
    source: Annotated[str, typer.Argument(help="hub:org/name@revision, path:FOLDER or package:NAME/FOLDER.")],
    name: Annotated[str, typer.Option("--name", help="Its name in the lake.")],
    revision: Annotated[
        str | None, typer.Option("--revision", help="Its revision in the lake; of the hub, the commit unless given.")
    ] = None,
    licence: Annotated[str | None, typer.Option("--licence", help="As the hub writes it: apache-2.0, mit, etalab-2.0 ...")] = None,
    sha256: Annotated[str | None, typer.Option("--sha256", help="Expected hash of the weights; anything else is refused.")] = None,
    json: Json = False,
) -> None:
    """Mirror a model into the lake, once: safetensors, configuration, tokenizer, card. Code and pickles are never copied."""
    from flows.cli import display
    from flows.cli.progress_bars import bars
    from flows.lake import Lake, keys
    from flows.settings import load_settings
    from flows.steps import whoami
    from flows.steps.trail import recorded
    from flows.training.base_models.mirror import Wanted, mirror, require_usable

    settings, wanted = load_settings(), Wanted(source, name, revision, licence, sha256)
    require_usable(wanted)
    lake = Lake(settings)
    asked = {"source": source, "name": name, "revision": revision, "licence": licence, "sha256": sha256}
    with bars(quiet=json), recorded(lake, keys.COMMON, "base-model add", parameters=asked) as details:
        added = mirror(wanted, lake, settings.state_folder / "base-models", whoami())
        if added.repaired:
            details["repaired"] = f"{added.version}: {', '.join(added.repaired)}"
    if json:
        display.as_json({"created": added.created, "repaired": added.repaired, **display.plain(added.version)})
    else:
        _told(added)


def _told(added: Added) -> None:
    from flows.cli import display

    v = added.version
    if added.repaired:
        typer.echo(f"{v} was there, and is whole again: {', '.join(added.repaired)}")
    elif not added.created:
        typer.echo(f"{v} is there already, with the same bytes.")
    else:
        typer.echo(f"{v} is in the lake: {len(v.files)} files, {display.figure(v.size / 1e6, 1)} MB, {v.licence}")
    typer.echo(f'In project.yaml: {{base_model: "lake:{v}", sha256: {v.weights_sha256}}}')


@app.command("ls")
def ls(json: Json = False) -> None:
    """Base models of the lake."""
    from flows.cli import display
    from flows.lake import Lake
    from flows.lake.base_models import BaseModels
    from flows.settings import load_settings

    store = BaseModels(Lake(load_settings()))
    versions, by_hand = [store.get(*reference) for reference in store.references()], store.without_manifest()
    if json:
        display.as_json({"base_models": versions, "without_manifest": [f"{n}@{r}" for n, r in by_hand]})
        return
    if versions:
        from rich.table import Table

        table = Table("base model", "licence", "MB", "from", "added", "by", box=None, padding=(0, 2), pad_edge=False)
        for v in versions:
            table.add_row(str(v), v.licence, display.figure(v.size / 1e6, 1), v.source, v.at[:16].replace("T", " "), v.who)
        display.console().print(table, markup=False)
    else:
        typer.echo("No base model yet. Next: socle base-model add --help")
    for name, revision in by_hand:
        fix = f"socle base-model add lake:{name}@{revision} --name {name} --revision {revision} --licence LICENCE"
        typer.echo(f"{name}@{revision} has no manifest and is not loaded. Next: {fix}")


@app.command("show")
def show(model: Annotated[str, typer.Argument(metavar="NAME@REVISION", help="One of socle base-model ls.")], json: Json = False) -> None:
    """One base model: where it comes from, its licence, its files with size and hash."""
    from flows.cli import display
    from flows.lake import Lake
    from flows.lake.base_models import BaseModels, parse
    from flows.settings import load_settings

    version = BaseModels(Lake(load_settings())).get(*parse(model.removeprefix("lake:")))
    if json:
        display.as_json(version)
    else:
        _show(version)


def _show(v: BaseModelVersion) -> None:
    from flows.cli import display

    typer.echo(f"{v}  {v.licence}  {display.figure(v.size / 1e6, 1)} MB\n  from {v.source}{f' (commit {v.commit})' if v.commit else ''}")
    typer.echo(f"  added {v.at} by {v.who}\n  sha256 of the weights: {v.weights_sha256}")
    for name, facts in sorted(v.files.items()):
        typer.echo(f"  {facts['size']:>14,}  {str(facts['sha256'])[:12]}  {name}".replace(",", " "))
    typer.echo(f'In project.yaml: {{base_model: "lake:{v}", sha256: {v.weights_sha256}}}')


GROUPS = (app,)

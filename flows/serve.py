"""Data docs and model cards over HTTP, read-only: browsers refuse file:// links from a page, and buckets are private.

Nothing is changed here, and nothing but those pages is given out: no row of data, no file of a model. Pages carry a policy
that forbids every script and every outside address.
"""

from __future__ import annotations

import html
from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from flows.errors import NotFound, SocleError
from flows.lake import Lake, keys
from flows.lake.datasets import DatasetVersion
from flows.lake.followed import Followed
from flows.lake.models import Models, ModelVersion
from flows.project import Project
from flows.quality import dataset_page
from flows.quality.dataset_page import Line, Refusal
from flows.quality.results import CheckReport
from flows.quality.trends import Trend
from flows.quality.words import number
from flows.settings import Settings, load_settings
from flows.texts import links, model_page
from flows.validation import load_project, project_names

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
STYLE = """body{margin:0;font:16px/1.6 system-ui,"Segoe UI","DejaVu Sans",sans-serif;color:#161616;background:#f6f6f6}
main{max-width:860px;margin:0 auto;padding:24px 20px 64px;background:#fff;min-height:100vh}
h1{font-size:1.6rem}h2{font-size:1.2rem;margin-top:2rem}a{color:#000091}table{border-collapse:collapse;width:100%}
th,td{border-bottom:1px solid #ddd;padding:6px 10px;text-align:left}code{background:#f2f2f2;padding:0 4px;overflow-wrap:anywhere}
.soft{color:#595959}nav ol{list-style:none;margin:0;padding:0;font-size:.9rem}nav li{display:inline}
nav li+li::before{content:"›";margin:0 .4em}
.wide{overflow-x:auto}pre{overflow-x:auto;background:#f2f2f2;padding:12px}
pre code{padding:0;overflow-wrap:normal}img{max-width:100%;height:auto}
h3{font-size:1.05rem;margin-top:1.6rem}td{vertical-align:top}td,th{overflow-wrap:break-word}
.hidden{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}"""
NEWEST = 5  # versions of each dataset on a project's page, and refused loads on a dataset's


def make_app(settings: Settings) -> Starlette:
    lake = Lake(settings)
    pages = _Pages(settings, lake)
    hosts = {"127.0.0.1", "localhost", settings.docs_host, urlsplit(settings.public_docs_url).hostname or "localhost"}
    app = Starlette(
        routes=[
            Route("/", pages.home),
            Route("/{project}", pages.project),
            Route(links.DATASET, pages.dataset),
            Route(links.DATA_DOCS, pages.data_docs),
            Route(links.MODEL_CARD, pages.model_card),
            Route(links.MODEL_PICTURE, pages.model_picture),
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=sorted(hosts))],  # no page of elsewhere reads us by DNS tricks
        exception_handlers={SocleError: _error, 404: _not_found},
    )
    app.state.base = pages.base
    return app


class _Pages:
    """The routes. Plain functions, so that Starlette runs them in threads: storage blocks."""

    def __init__(self, settings: Settings, lake: Lake) -> None:
        self.settings, self.lake, self.followed = settings, lake, Followed(lake)
        self.base = urlsplit(settings.public_docs_url).path.rstrip("/")  # behind a proxy that gives us a part of its addresses

    def home(self, request: Request) -> Response:
        items = "".join(f'<li><a href="{self.base}/{n}">{html.escape(n)}</a></li>' for n in project_names(self.settings.root))
        body = f"<h1>Projets</h1><ul>{items}</ul>" if items else "<h1>Projets</h1><p>Aucun projet.</p>"
        return _page("Projets", body)

    def project(self, request: Request) -> Response:
        project = self._load(request.path_params["project"])
        head = f"<h1>{html.escape(project.title)}</h1><p class=soft>{html.escape(project.ministry)} · {project.name}</p>"
        body = [self._trail([("Projets", "/")], project.title), head]
        for name, dataset in project.datasets.items():
            body.append(f"<h2>{html.escape(dataset.title)}</h2>{self._versions(project, name)}")
        for name, model in project.models.items():
            body.append(f"<h2>{html.escape(model.title)}</h2><ul>{self._cards(project, name)}</ul>")
        return _page(project.title, "".join(body))

    def _versions(self, project: Project, name: str) -> str:
        """The newest ones; the page of the dataset has them all."""
        lines = []
        history = self.followed.history(project.name, name)
        for refusal in self._refusals(project, name, history, 1):
            if refusal.is_latest:
                lines.append(f'<li>Dernier chargement refusé, {refusal.at} – <a href="{refusal.address}">pourquoi</a></li>')
        for version in history[:NEWEST]:
            rows = number(version.load.rows.get("total", 0))
            checks = version.expired.french if version.expired else f'<a href="{self._report(project, name, version)}">contrôles</a>'
            lines.append(f"<li>Version {version.number}, {version.at:%d/%m/%Y %H:%M} UTC, {rows} lignes – {checks}</li>")
        if not history:
            lines.append("<li>Aucune version.</li>")
        every = self.base + links.DATASET.format(project=project.name, dataset=name)
        text = f"Toutes les versions ({len(history)}) et l'évolution des contrôles"
        return f'<ul>{"".join(lines)}</ul><p><a href="{every}">{text}<span class=hidden> de {html.escape(name)}</span></a></p>'

    def _report(self, project: Project, name: str, version: DatasetVersion) -> str:
        return self._page_of(project, name, version.load.load_id)

    def _page_of(self, project: Project, name: str, load_id: str) -> str:
        return self.base + links.DATA_DOCS.format(project=project.name, dataset=name, load_id=load_id)

    def _refusals(self, project: Project, name: str, history: list[DatasetVersion], limit: int) -> Iterator[Refusal]:
        """The newest first: one listing, and one object each. A load that came in later is none any more."""
        objects, published = self.lake.bucket(project.name), {version.load.load_id for version in history}
        for item in objects.list(keys.refusals(name), limit):
            at, load_id = keys.refused_load(item.key)
            with suppress(NotFound):  # its report was kept for as long as it had to be
                report = CheckReport.from_json(objects.get(keys.check_result(name, load_id)))
                if load_id not in published:
                    yield Refusal.of(report, at, self._page_of(project, name, load_id), not history or history[0].at < at)

    def dataset(self, request: Request) -> Response:
        project, name = self._load(request.path_params["project"]), request.path_params["dataset"]
        if name not in project.datasets:
            raise NotFound("no such page")
        history = self.followed.history(project.name, name)
        lines = [Line.of(version, self._report(project, name, version)) for version in history]
        wanted = request.query_params.get("page", "1")
        page = int(wanted) if wanted.isdecimal() and len(wanted) < 7 else 1
        report, trend = self._latest(project, name, history) if page == 1 else (None, Trend())
        title = project.datasets[name].title
        refusals = list(self._refusals(project, name, history, NEWEST)) if page == 1 else []
        body = dataset_page.render(title, project.name, name, lines, page, report, trend, refusals)
        trail = self._trail([("Projets", "/"), (project.title, f"/{project.name}")], title)
        return HTMLResponse(body.replace("<body>", f"<body>{trail}", 1), headers=HEADERS)

    def _latest(self, project: Project, name: str, history: list[DatasetVersion]) -> tuple[CheckReport | None, Trend]:
        """Report and trend of the newest version: two objects, whatever there is."""
        objects = self.lake.bucket(project.name)
        for version in history[:1]:
            with suppress(NotFound):
                report = CheckReport.from_json(objects.get(keys.check_result(name, version.load.load_id)))
                with suppress(NotFound):
                    return report, Trend.from_json(objects.get(keys.check_trend(name, version.load.load_id)))
                return report, Trend()
        return None, Trend()

    def _trail(self, above: list[tuple[str, str]], here: str, beside: str = "") -> str:
        """Where a page stands: links to those above it."""
        items = "".join(f'<li><a href="{self.base}{path}">{html.escape(title)}</a></li>' for title, path in above)
        return f'<nav aria-label="Fil d\'Ariane"><ol>{items}<li aria-current="page">{html.escape(here)}</li></ol>{beside}</nav>'

    def _cards(self, project: Project, name: str) -> str:
        store = Models(self.lake, project.name, name)
        state = store.state()
        champion = state.aliases.get("champion") if state else None
        lines = []
        for version in store.versions():
            address = self.base + links.MODEL_CARD.format(project=project.name, model=name, number=version.number)
            mark = " – <b>champion</b>" if version.number == champion else ""
            label = html.escape(str(version.candidate["label"]))
            lines.append(f'<li>Version {version.number}, {label} – <a href="{address}">fiche</a>{mark}</li>')
        return "".join(lines) or "<li>Aucune version.</li>"

    def data_docs(self, request: Request) -> Response:
        project = self._load(request.path_params["project"])
        dataset, load_id = request.path_params["dataset"], request.path_params["load_id"]
        if dataset not in project.datasets or not load_id.isalnum():
            raise NotFound("no such page")
        objects = self.lake.bucket(project.name)
        report = CheckReport.from_json(objects.get(keys.check_result(dataset, load_id)))
        history = self.followed.history(project.name, dataset)
        place = next((n for n, v in enumerate(history) if v.load.load_id == load_id), None)
        # Only loads that were committed or refused are shown, and checks of a published version.
        if place is None and report.verdict not in ("refused", "unchanged") and report.version is None:
            raise NotFound("no such page")
        text = objects.get(keys.check_docs(dataset, load_id)).decode()
        return HTMLResponse(text.replace("<body>", f"<body>{self._around(project, dataset, history, place)}", 1), headers=HEADERS)

    def _around(self, project: Project, dataset: str, history: list[DatasetVersion], place: int | None) -> str:
        """What the page of a report, which lies in the lake as it was written, cannot know: what is above it and beside it."""
        title = project.datasets[dataset].title
        address = links.DATASET.format(project=project.name, dataset=dataset)
        above = [("Projets", "/"), (project.title, f"/{project.name}"), (title, address)]
        if place is None:
            return self._trail(above, "Contrôles")
        near = [("Version précédente", place + 1), ("Version suivante", place - 1)]
        shown = [(text, history[n]) for text, n in near if 0 <= n < len(history) and history[n].expired is None]
        beside = " · ".join(f'<a href="{self._report(project, dataset, v)}">{text} ({v.number})</a>' for text, v in shown)
        return self._trail(above, f"Version {history[place].number}", f"<p>{beside}</p>" if beside else "")

    def model_card(self, request: Request) -> Response:
        project, store, version = self._model(request)
        title = f"{project.models[version.model].title}, version {version.number}"
        address = self.base + links.MODEL_CARD.format(project=project.name, model=version.model, number=version.number)
        card = model_page.render(store.read_file(version, "README.md").decode(), str(version), address)
        above = [("Projets", "/"), (project.title, f"/{project.name}")]
        return _page(title, self._trail(above, title) + card)

    def model_picture(self, request: Request) -> Response:
        _, store, version = self._model(request)
        name = f"plots/{request.path_params['file']}"
        if name not in version.files or not name.endswith(".png"):
            raise NotFound("no such page")
        return Response(store.read_file(version, name), media_type="image/png", headers=HEADERS)

    def _model(self, request: Request) -> tuple[Project, Models, ModelVersion]:
        project = self._load(request.path_params["project"])
        model, wanted = request.path_params["model"], request.path_params["number"]
        if model not in project.models or not wanted.isdecimal() or len(wanted) > 9:
            raise NotFound("no such page")
        store = Models(self.lake, project.name, model)
        return project, store, store.version(int(wanted))

    def _load(self, name: str) -> Project:
        if name not in project_names(self.settings.root):
            raise NotFound("no such page")
        return load_project(self.settings.root, name)


def _page(title: str, body: str, status: int = 200) -> HTMLResponse:
    scale = '<meta name="viewport" content="width=device-width, initial-scale=1">'
    head = f'<head><meta charset="utf-8">{scale}<title>{html.escape(title)}</title><style>{STYLE}</style></head>'
    page = f'<!doctype html><html lang="fr">{head}<body><main>{body}</main></body></html>'
    return HTMLResponse(page, status_code=status, headers=HEADERS)


def _not_found(request: Request, error: Exception) -> Response:
    home = html.escape(f"{request.app.state.base}/")
    return _page("Introuvable", f"<h1>Cette page n'existe pas</h1><p><a href='{home}'>Tous les projets</a></p>", 404)


def _error(request: Request, error: Exception) -> Response:
    if isinstance(error, NotFound):
        return _not_found(request, error)
    text = (
        "<h1>Cette page ne peut pas être lue pour le moment</h1><p>Le stockage ou le projet a un problème : <code>socle doctor</code>.</p>"
    )
    return _page("Indisponible", text, 503)


def main() -> None:
    """`python -m flows.serve`: on SOCLE_DOCS_HOST and SOCLE_DOCS_PORT."""
    import uvicorn

    settings = load_settings()
    options: dict[str, Any] = {"log_level": "warning", "access_log": False, "server_header": False}
    uvicorn.run(make_app(settings), host=settings.docs_host, port=settings.docs_port, **options)


if __name__ == "__main__":
    main()

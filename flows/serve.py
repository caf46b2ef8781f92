"""Data docs and model cards over HTTP, read-only: browsers refuse file:// links from a page, and buckets are private.

Nothing is changed here, and nothing but those pages is given out: no row of data, no file of a model. Pages carry a policy
that forbids every script and every outside address.
"""

from __future__ import annotations

import html
from typing import Any
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from flows.errors import NotFound, SocleError
from flows.lake import Lake, keys
from flows.lake.datasets import Dataset
from flows.lake.models import Models
from flows.project import Project
from flows.quality.results import CheckReport
from flows.quality.words import number
from flows.settings import Settings, load_settings
from flows.texts import links
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
.soft{color:#666}"""


def make_app(settings: Settings) -> Starlette:
    lake = Lake(settings)
    pages = _Pages(settings, lake)
    hosts = {"127.0.0.1", "localhost", settings.docs_host, urlsplit(settings.public_docs_url).hostname or "localhost"}
    app = Starlette(
        routes=[
            Route("/", pages.home),
            Route("/{project}", pages.project),
            Route(links.DATA_DOCS, pages.data_docs),
            Route(links.MODEL_CARD, pages.model_card),
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=sorted(hosts))],  # no page of elsewhere reads us by DNS tricks
        exception_handlers={SocleError: _error, 404: _not_found},
    )
    app.state.base = pages.base
    return app


class _Pages:
    """The routes. Plain functions, so that Starlette runs them in threads: storage blocks."""

    def __init__(self, settings: Settings, lake: Lake) -> None:
        self.settings, self.lake = settings, lake
        self.base = urlsplit(settings.public_docs_url).path.rstrip("/")  # behind a proxy that gives us a part of its addresses

    def home(self, request: Request) -> Response:
        items = "".join(f'<li><a href="{self.base}/{n}">{html.escape(n)}</a></li>' for n in project_names(self.settings.root))
        return _page("Projets", f"<h1>Projets</h1><ul>{items or '<li>Aucun projet.</li>'}</ul>")

    def project(self, request: Request) -> Response:
        project = self._load(request.path_params["project"])
        body = [f"<h1>{html.escape(project.title)}</h1><p class=soft>{html.escape(project.ministry)} · {project.name}</p>"]
        for name, dataset in project.datasets.items():
            body.append(f"<h2>{html.escape(dataset.title)}</h2><ul>{self._versions(project, name)}</ul>")
        for name, model in project.models.items():
            body.append(f"<h2>{html.escape(model.title)}</h2><ul>{self._cards(project, name)}</ul>")
        return _page(project.title, "".join(body))

    def _versions(self, project: Project, name: str) -> str:
        lines = []
        for version in Dataset(self.lake, project.name, name).history():
            address = self.base + links.DATA_DOCS.format(project=project.name, dataset=name, load_id=version.load.load_id)
            rows = number(version.load.rows.get("total", 0))
            checks = version.expired.french if version.expired else f'<a href="{address}">contrôles</a>'
            lines.append(f"<li>Version {version.number}, {version.at:%d/%m/%Y %H:%M} UTC, {rows} lignes – {checks}</li>")
        return "".join(lines) or "<li>Aucune version.</li>"

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
        if not self._ended(project, report):
            raise NotFound("no such page")
        return HTMLResponse(objects.get(keys.check_docs(dataset, load_id)), headers=HEADERS)

    def _ended(self, project: Project, report: CheckReport) -> bool:
        """Only loads that were committed or refused are shown, and checks of a published version."""
        if report.verdict == "refused" or report.version is not None:
            return True
        return any(v.load.load_id == report.load_id for v in Dataset(self.lake, project.name, report.dataset).history())

    def model_card(self, request: Request) -> Response:
        project = self._load(request.path_params["project"])
        model, wanted = request.path_params["model"], request.path_params["number"]
        if model not in project.models or not wanted.isdigit():
            raise NotFound("no such page")
        store = Models(self.lake, project.name, model)
        text = store.read_file(store.version(int(wanted)), "README.md").decode()
        body = text.split("\n---\n", 1)[-1] if text.startswith("---\n") else text
        return _page(f"{model}, version {wanted}", MarkdownIt("commonmark", {"html": False}).enable("table").render(body))

    def _load(self, name: str) -> Project:
        if name not in project_names(self.settings.root):
            raise NotFound("no such page")
        return load_project(self.settings.root, name)


def _page(title: str, body: str, status: int = 200) -> HTMLResponse:
    head = f'<!doctype html><html lang="fr"><meta charset="utf-8"><title>{html.escape(title)}</title><style>{STYLE}</style>'
    return HTMLResponse(f"{head}<main>{body}</main></html>", status_code=status, headers=HEADERS)


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

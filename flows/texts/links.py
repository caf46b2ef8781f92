"""Addresses of the pages that Socle serves (serve.py). One place, so that links and routes stay the same."""

from __future__ import annotations

from flows.quality.results import CheckReport
from flows.settings import Settings

DATASET = "/{project}/donnees/{dataset}"
DATA_DOCS = "/{project}/donnees/{dataset}/{load_id}"
MODEL_CARD = "/{project}/modeles/{model}/{number}"
MODEL_PICTURE = MODEL_CARD + "/plots/{file}"


def data_docs(settings: Settings, report: CheckReport) -> str:
    return settings.public_docs_url + DATA_DOCS.format(project=report.project, dataset=report.dataset, load_id=report.load_id)


def model_card(settings: Settings, project: str, model: str, number: int) -> str:
    return settings.public_docs_url + MODEL_CARD.format(project=project, model=model, number=number)

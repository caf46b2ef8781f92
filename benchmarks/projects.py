"""The projects that measurements run: made from the example project's generator, in a folder of their own."""

from __future__ import annotations

import importlib.util
import os
import socket
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent
PROJECT = """\
title: Mesure
ministry: Essai
owner: {team: Essai, email: essai@example.gouv.fr}
datasets:
  demandes:
    title: Demandes
    source: {type: file, path: demandes.csv}
    format: {type: csv}
    key: [id]
    columns: {id: string, recu_le: date, canal: string, texte: string, theme: string}
    expectations: [commun/texte.json]
    on_failure: quarantine
    personal_data: none
models:
  theme:
    title: Thème
    task: text-classification
    dataset: demandes
    inputs: [texte]
    label: theme
    candidates: [tfidf]
"""


def generated(count: int) -> list[dict[str, Any]]:
    """Rows of the example project's seeded generator."""
    spec = importlib.util.spec_from_file_location("exemple_generate", REPOSITORY / "projects" / "exemple" / "generate.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return list(module.generate(13, count))


def small_project(root: Path, count: int = 1500) -> Path:
    """projects/mesure under `root`, with the common suite."""
    import csv

    folder = root / "projects" / "mesure"
    folder.mkdir(parents=True)
    (folder / "project.yaml").write_text(PROJECT, encoding="utf-8")
    rows = generated(count)
    with (folder / "demandes.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    suites = root / "expectations" / "commun"
    suites.mkdir(parents=True, exist_ok=True)
    (suites / "texte.json").write_bytes((REPOSITORY / "expectations" / "commun" / "texte.json").read_bytes())
    return folder


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(root: Path) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("SOCLE_", "PREFECT_"))}
    return kept | {"SOCLE_ROOT": str(root)}

"""Where data comes from. A source says which bytes there are, and brings them to a local folder; it parses nothing.

To add one: a class of its own (base.py), its settings in project/sources.py, a line in SOURCES. See docs/sources.md.
"""

from __future__ import annotations

import importlib

from flows.project import Source as Declared
from flows.sources.base import Context, Source

SOURCES = {
    "file": "flows.sources.file:LocalFiles",
    "npm": "flows.sources.npm:NpmPackage",
    "http": "flows.sources.http:HttpFiles",
    "datagouv": "flows.sources.datagouv:DataGouv",
    "rest": "flows.sources.rest:RestPages",
    "s3": "flows.sources.s3:S3Objects",
    "sql": "flows.sources.sql:SqlQuery",
    "dlt": "flows.sources.dlt:DltResource",
    "datasets": "flows.sources.datasets:OtherDatasets",
    "pseudonymised": "flows.sources.pseudonymised:Pseudonymised",
}


def open_source(declared: Declared, context: Context) -> Source:
    module, _, name = SOURCES[declared.type].partition(":")
    opened: Source = getattr(importlib.import_module(module), name)(declared, context)
    return opened


__all__ = ["SOURCES", "Context", "Source", "open_source"]

"""Rows of a database: `SqlQuery`. A reader for each kind of server, so that each streams and keeps its types as they are.

How readers were chosen, and what was measured: docs/sources.md, “How they are read”.
"""

from flows.sources.sql.source import SqlQuery

__all__ = ["SqlQuery"]

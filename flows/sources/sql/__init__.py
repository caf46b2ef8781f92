"""Rows of a database: `SqlQuery`. A reader for each kind of server, so that each streams and keeps its types as they are.

How readers were chosen, and what was measured: docs/decisions/ (sources that are databases).
"""

from flows.sources.sql.source import SqlQuery

__all__ = ["SqlQuery"]

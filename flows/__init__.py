"""Socle: the shared flows of several ministries, on one object storage."""

__version__ = "0.1.0"

"""Runs that start at once: the Prefect worker starts each run through `launch`, which asks a warm process to fork it.

A plain process worker starts a new interpreter for every run and imports Prefect and the flows again, which is most of the
time between trigger and first step. Here they are imported once, and each run is still a process of its own.
"""

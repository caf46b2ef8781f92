"""Suites on the same rows by Great Expectations on Polars and on pandas."""

from __future__ import annotations

import polars as pl

from flows.quality.suites import Suite

SHOWN = ("element_count", "unexpected_count", "missing_count", "unexpected_list", "unexpected_index_list")


def same_answers_as_on_pandas(rows: pl.DataFrame, suites: list[Suite]) -> int:
    """Returns: how many expectations were not met, by both. Raises: AssertionError that names one with another answer."""
    from flows.quality import expectations
    from flows.quality.gx_polars import validate
    from flows.quality.gx_polars.frames import to_pandas
    from flows.quality.gx_polars.validation import ephemeral_context
    from flows.quality.previous import PREVIOUS

    expectations._import()
    asked = [e for suite in suites for e in suite.expectations if e["type"] not in PREVIOUS]
    rows = rows.select(sorted({c for e in asked for c in expectations._columns(e["kwargs"])}))
    failed = 0
    with expectations._quiet():
        whole = ephemeral_context().data_sources.add_pandas("p").add_dataframe_asset("r").add_batch_definition_whole_dataframe("all")
        built = [expectations._implementation(e["type"])(**e["kwargs"]) for e in asked]
        batch = whole.get_batch(batch_parameters={"dataframe": to_pandas(rows.lazy())})
        for entry, ours in zip(built, validate(rows, built, "COMPLETE"), strict=True):
            theirs = batch.validate(entry, result_format="COMPLETE")
            seen = [
                repr((r.success, {k: r.result.get(k) for k in SHOWN})).replace("<NA>", "None").replace("nan", "None")
                for r in (ours, theirs)
            ]
            assert seen[0] == seen[1], entry
            failed += not ours.success
    return failed

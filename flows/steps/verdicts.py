"""What the results of checks lead to: which rows are taken out, why, and whether the load is published."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from flows.privacy.masks import mask
from flows.quality.docs import sentence as sentence_of
from flows.quality.results import CheckResult, Verdict
from flows.quality.sentences import SENTENCES, own_sentence
from flows.steps.parts import POSITION

if TYPE_CHECKING:
    import polars as pl

    from flows.quality.expectations import Evaluated


def marked(found: list[Evaluated]) -> list[Evaluated]:
    """Expectations of one type on the same columns get marks, so that a refused row names the one that refused it; the only critical
    one among them keeps the plain name. A mark is made of what is expected: it stays when a suite is put in another order."""
    times = Counter(e.result.rule for e in found)
    critical = Counter(e.result.rule for e in found if e.result.severity == "critical")
    plain = [times[r.rule] == 1 or (r.severity == "critical" and critical[r.rule] == 1) for r in (e.result for e in found)]
    return [e if is_plain else replace(e, result=replace(e.result, mark=_mark(e.result))) for e, is_plain in zip(found, plain, strict=True)]


def worded(found: list[Evaluated]) -> list[Evaluated]:
    """With the sentences that expectation classes of our own bring: pages and artifacts are written where those are not loaded."""
    own = {kind: own_sentence(kind) for kind in {e.result.type for e in found} - SENTENCES.keys()}
    return [replace(e, result=replace(e.result, sentence=own[e.result.type])) if own.get(e.result.type) else e for e in found]


def _mark(result: CheckResult) -> str:
    text = json.dumps(result.arguments, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:6]


def wrong_rows(found: list[Evaluated], height: int) -> pl.DataFrame | None:
    """POSITION of the load's own rows (below `height`) that critical expectations refuse, with every rule.

    None if there are none; then nothing can be gained by taking rows out.
    """
    import polars as pl

    shape = {POSITION: pl.UInt32, "rules": pl.String}
    frames = [
        pl.DataFrame({POSITION: pl.Series(one.unexpected_rows, dtype=pl.UInt32)}).with_columns(rules=pl.lit(one.result.rule))
        for one in found
        if not one.result.success and one.result.severity == "critical" and one.unexpected_rows is not None
    ]
    rows = pl.concat([pl.DataFrame(schema=shape), *frames]).filter(pl.col(POSITION) < height)
    return rows.group_by(POSITION, maintain_order=True).agg(pl.col("rules").unique(maintain_order=True)) if rows.height else None


def with_refused(found: list[Evaluated], first: list[Evaluated], rules: Mapping[str, int]) -> list[CheckResult]:
    """Results of the last round, with what each took out before: how many rows, of how many, and examples, from the first round."""
    before = {e.result.rule: e.result for e in first}
    results = []
    for one in (e.result for e in found):
        count = rules.get(one.rule, 0) if one.level == "row" and one.severity == "critical" else 0
        if count and (then := before.get(one.rule)) is not None:
            one = replace(one, refused=count, refused_of=then.checked_rows, examples=one.examples or then.examples)
        results.append(one)
    return results


def met_without(found: list[Evaluated], first: list[Evaluated]) -> list[str]:
    """In French: what the table as it was received did not meet, and the table without the refused rows does. Only the latter is ever
    published, and a failure of its own refuses the load; but who asked for it may want to know."""
    failed = {e.result.rule for e in first if not e.result.success and e.result.severity == "critical" and e.result.level == "table"}
    met = [e.result for e in found if e.result.success and e.result.rule in failed]
    return [f"Satisfait seulement sans les lignes écartées : {sentence_of(r)}" for r in met]


def by_rule(rules: Counter[str]) -> dict[str, int]:
    """Rule -> rows that it refused, as it may be shown: a rule of the contract can name columns of a file that nobody has looked at."""
    shown = Counter[str]()
    for rule, count in rules.items():
        shown[rule if rule.startswith("expect_") else mask(rule)] += count
    return dict(shown)


def contract_reasons(before: dict[str, int], rows: int, on_failure: str) -> list[str]:
    if not before:
        return []
    verb = "refuses the load" if on_failure == "block" else "set aside"
    return [f"{rows} row(s) do not fit the declared columns ({mask(', '.join(before))}): {verb}"]


def result_reasons(results: list[CheckResult], rules: Counter[str], on_failure: str) -> list[str]:
    reasons = []
    for r in results:
        if r.success or r.severity != "critical":
            continue
        what = (
            f"could not be evaluated: {r.error}"
            if r.error
            else f"{r.unexpected} {'row' if r.level == 'row' else 'value'}(s)"
            if r.unexpected is not None
            else f"found {r.observed}"
        )
        reasons.append(f"{r.description} – {r.rule}, {what}" if r.description else f"{r.rule}, {what}")
    failed = {r.rule for r in results if not r.success}
    if on_failure == "quarantine":
        reasons += [
            f"{count} row(s) set aside by {rule}" for rule, count in rules.items() if rule not in failed and rule.startswith("expect_")
        ]
    return reasons


def verdict(on_failure: str, results: list[CheckResult], refused_rows: int, kept: int, broke_contract: bool) -> Verdict:
    critical = any(not r.success and r.severity == "critical" for r in results)
    if not kept:
        return "refused"
    if on_failure == "block":
        return "refused" if critical or broke_contract else "passed"
    if on_failure == "quarantine":
        return "refused" if critical else "quarantined" if refused_rows else "passed"
    return "warned" if critical or broke_contract else "passed"

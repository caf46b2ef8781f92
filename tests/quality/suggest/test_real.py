"""Real files: what is suggested on one half holds on the other, and not on the other half spoilt. The figures of all files are in
docs/decisions/0025-suggested-suites.md (`python -m benchmarks.suggested`)."""

from __future__ import annotations

import pytest

from benchmarks.suggested import FILES, HERE, SNAPSHOTS, Table, failed, halves, socle, spoilt

pytestmark = pytest.mark.skipif(not HERE.is_dir(), reason="the real data are not there (shared/data)")
TRIED = ("egapro/sirens.csv", "rome/unix_referentiel_competence_v347_utf8.csv")


@pytest.mark.parametrize("file", TRIED)
def test_the_other_half_meets_it_and_spoilt_does_not(file):
    table = Table(HERE / file)
    _, seen, unseen = next(halves(table.texts))
    before = table.typed(seen)
    suite = socle(before, [], FILES[file])
    assert len(suite["expectations"]) >= 12
    wrong = failed(suite, table.typed(unseen), before)
    assert len(wrong) <= len(suite["expectations"]) * 0.05, wrong
    noticed = {what: bool(set(failed(suite, table.typed(texts), before)) - set(wrong)) for what, texts in spoilt(unseen, table)}
    assert len(noticed) >= 7 and all(noticed.values()), noticed


def test_the_next_snapshot_meets_what_the_ones_before_it_suggest():
    tables = [Table(HERE / file) for file in SNAPSHOTS]
    first, second, third = (t.typed(t.texts) for t in tables)
    suite = socle(second, [first], ["Numero_inspection"])
    there = [e for e in suite["expectations"] if e["kwargs"].get("column", "SIRET") in third.columns]
    assert len(there) >= 25 and failed({"expectations": there}, third, second) == []

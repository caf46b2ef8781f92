"""Table Schemas: verdicts on pairs of a schema and a file beside those of their authors, and of frictionless.

`python -m benchmarks.table_schema FOLDER [PYTHON]`. FOLDER has an `index.csv` with the columns cas, schema, exemple, verdict_auteur.
PYTHON: an interpreter whose environment has frictionless; it is then asked for the same pairs, and for every text of the table of types
that the tests have (tests/quality/table_schema/test_reading.py).
"""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import time
from pathlib import Path

import polars as pl

from flows.errors import SocleError
from flows.quality.table_schema.descriptor import field_of
from flows.quality.table_schema.reading import read
from flows.settings import load_settings
from flows.steps.suite_trial import try_suite

OTHER = """
import json, sys
from frictionless import Field, Resource, Schema, system
asked, answers = json.load(sys.stdin), {"pairs": [], "texts": []}
for schema, file in asked["pairs"]:
    try:
        with system.use_context(trusted=True):
            answers["pairs"].append(Resource(path=file, schema=Schema.from_descriptor(schema)).validate().valid)
    except Exception as error:
        answers["pairs"].append(str(error)[:100])
for descriptor, texts in asked["texts"]:
    try:
        reader = Field.from_descriptor({"name": "a", "missingValues": [], **descriptor}).create_cell_reader()
        answers["texts"].append([not reader(text)[1] for text in texts])
    except Exception as error:
        answers["texts"].append([str(error)[:100]] * len(texts))
json.dump(answers, sys.stdout)
"""


def verdict(schema: Path, file: Path) -> str:
    try:
        trials = try_suite(schema, file, load_settings())
    except SocleError as error:
        return f"error: {error.message.splitlines()[0]}"
    return "invalide" if any(t.refused for t in trials) else "valide"


def main(folder: Path, other: str | None) -> None:
    from tests.quality.table_schema.test_reading import TABLE

    with (folder / "index.csv").open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    started = time.perf_counter()
    ours = [verdict(folder / r["schema"], folder / r["exemple"]) for r in rows]
    agreed = sum(mine == r["verdict_auteur"] for mine, r in zip(ours, rows, strict=True))
    print(f"authors: {agreed} of {len(rows)} pairs agree, in {time.perf_counter() - started:.0f} s")
    for mine, r in zip(ours, rows, strict=True):
        if mine != r["verdict_auteur"]:
            print(f"  {r['cas']}: {mine}, its author says {r['verdict_auteur']}")
    if other is None:
        return
    texts = [(d, [*valid, *invalid]) for d, valid, invalid in TABLE]
    pairs = [(json.loads((folder / r["schema"]).read_text("utf-8-sig")), str((folder / r["exemple"]).resolve())) for r in rows]
    question = json.dumps({"pairs": pairs, "texts": texts})
    done = subprocess.run([other, "-c", OTHER], input=question, capture_output=True, text=True, check=True, cwd="/")
    answers = json.loads(done.stdout)
    for mine, theirs, r in zip(ours, answers["pairs"], rows, strict=True):
        if theirs is not (mine == "valide"):
            print(f"  {r['cas']}: {mine}, frictionless: {theirs}")
    same = 0
    for (descriptor, values), theirs in zip(texts, answers["texts"], strict=True):
        made = read(pl.Series(values, dtype=pl.String), field_of({"name": "a", **descriptor})).is_not_null().to_list()
        same += sum(mine is each for mine, each in zip(made, theirs, strict=True))
        for value, mine, each in zip(values, made, theirs, strict=True):
            if mine is not each:
                print(f"  {json.dumps(descriptor, ensure_ascii=False)} {value!r}: {mine}, frictionless: {each}")
    print(f"frictionless: the same of {same} of {sum(len(v) for _, v in texts)} texts")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None)

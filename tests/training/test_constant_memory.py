"""Evaluation takes no more memory for more rows: what a model gives for each token is not kept."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.training import tiny

ROWS = 4_000
ALLOWED_MB = 60
"""For ten times the rows. Logits that are kept would take 600 MB (tokens) and 3,800 MB (words) more."""
PREDICT = """
import resource, sys
from pathlib import Path
import torch
torch.set_num_threads(1)
torch.manual_seed(0)
from transformers import AutoTokenizer, BertConfig, BertForMaskedLM, BertForTokenClassification
from flows.models.language import MaskedPredictor
from flows.models.tokens import TokenPredictor
kind, folder, rows = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
tokenizer = AutoTokenizer.from_pretrained(folder)
sizes = dict(hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8, max_position_embeddings=64)
if kind == "words":
    predictor = MaskedPredictor(BertForMaskedLM(BertConfig(vocab_size=20_000, **sizes)), tokenizer, 32)
else:
    tags = {0: "O"} | {i: f"{'BI'[i % 2]}-{(i + 1) // 2}" for i in range(1, 3_001)}
    predictor = TokenPredictor(BertForTokenClassification(BertConfig(vocab_size=200, id2label=tags, **sizes)), tokenizer, [], 32)
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
texts = [f"question {i} sur salaire et prime congé vacances" for i in range(rows)]
predictor.predict(texts[: rows // 10])
before = peak()
assert len(predictor.predict(texts)) == rows
print(peak() - before)
"""


@pytest.mark.parametrize("kind", ["words", "tokens"])
def test_ten_times_the_rows_take_no_more(kind: str, tmp_path: Path) -> None:
    folder = tiny.make(tmp_path / "base")
    command = [sys.executable, "-c", PREDICT, kind, str(folder), str(ROWS)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout.split()[-1]) < ALLOWED_MB

"""How a version is used without Socle: a few lines of Python for each kind of model, which tests run in the version's own folder."""

from __future__ import annotations

from typing import Any

READ = """\
import json
from pathlib import Path

{imports}
folder = Path(".")  # the folder that this card lies in
about = json.loads((folder / "socle.json").read_text(encoding="utf-8"))
"""
TEXTS = 'texts = ["question sur un congé", "question sur une paie"]\n'
VECTORS = """\
terms = json.loads((folder / "vocabulary.json").read_text(encoding="utf-8"))
weights = load_file(folder / "model.safetensors")
vectorizer = TfidfVectorizer(
    lowercase=True, sublinear_tf=True, dtype=np.float32, ngram_range=(1, about["ngram_max"]), vocabulary={t: i for i, t in enumerate(terms)}
)
vectorizer.idf_ = weights["idf"]
"""
ONE = """\
scores = np.asarray(scores, dtype=np.float64) / about["temperature"]
powers = np.exp(scores - scores.max(axis=1, keepdims=True))
probabilities = powers / powers.sum(axis=1, keepdims=True)
print([about["labels"][i] for i in probabilities.argmax(axis=1)], probabilities.max(axis=1).tolist())
"""
SEVERAL = """\
scores = np.asarray(scores, dtype=np.float64) / about["temperature"]
probabilities = 1 / (1 + np.exp(-scores))
cuts = about["thresholds"] or [0.5] * len(about["labels"])
print([[label for label, p, cut in zip(about["labels"], row, cuts) if p >= cut] for row in probabilities])
"""
ENCODER = """\
tokenizer, model = AutoTokenizer.from_pretrained(folder), {head}.from_pretrained(folder).eval()
tokens = tokenizer(texts, truncation=True, max_length=about["max_length"], padding=True, return_tensors="pt")
with torch.inference_mode():
"""
MEAN = """\
    hidden = model(**tokens).last_hidden_state
mask = tokens["attention_mask"].unsqueeze(-1)
vectors = ((hidden * mask).sum(1) / mask.sum(1)).numpy()
"""
TORCH = "import numpy as np\nimport torch\nfrom transformers import {head}, AutoTokenizer\n"
SKLEARN = "import numpy as np\nfrom safetensors.numpy import load_file\nfrom sklearn.feature_extraction.text import TfidfVectorizer\n"
DICTIONARY = """\
content = json.loads((folder / "dictionary.json").read_text(encoding="utf-8"))
key = bytes.fromhex(content["salt"])


def hashed(words):
    return blake2b("\\x1f".join(words).encode("utf-8", "replace"), digest_size=8, key=key).hexdigest()


text = "question sur un congé"
words = list(re.finditer(r"\\w+|[^\\w\\s]", text))
normal = ["".join("0" if c.isdigit() else c for c in word[0]) for word in words]
at = 0
while at < len(words):
    ends = range(min(len(words), at + 12), at, -1)
    end = next((e for e in ends if hashed(normal[at:e]) in content["entries"]), None)
    if end:
        print(text[words[at].start() : words[end - 1].end()], content["entries"][hashed(normal[at:end])])
    at = end or at + 1
"""
TABLE = """\
pipeline = skops.io.load(folder / "model.skops", trusted={trusted})
rows = pl.DataFrame({rows})  # a row of each column that it reads; None where a value is not known


def features(rows):
    made = {{}}
    for column in about["columns"]:
        name, kind, value = column["name"], column["kind"], pl.col(column["name"])
        if kind in ("category", "text"):
            made[name] = value.cast(pl.String).fill_null("")
        elif kind in ("date", "datetime"):
            moment = value.cast(pl.Datetime("us"))
            made[name] = (moment.cast(pl.Int64) / 86_400_000_000).fill_null(float("nan"))
            for part, form in {{"month": "%m", "weekday": "%u", "hour": "%H"}}.items():
                if part != "hour" or kind == "datetime":
                    made[f"{{name}}:{{part}}"] = moment.dt.strftime(form).fill_null("")
        else:
            made[name] = value.cast(pl.Float64).fill_null(float("nan"))
    return rows.select(**made)


"""
NUMBERS = "print(pipeline.predict(features(rows)).tolist())\n"
CLASSES = """\
powers = pipeline.predict_proba(features(rows)) ** (1 / about["temperature"])
probabilities = powers / powers.sum(axis=1, keepdims=True)
labels = [about["labels"][i] for i in pipeline.classes_]
print([dict(zip(labels, row)) for row in probabilities.tolist()])
"""
EXAMPLES = {"number": "12.5", "boolean": "True", "date": "date(2024, 5, 6)", "datetime": "datetime(2024, 5, 6, 10, 30)"}
PIPELINES = {
    "token-transformer": (
        'find = pipeline("token-classification", model=".", aggregation_strategy="average")  # the folder that this card lies in\n'
        'for entity in find("question sur un congé"):\n    print(entity["start"], entity["end"], entity["entity_group"])\n'
    ),
    "masked-lm": (
        'fill = pipeline("fill-mask", model=".")  # the folder that this card lies in\n'
        'for word in fill(f"question sur {fill.tokenizer.mask_token}"):\n    print(word["token_str"], word["score"])\n'
    ),
    "causal-lm": (
        'answer = pipeline("text-generation", model=".")  # the folder that this card lies in\n'
        'said = answer([{"role": "user", "content": "question sur un congé"}], max_new_tokens=50, do_sample=False)\n'
        'print(said[0]["generated_text"][-1]["content"])\n'
    ),
}


def snippet(about: dict[str, Any]) -> str:
    """Python that loads the version and answers. `about`: its socle.json. Empty for a kind that has none here."""
    kind = about["kind"]
    if kind in PIPELINES:
        return "from transformers import pipeline\n\n" + PIPELINES[kind]
    if kind == "dictionary":
        return READ.format(imports="import re\nfrom hashlib import blake2b\n") + DICTIONARY
    if kind in ("linear", "boosting"):
        return _table(about)
    answer = SEVERAL if about.get("several") else ONE
    if kind == "tfidf":
        scored = 'scores = vectorizer.transform(texts) @ weights["coef"].T + weights["intercept"]\n'
        return READ.format(imports=SKLEARN) + VECTORS + TEXTS + scored + answer
    if kind == "sentence-tfidf":
        return (
            READ.format(imports=SKLEARN)
            + VECTORS
            + TEXTS
            + "vectors = vectorizer.transform(texts)\nprint((vectors @ vectors.T).toarray())\n"
        )
    if kind == "transformer":
        head = "AutoModelForSequenceClassification"
        scored = "    scores = model(**tokens).logits.numpy()\n"
        return READ.format(imports=TORCH.format(head=head)) + TEXTS + ENCODER.format(head=head) + scored + answer
    if kind == "frozen":
        imports = TORCH.format(head="AutoModel").replace("import torch\n", "import torch\nfrom safetensors.numpy import load_file\n")
        scored = 'head = load_file(folder / "head.safetensors")\nscores = vectors @ head["coef"].T + head["intercept"]\n'
        return READ.format(imports=imports) + TEXTS + ENCODER.format(head="AutoModel") + MEAN + scored + answer
    if kind == "sentence-transformer":
        return (
            "from sentence_transformers import SentenceTransformer\n\n"
            'model = SentenceTransformer(".")  # the folder that this card lies in\n'
            + TEXTS
            + "vectors = model.encode(texts, normalize_embeddings=True)\nprint(vectors @ vectors.T)\n"
        )
    return ""


def _table(about: dict[str, Any]) -> str:
    from flows.models.tabular import TRUSTED

    kinds = {c["kind"] for c in about["columns"]}
    dates = sorted(kinds & {"date", "datetime"})
    imports = (f"from datetime import {', '.join(dates)}\n" if dates else "") + "import polars as pl\nimport skops.io\n"
    rows = ", ".join(f"{c['name']!r}: [{EXAMPLES.get(c['kind'], repr('...'))}]" for c in about["columns"])
    answer = CLASSES if "labels" in about else NUMBERS
    return READ.format(imports=imports) + TABLE.format(trusted=TRUSTED, rows="{" + rows + "}") + answer

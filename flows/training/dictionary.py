"""The cheap baseline of entities: each word or sequence of words gets the label that it had most often in training."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from hashlib import sha256

from flows.models.dictionary import LONGEST, DictionaryPredictor, Hasher, normal, sequences
from flows.models.spans import WORD, Span
from flows.training.tasks.base import Job, Trained


def train(job: Job) -> Trained:
    """A sequence that was an entity is kept where it was one at least as often as not, with its most frequent label.

    Entities of more than LONGEST words are not learned. The same rows give the same file.
    """
    frame = job.examples.read("train")
    texts = frame["text"].to_list()
    spans = [[(s["start"], s["end"], s["label"]) for s in row] for row in frame["spans"]]
    salt = sha256(f"{job.examples.labels}{len(texts)}{sum(map(len, texts))}".encode()).hexdigest()[:32]
    labelled = _labelled(texts, spans)
    seen = _seen(texts, set(labelled))
    entries, first, hashed = dict[str, str](), set[str](), Hasher(salt)
    for sequence, labels in labelled.items():
        label, times = labels.most_common(1)[0]
        if 2 * times >= seen[sequence]:
            entries[hashed(sequence)] = label
            first.add(hashed(sequence[:1]))
    job.advance(1.0)
    return Trained(DictionaryPredictor(entries, first, salt, job.examples.labels), len(entries), len(entries))


def _labelled(texts: Iterable[str], spans: Iterable[Iterable[Span]]) -> dict[tuple[str, ...], Counter[str]]:
    """Words of each entity -> how often it had each label."""
    found: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
    for text, of_text in zip(texts, spans, strict=True):
        for start, end, label in of_text:
            sequence = tuple(normal(word) for word in WORD.findall(text[start:end]))
            if 0 < len(sequence) <= LONGEST:
                found[sequence][label] += 1
    return found


def _seen(texts: Iterable[str], wanted: set[tuple[str, ...]]) -> Counter[tuple[str, ...]]:
    """How often each of these sequences stands in the texts, whatever it is there."""
    found, first = Counter[tuple[str, ...]](), {sequence[0] for sequence in wanted}
    longest = max((len(sequence) for sequence in wanted), default=0)
    for text in texts:
        some = [normal(word) for word in WORD.findall(text)]
        for at, word in enumerate(some):
            if word in first:
                found.update(s for _, words in sequences(some, at, longest) if (s := tuple(words)) in wanted)
    return found

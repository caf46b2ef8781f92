"""A BERT of a few thousand weights with a vocabulary of its own, made in a moment."""

from __future__ import annotations

from pathlib import Path

LAYERS = 3
WORDS = [
    "question",
    "sur",
    "et",
    "congé",
    "vacances",
    "repos",
    "absence",
    "salaire",
    "prime",
    "bulletin",
    "virement",
    "embauche",
    "essai",
    "rupture",
    "préavis",
    "paie",
    "contrat",
]


def make(folder: Path, head: int = 0) -> Path:
    """`head`: it was trained for that many labels before; 0: an encoder only."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertModel, BertTokenizerFast

    folder.mkdir(parents=True)
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, *"0123456789", *(f"##{d}" for d in "0123456789")]
    (folder / "vocab.txt").write_text("\n".join(pieces), encoding="utf-8")
    BertTokenizerFast(vocab=str(folder / "vocab.txt"), strip_accents=False).save_pretrained(folder)
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": LAYERS, "num_attention_heads": 2, "intermediate_size": 64}
    config = BertConfig(vocab_size=len(pieces), max_position_embeddings=64, **sizes, num_labels=head or 2)
    (BertForSequenceClassification if head else BertModel)(config).save_pretrained(folder)
    return folder

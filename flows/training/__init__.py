"""Fine-tuning: split, baseline, trainer, evaluation, promotion, model card. Plain Python; flows/finetune.py joins it."""

TRAINING_REVISION = "3"
"""Raise it when this room changes in a way that changes what is trained or measured: every model is then made again."""

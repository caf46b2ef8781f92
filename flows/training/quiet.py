"""Libraries that draw bars of their own between ours."""

from __future__ import annotations

import sys


def quiet() -> None:
    """Progress is shown by whoever listens to it. `datasets` is told only where it is used: importing it takes seconds."""
    import transformers

    if datasets := sys.modules.get("datasets"):
        datasets.disable_progress_bars()
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()

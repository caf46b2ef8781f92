"""What French administrations check: codes, lists, texts and places, as Great Expectations' expectations.

The checks themselves are pure functions of Polars expressions, one file a subject (codes*.py and the like), and know nothing of Great
Expectations; expectations.py and text_expectations.py make expectations of them. See docs/french-expectations.md.
"""


def register() -> None:
    """Make them known to Great Expectations, which is imported for that."""
    from flows.quality.french import expectations, text_expectations  # noqa: F401 - importing registers

"""Which texts are nearly the same: what checks of data (flows.quality) and of splits (flows.training) share.

What does not belong here: what follows from it for a row, a check or a model.
"""

"""CSV and its relatives: how a file is read is found (`decide`), told when it changes (`incompatible`), and done (`read`)."""

from flows.formats.csv.alike import LITTLE, Bunch, mark, together
from flows.formats.csv.decide import decide, incompatible
from flows.formats.csv.facts import columns, delimiters, has_quotes, regular
from flows.formats.csv.reading import read

__all__ = ["LITTLE", "Bunch", "columns", "decide", "delimiters", "has_quotes", "incompatible", "mark", "read", "regular", "together"]

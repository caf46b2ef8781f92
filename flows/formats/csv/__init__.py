"""CSV and its relatives: how a file is read is found (`decide`), told when it changes (`incompatible`), and done (`read`)."""

from flows.formats.csv.alike import LITTLE, Bunch, mark, together
from flows.formats.csv.decide import decide, incompatible
from flows.formats.csv.facts import columns, regular
from flows.formats.csv.reading import first_rows, read

__all__ = ["LITTLE", "Bunch", "columns", "decide", "first_rows", "incompatible", "mark", "read", "regular", "together"]

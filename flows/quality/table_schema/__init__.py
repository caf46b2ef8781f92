"""Table Schemas (the format of schema.data.gouv.fr and Frictionless) as suites: https://specs.frictionlessdata.io/table-schema/

descriptor.py reads a schema and says what is wrong with it; reading.py says what a text is in each type; constraints.py what a value
has to meet; suite.py makes the suite; expectations.py are the expectations that Great Expectations has not, validata.py those of Validata's
checks.
"""

from flows.quality.table_schema.descriptor import Field, Schema, is_table_schema, load_schema
from flows.quality.table_schema.suite import suite_of


def register() -> None:
    """Make the expectations of expectations.py and validata.py known to Great Expectations, which is imported for that."""
    from flows.quality.gx_import import import_great_expectations

    import_great_expectations()
    from flows.quality.table_schema import expectations, validata  # noqa: F401 - importing registers


__all__ = ["Field", "Schema", "is_table_schema", "load_schema", "register", "suite_of"]

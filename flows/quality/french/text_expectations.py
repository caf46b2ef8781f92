"""Great Expectations' expectations of texts, names and places. Importing this registers them; flows/quality/expectations.py does.

What each checks is a pure function of texts.py, names.py, places.py, near_duplicates.py and leakage.py, which has its source.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from great_expectations.compatibility import pydantic
from great_expectations.expectations.expectation import ColumnMapExpectation, ColumnPairMapExpectation, MulticolumnMapExpectation

from flows.quality.french import leakage, names, near_duplicates, places, texts
from flows.quality.map_expectations import Check, IgnoredPairs, IgnoredRows, register

Zone: Any = Literal[tuple(places.ZONES)]


class ExpectColumnValuesToBeInFrench(ColumnMapExpectation):
    """Expect texts in French. `min_length`: characters of the shortest text that is judged. `min_confidence`: the probability, 0 to 1, that
    another language must have for a text to be unexpected."""

    min_length: int = pydantic.Field(40, ge=0)
    min_confidence: float = pydantic.Field(0.3, ge=0, le=1)
    map_metric: ClassVar[str] = "column_values.french"
    sentence: ClassVar[str] = "Les textes de {la column} doivent être en français"


class ExpectColumnValuesToBeFreeOfMojibake(ColumnMapExpectation):
    """Expect texts without traces of encoding errors ("Ã©", "â€™", "�")."""

    map_metric: ClassVar[str] = "column_values.free_of_mojibake"
    sentence: ClassVar[str] = "Les textes de {la column} doivent être lisibles, sans erreur d'encodage (« Ã© », « � »)"


class ExpectColumnValuesToBeFreeOfHtml(ColumnMapExpectation):
    """Expect texts without HTML tags, comments and entities."""

    map_metric: ClassVar[str] = "column_values.free_of_html"
    sentence: ClassVar[str] = "Les textes de {la column} ne doivent pas contenir de reste de HTML (« <br> », « &amp; »)"


class ExpectColumnValuesToNotBePlaceholders(ColumnMapExpectation):
    """Expect names of persons or companies, and not what is typed to fill a field ("TEST", "xxx", "N/A"). `allowed`: names that are real
    although they look so. `also`: further placeholders."""

    allowed: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    map_metric: ClassVar[str] = "column_values.not_placeholder"
    sentence: ClassVar[str] = "Les noms de {la column} doivent être de vrais noms (et non « TEST », « xxx », « inconnu », « à compléter »)"


class ExpectColumnValuesToNotBeNearDuplicates(ColumnMapExpectation):
    """Expect texts that no earlier row has, word for word or nearly. `threshold`: the Jaccard similarity, 0 to 1, from which two texts are
    nearly the same. `shingle`: characters in the sequences that are compared; 5, or 9 for long texts."""

    threshold: float = pydantic.Field(near_duplicates.THRESHOLD, gt=0, le=1)
    shingle: int = pydantic.Field(near_duplicates.SHINGLE, ge=1)
    map_metric: ClassVar[str] = "column_values.not_near_duplicate"
    sentence: ClassVar[str] = "Aucun texte de {la column} ne doit répéter, mot pour mot ou presque, celui d'une ligne précédente"


class ExpectColumnValuesToBePointsInFrance(ColumnMapExpectation):
    """Expect texts such as "48.8566, 2.3522" with a latitude and a longitude (WGS 84) in France. `zones`: metropole, guadeloupe and so on;
    all that are inhabited if none is given. `order`: "lat,lon" or "lon,lat"."""

    zones: tuple[Zone, ...] | None = None
    order: Literal["lat,lon", "lon,lat"] = "lat,lon"
    map_metric: ClassVar[str] = "column_values.points_in_france"
    sentence: ClassVar[str] = "Les coordonnées de {la column} doivent être en France"


class ExpectColumnPairValuesToBeInFrance(ColumnPairMapExpectation):
    """Expect a longitude (column_A) and a latitude (column_B) in degrees (WGS 84) in France. `zones`: metropole, guadeloupe and so on; all
    that are inhabited if none is given."""

    zones: tuple[Zone, ...] | None = None
    ignore_row_if: IgnoredPairs = "both_values_are_missing"
    map_metric: ClassVar[str] = "column_pair_values.in_france"
    sentence: ClassVar[str] = "La longitude de {la column_A} et la latitude de {la column_B} doivent être en France"


class ExpectColumnPairValuesToBeLambert93(ColumnPairMapExpectation):
    """Expect Lambert-93 (EPSG:2154) coordinates x (column_A) and y (column_B) in metres in metropolitan France."""

    ignore_row_if: IgnoredPairs = "both_values_are_missing"
    map_metric: ClassVar[str] = "column_pair_values.lambert93"
    sentence: ClassVar[str] = "{La column_A} (x) et {la column_B} (y) doivent être en Lambert-93, en mètres, en France métropolitaine"


class ExpectColumnPairValuesToNotBeSwapped(ColumnPairMapExpectation):
    """Expect coordinates that do not lie in France only when they change places: column_A has the longitude or x, column_B the latitude or
    y. `system`: wgs84 or lambert93. `zones`: as of expect_column_pair_values_to_be_in_france."""

    system: Literal["wgs84", "lambert93"] = "wgs84"
    zones: tuple[Zone, ...] | None = None
    ignore_row_if: IgnoredPairs = "either_value_is_missing"
    map_metric: ClassVar[str] = "column_pair_values.not_swapped"
    sentence: ClassVar[str] = "{La column_A} (longitude ou x) et {la column_B} (latitude ou y) ne doivent pas être inversées"


class ExpectMulticolumnValuesToNotBeLeaked(MulticolumnMapExpectation):
    """Expect no text of one side of a split, word for word or nearly, on a larger side. `column_list`: columns of text, and last the column
    that names the side. `threshold` and `shingle`: as of expect_column_values_to_not_be_near_duplicates."""

    threshold: float = pydantic.Field(near_duplicates.THRESHOLD, gt=0, le=1)
    shingle: int = pydantic.Field(near_duplicates.SHINGLE, ge=1)
    ignore_row_if: IgnoredRows = "any_value_is_missing"
    map_metric: ClassVar[str] = "multicolumn_values.not_leaked"
    sentence: ClassVar[str] = "Un texte ne doit pas se trouver, mot pour mot ou presque, dans deux parts du découpage ({les column_list})"


CHECKS: dict[Any, Check] = {
    ExpectColumnValuesToBeInFrench: texts.is_french,
    ExpectColumnValuesToBeFreeOfMojibake: texts.is_free_of_mojibake,
    ExpectColumnValuesToBeFreeOfHtml: texts.is_free_of_html,
    ExpectColumnValuesToNotBePlaceholders: names.is_not_placeholder,
    ExpectColumnValuesToBePointsInFrance: places.is_point_in_france,
    ExpectColumnPairValuesToBeInFrance: places.is_in_france,
    ExpectColumnPairValuesToBeLambert93: places.is_lambert93,
    ExpectColumnPairValuesToNotBeSwapped: places.is_not_swapped,
}


def _register() -> None:
    for expectation, check in CHECKS.items():
        register(expectation, check)
    register(ExpectColumnValuesToNotBeNearDuplicates, near_duplicates.is_not_near_duplicate, across_rows=True)
    register(ExpectMulticolumnValuesToNotBeLeaked, leakage.is_not_leaked, across_rows=True)


_register()

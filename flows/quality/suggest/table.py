"""What is proposed of rows as a whole: how many there are, which columns identify one, which are never empty, what may change from one
version to the next."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from flows.quality.previous import DISTRIBUTION, NULL_SHARE, ROW_COUNT, THRESHOLD
from flows.quality.suggest.entries import MIN_ROWS, About, entry
from flows.quality.suggest.figures import above, below, number, percent
from flows.quality.suggest.profile import Column, Profile
from flows.quality.suggest.texts import categories, is_identifier

if TYPE_CHECKING:
    import polars as pl

MANY = 1_000  # rows from which a column without doubles may be a key, and a distribution is one
DROP, CHANGE = 0.2, 0.1
THRESHOLDS = (0.1, 0.15, THRESHOLD, 0.3, 0.4)
"""Of distances between versions; a column that moves more is left alone."""
GROWTH = 0.8  # of a dataset without a key of which one version is known: twice the same file is more
WHOLE_ROWS, WHOLE_COLUMNS = 1_000_000, 20  # of a table whose rows are compared with each other from end to end
KEY_SHARE = 0.9  # of the rows that a column has to be filled in to be a key


def rows_of(profile: Profile, sizes: Sequence[int]) -> Iterator[dict[str, Any]]:
    """`sizes`: rows of the earlier versions. A floor far below all of them, and no ceiling: a dataset may grow."""
    if profile.rows < MIN_ROWS:
        return
    least = int(below(min(profile.rows, *sizes) / 2 if sizes else profile.rows / 2))
    words = f"Il y a au moins {number(least)} lignes, moins de la moitié de ce qui a été vu : un fichier coupé se voit."
    yield entry("expect_table_row_count_to_be_between", words, {"min_value": least})


def keys(profile: Profile, about: About) -> Iterator[dict[str, Any]]:
    """What the project declares is structural; what merely has no double in the sample is a question to a person."""
    key = list(about.key)
    for name in key:
        words = f"« {name} » fait partie de la clé : toujours renseigné."
        yield entry("expect_column_values_to_not_be_null", words, {"column": name}, "critical")
    if len(key) == 1:
        words = f"« {key[0]} » est la clé : une ligne par valeur."
        yield entry("expect_column_values_to_be_unique", words, {"column": key[0]}, "critical")
    elif key:
        words = f"{', '.join(f'« {c} »' for c in key)} sont la clé : une ligne par combinaison."
        yield entry("expect_compound_columns_to_be_unique", words, {"column_list": key}, "critical")
    if not key:
        yield from _whole_rows(profile)
    for column in profile.columns.values():
        if [column.name] != key and _is_key(column):
            words = (
                f"« {column.name} » identifie une ligne, semble-t-il : aucun doublon n'a été vu. À retirer si deux lignes peuvent l'avoir."
            )
            yield entry("expect_column_values_to_be_unique", words, {"column": column.name, "mostly": 0.99})


def _whole_rows(profile: Profile) -> Iterator[dict[str, Any]]:
    """Without a key, a file that was added twice is seen by its rows alone."""
    import polars as pl

    names = [c.name for c in profile.columns.values() if not c.kind.is_nested()]
    if not MANY <= profile.rows <= WHOLE_ROWS or not 2 <= len(names) <= WHOLE_COLUMNS:
        return
    sample = pl.DataFrame([profile.columns[name].values for name in names])
    if sample.is_duplicated().any():
        return
    words = "Deux lignes ne sont pas les mêmes de bout en bout : aucune n'a été vue deux fois."
    yield entry("expect_compound_columns_to_be_unique", words, {"column_list": names, "mostly": 0.99})


def _is_key(column: Column) -> bool:
    """By its shape or name, as well: any two amounts or sentences may be different for now."""
    import polars as pl

    if column.kind not in (pl.String,) and not column.kind.is_integer():
        return False
    if column.seen < MANY or column.filled < KEY_SHARE * column.rows or column.values.drop_nulls().n_unique() < column.seen:
        return False
    return is_identifier(column) if column.kind == pl.String else _named_so(column)


def _named_so(column: Column) -> bool:
    from flows.contract.identifiers import WORDS, words_of

    return bool(WORDS & set(words_of(column.name)))


def filled(column: Column, about: About) -> Iterator[dict[str, Any]]:
    if column.name in about.key:
        return
    if column.name in about.required:
        words = f"« {column.name} » est déclaré obligatoire : toujours renseigné."
        yield entry("expect_column_values_to_not_be_null", words, {"column": column.name}, "critical")
        return
    if column.rows < MIN_ROWS:
        return
    mostly = column.mostly_filled()
    if mostly is None:
        return
    seen = "aucun vide n'a été vu" if not column.missing else f"{percent(column.filled / column.rows)} constatés"
    words = f"« {column.name} » est renseigné dans au moins {percent(mostly)} des lignes ({seen})."
    yield entry("expect_column_values_to_not_be_null", words, {"column": column.name, "mostly": mostly})


# ---- from one version to the next ----------------------------------------------------------------------------------


def changes(profile: Profile, about: About, versions: Sequence[pl.LazyFrame]) -> Iterator[dict[str, Any]]:
    """`versions`: the earlier ones, the oldest first, then this one. Limits that each step between them has met, with room."""
    if profile.rows < MIN_ROWS:
        return
    sizes = [height(v) for v in versions]
    steps = [now / before - 1 for before, now in pairwise(sizes) if before]
    drop = max([DROP, *(-2 * s for s in steps)])
    if drop < 0.8:
        drop = drop if drop == DROP else math.ceil(10 * drop - 1e-9) / 10
        said = "" if steps else " (une seule version est connue : à ajuster)"
        words = f"Le nombre de lignes ne baisse pas de plus de {percent(drop)} d'une version à l'autre{said}."
        yield entry(ROW_COUNT, words, {"max_drop": drop})
    if steps or not about.key:
        growth = above(max(0.5, 2 * max(steps))) if steps else GROWTH
        words = (
            f"Le nombre de lignes n'augmente pas de plus de {percent(growth)} d'une version à l'autre : au-delà, un fichier est en double."
        )
        yield entry(ROW_COUNT, words, {"max_growth": growth})
    words = f"Aucune colonne ne se vide ni ne se remplit de plus de {percent(CHANGE)} des lignes d'une version à l'autre."
    yield entry(NULL_SHARE, words, {"max_change": CHANGE})
    yield from _distributions(profile, about, versions)


def _distributions(profile: Profile, about: About, versions: Sequence[pl.LazyFrame]) -> Iterator[dict[str, Any]]:
    from flows.quality.distributions import comparable, compare

    wanted = [c for c in profile.columns.values() if c.filled >= MANY and _has_distribution(c, about)]
    largest = {c.name: 0.0 for c in wanted}
    for before, now in pairwise(versions):
        old, new = before.collect_schema(), now.collect_schema()
        there = [c for c in largest if c in old and c in new and comparable(old[c]) and comparable(new[c])]
        for name, found in (compare(before, now, there) if there else {}).items():
            largest[name] = max(largest[name], found.distance)
    for column in wanted:
        # one step says little of the next: half as much again, and never under the usual limit without any step
        needed = 1.5 * largest[column.name] if len(versions) > 1 else THRESHOLD
        threshold = next((t for t in THRESHOLDS if t >= max(needed, 0.15)), None)
        if threshold is None:
            continue
        limit = f"écart d'au plus {number(threshold)}, de 0 à 1"
        words = f"La répartition de « {column.name} » reste proche de celle de la version précédente ({limit})."
        yield entry(DISTRIBUTION, words, {"column": column.name, "threshold": threshold})


def _has_distribution(column: Column, about: About) -> bool:
    """Amounts, yes and no, values of a list: not dates, which move on, nor names, codes and texts."""
    import polars as pl

    if column.kind == pl.Boolean:
        return True
    if column.kind.is_numeric():
        return not _named_so(column)
    return column.kind == pl.String and column.seen >= MIN_ROWS and categories(column, about) is not None


def height(rows: pl.LazyFrame) -> int:
    import polars as pl

    return int(rows.select(pl.len()).collect(engine="streaming").item())

"""What an expectation asks, as a French sentence, where the suite gives no `description` of its own.

Every core expectation of Great Expectations has its sentence here (a test goes through its registry). An expectation class of our own
brings its sentence as a class attribute, in the same small language:

    class ExpectColumnValuesToBeSiren(ColumnMapExpectation):
        sentence = "Les valeurs de {column} doivent être des numéros SIREN"

Between braces stands a name of `phrasing.PLACES`, or an argument of the expectation. `mostly` and `row_condition` are added by themselves.
An argument that is not known (the rule of an old load, whose suite is gone) is put in general words. Nothing here imports
Great Expectations, so that pages and terminals stay fast.
"""

from __future__ import annotations

from typing import Any

from flows.quality.phrasing import Words, for_which_rows

SENTENCES = {
    # values of one column
    "expect_column_values_to_not_be_null": "{La column} ne doit pas être vide",
    "expect_column_values_to_be_null": "{La column} doit être vide",
    "expect_column_values_to_be_unique": "{La column} ne doit pas avoir de doublon",
    "expect_column_values_to_be_in_set": "{La column} doit prendre une des valeurs {prévues value_set}",
    "expect_column_values_to_not_be_in_set": "{La column} ne doit prendre aucune des valeurs {prévues value_set}",
    "expect_column_values_to_be_between": "Les valeurs de {la column} doivent être {comprises}",
    "expect_column_value_lengths_to_be_between": "Les valeurs de {la column} doivent avoir {entre} caractères",
    "expect_column_value_lengths_to_equal": "Les valeurs de {la column} doivent avoir exactement {le nombre prévu de value} caractères",
    "expect_column_value_z_scores_to_be_less_than": (
        "Les valeurs de {la column} ne doivent pas s'écarter de la moyenne de plus de {le nombre prévu de threshold} écarts types"
    ),
    "expect_column_values_to_not_be_outliers": "Les valeurs de {la column} ne doivent pas être aberrantes (méthode {method})",
    "expect_column_values_to_match_regex": "Les valeurs de {la column} doivent avoir la forme {regex}",
    "expect_column_values_to_not_match_regex": "Les valeurs de {la column} ne doivent pas avoir la forme {regex}",
    "expect_column_values_to_match_regex_list": (
        "Les valeurs de {la column} doivent avoir {une des ou toutes les} formes {prévues regex_list}"
    ),
    "expect_column_values_to_not_match_regex_list": "Les valeurs de {la column} ne doivent avoir aucune des formes {prévues regex_list}",
    "expect_column_values_to_match_like_pattern": "Les valeurs de {la column} doivent suivre le modèle {like_pattern}",
    "expect_column_values_to_not_match_like_pattern": "Les valeurs de {la column} ne doivent pas suivre le modèle {like_pattern}",
    "expect_column_values_to_match_like_pattern_list": (
        "Les valeurs de {la column} doivent suivre {un des ou tous les} modèles {prévus like_pattern_list}"
    ),
    "expect_column_values_to_not_match_like_pattern_list": (
        "Les valeurs de {la column} ne doivent suivre aucun des modèles {prévus like_pattern_list}"
    ),
    "expect_column_values_to_match_strftime_format": "Les valeurs de {la column} doivent être des dates au format {strftime_format}",
    "expect_column_values_to_be_dateutil_parseable": "Les valeurs de {la column} doivent être des dates lisibles",
    "expect_column_values_to_be_json_parseable": "Les valeurs de {la column} doivent être du JSON lisible",
    "expect_column_values_to_match_json_schema": "Les valeurs de {la column} doivent suivre le schéma JSON prévu",
    "expect_column_values_to_be_of_type": "Les valeurs de {la column} doivent être du type {type_}",
    "expect_column_values_to_be_in_type_list": "Les valeurs de {la column} doivent être d'un des types {prévus type_list}",
    "expect_column_values_to_be_increasing": "Les valeurs de {la column} doivent aller en croissant{strictement}",
    "expect_column_values_to_be_decreasing": "Les valeurs de {la column} doivent aller en décroissant{strictement}",
    # several columns of a row
    "expect_column_pair_values_a_to_be_greater_than_b": "{La column_A} doit être supérieure{ou égale} à {la column_B}",
    "expect_column_pair_values_to_be_equal": "{La column_A} doit être égale à {la column_B}",
    "expect_column_pair_values_to_be_in_set": (
        "{La column_A} et {la column_B} doivent former ensemble une des paires {prévues value_pairs_set}"
    ),
    "expect_compound_columns_to_be_unique": "{Les column_list} ne doivent pas avoir ensemble de doublon",
    "expect_multicolumn_sum_to_equal": "La somme {des column_list} doit être égale à {la valeur prévue sum_total}",
    "expect_multicolumn_values_to_be_equal": "{Les column_list} doivent être égales entre elles",
    "expect_select_column_values_to_be_unique_within_record": (
        "Sur une même ligne, {les column_list} doivent avoir des valeurs toutes différentes"
    ),
    # a whole column
    "expect_column_to_exist": "{La column} doit exister{en position}",
    "expect_column_type_to_be": "{La column} doit être du type {type_}",
    "expect_column_distinct_values_to_be_in_set": "{La column} ne doit prendre que les valeurs {prévues value_set}",
    "expect_column_distinct_values_to_contain_set": "{La column} doit prendre chacune des valeurs {prévues value_set}",
    "expect_column_distinct_values_to_equal_set": "{La column} doit prendre exactement les valeurs {prévues value_set}",
    "expect_column_most_common_value_to_be_in_set": (
        "La valeur la plus fréquente de {la column} doit être une des valeurs {prévues value_set}"
    ),
    "expect_column_max_to_be_between": "La plus grande valeur de {la column} doit être {comprise}",
    "expect_column_min_to_be_between": "La plus petite valeur de {la column} doit être {comprise}",
    "expect_column_mean_to_be_between": "La moyenne de {la column} doit être {comprise}",
    "expect_column_median_to_be_between": "La médiane de {la column} doit être {comprise}",
    "expect_column_stdev_to_be_between": "L'écart type de {la column} doit être {compris}",
    "expect_column_sum_to_be_between": "La somme de {la column} doit être {comprise}",
    "expect_column_quantile_values_to_be_between": "Les quantiles de {la column} doivent être dans les bornes prévues{quantiles}",
    "expect_column_kl_divergence_to_be_less_than": (
        "La répartition de {la column} doit rester proche de la référence (divergence de Kullback-Leibler {comprise à threshold})"
    ),
    "expect_column_unique_value_count_to_be_between": "Le nombre de valeurs différentes de {la column} doit être {compris}",
    "expect_column_proportion_of_unique_values_to_be_between": "La part de valeurs différentes de {la column} doit être {comprise %}",
    "expect_column_proportion_of_non_null_values_to_be_between": "La part de valeurs renseignées de {la column} doit être {comprise %}",
    # the whole table
    "expect_table_row_count_to_be_between": "Le nombre de lignes doit être {compris}",
    "expect_table_row_count_to_equal": "Le nombre de lignes doit être égal à {la valeur prévue value}",
    "expect_table_row_count_to_equal_other_table": "Le nombre de lignes doit être celui de la table {other_table_name}",
    "expect_table_column_count_to_be_between": "Le nombre de colonnes doit être {compris}",
    "expect_table_column_count_to_equal": "Le nombre de colonnes doit être égal à {la valeur prévue value}",
    "expect_table_columns_to_match_ordered_list": "Les colonnes doivent être, dans cet ordre : {column_list}",
    "expect_table_columns_to_match_set": "Les colonnes doivent {être ou contenir} {column_set}",
    "expect_query_results_to_match_comparison": "Le résultat de la requête doit être celui de la requête de comparaison",
    "unexpected_rows_expectation": "Aucune ligne ne doit répondre à la requête {unexpected_rows_query}",
    # against the version before (previous.py)
    "expect_row_count_to_stay_close_to_previous": (
        "Le nombre de lignes doit rester proche de celui de la version précédente{baisse ou hausse}"
    ),
    "expect_column_distribution_to_stay_close_to_previous": (
        "La répartition des valeurs de {la column} doit rester proche de celle de la version précédente"
    ),
    "expect_column_null_share_to_stay_close_to_previous": (
        "La part de valeurs vides de {la column} doit rester proche de celle de la version précédente"
    ),
}


def sentence(kind: str, arguments: dict[str, Any], own: str = "") -> str:
    """`own`: the sentence that the expectation's class brings, if any."""
    words = Words({name: given for name, given in arguments.items() if given is not None})
    template = own or SENTENCES.get(kind)
    if template is None:
        template = f"Contrôle « {kind} »" + (" de {la column}" if words.given("column") else "")
    try:
        said = template.format_map(words)
    except (ValueError, LookupError, AttributeError):  # a brace in a sentence of somebody's own
        said = template
    return said + for_which_rows(arguments)


def own_sentence(kind: str) -> str:
    """Of an expectation class that brings one. Imports Great Expectations, which is there already where suites are evaluated."""
    from great_expectations.exceptions.exceptions import ExpectationNotFoundError
    from great_expectations.expectations.registry import get_expectation_impl

    try:
        return str(getattr(get_expectation_impl(kind), "sentence", "") or "")
    except ExpectationNotFoundError:
        return ""

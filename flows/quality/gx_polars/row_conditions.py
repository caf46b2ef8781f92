"""Row conditions as Polars expressions: Great Expectations' Condition objects, and the plain ones among pandas query strings."""

from __future__ import annotations

import ast
import re
from typing import Any

import polars as pl

COMPARISONS: dict[Any, str] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.In: "in",
    ast.NotIn: "not in",
}
OPERATORS = {"==": "==", "!=": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">=", "IN": "in", "NOT_IN": "not in"}
QUOTED = re.compile(r"`([^`]+)`")


class _NoForm(Exception):
    pass


def expression(condition: Any, parser: str | None, schema: dict[str, pl.DataType]) -> pl.Expr | None:
    """True for the rows that meet it, as pandas' query does: a comparison with a missing value is false, `!=` and `not in` true.

    Returns: None for a condition that has no Polars form with the same answers.
    """
    from great_expectations.expectations.row_conditions import Condition, PassThroughCondition, deserialize_row_condition

    if isinstance(condition, dict):
        condition = deserialize_row_condition(condition)
    try:
        if isinstance(condition, PassThroughCondition):
            return _query(condition.pass_through_filter, schema)
        if isinstance(condition, Condition):
            return _condition(condition, schema)
        return _query(condition, schema) if parser == "pandas" and isinstance(condition, str) else None
    except _NoForm:
        return None


def _condition(condition: Any, schema: dict[str, pl.DataType]) -> pl.Expr:
    from great_expectations.expectations import row_conditions as gx

    if isinstance(condition, gx.AndCondition):
        return pl.all_horizontal([_condition(c, schema) for c in condition.conditions])
    if isinstance(condition, gx.OrCondition):
        return pl.any_horizontal([_condition(c, schema) for c in condition.conditions])
    if isinstance(condition, gx.NullityCondition):
        missing = _missing(condition.column.name, schema)
        return missing if condition.is_null else ~missing
    if isinstance(condition, gx.ComparisonCondition):
        operator = gx.Operator(condition.operator).value  # one of the enumeration when it was made, its text once it was read back
        return _compare(condition.column.name, OPERATORS[operator], condition.parameter, schema)
    raise _NoForm


def _query(text: str, schema: dict[str, pl.DataType]) -> pl.Expr:
    """A pandas query of comparisons between a column and constants, joined by and, or, not."""
    names: dict[str, str] = {}

    def placeholder(found: re.Match[str]) -> str:
        names[f"quoted_{len(names)}_"] = found[1]
        return f"quoted_{len(names) - 1}_"

    try:
        tree = ast.parse(QUOTED.sub(placeholder, text.strip()), mode="eval").body
    except (SyntaxError, ValueError):
        raise _NoForm from None
    return _node(tree, names, schema)


def _node(node: ast.expr, names: dict[str, str], schema: dict[str, pl.DataType]) -> pl.Expr:
    if isinstance(node, ast.BoolOp):
        parts = [_node(v, names, schema) for v in node.values]
        return pl.all_horizontal(parts) if isinstance(node.op, ast.And) else pl.any_horizontal(parts)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.Invert):
        return ~_node(node.operand, names, schema)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name) and not node.args:
        missing = _missing(_name(node.func.value, names), schema)
        if node.func.attr in ("isnull", "isna"):
            return missing
        if node.func.attr in ("notnull", "notna"):
            return ~missing
    if isinstance(node, ast.Compare) and isinstance(node.left, ast.Name) and len(node.ops) == 1 and type(node.ops[0]) in COMPARISONS:
        return _compare(_name(node.left, names), COMPARISONS[type(node.ops[0])], _constant(node.comparators[0]), schema)
    raise _NoForm


def _name(node: ast.Name, names: dict[str, str]) -> str:
    return names.get(node.id, node.id)


def _constant(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, SyntaxError):
        raise _NoForm from None


def _missing(column: str, schema: dict[str, pl.DataType]) -> pl.Expr:
    if column not in schema:
        raise _NoForm
    null = pl.col(column).is_null()
    return null | pl.col(column).is_nan() if schema[column].is_float() else null


def _compare(column: str, operator: str, value: Any, schema: dict[str, pl.DataType]) -> pl.Expr:
    missing, kind = _missing(column, schema), schema[column]
    values = list(value) if operator in ("in", "not in") and isinstance(value, list | tuple | set) else [value]
    wanted: tuple[type, ...] = (str,) if kind == pl.String else (int, float) if kind.is_numeric() and not kind.is_decimal() else ()
    if not all(type(v) in wanted for v in values) or (operator in ("in", "not in") and values == [value]):
        raise _NoForm
    one = pl.col(column)
    if operator in ("in", "not in"):
        inside = pl.any_horizontal([one == v for v in values]) & ~missing if values else pl.lit(False)
        return inside if operator == "in" else ~inside.fill_null(False)
    met: pl.Expr = {"==": one == value, "!=": one != value, "<": one < value, "<=": one <= value, ">": one > value, ">=": one >= value}[
        operator
    ]
    return (missing | met) if operator == "!=" else (~missing & met).fill_null(False)

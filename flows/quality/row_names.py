"""Columns that a row condition names, and whether it can be read at all. Nothing of it is run.

A condition is a string in pandas' query language, one in Great Expectations' older language, or a Condition as JSON.
"""

from __future__ import annotations

import ast
import re
from typing import Any

QUOTED = re.compile(r"`([^`]*)`")
OLDER = re.compile(
    r"""\s*col\(\s*["']([^"']+)["']\s*\)\s*(?:\.notnull\(\s*\)|(?:==|!=|<=|>=|<|>)\s*(?:"[^"]*"|'[^']*'|[-+.\w]+(?:\([^)]*\))?))\s*"""
)
OPERATORS = ("==", "!=", "<", "<=", ">", ">=", "IN", "NOT_IN")
WORDS = {"True", "False", "None", "nan", "inf", "and", "or", "not", "in", "index"}


def names_in_condition(condition: Any, parser: str | None = None) -> list[str]:
    """Names of columns, each once. Raises: ValueError with what is wrong, in one sentence."""
    if isinstance(condition, dict):
        return list(dict.fromkeys(_of_object(condition)))
    if not isinstance(condition, str) or not condition.strip():
        raise ValueError(f"{condition!r} is no condition")
    if parser in ("great_expectations", "great_expectations__experimental__"):
        found = OLDER.fullmatch(condition)
        if not found:
            raise ValueError(f"{condition!r} is not such as col(\"theme\") == 'paie'")
        return [found[1]]
    if parser == "spark":
        raise ValueError("conditions for Spark are not evaluated here")
    return list(dict.fromkeys(_of_query(condition)))


def _of_object(condition: dict[str, Any]) -> list[str]:
    kind = condition.get("type")
    if kind in ("and", "or"):
        inside = condition.get("conditions")
        if not isinstance(inside, list) or not inside or not all(isinstance(c, dict) for c in inside):
            raise ValueError(f'"{kind}" has a list of conditions')
        return [name for c in inside for name in _of_object(c)]
    if kind == "pass_through":
        return names_in_condition(condition.get("pass_through_filter"), "pandas")
    if kind not in ("comparison", "nullity"):
        raise ValueError(f"type is comparison, nullity, and, or, pass_through; not {kind!r}")
    column = condition.get("column")
    if not isinstance(column, dict) or not isinstance(column.get("name"), str):
        raise ValueError('"column" is an object with a "name"')
    if kind == "comparison" and (condition.get("operator") not in OPERATORS or "parameter" not in condition):
        raise ValueError(f'a comparison has an "operator" ({", ".join(OPERATORS)}) and a "parameter"')
    if kind == "nullity" and not isinstance(condition.get("is_null"), bool):
        raise ValueError('"is_null" is true or false')
    return [column["name"]]


def _of_query(text: str) -> list[str]:
    """Names in pandas' query language: Python's expressions, with `names in backticks`, & and | for and and or."""
    quoted = list[str]()

    def placeholder(found: re.Match[str]) -> str:
        quoted.append(found[1])
        return f" quoted_{len(quoted) - 1}_ "

    plain = QUOTED.sub(placeholder, text).strip()
    try:
        tree = ast.parse(plain, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ValueError(getattr(error, "msg", None) or str(error) or "it is no expression") from None
    calls = {id(n.func) for n in ast.walk(tree) if isinstance(n, ast.Call)}
    if not any(isinstance(n, ast.Compare | ast.Call | ast.BoolOp | ast.UnaryOp | ast.Name | ast.BinOp) for n in ast.walk(tree)):
        raise ValueError("it says nothing about a column")
    named = [n for n in ast.walk(tree) if isinstance(n, ast.Name) and id(n) not in calls and n.id not in WORDS]
    places = {f"quoted_{number}_": name for number, name in enumerate(quoted)}
    return [places.get(n.id, n.id) for n in sorted(named, key=lambda n: (n.lineno, n.col_offset))]

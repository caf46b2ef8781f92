"""What `socle explain` proposes for project.yaml: a dataset with the format and the columns that were found, to be pasted."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

from flows.contract.propose import Proposal, declared_name
from flows.project import Format

PLAIN = re.compile(r"^[^\W\d_][\w .()/-]*$")


def dataset_name(file: str) -> str:
    stem = Path(file).name.split(".")[0]
    name = declared_name(stem).replace("_", "-").lower().strip("-")
    name = re.sub(r"-+", "-", re.sub(r"[^a-z0-9-]", "-", name))
    return (name if re.match(r"[a-z]", name) else f"d-{name}")[:40].strip("-")


def block(name: str, head: dict[str, Any], form: Format, proposals: list[Proposal]) -> str:
    """`datasets:` with one dataset, to be pasted into project.yaml."""
    from ruamel.yaml import YAML
    from ruamel.yaml.comments import CommentedMap, CommentedSeq
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString

    def inline(value: Any) -> Any:
        if isinstance(value, dict):
            made = CommentedMap({k: inline(v) for k, v in value.items()})
            made.fa.set_flow_style()
            return made
        if isinstance(value, list):
            several = CommentedSeq(inline(v) for v in value)
            several.fa.set_flow_style()
            return several
        return quoted(value)

    def quoted(value: Any) -> Any:
        """Every parser of YAML takes what is in quotes; not all agree on what needs none."""
        return DoubleQuotedScalarString(value) if isinstance(value, str) and not PLAIN.match(value) else value

    columns = CommentedMap({quoted(c.name): inline(c.as_declared()) for c in proposals})
    columns.fa.set_block_style()  # one a line
    dataset = CommentedMap(
        {k: inline(v) for k, v in head.items()} | {"format": inline(form.model_dump(exclude_none=True)), "columns": columns}
    )
    out, writer = io.StringIO(), YAML()
    writer.width, writer.allow_unicode = 10_000, True
    writer.default_flow_style = None
    writer.indent(mapping=2, sequence=4, offset=2)
    writer.dump(CommentedMap({"datasets": CommentedMap({name: dataset})}), out)
    return out.getvalue()

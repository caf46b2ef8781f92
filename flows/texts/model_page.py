"""The model card as a page: its Markdown, with pictures where they are served, and each language marked as what it is."""

from __future__ import annotations

import html
import re

from markdown_it import MarkdownIt

ENGLISH = "<h2>In English</h2>"
"""Of a card in two languages (flows/training/card): what follows is in English."""
HEADING = re.compile(r"<h2>(.*?)</h2>")
TABLE = re.compile(r"<table>.*?</table>", re.DOTALL)


def render(text: str, version: str, address: str) -> str:
    """HTML of a README.md. `version`: project/model@N, which the card itself cannot know; `address`: of its page."""
    body = text.split("\n---\n", 1)[-1] if text.startswith("---\n") else text
    name = version.partition("@")[0]
    body = body.replace(f"socle reproduce {name}@N\n", f"socle reproduce {version}\n")
    for said in ("`N` est le numéro de cette version. ", "`N` is the number of this version. "):
        body = body.replace(said, "")
    page: str = MarkdownIt("commonmark", {"html": False}).enable("table").render(body)
    page = re.sub(r'(src|href)="plots/([\w-]+\.png)"', rf'\1="{html.escape(address)}/plots/\2"', page)
    page = TABLE.sub(lambda found: f"<div class=wide tabindex=0 role=region aria-label=Tableau>{found[0]}</div>", page)
    french, mark, english = page.partition(ENGLISH)
    french = HEADING.sub(_with_anchor, french)
    if not mark:
        return french
    return f'{french}<section lang="en" id="in-english">{ENGLISH}{english}</section>'


def _with_anchor(found: re.Match[str]) -> str:
    """As hubs make them of headings: small letters, spaces as hyphens, nothing else."""
    words = re.sub(r"[^\w\s-]", "", html.unescape(re.sub(r"<[^>]*>", "", found[1])).lower())
    anchor = re.sub(r"\s", "-", words.strip())
    return f'<h2 id="{html.escape(anchor)}">{found[1]}</h2>'

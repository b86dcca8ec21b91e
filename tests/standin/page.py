"""What pages are made of, those of the stand-in and those of the demo: a template, an entry, a folded diff.

Diagrams are drawn in the browser by Mermaid itself, from the copy that the package `mermaidx` carries; none of that
package's code runs. Without it a page shows the diagram's source.
"""

from __future__ import annotations

from html import escape
from importlib.util import find_spec
from pathlib import Path
from string import Template

from tests.standin.markdown import diff_html, to_html

MARKS = {"success": "✔", "pending": "●", "warning": "!", "failure": "✖", "error": "✖"}
"""State of a commit status → the sign before it."""

_FOLDER = Path(__file__).parent
_TEMPLATE = Template((_FOLDER / "page.html").read_text(encoding="utf-8"))


def page(title: str, nav: str, body: str, mermaid: str = '<script src="/assets/mermaid.js">', style: str = "") -> str:
    """A whole page. All but `title` is HTML; `mermaid` is a script without its end, `style` comes after the usual."""
    usual = (_FOLDER / "page.css").read_text(encoding="utf-8")
    return _TEMPLATE.substitute(title=escape(title), style=usual + style, nav=nav, body=body, mermaid=mermaid)


def entry(person: str, text: str, repository: str, *, said: str = "", anchor: str = "") -> str:
    """A comment or the body of an issue, rendered as the forge does; `said` stands after the name."""
    place = f' id="{anchor}"' if anchor else ""
    body = to_html(text, f"/{repository}") if text else "<p><em>No description.</em></p>"
    return (
        f'<article{place}><div class="avatar">{escape(person[:1].upper())}</div><div class="comment">'
        f"<header><b>{escape(person)}</b>{said}</header>"
        f'<div class="markdown">{body}</div></div></article>'
    )


def folded_diff(summary: str, diff: str) -> str:
    """A diff behind a line of HTML that opens it."""
    return f'<details class="changes"><summary>{summary}</summary>{diff_html(diff)}</details>'


def mermaid_script() -> bytes | None:
    """Mermaid's own JavaScript; `None` where the package that carries it is not installed."""
    found = find_spec("mermaidx")
    for place in (found.submodule_search_locations or []) if found is not None else []:
        file = Path(place) / "assets" / "mermaid.js"
        if file.exists():
            return file.read_bytes()
    return None

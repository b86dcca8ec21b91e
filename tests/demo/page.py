"""Pages that can be kept and opened anywhere: text, styles and Mermaid itself in one file.

They are made from what the REST API gives, so they look the same for the stand-in and for a real Forgejo.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.demo.telling import DemoFailedError
from tests.standin import page as forge

if TYPE_CHECKING:
    from collections.abc import Sequence

WHOLE = "pull-request.html"
"""Name of the page that holds everything; links to pull requests lead there."""

_STYLE = Path(__file__).with_suffix(".css")


@dataclass(frozen=True, slots=True)
class Check:
    """A commit status."""

    state: str
    description: str


def page(title: str, *parts: str) -> str:
    """A whole page, which needs nothing but itself.

    Raises:
        DemoFailedError: Mermaid is not installed, so the graph could not be drawn.
    """
    return forge.page(
        title,
        f"<b>{escape(title)}</b> <span>saved by <code>make demo</code>; needs no network</span>",
        "\n".join(parts),
        f"<script>\n{_mermaid()}\n",
        _STYLE.read_text(encoding="utf-8"),
    )


def section(title: str, lead: str, *parts: str) -> str:
    """A headed part of a page. `parts` are HTML, the rest is text."""
    return f'<section><h1>{escape(title)}</h1><p class="lead">{escape(lead)}</p>{"".join(parts)}</section>'


def terminal(commands: Sequence[tuple[str, str]]) -> str:
    """Commands and what they printed."""
    shown = "\n\n".join(f"<b>$ {escape(command)}</b>\n{escape(output.rstrip())}" for command, output in commands)
    return f'<pre class="terminal">{shown}</pre>'


def pull_head(pull: dict[str, Any]) -> str:
    """Title line and summary of a pull request, as the API gave it."""
    state = "merged" if pull["merged"] else pull["state"]
    return (
        f'<h1 id="pull-{pull["number"]}">{escape(pull["title"])} <span class="number">#{pull["number"]}</span></h1>'
        f'<p class="summary"><span class="state {state}">{state.title()}</span>'
        f"<b>{escape(pull['user']['login'])}</b> wants to merge <code>{escape(pull['head']['ref'])}</code> "
        f"into <code>{escape(pull['base']['ref'])}</code></p>"
    )


def entry(person: str, text: str, repository: str) -> str:
    """A comment or the body of a pull request, rendered as the forge does."""
    # The forge has ended when this is read; its pull requests are on the page beside this one.
    return re.sub(r'href="/[^"]*/issues/(\d+)"', rf'href="{WHOLE}#pull-\1"', forge.entry(person, text, repository))


def check(status: Check) -> str:
    """A commit status as the line that the forge shows above its merge button."""
    mark = forge.MARKS.get(status.state, "?")
    return (
        f'<p class="check {escape(status.state)}"><span class="{escape(status.state)}"><span class="mark">{mark}'
        f"</span></span><b>onehead</b> — {escape(status.description)}</p>"
    )


def changes(summary: str, diff: str) -> str:
    """A diff, folded: what matters of it is in the text above."""
    return forge.folded_diff(escape(summary), diff)


def _mermaid() -> str:
    script = forge.mermaid_script()
    if script is None:
        raise DemoFailedError("Mermaid is not installed, so the page could not draw its graph. Run `make setup` again.")
    # Inside a page only this ends a script; a browser reads the two spellings alike.
    return script.decode().replace("</script", "<\\/script")

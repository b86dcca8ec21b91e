"""A page that is not too long: what explains gives way to what has to be said."""

from __future__ import annotations

from typing import Any

from onehead.quoting import cut_bytes
from onehead.render import environment

LONGEST = 60_000
"""Bytes of a comment or of the body of a pull request. Of a longer one, what explains goes: the patch, the change, the
tables, the pictures."""

_EXPLAINS = ("patch", "diff", "tables", "mermaid", "outline", "both_sides", "sides", "findings")
"""Parts of a comment that it can do without, the most dispensable first."""


def fitted(template: str, values: dict[str, Any]) -> str:
    """Render a template, without the parts that explain where the text would be too long."""
    text = _tidy(environment().get_template(template).render(values))
    for part in _EXPLAINS:
        if len(text.encode()) <= LONGEST:
            break
        if part in values:
            values = {**values, part: type(values[part])()}
        values["environments"] = [
            {**each, part: type(each[part])()} if part in each else each for each in values["environments"]
        ]
        values["shortened"] = True
        text = _tidy(environment().get_template(template).render(values))
    return cut_bytes(text, LONGEST)


def _tidy(text: str) -> str:
    """At most one blank line in a row, and one newline at the end."""
    lines: list[str] = []
    for line in text.split("\n"):
        if line.strip() or (lines and lines[-1].strip()):
            lines.append(line.rstrip())
    return "\n".join(lines).rstrip() + "\n"

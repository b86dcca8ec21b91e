"""The hidden first line by which onehead knows its own comments and pull requests again.

`<!-- onehead:KIND v1 {"about":"…", …} -->`, always one line. Forgejo keeps it verbatim and never shows it. Anybody can
copy it, so it counts only together with the author's id.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field

_KIND = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")  # never "--", which belongs to the ends of the HTML comment
_LINE = re.compile(rf"<!-- onehead:(?P<kind>{_KIND.pattern}) v1 (?P<facts>\{{.*\}}) -->")
_LONGEST = 8192  # characters of the line; keeps what somebody else wrote from costing anything
_DEEPEST = 64  # brackets; ours are flat, and how deep JSON may nest differs between versions of Python
_ABOUT = "about"


@dataclass(frozen=True, slots=True)
class Marker:
    """Whose words these are, and what they were written for.

    Attributes:
        kind: the place it holds on its page (`verdict`, `answer`): of one kind and subject a page has one comment.
            What the comment says may change from push to push, so that belongs to `facts`.
        about: tells several of one kind apart, such as the id of the comment that is answered.
        facts: what we want to read back later; JSON values with string keys, none named `about`.
    """

    kind: str
    about: str = ""
    facts: dict[str, object] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if not _KIND.fullmatch(self.kind) or _ABOUT in self.facts:
            raise ValueError(f"not a marker: kind {self.kind!r}, facts {sorted(self.facts)}")

    def same_place(self, other: Marker | None) -> bool:
        """Whether both mark the same comment, whatever its text says today."""
        return other is not None and (self.kind, self.about) == (other.kind, other.about)


def make(marker: Marker) -> str:
    """The marker's line, without its newline; the same marker always gives the same line."""
    facts = marker.facts | ({_ABOUT: marker.about} if marker.about else {})
    text = json.dumps(facts, ensure_ascii=True, sort_keys=True, separators=(",", ":"), allow_nan=False)
    # Inside JSON strings these escapes mean the same and can't end the HTML comment early ("-->", "--!>").
    text = text.replace("--", "\\u002d\\u002d").replace("<", "\\u003c").replace(">", "\\u003e")
    return f"<!-- onehead:{marker.kind} v1 {text} -->"


def parse(text: str) -> Marker | None:
    """The marker in the first line of a comment or body, or `None` where there is none that we could have written."""
    line = text[: _LONGEST + 1].partition("\n")[0].rstrip("\r")
    found = _LINE.fullmatch(line)
    if found is None or len(line) > _LONGEST or line.count("{") + line.count("[") > _DEEPEST:
        return None
    try:
        facts = json.loads(found["facts"])
        json.dumps(facts, allow_nan=False)  # a number beyond all bounds can be read, and not be written again
    except (ValueError, RecursionError):
        return None
    about = facts.pop(_ABOUT, "")
    return Marker(found["kind"], about, facts) if isinstance(about, str) else None


def mark(marker: Marker, text: str) -> str:
    """The text with its marker before it."""
    return f"{make(marker)}\n{text}"

"""Text from outside, made harmless for a comment, a terminal or a log, and several things in one phrase. Pure.

A commit subject or branch name is data: whoever may push must not be able to notify people, close issues, forge links
or break the layout through a comment that onehead signs.

Whoever may push decides how many there are and how long their names; a sentence stays one that a person reads.

A ref, a path, an option, a file name or an answer of a server can hold such characters, and a terminal that obeys them
shows another verdict than the one that was printed.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping
from itertools import islice

_BREAK = "\u200b"  # zero width space: nobody sees it, and no pattern of Forgejo reaches across it
_ELLIPSIS = "…"
# Invisible: what reorders text (bidirectional controls), hides it, or would pass for our own _BREAK.
_INVISIBLE = "[\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff\U000e0000-\U000e007f]"
_NO_XML = "\ufffe\uffff"  # no document of XML may hold them, be it as a reference
# Where Forgejo would start a mention, an issue or pull request reference, a link, a [[short link]], an :emoji:.
# Without a reference a closing keyword before it ("fixes") has nothing to close.
_ALIVE = r"(?i)@(?=\S)|[#!](?=\d)|:(?=//)|\bwww(?=\.)|\[(?=\[)|:(?=[-+\w]+:)"
# Numeric character references mean the character and never its markup. Backslashes would not do: Forgejo reads \[ and
# \( as the start of a formula.
_MARKUP = r"[\\`*_{}\[\]|~$#<>&!@" + _BREAK + "]"
_LIST_NUMBER = r"\d+[.)]"
_FENCE = r"`{3,}"
_LANGUAGE = r"[\w+-]*"


def plain(text: str) -> str:
    """One line for where no Markdown is read: titles and commit messages. Mentions and references are broken."""
    return re.sub(_ALIVE, lambda match: match[0] + _BREAK, _line(text))


def inline(text: str, limit: int = 200) -> str:
    """One line that shows exactly these characters in Markdown, in a table cell and in HTML (`<summary>`)."""
    harmless = plain(cut_words(_line(text), limit))
    number = re.match(_LIST_NUMBER, harmless)
    start = number.end() - 1 if number else 0
    if number or harmless[:1] in {"-", "+", "=", ":"}:
        return _referenced(harmless[:start]) + _reference(harmless[start]) + _referenced(harmless[start + 1 :])
    return _referenced(harmless)


def code(text: str, *, in_table: bool = False) -> str:
    """A code span of one line. Nothing in it is a mention or reference; backticks inside are kept.

    In a table, a pipe would end the cell.
    """
    line = _line(text) or " "
    if in_table and "|" in line:
        # Readers of Markdown disagree on backslashes before a pipe in code; a character reference is safe everywhere.
        return f"<code>{inline(line, len(line))}</code>"
    ticks = "`" * (max((len(run) for run in re.findall("`+", line)), default=0) + 1)
    # One space on both sides is taken away again; it parts our backticks from those of the text.
    padding = " " if "`" in {line[0], line[-1]} else ""
    return f"{ticks}{padding}{line}{padding}{ticks}"


def fence(text: str, language: str = "") -> str:
    """A fenced block of code, ending without a newline; its fence is longer than any within.

    Control characters other than tab are shown as �.
    """
    if not re.fullmatch(_LANGUAGE, language):
        raise ValueError(f"not the name of a language: {language!r}")
    lines = [visible(line.removesuffix("\r")) for line in text.split("\n")]
    if lines and not lines[-1]:
        lines.pop()
    ticks = "`" * max((len(run) + 1 for run in re.findall(_FENCE, "\n".join(lines))), default=3)
    return "\n".join([ticks + language, *lines, ticks])


def mermaid(text: str, limit: int = 60) -> str:
    """One line for inside a quoted Mermaid label (`r1["…"]`); it can't end the label, the graph or its fence.

    Mermaid reads its own references (`#quot;`, `#96;`) after it has read the graph, so nothing in them is syntax.
    """
    line = cut_words(_line(text), limit)
    return re.sub(r"[^\w ,/.@()'=\u0080-\U0010ffff-]|__|^[-+\d.)]+(?=[.)\s])|^[-+]", _mermaid_references, line)


def _mermaid_references(match: re.Match[str]) -> str:
    return "".join(letter if letter.isdigit() else f"#{ord(letter)};" for letter in match[0])


def cut_words(text: str, limit: int) -> str:
    """The text in at most `limit` characters; what is longer ends after a whole word, with an ellipsis."""
    if len(text) <= limit:
        return text
    cut = text[: limit - 1]
    head, space, _ = cut.rpartition(" ")
    # A single giant word is cut inside: half of it says more than nothing.
    if space and len(head) >= limit // 2 and not text[limit - 1].isspace():
        cut = head
    return cut.rstrip(" ,;:.-") + _ELLIPSIS


def cut_bytes(text: str, limit: int) -> str:
    """The text in at most `limit` bytes of UTF-8, never with half a character; what is longer ends with an ellipsis."""
    data = text.encode("utf-8", "replace")
    if len(data) <= limit:
        return data.decode("utf-8")
    return data[: limit - len(_ELLIPSIS.encode())].decode("utf-8", "ignore").rstrip() + _ELLIPSIS


def _line(text: str) -> str:
    return visible(" ".join(text.split())).strip()


def visible(text: str) -> str:
    """Without what can't be seen or can't be stored: invisible marks go, control characters and half ones show as �."""
    if text.isprintable():
        return text
    return "".join(
        "�" if letter in _NO_XML or (unicodedata.category(letter) in {"Cc", "Cs"} and letter != "\t") else letter
        for letter in re.sub(_INVISIBLE, "", text)
    )


def unheard(text: str) -> str:
    """Text in which the runner of a CI job finds no command: `::name::` begins a line, `##[name]` is anywhere in it.

    Source: https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands, and the runner's own
    `ActionCommand`, which still obeys the older form and overlooks spaces before the newer one.
    """
    return re.sub(r"(?m)^[ \t]*:(?=:)|##(?=\[)", lambda match: match[0] + _BREAK, text)


def _referenced(text: str) -> str:
    return re.sub(_MARKUP, lambda match: _reference(match[0]), text)


def _reference(letter: str) -> str:
    return f"&#{ord(letter)};"


def inline_code(text: str) -> str:
    """A sentence of ours that quotes things between backticks: the quotes become safe code spans, the rest plain."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return inline(text, 2000)
    spans = (code(part) if number % 2 else _prose(part) for number, part in enumerate(parts))
    return "".join(spans)


def _prose(text: str) -> str:
    """Our own words keep their spaces at both ends, which `inline` would strip."""
    core = text.strip()
    if not core:
        return text
    start = text[: len(text) - len(text.lstrip())]
    return start + inline(core, 2000) + text[len(text.rstrip()) :]


MAX_NAMED = 8
"""Things that a sentence names."""

MAX_NAME_LENGTH = 120
"""Characters of a name that a sentence shows."""


def listed(names: Collection[str], most: int = MAX_NAMED, joint: str = ", ", last: str = " and ") -> str:
    """`a`, `a and b`, `a, b and c`, or `a, b, c and 997 more`; nothing for none.

    `last` stands before the last one; where some are left out, that is always "and".
    """
    shown = list(islice(names, most))
    rest = len(names) - len(shown)
    if rest:
        return f"{joint.join(shown)} and {rest} more"
    return joint.join(shown[:-1]) + (last if shown[1:] else "") + "".join(shown[-1:])


def quoted(names: Collection[str], most: int = MAX_NAMED, joint: str = ", ") -> str:
    """The same, each shortened and between backticks."""
    return listed([f"`{shortened(name)}`" for name in names], most, joint)


def shortened(name: str) -> str:
    """A name as a sentence shows it."""
    return name if len(name) <= MAX_NAME_LENGTH else f"{name[: MAX_NAME_LENGTH - 1]}…"


def named(id_: str) -> str:
    """An id as a line of text shows it."""
    return visible(shortened(id_))


def becomes(new_ids: Mapping[str, str], most: int = MAX_NAMED) -> str:
    """`a` becomes `b`, and so on; nothing for none."""
    return listed([f"`{shortened(old)}` becomes `{shortened(new)}`" for old, new in new_ids.items()], most)


_CONTROLS = (*range(0x20), *range(0x7F, 0xA0))
_REORDERING = (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
_BREAKING = (0x2028, 0x2029)
_SHOWN = {code: f"\\x{code:02x}" for code in _CONTROLS if chr(code) not in "\n\t"}
_SHOWN |= {code: f"\\u{code:04x}" for code in (*_REORDERING, *_BREAKING)}


def shown(text: str) -> str:
    r"""The text with every such character in the notation of a Python string (`\x1b`); lines and tabs stay."""
    return text if text.isascii() and text.isprintable() else text.translate(_SHOWN)


HIDDEN = "***"


def mask_urls(text: str) -> str:
    """A text with the passwords of all addresses in it hidden."""
    return re.sub(r"(://[^\s/:@]*):[^\s/]*@", rf"\1:{HIDDEN}@", text)

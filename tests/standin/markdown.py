"""Markdown as the forge shows it: tables, task lists, alerts, details, diffs, emoji, and hardly any raw HTML."""

from __future__ import annotations

import re
from html import escape
from html.parser import HTMLParser
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt
from markdown_it.token import Token

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markdown_it.renderer import RendererHTML
    from markdown_it.rules_core import StateCore
    from markdown_it.utils import EnvType, OptionsDict

ALLOWED_TAGS = frozenset({"details", "summary", "br", "sub", "sup", "kbd"})
ALERTS = {"NOTE": "ⓘ", "TIP": "💡", "IMPORTANT": "❗", "WARNING": "⚠", "CAUTION": "⛔"}
EMOJI = {
    "bulb": "💡",
    "eyes": "👀",
    "grey_question": "❔",
    "hourglass": "⌛",
    "hourglass_flowing_sand": "⏳",
    "information_source": "\N{INFORMATION SOURCE}",
    "link": "🔗",
    "mute": "🔇",
    "no_entry": "⛔",
    "question": "❓",
    "raised_hand": "✋",
    "round_pushpin": "📍",
    "tada": "🎉",
    "twisted_rightwards_arrows": "🔀",
    "warning": "⚠️",
    "wave": "👋",
    "white_check_mark": "✅",
    "wrench": "🔧",
    "x": "❌",
    "zzz": "💤",
}
_ALERT = re.compile(r"\[!(" + "|".join(ALERTS) + r")\]\s*$")
_TASK = re.compile(r"\[([ xX])\] ")
_EMOJI = re.compile(r":([a-z0-9_]+):")
_REFERENCE = re.compile(r"(?<![\w/&])(?:#(\d+)|@([A-Za-z0-9][\w.-]*[A-Za-z0-9]|[A-Za-z0-9]))\b")


def to_html(text: str, repository: str) -> str:
    """Render Markdown. `repository` is the path of the page's repository, for `#12` and `@name`."""
    return str(_parser().render(text, {"repository": repository}))


def _parser() -> MarkdownIt:
    # In comments a single line break is one, as people type them.
    parser = MarkdownIt("commonmark", {"html": True, "breaks": True}).enable(["table", "strikethrough"])
    parser.core.ruler.push("alerts", _mark_alerts)
    parser.core.ruler.push("tasks", _mark_tasks)
    for name, rule in {
        "html_block": _html,
        "html_inline": _html,
        "fence": _fence,
        "text": _text,
        "blockquote_open": _quote,
    }.items():
        parser.add_render_rule(name, rule)
    return parser


def _mark_alerts(state: StateCore) -> None:
    """Turn a quote that starts with `[!WARNING]` into an alert, and take that line away."""
    for quote, inline in zip(state.tokens, state.tokens[2:], strict=False):
        children = inline.children or []
        if quote.type != "blockquote_open" or not children:
            continue
        if found := _ALERT.match(children[0].content):
            quote.meta["alert"] = found.group(1)
            del children[: 2 if len(children) > 1 else 1]


def _mark_tasks(state: StateCore) -> None:
    for item, inline in zip(state.tokens, state.tokens[2:], strict=False):
        children = inline.children or []
        if item.type != "list_item_open" or not children or not (found := _TASK.match(children[0].content)):
            continue
        children[0].content = children[0].content[found.end() :]
        box = Token("task_box", "input", 0)
        box.attrs = {"type": "checkbox", "disabled": ""}
        if found.group(1) != " ":
            box.attrs["checked"] = ""
        children.insert(0, box)
        item.attrs["class"] = "task"


def _html(_: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:  # noqa: ARG001
    cleaner = _Cleaner()
    cleaner.feed(tokens[index].content)
    cleaner.close()
    return "".join(cleaner.kept)


class _Cleaner(HTMLParser):
    """Keeps a few harmless tags and all text; comments, attributes and everything else go."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.kept: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in {"script", "style"}:
            self._silent += 1
        elif tag in ALLOWED_TAGS:
            is_open = tag == "details" and any(name == "open" for name, _ in attrs)
            self.kept.append(f"<{tag}{' open' if is_open else ''}>")

    def handle_endtag(self, tag: str) -> None:
        if tag in {"script", "style"}:
            self._silent = max(0, self._silent - 1)
        elif tag in ALLOWED_TAGS and tag != "br":
            self.kept.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.kept.append(escape(data, quote=False))


def _fence(_: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:  # noqa: ARG001
    token = tokens[index]
    language = token.info.strip().split(" ", 1)[0]
    if language == "mermaid":
        return f'<pre class="mermaid">{escape(token.content)}</pre>\n'
    if language == "diff":
        return diff_html(token.content)
    return f'<pre><code class="language-{escape(language)}">{escape(token.content)}</code></pre>\n'


def diff_html(text: str) -> str:
    """Colour a diff: one element per line, with a class for what the line does."""
    kinds = {"+": "added", "-": "removed", "@": "place"}
    lines = [
        f'<span class="{kinds.get(line[:1], "same")}">{escape(line)}</span>' for line in text.rstrip("\n").split("\n")
    ]
    return f'<pre class="diff"><code>{"".join(lines)}</code></pre>\n'


def _text(_: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:  # noqa: ARG001
    shown = escape(tokens[index].content, quote=False)
    shown = _EMOJI.sub(lambda found: EMOJI.get(found.group(1), found.group(0)), shown)

    def link(found: re.Match[str]) -> str:
        number, name = found.groups()
        target = f"{env['repository']}/issues/{number}" if number else f"/{name}"
        return f'<a href="{target}">{found.group(0)}</a>'

    return _REFERENCE.sub(link, shown)


def _quote(_: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:  # noqa: ARG001
    kind = tokens[index].meta.get("alert")
    if not kind:
        return "<blockquote>\n"
    title = f'<p class="alert-title">{ALERTS[kind]} {kind.title()}</p>'
    return f'<blockquote class="alert alert-{kind.lower()}">\n{title}\n'

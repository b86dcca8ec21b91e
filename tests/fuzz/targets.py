"""Readers of what strangers send, each with the law that it keeps whatever the bytes are.

A target returns, or fails an assertion. What a reader documents that it raises is caught; anything else is a defect.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

from markdown_it import MarkdownIt

from onehead import text as quoting
from onehead.commands import MAX_COMMANDS, commands_in
from onehead.databases import reported
from onehead.forge import intents, webhooks
from onehead.forge.errors import NotUnderstood
from onehead.operations.conflicts import judge
from onehead.operations.read import read
from onehead.operations.sql import operations_in
from onehead.plan.policy import FILES, read_policy_files
from onehead.revisions.config import read_config, read_ini
from onehead.revisions.edit import CannotEdit, reissue, reparent
from onehead.revisions.parse import parse

_MARKDOWN = MarkdownIt("commonmark").enable("table")
_NOW = datetime(2026, 1, 1, tzinfo=UTC)
_EVENTS = ("push", "create", "delete", "pull_request", "pull_request_sync", "issue_comment", "pull_request_comment")


def policy(data: bytes) -> None:
    """A policy is read, or each problem with it is a sentence."""
    for path in FILES:
        found = read_policy_files({path: data})
        assert all(problem.message.endswith((".", "?")) for problem in found.problems)
        assert found.policy.doubtful == bool(found.problems)


def comments(data: bytes) -> None:
    """Commands are found in a comment, never more than are allowed."""
    assert len(commands_in(_text(data))) <= MAX_COMMANDS + 1


def quotes(data: bytes) -> None:
    """Quoted text is text: no markup, no second line, nothing that ends the code or the fence around it."""
    text = _text(data)
    assert _kinds(f"x {quoting.inline(text)}") <= {"text", "text_special"}
    assert _kinds(f"x {quoting.code(text)} y") <= {"text", "code_inline"}
    assert [token.type for token in _MARKDOWN.parse(quoting.fence(text))] == ["fence"]
    assert not set(quoting.mermaid(text)) & set('"\n\r`[]<>;{}') - {";"}
    assert len(quoting.plain(text).splitlines()) <= 1


def marks(data: bytes) -> None:
    """A marker that is read writes the same marker again."""
    found = intents.parse(_text(data))
    assert found is None or intents.parse(intents.make(found)) == found


def reports(data: bytes) -> None:
    """A report that is taken can be written, and is the same when it is read again."""
    key = reported.key_of("secret", "acme/shop")
    try:
        found = reported.opened(["secret"], reported.signature(key, data), data, _NOW)
    except reported.ReportRefused:
        return
    body = reported.written(found)
    assert reported.opened(["secret"], reported.signature(key, body), body, _NOW) == found


def sql(data: bytes) -> None:
    """What SQL does is told, and an empty statement before it does nothing."""
    text = _text(data)
    assert [type(each) for each in operations_in(f";{text}")] == [type(each) for each in operations_in(text)]


def deliveries(data: bytes) -> None:
    """A delivery is an event, or is not understood."""
    for kind in _EVENTS:
        for content in ("application/json", "application/x-www-form-urlencoded"):
            with suppress(NotUnderstood):
                webhooks.parse({"x-forgejo-event-type": kind, "content-type": content}, data)


def parser(data: bytes) -> None:
    """A revision is read, or says why not; an edit gives what was asked for and changes nothing else, or refuses."""
    before = parse(data)
    if before.broken or before.revision is None or before.parents is None:
        return
    try:
        moved = parse(reparent(data, before.parents, ("f00d",)))
    except CannotEdit:
        pass
    else:
        assert moved.parents == ("f00d",)
        assert (moved.revision, moved.depends_on) == (before.revision, before.depends_on)
    try:
        renamed = parse(reissue(data, before.revision, "f00d"))
    except CannotEdit:
        pass
    else:
        assert (renamed.revision, renamed.parents) == ("f00d", before.parents)


def operations(data: bytes) -> None:
    """What `upgrade()` does is told, and can be compared with itself."""
    steps = read(data)
    judge([("a", steps)], [("b", steps)])


def ini(data: bytes) -> None:
    """A configuration is read, or each problem with it is told."""
    read_ini(data)
    for path in ("alembic.ini", "pyproject.toml"):
        read_config(path, data)


TARGETS: dict[str, Callable[[bytes], None]] = {
    "policy": policy,
    "comments": comments,
    "quoting": quotes,
    "markers": marks,
    "reports": reports,
    "sql": sql,
    "hooks": deliveries,
    "parser": parser,
    "operations": operations,
    "ini": ini,
}


def _text(data: bytes) -> str:
    """The bytes as text that may also hold what no encoding can write: half a surrogate pair."""
    return data.decode("utf-8", "surrogateescape")


def _kinds(line: str) -> set[str]:
    """What a line of Markdown is made of, where it is one paragraph; other blocks by their own names."""
    tokens = _MARKDOWN.parse(line)
    if [token.type for token in tokens] != ["paragraph_open", "inline", "paragraph_close"]:
        return {token.type for token in tokens}
    return {child.type for child in tokens[1].children or ()}

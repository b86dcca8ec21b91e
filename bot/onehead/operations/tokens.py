"""SQL text in pieces: names, strings and signs, as far as every dialect agrees on them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

from onehead.revisions.parsers import TooLarge, admit

_PATTERN = re.compile(
    r"""
      (?P<space>\s+|--[^\n]*|/\*.*?\*/)
    | (?P<string>[eEnN]?'(?:[^'\\]|''|\\.)*')
    | (?P<dollar>\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)
    | (?P<quoted>"(?:[^"]|"")+"|`[^`]+`|\[[A-Za-z_][^\]]*\])
    | (?P<name>[^\W\d][\w$]*)
    | (?P<number>\d[\w.]*)
    | (?P<open>/\*|\$\w*\$|\[[A-Za-z_]|['"`])
    | (?P<sign>::|.)
    """,
    re.VERBOSE | re.DOTALL,
)

_RESERVED = frozenset(
    (
        *("add", "all", "alter", "always", "and", "any", "as", "asc", "between", "by", "cascade", "case"),
        *("cast", "check", "collate", "column", "constraint", "create", "cross", "current_date"),
        *("current_timestamp", "default", "delete", "desc", "distinct", "drop", "else", "end", "except"),
        *("exists", "false", "foreign", "from", "full", "group", "having", "if", "in", "index", "inner"),
        *("insert", "intersect", "into", "is", "join", "key", "left", "like", "limit", "not", "null", "of"),
        *("offset", "on", "or", "order", "outer", "primary", "references", "replace", "right", "select"),
        *("set", "table", "then", "to", "true", "union", "unique", "update", "using", "values", "view"),
        *("when", "where", "with", "begin", "after", "before"),
        *("returning", "recursive", "conflict", "for", "each", "row", "execute", "function", "procedure", "returns"),
    )
)


_NAMING = ("nextval", "setval", "currval", "pg_get_serial_sequence", "to_regclass", "to_regtype")


class Token(NamedTuple):
    """One piece.

    Attributes:
        kind: `name` (not quoted), `quoted`, `string`, `number` or `sign`.
        text: a name not quoted in lower case, as PostgreSQL takes it; a quoted one and a string without the quotes.
        start: where it begins in the text.
        end: where it ends.
    """

    kind: Literal["name", "quoted", "string", "number", "sign"]
    text: str
    start: int
    end: int


def tokens(text: str) -> list[Token] | None:
    """Cut a text in pieces; `None` where it is too large, or a quote, a comment or a bracket stays open.

    Raises:
        Spent: the examination has parsed as much as it may.
    """
    try:
        admit(text)
    except TooLarge:
        return None
    found = []
    for match in _PATTERN.finditer(text):
        token = _token(match)
        if token is None:
            return None
        if token.text:
            found.append(token)
    return found


def _token(match: re.Match[str]) -> Token | None:
    raw, (start, end) = match.group(), match.span()
    match match.lastgroup:
        case "space":
            return Token("sign", "", start, end)
        case "string":
            return Token("string", raw[raw.index("'") + 1 : -1].replace("''", "'") or " ", start, end)
        case "quoted":
            return Token("quoted", raw[1:-1].replace('""', '"'), start, end)
        case "name":
            return Token("name", raw.lower(), start, end)
        case "number":
            return Token("number", raw, start, end)
        case "sign":
            return Token("sign", raw, start, end)
        case "open":  # and nothing closes it: looking for that again and again would take quadratic time
            return None
    return Token("string", raw.strip("$") or " ", start, end)


def statements(pieces: Sequence[Token]) -> list[list[Token]]:
    """The pieces between semicolons; the bodies of triggers (`BEGIN … END`) are not cut."""
    found: list[list[Token]] = [[]]
    depth = 0
    for piece in pieces:
        inside = bool(found[-1]) and found[-1][0].text == "create" and any(p.text == "trigger" for p in found[-1][:4])
        if inside and piece.kind == "name" and piece.text in ("begin", "case"):
            depth += 1
        elif inside and piece.kind == "name" and piece.text == "end":
            depth -= 1
        if piece.kind == "sign" and piece.text == ";" and depth <= 0:
            found.append([])
            depth = 0
        else:
            found[-1].append(piece)
    return [each for each in found if each]


def words(pieces: Sequence[Token]) -> frozenset[str]:
    """The names in it that may be a table's, a column's, a type's or a function's, without reserved ones.

    `f()` stands for a function that is called, `a.b` for a name with what stands before it, beside both by themselves.
    What stands as text and means a name, as in `nextval('numbers')`, counts too.
    """
    found = set()
    for at, piece in enumerate(pieces):
        before = pieces[at - 1] if at else None
        after = pieces[at + 1] if at + 1 < len(pieces) else None
        name = piece.text
        if piece.kind == "string":
            if _is_sign(after, "::") or (_is_sign(before, "(") and at > 1 and pieces[at - 2].text in _NAMING):
                found |= _named_in(name)
            continue
        if piece.kind not in ("name", "quoted") or (piece.kind == "name" and name in _RESERVED):
            continue
        called = "()" if _is_sign(after, "(") else ""
        found.add(f"{name}{called}")
        if _is_sign(before, ".") and at > 1 and pieces[at - 2].kind in ("name", "quoted"):
            found.add(f"{pieces[at - 2].text}.{name}{called}")
    return frozenset(found)


def _is_sign(piece: Token | None, text: str) -> bool:
    return piece is not None and piece.kind == "sign" and piece.text == text


def _named_in(text: str) -> set[str]:
    """The names in a string: `'shop.numbers'`."""
    parts = [part.strip('"') for part in text.split(".")]
    if len(parts) > 2 or not all(part.replace("_", "a").isalnum() for part in parts):
        return set()
    return {*parts, ".".join(parts)}


def literals(pieces: Iterable[Token]) -> frozenset[str]:
    """The strings in it."""
    return frozenset(piece.text for piece in pieces if piece.kind == "string")


def words_in(text: str) -> frozenset[str]:
    """The names in a piece of SQL; empty where it can't be cut in pieces."""
    return words(tokens(text) or ())


def literals_in(text: str) -> frozenset[str]:
    """The strings in a piece of SQL; empty where it can't be cut in pieces."""
    return literals(tokens(text) or ())


def parts(pieces: Sequence[Token]) -> Iterator[list[Token]]:
    """What stands between the commas that are in no bracket."""
    part: list[Token] = []
    depth = 0
    for piece in pieces:
        if piece.kind == "sign":
            depth += {"(": 1, ")": -1}.get(piece.text, 0)
        if piece.kind == "sign" and piece.text == "," and depth == 0:
            if part:
                yield part
            part = []
        else:
            part.append(piece)
    if part:
        yield part


def is_star(pieces: Sequence[Token], at: int) -> bool:
    """`SELECT *` or `t.*`, not a product or `count(*)`."""
    before = pieces[at - 1].text if at else ""
    return before in ("select", "distinct", ",", ".")


def reads(pieces: Sequence[Token], writes: tuple[str, ...] | None) -> frozenset[str]:
    """The names that an `UPDATE` reads: all but those that stand only left of an assignment."""
    if writes is None:
        return words(pieces)
    left = {id(part[0]) for part in parts(pieces) if len(part) > 1 and part[1].text == "="}
    return words([piece for piece in pieces if id(piece) not in left])

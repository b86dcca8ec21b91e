"""One SQL statement, read piece by piece from left to right."""

from __future__ import annotations

from onehead.operations import tokens as cut
from onehead.operations.operation import Named, Unknown
from onehead.operations.tokens import Token

NOT_RECOGNISED = "SQL that is not recognised"
ALONG = "a `CASCADE`, which takes along what nobody names"


KINDS = {
    "table": "relation",
    "materialized view": "relation",
    "view": "relation",
    "index": "relation",
    "sequence": "relation",
    "function": "function",
    "procedure": "function",
    "type": "type",
    "domain": "type",
    "schema": "schema",
    "extension": "extension",
}
"""Words that say what is named → what it is."""


class NotPlain(Exception):
    """The statement is none of those that are recognised."""


def shown(text: str) -> str:
    """A piece of source as it may stand in a sentence: one line, at most 80 characters."""
    line = " ".join(text[:1000].split())
    return line if len(line) <= 80 else f"{line[:79]}…"


class Cursor:
    """A place in a statement, and what may be taken from there."""

    def __init__(self, pieces: list[Token], text: str) -> None:
        self._pieces = pieces
        self._at = 0
        self.text = text
        """Source of the whole statement."""

    def __bool__(self) -> bool:
        return self._at < len(self._pieces)

    @property
    def line(self) -> str:
        """The statement in one line."""
        return " ".join(self.text[:2000].split())

    def peek(self, ahead: int = 0) -> Token:
        """A piece that comes next; an empty one behind the last."""
        index = self._at + ahead
        return self._pieces[index] if index < len(self._pieces) else Token("sign", "", 0, 0)

    def next(self) -> Token:
        """Step over one piece.

        Raises:
            NotPlain: there is none.
        """
        if not self:
            raise NotPlain
        self._at += 1
        return self._pieces[self._at - 1]

    def take(self, *expected: str) -> bool:
        """Step over these words when they come next."""
        for ahead, word in enumerate(expected):
            piece = self.peek(ahead)
            if piece.kind not in ("name", "sign") or piece.text != word:
                return False
        self._at += len(expected)
        return True

    def one_of(self, *words: str) -> str:
        """Step over the one of these words that comes next; empty where none does."""
        return next((word for word in words if self.take(*word.split())), "")

    def need(self, *expected: str) -> None:
        """Step over these words.

        Raises:
            NotPlain: something else comes next.
        """
        if not self.take(*expected):
            raise NotPlain

    def name(self) -> str:
        """A name without a schema; raises `NotPlain` where none comes next."""
        piece = self.next()
        if piece.kind not in ("name", "quoted"):
            raise NotPlain
        return piece.text

    def named(self) -> Named:
        """A name that may have a schema before it."""
        first = self.name()
        return Named(self.name(), first) if self.take(".") else Named(first)

    def listed(self) -> list[Named]:
        """Names with commas between them."""
        found = [self.named()]
        while self.take(","):
            found.append(self.named())
        return found

    def string(self) -> str:
        """A string; raises `NotPlain` where none comes next."""
        piece = self.next()
        if piece.kind != "string":
            raise NotPlain
        return piece.text

    def rest(self) -> list[Token]:
        """What has not been taken yet."""
        return self._pieces[self._at :]

    def part(self) -> Cursor:
        """What comes before the next comma outside of brackets, stepping over both."""
        start, depth = self._at, 0
        while self._at < len(self._pieces):
            piece = self._pieces[self._at]
            if piece.kind == "sign":
                depth += {"(": 1, ")": -1}.get(piece.text, 0)
            if piece.kind == "sign" and piece.text == "," and depth == 0:
                break
            self._at += 1
        self._at += 1
        return Cursor(self._pieces[start : self._at - 1], self.text)

    def inside(self) -> list[Token]:
        """The pieces of the bracket that opens here; raises `NotPlain` where none does."""
        self.need("(")
        start, depth = self._at, 1
        while depth:
            piece = self.next()
            if piece.kind == "sign":
                depth += {"(": 1, ")": -1}.get(piece.text, 0)
        return self._pieces[start : self._at - 1]

    def needed(self) -> tuple[str, Named]:
        """Something that may have its kind before it, as `GRANT … ON` and `COMMENT ON` name it."""
        written = self.one_of(*KINDS)
        named = self.named()
        if written in ("function", "procedure") and self.peek().text == "(":
            self.inside()
        return KINDS.get(written, "relation"), named

    def names(self) -> tuple[str, ...]:
        """The first names of the parts of the bracket that opens here."""
        return tuple(part[0].text for part in cut.parts(self.inside()))

    def end(self) -> None:
        """Nothing may follow; raises `NotPlain` where something does."""
        self.take("restrict")
        if self:
            raise NotPlain

    def end_of_drop(self) -> tuple[Unknown, ...]:
        """The end of something that takes away: `CASCADE` may take anything along."""
        if self.take("cascade"):
            self.end()
            return (Unknown(ALONG, shown(self.text), cut.words(self._pieces)),)
        self.end()
        return ()

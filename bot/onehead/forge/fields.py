"""Reading an object of Forgejo's JSON field by field, with complaints that name the field.

A field that Forgejo always sends is required: reading around its absence would let a wrong guess pass as a fact.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NoReturn

from onehead.forge.errors import NotUnderstood

HINT = "onehead understands Forgejo 15 and newer; check that the address and the webhook's type are Forgejo's."


class Fields:
    """One object, and where it was found (`GET /user`, `push.repository`)."""

    __slots__ = ("_data", "_where")

    def __init__(self, data: object, where: str) -> None:
        """Wrap what was found.

        Raises:
            NotUnderstood: it is not an object.
        """
        if not isinstance(data, Mapping):
            raise NotUnderstood(f"{where} should be an object and is {_kind(data)}.", HINT)
        self._data: Mapping[str, object] = data
        self._where = where

    def text(self, name: str) -> str:
        """A string that is always there."""
        value = self._data.get(name)
        if not isinstance(value, str):
            self._complain(name, "a text", value)
        return value

    def optional_text(self, name: str) -> str | None:
        """A string that may be null or absent."""
        return None if self._data.get(name) is None else self.text(name)

    def number(self, name: str) -> int:
        """A whole number that is always there."""
        value = self._data.get(name)
        if not isinstance(value, int) or isinstance(value, bool):
            self._complain(name, "a whole number", value)
        return value

    def flag(self, name: str) -> bool:
        """A truth value that is always there."""
        value = self._data.get(name)
        if not isinstance(value, bool):
            self._complain(name, "true or false", value)
        return value

    def moment(self, name: str) -> datetime:
        """A time in RFC 3339 that is always there."""
        text = self.text(name)
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            self._complain(name, "a time", text)
        if moment.tzinfo is None:
            self._complain(name, "a time with a zone", text)
        return moment

    def inner(self, name: str) -> Fields:
        """An object that is always there."""
        return Fields(self._data.get(name), f"{self._where}.{name}")

    def optional(self, name: str) -> Fields | None:
        """An object that may be null or absent."""
        return None if self._data.get(name) is None else self.inner(name)

    def items(self, name: str) -> list[Fields]:
        """A list of objects; null is an empty list, and null items (Forgejo could not load them) are left out."""
        return objects(self._data.get(name), f"{self._where}.{name}")

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of strings; null is an empty one."""
        value = self._data.get(name)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self._complain(name, "a list of texts", value)
        return tuple(value)

    def is_unset(self, name: str) -> bool:
        """Whether a field is absent, or has the value that Forgejo gives to what nobody has set."""
        return not self._data.get(name)

    def names(self) -> tuple[str, ...]:
        """Which fields there are, in the order of the alphabet."""
        return tuple(sorted(self._data))

    def _complain(self, name: str, wanted: str, value: object) -> NoReturn:
        raise NotUnderstood(f"{self._where}.{name} should be {wanted} and is {_kind(value)}.", HINT)


def objects(data: object, where: str) -> list[Fields]:
    """A list of objects, without the items that are null; null for the whole list is an empty one.

    Raises:
        NotUnderstood: it is something else.
    """
    if data is None:
        return []
    if not isinstance(data, Sequence) or isinstance(data, str):
        raise NotUnderstood(f"{where} should be a list and is {_kind(data)}.", HINT)
    return [Fields(item, f"{where}[{place}]") for place, item in enumerate(data) if item is not None]


def _kind(value: object) -> str:
    names = {bool: "true or false", int: "a number", float: "a number", list: "a list", dict: "an object"}
    if value is None:
        return "missing"
    if isinstance(value, str):
        return f"the text {value[:40]!r}"
    return names.get(type(value), "something else")

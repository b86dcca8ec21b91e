"""What the service remembers between jobs, by kind and key: in this process, or in PostgreSQL where several share it.

All of it may be lost: what is not remembered is looked at again. What another version has written and this one can't
read counts as lost.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any, Generic, Protocol, TypeVar

from onehead.service.wire import BadWire, Wire

T = TypeVar("T")


class Shelf(Protocol):
    """Where texts are kept."""

    def read(self, kind: str, keys: list[str] | None = None) -> dict[str, str]:
        """What is kept under these keys; under all where none are named."""

    def write(self, kind: str, values: Mapping[str, str]) -> None:
        """Keep values, in the place of earlier ones."""

    def remove(self, kind: str, keys: list[str]) -> None:
        """Forget what is kept under these keys."""

    def remove_equal(self, kind: str, key: str, value: str) -> None:
        """Forget what is kept under this key if it is still this value."""

    def alone(self, name: str) -> AbstractContextManager[bool]:
        """Whether no other process does what has this name; none begins to while the context lasts."""


class OwnShelf:
    """In this process."""

    def __init__(self) -> None:
        self._kept: dict[str, dict[str, str]] = {}
        self._lock = threading.Lock()

    def read(self, kind: str, keys: list[str] | None = None) -> dict[str, str]:
        """See `Shelf.read`."""
        with self._lock:
            kept = self._kept.get(kind, {})
            return dict(kept) if keys is None else {key: kept[key] for key in keys if key in kept}

    def write(self, kind: str, values: Mapping[str, str]) -> None:
        """See `Shelf.write`."""
        with self._lock:
            self._kept.setdefault(kind, {}).update(values)

    def remove(self, kind: str, keys: list[str]) -> None:
        """See `Shelf.remove`."""
        with self._lock:
            for key in keys:
                self._kept.get(kind, {}).pop(key, None)

    def remove_equal(self, kind: str, key: str, value: str) -> None:
        """See `Shelf.remove_equal`."""
        with self._lock:
            if self._kept.get(kind, {}).get(key) == value:
                del self._kept[kind][key]

    def alone(self, name: str) -> AbstractContextManager[bool]:
        """See `Shelf.alone`."""
        del name
        return nullcontext(enter_result=True)


class Remembered(Generic[T]):
    """Values of one type, by key."""

    def __init__(self, shelf: Shelf, name: str, kind: Any) -> None:
        """Use a part of a shelf.

        Args:
            shelf: where the values are kept.
            name: of the part.
            kind: the type of the values, one that `Wire` can write.
        """
        self._shelf = shelf
        self._name = name
        self._kind = kind

    def get(self, key: str) -> T | None:
        """The value of a key; `None` where none is known."""
        return self._values([key]).get(key)

    def some(self, keys: Collection[str]) -> dict[str, T]:
        """The values of some keys, as far as they are known."""
        return self._values(list(keys))

    def all(self) -> dict[str, T]:
        """Every value that is known."""
        return self._values(None)

    def put(self, values: Mapping[str, T]) -> None:
        """Remember values, in the place of earlier ones."""
        self._shelf.write(self._name, {key: self._written(value) for key, value in values.items()})

    def forget(self, *keys: str) -> None:
        """Forget the values of some keys."""
        self._shelf.remove(self._name, list(keys))

    def forget_equal(self, key: str, value: T) -> None:
        """Forget the value of a key, unless another one has taken its place."""
        self._shelf.remove_equal(self._name, key, self._written(value))

    def _written(self, value: T) -> str:
        return json.dumps(Wire().write(value, self._kind))

    def _values(self, keys: list[str] | None) -> dict[str, T]:
        found = {}
        for key, text in self._shelf.read(self._name, keys).items():
            with suppress(BadWire, ValueError):
                found[key] = Wire().read(json.loads(text), self._kind)
        return found

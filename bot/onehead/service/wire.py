"""Values of onehead as JSON and back, by their declared types.

Who reads does not trust who wrote: a value is built only where every part of it has the type that is declared for its
place, and nothing but those types is ever built. (Pickle lets the sender choose what is called.)

Revisions and graphs come up again and again in one conversation. Each is written once; after that, its number is.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from functools import cache
from typing import Any, Literal, NamedTuple, Union

from onehead.revisions.file_names import Renumbered
from onehead.revisions.graph import Graph
from onehead.revisions.model import Revision, Unreadable


class BadWire(ValueError):
    """What was read is not of the type that it has to be."""


class Wire:
    """One conversation: what either side has sent so far."""

    def __init__(self) -> None:
        self.numbers: dict[object, int] = {}  # of what was written once, a graph by its id
        self.graphs: list[Graph] = []  # kept, or the id of one might be another graph's soon
        self.known: list[object] = []

    def write(self, value: object, kind: Any) -> Any:
        """A value of a type as what `json` can write."""
        return _codec(kind).write(self, value)

    def read(self, written: Any, kind: Any) -> Any:
        """The value of a type from what `json` has read.

        Raises:
            BadWire: it is none.
        """
        try:
            return _codec(kind).read(self, written)
        except (TypeError, ValueError, LookupError, RecursionError, UnicodeError) as error:
            raise BadWire(f"{kind}: {error}") from error


class _Codec(NamedTuple):
    write: Callable[[Wire, Any], Any]
    read: Callable[[Wire, Any], Any]


@cache
def _codec(kind: Any) -> _Codec:
    """How values of a type are written and read."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind in (str, int, bool, types.NoneType):
        return _Codec(lambda _wire, value: value, lambda _wire, found: _of(kind, found))
    if kind in _AS_TEXT:
        return _AS_TEXT[kind]
    if origin is Literal:
        return _Codec(lambda _wire, value: value, lambda _wire, found: arguments[arguments.index(_of(str, found))])
    if origin in (Union, types.UnionType):
        return _union(arguments)
    if origin is not None:
        return _container(origin, arguments)
    if issubclass(kind, Enum):
        return _Codec(lambda _wire, value: value.value, lambda _wire, found: kind(_of(str, found)))
    if kind is Graph:
        parts = _row(tuple, (tuple[Revision, ...], tuple[Unreadable, ...]))
        return _shared(
            Graph,
            lambda wire, value: parts.write(wire, (tuple(value), value.unreadable)),
            lambda wire, found: Graph(*parts.read(wire, found)),
        )
    return _shared(kind, *_record(kind)) if kind is Revision else _record(kind)


_AS_TEXT = {
    bytes: _Codec(lambda _wire, value: value.decode("latin-1"), lambda _wire, found: found.encode("latin-1")),
    datetime: _Codec(lambda _wire, value: value.isoformat(), lambda _wire, found: datetime.fromisoformat(found)),
}


def _container(origin: Any, arguments: tuple[Any, ...]) -> _Codec:
    if origin is tuple and arguments[1:] != (...,):
        return _row(tuple, arguments)
    if origin in (tuple, frozenset):
        order = sorted if origin is frozenset else list
        item = _codec(arguments[0])
        is_plain = arguments[0] in (str, int, bool)  # most of what is sent
        return _Codec(
            (lambda _wire, value: order(value))
            if is_plain
            else lambda wire, value: [item.write(wire, each) for each in order(value)],
            lambda wire, found: origin([item.read(wire, each) for each in _of(list, found)]),
        )
    if origin not in (dict, Mapping):
        raise AssertionError(f"no value of onehead holds a {origin}")
    pair = _row(tuple, arguments)
    return _Codec(
        lambda wire, value: [pair.write(wire, each) for each in value.items()],
        lambda wire, found: dict([pair.read(wire, each) for each in _of(list, found)]),
    )


def _of(kind: type, found: Any) -> Any:
    if type(found) is not kind:
        raise TypeError(f"a {type(found).__name__} in the place of a {kind.__name__}")
    return found


def _union(kinds: tuple[Any, ...]) -> _Codec:
    """One alternative beside `None` is written as it is, of several also which one."""
    some = [kind for kind in kinds if kind is not types.NoneType]
    is_optional = len(some) < len(kinds)
    codecs = [_codec(kind) for kind in some]

    def write(wire: Wire, value: Any) -> Any:
        if is_optional and value is None:
            return None
        if len(some) == 1:
            return codecs[0].write(wire, value)
        number = next(number for number, kind in enumerate(some) if type(value) is kind)
        return [number, codecs[number].write(wire, value)]

    def read(wire: Wire, found: Any) -> Any:
        if is_optional and found is None:
            return None
        if len(some) == 1:
            return codecs[0].read(wire, found)
        number, written = _of(list, found)
        return codecs[range(len(some))[_of(int, number)]].read(wire, written)

    return _Codec(write, read)


def _row(build: Callable[[list[Any]], Any], kinds: tuple[Any, ...]) -> _Codec:
    """So many values, each of its own type."""
    writers = [_codec(kind).write for kind in kinds]
    readers = [_codec(kind).read for kind in kinds]
    return _Codec(
        lambda wire, value: [write(wire, each) for write, each in zip(writers, value, strict=True)],
        lambda wire, found: build([read(wire, each) for read, each in zip(readers, _of(list, found), strict=True)]),
    )


def _record(kind: type) -> _Codec:
    """A named tuple or a dataclass, its fields in order."""
    names = [each.name for each in fields(kind)] if is_dataclass(kind) else list(kind._fields)  # type: ignore[attr-defined]
    # Known to type checkers alone where it is declared: it would cost `check` its start-up.
    hints = typing.get_type_hints(kind, localns={"Renumbered": Renumbered})
    row = _row(lambda values: kind(*values), tuple(hints[name] for name in names))
    if not is_dataclass(kind):
        return row
    return _Codec(lambda wire, value: row.write(wire, [getattr(value, name) for name in names]), row.read)


def _shared(kind: type, write: Callable[[Wire, Any], Any], read: Callable[[Wire, Any], Any]) -> _Codec:
    """What is written once in a conversation."""

    def write_once(wire: Wire, value: Any) -> Any:
        key = id(value) if kind is Graph else value
        if key in wire.numbers:
            return wire.numbers[key]
        written = write(wire, value)
        if kind is Graph:
            wire.graphs.append(value)
        wire.numbers[key] = len(wire.numbers)
        return written

    def read_once(wire: Wire, found: Any) -> Any:
        if isinstance(found, int):
            return _of(kind, wire.known[_of(int, found)])
        value = read(wire, found)
        wire.known.append(value)
        return value

    return _Codec(write_once, read_once)

"""Python's own parser, as several threads of a service use it."""

from __future__ import annotations

import ast
import gc
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from onehead.revisions import parsers


class _Slow:
    """Garbage that gives way to the other threads when it is collected."""

    def __init__(self) -> None:
        self.me = self

    def __del__(self) -> None:
        time.sleep(0.00001)


@pytest.fixture
def busy_collector() -> Iterator[None]:
    """Collect garbage at every occasion."""
    before = gc.get_threshold()
    gc.set_threshold(1)
    yield
    gc.set_threshold(*before)


@pytest.mark.usefixtures("busy_collector")
def test_several_threads_parse_at_once() -> None:
    nested = f"x = {'[' * 40}1{']' * 40}\n" * 20

    def parse(_: int) -> str:
        _Slow()
        return ast.dump(parsers.parse(nested))

    with ThreadPoolExecutor(8) as threads:
        assert len(set(threads.map(parse, range(200)))) == 1


def test_threads_leave_the_warnings_as_they_were() -> None:
    before = list(warnings.filters)
    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(parsers.python, ["x = '\\d'\n"] * 400))
    assert list(warnings.filters) == before


@pytest.mark.parametrize("text", ["print 'x'\n", "x = (\n", "x = 1\0", "(" * 3000])
def test_what_is_not_python_has_no_tree(text: str) -> None:
    assert parsers.python(text) is None
    with pytest.raises(parsers.NOT_PYTHON):
        parsers.parse(text)

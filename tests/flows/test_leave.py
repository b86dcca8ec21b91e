"""Which repositories are taken leave of."""

from __future__ import annotations

from dataclasses import replace

from onehead.flows.leave import left_behind
from onehead.forge.values import RepositoryName
from tests.flows.test_agenda import repository


def test_those_that_were_looked_after_and_are_not_any_more() -> None:
    ours, left, never, archived = (
        replace(repository(number), name=RepositoryName("acme", name), archived=name == "archived")
        for number, name in enumerate(("ours", "left", "never", "archived"))
    )
    found = left_behind([ours, left, never, archived], lambda each: each is ours, lambda each: each is not never)
    assert list(found) == [left]

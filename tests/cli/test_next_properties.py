"""Whatever the own migrations look like: `onehead next --write` leaves one line, and again it changes nothing."""

from __future__ import annotations

import re
import tempfile
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.cli.terminal_runs import Run
from tests.cli.test_next import Desk
from tests.migrations import chain, merged, revision

pytestmark = pytest.mark.slow

_CHANGES = re.compile(rb'(?m)^(?:Revision ID|Revises): [^\r\n]*|^(revision|down_revision)(:[^=\r\n]*)? = "[^"\r\n]*"')


@st.composite
def branches(draw: st.DrawFn) -> tuple[list[tuple[str, str]], int, int, str]:
    """Own revisions with their parents, how many others have landed, how many are on a pushed branch, the line ends."""
    hexes = draw(st.booleans())
    own: list[tuple[str, str]] = []
    for number in range(draw(st.integers(1, 4))):
        id_ = f"beef0000{number:04d}" if hexes else f"{3 + number:03d}"
        own.append((id_, draw(st.sampled_from(["001", "002", *(each for each, _ in own)]))))
    return own, draw(st.integers(0, 2)), draw(st.integers(0, 2)), draw(st.sampled_from(["\n", "\r\n"]))


# Each example makes two repositories and runs git dozens of times.
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(branches())
def test_once_leaves_one_line_and_twice_changes_nothing(
    run: Run, drawn: tuple[list[tuple[str, str]], int, int, str]
) -> None:
    own, landed, pushed, newline = drawn
    with tempfile.TemporaryDirectory() as place:
        desk = Desk(Path(place), run)
        for id_, parent in own:
            for path, text in revision(id_, parent, f"mine_{id_}").items():
                (desk.work / path).write_bytes(text.replace("\n", newline).encode())
        if landed:
            ids = ["002", *(f"{3 + number:03d}" for number in range(landed))]
            desk.land(merged(*(revision(new, old, f"theirs_{new}") for old, new in pairwise(ids))))
        if pushed:
            desk.origin.branch("rival", "main")
            first = 3 + landed
            desk.origin.commit("rival", chain(*((f"{first + n:03d}", f"{first + n - 1:03d}") for n in range(pushed))))
            desk.git("fetch", "--quiet")
        before = desk.files()

        done = desk.next("--write")
        if "ids that are taken, so no order among them can be written down" in done.out:
            # The one thing that it leaves to a person: several lines that each begin with an id of the target's.
            assert (done.code, desk.files()) == (1, before)
            return
        assert done.code == 0
        after = desk.files()
        assert desk.next("--write").code == 0
        assert desk.files() == after
        assert sorted(_CHANGES.sub(b"", data) for data in before.values()) == sorted(
            _CHANGES.sub(b"", data) for data in after.values()
        )
        assert {name: data for name, data in before.items() if "mine" not in name} == {
            name: data for name, data in after.items() if "mine" not in name
        }
        assert desk.told()["state"] == "in-place"
        assert desk.is_healthy()

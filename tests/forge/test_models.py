from __future__ import annotations

import pytest

from onehead.errors import UsageError
from onehead.forge import models
from onehead.forge.models import Fields, RepositoryName
from tests.forge.swagger_samples import definition


def test_name_is_read_and_written() -> None:
    name = RepositoryName.parse("courtside/basketball-api")
    assert (name.owner, name.name, str(name)) == ("courtside", "basketball-api", "courtside/basketball-api")


@pytest.mark.parametrize("text", ["", "a", "a/", "/b", "a/b/c", "a b/c", "http://x/y"])
def test_other_text_is_no_name(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        RepositoryName.parse(text)
    assert caught.value.hint == "Write it as owner/name."


@pytest.mark.parametrize(
    ("state", "merged", "is_open"), [("open", False, True), ("closed", False, False), ("closed", True, False)]
)
def test_merged_and_closed_are_not_open(state: str, merged: bool, is_open: bool) -> None:
    pull = models.pull_request(Fields(definition("PullRequest", state=state, merged=merged), "pull"))
    assert pull.is_open is is_open

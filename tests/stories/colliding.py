"""The collision that most stories begin with: 020 on 018 in a pull request, while `main` moves to 019."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.migrations import chain, merged, project

if TYPE_CHECKING:
    from tests.forgejos.fixtures import Project
    from tests.stories.conftest import Service

BASE = merged(project(), chain(("017", None), ("018", "017")))
"""`main` at 018."""


def collision(
    hosted: Project, *, added: tuple[str, ...] = ("020",), title: str = "OAuth tokens", policy: str = ""
) -> tuple[int, str]:
    """Make it, and give the number of the pull request and the commit of its branch, which is `oauth`.

    Args:
        hosted: an empty project.
        added: the revisions of the branch, each on the one before.
        title: of the pull request.
        policy: what `main` has in `.onehead.toml`; empty: no such file.
    """
    copy = hosted.copy
    copy.commit(BASE | ({".onehead.toml": policy} if policy else {}), "Start")
    copy.push()
    sha = hosted.push_branch("oauth", chain(*zip(added, ("018", *added), strict=False)))
    number = hosted.open_pull("oauth", title=title)["number"]
    copy.commit(chain(("019", "018")), "Player teams")
    copy.push()
    return number, sha


def collide(service: Service, *, title: str = "OAuth tokens", policy: str = "") -> tuple[int, str]:
    """The same, and onehead has dealt with it."""
    made = collision(service.project, title=title, policy=policy)
    service.settle()
    return made

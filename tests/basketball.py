"""The repository of a real report: two features forked the chain after 018, and a merge rejoined it.

001 … 005 → e09c9e678004 → 007 … 018 (there never was a 006); 019 and 020 → 021 on 018; 022 joins 019 and
021; 023 … 025. `main` was at 018 when the branches `teams` (019) and `oauth` (020, 021) began.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.migrations import chain, merged, project, revision
from tests.repositories import Repository

TABLES = {"019": "player_teams", "020": "custom_notes", "021": "oauth_tokens"}
TRUNK = [*(f"{n:03}" for n in range(1, 6)), "e09c9e678004", *(f"{n:03}" for n in range(7, 19))]


@dataclass(frozen=True)
class Basketball:
    """The repository, and its commits by what they brought."""

    repo: Repository
    trunk: str
    """main at 018."""
    forked: str
    """main with both branches merged and no 022."""
    rejoined: str
    """main with 022."""


def basketball(path: Path) -> Basketball:
    """Build it."""
    repo = Repository(path)
    parents: list[str | None] = [None, *TRUNK[:-1]]
    trunk = repo.commit("main", merged(project(), chain(*zip(TRUNK, parents, strict=True))), "Up to 018")
    repo.branch("teams", trunk)
    repo.branch("oauth", trunk)
    repo.commit("teams", feature("019", "018"), "Player teams")
    repo.commit("oauth", feature("020", "018"), "Custom notes")
    repo.commit("oauth", feature("021", "020"), "OAuth tokens")
    repo.merge("main", "teams")
    forked = repo.merge("main", "oauth")
    rejoined = repo.commit("main", revision("022", ("019", "021")), "Rejoin the chain")
    repo.commit("main", chain(("023", "022"), ("024", "023"), ("025", "024")), "Three more")
    return Basketball(repo, trunk, forked, rejoined)


def feature(id_: str, parent: str) -> dict[str, str]:
    """One revision of the two branches, with the table it makes."""
    return revision(id_, parent, TABLES[id_])

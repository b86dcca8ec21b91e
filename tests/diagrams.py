"""The diagrams of the documentation: small repositories, what onehead makes of each, and both chains drawn.

`python -m tests.diagrams`, which is what `make diagrams` runs, writes them into docs/images/.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

from onehead.cli.sides import examined
from onehead.cli.verbs import parse
from onehead.plan.findings import Facts
from onehead.reports.graph_svg import Annotation, Drawing, svg
from tests.migrations import merged, project, revision
from tests.repositories import Repository

IMAGES = Path(__file__).parents[1] / "docs" / "images"

START = merged(project(), revision("017", None, "orders"), revision("018", "017", "teams"))
MAIN = revision("019", "018", "player_teams")
BRANCH = merged(revision("020", "018", "oauth_accounts"), revision("021", "020", "oauth_tokens"))


class Case(NamedTuple):
    """What main and the branch bring on top of their common start; `seen`: another branch holds those of the branch."""

    main: Mapping[str, str]
    branch: Mapping[str, str] | None
    seen: bool = False


CASES = {
    "re-parent": Case(MAIN, BRANCH),
    "merge": Case(MAIN, BRANCH, seen=True),
    "re-issue": Case(MAIN, merged(revision("019", "018", "oauth_accounts"), revision("020", "019", "oauth_tokens"))),
    "several-heads": Case(
        MAIN, merged(BRANCH, revision("022", "018", "audit_log"), revision("023", "020", "oauth_scopes"))
    ),
    "both-escaped": Case(MAIN, revision("019", "018", "oauth_accounts"), seen=True),
    "fork-on-target": Case(merged(MAIN, BRANCH), None),
}


def diagrams() -> Iterator[tuple[str, str]]:
    """The name of each diagram and its SVG."""
    for name, case in CASES.items():
        with tempfile.TemporaryDirectory() as folder, patch.dict("os.environ", ONEHEAD_CACHE_DIR=f"{folder}/cache"):
            yield name, drawn(Path(folder) / "repo.git", case)


def drawn(place: Path, case: Case) -> str:
    """What a merge would give today, and what it gives with the repair."""
    repo = Repository(place)
    repo.commit("main", START)
    sides = ["--target", "main"]
    if case.branch is not None:
        repo.branch("branch", "main")
        repo.commit("branch", case.branch)
        sides += ["--head", "branch"]
    if case.seen:
        repo.branch("staging", "branch")
    repo.commit("main", case.main)
    with examined(parse(["fix", "--repo", str(place), *sides])) as work:
        [judged] = work.examination.environments
        facts = judged.facts
        repairs = work.repairs()
        after = repairs.promised.get(facts.environment.path) if repairs is not None else None
    drawings = [Drawing("without a repair", facts.merged, _brought(facts))]
    if after is not None:
        drawings.append(Drawing("with the repair", after, _brought(facts), was=facts.merged))
    return svg(drawings)


def _brought(facts: Facts) -> dict[str, Annotation]:
    """Marks on what only the branch has."""
    return (
        {}
        if facts.head is None
        else {id_: Annotation("branch") for id_ in facts.head.revisions if id_ not in facts.target}
    )


if __name__ == "__main__":
    IMAGES.mkdir(exist_ok=True)
    for name, image in diagrams():
        (IMAGES / f"{name}.svg").write_text(image, encoding="utf-8")

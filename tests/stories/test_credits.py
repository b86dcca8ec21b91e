"""Who is said to have brought a side of a fork: whoever wrote it, not whoever merged it."""

from __future__ import annotations

import pytest

from tests.forgejos.fixtures import Apis, WorkCopies
from tests.forgejos.port import Account
from tests.forgejos.workcopy import WorkCopy
from tests.migrations import chain, revision
from tests.stories.colliding import BASE
from tests.stories.conftest import Service


def brought(body: str) -> list[str]:
    """The last column of the table of sides, the target's first."""
    rows = body.partition("| side | revisions | brought by |\n|---|---|---|\n")[2].partition("\n\n")[0].split("\n")
    return [row.split(" | ")[-1].removesuffix(" |") for row in rows]


def bea_writes(service: Service, work_copy: WorkCopies) -> tuple[Account, WorkCopy]:
    """A colleague's branch `teams` with 019, and Ann's pull request with beef."""
    project = service.project
    project.copy.commit(BASE, "Start")
    project.copy.push()
    bea = project.forgejo.admin.create_user("bea")
    project.forgejo.admin.add_collaborator(project.repository, bea, "write")
    hers = work_copy(project.repository, bea)
    hers.branch("teams")
    hers.commit(chain(("019", "018")), "Player teams")
    hers.push()
    project.push_branch("oauth", chain(("beef", "018")))
    return bea, hers


@pytest.mark.parametrize("style", ["merge", "squash", "rebase", "rebase-merge"])
def test_whoever_wrote_it_is_named_and_not_whoever_merged_it(
    service: Service, work_copy: WorkCopies, api_of: Apis, style: str
) -> None:
    project = service.project
    bea, _ = bea_writes(service, work_copy)
    hers = project.open_pull("teams", title="Player teams", by=api_of(bea))["number"]
    mine = project.open_pull("oauth", title="OAuth tokens")["number"]
    project.merge(hers, style)  # by Ann
    service.settle()

    theirs, own = brought(service.verdicts(mine)[0]["body"])
    assert theirs == f"{bea.name.title()} in #{hers}"
    assert own.startswith(f"{project.owner.name.title()} in ")


def test_what_was_merged_without_a_pull_request_is_credited_to_its_own_commit(
    service: Service, work_copy: WorkCopies
) -> None:
    project = service.project
    bea, copy = bea_writes(service, work_copy)
    written = copy.git("rev-parse", "teams")
    mine = project.open_pull("oauth", title="OAuth tokens")["number"]
    project.copy.git("fetch", "-q", "origin")
    project.copy.git("merge", "-q", "--no-ff", "-m", "Merge the teams", "origin/teams")
    project.copy.push()
    service.settle()

    theirs, _ = brought(service.verdicts(mine)[0]["body"])
    assert theirs == f"{bea.name.title()} in {written[:10]}"


def test_what_a_repair_has_renamed_is_credited_to_whoever_wrote_it(
    service: Service, work_copy: WorkCopies, api_of: Apis
) -> None:
    project = service.project
    bea, hers = bea_writes(service, work_copy)
    hers.git("checkout", "-q", "-b", "badges", "main")
    hers.commit(revision("019", "018", "badges"), "Badges, with an id that is taken")
    hers.push()
    teams, badges = (project.open_pull(name, by=api_of(bea))["number"] for name in ("teams", "badges"))
    project.merge(teams)
    service.settle()
    [repair] = [each for each in service.repairs() if each["base"]["ref"] == "badges"]
    assert repair["head"]["ref"] == "onehead/reissue/badges"
    project.merge(repair["number"])
    service.settle()
    project.merge(badges)
    mine = project.open_pull("oauth", title="OAuth tokens")["number"]
    service.settle()

    theirs, own = brought(service.verdicts(mine)[0]["body"])
    assert theirs == f"{bea.name.title()} in #{teams}, {bea.name.title()} in #{badges}"
    assert own.startswith(f"{project.owner.name.title()} in ")

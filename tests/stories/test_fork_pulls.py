"""Pull requests from forks of the repository, whose branches onehead may not push to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import pytest
from alembic.script import ScriptDirectory

from onehead.forge.api import ForgejoApi
from onehead.forge.client import Connection
from tests.forgejos.fixtures import Apis, WorkCopies
from tests.forgejos.workcopy import WorkCopy
from tests.migrations import chain, merged
from tests.stories.colliding import BASE
from tests.stories.conftest import Service


def collide(
    service: Service,
    work_copy: WorkCopies,
    api_of: Apis,
    *,
    edits: bool,
    policy: Mapping[str, str] = MappingProxyType({}),
    target: Mapping[str, str] = MappingProxyType({}),
) -> tuple[int, WorkCopy, str]:
    """A fork's pull request with 020 on 018, and main at 019 with what else it brings to the `target`."""
    project = service.project
    project.copy.commit(merged(BASE, policy), "Start")
    project.copy.push()
    stranger = project.forgejo.admin.create_user("eve")
    fork = project.forgejo.admin.fork(project.repository, stranger)
    theirs = work_copy(fork, stranger)
    theirs.branch("oauth")
    sha = theirs.commit(chain(("020", "018")), "OAuth tokens")
    theirs.push()
    api = api_of(stranger)
    number = project.open_pull(f"{stranger.name}:oauth", title="OAuth tokens", by=api)["number"]
    if edits:
        api.call("PATCH", f"{project.repository.path}/pulls/{number}", {"allow_maintainer_edit": True}, expect=201)
    project.copy.commit(merged(chain(("019", "018")), target), "Player teams")
    project.copy.push()
    service.settle()
    return number, theirs, sha


def test_the_repair_is_laid_ready_as_a_ref_and_as_a_patch(
    service: Service, work_copy: WorkCopies, api_of: Apis, tmp_path: Path
) -> None:
    number, theirs, sha = collide(service, work_copy, api_of, edits=False)
    assert service.status(sha)[0] == "failure"
    assert service.repairs() == []
    ref = f"refs/onehead/reparent/pr-{number}"
    assert service.laid_ready() == [ref]
    assert service.onehead_branches() == []  # a stranger's commits on a branch would run with the secrets of its CI
    [comment] = service.verdicts(number)
    assert f"{ref}`" in comment["body"]

    _, _, rest = comment["body"].partition("The repair as a patch</summary>\n\n```diff\n")
    patch = rest.partition("\n```")[0] + "\n"
    upstream = f"{service.project.forgejo.url}/{service.project.repository.full_name}.git"
    # As the comment says.
    assert f"`git pull --no-rebase {upstream} main`, then `git am` the patch below" in comment["body"]
    theirs.git("pull", "--no-rebase", "--no-edit", upstream, "main")
    (tmp_path / "repair.patch").write_text(patch)
    theirs.git("am", str(tmp_path / "repair.patch"))
    assert ScriptDirectory(theirs.folder / "alembic").get_heads() == ["020"]
    theirs.push()
    service.settle()

    assert "Resolved" in service.verdicts(number)[0]["body"]
    assert service.status(theirs.git("rev-parse", "HEAD").strip())[0] == "success"
    assert service.laid_ready() == []


def test_the_ref_laid_ready_can_be_taken_as_it_is(service: Service, work_copy: WorkCopies, api_of: Apis) -> None:
    number, theirs, _ = collide(service, work_copy, api_of, edits=False)
    upstream = f"{service.project.forgejo.url}/{service.project.repository.full_name}.git"
    theirs.git("pull", "--ff-only", upstream, f"refs/onehead/reparent/pr-{number}")
    theirs.push()
    service.settle()

    assert "Resolved" in service.verdicts(number)[0]["body"]


def test_the_repair_is_pushed_once_somebody_has_asked_for_it(
    service: Service, work_copy: WorkCopies, api_of: Apis
) -> None:
    number, theirs, sha = collide(service, work_copy, api_of, edits=True)
    assert theirs.git("ls-remote", "origin", "refs/heads/oauth").split()[0] == sha
    assert service.laid_ready() == [f"refs/onehead/reparent/pr-{number}"]
    assert "**Next:** comment `/onehead apply`, and onehead pushes the repair" in service.verdicts(number)[0]["body"]

    reply = service.ask(number, "/onehead apply")
    theirs.pull()

    tip = theirs.git("rev-parse", "HEAD")
    assert f"Pushed `{tip[:10]}` onto `oauth`." in reply
    assert "019" in theirs.git("show", "HEAD:alembic/versions/020_t020.py")
    assert "Resolved" in service.verdicts(number)[0]["body"]
    assert service.status(tip)[0] == "success"
    assert service.laid_ready() == []


def test_where_edits_are_not_allowed_apply_says_how_to_allow_them(
    service: Service, work_copy: WorkCopies, api_of: Apis
) -> None:
    number, theirs, sha = collide(service, work_copy, api_of, edits=False)
    author = api_of(theirs.account)

    reply = service.ask(number, "/onehead apply", author)

    said = reply.partition("Nothing was pushed: ")[2].strip()
    assert said == (
        "the branch is in a fork, and its author has not allowed edits. Tick *Allow edits from maintainers* on the "
        "page of this pull request, then write `/onehead apply` once more."
    )
    reply = service.ask(number, "/onehead apply")
    assert "only they can push to it, or tick *Allow edits from maintainers* on this page." in reply
    path = f"{service.project.repository.path}/pulls/{number}"
    author.call("PATCH", path, {"allow_maintainer_edit": True}, expect=201)
    assert "Pushed `" in service.ask(number, "/onehead apply", author)
    assert theirs.git("ls-remote", "origin", "refs/heads/oauth").split()[0] != sha


def test_a_fork_that_is_pushed_to_unasked_is_told_so_first(
    service: Service, work_copy: WorkCopies, api_of: Apis
) -> None:
    number, theirs, _ = collide(service, work_copy, api_of, edits=True, policy={".onehead.toml": 'delivery = "push"\n'})
    theirs.pull()

    tip = theirs.git("rev-parse", "HEAD")
    assert "019" in theirs.git("show", "HEAD:alembic/versions/020_t020.py")
    [comment] = service.verdicts(number)
    _, heading, _, first, *_ = comment["body"].split("\n")
    assert heading == "## :white_check_mark: `oauth` is repaired"
    assert first.startswith(f"**onehead has pushed the repair onto `oauth`: `{tip[:10]}`.**")
    assert "the deploy fails" not in comment["body"]
    assert service.status(theirs.git("rev-parse", "HEAD").strip())[0] == "success"
    assert service.laid_ready() == []


@pytest.mark.slow
def test_a_token_for_named_repositories_lays_ready_what_it_may_not_push(
    service: Service, work_copy: WorkCopies, api_of: Apis
) -> None:
    project, context = service.project, service.context
    context.token = project.forgejo.admin.create_token(
        service.bot.name, ["write:repository", "write:issue"], [project.repository]
    )
    context.bot = service.bot.name
    with ForgejoApi(Connection(project.forgejo.url, context.token)) as context.api:
        pushing = {".onehead.toml": 'delivery = "push"\n'}
        number, theirs, sha = collide(service, work_copy, api_of, edits=True, policy=pushing)

    assert theirs.git("ls-remote", "origin", "refs/heads/oauth").startswith(sha)
    assert service.status(sha)[0] == "failure"
    ref = f"refs/onehead/reparent/pr-{number}"
    assert service.laid_ready() == [ref]
    [comment] = service.verdicts(number)
    assert f"{ref}`" in comment["body"]
    assert "The repair as a patch" in comment["body"]


def test_where_only_a_comment_is_wanted_a_fork_gets_the_patch_and_no_ref(
    service: Service, work_copy: WorkCopies, api_of: Apis
) -> None:
    number, theirs, sha = collide(
        service, work_copy, api_of, edits=True, policy={".onehead.toml": 'delivery = "comment"\n'}
    )

    assert service.project.pull(number)["head"]["sha"] == sha
    assert service.laid_ready() == []
    assert theirs.git("ls-remote", "origin", "refs/heads/oauth").split()[0] == sha
    [comment] = service.verdicts(number)
    assert "The repair as a patch</summary>\n\n```diff\nFrom " in comment["body"]


@pytest.mark.slow
def test_fresh_ids_reach_a_fork_as_a_ref_and_as_a_patch(service: Service, work_copy: WorkCopies, api_of: Apis) -> None:
    number, theirs, _ = collide(service, work_copy, api_of, edits=False, policy={".onehead.toml": "fresh-ids = true\n"})
    ref = f"refs/onehead/reissue/pr-{number}"
    assert service.laid_ready() == [ref]
    [comment] = service.verdicts(number)
    assert f"{ref}`" in comment["body"]
    assert re.search(r"(?m)^-revision\b.*\b020\b", comment["body"])
    upstream = f"{service.project.forgejo.url}/{service.project.repository.full_name}.git"
    theirs.git("pull", "--ff-only", upstream, ref)
    theirs.push()
    service.settle()

    [head] = ScriptDirectory(theirs.folder / "alembic").get_heads()
    assert head not in ("019", "020")
    assert "Resolved" in service.verdicts(number)[0]["body"]
    assert service.laid_ready() == []


def test_a_fork_that_is_deleted_closes_its_pull_request_and_leaves_nothing_behind(
    service: Service, work_copy: WorkCopies, api_of: Apis
) -> None:
    number, _, _ = collide(service, work_copy, api_of, edits=False)
    assert service.laid_ready() == [f"refs/onehead/reparent/pr-{number}"]
    author = service.project.pull(number)["user"]["login"]
    fork = service.project.pull(number)["head"]["repo"]["name"]
    service.project.forgejo.admin.api.call("DELETE", f"/repos/{author}/{fork}", expect=204)
    service.project.forgejo.wait_until_quiet()
    service.settle()

    assert service.project.pull(number)["state"] == "closed"
    assert service.laid_ready() == []
    assert "is closed" in service.verdicts(number)[0]["body"]


@pytest.mark.slow
def test_a_closed_pull_request_from_a_fork_leaves_nothing_behind(
    service: Service, work_copy: WorkCopies, api_of: Apis
) -> None:
    number, _, _ = collide(service, work_copy, api_of, edits=False)
    service.project.close_pull(number)
    service.settle()

    assert service.laid_ready() == []
    assert "is closed" in service.verdicts(number)[0]["body"]

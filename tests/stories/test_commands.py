"""Commands in the comments of a pull request: who may ask for what, and the one reply that answers."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from onehead.commands import COMMANDS, usage
from onehead.forge.api import ForgejoApi
from onehead.forge.errors import Forbidden
from onehead.forge.models import RepositoryName
from onehead.gitrepo.mirror import Mirror
from onehead.gitrepo.remote import PushOutcome, RefUpdate
from onehead.service.engine import CommandGiven, Everything, Job
from onehead.service.troubles import Unfinished
from tests.forgejos.administration import Api
from tests.forgejos.fixtures import Apis, WorkCopies
from tests.forgejos.port import Account, eventually
from tests.migrations import chain, merged, revision
from tests.stories.colliding import BASE, collide
from tests.stories.conftest import Service


def person(service: Service, api_of: Apis, permission: str = "") -> tuple[Account, Api]:
    """Somebody; without a permission a stranger, who may read what is public."""
    admin = service.project.forgejo.admin
    account = admin.create_user("max")
    if permission:
        admin.add_collaborator(service.project.repository, account, permission)
    return account, api_of(account)


def repair_branch(service: Service) -> str:
    [repair] = service.repairs()
    return str(repair["head"]["ref"])


def test_one_reply_answers_every_command_of_a_comment_and_nothing_else(service: Service, api_of: Apis) -> None:
    number, sha = collide(service)
    _, stranger = person(service, api_of)
    said = service.say(
        number,
        "I think:\n/onehead help\n\n> /onehead apply\n\n```\n/onehead ignore\n```\n\n<!-- /onehead merge -->\n"
        "- /onehead check\n- /OneHead explain\n\n/onehead doctor `020`\n/onehead reparant",
        stranger,
    )
    service.settle()

    assert service.reactions(said) == ["eyes"]
    [reply] = service.answers(number)
    asked = [line for line in reply.split("\n") if line.startswith("**`/onehead")]
    assert asked == [f"**`/onehead {words}`**" for words in ("help", "check", "explain", "doctor 020", "reparant")]
    assert all(f"| `{usage(verb)}` | {kind.meaning} | {kind.who} |" in reply for verb, kind in COMMANDS.items())
    assert "Judged again: Once merged, the chain forks after 018: 2 heads (019 and 020); 020 is the new one." in reply
    assert "`020` exists on no other branch or tag" in reply
    assert "- **error** `unknown-row`: No file of main declares 020" in reply
    assert f"020 is on branch oauth and pull request &#35;&#8203;{number}: that was run" in reply
    assert f"See #{number}.\n" in reply
    assert "There is no such command. Did you mean `/onehead reparent`?" in reply
    # What was only quoted or shown was not done.
    assert service.status(sha)[0] == "failure"
    assert repair_branch(service) == "onehead/reparent/oauth"
    assert len(service.verdicts(number)) == 1


@pytest.mark.slow
def test_the_other_repair_is_chosen_kept_and_taken_back(service: Service) -> None:
    number, _ = collide(service, policy='strategy = "merge"\n')
    assert repair_branch(service) == "onehead/merge/oauth"

    reply = service.ask(number, "/onehead reparent")
    assert "A database at `020` would never run `019`, without any error." in reply
    assert "`/onehead auto` undoes this." in reply
    assert repair_branch(service) == "onehead/reparent/oauth"
    assert service.onehead_branches() == ["onehead/reparent/oauth"]

    copy = service.project.copy
    copy.commit(chain(("0195", "019")), "Main moves on")
    copy.push()
    service.settle()
    assert repair_branch(service) == "onehead/reparent/oauth"

    reply = service.ask(number, "/onehead auto")
    assert "The repository's policy chooses the repair again." in reply
    assert repair_branch(service) == "onehead/merge/oauth"

    reply = service.ask(number, "/onehead merge")
    assert "right for every database. What it costs:" in reply
    assert '`alembic downgrade -1` stops at the merge with "Ambiguous walk"' in reply
    assert repair_branch(service) == "onehead/merge/oauth"
    assert len(service.verdicts(number)) == 1


def test_apply_pushes_the_repair_onto_the_branch_forward_only(service: Service, api_of: Apis) -> None:
    number, sha = collide(service)
    [repair] = service.repairs()
    _, maintainer = person(service, api_of, "write")

    reply = service.ask(number, "/onehead apply", maintainer)
    assert "If a database of yours has run the branch, type `alembic downgrade 018` **before** you pull." in reply

    tip = service.project.pull(number)["head"]["sha"]
    assert f"Pushed `{tip[:10]}` onto `oauth`." in reply
    copy = service.project.copy
    copy.git("fetch", "origin")
    copy.git("merge-base", "--is-ancestor", sha, tip)
    assert 'down_revision: Union[str, Sequence[str], None] = "019"' in copy.git(
        "show", f"{tip}:alembic/versions/020_t020.py"
    )
    assert service.status(tip)[0] == "success"
    [verdict] = service.verdicts(number)
    assert "Repaired" in verdict["body"]
    assert f"The commits of #{repair['number']} are in." in verdict["body"]
    assert service.repairs() == []
    assert service.closing_words(repair["number"])
    assert service.onehead_branches() == []

    again = service.ask(number, "/onehead apply", maintainer)
    assert "There is nothing to repair: One head." in again
    assert service.project.pull(number)["head"]["sha"] == tip


def test_what_a_reader_may_not_do_is_refused_in_words_and_not_done(service: Service, api_of: Apis) -> None:
    number, sha = collide(service)
    account, reader = person(service, api_of, "read")
    before = service.project.pull(number)["head"]["sha"]

    reply = service.ask(
        number,
        "/onehead merge\n/onehead reparent\n/onehead auto\n/onehead apply\n/onehead ignore\n/onehead unignore",
        reader,
    )

    assert reply.count(f"and {account.name} may not. Nothing was done.") == 6
    assert "Only whoever may push to the branch can do that" in reply
    assert service.project.pull(number)["head"]["sha"] == before
    assert service.status(sha)[0] == "failure"
    assert repair_branch(service) == "onehead/reparent/oauth"


@pytest.mark.slow
def test_a_maintainer_decides_and_so_does_the_author_without_rights(
    service: Service, api_of: Apis, work_copy: WorkCopies
) -> None:
    project = service.project
    project.copy.commit(BASE, "Start")
    project.copy.push()
    author, api = person(service, api_of)
    fork = project.forgejo.admin.fork(project.repository, author)
    theirs = work_copy(fork, author)
    theirs.branch("oauth")
    sha = theirs.commit(chain(("020", "018")), "OAuth tokens")
    theirs.push()
    number = project.open_pull(f"{author.name}:oauth", title="OAuth tokens", by=api)["number"]
    project.copy.commit(chain(("019", "018")), "Player teams")
    project.copy.push()
    service.settle()
    assert service.laid_ready() == [f"refs/onehead/reparent/pr-{number}"]

    reply = service.ask(number, "/onehead merge\n/onehead ignore", api)
    assert "The repair is a merge revision now" in reply
    assert "Only whoever may push to the repository can do that" in reply
    assert service.laid_ready() == [f"refs/onehead/merge/pr-{number}"]
    assert service.status(sha)[0] == "failure"

    _, maintainer = person(service, api_of, "write")
    reply = service.ask(number, "/onehead apply\n/onehead ignore the fork is gone on Monday", maintainer)
    assert "only they can push to it" in reply
    assert "The check is green now" in reply
    assert service.status(sha)[0] == "success"


@pytest.mark.slow
def test_ignored_until_something_new_goes_wrong_or_it_is_taken_back(service: Service) -> None:
    number, sha = collide(service)

    reply = service.ask(number, "/onehead ignore we merge the heads by hand")
    assert "**`/onehead ignore we merge the heads by hand`**" in reply
    state, description = service.status(sha)
    assert (state, description.split(".")[0]) == ("success", f"Ignored by {service.project.owner.name}")
    [verdict] = service.verdicts(number)
    assert "has accepted this: we merge the heads by hand." in verdict["body"]
    assert service.repairs() == []
    assert service.onehead_branches() == []

    # The target alone moves on: nothing new.
    copy = service.project.copy
    copy.commit(chain(("0195", "019")), "Main moves on")
    copy.push()
    service.settle()
    assert service.status(sha)[0] == "success"

    copy.switch("oauth")
    worse = copy.commit(chain(("022", "021")), "A revision without its parent")
    copy.push()
    copy.switch("main")
    service.settle()
    assert service.status(worse)[0] == "failure"

    copy.git("push", "--force", "origin", f"{sha}:refs/heads/oauth")
    service.settle()
    assert service.status(sha)[0] == "success"
    service.ask(number, "/onehead unignore")
    assert service.status(sha)[0] == "failure"
    assert repair_branch(service) == "onehead/reparent/oauth"


@pytest.mark.slow
def test_what_onehead_writes_is_no_command(service: Service, api_of: Apis) -> None:
    number, _ = collide(service)
    said = service.say(number, "/onehead merge", api_of(service.bot))
    service.settle()
    service.sweep()

    assert service.answers(number) == []
    assert service.reactions(said) == []
    assert repair_branch(service) == "onehead/reparent/oauth"


@pytest.mark.slow
def test_an_answered_comment_does_nothing_when_it_is_edited_and_another_does_when_it_gets_its_first_command(
    service: Service,
) -> None:
    number, _ = collide(service)
    said = service.say(number, "/onehead check")
    service.settle()
    [first] = service.answers(number)
    service.edit(said, "/onehead check\n/onehead merge")
    service.settle()
    service.sweep()
    assert service.answers(number) == [first]
    assert repair_branch(service) == "onehead/reparent/oauth"

    talk = service.say(number, "Which of the two?")
    service.settle()
    assert service.answers(number) == [first]
    service.edit(talk, "Which of the two?\n\n/onehead merge")
    service.settle()
    [_, second] = service.answers(number)
    assert "The repair is a merge revision now" in second
    assert service.reactions(talk) == ["eyes"]
    assert repair_branch(service) == "onehead/merge/oauth"

    service.edit(talk, "Which of the two?\n\n/onehead merge\n")
    service.settle()
    assert service.answers(number) == [first, second]


@pytest.mark.slow
def test_a_command_of_which_no_webhook_told_is_answered_by_the_sweep_once(service: Service) -> None:
    number, _ = collide(service)
    service.project.forgejo.lose_webhooks(True)
    service.say(number, "/onehead merge")
    service.project.forgejo.wait_until_quiet()
    service.project.forgejo.lose_webhooks(False)
    assert service.answers(number) == []

    service.sweep()
    [reply] = service.answers(number)
    assert "The repair is a merge revision now" in reply
    assert repair_branch(service) == "onehead/merge/oauth"
    service.sweep()
    assert service.answers(number) == [reply]


@pytest.mark.slow
def test_webhook_and_sweep_together_answer_a_command_once(service: Service, api_of: Apis) -> None:
    number, _ = collide(service)
    _, maintainer = person(service, api_of, "write")
    name = service.project.repository.full_name
    for _ in range(3):
        service.engine.submit(Job(name, frozenset({Everything()})))
        said = service.say(number, "/onehead merge", maintainer)
        service.engine.submit(Job(name, frozenset({Everything(), CommandGiven(said, number)})))
    service.settle()
    service.sweep()

    replies = service.answers(number)
    assert len(replies) == 3
    assert all("The repair is a merge revision now" in reply for reply in replies)


@pytest.mark.slow
def test_who_is_not_known_yet_is_answered_again_in_the_same_reply_once_the_webhook_tells(
    service: Service, api_of: Apis
) -> None:
    number, _ = collide(service)
    _, maintainer = person(service, api_of, "write")
    service.project.forgejo.lose_webhooks(True)
    said = service.say(number, "/onehead merge", maintainer)
    service.project.forgejo.wait_until_quiet()
    service.project.forgejo.lose_webhooks(False)

    # The bot is no admin, so nobody but the webhook can tell it what the maintainer may do.
    service.sweep()
    [reply] = service.answers(number)
    assert "onehead does not know yet whether you may push here" in reply
    service.sweep()
    assert service.answers(number) == [reply]
    assert repair_branch(service) == "onehead/reparent/oauth"

    service.edit(said, "/onehead merge ", maintainer)
    service.settle()
    [reply] = service.answers(number)
    assert "The repair is a merge revision now" in reply
    assert repair_branch(service) == "onehead/merge/oauth"


@pytest.mark.slow
def test_a_command_put_into_somebody_elses_mouth_is_not_theirs_to_give(service: Service, api_of: Apis) -> None:
    number, _ = collide(service)
    _, reader = person(service, api_of, "read")
    said = service.say(number, "I have no idea.", reader)
    service.edit(said, "I have no idea.\n\n/onehead merge")  # by the owner
    service.settle()

    [reply] = service.answers(number)
    assert "onehead does not know yet whether you may push here" in reply
    assert repair_branch(service) == "onehead/reparent/oauth"


@pytest.mark.slow
def test_a_page_that_can_not_be_written_on_is_answered_once_it_can(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as a locked one: Forgejo refuses the reaction, which comes before anything is done."""
    number, sha = collide(service)
    react = ForgejoApi.react_to_comment

    def locked(_api: ForgejoApi, _name: RepositoryName, _comment: int, _reaction: str) -> bool:
        raise Forbidden("Forgejo refused the reaction: no permission.", "Unlock the page.")

    monkeypatch.setattr(ForgejoApi, "react_to_comment", locked)
    service.say(number, "/onehead apply")
    eventually(lambda: service.runs)
    with pytest.raises(Unfinished, match="a command could not be answered"):
        service.tell_everything()
    assert service.answers(number) == []
    assert service.project.pull(number)["head"]["sha"] == sha
    state, text = service.status(sha)
    assert state == "failure"
    assert "A command could not be answered: Forgejo gave no usable answer" in text

    monkeypatch.setattr(ForgejoApi, "react_to_comment", react)
    service.sweep()
    [reply] = service.answers(number)
    assert "Pushed" in reply


@pytest.mark.slow
def test_an_admin_bot_asks_the_forge_what_the_author_may_do(service: Service, api_of: Apis) -> None:
    number, _ = collide(service)
    project = service.project
    project.forgejo.admin.add_collaborator(project.repository, service.bot, "admin")
    _, maintainer = person(service, api_of, "write")
    _, reader = person(service, api_of, "read")
    project.forgejo.lose_webhooks(True)
    service.say(number, "/onehead ignore", reader)
    service.say(number, "/onehead merge", maintainer)
    project.forgejo.wait_until_quiet()
    project.forgejo.lose_webhooks(False)
    service.sweep()

    refused, done = service.answers(number)
    assert "may not. Nothing was done." in refused
    assert "The repair is a merge revision now" in done


@pytest.mark.slow
def test_apply_loses_to_whoever_pushes_at_the_same_moment(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    number, _ = collide(service)
    copy = service.project.copy
    copy.switch("oauth")
    push = Mirror.push
    theirs: list[str] = []

    def late(mirror: Mirror, updates: Sequence[RefUpdate], elsewhere: str | None = None) -> list[PushOutcome]:
        if not theirs and updates[0].ref == "refs/heads/oauth":
            theirs.append(copy.commit(chain(("021", "020")), "More tokens"))
            copy.push()
        return push(mirror, updates, elsewhere)

    monkeypatch.setattr(Mirror, "push", late)
    reply = service.ask(number, "/onehead apply")

    assert "Nothing was pushed: the forge did not take the push onto `oauth`" in reply
    assert service.project.pull(number)["head"]["sha"] == theirs[0]
    # What came first was judged next, and has a repair of its own.
    assert service.status(theirs[0])[0] == "failure"
    assert "`021`" in service.verdicts(number)[0]["body"]


def test_an_id_that_is_there_twice_is_mended_in_one_way_only(service: Service) -> None:
    copy = service.project.copy
    copy.commit(BASE, "Start")
    copy.push()
    service.project.push_branch("oauth", revision("019", "018", "badges"))
    number = service.project.open_pull("oauth", title="Badges")["number"]
    copy.commit(chain(("019", "018")), "Player teams")
    copy.push()
    service.settle()
    assert repair_branch(service) == "onehead/reissue/oauth"

    reply = service.ask(number, "/onehead merge")
    assert "Only a new id repairs an id that is there twice, not a merge or a re-parent" in reply
    assert repair_branch(service) == "onehead/reissue/oauth"


def test_apply_pushes_nothing_where_git_can_not_merge_by_itself(service: Service) -> None:
    copy = service.project.copy
    copy.commit(merged(BASE, {"notes.txt": "a\n"}), "Start")
    copy.push()
    sha = service.project.push_branch("oauth", merged(chain(("020", "018")), {"notes.txt": "b\n"}))
    number = service.project.open_pull("oauth", title="OAuth tokens")["number"]
    copy.commit(merged(chain(("019", "018")), {"notes.txt": "c\n"}), "Player teams")
    copy.push()
    service.settle()

    reply = service.ask(number, "/onehead apply")
    assert "Nothing was pushed: merge `main` into this branch by hand first (git can't merge `notes.txt`" in reply
    assert service.project.pull(number)["head"]["sha"] == sha


@pytest.mark.slow
def test_a_protected_branch_is_not_pushed_to(service: Service) -> None:
    number, sha = collide(service)
    rule = {"rule_name": "oauth", "enable_push": False}
    path = f"{service.project.repository.path}/branch_protections"
    service.project.api.call("POST", path, rule, expect=201)

    reply = service.ask(number, "/onehead apply")

    assert "`oauth` is protected" in reply
    assert "merge the repair pull request instead" in reply
    assert service.project.pull(number)["head"]["sha"] == sha


def test_a_closed_pull_request_is_explained_and_not_repaired(service: Service) -> None:
    number, _ = collide(service)
    service.project.close_pull(number)
    service.settle()

    reply = service.ask(number, "/onehead apply\n/onehead merge\n/onehead explain\n/onehead doctor 019")

    assert "`/onehead apply` makes sense only in an open pull request." in reply
    assert "`/onehead merge` makes sense only in an open pull request." in reply
    assert "**`main` is at one head, `019`.**" in reply
    assert "`alembic upgrade head` has nothing to do." in reply
    assert service.repairs() == []


def test_in_an_archived_repository_nothing_is_said(service: Service) -> None:
    number, _ = collide(service)
    project = service.project
    project.forgejo.lose_webhooks(True)
    service.say(number, "/onehead help")
    project.forgejo.wait_until_quiet()
    project.forgejo.lose_webhooks(False)
    project.api.call("PATCH", project.repository.path, {"archived": True}, expect=200)
    service.sweep()
    assert service.answers(number) == []

    project.api.call("PATCH", project.repository.path, {"archived": False}, expect=200)
    service.sweep()
    assert len(service.answers(number)) == 1

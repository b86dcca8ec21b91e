"""What the bot wants: written once, repeated for nothing, healed where it was half done."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
import respx

from onehead.forge.api import ForgejoApi
from onehead.forge.errors import Forbidden, NotFound, StateConflict
from onehead.forge.intents import ForgeWriter, Marker, Write, WriteKind, mark
from onehead.forge.models import Fields, RepositoryName, Status, User, pull_request
from tests.forge.swagger_samples import definition

REPO = RepositoryName("courtside", "basketball-api")
R = "/repos/courtside/basketball-api"
BOT = User(9, "onehead")
ALICE = User(3, "alice")
SHA = "ae892699b97c793cb231ec1bcd44e69122111b53"
HEAD = "onehead/reparent/oauth"
VERDICT = Marker("verdict", facts={"head": "abc"})


def requests(forge: respx.MockRouter) -> list[str]:
    """Method and path of all that was sent, in order."""
    return [
        f"{call.request.method} {call.request.url.path.removeprefix('/api/v1' + R)}".rstrip() for call in forge.calls
    ]


def sent(forge: respx.MockRouter) -> Any:
    return json.loads(forge.calls.last.request.content)


def pull(number: int = 5, *, head: str = HEAD, fork: bool = False, **changes: Any) -> dict[str, Any]:
    made = definition("PullRequest", number=number, title="Repair", body="why", state="open", merged=False, draft=False)
    made["head"] |= {"ref": head, "sha": SHA}
    made["base"] |= {"ref": "main"}
    if fork:
        made["head"]["repo"] = made["head"]["repo"] | {"id": 77}
    return made | changes


def comment(number: int, body: str, author: User = BOT) -> dict[str, Any]:
    user = definition("User", id=author.id, login=author.login)
    return definition("Comment", id=number, body=body, user=user)


def writer(api: ForgejoApi) -> ForgeWriter:
    return ForgeWriter(api, REPO, BOT)


def ensure(
    api: ForgejoApi, title: str = "Repair", body: str = "why", known: dict[str, Any] | None = None
) -> tuple[int, bool]:
    there = None if known is None else pull_request(Fields(known, "pull"))
    found, written = writer(api).ensure_pull(head=HEAD, base="main", title=title, body=body, known=there)
    return found.number, written


class TestPull:
    def test_is_made_where_there_is_none(self, api: ForgejoApi, forge: respx.MockRouter) -> None:
        forge.post(f"{R}/pulls").respond(201, json=pull())
        assert ensure(api) == (5, True)
        assert sent(forge) == {"head": HEAD, "base": "main", "title": "Repair", "body": "why"}

    def test_is_not_looked_for_where_it_is_known(self, api: ForgejoApi, forge: respx.MockRouter) -> None:
        assert ensure(api, known=pull(7)) == (7, False)
        assert requests(forge) == []

    @pytest.mark.parametrize(
        ("title", "body", "fields"),
        [
            ("Other", "why", {"title": "Other"}),
            ("Repair", "because", {"body": "because"}),
            ("Other", "because", {"title": "Other", "body": "because"}),
        ],
    )
    def test_is_edited_where_it_differs(
        self, title: str, body: str, fields: dict[str, str], api: ForgejoApi, forge: respx.MockRouter
    ) -> None:
        forge.patch(f"{R}/pulls/5").respond(201, json=pull(title=title, body=body))
        assert ensure(api, title, body, known=pull()) == (5, True)
        assert sent(forge) == fields

    def test_that_a_person_holds_back_stays_held_back(self, api: ForgejoApi) -> None:
        assert ensure(api, known=pull(title="WIP: Repair", draft=True)) == (5, False)

    def test_one_that_was_opened_meanwhile_is_found_in_the_list(self, api: ForgejoApi, forge: respx.MockRouter) -> None:
        forge.post(f"{R}/pulls").respond(409, json={"message": "pull request already exists for these targets"})
        others = [pull(3, head="other"), pull(4, fork=True), pull(7)]
        forge.get(f"{R}/pulls").respond(json=others, headers={"X-Total-Count": "3"})
        assert ensure(api) == (7, False)
        assert requests(forge) == ["POST /pulls", "GET /pulls"]

    def test_conflict_without_an_open_one_is_told(self, api: ForgejoApi, forge: respx.MockRouter) -> None:
        forge.post(f"{R}/pulls").respond(409, json={"message": "exists"})
        forge.get(f"{R}/pulls").respond(json=[], headers={"X-Total-Count": "0"})
        with pytest.raises(StateConflict, match="exists"):
            ensure(api)

    def test_branch_that_forgejo_does_not_know_yet(
        self, api: ForgejoApi, forge: respx.MockRouter, naps: list[float]
    ) -> None:
        unknown = httpx.Response(404, json={"message": "The target couldn't be found."})
        forge.post(f"{R}/pulls").side_effect = [unknown, unknown, httpx.Response(201, json=pull())]
        assert ensure(api) == (5, True)
        assert naps == [0.3, 0.6]

    def test_patience_ends(self, api: ForgejoApi, forge: respx.MockRouter, naps: list[float]) -> None:
        create = forge.post(f"{R}/pulls").respond(404, json={"message": "The target couldn't be found."})
        with pytest.raises(NotFound, match="The target couldn't be found"):
            ensure(api)
        assert (create.call_count, naps) == (5, [0.3, 0.6, 1.2, 2.4])

    def test_long_title_is_cut_as_forgejo_would(self, api: ForgejoApi, forge: respx.MockRouter) -> None:
        forge.post(f"{R}/pulls").respond(201, json=pull())
        ensure(api, "ä " * 200)
        title = sent(forge)["title"]
        assert title.endswith("ä…")
        assert 250 <= len(title.encode()) <= 255
        assert ensure(api, "ä " * 200, known=pull(title=title)) == (5, False)

    def test_label_that_the_repository_lacks_is_asked_for_once(self, api: ForgejoApi, forge: respx.MockRouter) -> None:
        forge.post(f"{R}/pulls").respond(201, json=pull())
        labels = forge.post(f"{R}/issues/5/labels")
        labels.side_effect = [
            httpx.Response(200, json=[definition("Label", name="onehead")]),
            httpx.Response(200, json=[definition("Label", name="bug")]),
        ]
        ours = writer(api)
        for _ in range(4):
            ours.ensure_pull(head=HEAD, base="main", title="Repair", body="why", label="onehead")
        assert labels.call_count == 2


class TestClosing:
    def close(self, api: ForgejoApi) -> bool:
        return writer(api).close_pull(5, marker=Marker("closed"), reason="Not needed any more.")

    def test_says_why_before_it_closes(self, api: ForgejoApi, forge: respx.MockRouter) -> None:
        forge.get(f"{R}/pulls/5").respond(json=pull())
        forge.get(f"{R}/issues/5/comments").respond(json=[])
        said = forge.post(f"{R}/issues/5/comments").respond(201, json=comment(1, "x"))
        forge.patch(f"{R}/pulls/5").respond(201, json=pull(state="closed"))
        assert self.close(api) is True
        assert requests(forge)[-3:] == ["POST /issues/5/comments", "GET /issues/5/comments", "PATCH /pulls/5"]
        assert sent(forge) == {"state": "closed"}
        body = json.loads(said.calls.last.request.content)["body"]
        assert body == "<!-- onehead:closed v1 {} -->\nNot needed any more."

    def test_half_done_is_finished_without_saying_it_twice(self, api: ForgejoApi, forge: respx.MockRouter) -> None:
        forge.get(f"{R}/pulls/5").respond(json=pull())
        said = comment(1, mark(Marker("closed"), "Not needed any more."))
        forge.get(f"{R}/issues/5/comments").respond(json=[said])
        forge.patch(f"{R}/pulls/5").respond(201, json=pull(state="closed"))
        assert self.close(api) is True
        assert requests(forge) == ["GET /pulls/5", "GET /issues/5/comments", "PATCH /pulls/5"]

    def test_closed_one_is_left_alone(self, api: ForgejoApi, forge: respx.MockRouter) -> None:
        forge.get(f"{R}/pulls/5").respond(json=pull(state="closed"))
        assert self.close(api) is False
        assert requests(forge) == ["GET /pulls/5"]


class TestComment:
    where = f"{R}/issues/23/comments"

    def say(self, api: ForgejoApi, text: str = "One head.") -> tuple[int, bool]:
        found, written = writer(api).ensure_comment(23, marker=VERDICT, text=text)
        return found.id, written

    def test_is_posted_with_its_marker(self, api: ForgejoApi, forge: respx.MockRouter) -> None:
        forge.get(self.where).respond(json=[comment(1, "hello", ALICE)])
        forge.post(self.where).respond(201, json=comment(2, "x"))
        assert self.say(api) == (2, True)
        assert requests(forge) == ["GET /issues/23/comments", "POST /issues/23/comments", "GET /issues/23/comments"]
        assert json.loads(forge.calls[1].request.content) == {
            "body": '<!-- onehead:verdict v1 {"head":"abc"} -->\nOne head.'
        }

    def test_of_two_made_at_the_same_moment_the_older_stays(self, api: ForgejoApi, forge: respx.MockRouter) -> None:
        ours = mark(VERDICT, "One head.")
        forge.get(self.where).mock(
            side_effect=[
                httpx.Response(200, json=[]),
                httpx.Response(200, json=[comment(2, ours), comment(3, ours)]),
            ]
        )
        forge.post(self.where).respond(201, json=comment(3, ours))
        gone = forge.delete(f"{R}/issues/comments/3").respond(204)
        assert self.say(api) == (2, True)
        assert gone.called

    def test_same_again_writes_nothing(self, api: ForgejoApi, forge: respx.MockRouter) -> None:
        forge.get(self.where).respond(json=[comment(2, mark(VERDICT, "One head."))])
        assert self.say(api) == (2, False)
        assert requests(forge) == ["GET /issues/23/comments"]

    @pytest.mark.parametrize(
        "old", [mark(VERDICT, "Two heads."), mark(Marker("verdict", facts={"head": "old"}), "One head.")]
    )
    def test_other_text_or_fact_is_edited_in_place(self, old: str, api: ForgejoApi, forge: respx.MockRouter) -> None:
        forge.get(self.where).respond(json=[comment(2, old)])
        forge.patch(f"{R}/issues/comments/2").respond(json=comment(2, mark(VERDICT, "One head.")))
        assert self.say(api) == (2, True)
        assert sent(forge) == {"body": mark(VERDICT, "One head.")}

    @pytest.mark.parametrize(
        "other",
        [
            comment(2, mark(VERDICT, "One head."), ALICE),  # copied by somebody
            comment(2, mark(Marker("answer"), "One head.")),
            comment(2, mark(Marker("verdict", "2"), "One head.")),
            comment(2, "> " + mark(VERDICT, "One head.")),
            comment(2, "One head."),
        ],
    )
    def test_what_is_not_ours_is_not_touched(
        self, other: dict[str, Any], api: ForgejoApi, forge: respx.MockRouter
    ) -> None:
        forge.get(self.where).respond(json=[other])
        forge.post(self.where).respond(201, json=comment(3, "x"))
        assert self.say(api) == (3, True)

    def test_doubles_are_removed(self, api: ForgejoApi, forge: respx.MockRouter) -> None:
        forge.get(self.where).respond(json=[comment(number, mark(VERDICT, "One head.")) for number in (2, 4, 6)])
        forge.delete(f"{R}/issues/comments/4").respond(204)
        forge.delete(f"{R}/issues/comments/6").respond(404)
        assert self.say(api) == (2, True)
        assert requests(forge)[1:] == ["DELETE /issues/comments/4", "DELETE /issues/comments/6"]


class TestStatus:
    where = f"{R}/commits/{SHA}/status"

    def say(self, api: ForgejoApi, description: str = "One head.") -> bool:
        return writer(api).set_status(SHA, Status("onehead", "success", description, "http://x.test/"))

    def status(self, **changes: Any) -> dict[str, Any]:
        same = {"context": "onehead", "status": "success", "description": "One head."}
        return definition("CommitStatus", **same, target_url="http://x.test/") | changes

    def latest(self, forge: respx.MockRouter, *statuses: dict[str, Any]) -> None:
        answer = definition("CombinedStatus", statuses=list(statuses) or None)
        forge.get(self.where).respond(json=answer, headers={"X-Total-Count": str(len(statuses))})

    def test_is_set(self, api: ForgejoApi, forge: respx.MockRouter) -> None:
        self.latest(forge)
        forge.post(f"{R}/statuses/{SHA}").respond(201, json=self.status())
        assert self.say(api) is True
        assert sent(forge) == {
            "state": "success",
            "context": "onehead",
            "description": "One head.",
            "target_url": "http://x.test/",
        }

    def test_same_again_writes_nothing(self, api: ForgejoApi, forge: respx.MockRouter) -> None:
        self.latest(forge, self.status(context="ci / tests", status="failure"), self.status())
        assert self.say(api) is False
        assert requests(forge) == [f"GET /commits/{SHA}/status"]

    @pytest.mark.parametrize(
        "change",
        [{"status": "failure"}, {"status": "skipped"}, {"description": "Two"}, {"target_url": ""}, {"context": "x"}],
    )
    def test_any_difference_is_written(self, change: dict[str, str], api: ForgejoApi, forge: respx.MockRouter) -> None:
        self.latest(forge, self.status(**change))
        forge.post(f"{R}/statuses/{SHA}").respond(201, json=self.status())
        assert self.say(api) is True

    def test_long_description_is_cut_after_a_word(self, api: ForgejoApi, forge: respx.MockRouter) -> None:
        self.latest(forge)
        forge.post(f"{R}/statuses/{SHA}").respond(201, json=self.status())
        self.say(api, "sixteen letters. " * 30)
        description = sent(forge)["description"]
        assert description == "sixteen letters. " * 14 + "sixteen letters…"
        self.latest(forge, self.status(description=description))
        assert self.say(api, "sixteen letters. " * 30) is False

    def test_many_contexts_are_searched(self, api: ForgejoApi, forge: respx.MockRouter) -> None:
        pages = {
            "1": [self.status(context=f"ci {number}") for number in range(50)],
            "2": [self.status()],
        }

        def answer(request: httpx.Request) -> httpx.Response:
            combined = definition("CombinedStatus", statuses=pages[request.url.params["page"]])
            return httpx.Response(200, json=combined, headers={"X-Total-Count": "51"})

        forge.get(self.where).mock(side_effect=answer)
        assert self.say(api) is False

    def test_what_can_not_be_read_is_written(self, api: ForgejoApi, forge: respx.MockRouter) -> None:
        forge.get(self.where).respond(404)
        forge.post(f"{R}/statuses/{SHA}").respond(201, json=self.status())
        assert self.say(api) is True

    def test_is_read_once_in_a_run(self, api: ForgejoApi, forge: respx.MockRouter) -> None:
        self.latest(forge, self.status())
        forge.post(f"{R}/statuses/{SHA}").respond(201, json=self.status())
        ours = writer(api)
        red = Status("onehead", "failure", "Two heads.")
        assert [ours.set_status(SHA, red), ours.set_status(SHA, red)] == [True, False]
        assert ours.status(SHA, "onehead") == red
        assert requests(forge) == [f"GET /commits/{SHA}/status", f"POST /statuses/{SHA}"]


class TestBranch:
    where = f"{R}/branches/{HEAD}"

    def test_is_deleted(self, api: ForgejoApi, forge: respx.MockRouter) -> None:
        forge.get(self.where).respond(json=definition("Branch", name=HEAD))
        forge.delete(self.where).respond(204)
        assert writer(api).delete_branch(HEAD) is True

    def test_was_gone_already(self, api: ForgejoApi, forge: respx.MockRouter) -> None:
        forge.get(self.where).respond(404)
        assert writer(api).delete_branch(HEAD) is False
        assert requests(forge) == [f"GET /branches/{HEAD}"]

    def test_goes_in_between(self, api: ForgejoApi, forge: respx.MockRouter) -> None:
        forge.get(self.where).respond(json=definition("Branch", name=HEAD))
        forge.delete(self.where).respond(404)
        assert writer(api).delete_branch(HEAD) is False

    def test_protected_one_is_told(self, api: ForgejoApi, forge: respx.MockRouter) -> None:
        forge.get(self.where).respond(json=definition("Branch", name=HEAD))
        forge.delete(self.where).respond(403, json={"message": "branch protected"})
        with pytest.raises(Forbidden, match="branch protected"):
            writer(api).delete_branch(HEAD)


@pytest.mark.parametrize(("code", "new"), [(201, True), (200, False)])
def test_reaction(code: int, new: bool, api: ForgejoApi, forge: respx.MockRouter) -> None:
    forge.post(f"{R}/issues/comments/91/reactions").respond(code, json=definition("Reaction"))
    assert writer(api).react(91, "eyes") is new
    assert sent(forge) == {"content": "eyes"}


def test_a_dry_run_records_and_writes_nothing(api: ForgejoApi, forge: respx.MockRouter) -> None:
    forge.get(R).respond(json=definition("Repository"))
    forge.get(f"{R}/issues/23/comments").respond(
        json=[comment(number, mark(VERDICT, "Two heads.")) for number in (2, 3)]
    )
    forge.get(f"{R}/issues/5/comments").respond(json=[])
    forge.get(f"{R}/pulls/5").respond(json=pull())
    forge.get(f"{R}/branches/{HEAD}").respond(json=definition("Branch", name=HEAD))
    forge.get(f"{R}/commits/{SHA}/status").respond(json=definition("CombinedStatus", statuses=None))
    told: list[Write] = []
    dry = ForgeWriter(api, REPO, BOT, told.append, dry_run=True)
    made, _ = dry.ensure_pull(head=HEAD, base="main", title="Repair", body="why", label="onehead")
    assert (made.number, made.title, made.head.ref, made.base.ref, made.author) == (0, "Repair", HEAD, "main", BOT)
    edited, _ = dry.ensure_pull(head=HEAD, base="main", title="Other", body="why", known=made)
    assert edited.title == "Other"
    assert dry.ensure_comment(23, marker=VERDICT, text="One head.")[0].body == mark(VERDICT, "One head.")
    assert dry.close_pull(5, marker=Marker("closed"), reason="Not needed.")
    assert dry.reopen_pull(pull_request(Fields(pull(7, state="closed"), "pull"))).is_open
    assert dry.set_status(SHA, Status("onehead", "success", "One head."))
    assert dry.delete_branch(HEAD)
    assert dry.react(91, "eyes")
    assert {call.request.method for call in forge.calls} == {"GET"}
    assert {each.repository for each in told} == {REPO}
    assert [(each.kind, each.where) for each in told] == [
        (WriteKind.OPENED, f"{HEAD} → main"),
        (WriteKind.EDITED, "#0"),
        (WriteKind.COMMENT_DELETED, "3"),
        (WriteKind.COMMENT_EDITED, "2"),
        (WriteKind.COMMENTED, "#5"),
        (WriteKind.CLOSED, "#5"),
        (WriteKind.EDITED, "#7"),
        (WriteKind.STATUS, SHA[:10]),
        (WriteKind.DELETED, HEAD),
        (WriteKind.REACTED, "91"),
    ]

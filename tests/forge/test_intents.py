"""What the bot wants: written once, repeated for nothing, healed where it was half done."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
import respx

from onehead.forge.api import ForgejoApi
from onehead.forge.errors import Forbidden, NotFound, StateConflict
from onehead.forge.intents import (
    Marker,
    close_pull,
    delete_branch,
    ensure_comment,
    ensure_pull,
    ensure_status,
    mark,
    react,
)
from onehead.forge.models import RepositoryName, StatusState, User
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


def ensure(api: ForgejoApi, title: str = "Repair", body: str = "why") -> tuple[int, bool]:
    found, written = ensure_pull(api, REPO, head=HEAD, base="main", title=title, body=body)
    return found.number, written


class TestPull:
    between = f"{R}/pulls/main/{HEAD}"

    def test_is_made_where_there_is_none(self, api: ForgejoApi, forge: respx.MockRouter) -> None:
        forge.get(self.between).respond(404)
        forge.post(f"{R}/pulls").respond(201, json=pull())
        assert ensure(api) == (5, True)
        assert sent(forge) == {"head": HEAD, "base": "main", "title": "Repair", "body": "why"}

    def test_is_not_looked_for_where_it_is_known(self, api: ForgejoApi, forge: respx.MockRouter) -> None:
        forge.get(f"{R}/pulls/7").respond(json=pull(7))
        known = api.pull(REPO, 7)
        found, written = ensure_pull(api, REPO, head=HEAD, base="main", title="Repair", body="why", known=known)
        assert (found, written) == (known, False)
        assert requests(forge) == ["GET /pulls/7"]

    def test_is_left_alone_where_it_says_the_same(self, api: ForgejoApi, forge: respx.MockRouter) -> None:
        forge.get(self.between).respond(json=pull())
        assert ensure(api) == (5, False)
        assert requests(forge) == [f"GET /pulls/main/{HEAD}"]

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
        forge.get(self.between).respond(json=pull())
        forge.patch(f"{R}/pulls/5").respond(201, json=pull(title=title, body=body))
        assert ensure(api, title, body) == (5, True)
        assert sent(forge) == fields

    def test_that_a_person_holds_back_stays_held_back(self, api: ForgejoApi, forge: respx.MockRouter) -> None:
        forge.get(self.between).respond(json=pull(title="WIP: Repair", draft=True))
        assert ensure(api) == (5, False)

    def test_old_closed_one_is_not_taken_for_it(self, api: ForgejoApi, forge: respx.MockRouter) -> None:
        forge.get(self.between).respond(json=pull(2, state="closed"))
        forge.post(f"{R}/pulls").respond(201, json=pull(6))
        assert ensure(api) == (6, True)

    def test_is_found_in_the_list_when_a_closed_one_hides_it(self, api: ForgejoApi, forge: respx.MockRouter) -> None:
        forge.get(self.between).respond(json=pull(2, state="closed", merged=True))
        forge.post(f"{R}/pulls").respond(409, json={"message": "pull request already exists for these targets"})
        others = [pull(3, head="other"), pull(4, fork=True), pull(7)]
        forge.get(f"{R}/pulls").respond(json=others, headers={"X-Total-Count": "3"})
        assert ensure(api) == (7, False)
        assert requests(forge) == [f"GET /pulls/main/{HEAD}", "POST /pulls", "GET /pulls"]

    def test_conflict_without_an_open_one_is_told(self, api: ForgejoApi, forge: respx.MockRouter) -> None:
        forge.get(self.between).respond(404)
        forge.post(f"{R}/pulls").respond(409, json={"message": "exists"})
        forge.get(f"{R}/pulls").respond(json=[], headers={"X-Total-Count": "0"})
        with pytest.raises(StateConflict, match="exists"):
            ensure(api)

    def test_branch_that_forgejo_does_not_know_yet(
        self, api: ForgejoApi, forge: respx.MockRouter, naps: list[float]
    ) -> None:
        forge.get(self.between).respond(404)
        unknown = httpx.Response(404, json={"message": "The target couldn't be found."})
        forge.post(f"{R}/pulls").side_effect = [unknown, unknown, httpx.Response(201, json=pull())]
        assert ensure(api) == (5, True)
        assert naps == [0.3, 0.6]

    def test_patience_ends(self, api: ForgejoApi, forge: respx.MockRouter, naps: list[float]) -> None:
        forge.get(self.between).respond(404)
        create = forge.post(f"{R}/pulls").respond(404, json={"message": "The target couldn't be found."})
        with pytest.raises(NotFound, match="The target couldn't be found"):
            ensure(api)
        assert (create.call_count, naps) == (5, [0.3, 0.6, 1.2, 2.4])

    def test_long_title_is_cut_as_forgejo_would(self, api: ForgejoApi, forge: respx.MockRouter) -> None:
        forge.get(self.between).respond(404)
        forge.post(f"{R}/pulls").respond(201, json=pull())
        ensure(api, "ä " * 200)
        title = sent(forge)["title"]
        assert title.endswith("ä…")
        assert 250 <= len(title.encode()) <= 255
        forge.get(self.between).respond(json=pull(title=title))
        assert ensure(api, "ä " * 200) == (5, False)


class TestClosing:
    def close(self, api: ForgejoApi) -> bool:
        return close_pull(api, REPO, 5, marker=Marker("closed"), reason="Not needed any more.", author=BOT)

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
        found, written = ensure_comment(api, REPO, 23, marker=VERDICT, text=text, author=BOT)
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

    def say(self, api: ForgejoApi, description: str = "One head.", url: str = "http://x.test/") -> tuple[int, bool]:
        found, written = ensure_status(
            api, REPO, SHA, context="onehead", state=StatusState.SUCCESS, description=description, target_url=url
        )
        return found.id, written

    def status(self, **changes: Any) -> dict[str, Any]:
        same = {"id": 8, "context": "onehead", "status": "success", "description": "One head."}
        return definition("CommitStatus", **same, target_url="http://x.test/") | changes

    def latest(self, forge: respx.MockRouter, *statuses: dict[str, Any]) -> None:
        answer = definition("CombinedStatus", statuses=list(statuses) or None)
        forge.get(self.where).respond(json=answer, headers={"X-Total-Count": str(len(statuses))})

    def test_is_set(self, api: ForgejoApi, forge: respx.MockRouter) -> None:
        self.latest(forge)
        forge.post(f"{R}/statuses/{SHA}").respond(201, json=self.status(id=9))
        assert self.say(api) == (9, True)
        assert sent(forge) == {
            "state": "success",
            "context": "onehead",
            "description": "One head.",
            "target_url": "http://x.test/",
        }

    def test_same_again_writes_nothing(self, api: ForgejoApi, forge: respx.MockRouter) -> None:
        self.latest(forge, self.status(id=1, context="ci / tests", status="failure"), self.status())
        assert self.say(api) == (8, False)
        assert requests(forge) == [f"GET /commits/{SHA}/status"]

    @pytest.mark.parametrize(
        "change",
        [{"status": "failure"}, {"status": "skipped"}, {"description": "Two"}, {"target_url": ""}, {"context": "x"}],
    )
    def test_any_difference_is_written(self, change: dict[str, str], api: ForgejoApi, forge: respx.MockRouter) -> None:
        self.latest(forge, self.status(**change))
        forge.post(f"{R}/statuses/{SHA}").respond(201, json=self.status(id=9))
        assert self.say(api) == (9, True)

    def test_long_description_is_cut_after_a_word(self, api: ForgejoApi, forge: respx.MockRouter) -> None:
        self.latest(forge)
        forge.post(f"{R}/statuses/{SHA}").respond(201, json=self.status())
        self.say(api, "sixteen letters. " * 30)
        description = sent(forge)["description"]
        assert description == "sixteen letters. " * 14 + "sixteen letters…"
        self.latest(forge, self.status(description=description))
        assert self.say(api, "sixteen letters. " * 30) == (8, False)

    def test_many_contexts_are_searched(self, api: ForgejoApi, forge: respx.MockRouter) -> None:
        pages = {
            "1": [self.status(id=number, context=f"ci {number}") for number in range(50)],
            "2": [self.status()],
        }

        def answer(request: httpx.Request) -> httpx.Response:
            combined = definition("CombinedStatus", statuses=pages[request.url.params["page"]])
            return httpx.Response(200, json=combined, headers={"X-Total-Count": "51"})

        forge.get(self.where).mock(side_effect=answer)
        assert self.say(api) == (8, False)


class TestBranch:
    where = f"{R}/branches/{HEAD}"

    def test_is_deleted(self, api: ForgejoApi, forge: respx.MockRouter) -> None:
        forge.get(self.where).respond(json=definition("Branch", name=HEAD))
        forge.delete(self.where).respond(204)
        assert delete_branch(api, REPO, HEAD) is True

    def test_was_gone_already(self, api: ForgejoApi, forge: respx.MockRouter) -> None:
        forge.get(self.where).respond(404)
        assert delete_branch(api, REPO, HEAD) is False
        assert requests(forge) == [f"GET /branches/{HEAD}"]

    def test_goes_in_between(self, api: ForgejoApi, forge: respx.MockRouter) -> None:
        forge.get(self.where).respond(json=definition("Branch", name=HEAD))
        forge.delete(self.where).respond(404)
        assert delete_branch(api, REPO, HEAD) is False

    def test_protected_one_is_told(self, api: ForgejoApi, forge: respx.MockRouter) -> None:
        forge.get(self.where).respond(json=definition("Branch", name=HEAD))
        forge.delete(self.where).respond(403, json={"message": "branch protected"})
        with pytest.raises(Forbidden, match="branch protected"):
            delete_branch(api, REPO, HEAD)


@pytest.mark.parametrize(("code", "new"), [(201, True), (200, False)])
def test_reaction(code: int, new: bool, api: ForgejoApi, forge: respx.MockRouter) -> None:
    forge.post(f"{R}/issues/comments/91/reactions").respond(code, json=definition("Reaction"))
    assert react(api, REPO, 91, "eyes") is new
    assert sent(forge) == {"content": "eyes"}

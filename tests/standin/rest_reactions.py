"""REST: reactions to issues, pull requests and comments."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tests.standin import issue_shapes
from tests.standin.rest import Answer, Call, RefusedError, Routes
from tests.standin.rest_issues import COMMENT, ISSUE, find_comment
from tests.standin.world import Issue, User, now

routes = Routes("issue")
REACTIONS = frozenset({"+1", "-1", "laugh", "hooray", "confused", "heart", "rocket", "eyes"})


Reactions = list[tuple[str, User, datetime]]


def _add_reaction(call: Call, issue: Issue, poster: User, reactions: Reactions) -> Answer:
    content = call.body["content"]
    if issue.is_locked and not call.can("write"):
        raise RefusedError(403, "change issue reaction: no permission")
    call.refuse_the_blocked(issue.poster, poster)
    if content not in REACTIONS:
        raise RefusedError(403, f"'{content}' is not an allowed reaction")
    for entry in reactions:
        if entry[:2] == (content, call.doer):
            return Answer(200, issue_shapes.reaction(call.forge.world, entry, call.doer))
    reactions.append((content, call.doer, now()))
    return Answer(201, issue_shapes.reaction(call.forge.world, reactions[-1], call.doer))


def _drop_reaction(call: Call, reactions: Reactions) -> Answer:
    reactions[:] = [entry for entry in reactions if entry[:2] != (call.body["content"], call.doer)]
    return Answer(200)


def _shown_reactions(call: Call, reactions: Reactions) -> list[dict[str, Any]] | None:
    return [issue_shapes.reaction(call.forge.world, entry, call.caller.user) for entry in reactions] or None


@routes.get(COMMENT + "/reactions")
def comment_reactions(call: Call) -> Answer:
    return Answer(200, _shown_reactions(call, find_comment(call)[1].reactions))


@routes.post(COMMENT + "/reactions", required=("content",))
def react_to_comment(call: Call) -> Answer:
    issue, note = find_comment(call)
    return _add_reaction(call, issue, note.poster, note.reactions)


@routes.delete(COMMENT + "/reactions", required=("content",))
def unreact_to_comment(call: Call) -> Answer:
    return _drop_reaction(call, find_comment(call)[1].reactions)


@routes.get(ISSUE + "/reactions")
def issue_reactions(call: Call) -> Answer:
    reactions = call.issue().reactions
    return Answer(200, _shown_reactions(call, reactions), {"X-Total-Count": str(len(reactions))})


@routes.post(ISSUE + "/reactions", required=("content",))
def react_to_issue(call: Call) -> Answer:
    return _add_reaction(call, call.issue(), call.issue().poster, call.issue().reactions)


@routes.delete(ISSUE + "/reactions", required=("content",))
def unreact_to_issue(call: Call) -> Answer:
    return _drop_reaction(call, call.issue().reactions)

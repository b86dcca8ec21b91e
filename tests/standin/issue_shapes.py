"""The JSON of issues, pull requests, comments, reactions and labels.

The `url` of a pull request is its web page up to Forgejo 15; it is the address in the API from 16 on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.standin import shapes

if TYPE_CHECKING:
    from datetime import datetime

    from tests.standin.shapes import JSON
    from tests.standin.world import Access, Comment, Issue, Label, Pull, Repository, User, World

DRAFT_PREFIXES = ("WIP:", "[WIP]")


def label(world: World, repo: Repository, item: Label) -> JSON:
    return {
        "id": item.id,
        "name": item.name,
        "exclusive": item.exclusive,
        "is_archived": False,
        "color": item.color,
        "description": item.description,
        "url": f"{world.url}/api/v1/repos/{repo.full_name}/labels/{item.id}",
    }


def is_draft(issue: Issue) -> bool:
    return issue.title.upper().startswith(DRAFT_PREFIXES)


def page_of(world: World, repo: Repository, item: Issue) -> str:
    kind = "issues" if item.pull is None else "pulls"
    return f"{world.url}/{repo.full_name}/{kind}/{item.number}"


def issue(world: World, repo: Repository, item: Issue, viewer: User | None) -> JSON:
    meta = None
    if item.pull is not None:
        meta = {
            "merged": item.pull.merged_at is not None,
            "merged_at": shapes.moment(item.pull.merged_at),
            "draft": is_draft(item),
            "html_url": page_of(world, repo, item),
        }
    return {
        "id": item.id,
        "url": f"{world.url}/api/v1/repos/{repo.full_name}/issues/{item.number}",
        "html_url": page_of(world, repo, item),
        "number": item.number,
        "user": shapes.user(world, item.poster, viewer),
        "original_author": "",
        "original_author_id": 0,
        "title": item.title,
        "body": item.body,
        "ref": "",
        "assets": [],
        "labels": [label(world, repo, one) for one in item.labels],
        "milestone": None,
        "assignee": shapes.user(world, item.assignees[0]) if item.assignees else None,
        "assignees": [shapes.user(world, person) for person in item.assignees] or None,
        "state": "closed" if item.is_closed else "open",
        "is_locked": item.is_locked,
        "comments": len(item.comments),
        "created_at": shapes.moment(item.created),
        "updated_at": shapes.moment(item.updated),
        "closed_at": shapes.moment(item.closed),
        "due_date": None,
        "pull_request": meta,
        "repository": {"id": repo.id, "name": repo.name, "owner": repo.owner.name, "full_name": repo.full_name},
        "pin_order": 0,
    }


def head_ref(item: Issue, pull: Pull) -> str:
    """Name the head: the branch, or refs/pull/N/head once the branch (or the whole fork) is gone."""
    if pull.head_repository is not None and pull.head_repository.tip(pull.head_branch):
        return pull.head_branch
    return f"refs/pull/{item.number}/head"


def head_sha(repo: Repository, item: Issue, pull: Pull) -> str:
    """Give the current tip of the head branch, or what the pull request last held."""
    tip = pull.head_repository.tip(pull.head_branch) if pull.head_repository is not None else ""
    return tip or repo.refs.get(f"refs/pull/{item.number}/head", "")


def pull(world: World, repo: Repository, item: Issue, viewer: User | None, levels: tuple[Access, Access]) -> JSON:
    """Show a pull request. `levels` is the viewer's access to (base repository, head repository)."""
    assert item.pull is not None
    what = item.pull
    page = page_of(world, repo, item)
    common = issue(world, repo, item, viewer)
    head = what.head_repository
    merged = what.merged_at is not None
    return {
        "id": what.id,
        "url": page,
        "number": item.number,
        **{key: common[key] for key in ("user", "title", "body", "labels", "milestone", "assignee", "assignees")},
        "requested_reviewers": [],
        "requested_reviewers_teams": [],
        "state": common["state"],
        "draft": is_draft(item),
        "is_locked": item.is_locked,
        "comments": len(item.comments),
        "review_comments": 0,
        "additions": what.counts[1],
        "deletions": what.counts[2],
        "changed_files": what.counts[0],
        "html_url": page,
        "diff_url": f"{page}.diff",
        "patch_url": f"{page}.patch",
        "mergeable": what.check in {"mergeable", "ancestor"} and not is_draft(item),
        "merged": merged,
        "merged_at": shapes.moment(what.merged_at),
        "merge_commit_sha": what.merge_commit,
        "merged_by": shapes.user(world, what.merged_by) if what.merged_by is not None else None,
        "allow_maintainer_edit": what.allow_maintainer_edit,
        "base": {
            "label": what.base_branch,
            "ref": what.base_branch,
            "sha": repo.tip(what.base_branch),
            "repo_id": repo.id,
            "repo": shapes.repository(world, repo, levels[0], anonymous=viewer is None),
        },
        "head": {
            "label": what.head_branch,
            "ref": head_ref(item, what),
            "sha": head_sha(repo, item, what),
            "repo_id": head.id if head is not None else -1,
            "repo": shapes.repository(world, head, levels[1], anonymous=viewer is None) if head is not None else None,
        },
        "merge_base": what.merge_base,
        "due_date": None,
        "created_at": common["created_at"],
        "updated_at": common["updated_at"],
        "closed_at": common["closed_at"],
        "pin_order": 0,
        "flow": 1 if what.topic else 0,
    }


def comment(world: World, repo: Repository, item: Issue, note: Comment) -> JSON:
    page = page_of(world, repo, item)
    return {
        "id": note.id,
        "html_url": f"{page}#issuecomment-{note.id}",
        "pull_request_url": page if item.pull is not None else "",
        "issue_url": page if item.pull is None else "",
        "user": shapes.user(world, note.poster),
        "original_author": "",
        "original_author_id": 0,
        "body": note.body,
        "assets": [],
        "created_at": shapes.moment(note.created),
        "updated_at": shapes.moment(note.updated),
    }


def reaction(world: World, entry: tuple[str, User, datetime], viewer: User | None) -> JSON:
    content, person, created = entry
    return {"user": shapes.user(world, person, viewer), "content": content, "created_at": shapes.moment(created)}

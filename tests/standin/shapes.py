"""The JSON of Forgejo 15, key for key. The order of keys is that of Forgejo's own structs.

Two habits of the forge to know: `viewer` decides whether a real e-mail address is shown (webhooks convert most users
without a viewer), and the `url` of a pull request is its web page up to version 15 (the API address from 16 on).
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tests.standin.access import RANK

if TYPE_CHECKING:
    from datetime import datetime

    from tests.standin.gitside import Commit
    from tests.standin.world import (
        Access,
        Comment,
        Hook,
        Issue,
        Label,
        Protection,
        Pull,
        Repository,
        Status,
        User,
        World,
    )

JSON = dict[str, Any]
NEVER = "0001-01-01T00:00:00Z"
EPOCH = "1970-01-01T00:00:00Z"
DRAFT_PREFIXES = ("WIP:", "[WIP]")


def moment(value: datetime | None) -> str | None:
    return None if value is None else value.strftime("%Y-%m-%dT%H:%M:%SZ")


def user(world: World, person: User, viewer: User | None = None, *, signed: bool = False) -> JSON:
    """Show a user; `signed` alone (without a viewer) is how the owner of a repository is shown."""
    own_page = viewer is not None and (viewer.id == person.id or viewer.is_admin)
    shown = viewer is not None or signed
    avatar = hashlib.sha256(person.email.encode()).hexdigest()
    return {
        "id": person.id,
        "login": person.name,
        "login_name": "",
        "source_id": 0,
        "full_name": person.full_name,
        "email": person.email if shown else f"{person.name.lower()}@noreply.localhost",
        "avatar_url": f"{world.url}/avatars/{avatar}",
        "html_url": f"{world.url}/{person.name}",
        "language": "",
        "is_admin": person.is_admin and own_page,
        "last_login": moment(person.created) if own_page else NEVER,
        "created": moment(person.created),
        "restricted": False,
        "active": own_page,
        "prohibit_login": False,
        "location": "",
        "pronouns": "",
        "website": "",
        "description": "",
        "visibility": "public",
        "followers_count": 0,
        "following_count": 0,
        "starred_repos_count": 0,
        "username": person.name,
    }


def permissions(level: Access) -> JSON:
    rank = RANK[level]
    return {"admin": rank >= RANK["admin"], "push": rank >= RANK["write"], "pull": rank >= RANK["read"]}


def repository(world: World, repo: Repository, level: Access, *, as_parent: bool = False) -> JSON:
    """Show a repository to somebody whose access is `level`."""
    page = f"{world.url}/{repo.full_name}"
    api = f"{world.url}/api/v1/repos/{repo.full_name}"
    ssh = f"git@localhost:{repo.full_name}"
    closed = [issue for issue in repo.issues.values() if not issue.is_closed]
    parent = None
    if repo.parent is not None and not as_parent:
        parent = repository(world, repo.parent, level, as_parent=True)
    return {
        "id": repo.id,
        "owner": user(world, repo.owner, signed=level != "none"),
        "name": repo.name,
        "full_name": repo.full_name,
        "description": repo.description,
        "empty": repo.is_empty,
        "private": repo.private,
        "fork": repo.parent is not None,
        "template": False,
        "parent": parent,
        "mirror": False,
        "size": 0,
        "language": "",
        "languages_url": f"{api}/languages",
        "html_url": page,
        "url": api,
        "link": "",
        "ssh_url": f"{ssh}.git",
        "clone_url": f"{page}.git",
        "original_url": "",
        "website": "",
        "stars_count": 0,
        "forks_count": sum(other.parent is repo for other in world.repositories.values()),
        "watchers_count": 1,
        "open_issues_count": sum(issue.pull is None for issue in closed),
        "open_pr_counter": sum(issue.pull is not None for issue in closed),
        "release_counter": 0,
        "default_branch": repo.default_branch,
        "archived": repo.archived,
        "created_at": moment(repo.created),
        "updated_at": moment(repo.updated),
        "archived_at": EPOCH,
        "permissions": permissions(level),
        "has_issues": True,
        "internal_tracker": {
            "enable_time_tracker": True,
            "allow_only_contributors_to_track_time": True,
            "enable_issue_dependencies": True,
        },
        "has_wiki": True,
        "has_wiki_contents": False,
        "wiki_branch": "main",
        "wiki_ssh_url": f"{ssh}.wiki.git",
        "wiki_clone_url": f"{page}.wiki.git",
        "globally_editable_wiki": False,
        "has_pull_requests": True,
        "has_projects": True,
        "has_releases": True,
        "has_packages": True,
        "has_actions": False,
        "ignore_whitespace_conflicts": False,
        "allow_merge_commits": True,
        "allow_rebase": True,
        "allow_rebase_explicit": True,
        "allow_squash_merge": True,
        "allow_fast_forward_only_merge": True,
        "allow_rebase_update": True,
        "default_delete_branch_after_merge": False,
        "default_merge_style": "merge",
        "default_allow_maintainer_edit": False,
        "default_update_style": "merge",
        "avatar_url": "",
        "internal": False,
        "mirror_interval": "",
        "object_format_name": "sha1",
        "mirror_updated": NEVER,
        "repo_transfer": None,
        "topics": list(repo.topics),
    }


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
            "merged_at": moment(item.pull.merged_at),
            "draft": is_draft(item),
            "html_url": page_of(world, repo, item),
        }
    kind = "issues" if item.pull is None else "pulls"
    return {
        "id": item.id,
        "url": f"{world.url}/api/v1/repos/{repo.full_name}/{kind}/{item.number}",
        "html_url": page_of(world, repo, item),
        "number": item.number,
        "user": user(world, item.poster, viewer),
        "original_author": "",
        "original_author_id": 0,
        "title": item.title,
        "body": item.body,
        "ref": "",
        "assets": [],
        "labels": [label(world, repo, one) for one in item.labels],
        "milestone": None,
        "assignee": user(world, item.assignees[0]) if item.assignees else None,
        "assignees": [user(world, person) for person in item.assignees] or None,
        "state": "closed" if item.is_closed else "open",
        "is_locked": item.is_locked,
        "comments": len(item.comments),
        "created_at": moment(item.created),
        "updated_at": moment(item.updated),
        "closed_at": moment(item.closed),
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
        "additions": what.additions,
        "deletions": what.deletions,
        "changed_files": what.changed_files,
        "html_url": page,
        "diff_url": f"{page}.diff",
        "patch_url": f"{page}.patch",
        "mergeable": what.check in {"mergeable", "empty"} and not is_draft(item),
        "merged": merged,
        "merged_at": moment(what.merged_at),
        "merge_commit_sha": what.merge_commit,
        "merged_by": user(world, what.merged_by) if what.merged_by is not None else None,
        "allow_maintainer_edit": what.allow_maintainer_edit,
        "base": {
            "label": what.base_branch,
            "ref": what.base_branch,
            "sha": repo.tip(what.base_branch),
            "repo_id": repo.id,
            "repo": repository(world, repo, levels[0]),
        },
        "head": {
            "label": what.head_branch,
            "ref": head_ref(item, what),
            "sha": head_sha(repo, item, what),
            "repo_id": head.id if head is not None else -1,
            "repo": repository(world, head, levels[1]) if head is not None else None,
        },
        "merge_base": what.merge_base,
        "due_date": None,
        "created_at": common["created_at"],
        "updated_at": common["updated_at"],
        "closed_at": common["closed_at"],
        "pin_order": 0,
        "flow": 0,
    }


def comment(world: World, repo: Repository, item: Issue, note: Comment) -> JSON:
    page = page_of(world, repo, item)
    return {
        "id": note.id,
        "html_url": f"{page}#issuecomment-{note.id}",
        "pull_request_url": page if item.pull is not None else "",
        "issue_url": page if item.pull is None else "",
        "user": user(world, note.poster),
        "original_author": "",
        "original_author_id": 0,
        "body": note.body,
        "assets": [],
        "created_at": moment(note.created),
        "updated_at": moment(note.updated),
    }


def reaction(world: World, entry: tuple[str, User, datetime], viewer: User | None) -> JSON:
    content, person, created = entry
    return {"user": user(world, person, viewer), "content": content, "created_at": moment(created)}


def status(world: World, repo: Repository, item: Status) -> JSON:
    return {
        "id": item.id,
        "status": item.state,
        "target_url": item.target_url,
        "description": item.description,
        "url": f"{world.url}/api/v1/repos/{repo.full_name}/statuses/{item.sha}",
        "context": item.context,
        "creator": user(world, item.creator),
        "created_at": moment(item.created),
        "updated_at": moment(item.created),
    }


def hook(item: Hook) -> JSON:
    return {
        "id": item.id,
        "type": item.kind,
        "branch_filter": item.branch_filter,
        "config": {"content_type": item.content_type, "url": item.url},
        "events": list(item.events),
        "authorization_header": item.authorization_header,
        "active": item.active,
        "updated_at": moment(item.updated),
        "created_at": moment(item.created),
        "url": item.url,
        "content_type": item.content_type,
        "metadata": None,
    }


def payload_commit(world: World, repo: Repository, commit: Commit, *, with_files: bool) -> JSON:
    """Show a commit as in push events (with files) and in branches (without: the lists are null there)."""

    def person(who: tuple[str, str, str]) -> JSON:
        account = world.user_by_email(who[1])
        return {"name": who[0], "email": who[1], "username": account.name if account else ""}

    def files(letter: str) -> list[str] | None:
        return [path for kind, path in commit.changes if kind == letter] if with_files else None

    return {
        "id": commit.sha,
        "message": commit.message,
        "url": f"{world.url}/{repo.full_name}/commit/{commit.sha}",
        "author": person(commit.author),
        "committer": person(commit.committer),
        "verification": None if with_files else unsigned(),
        "timestamp": commit.author[2],
        "added": files("A"),
        "removed": files("D"),
        "modified": files("M"),
    }


def unsigned() -> JSON:
    return {"verified": False, "reason": "gpg.error.not_signed_commit", "signature": "", "signer": None, "payload": ""}


def commit_meta(world: World, repo: Repository, sha: str, kind: str = "commits", created: str = NEVER) -> JSON:
    return {
        "url": f"{world.url}/api/v1/repos/{repo.full_name}/git/{kind}/{sha}",
        "sha": sha,
        "created": created,
    }


def commit(world: World, repo: Repository, item: Commit) -> JSON:
    """Show a commit as `/commits` and `/git/commits/{sha}` do."""

    def account(who: tuple[str, str, str]) -> JSON | None:
        found = world.user_by_email(who[1])
        return user(world, found) if found else None

    api = f"{world.url}/api/v1/repos/{repo.full_name}/git/commits/{item.sha}"
    names = {"A": "added", "D": "removed", "M": "modified"}
    return {
        **commit_meta(world, repo, item.sha, created=item.committer[2]),
        "html_url": f"{world.url}/{repo.full_name}/commit/{item.sha}",
        "commit": {
            "url": api,
            "author": dict(zip(("name", "email", "date"), item.author, strict=True)),
            "committer": dict(zip(("name", "email", "date"), item.committer, strict=True)),
            "message": item.message,
            "tree": commit_meta(world, repo, item.tree, "trees", item.committer[2]),
            "verification": unsigned(),
        },
        "author": account(item.author),
        "committer": account(item.committer),
        "parents": [commit_meta(world, repo, parent) for parent in item.parents],
        "files": [{"filename": path, "status": names.get(kind, "modified")} for kind, path in item.changes],
        "stats": None,
    }


PROTECTION_DEFAULTS: JSON = {
    "enable_push": False,
    "enable_push_whitelist": False,
    "push_whitelist_usernames": [],
    "push_whitelist_teams": [],
    "push_whitelist_deploy_keys": False,
    "enable_merge_whitelist": False,
    "merge_whitelist_usernames": [],
    "merge_whitelist_teams": [],
    "enable_status_check": False,
    "status_check_contexts": [],
    "required_approvals": 0,
    "enable_approvals_whitelist": False,
    "approvals_whitelist_username": [],
    "approvals_whitelist_teams": [],
    "block_on_rejected_reviews": False,
    "block_on_official_review_requests": False,
    "block_on_outdated_branch": False,
    "dismiss_stale_approvals": False,
    "ignore_stale_approvals": False,
    "require_signed_commits": False,
    "protected_file_patterns": "",
    "unprotected_file_patterns": "",
    "apply_to_admins": False,
}


def protection(rule: Protection) -> JSON:
    special = any(sign in rule.rule_name for sign in "*?[]{}")
    return {
        "branch_name": "" if special else rule.rule_name,
        "rule_name": rule.rule_name,
        **PROTECTION_DEFAULTS,
        **rule.options,
        "created_at": moment(rule.created),
        "updated_at": moment(rule.updated),
    }


def escaped(path: str) -> str:
    return quote(path, safe="/")

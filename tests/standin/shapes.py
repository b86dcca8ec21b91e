"""The JSON of Forgejo 15, key for key, in the order of Forgejo's own structs: people, repositories, statuses, hooks.

`viewer` decides whether a real e-mail address is shown; webhooks convert most users without a viewer.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tests.standin.access import RANK
from tests.standin.world import ACTIONS

if TYPE_CHECKING:
    from datetime import datetime

    from tests.standin.world import (
        Access,
        Hook,
        Protection,
        Repository,
        Status,
        User,
        World,
    )

JSON = dict[str, Any]
NEVER = "0001-01-01T00:00:00Z"
EPOCH = "1970-01-01T00:00:00Z"


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


def repository(
    world: World, repo: Repository, level: Access, *, as_parent: bool = False, anonymous: bool = False
) -> JSON:
    """Show a repository to somebody whose access is `level`; `anonymous` visitors see no e-mail addresses."""
    page = f"{world.url}/{repo.full_name}"
    api = f"{world.url}/api/v1/repos/{repo.full_name}"
    ssh = f"git@localhost:{repo.full_name}"
    closed = [issue for issue in repo.issues.values() if not issue.is_closed]
    # A fork has code and pull requests only; what a repository has not is left out or false.
    is_fork = repo.parent is not None
    tracker = {
        "enable_time_tracker": True,
        "allow_only_contributors_to_track_time": True,
        "enable_issue_dependencies": True,
    }
    parent = None
    if repo.parent is not None and not as_parent:
        parent = repository(world, repo.parent, level, as_parent=True)
    return {
        "id": repo.id,
        "owner": user(world, repo.owner, signed=level != "none" and not anonymous),
        "name": repo.name,
        "full_name": repo.full_name,
        "description": repo.description,
        "empty": repo.is_empty,
        "private": repo.private,
        "fork": is_fork,
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
        "archived_at": moment(repo.archived_at) or EPOCH,
        "permissions": permissions(level),
        "has_issues": not is_fork,
        **({} if is_fork else {"internal_tracker": tracker}),
        "has_wiki": not is_fork,
        "has_wiki_contents": False,
        **({} if is_fork else {"wiki_branch": "main"}),
        "wiki_ssh_url": f"{ssh}.wiki.git",
        "wiki_clone_url": f"{page}.wiki.git",
        "globally_editable_wiki": False,
        "has_pull_requests": repo.has_pulls,
        "has_projects": not is_fork,
        "has_releases": not is_fork,
        "has_packages": not is_fork,
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


def status(world: World, repo: Repository, item: Status) -> JSON:
    return {
        "id": item.id,
        "status": item.state,
        "target_url": item.target_url,
        "description": item.description,
        "url": f"{world.url}/api/v1/repos/{repo.full_name}/statuses/{item.sha}",
        "context": item.context,
        # ToCommitStatus looks the creator up by id, and finds nobody for a job.
        "creator": None if item.creator is ACTIONS else user(world, item.creator),
        "created_at": moment(item.created),
        "updated_at": moment(item.created),
    }


def hook(item: Hook) -> JSON:
    return {
        "id": item.id,
        "type": item.kind,
        "branch_filter": item.branch_filter,
        "url": item.url,
        "config": {"content_type": item.content_type, "url": item.url},
        "events": list(item.events),
        "authorization_header": item.authorization_header,
        "content_type": item.content_type,
        "metadata": None,
        "active": item.active,
        "updated_at": moment(item.updated),
        "created_at": moment(item.created),
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
    "status_check_contexts": None,
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

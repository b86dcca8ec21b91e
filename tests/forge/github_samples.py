"""Answers of GitHub's REST API, in the shapes that its documentation shows (version 2022-11-28)."""

from __future__ import annotations

from typing import Any

from onehead.forge.models import RepositoryName, User

ROOT = "https://api.github.com"
TOKEN = "ghs_0123456789abcdef"
REPO = RepositoryName("courtside", "basketball-api")
PATH = "/repos/courtside/basketball-api"
SHA = "ae892699b97c793cb231ec1bcd44e69122111b53"
JOB = User(41898282, "github-actions[bot]")


def account(login: str, number: int, kind: str = "User") -> dict[str, Any]:
    return {
        "login": login,
        "id": number,
        "node_id": "MDQ6VXNlcjE=",
        "avatar_url": f"https://avatars.githubusercontent.com/u/{number}",
        "html_url": f"https://github.com/{login}",
        "type": kind,
        "site_admin": False,
    }


def repository(name: str = "courtside") -> dict[str, Any]:
    """As a pull request shows it: without `permissions` for a job's token."""
    return {
        "id": 1296269 + (name != "courtside"),
        "node_id": "MDEwOlJlcG9zaXRvcnkxMjk2MjY5",
        "name": "basketball-api",
        "full_name": f"{name}/basketball-api",
        "owner": account(name, 1),
        "private": False,
        "html_url": f"https://github.com/{name}/basketball-api",
        "fork": False,
        "clone_url": f"https://github.com/{name}/basketball-api.git",
        "mirror_url": None,
        "default_branch": "main",
        "topics": ["alembic"],
        "archived": False,
        "updated_at": "2026-01-26T19:14:43Z",
    }


def pull(**changes: Any) -> dict[str, Any]:
    return {
        "url": f"{ROOT}{PATH}/pulls/12",
        "id": 1,
        "html_url": "https://github.com/courtside/basketball-api/pull/12",
        "number": 12,
        "state": "open",
        "locked": False,
        "title": "OAuth",
        "user": account("ann", 7),
        "body": None,
        "created_at": "2026-01-26T19:01:12Z",
        "updated_at": "2026-01-26T19:01:12Z",
        "closed_at": None,
        "merged_at": None,
        "head": {
            "label": "ann:oauth",
            "ref": "oauth",
            "sha": SHA,
            "user": account("ann", 7),
            "repo": repository("ann"),
        },
        "base": {
            "label": "courtside:main",
            "ref": "main",
            "sha": "b" * 40,
            "repo": repository(),
        },
        "draft": False,
        "merged": False,
        "maintainer_can_modify": True,
        **changes,
    }


def comment(number: int, body: str, author: User = JOB) -> dict[str, Any]:
    return {
        "id": number,
        "node_id": "MDEyOklzc3VlQ29tbWVudDE=",
        "url": f"{ROOT}{PATH}/issues/comments/{number}",
        "html_url": f"https://github.com/courtside/basketball-api/pull/12#issuecomment-{number}",
        "body": body,
        "user": account(author.login, author.id, "Bot"),
        "created_at": "2026-01-26T19:01:12Z",
        "updated_at": "2026-01-26T19:01:12Z",
        "issue_url": f"{ROOT}{PATH}/issues/12",
        "author_association": "CONTRIBUTOR",
    }


def status(context: str, state: str, creator: User = JOB) -> dict[str, Any]:
    return {
        "url": f"{ROOT}{PATH}/statuses/{SHA}",
        "avatar_url": "https://github.com/images/error/hubot_happy.gif",
        "id": 1,
        "node_id": "MDY6U3RhdHVzMQ==",
        "state": state,
        "description": None,
        "target_url": None,
        "context": context,
        "created_at": "2026-01-26T19:01:12Z",
        "updated_at": "2026-01-26T19:01:12Z",
        "creator": account(creator.login, creator.id, "Bot"),
    }

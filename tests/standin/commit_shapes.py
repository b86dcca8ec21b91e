"""The JSON of commits: short in push events and branches, long in lists of commits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.standin import shapes

if TYPE_CHECKING:
    from tests.standin.gitside import Commit
    from tests.standin.shapes import JSON
    from tests.standin.world import Repository, World


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


def commit_meta(world: World, repo: Repository, sha: str, kind: str = "commits", created: str = shapes.NEVER) -> JSON:
    return {
        "url": f"{world.url}/api/v1/repos/{repo.full_name}/git/{kind}/{sha}",
        "sha": sha,
        "created": created,
    }


def commit(world: World, repo: Repository, item: Commit, counts: tuple[int, int]) -> JSON:
    """Show a commit as `/commits` and `/git/commits/{sha}` do. `counts` is (added lines, removed lines)."""

    def account(who: tuple[str, str, str]) -> JSON | None:
        found = world.user_by_email(who[1])
        return shapes.user(world, found) if found else None

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
        "stats": {"total": sum(counts), "additions": counts[0], "deletions": counts[1]},
    }

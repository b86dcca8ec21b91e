"""REST: commits and tags."""

from __future__ import annotations

from typing import Any

from tests.standin import commit_shapes, gitside
from tests.standin.rest import Answer, Call, RefusedError, Routes, not_found

routes = Routes("repository")


@routes.get("/repos/{owner}/{repo}/tags")
def tags(call: Call) -> Answer:
    """List tags, the newest first. A light tag shows the message and time of its commit."""
    form = "%(refname:strip=2)%1f%(objectname)%1f%(*objectname)%1f%(creatordate:iso-strict)%1f%(contents)%1e"
    options = [f"--format={form}", "--sort=-refname", "--sort=-creatordate"]
    output = gitside.run(call.repo.path, "for-each-ref", *options, "refs/tags")
    found = [line.strip("\n").split("\x1f") for line in output.decode().split("\x1e")[:-1]]

    def shape(entry: list[str]) -> dict[str, Any]:
        name, sha, commit, created, message = entry
        page = f"{call.forge.world.url}/{call.repo.full_name}"
        return {
            "name": name,
            "message": message.strip(),
            "id": sha,
            "commit": commit_shapes.commit_meta(call.forge.world, call.repo, commit or sha, created=created),
            "zipball_url": f"{page}/archive/{name}.zip",
            "tarball_url": f"{page}/archive/{name}.tar.gz",
            "archive_download_count": {"zip": 0, "tar_gz": 0},
        }

    return call.paged(found, shape)


def _resolved(call: Call, name: str) -> str:
    return gitside.resolve(call.repo.path, name) or not_found(f"object does not exist [id: {name}, rel_path: ]")


@routes.get("/repos/{owner}/{repo}/commits")
def commits(call: Call) -> Answer:
    if call.repo.is_empty:
        raise RefusedError(409, "Git Repository is empty.")
    start = _resolved(call, call.query.get("sha") or call.repo.default_branch)
    limits = ["--", call.query["path"]] if call.query.get("path") else []
    return paged_commits(call, gitside.log(call.repo.path, start, *limits))


def paged_commits(call: Call, found: list[gitside.Commit]) -> Answer:
    """Answer one page of commits, with the headers that only lists of commits and files have."""
    page = call.paged(found, lambda item: item)
    counts = gitside.line_counts(call.repo.path, [item.sha for item in page.value])
    world, repo = call.forge.world, call.repo
    shown = [commit_shapes.commit(world, repo, item, counts[item.sha]) for item in page.value]
    return Answer(200, shown, page.headers | call.page_headers(len(found)))


@routes.get("/repos/{owner}/{repo}/git/commits/{sha}")
def commit(call: Call) -> Answer:
    sha = gitside.resolve(call.repo.path, call.path["sha"])
    if not sha:
        raise RefusedError(404, call.path["sha"], [])
    found = gitside.log(call.repo.path, "-1", sha)[0]
    counts = gitside.line_counts(call.repo.path, [sha])[sha]
    return Answer(200, commit_shapes.commit(call.forge.world, call.repo, found, counts))


@routes.get("/repos/{owner}/{repo}/commits/{sha}/pull")
def pull_of_commit(call: Call) -> Answer:
    """Find the merged pull request whose merge made this commit."""
    for issue in call.repo.issues.values():
        if issue.pull is not None and issue.pull.merge_commit == call.path["sha"]:
            return Answer(200, call.forge.announcer.pull_shape(call.repo, issue, call.caller.user))
    about = f"id: 0, issue_id: 0, head_repo_id: 0, base_repo_id: {call.repo.id}, head_branch: , base_branch: "
    raise RefusedError(404, f"pull request does not exist [{about}]")

"""CI jobs as each system makes them: its variables, and the clone of its checkout step, cut off as it is by default."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import pytest

from tests.repositories import Repository, environment

VARIABLES = ("CI", "GITHUB_", "FORGEJO_", "GITEA_", "GITLAB_", "PRE_COMMIT")
"""How the variables begin by which a job is known."""


@dataclass(frozen=True)
class Job:
    """What a step of a job finds.

    Attributes:
        place: its work directory, a clone.
        variables: of its environment.
    """

    place: Path
    variables: Mapping[str, str] = field(default_factory=dict)

    def enter(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Become a step of it."""
        leave(monkeypatch)
        monkeypatch.chdir(self.place)
        for name, value in self.variables.items():
            monkeypatch.setenv(name, value)

    def git(self, *args: str) -> str:
        """Run git in the clone."""
        return _git(self.place, *args)


def leave(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget that these tests themselves may run in CI."""
    for name in environment():
        if name.startswith(VARIABLES):
            monkeypatch.delenv(name, raising=False)


class Pull(Protocol):
    """Makes the job of pull request 12, which goes from a branch into main or another base."""

    def __call__(self, origin: Repository, place: Path, branch: str, base: str = "main") -> Job:
        """Clone from `origin` to `place`."""
        ...


def forgejo(origin: Repository, place: Path, branch: str, base: str = "main") -> Job:
    """Forgejo makes no merge: the head is checked out, one commit deep."""
    return _actions(origin, place, branch, base, checked_out=branch, end="head", own="FORGEJO")


def github(origin: Repository, place: Path, branch: str, base: str = "main") -> Job:
    """GitHub checks out a merge that nobody pushed, one commit deep."""
    merge = f"refs/pull/12/merge-of-{branch}"
    tree = origin.git("merge-tree", "--write-tree", base, branch).strip()
    made = origin.git("commit-tree", tree, "-p", origin.sha(base), "-p", origin.sha(branch), "-m", "Merge").strip()
    origin.git("update-ref", merge, made)
    return _actions(origin, place, branch, base, checked_out=merge, end="merge", own="GITHUB")


def gitlab(origin: Repository, place: Path, branch: str, base: str = "main") -> Job:
    """GitLab checks out the source's head, twenty commits deep, under a ref of the pipeline."""
    origin.git("update-ref", "refs/merge-requests/12/head", origin.sha(branch))
    clone(origin, place, origin.sha(branch), "refs/pipelines/900", "--depth=20")
    return Job(
        place,
        gitlab_variables(place, origin.sha(branch))
        | {
            "CI_MERGE_REQUEST_IID": "12",
            "CI_MERGE_REQUEST_REF_PATH": "refs/merge-requests/12/head",
            "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": branch,
            "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": base,
            "CI_MERGE_REQUEST_DIFF_BASE_SHA": origin.git("merge-base", branch, base).strip(),
        },
    )


def gitlab_variables(place: Path, sha: str) -> dict[str, str]:
    """Those of every job of GitLab's."""
    return {
        "CI": "true",
        "GITLAB_CI": "true",
        "CI_COMMIT_SHA": sha,
        "CI_DEFAULT_BRANCH": "main",
        "CI_PROJECT_DIR": str(place),
    }


def woodpecker(origin: Repository, place: Path, branch: str, base: str = "main") -> Job:
    """Woodpecker's clone is partial, one commit deep, and on a local branch that is named after the *target*."""
    sha = origin.sha(branch)
    origin.git("config", "uploadpack.allowFilter", "true")
    place.mkdir()
    _git(place, "init", "--quiet", "--initial-branch", base)
    _git(place, "remote", "add", "origin", f"file://{origin.path}")
    _git(place, "fetch", "--quiet", "--no-tags", "--depth=1", "--filter=tree:0", "origin", f"+{sha}:")
    _git(place, "reset", "--hard", "--quiet", sha)
    return Job(
        place,
        {
            "CI": "woodpecker",
            "CI_SYSTEM_NAME": "woodpecker",
            "CI_WORKSPACE": str(place),
            "CI_PIPELINE_EVENT": "pull_request",
            "CI_REPO_DEFAULT_BRANCH": "main",
            "CI_COMMIT_SHA": sha,
            "CI_COMMIT_REF": "refs/pull/12/head",
            "CI_COMMIT_BRANCH": base,
            "CI_COMMIT_SOURCE_BRANCH": branch,
            "CI_COMMIT_TARGET_BRANCH": base,
            "CI_COMMIT_PULL_REQUEST": "12",
        },
    )


def push(origin: Repository, place: Path, branch: str, *, kind: str = "branch", everything: bool = False) -> Job:
    """A push (or a tag) on Forgejo: one commit deep, or `fetch-depth: 0`."""
    sha = origin.sha(branch)
    name = "refs/tags/" if kind == "tag" else "refs/remotes/origin/"
    if everything:
        clone(origin, place, "refs/heads/*", "refs/remotes/origin/*", check_out=sha)
        _git(place, "fetch", "--quiet", "origin", "+refs/tags/*:refs/tags/*")
    else:
        clone(origin, place, sha, f"{name}{branch}", "--depth=1")
    if kind == "branch":
        _git(place, "checkout", "--quiet", "-B", branch, f"refs/remotes/origin/{branch}")
    event = _event(place, {"repository": {"default_branch": "main"}})
    return Job(
        place,
        _runner("FORGEJO", place, event)
        | {
            "GITHUB_EVENT_NAME": "push",
            "GITHUB_REF": f"refs/{'tags' if kind == 'tag' else 'heads'}/{branch}",
            "GITHUB_REF_NAME": branch,
            "GITHUB_REF_TYPE": kind,
            "GITHUB_SHA": sha,
        },
    )


def clone(origin: Repository, place: Path, source: str, name: str, *options: str, check_out: str = "") -> None:
    """One fetch into an empty repository, as checkout steps do it."""
    place.mkdir()
    _git(place, "init", "--quiet")
    _git(place, "remote", "add", "origin", f"file://{origin.path}")
    _git(place, "fetch", "--quiet", "--no-tags", *options, "origin", f"+{source}:{name}")
    _git(place, "checkout", "--quiet", "--detach", check_out or name)


def with_everything(job: Job) -> Job:
    """The same job with `fetch-depth: 0`: all branches and tags, and their whole history."""
    job.git(
        "fetch",
        "--quiet",
        "--depth=2147483647",
        "origin",
        "+refs/heads/*:refs/remotes/origin/*",
        "+refs/tags/*:refs/tags/*",
    )
    return job


def _actions(origin: Repository, place: Path, branch: str, base: str, *, checked_out: str, end: str, own: str) -> Job:
    origin.git("update-ref", "refs/pull/12/head", origin.sha(branch))
    clone(origin, place, origin.sha(checked_out), f"refs/remotes/pull/12/{end}", "--depth=1")
    event = {
        "pull_request": {
            "number": 12,
            "base": {"ref": base, "sha": origin.sha(base)},
            "head": {"ref": branch, "sha": origin.sha(branch)},
        },
        "repository": {"default_branch": "main"},
    }
    return Job(
        place,
        _runner(own, place, _event(place, event))
        | {
            "GITHUB_EVENT_NAME": "pull_request",
            "GITHUB_REF": f"refs/pull/12/{end}",
            "GITHUB_REF_NAME": f"12/{end}",
            "GITHUB_SHA": origin.sha(checked_out),
            "GITHUB_BASE_REF": base,
            "GITHUB_HEAD_REF": branch,
        },
    )


def _runner(own: str, place: Path, event: Path) -> dict[str, str]:
    also = {"FORGEJO_ACTIONS": "true", "GITEA_ACTIONS": "true"} if own == "FORGEJO" else {}
    return {
        "CI": "true",
        "GITHUB_ACTIONS": "true",
        "GITHUB_EVENT_PATH": str(event),
        "GITHUB_WORKSPACE": str(place),
        **also,
    }


def _event(place: Path, content: object) -> Path:
    file = place.with_name(f"{place.name}-event.json")
    file.write_text(json.dumps(content), encoding="utf-8")
    return file


def _git(place: Path, *args: str) -> str:
    done = subprocess.run(
        ["git", *args], cwd=place, env=environment(), capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout


PULLS: tuple[Pull, ...] = (forgejo, github, gitlab, woodpecker)

"""What a CI job is about: variables → names and SHAs. Pure.

- Forgejo Actions (and Gitea's) set each variable as `FORGEJO_…` and `GITHUB_…`, and make no merge commit: GITHUB_SHA is
  the head. GitHub's GITHUB_SHA is a merge that nobody pushed. The event's head is right in both.
- GitLab tells the source's head apart only where it checks out a merge (CI_MERGE_REQUEST_SOURCE_BRANCH_SHA). Its
  CI_MERGE_REQUEST_DIFF_BASE_SHA is where the branch began, not where the target is: no verdict may rest on it.
- Woodpecker's CI_COMMIT_BRANCH is the target of a pull request, so CI_COMMIT_SOURCE_BRANCH counts there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

from onehead.errors import CannotJudge


class Pipeline(NamedTuple):
    """What one job runs for. Branches and tags have short names; what there is not, or is not told, is empty.

    Attributes:
        subject: what it runs for, as people say it: `pull request 12`, `branch main`, `tag v1`.
        commit: SHA that the job checks out, which tells whether a clone is the job's.
        head: SHA of the commit to judge.
        branch: that the head is from. Of a pull request it may be that of a fork, so it counts only where origin has
            this very commit under that name.
        base: the branch that a pull request goes into.
        base_sha: where that branch was when the job was queued.
        pull: what the forge calls the pull request among its refs (`pull/12`).
        remedy: how this system is told to clone more.
    """

    system: str
    subject: str
    commit: str
    head: str
    branch: str = ""
    tag: str = ""
    base: str = ""
    base_sha: str = ""
    pull: str = ""
    default_branch: str = ""
    workspace: str = ""
    remedy: str = ""


_ACTIONS = (
    ("FORGEJO_ACTIONS", "Forgejo Actions"),
    ("GITEA_ACTIONS", "Gitea Actions"),
    ("GITHUB_ACTIONS", "GitHub Actions"),
)
"""Forgejo's runner sets all three."""


def event_file(variables: Mapping[str, str]) -> str:
    """Where the event's JSON text is; empty where there is none."""
    if not any(variables.get(name) == "true" for name, _ in _ACTIONS):
        return ""
    return _first(variables, "FORGEJO_EVENT_PATH", "GITHUB_EVENT_PATH")


def pipeline_of(variables: Mapping[str, str], event: str = "") -> Pipeline | None:
    """The job that runs this process; `None` outside of CI, and in a CI that is not known.

    The event is the text of the file that `event_file` names, empty where it can't be read.

    Raises:
        CannotJudge: it is a pull request's job, and which commits it is about is not told.
    """
    system = next((system for name, system in _ACTIONS if variables.get(name) == "true"), "")
    if system:
        return _checked(_actions(variables, system, _parsed(event)))
    if variables.get("GITLAB_CI") == "true":
        return _checked(_gitlab(variables))
    if "woodpecker" in (variables.get("CI"), variables.get("CI_SYSTEM_NAME")):
        return _checked(_woodpecker(variables))
    return None


class ForgeOfJob(NamedTuple):
    """Where the job's repository is, for whoever writes there.

    Attributes:
        kind: whose REST API it is.
        url: where that begins, such as `https://git.example.org/api/v1`.
        repository: `owner/name`.
    """

    kind: Literal["forgejo", "github"]
    url: str
    repository: str


_OF_GITHUB = "https://api.github.com"


def forge_of(variables: Mapping[str, str]) -> ForgeOfJob | None:
    """The forge that the job runs for; `None` where that is none that can be written to, or is not told."""
    repository = repository_of(variables)
    if any(variables.get(name) == "true" for name, _ in _ACTIONS):
        told = _reader(variables, "FORGEJO_", "GITHUB_")
        is_github = all(variables.get(name) != "true" for name, system in _ACTIONS if system != "GitHub Actions")
        server = told("SERVER_URL").rstrip("/")
        url = told("API_URL") or (_OF_GITHUB if is_github else f"{server}/api/v1" if server else "")
        return ForgeOfJob("github" if is_github else "forgejo", url, repository) if url and repository else None
    kind, server = variables.get("CI_FORGE_TYPE"), variables.get("CI_FORGE_URL", "").rstrip("/")
    if kind in ("forgejo", "gitea") and server and repository:
        return ForgeOfJob("forgejo", f"{server}/api/v1", repository)
    if kind == "github" and repository:
        return ForgeOfJob("github", _OF_GITHUB if server == "https://github.com" else f"{server}/api/v3", repository)
    return None


def repository_of(variables: Mapping[str, str]) -> str:
    """The repository of the job, `owner/name`; empty outside of CI."""
    return _first(variables, "FORGEJO_REPOSITORY", "GITHUB_REPOSITORY", "CI_PROJECT_PATH", "CI_REPO")


def deployed_to(variables: Mapping[str, str]) -> str:
    """What the job deploys to, such as `production`; empty where it is not told (Forgejo Actions never tells)."""
    return _first(variables, "CI_ENVIRONMENT_NAME", "CI_PIPELINE_DEPLOY_TARGET")


def _first(variables: Mapping[str, str], *names: str) -> str:
    return next((variables[name] for name in names if variables.get(name)), "")


def _reader(variables: Mapping[str, str], *prefixes: str) -> Callable[[str], str]:
    return lambda name: _first(variables, *(f"{prefix}{name}" for prefix in prefixes))


def _actions(variables: Mapping[str, str], system: str, event: Mapping[str, Any]) -> Pipeline:
    told = _reader(variables, "FORGEJO_", "GITHUB_")
    commit, name = told("SHA"), told("EVENT_NAME")
    job = Pipeline(
        system,
        f"branch {told('REF_NAME')}",
        commit,
        commit,
        branch=told("REF_NAME"),
        default_branch=_text(event, "repository", "default_branch"),
        workspace=told("WORKSPACE"),
        remedy="Give the checkout step `fetch-depth: 0`.",
    )
    if name.startswith("pull_request"):
        number = _text(event, "pull_request", "number") or told("REF").removeprefix("refs/pull/").partition("/")[0]
        return job._replace(
            subject=f"pull request {number}".rstrip(),
            # Of the other events, the commit is one of the base; of this one, the head or a merge of it.
            head=_text(event, "pull_request", "head", "sha") or (commit if name == "pull_request" else ""),
            branch=_text(event, "pull_request", "head", "ref") or told("HEAD_REF"),
            base=_text(event, "pull_request", "base", "ref") or told("BASE_REF"),
            base_sha=_text(event, "pull_request", "base", "sha"),
            pull=f"pull/{number}",
        )
    if name == "merge_group":
        base = _text(event, "merge_group", "base_ref").removeprefix("refs/heads/")
        return job._replace(
            subject=f"merge queue of {base}",
            head=_text(event, "merge_group", "head_sha"),
            base=base,
            base_sha=_text(event, "merge_group", "base_sha"),
        )
    return _tagged(job, job.branch) if told("REF_TYPE") == "tag" else job


def _gitlab(variables: Mapping[str, str]) -> Pipeline:
    told = _reader(variables, "CI_")
    number = told("MERGE_REQUEST_IID")
    remedy = "Give the job the variable `GIT_DEPTH: 0`."
    job = _of_a_push("GitLab CI", told, told("DEFAULT_BRANCH"), told("PROJECT_DIR"), remedy)
    if number:
        # What a merge train has checked out also holds those that go before: they count too.
        train = told("MERGE_REQUEST_EVENT_TYPE") == "merge_train"
        return job._replace(
            subject=f"merge request {number}",
            head=job.commit if train else told("MERGE_REQUEST_SOURCE_BRANCH_SHA") or job.commit,
            branch=told("MERGE_REQUEST_SOURCE_BRANCH_NAME"),
            base=told("MERGE_REQUEST_TARGET_BRANCH_NAME"),
            pull=f"merge-requests/{number}",
        )
    return _tagged(job, told("COMMIT_TAG"))


def _woodpecker(variables: Mapping[str, str]) -> Pipeline:
    told = _reader(variables, "CI_")
    number = told("COMMIT_PULL_REQUEST")
    remedy = "Give the clone step `partial: false` and `depth: 0`, and the git of this step a token of its own."
    job = _of_a_push("Woodpecker", told, told("REPO_DEFAULT_BRANCH"), told("WORKSPACE"), remedy)
    if told("PIPELINE_EVENT").startswith("pull_request"):
        return job._replace(
            subject=f"pull request {number}",
            branch=told("COMMIT_SOURCE_BRANCH"),
            base=told("COMMIT_TARGET_BRANCH"),
            pull=f"pull/{number}",
        )
    return _tagged(job, told("COMMIT_TAG"))


def _of_a_push(system: str, told: Callable[[str], str], default: str, workspace: str, remedy: str) -> Pipeline:
    commit, branch = told("COMMIT_SHA"), told("COMMIT_BRANCH")
    subject = f"branch {branch}"
    return Pipeline(system, subject, commit, commit, branch, default_branch=default, workspace=workspace, remedy=remedy)


def _tagged(job: Pipeline, tag: str) -> Pipeline:
    return job._replace(subject=f"tag {tag}", branch="", tag=tag) if tag else job


def _parsed(event: str) -> Mapping[str, Any]:
    if not event:
        return {}
    import json  # noqa: PLC0415 - only where there is an event

    try:
        content = json.loads(event)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _text(content: Any, *path: str) -> str:
    """What stands at a path of the event, if that is a text or a number."""
    for name in path:
        content = content.get(name) if isinstance(content, dict) else None
    return str(content) if isinstance(content, str | int) and not isinstance(content, bool) else ""


def _checked(job: Pipeline) -> Pipeline | None:
    """The job; `None` where it tells nothing at all."""
    goes_somewhere = job.pull or job.subject.startswith("merge queue")
    if not goes_somewhere:
        return job if _is_sha(job.head) else None
    if _is_sha(job.head) and job.base:
        return job
    missing = "which commit is to be judged" if job.base else "which branch it goes into"
    raise CannotJudge(
        f"{job.system}, {job.subject}: the environment of this job does not show {missing}.",
        "Hand the job's variables and its event file on to this process, or name both sides: "
        "`onehead check --target BRANCH --head COMMIT`.",
    )


def _is_sha(text: str) -> bool:
    return len(text) in (40, 64) and all(character in "0123456789abcdef" for character in text)

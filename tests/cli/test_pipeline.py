"""What the variables of each CI mean. The events are those parts of real ones that are read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from onehead.cli.pipeline import Pipeline, event_file, pipeline_of
from onehead.errors import CannotJudge

HEAD, MERGE, BASE = "a" * 40, "b" * 40, "c" * 40

ACTIONS = {
    "CI": "true",
    "GITHUB_ACTIONS": "true",
    "GITHUB_EVENT_PATH": "/runner/event.json",
    "GITHUB_WORKSPACE": "/workspace/acme/shop",
}
FORGEJO = ACTIONS | {"FORGEJO_ACTIONS": "true", "GITEA_ACTIONS": "true"}
PULL = {
    "GITHUB_EVENT_NAME": "pull_request",
    "GITHUB_REF": "refs/pull/12/head",
    "GITHUB_REF_NAME": "12/head",
    "GITHUB_SHA": HEAD,
    "GITHUB_BASE_REF": "main",
    "GITHUB_HEAD_REF": "topic",
}
PUSH = {
    "GITHUB_EVENT_NAME": "push",
    "GITHUB_REF": "refs/heads/topic",
    "GITHUB_REF_NAME": "topic",
    "GITHUB_REF_TYPE": "branch",
    "GITHUB_SHA": HEAD,
}
REPOSITORY = {"default_branch": "trunk"}
EVENT = {
    "action": "opened",
    "number": 12,
    "pull_request": {
        "number": 12,
        "base": {"ref": "main", "sha": BASE},
        "head": {"ref": "topic", "sha": HEAD},
        "merge_base": "d" * 40,
    },
    "repository": REPOSITORY,
}

GITLAB = {
    "CI": "true",
    "GITLAB_CI": "true",
    "CI_COMMIT_SHA": HEAD,
    "CI_DEFAULT_BRANCH": "trunk",
    "CI_PROJECT_DIR": "/builds/acme/shop",
}
MERGE_REQUEST = {
    "CI_MERGE_REQUEST_IID": "5",
    "CI_MERGE_REQUEST_EVENT_TYPE": "detached",
    "CI_MERGE_REQUEST_REF_PATH": "refs/merge-requests/5/head",
    "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": "topic",
    "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main",
    "CI_MERGE_REQUEST_DIFF_BASE_SHA": BASE,
    "CI_COMMIT_REF_NAME": "topic",
}

WOODPECKER = {
    "CI": "woodpecker",
    "CI_SYSTEM_NAME": "woodpecker",
    "CI_COMMIT_SHA": HEAD,
    "CI_REPO_DEFAULT_BRANCH": "trunk",
    "CI_WORKSPACE": "/woodpecker/src/acme/shop",
}
WOODPECKER_PULL = {
    "CI_PIPELINE_EVENT": "pull_request",
    "CI_COMMIT_REF": "refs/pull/12/head",
    "CI_COMMIT_BRANCH": "main",
    "CI_COMMIT_SOURCE_BRANCH": "topic",
    "CI_COMMIT_TARGET_BRANCH": "main",
    "CI_COMMIT_PULL_REQUEST": "12",
}


def told(variables: dict[str, str], event: Any = None) -> Pipeline:
    job = pipeline_of(variables, "" if event is None else json.dumps(event))
    assert job is not None
    return job


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"CI": "true"},
        {"GITHUB_ACTIONS": "", "GITHUB_SHA": HEAD},
        {"GITHUB_SHA": HEAD, "GITHUB_EVENT_NAME": "push"},
        {"CI": "true", "CI_COMMIT_SHA": HEAD, "CI_PIPELINE_EVENT": "pull_request"},
        {"CI": "drone", "DRONE_COMMIT_SHA": HEAD},
    ],
)
def test_outside_of_a_known_ci(variables: dict[str, str]) -> None:
    assert pipeline_of(variables) is None
    assert event_file(variables | {"GITHUB_EVENT_PATH": "/runner/event.json"}) == ""


def test_a_pull_request_on_forgejo() -> None:
    job = told(FORGEJO | PULL, EVENT)
    assert (job.system, job.subject, job.pull) == ("Forgejo Actions", "pull request 12", "pull/12")
    assert (job.commit, job.head, job.branch) == (HEAD, HEAD, "topic")
    assert (job.base, job.base_sha, job.default_branch) == ("main", BASE, "trunk")
    assert job.workspace == "/workspace/acme/shop"


def test_forgejos_own_names_go_before_those_of_github() -> None:
    own = {name.replace("GITHUB", "FORGEJO"): value for name, value in PULL.items()}
    other = {name: f"not {value}" for name, value in PULL.items()}
    paths = {"FORGEJO_EVENT_PATH": "/own.json", "FORGEJO_WORKSPACE": "/own"}
    assert told(FORGEJO | other | own | paths, EVENT) == told(FORGEJO | PULL, EVENT)._replace(workspace="/own")
    assert event_file(FORGEJO | paths) == "/own.json"


def test_an_older_runner_is_known_by_its_other_name() -> None:
    assert told(ACTIONS | {"GITEA_ACTIONS": "true"} | PULL, EVENT).system == "Gitea Actions"


def test_the_merge_that_github_checks_out_is_not_what_was_pushed() -> None:
    variables = ACTIONS | PULL | {"GITHUB_SHA": MERGE, "GITHUB_REF": "refs/pull/12/merge"}
    job = told(variables, EVENT)
    assert (job.system, job.commit, job.head) == ("GitHub Actions", MERGE, HEAD)
    assert event_file(variables) == "/runner/event.json"


@pytest.mark.parametrize("event", ["", "{", "[]", "null", '{"pull_request": []}', "[" * 100_000])
def test_a_pull_request_whose_event_can_not_be_read(event: str) -> None:
    """The merge holds the branch, so judging it instead is right too."""
    job = pipeline_of(ACTIONS | PULL | {"GITHUB_SHA": MERGE, "GITHUB_REF": "refs/pull/12/merge"}, event)
    assert job is not None
    assert (job.subject, job.head, job.branch, job.base) == ("pull request 12", MERGE, "topic", "main")
    assert (job.base_sha, job.default_branch) == ("", "")


def test_the_head_of_a_pull_request_target_is_only_in_its_event() -> None:
    """GITHUB_SHA is the base there: judged instead, every pull request would be healthy."""
    variables = FORGEJO | PULL | {"GITHUB_EVENT_NAME": "pull_request_target", "GITHUB_SHA": BASE}
    assert told(variables, EVENT).head == HEAD
    with pytest.raises(CannotJudge) as caught:
        pipeline_of(variables)
    assert caught.value.message == (
        "Forgejo Actions, pull request 12: the environment of this job does not show which commit is to be judged."
    )


def test_a_pull_request_without_a_base() -> None:
    with pytest.raises(CannotJudge) as caught:
        pipeline_of({name: value for name, value in (FORGEJO | PULL).items() if name != "GITHUB_BASE_REF"})
    assert caught.value.message.endswith("does not show which branch it goes into.")
    assert "--target BRANCH --head COMMIT" in caught.value.hint


@pytest.mark.parametrize("value", [None, 7, True, [], {}, "--upload-pack=touch x", "HEAD"])
def test_an_event_that_says_something_else(value: object) -> None:
    """Its head is none, so the variables count; no text of the event becomes an option of git's."""
    event = EVENT | {"pull_request": {**EVENT["pull_request"], "head": {"ref": "topic", "sha": value}}}  # type: ignore[dict-item]
    if isinstance(value, str) or value == 7:
        with pytest.raises(CannotJudge):
            told(FORGEJO | PULL, event)
    else:
        assert told(FORGEJO | PULL, event).head == HEAD


def test_a_merge_queue() -> None:
    event = {
        "merge_group": {"base_ref": "refs/heads/main", "base_sha": BASE, "head_sha": HEAD},
        "repository": REPOSITORY,
    }
    variables = ACTIONS | {
        "GITHUB_EVENT_NAME": "merge_group",
        "GITHUB_REF_NAME": "gh-readonly-queue/main/pr-12-abc",
        "GITHUB_SHA": HEAD,
    }
    job = told(variables, event)
    assert (job.subject, job.head, job.base, job.branch) == (
        "merge queue of main",
        HEAD,
        "main",
        "gh-readonly-queue/main/pr-12-abc",
    )
    with pytest.raises(CannotJudge):
        told(variables)


def test_a_push() -> None:
    job = told(FORGEJO | PUSH, {"repository": REPOSITORY})
    assert (job.subject, job.head, job.branch, job.base, job.pull) == ("branch topic", HEAD, "topic", "", "")
    assert job.default_branch == "trunk"


def test_a_tag() -> None:
    job = told(FORGEJO | PUSH | {"GITHUB_REF_NAME": "v1", "GITHUB_REF_TYPE": "tag"})
    assert (job.subject, job.head, job.branch, job.tag, job.base) == ("tag v1", HEAD, "", "v1", "")


def test_a_job_that_tells_nothing() -> None:
    """As on a developer's machine where somebody plays CI."""
    assert pipeline_of({"GITHUB_ACTIONS": "true"}) is None
    assert pipeline_of({"GITLAB_CI": "true"}) is None


def test_a_merge_request_on_gitlab() -> None:
    job = told(GITLAB | MERGE_REQUEST)
    assert (job.system, job.subject, job.pull) == ("GitLab CI", "merge request 5", "merge-requests/5")
    assert (job.head, job.branch, job.base, job.default_branch) == (HEAD, "topic", "main", "trunk")
    # Where the branch began is not where main is.
    assert job.base_sha == ""


def test_gitlabs_merged_results_are_judged_by_what_was_pushed() -> None:
    variables = (
        GITLAB
        | MERGE_REQUEST
        | {
            "CI_COMMIT_SHA": MERGE,
            "CI_MERGE_REQUEST_EVENT_TYPE": "merged_result",
            "CI_MERGE_REQUEST_SOURCE_BRANCH_SHA": HEAD,
        }
    )
    assert (told(variables).commit, told(variables).head) == (MERGE, HEAD)


def test_a_merge_train_is_judged_with_those_that_go_before() -> None:
    variables = (
        GITLAB
        | MERGE_REQUEST
        | {
            "CI_COMMIT_SHA": MERGE,
            "CI_MERGE_REQUEST_EVENT_TYPE": "merge_train",
            "CI_MERGE_REQUEST_SOURCE_BRANCH_SHA": HEAD,
        }
    )
    assert told(variables).head == MERGE


def test_a_branch_and_a_tag_on_gitlab() -> None:
    assert told(GITLAB | {"CI_COMMIT_BRANCH": "topic"})[:5] == ("GitLab CI", "branch topic", HEAD, HEAD, "topic")
    assert told(GITLAB | {"CI_COMMIT_TAG": "v1"})[:6] == ("GitLab CI", "tag v1", HEAD, HEAD, "", "v1")


def test_a_pull_request_on_woodpecker() -> None:
    job = told(WOODPECKER | WOODPECKER_PULL)
    assert (job.system, job.subject, job.pull) == ("Woodpecker", "pull request 12", "pull/12")
    assert (job.head, job.branch, job.base, job.default_branch) == (HEAD, "topic", "main", "trunk")
    assert job.workspace == "/woodpecker/src/acme/shop"


def test_a_branch_and_a_tag_on_woodpecker() -> None:
    push = WOODPECKER | {"CI_PIPELINE_EVENT": "push", "CI_COMMIT_BRANCH": "topic"}
    assert told(push)[:5] == ("Woodpecker", "branch topic", HEAD, HEAD, "topic")
    tag = WOODPECKER | {"CI_PIPELINE_EVENT": "tag", "CI_COMMIT_BRANCH": "main", "CI_COMMIT_TAG": "v1"}
    assert told(tag)[:6] == ("Woodpecker", "tag v1", HEAD, HEAD, "", "v1")


def test_a_commit_of_the_newer_object_format() -> None:
    assert told(WOODPECKER | WOODPECKER_PULL | {"CI_COMMIT_SHA": "e" * 64}).head == "e" * 64

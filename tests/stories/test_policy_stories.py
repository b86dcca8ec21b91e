"""What the policy in a repository makes the service do."""

from __future__ import annotations

from tests.migrations import chain, merged
from tests.migrations import project as alembic_project
from tests.stories.conftest import Service

START = merged(alembic_project(), chain(("017", None), ("018", "017")))
POLICY = ".onehead.toml"


def begin(service: Service, policy: str = "") -> None:
    copy = service.project.copy
    copy.commit(START | ({POLICY: policy} if policy else {}), "Start")
    copy.push()


def collide(service: Service) -> tuple[int, str]:
    """A pull request with 020 on 018, and main at 019."""
    sha = service.project.push_branch("oauth", chain(("020", "018")))
    number = service.project.open_pull("oauth")["number"]
    service.project.copy.commit(chain(("019", "018")), "Player teams")
    service.project.copy.push()
    service.settle()
    return number, sha


def test_a_wrong_key_is_told_on_the_pull_request_that_brings_it(service: Service) -> None:
    begin(service)
    sha = service.project.push_branch("rules", {POLICY: 'strategy = "merge"\nfresh_ids = true\n'})
    number = service.project.open_pull("rules")["number"]
    service.settle()
    assert service.status(sha)[0] == "failure"
    [said] = service.verdicts(number)
    assert "The policy on `rules` can't be used" in said["body"]
    assert (
        "`bad-policy`: `.onehead.toml`, line 2: `fresh_ids` is not a key of onehead's policy. Did you mean `fresh-ids`?"
    ) in said["body"]

    copy = service.project.copy
    copy.switch("rules")
    mended = copy.commit({POLICY: 'strategy = "merge"\nfresh-ids = true\n'}, "Mend the key")
    copy.push()
    copy.switch("main")
    service.settle()
    assert service.status(mended)[0] == "success"
    [after] = service.verdicts(number)
    assert after["id"] == said["id"]
    assert "Resolved" in after["body"]


def test_the_target_says_how_its_branches_are_repaired(service: Service) -> None:
    begin(service, 'strategy = "merge"\n')
    collide(service)
    [repair] = service.repairs()
    assert repair["head"]["ref"] == "onehead/merge/oauth"


def test_a_policy_that_is_not_understood_on_the_target_keeps_from_re_parenting(service: Service) -> None:
    begin(service, 'shared-database = ["staging"]\n')
    number, _ = collide(service)
    [repair] = service.repairs()
    assert repair["head"]["ref"] == "onehead/merge/oauth"
    [said] = service.verdicts(number)
    assert "- **warning** `bad-policy`: `.onehead.toml`, line 1: `shared-database` is not a key" in said["body"]


def test_fresh_ids_reach_the_branch_by_a_pull_request(service: Service) -> None:
    begin(service, "fresh-ids = true\n")
    number, _ = collide(service)
    [repair] = service.repairs()
    assert repair["head"]["ref"] == "onehead/reissue/oauth"
    [said] = service.verdicts(number)
    assert f"#{repair['number']} moves this branch's chain onto `019`, under new ids." in said["body"]
    service.project.merge(repair["number"])
    service.settle()
    assert service.status(service.project.pull(number)["head"]["sha"])[0] == "success"

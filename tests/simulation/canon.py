"""The state of a repository in words that are the same on every forge: no numbers, commits, times or addresses.

What was said and taken back again counts as never said: whether anybody ever saw it depends on how quick onehead was.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator

from onehead.forge import intents
from onehead.service.snapshot import ENDED
from tests.simulation.place import OURS, Place, Site
from tests.standin import issue_shapes
from tests.standin.world import Comment, Issue


def canon(place: Place, name: str) -> dict[str, str]:
    """What is there and how it stands, as lines that can be compared one by one."""
    site = place.sites[name]
    lines = dict(_branches(place, site))
    lines |= {f"target {branch}": _status(place, site, site.repository.tip(branch)) for branch in place.targets(name)}
    for issue in site.repository.issues.values():
        if issue.pull is not None:
            lines |= dict(_pull(place, site, issue))
    for said, (comment, key) in site.said.items():
        number = site.issue if key == "I" else site.pulls[key]
        lines[f"reply to {said}"] = " | ".join(
            neutral(site, note.body, place)
            for note in site.repository.issues[number].comments
            if note.poster is place.bot and (mark := intents.parse(note.body)) and mark.about == str(comment)
        )
    return lines


def differences(one: dict[str, str], other: dict[str, str]) -> list[str]:
    """Where two canonical states differ, both sides of each line."""
    found = []
    for key in sorted(one.keys() | other.keys()):
        before, after = one.get(key, ""), other.get(key, "")
        if before != after:
            lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=0)
            found.append("\n    ".join([key, *(line for line in lines if not line.startswith(("---", "+++", "@@")))]))
    return found


def _branches(place: Place, site: Site) -> Iterator[tuple[str, str]]:
    for branch, sha in site.repository.branches().items():
        yield f"branch {place.symbol(site, branch)}", site.reader.tree(sha)
    for ref, sha in sorted(site.repository.refs.items()):
        if ref.startswith("refs/onehead/"):
            yield f"ref {place.symbol(site, ref)}", site.reader.tree(sha)
    for branch, sha in site.fork.branches().items():
        yield f"fork {branch}", site.reader.tree(sha)


def _pull(place: Place, site: Site, issue: Issue) -> Iterator[tuple[str, str]]:
    pull = issue.pull
    assert pull is not None
    key = site.keys.get(issue.number)
    state = "merged" if pull.merged_at else "closed" if issue.is_closed else "open"
    if key is None:
        if state != "open":
            return
        key = f"{place.symbol(site, pull.head_branch)} into {pull.base_branch}"
        yield f"{key} body", neutral(site, issue.body, place)
    yield f"{key}", f"{state} into {pull.base_branch}: {issue.title}"
    if state == "open":
        yield f"{key} status", _status(place, site, issue_shapes.head_sha(site.repository, issue, pull))
    verdict = next((note for note in issue.comments if is_verdict(place, note)), None)
    mark = intents.parse(verdict.body) if verdict else None
    if verdict and mark and mark.facts.get("state") != ENDED:
        yield f"{key} verdict", neutral(site, verdict.body, place)


def is_verdict(place: Place, note: Comment) -> bool:
    """Whether a comment is onehead's word on how a pull request stands."""
    return note.poster is place.bot and note.body.startswith("<!-- onehead:verdict ")


def _status(place: Place, site: Site, sha: str) -> str:
    status = place.status(site, sha)
    return "none" if status is None else neutral(site, f"{status.state}: {status.description}", place)


def neutral(site: Site, text: str, place: Place) -> str:
    """A text without what differs between forges that stand alike."""
    text = re.sub(r"\A<!-- onehead:.*?-->\n?", "", text)
    text = text.replace(place.server.url, "URL")
    text = re.sub(r"(?:#|&#35;&#8203;)(\d+)(?![0-9a-f])", lambda found: f"#{_name(place, site, int(found[1]))}", text)
    text = re.sub(r"/pr-(\d+)", lambda found: f"/pr-{site.keys.get(int(found[1]), found[1])}", text)
    text = re.sub(r"(?m)^Date: .*$", "Date:", text)
    return re.sub(r"\b(?:[0-9a-f]{40}|[0-9a-f]{10})\b", "COMMIT", text)


def _name(place: Place, site: Site, number: int) -> str:
    if number in site.keys:
        return site.keys[number]
    issue = site.repository.issues.get(number)
    if issue is None or issue.pull is None:
        return str(number)
    return f"[{place.symbol(site, issue.pull.head_branch).removeprefix(OURS)} into {issue.pull.base_branch}]"

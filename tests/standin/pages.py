"""Web pages for people who want to look: an issue or a pull request with its checks and comments."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from tests.standin import gitside, issue_shapes
from tests.standin.access import can
from tests.standin.merging import latest_statuses
from tests.standin.page import MARKS, entry, folded_diff, mermaid_script, page

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from tests.standin.forge import Forge
    from tests.standin.world import Issue, Pull, Repository, Status, User

    Page = tuple[int, str, bytes]

HTML = "text/html; charset=utf-8"
_LOST: Page = (404, HTML, b"<!doctype html><title>Not found</title><h1>404</h1><p>There is nothing here.</p>")


def issue_page(forge: Forge, path: dict[str, str]) -> Page:
    """Show an issue or a pull request; both numbers lead here under either address, as on the forge."""
    with forge.world.lock:
        repository = forge.world.repository(path["owner"], path["repo"])
        if repository is None or not can(repository, None, "read") or not path["number"].isdecimal():
            return _LOST
        issue = repository.issues.get(int(path["number"]))
        if issue is None:
            return _LOST
        return 200, HTML, _render(repository, issue).encode()


def overview(forge: Forge, path: dict[str, str]) -> Page:
    """Show what a repository has: its pull requests and issues, newest first."""
    with forge.world.lock:
        repository = forge.world.repository(path["owner"], path["repo"])
        if repository is None or not can(repository, None, "read"):
            return _LOST
        rows = []
        for issue in sorted(repository.issues.values(), key=lambda issue: -issue.number):
            link = f'<a href="{issue_shapes.page_of(forge.world, repository, issue)}">{escape(issue.title)}</a>'
            rows.append(f'<li>{_state(issue)} {link} <span class="number">#{issue.number}</span></li>')
        summary = f"clone <code>{forge.world.url}/{escape(repository.full_name)}.git</code>"
        listed = f'<ul class="list">{"".join(rows) or "<li>Nothing yet.</li>"}</ul>'
        shown = _page(repository, "Pull requests and issues", "", summary, listed)
    return 200, HTML, shown.encode()


def _render(repository: Repository, issue: Issue) -> str:
    entries = [_entry(repository, issue.poster, issue.created, issue.body, "")]
    entries += [
        _entry(repository, note.poster, note.created, note.body, f"issuecomment-{note.id}") for note in issue.comments
    ]
    if issue.pull is not None:
        entries = [
            _changes(repository, issue, issue.pull),
            *entries,
            _checks(repository, issue, issue.pull),
        ]
    summary = f"{_state(issue)} {_summary(repository, issue)}"
    return _page(repository, issue.title, f"#{issue.number}", summary, "\n".join(entries))


def _page(repository: Repository, title: str, number: str, summary: str, content: str) -> str:
    name = escape(repository.full_name)
    return page(
        f"{number} {title} · {repository.full_name}",
        f'<b>Stand-in Forgejo</b> <a href="/{name}">{name}</a>',
        f'<h1>{escape(title)} <span class="number">{number}</span></h1>\n<p class="summary">{summary}</p>\n{content}',
    )


def _state(issue: Issue) -> str:
    if issue.pull is not None and issue.pull.merged_at is not None:
        return '<span class="state merged">Merged</span>'
    if issue.is_closed:
        return '<span class="state closed">Closed</span>'
    return f'<span class="state open">{"Draft" if issue_shapes.is_draft(issue) else "Open"}</span>'


def _summary(repository: Repository, issue: Issue) -> str:
    who = f"<b>{escape(issue.poster.name)}</b>"
    pull = issue.pull
    if pull is None:
        return f"{who} opened this issue · {len(issue.comments)} comments"
    head = escape(pull.head_branch)
    if pull.head_repository is not None and pull.head_repository is not repository:
        head = f"{escape(pull.head_repository.owner.name)}:{head}"
    merged = pull.merged_at is not None
    words = "merged this" if merged else "wants to merge this"
    if merged and pull.merged_by is not None:
        who = f"<b>{escape(pull.merged_by.name)}</b>"
    return f"{who} {words} from <code>{head}</code> into <code>{escape(pull.base_branch)}</code>"


def _entry(repository: Repository, person: User, moment: datetime, text: str, anchor: str) -> str:
    said = f" commented {moment.strftime('%Y-%m-%d %H:%M')}"
    return entry(person.name, text, repository.full_name, said=said, anchor=anchor)


def _checks(repository: Repository, issue: Issue, pull: Pull) -> str:
    statuses = latest_statuses(repository, issue_shapes.head_sha(repository, issue, pull))
    rows = "\n".join(_check(status) for status in statuses) or "<li>No checks have reported on the head commit.</li>"
    words = {"conflict": "This branch has conflicts with its target.", "checking": "Looking for conflicts …"}
    verdict = words.get(pull.check, "This pull request can be merged automatically.")
    if issue.is_closed:
        verdict = "This pull request was merged." if pull.merged_at else "This pull request is closed."
    return f'<section class="checks"><ul>{rows}</ul><p>{verdict}</p></section>'


def _check(status: Status) -> str:
    mark, about = MARKS.get(status.state, "?"), f"{escape(status.context)}</b> — {escape(status.description)}"
    return f'<li class="{escape(status.state)}"><span class="mark">{mark}</span><b>{about}</li>'


def _changes(repository: Repository, issue: Issue, pull: Pull) -> str:
    head = issue_shapes.head_sha(repository, issue, pull)
    if not head or not pull.merge_base:
        return ""
    diff = gitside.text(repository.path, "diff", pull.merge_base, head)
    changed, added, removed = gitside.short_stat(repository.path, pull.merge_base, head)
    files = f"{changed} changed file{'' if changed == 1 else 's'}"
    counts = f"<b class=plus>+{added}</b> <b class=minus>-{removed}</b>"
    return folded_diff(f"{files} {counts}", diff)


def mermaid(_: Forge, __: dict[str, str]) -> Page:
    """Give Mermaid's own JavaScript, or 404 when the package that carries it is not installed."""
    script = mermaid_script()
    return _LOST if script is None else (200, "text/javascript; charset=utf-8", script)


PAGES: dict[str, Callable[[Forge, dict[str, str]], Page]] = {
    "/assets/mermaid.js": mermaid,
    "/{owner}/{repo}": overview,
    "/{owner}/{repo}/pulls/{number}": issue_page,
    "/{owner}/{repo}/issues/{number}": issue_page,
}

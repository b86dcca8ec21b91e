"""What is wrong with a repository as a whole: its policy, and configuration that belongs to no environment."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from onehead.plan.findings import KINDS, Code, Finding, Severity, Side
from onehead.plan.policy_file import PolicyProblem
from onehead.revisions.model import ConfigProblem


def policy_findings(
    problems: Iterable[PolicyProblem], old: Collection[PolicyProblem], *, alone: bool
) -> Iterator[Finding]:
    """What can't be used of a policy.

    Args:
        problems: those of the judged tree.
        old: those of the target.
        alone: the target itself is judged, and answers for all of them.
    """
    # Not the line: it changes with every line that is written above.
    known = {(problem.path, problem.message) for problem in old}
    for problem in problems:
        inherited = not alone and (problem.path, problem.message) in known
        severity: Severity = "warning" if inherited else KINDS[Code.BAD_POLICY].severity
        side: Side = "target" if alone or inherited else "head"
        yield _finding(Code.BAD_POLICY, severity, side, problem.path, problem.line, problem.message)


def configuration_findings(
    problems: Iterable[ConfigProblem], old: Collection[ConfigProblem], *, alone: bool
) -> Iterator[Finding]:
    """What can't be understood of configuration that no judged environment could be told about; arguments as above."""
    for problem in problems:
        inherited = not alone and problem in old
        severity: Severity = "note" if inherited else KINDS[Code.UNREADABLE_CONFIG].severity
        side: Side = "target" if alone or inherited else "head"
        found = _finding(Code.UNREADABLE_CONFIG, severity, side, problem.path, problem.line, f"{problem.reason}.")
        # A branch may have written it just so that nobody sees what it declares.
        yield found._replace(severity="error", blinds=True) if problem.unread and side == "head" else found


def _finding(code: Code, severity: Severity, side: Side, path: str, line: int, message: str) -> Finding:
    place = f"`{path}`, line {line}" if line else f"`{path}`"
    return Finding(code, severity, side, f"{place}: {message}", paths=(path,), line=line)

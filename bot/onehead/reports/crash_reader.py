"""Who reads what a crash means, and what there is to know about it: values for the explanations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from shlex import quote
from typing import NamedTuple

from onehead.databases.schema_effects import Traces
from onehead.plan.facts import Facts
from onehead.plan.verdict import Point
from onehead.quoting import code
from onehead.reports.paint import visible
from onehead.reports.text import named_again, short_ref
from onehead.wording import listed, shortened


class Reader(NamedTuple):
    """Who reads an explanation.

    Attributes:
        mark: how a name stands out.
        doctor: the command that judges a database by some rows.
        nowhere: what is said of a revision that nothing else here has.
        repairing: where to find the repair of a chain.
        git: how a command of git for the repository begins.
    """

    mark: Callable[[str], str]
    doctor: Callable[[Sequence[str]], str]
    nowhere: str
    repairing: str
    git: str = "git"


IN_A_COMMENT = Reader(
    code,
    lambda rows: f"`/onehead doctor {' '.join(rows)}`",
    "no open pull request and no branch here would bring it",
    "onehead proposes a repair where it can; its check of the branch says more.",
)


def in_a_terminal(at: str, repo: str = ".") -> Reader:
    """A reader who judges a commit of a repository in a terminal: commands are those of the command line."""
    ref = quote(visible(at))
    return Reader(
        lambda text: f"`{visible(text)}`",
        lambda rows: f"`{doctor_at(at, repo)} --rows {quote(visible(','.join(rows)))}`",
        "no branch, tag or earlier commit of this repository has it",
        f"`onehead check{named_again(repo)} --target {ref}` says what repairs it.",
        f"git{named_again(repo, '-C')}",
    )


def doctor_at(at: str, repo: str = ".") -> str:
    """The command that judges databases of a commit; `HEAD` and the repository here need no option."""
    return f"onehead doctor{named_again(repo)}" + ("" if at == "HEAD" else f" --at {quote(visible(at))}")


class Background(NamedTuple):
    """What there is to know about a crash.

    Attributes:
        facts: the environment, judged by itself.
        target: the deployed branch or commit.
        places: where the revision that it names stands, if not there ("#5", "branch oauth"), marked up like the rest.
        past: what has become of it, if it was there once ("5f2c0d1 Tidy up removed it").
        traces: what each revision leaves in a schema; `None` where nobody has looked.
    """

    facts: Facts
    target: Point
    places: str = ""
    past: str = ""
    traces: Mapping[str, Traces] | None = None

    @property
    def deployed(self) -> str:
        """The branch or commit, as people name it."""
        return short_ref(self.target.ref)

    @property
    def commit(self) -> str:
        """Its SHA, shortened."""
        return self.target.sha[:10]


def named(names: Sequence[str], mark: Callable[[str], str]) -> str:
    """Several names in a sentence, each shortened and marked."""
    return listed([mark(shortened(name)) for name in names])

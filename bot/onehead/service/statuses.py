"""What the status of each judged commit is to say. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace

from onehead.examine import naming
from onehead.forge.intents import MAX_DESCRIPTION_LENGTH
from onehead.forge.models import Status, StatusState
from onehead.text import cut_words

_MAX_LENGTH_BEFORE_A_NOTE = 140


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found about one subject: a pull request into its target, a branch, a deployed branch.

    Attributes:
        sha: the commit that it is about.
        state: success or failure.
        text: one sentence.
        about: what it is about, where that has to be said because more is judged of the commit; empty: its subject.
        next: the next step as far as it is known before anything is done, a sentence; a note replaces it.
    """

    sha: str
    state: StatusState
    text: str
    about: str = ""
    next: str = ""


class Statuses:
    """What the status of each judged commit is to say.

    A commit has one status, and several things may be judged of it: a branch that is proposed to two targets, or a
    branch that nobody has added to yet. The worst verdict counts.
    """

    def __init__(self) -> None:
        self._verdicts: dict[str, dict[str, Verdict]] = defaultdict(dict)
        self._notes: dict[str, str] = {}
        self._links: dict[str, str] = {}

    def learn(self, subject: str, verdict: Verdict) -> None:
        """Keep a verdict; a later one about the same subject and commit replaces it."""
        self._verdicts[verdict.sha][subject] = verdict

    def note(self, subject: str, text: str) -> None:
        """Something that is told behind the verdict about a subject, such as the next step; the last one counts."""
        self._notes[subject] = text

    def link(self, subject: str, url: str) -> None:
        """The page that says more about a subject."""
        if url:
            self._links[subject] = url

    def worst(self) -> Iterator[tuple[str, Verdict]]:
        """The verdict that counts for each commit, with its subject: failures first.

        Among several failures the first that was learned counts, so the text does not change from run to run.
        """
        chosen = []
        for verdicts in self._verdicts.values():
            failures = [each for each in verdicts.items() if each[1].state is not StatusState.SUCCESS]
            subject, verdict = next(iter(failures or verdicts.items()))
            if failures and len(verdicts) > 1:
                verdict = replace(verdict, text=f"{_about(subject, verdict)}: {verdict.text}")
            chosen.append((subject, verdict))
        yield from sorted(chosen, key=lambda each: each[1].state is StatusState.SUCCESS)

    def red_beside(self, subject: str, sha: str) -> str:
        """Which other subject of a commit fails, so that its status is red whatever this one says; empty for none."""
        others = self._verdicts[sha].items()
        failing = (each for each, found in others if each != subject and found.state is not StatusState.SUCCESS)
        return next(failing, "")

    def wanted(self, subject: str, verdict: Verdict, present: Status | None) -> Status:
        """What the status of a commit is to say.

        Args:
            subject: the one whose verdict counts; its note goes before those of the others at the same commit.
            verdict: that verdict.
            present: what stands there; its link stays where this run knows no other.
        """
        subjects = (subject, *self._verdicts[verdict.sha])
        note = next((self._notes[each] for each in subjects if each in self._notes), verdict.next)
        text = f"{_before_a_note(verdict)} {note}" if note else _line(verdict)
        link = self._links.get(subject, present.target_url if present else "")
        return Status(naming.STATUS, verdict.state.value, cut_words(text, MAX_DESCRIPTION_LENGTH), link)


def _about(subject: str, verdict: Verdict) -> str:
    return verdict.about or subject.removeprefix("refs/heads/")


def tells(present: Status, verdict: Verdict) -> bool:
    """Whether a status tells a verdict already, whatever note stands behind it: notes are known only at the end."""
    is_same = present.description == cut_words(_line(verdict), MAX_DESCRIPTION_LENGTH)
    return present.state == verdict.state and (is_same or present.description.startswith(f"{_before_a_note(verdict)} "))


def _line(verdict: Verdict) -> str:
    return " ".join(verdict.text.split())


def _before_a_note(verdict: Verdict) -> str:
    return cut_words(_line(verdict), _MAX_LENGTH_BEFORE_A_NOTE)

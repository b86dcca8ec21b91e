"""What can go wrong with git, in words a person can act on, and how git's own words are recognised.

Recognition rests on git's untranslated messages: every command runs with `LC_ALL=C`.
"""

from __future__ import annotations

import os

from onehead.errors import CannotJudge, OneheadError, UsageError

# Compiled by those who need them: where nothing goes wrong, nobody does.
_CREDENTIALS_IN_URL = r"(?<=://)[^/@\s'\"]+@"
_AUTHORIZATION = r"(?i)(authorization:[ \t]*(?:(?:basic|bearer|token)[ \t]+)?)[^\s'\"]+"


class NotARepository(UsageError):
    """The directory is no git repository (or does not exist)."""


class UntrustedRepository(UsageError):
    """The repository belongs to another user and git refuses to open it."""


class PlantedRepository(UsageError):
    """The repository lies in the work tree of another one, where a push can have put it."""

    def __init__(self, repository: str, work_tree: str) -> None:
        from shlex import quote  # noqa: PLC0415 - as `re` below

        super().__init__(
            f"{repository} is a repository inside the work tree of another one, {work_tree}. A push can have put it "
            "there, with a configuration that makes git run programs, so it is not opened.",
            f"Name the checkout itself: `--repo {quote(work_tree)}`. If the inner repository is yours and is meant, "
            "move it out of the work tree.",
        )


class UnknownRef(UsageError):
    """A name resolves to no commit. Attribute `ref`: the name as given."""

    def __init__(self, ref: str, message: str, hint: str) -> None:
        super().__init__(message, hint)
        self.ref = ref


class AmbiguousRef(UnknownRef):
    """A name stands for several different commits."""


class EmptyRepository(CannotJudge):
    """The repository has no commit yet."""


class ShallowHistory(CannotJudge):
    """The answer lies in history that this shallow clone does not have."""


class MissingObjects(CannotJudge):
    """Objects that the history names are not there: a partial clone, or a damaged repository."""


class GitTooOld(CannotJudge):
    """There is no git on the path, or it is older than 2.38 (`git merge-tree --write-tree`)."""


class GitTimeout(CannotJudge):
    """A git command took longer than allowed and was ended."""


class GitFailed(CannotJudge):
    """Git failed in a way that has no name of its own.

    Attributes:
        code: git's exit code; negative when a signal ended it.
        output: what git wrote to standard error, redacted.
    """

    def __init__(self, command: str, directory: str, code: int, output: str) -> None:
        said = output.strip() or "nothing"
        super().__init__(
            f"`git {command}` failed with exit code {code} and said: {said}",
            f"Run `{as_typed(directory, 'fsck')}`; if it finds nothing wrong, report this message.",
        )
        self.code = code
        self.output = output


def as_typed(directory: str, *words: str) -> str:
    """A git command for the repository in a directory, as a person types it where they are now."""
    from shlex import join  # noqa: PLC0415 - as `re` below

    place = os.path.realpath(directory)
    return join(("git", *(() if place == os.path.realpath(os.curdir) else ("-C", place)), *words))


def redact(text: str, secrets: tuple[str, ...] = ()) -> str:
    """Text without credentials: known secrets, user information in URLs and Authorization headers."""
    if not text:
        return text
    for secret in secrets:
        if secret:
            text = text.replace(secret, "***")
    import re  # noqa: PLC0415 - where nothing goes wrong, nobody needs it, and start-up counts

    return re.sub(_AUTHORIZATION, r"\1***", re.sub(_CREDENTIALS_IN_URL, "***@", text))


def explain(command: str, directory: str, code: int, output: str) -> OneheadError:
    """The error that fits what git said.

    Args:
        command: git's subcommand.
        directory: where it ran.
        code: its exit code.
        output: its standard error, already redacted.
    """
    import re  # noqa: PLC0415 - as above
    from shlex import quote  # noqa: PLC0415

    if "dubious ownership" in output:
        return UntrustedRepository(
            f"Git refuses to read {directory}: it belongs to another user.",
            f"If you trust it, run `git config --global --add safe.directory {quote(_owned(output) or directory)}` "
            "as the user that runs onehead (the system-wide git configuration is not read).",
        )
    if "not a git repository" in output or "invalid gitfile format" in output:
        return NotARepository(
            f"{directory} is not a git repository.",
            "Name a checkout or a bare repository with `--repo DIR`.",
        )
    if "promisor remote" in output:
        return MissingObjects(
            f"The repository in {directory} is a partial clone, and files that are needed have not been fetched.",
            "Clone without `--filter`, or fetch them with "
            f"`{as_typed(directory, 'fetch', '--refetch', '--no-filter', 'origin')}`.",
        )
    if re.search(_DAMAGE, output):
        return MissingObjects(
            f"Objects are missing from the repository in {directory}, or damaged. Git said: {output.strip()}",
            f"Run `{as_typed(directory, 'fsck')}`, and clone it again if that reports errors.",
        )
    return GitFailed(command, directory, code, output)


_DAMAGE = (
    r"(?i)unable to read|could not read|bad object|bad tree|object file .* is empty|corrupt|missing blob|bad pack"
    r"|cannot be accessed|not a valid (?:object|commit)|not a tree object|could not get object info"
    r"|inflate: data stream error|did not match index|unable to unpack|not something we can merge"
)


def _owned(output: str) -> str:
    import re  # noqa: PLC0415 - as above

    found = re.search(r"dubious ownership in repository at '(.+)'", output)
    return found.group(1) if found else ""

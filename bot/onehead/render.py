"""Values in, texts out. Only here `templates/` is read and jinja2 used, which is loaded when the first text is made."""

# A check of two branches that collide makes a revision, and pathlib takes 6 ms to load.
# ruff: noqa: PTH100, PTH112, PTH118, PTH120, PTH123

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING, Any

from onehead.errors import UsageError
from onehead.revisions.merge_file import NewRevision, is_merge_of
from onehead.revisions.parse import parse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jinja2 import Environment

_MAX_TEMPLATE_LENGTH = 32 * 1024
_MAX_FILE_LENGTH = 256 * 1024


def templates_folder() -> str:
    """Where the templates are: inside the installed package, else beside the source root of a checkout."""
    package = os.path.dirname(os.path.abspath(__file__))
    packaged = os.path.join(package, "_templates")
    return packaged if os.path.isdir(packaged) else os.path.join(package, *2 * [os.pardir], "templates")


@cache
def stock(name: str) -> bytes:
    """A file of `templates/` as it is."""
    with open(os.path.join(templates_folder(), name), "rb") as file:
        return file.read()


def stock_revision() -> bytes:
    """What Alembic's own template gives, as any Python can read it: the model where no file of a project can be one."""
    return stock("revision/merge.py.txt")


def rendered(template: str, /, **values: object) -> str:
    """A text of `templates/`, without space at either end: nothing is escaped, and a missing value is an error."""
    return _texts().get_template(template).render(values).strip()


@cache
def _texts() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415 - not needed to judge

    # The texts are Python, Markdown and terminal lines; what is quoted from a repository is escaped by its author.
    return Environment(  # noqa: S701
        loader=FileSystemLoader(templates_folder()), undefined=StrictUndefined, **_LAYOUT
    )


def html(name: str, values: Mapping[str, object]) -> str:
    """A page of `templates/page/`: every value in it is escaped, and a missing one is an error.

    What can't be seen is left out of values, and half characters, which no page can hold, become others: a branch may
    have any bytes as its name.
    """
    return _pages().get_template(name).render(values).encode("utf-8", "replace").decode("utf-8")


@cache
def _pages() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415

    from onehead.text import visible  # noqa: PLC0415

    def seen(value: object) -> object:
        """A value as it is put into a page; what is marked as safe is no plain text, and stays."""
        return visible(value) if type(value) is str else value

    loader = FileSystemLoader(os.path.join(templates_folder(), "page"))
    return Environment(loader=loader, undefined=StrictUndefined, autoescape=True, finalize=seen, **_LAYOUT)


_LAYOUT: dict[str, Any] = {"trim_blocks": True, "lstrip_blocks": True, "keep_trailing_newline": True}


@cache
def _sandbox() -> Environment:
    """The environment for a template out of a repository: no loader, no globals, no calls into our objects."""
    from jinja2 import StrictUndefined  # noqa: PLC0415
    from jinja2.exceptions import SecurityError  # noqa: PLC0415
    from jinja2.runtime import Macro  # noqa: PLC0415
    from jinja2.sandbox import ImmutableSandboxedEnvironment  # noqa: PLC0415

    class Sandbox(ImmutableSandboxedEnvironment):
        """Also refuses the operators and filters by which a short template makes a huge text."""

        intercepted_binops = frozenset({"*", "**", "%"})

        def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:  # noqa: ARG002
            raise SecurityError(f"the operator {operator} is not available in a revision template")

        def is_safe_callable(self, obj: Any) -> bool:
            return isinstance(obj, Macro)

    sandbox = Sandbox(undefined=StrictUndefined, autoescape=False, **_LAYOUT)
    sandbox.globals.clear()
    allowed = ("default", "first", "join", "last", "length", "list", "lower", "replace", "sort", "trim", "upper")
    sandbox.filters = {name: sandbox.filters[name] for name in allowed}
    return sandbox


def from_template(revision: NewRevision, template: str) -> NewRevision:
    """The file of a merge revision as a repository's own template writes it.

    The template, rendered in a sandbox, may use `revision`, `parents` (in the order of `down_revision`), `message`,
    `create_date` (may be empty), and `copy`: the whole file as onehead would write it.

    Raises:
        UsageError: the template can't be used, or what it gives is no merge of these heads.
    """
    values: dict[str, object] = {
        "revision": revision.id,
        "parents": revision.parents,
        "message": revision.message,
        "create_date": revision.create_date,
        "copy": revision.data.decode("utf-8", "replace").replace("\r\n", "\n"),
    }
    # One newline ends the file, whatever the template ends with; lines end as in the project's files.
    newline = "\r\n" if b"\r\n" in revision.data else "\n"
    data = (_from_repository(template, values).rstrip() + "\n").replace("\n", newline).encode()
    if not is_merge_of(data, revision.id, revision.parents):
        read = parse(data)
        raise UsageError(
            f"The revision template gives a file that is not the revision {revision.id} on "
            f"{' and '.join(revision.parents)}: it declares {read.revision!r} on top of {read.parents!r}.",
            "Correct the template: it must write `revision`, `down_revision` and both functions, as `copy` does.",
        )
    return revision._replace(data=data)


def _from_repository(template: str, values: dict[str, object]) -> str:
    from jinja2 import TemplateError  # noqa: PLC0415

    hint = "Correct the template on the target branch, or remove `merge-template` from its policy."
    if len(template) > _MAX_TEMPLATE_LENGTH:
        raise UsageError(f"The revision template is longer than {_MAX_TEMPLATE_LENGTH} characters.", hint)
    pieces: list[str] = []
    size = 0
    try:
        for piece in _sandbox().from_string(template).generate(values):
            pieces.append(piece)
            size += len(piece)
            if size > _MAX_FILE_LENGTH:
                raise UsageError(
                    f"The revision template makes a file of more than {_MAX_FILE_LENGTH} characters.", hint
                )
    except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, RecursionError) as error:
        raise UsageError(f"The revision template can't be rendered: {error}.", hint) from error
    return "".join(pieces)

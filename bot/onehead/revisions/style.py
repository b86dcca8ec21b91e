"""How the revision files of a project look, read from its newest ones: all a new file needs to pass for theirs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from onehead.revisions.anatomy import NAMES, Anatomy, dissect, quotes_of
from onehead.revisions.annotations import Assignment, assignments
from onehead.revisions.docstring import DocLine, doc_lines
from onehead.revisions.functions import Function, functions
from onehead.revisions.imports import header_imports, import_block, names_in, typing_names
from onehead.revisions.positions import NEWLINE
from onehead.revisions.revision import Revision


@dataclass(frozen=True, slots=True)
class Sibling:
    """A revision of the environment and its file."""

    revision: Revision
    data: bytes


@dataclass(frozen=True, slots=True)
class Gaps:
    """Blank lines: after the docstring, between imports and header, before each function."""

    docstring: int = 0
    header: int = 1
    function: int = 2


@dataclass(frozen=True, slots=True)
class Style:
    """The look of a file; by default Alembic's own of old, which every Python can read.

    Attributes:
        preamble: comment lines above the docstring, such as a licence.
        quotes: what encloses the docstring.
        doc: its lines; a last blank one puts the closing quotes on a line of their own.
        imports: the import block; empty for none.
        imports_last: whether the header stands above the imports, as the first Alembic versions wrote it.
        comment: comment lines above the assignments; empty for none.
        assignments: the header, in order.
        quote: prefix and quotes of ids.
        functions: `upgrade` and `downgrade`.
        indent: one level of indentation.
        gaps: blank lines.
        newline: line ending.
    """

    preamble: str = ""
    quotes: str = '"""'
    doc: tuple[DocLine, ...] = DocLine.usual()
    imports: str = "from alembic import op\nimport sqlalchemy as sa"
    imports_last: bool = False
    comment: str = "# revision identifiers, used by Alembic."
    assignments: tuple[Assignment, ...] = tuple(Assignment(name) for name in NAMES)
    quote: tuple[str, str] = ("", "'")
    functions: tuple[Function, ...] = (Function("upgrade"), Function("downgrade"))
    indent: str = "    "
    gaps: Gaps = Gaps()
    newline: str = "\n"


def newest(revisions: Sequence[Revision], heads: Sequence[str], count: int = 8) -> list[Revision]:
    """The revisions nearest to the heads, newest first, the nearest merge among them: models for a new file.

    Args:
        revisions: the whole environment.
        heads: where to start, the most trusted first.
        count: how many; one more where the nearest merge lies further down.
    """
    known = {revision.id: revision for revision in revisions}
    todo = [known[head] for head in heads if head in known]
    seen = {revision.id for revision in todo}
    found: list[Revision] = []
    for revision in todo:  # grows while it is walked: breadth first
        if len(found) < count or len(revision.parents) > 1:
            found.append(revision)
        if len(found) >= count and any(len(each.parents) > 1 for each in found):
            break
        fresh = [known[parent] for parent in revision.parents if parent in known and parent not in seen]
        seen.update(each.id for each in fresh)
        todo.extend(fresh)
    return found


def house_style(siblings: Sequence[Sibling]) -> Style:
    """The style that a new merge should have.

    An existing merge is the best model while it agrees with the newest file about annotations, quotes and parameters;
    one from before the house changed its style is none. A file that can't be read is passed over.

    Args:
        siblings: newest first.
    """
    read = [(len(each.revision.parents) > 1, dissect(each.data)) for each in siblings]
    files = [(merge, file) for merge, file in read if isinstance(file, Anatomy) and "revision" in file.declared]
    if not files:
        return Style()
    first = files[0][1]
    merge, model = next((each for each in files if each[0] and _fashion(each[1]) == _fashion(first)), files[0])
    return _style(model, [model, *(file for _, file in files if file is not model)], merge=merge)


def _fashion(file: Anatomy) -> tuple[object, ...]:
    """What changes when a house changes its style."""
    up, _ = functions(file, typing_names(file))
    annotated = bool(file.declared["revision"].annotation)
    return annotated, _quote(file), up.parameters, bool(up.returns), file.label("Revises") is None


def _style(model: Anatomy, files: Sequence[Anatomy], *, merge: bool) -> Style:
    names = typing_names(model)
    header = assignments(files, names, merge=merge)
    both = functions(model, names)
    needed = {name for each in header for name in names_in(each.annotation)}
    for function in both:
        needed |= names_in(function.parameters + function.returns) & set(names)
    quotes, doc = doc_lines(model)
    span = header_imports(model)
    imports = import_block(files, needed)
    gaps = _gaps(model, span)
    if not imports:
        gaps = replace(gaps, docstring=max(gaps.docstring, 1))  # it was measured above imports that are gone
    found = NEWLINE.search(model.text)
    indented = re.search(r"(?:\r\n|\r|\n)def [^\r\n]*:[ \t]*(?:\r\n|\r|\n)([ \t]+)\S", model.text)
    return Style(
        preamble=_preamble(files),
        quotes=quotes,
        doc=doc,
        imports=imports,
        imports_last=span is not None and span[0] > model.declared["revision"].start,
        comment=_comment(files),
        assignments=header,
        quote=_quote(model),
        functions=both,
        indent=indented[1] if indented else "    ",
        gaps=gaps,
        newline=found[0] if found else "\n",
    )


def _quote(file: Anatomy) -> tuple[str, str]:
    declared = file.declared["revision"]
    prefix, quote = quotes_of(file.text[declared.start : declared.end]) or ("", "'")
    return (prefix if prefix in ("u", "U") else "", quote[0])


_DIRECTIVE = re.compile(r"licen[cs]e|copyright|spdx", re.IGNORECASE)
_COOKIE = re.compile(r"^#.*?coding[:=].*\n?", re.MULTILINE)


def _preamble(files: Sequence[Anatomy]) -> str:
    """The comment above the docstring where it belongs to the house, and not to one file: shared, or a licence."""
    blocks = []
    for file in files:
        found = re.match(r"(?:[ \t\f]*(?:#[^\r\n]*)?(?:\r\n|\r|\n))*", file.text)
        text = re.sub(r"\r\n?", "\n", found[0] if found else "")
        blocks.append(_COOKIE.sub("", text).lstrip("\n"))
    first = blocks[0] if file_starts_with_string(files[0]) else ""
    return first if first in blocks[1:] or _DIRECTIVE.search(first) else ""


def file_starts_with_string(file: Anatomy) -> bool:
    """Whether the file has a docstring."""
    return bool(file.strings) and not re.sub(r"#[^\r\n]*", "", file.text[: file.strings[0][0]]).strip()


def _comment(files: Sequence[Anatomy]) -> str:
    """The comment lines right above the header, where they are not about one revision."""
    texts = []
    for file in files:
        first = min(file.declared[name].line for name in NAMES if name in file.declared)
        above = NEWLINE.split(file.text)[: first - 1]
        count = next((n for n, line in enumerate(reversed(above)) if not line.startswith("#")), len(above))
        texts.append("\n".join(above[len(above) - count :]))
    return texts[0] if texts[0] in texts[1:] or "revision identifiers" in texts[0] else ""


_BLANKS = re.compile(r"[ \t\f]*(?:\r\n|\r|\n)")


def _gaps(file: Anatomy, imports: tuple[int, int] | None) -> Gaps:
    usual = Gaps()
    after_docstring, header = usual.docstring, usual.header
    if file_starts_with_string(file):
        after_docstring = _blank_lines(file.text, file.strings[0][1])
    if imports is not None:
        header = _blank_lines(file.text, imports[1])
    above = re.search(r"((?:[ \t\f]*(?:\r\n|\r|\n))+)(?:async[ \t]+)?def[ \t]+downgrade\b", file.text)
    function = len(_BLANKS.findall(above[1])) - 1 if above else usual.function
    return Gaps(min(after_docstring, 3), min(header, 3), min(max(function, 1), 3))


def _blank_lines(text: str, start: int) -> int:
    """Blank lines that follow the statement which ends at `start`; a comment beside it belongs to it."""
    found = re.compile(r"[^\r\n]*((?:[ \t\f]*(?:\r\n|\r|\n))*)").match(text, start)
    return max(len(NEWLINE.findall(found[1])) - 1, 0) if found else 0

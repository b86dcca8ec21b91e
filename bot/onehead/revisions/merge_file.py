"""A new merge revision: its id, its place, and its text, which is its newest sibling's with nothing left to do.

All of it follows from the heads and the files around them, so two makers of the same merge write the same file. Of the
sibling stays what the project has in all its files: signatures, decorators, the imports that these need, the order and
the quotes of the header, blank lines, line endings, encoding. What belongs to the one revision goes: what it does, its
words, its labels and dependencies, who wrote it and when.
"""

from __future__ import annotations

import ast
import builtins
import posixpath
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby, pairwise
from typing import NamedTuple

from onehead.revisions import file_names
from onehead.revisions.edit import (
    CannotEdit,
    RevisionFile,
    Splice,
    create_date,
    expect_plain,
    is_string,
    new_value,
    open_revision,
    quotes_of,
)
from onehead.revisions.file_names import convention, date_of, merge_id, next_number, stem_of
from onehead.revisions.model import Revision
from onehead.revisions.parse import parse
from onehead.revisions.parsers import Spent, examination, python
from onehead.revisions.syntax import LINE_START, NAMES, NEWLINE, STAR_IMPORT, WORD, bound, names_used


class Sibling(NamedTuple):
    """A revision of the environment and its file."""

    revision: Revision
    data: bytes


class NewRevision(NamedTuple):
    """A revision file to be created; `create_date` is the text after `Create Date:`, empty where there is none."""

    id: str
    path: str
    data: bytes
    parents: tuple[str, ...]
    message: str
    create_date: str


_MAX_MODELS = 8
"""Revisions that show the style of a new one."""


def newest(revisions: Sequence[Revision], heads: Sequence[str]) -> list[Revision]:
    """The revisions of an environment nearest to its heads, newest first; the most trusted head comes first."""
    known = {revision.id: revision for revision in revisions}
    found = list(dict.fromkeys(head for head in heads if head in known))
    for id_ in found:  # grows while it is walked: breadth first
        if len(found) >= _MAX_MODELS:
            break
        found += [parent for parent in known[id_].parents if parent in known and parent not in found]
    return [known[id_] for id_ in found[:_MAX_MODELS]]


def merge_file(
    parents: Sequence[Sibling],
    siblings: Sequence[Sibling],
    location: str,
    file_template: str | None = None,
    taken: Collection[str] = (),
    paths: Collection[str] = (),
    elsewhere: Collection[str] = (),
    *,
    stock: bytes = b"",
) -> NewRevision:
    """A merge of `parents`, in the manner of the siblings that `newest` finds.

    The parent to run first, the default branch's head, comes last. `taken` and `paths` are those of the judged trees,
    `elsewhere` the revision ids and file stems of other branches, tags and pull requests. A configured `file_template`
    starts from `location`; without one, the file is named like its siblings. `stock` is the model where no sibling is.
    Raises `CannotEdit` where an id of a parent can't stand in a plain string.
    """
    ids = tuple(parent.revision.id for parent in parents)
    for each in ids:
        expect_plain(each, "id")
    message = merge_message(ids)
    short = file_names.slug(message)
    if short.endswith("_"):  # cut where Alembic cuts, and without a sign of it
        short = short.rstrip("_").removesuffix("_and")
    siblings = siblings or tuple(parents)
    around = [each.revision for each in (*siblings, *parents)]
    made = convention([*dict.fromkeys([*(each.revision.id for each in siblings), *ids])])
    stems = {stem_of(path) for path in [*paths, *(each.path for each in around)]}
    numbered = stems if made.kind == "number" else set()
    new_id = merge_id(ids, made, {*taken, *numbered, *(each.id for each in around)}, short, elsewhere)
    date, moment = _date(parents, new_id if made.kind == "date" else "")
    values = file_names.values(new_id, short, moment)
    name = file_names.filled(file_template, values) if file_template else None
    if name is None:
        # Else beside the head that the merge goes onto.
        location = posixpath.dirname(parents[-1].revision.path)
        template = file_names.usual_template([(each.revision.id, stem_of(each.revision.path)) for each in siblings])
        if "%(number)" in template:
            values["number"] = next_number([*stems, *taken], 4, elsewhere)
        name = file_names.filled(template, values) or f"{new_id}_{short}"
    path = posixpath.normpath(posixpath.join(location, f"{name}.py"))
    if path in paths or any(path == each.path for each in around):
        path = posixpath.normpath(posixpath.join(location, f"{name}_{new_id}.py"))
    new = NewRevision(new_id, path, b"", ids, message, date)
    return new._replace(data=_text(siblings, stock, new))


def merge_message(heads: Collection[str]) -> str:
    """`merge 019 and 021`; the same whatever the order, as it decides the file's name."""
    *some, last = sorted(heads)
    return f"merge {', '.join(some)} and {last}" if some else f"merge {last}"


def is_merge_of(data: bytes, revision_id: str, parents: tuple[str, ...]) -> bool:
    """Whether a file declares just this: its id and its parents, no label and no dependency."""
    read = parse(data)
    declared = (read.revision, read.parents, read.depends_on, read.branch_labels, read.dynamic, read.broken)
    return declared == (revision_id, parents, (), (), (), "")


def _text(siblings: Sequence[Sibling], stock: bytes, new: NewRevision) -> bytes:
    """The newest sibling's bytes where they can be copied, else the next one's."""
    files = [each.data for each in siblings]
    for number, data in enumerate([*files, stock]):
        others = [*files[:number], *files[number + 1 :]] if number < len(files) else []
        try:
            text = _copied(data, others, new)
        except CannotEdit:
            continue
        if is_merge_of(text, new.id, new.parents):
            return text
    raise CannotEdit(0, f"the revision {new.id!r} can't be written")


_ISO = re.compile(r"\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:Z|[+-]\d\d:?\d\d)?)?")


def _date(parents: Sequence[Sibling], dated_id: str) -> tuple[str, datetime | None]:
    """The newest date of the parents, as `Create Date` says it and as a moment: a merge is as new as what it joins.

    Dates that file names and ids begin with count too, and the merge's own id goes before all: name, id and
    `Create Date` agree. Where no parent has a `Create Date`, the merge gets none.
    """
    found: list[tuple[datetime, str, datetime]] = []
    texts = []
    for text in filter(None, (create_date(parent.data) for parent in parents)):
        texts.append(text)
        match = _ISO.match(text)
        try:
            moment = datetime.fromisoformat(match[0] if match else text)
        except ValueError:
            continue
        found.append((moment if moment.tzinfo else moment.replace(tzinfo=UTC), text, moment))
    _, text, written = max(found, key=lambda each: each[:2], default=(None, max(texts, default=""), None))
    names = [name for parent in parents for name in (stem_of(parent.revision.path), parent.revision.id)]
    named = max((date[0] for date in map(date_of, names) if date), default=None)
    newest_moment = written
    if named and (written is None or named > written.replace(tzinfo=None)):
        newest_moment = named.replace(tzinfo=written.tzinfo if written else None)
    date = date_of(dated_id)
    if date is not None:
        moment, units = date
        newest_moment = (newest_moment or moment).replace(**{unit: getattr(moment, unit) for unit in units})
    if newest_moment is None or newest_moment == written or not text:
        return text, newest_moment
    return str(newest_moment), newest_moment


_COMMENT = re.compile(r"#[^\r\n]*")
_ALEMBIC = re.compile(r"#\s*revision identifiers", re.IGNORECASE)
_COOKIE = re.compile(r"#.*?coding[:=]")
_LICENCE = re.compile(r"licen[cs]e|spdx", re.IGNORECASE)
_HOLDER = re.compile(r"copyright|[(]c[)]|\u00a9|\b(?:19|20)\d\d\b", re.IGNORECASE)
"""A holder or a year: the project's only where all files that name any name the same."""
_AUTHOR = re.compile(
    r"@|authors?_*\s*[:=]|\bmaintainer|\b(?:date|created|modified)\s*:"
    r"|\b(?:added|changed|created|generated|made|reviewed|written)[- ](?:at|by|on)\b",
    re.IGNORECASE,
)
"""Words that go before whoever wrote one file, or when."""


class FileStyle:
    """Further files of a project, asked about what one of them has."""

    def __init__(self, files: Sequence[bytes]) -> None:
        """Files that are not UTF-8 are read as far as ASCII goes."""
        self._texts = [data.decode("utf-8", "replace") for data in files]
        self._lines = [{line.strip() for line in NEWLINE.split(text)} for text in self._texts]
        self._comments = [{each.strip() for each in _COMMENT.findall(text)} for text in self._texts]

    def has_comment(self, comment: str) -> bool:
        """Whether a comment is the project's: another file has it as well."""
        if _ALEMBIC.match(comment):
            return True
        if comment.startswith("# ###"):
            return False  # Alembic's, around what it generated
        if not self._comments:
            return bool(_LICENCE.search(comment)) and not (_HOLDER.search(comment) or _AUTHOR.search(comment))
        if _HOLDER.search(comment):
            naming = [each for each in self._comments if any(map(_HOLDER.search, each))]
            return bool(naming) and all(comment in each for each in naming)
        return not _AUTHOR.search(comment) and any(comment in each for each in self._comments)

    def none_has(self, text: str) -> bool:
        """Whether there are other files, and this text is in none of them."""
        return bool(self._texts) and not any(text in each for each in self._texts)

    def all_have_line(self, line: str) -> bool:
        """Whether a line of the docstring is the project's: all the others have it."""
        return bool(self._lines) and not _AUTHOR.search(line) and all(line.strip() in each for each in self._lines)

    def has_statement(self, statement: str, names: Collection[str]) -> bool:
        """Whether an assignment is the project's: most other files have the same, or all assign these names."""
        if not self._texts or _AUTHOR.search(statement):
            return False
        if 2 * sum(statement in each for each in self._lines) > len(self._lines):
            return True
        assigned = [re.compile(rf"{LINE_START}{re.escape(name)}[ \t]*[:=]") for name in names]
        return all(each.search(text) for each in assigned for text in self._texts)

    def comments(self, gap: str, *, top: bool = False) -> str:
        """Blank lines and comments between two statements, without what belongs to one revision.

        An indented comment belongs to the function above it. At the `top` of a file, Python looks for an encoding and
        the system for a program.
        """
        lines = re.findall(r"[^\r\n]*(?:\r\n|\r|\n)", gap)
        kept: list[str] = []
        blank: list[str] = []
        for is_blank, run in groupby(enumerate(lines), key=lambda each: not each[1].strip()):
            if is_blank:
                blank = max(blank, [line for _, line in run], key=len)
                continue
            paragraph = _trimmed([line for number, line in run if self._stays(line, number if top else 2)])
            if paragraph:
                kept += [*blank, *paragraph]
                blank = []
        return "".join([*kept, *blank]).lstrip() if top else "".join([*kept, *blank])

    def _stays(self, line: str, number: int) -> bool:
        text = line.strip()
        special = (number < 2 and _COOKIE.match(text)) or (number == 0 and text.startswith("#!"))
        return line[0] == "#" and bool(special or text == "#" or self.has_comment(text))


def _trimmed(paragraph: list[str]) -> list[str]:
    """Comments without the spacers at their ends; nothing where only spacers and frames are left."""
    if not any(re.search(r"\w", line) for line in paragraph):
        return []
    words = [number for number, line in enumerate(paragraph) if line.strip() != "#"]
    return paragraph[words[0] : words[-1] + 1]


_BOTH = ("upgrade", "downgrade")
_Function = ast.FunctionDef | ast.AsyncFunctionDef
_MAX_LINE_LENGTH = 88
"""What black and ruff allow by default; only a file with their quotes is held to it."""
_BODY = re.compile(
    LINE_START + r"(?P<head>(?:async[ \t]+)?def[ \t]+\w+[ \t]*\([^()]*\)[ \t]*(?:->[^:\r\n]+)?:[ \t]*(?:#[^\r\n]*)?"
    r"(?:\r\n|\r|\n)[ \t]+)[^\r\n]*(?:(?:(?:\r\n|\r|\n)[ \t]*)+(?<=[ \t])\S[^\r\n]*)*"
)
_TEMPLATE_IMPORT = re.compile(
    r"from __future__ import [^;]+|import (?:alembic|sqlalchemy(?: as sa)?)"
    r"|from alembic import (?:(?:op|context)(?:, *)?)+"
)
_GENERIC = re.compile(r"(?i)(?:up|down)grades?(?: the)?(?: (?:\w+ )?schema| database| migrations?| data)?\.?")
_KEY = re.compile(r"(?i)[ \t]*(?P<key>Revision ID|Revises|Create Date)[ \t]*:[ \t]*")
_ONE_ID = re.compile(r"(?:\b(?:t|typing|str|None|Optional|Union|Final)\b|[\s'\"\[\],|.])*")
_MAYBE_NONE = re.compile(r"\b(?:None|Optional|Any|object)\b")


@examination()
def _copied(data: bytes, others: Sequence[bytes], new: NewRevision) -> bytes:
    """The bytes of a new revision that does nothing, in the manner of an existing one.

    The `others` show what is common to all files of the project. Raises `CannotEdit` where the file can't be copied;
    another one, or a stock file, may be.
    """
    file = open_revision(data)
    if file.tree is None:
        # Python 2 may be in the functions; signatures have not changed since.
        file = open_revision(_bytes(_BODY.sub(lambda found: f"{found['head']}pass", file.text), file))
    if file.tree is None:
        raise CannotEdit(0, "it isn't Python, apart from its functions too")
    result = _bytes(_Copy(file, file.tree.body, FileStyle(others), new).text(), file)
    try:
        if python(result) is not None:
            return result
    except Spent as limit:
        raise CannotEdit(0, str(limit)) from None
    raise CannotEdit(0, "what would be left of it is no Python")


def _bytes(text: str, like: RevisionFile) -> bytes:
    mark = like.data[: len(like.data) - len(like.text.encode(like.encoding))]
    try:
        return mark + text.encode(like.encoding)
    except UnicodeError:
        raise CannotEdit(0, f"the new text can't be written in its encoding, {like.encoding}") from None


class _Chunk:
    """Top-level statements that share lines; from `gap` to `start` there are blank lines and comments."""

    def __init__(self, node: ast.stmt, start: int, end: int) -> None:
        self.nodes = [node]
        self.gap = self.start = start
        self.end = end
        self.kept = False


class _Copy:
    def __init__(self, file: RevisionFile, body: list[ast.stmt], style: FileStyle, new: NewRevision) -> None:
        self._file, self._source, self._style, self._new = file, file.text, style, new
        self._lines, self._body = file.lines, body
        found = NEWLINE.search(file.text)
        self._newline = found[0] if found else "\n"
        self._parts = self._split()
        self._functions = {node.name: node for node in body if isinstance(node, _Function)}
        self._docstring = self._find_docstring()
        self._expect_plain_functions()
        forwarding = tuple(f"{name}_" for name in _BOTH if self._forwards(name))
        serving = {name for name in self._functions if name.startswith(forwarding)}
        self._emptied = {name for name in _BOTH if f"{name}_" not in forwarding} | serving
        self._choose()

    def text(self) -> str:
        """The whole of the new file."""
        pieces = [self._style.comments(self._source[: self._parts[0].start], top=True)]
        if self._docstring is None:  # a merge needs a reason that people can read
            pieces.append(f'"""{self._new.message}"""{self._newline * 2}')
        lost = 0
        for part in self._parts:
            gap = self._style.comments(self._source[part.gap : part.start])
            if part.kept:
                pieces += [self._newline * (lost - _blank_lines(gap)), gap, self._written(part)]
                lost = 0
            else:
                lost = max(lost, _blank_lines(gap))  # the next part keeps that distance
        pieces.append(self._newline if pieces[-1][-1] not in "\r\n" else "")
        if "downgrade" not in self._functions and not self._style.none_has("def downgrade"):
            pieces += [self._newline * 2, self._emptied_function(self._functions["upgrade"], "downgrade")]
        return "".join(pieces)

    def _of(self, node: ast.expr | ast.stmt) -> str:
        return self._source[slice(*self._lines.span(node))]

    def _split(self) -> list[_Chunk]:
        parts: list[_Chunk] = []
        for node in self._body:
            start, end = self._first(node), self._lines.end((node.end_lineno or 0) - 1)
            if parts and start < parts[-1].end:
                parts[-1].nodes.append(node)
                parts[-1].end = max(parts[-1].end, end)
            else:
                parts.append(_Chunk(node, start, end))
        for before, part in pairwise(parts):
            part.gap = before.end
        return parts

    def _first(self, node: ast.stmt) -> int:
        """Where the first line of a statement starts, its decorators included."""
        decorators: list[ast.expr] = getattr(node, "decorator_list", [])
        return self._lines.starts[min([node.lineno, *(each.lineno for each in decorators)]) - 1]

    def _find_docstring(self) -> ast.stmt | None:
        """The string with Alembic's lines, else the module's docstring."""
        strings = [node for node in self._body if is_string(node)]
        named = (node for node in strings if any(map(_KEY.match, NEWLINE.split(self._of(node)))))
        return next(named, next(iter(strings), None) if strings[:1] == self._body[:1] else None)

    def _expect_plain_functions(self) -> None:
        """What env.py calls must be a function here: nothing else shows what it takes."""
        if "upgrade" not in self._functions:
            raise CannotEdit(0, "it has no function `upgrade` at its top level")
        if not {"revision", "down_revision"} <= self._file.declared.keys():
            raise CannotEdit(0, "it doesn't assign `revision` and `down_revision` one by one")
        for node in self._body:
            if set(_BOTH) & bound(node) and not isinstance(node, _Function) and not set(_BOTH) & names_used(node):
                raise CannotEdit(node.lineno, "`upgrade` or `downgrade` is bound again")

    def _forwards(self, name: str) -> bool:
        """Whether a function only calls that of one database, as in Alembic's template for several."""
        node = self._functions.get(name)
        if node is None or not any(each.startswith(f"{name}_") for each in self._functions):
            return False
        body = [each for each in node.body if not is_string(each)]
        used = _all(map(names_used, body)) & names_used(node)  # without its parameters
        others = {each for each in used if not hasattr(builtins, each) and each not in self._functions}
        told = any(isinstance(each, ast.arg) for each in ast.walk(node.args))
        return told and others <= {"sys", "__name__"} and any(f"{name}_" in self._of(each) for each in body)

    def _choose(self) -> None:
        """What stays: what Alembic asks for, what all files of the project have, and what these need."""
        for part in self._parts:
            part.kept = self._is_common(part)
        names = {*_BOTH, *NAMES, *self._emptied, *_all(self._needed(part) for part in self._parts if part.kept)}
        known: set[str] = set()
        while names - known:
            known |= names
            found = [part for part in self._parts if not part.kept and known & _all(map(bound, part.nodes))]
            for part in found:
                part.kept = True
            names = _all(map(self._needed, found))
        given = _all(bound(node) for part in self._parts for node in part.nodes)
        missing = {name for name in known - given if not hasattr(builtins, name)} - {*_BOTH, *NAMES}
        for part in self._parts:
            part.kept |= bool(missing) and any(STAR_IMPORT in bound(node) for node in part.nodes)

    def _is_common(self, part: _Chunk) -> bool:
        """Whether it is in the file whatever the revision does."""
        node, source = part.nodes[0], self._of(part.nodes[0])
        if isinstance(node, ast.Import | ast.ImportFrom):
            return bool(_TEMPLATE_IMPORT.fullmatch(source))
        if isinstance(node, ast.Assign | ast.AnnAssign):
            plain = names_used(node) <= bound(node) | {"str", "int", "bool"}
            return plain and self._style.has_statement(source, bound(node))
        return node is self._docstring or (isinstance(node, ast.Expr) and "sys.path" in source)

    def _needed(self, part: _Chunk) -> set[str]:
        return _all(map(self._needed_by, part.nodes))

    def _needed_by(self, node: ast.stmt) -> set[str]:
        if isinstance(node, _Function) and node.name in self._emptied:
            hints = [each.annotation for each in ast.walk(node.args) if isinstance(each, ast.arg)]
            plain = _all(map(names_used, (*node.decorator_list, *_signature(node))))
            return plain | _all(names_used(each, quoted=True) for each in (*hints, node.returns) if each)
        decided = self._decides(node)
        if decided:
            annotation = node.annotation if isinstance(node, ast.AnnAssign) else None
            return set(WORD.findall(self._annotation(decided[0], self._of(annotation)))) if annotation else set()
        return names_used(node)

    def _decides(self, node: ast.stmt) -> list[str]:
        """Which of the four names an assignment gives its value; that is written anew."""
        found = [name for name in NAMES if name in self._file.declared and name in bound(node)]
        return [name for name in found if self._file.declared[name].line == node.lineno]

    def _written(self, part: _Chunk) -> str:
        last = part.nodes[-1]
        if isinstance(last, _Function) and last.name in self._emptied:
            return self._emptied_function(last, last.name)
        splices = {each for node in part.nodes for each in self._changes(node)}
        end = self._lines.span(last)[1]
        beside = self._source[end : part.end].strip()
        if beside.startswith("#") and not self._style.has_comment(beside):
            splices.add(Splice(end, end + len(self._source[end : part.end].rstrip()), ""))
        pieces, at = [], part.start
        for splice in sorted(splices, key=lambda each: each.start):
            pieces += [self._source[at : splice.start], splice.text]
            at = splice.end
        return "".join([*pieces, self._source[at : part.end]])

    def _changes(self, node: ast.stmt) -> Iterator[Splice]:
        if node is self._docstring:
            yield Splice(*self._lines.span(node), self._new_docstring(self._of(node)))
        for name in self._decides(node):
            declared = self._file.declared[name]
            if name == "revision":
                yield from new_value(self._file, declared, (self._new.id,))
            elif name == "down_revision":
                # As a whole: comments between the ids are about those.
                declared = declared._replace(elements=declared.elements[:1])
                [value] = new_value(self._file, declared, self._new.parents)
                yield value._replace(text=self._wrapped(value))
            elif declared.computed or declared.ids:
                yield Splice(declared.start, declared.end, "None")
            else:
                continue
            if isinstance(node, ast.AnnAssign):
                annotation = self._annotation(name, self._of(node.annotation))
                start, end = self._lines.span(node.annotation)
                yield Splice(start if annotation else self._lines.span(node.target)[1], end, annotation)

    def _wrapped(self, value: Splice) -> str:
        """A long tuple takes several lines where a formatter would have it so."""
        width = len(NEWLINE.split(self._source[: value.start])[-1]) + len(value.text)
        ids = value.text[1:-1].split(", ")
        if width <= _MAX_LINE_LENGTH or '"' not in value.text or len(ids) != len(self._new.parents):
            return value.text
        lines = "".join(f"    {each},{self._newline}" for each in ids)
        return f"{value.text[0]}{self._newline}{lines}{value.text[-1]}"

    def _annotation(self, name: str, old: str) -> str:
        """The annotation where it can be true of the new value; else another one of this file that is, or none."""
        declared = self._file.declared[name]
        if name in NAMES[2:]:
            return old if _MAYBE_NONE.search(old) or not (declared.computed or declared.ids) else ""
        if name == "revision" or not _ONE_ID.fullmatch(old):
            return old
        others = [self._file.declared[each].annotation for each in NAMES[2:] if each in self._file.declared]
        if "|" in old:
            others.append(re.sub(r"\bstr\b", "str | tuple[str, ...]", old, count=1))
        return next((each for each in others if not _ONE_ID.fullmatch(each)), "")

    def _new_docstring(self, source: str) -> str:
        new = self._new
        prefix, quote = quotes_of(source) or ("", '"""')
        inner = source[len(prefix) + len(quote) : -len(quote)]
        if len(quote) != 3 or quote in inner:
            return f'"""{new.message}"""'
        values = {"revision id": new.id, "revises": ", ".join(new.parents), "create date": new.create_date}
        *lines, last = NEWLINE.split(inner)
        closing = [last] if lines and not last.strip() else []
        kept: list[str] = []
        written = False
        for line in lines if closing else [*lines, last]:
            key = _KEY.match(line)
            if key:
                value = values[key["key"].lower()]
                kept += [f"{key[0]} {value}" if key[0][-1] == ":" else f"{key[0]}{value}"] if value else []
            elif not line.strip():
                kept += [""] if len(kept) < 2 or kept[-1] else []
            elif not written:
                kept.append(new.message)
                written = True
            elif self._style.all_have_line(line):
                kept.append(line)
        if not written:
            kept = [new.message, "", *filter(None, kept)]
        return f"{prefix}{quote}{self._newline.join([*kept, *closing])}{quote}"

    def _emptied_function(self, node: _Function, name: str) -> str:
        """Decorators and signature as they are, then nothing; under another name where the file lacks that function."""
        first, nothing = node.body[0], "pass"
        line, start = self._lines.starts[first.lineno - 1], self._lines.span(first)[0]
        head = self._head(node)
        beside = NEWLINE.split(self._source[head:start])[0].strip()
        if line <= head:
            nothing = f" {nothing}"
        else:
            indent = self._source[line:start]
            docstring = self._function_docstring(node, name)
            words = f"  {beside}" if beside and self._style.has_comment(beside) else ""
            nothing = self._newline.join([words, *([indent + docstring] if docstring else []), indent + nothing])
        signature = self._source[self._first(node) : head]
        if name != node.name:
            signature = re.sub(rf"\bdef([ \t]+){node.name}\b", rf"def\1{name}", signature)
        return f"{signature}{nothing}{self._newline}"

    def _head(self, node: _Function) -> int:
        """One past the colon that ends the signature."""
        inner = [each for part in _signature(node) for each in ast.walk(part) if isinstance(each, ast.expr | ast.arg)]
        ends = [self._lines.index(each.end_lineno or 0, each.end_col_offset or 0) for each in inner]
        start = max(ends, default=self._lines.index(node.lineno, node.col_offset))
        found = re.compile(r"(?:#[^\r\n]*|[^:#])*:").match(self._source, start)
        if found is None:
            raise CannotEdit(node.lineno, "the end of its signature was not found")
        return found.end()

    def _function_docstring(self, node: _Function, name: str) -> str:
        """The docstring where it is a general one; else, Alembic's own words."""
        if not is_string(node.body[0]):
            return ""
        source = self._of(node.body[0])
        if name == node.name and _GENERIC.fullmatch((ast.get_docstring(node) or "").strip()):
            return source
        quote = (quotes_of(source) or ("", '"""'))[1]
        return f"{quote}{name.replace('_', ' ').capitalize()} schema.{quote}"


def _all(sets: Iterable[set[str]]) -> set[str]:
    return set().union(*sets)


def _blank_lines(gap: str) -> int:
    return sum(not line.strip() for line in NEWLINE.split(gap)[:-1])


def _signature(node: _Function) -> list[ast.AST]:
    return [node.args, *([node.returns] if node.returns else [])]

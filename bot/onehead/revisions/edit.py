"""Edit revision files and head files, to the byte: nothing outside the changed values ever moves.

Every edit is read again, by the reader that judges repositories: exactly the intended values have changed, or there is
no edit. Head files name the heads, so that two branches conflict in git; seen in the wild are `.current-alembic-head`,
`HEADS`, `EXPAND_HEAD` and `CONTRACT_HEAD` beside the versions, and `alembic_version_conflict_detection.txt` with the
lines of `alembic heads`. A repair that left them behind would be refused by the project's own check.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from onehead.errors import OneheadError
from onehead.revisions.environments import parent
from onehead.revisions.graph import Graph
from onehead.revisions.model import Declared, Environment, Revision
from onehead.revisions.parse import parse
from onehead.revisions.parsers import Spent, examination, python, too_large
from onehead.revisions.syntax import (
    LINE_START,
    NEWLINE,
    Declaration,
    Element,
    Lines,
    Scope,
    blocks_in,
    declarations,
    line_number,
    scanned,
)

_BOM = b"\xef\xbb\xbf"
_QUOTE = re.compile(r"(?P<prefix>[A-Za-z]{0,2})(?P<quote>\"\"\"|'''|\"|')")
_ID = r"[^\s,()\[\]]+"
_IDS = rf"[(\[][^)\]\r\n]*[)\]]|{_ID}(?:[ \t]*,[ \t]*{_ID})*|"


class RevisionFile(NamedTuple):
    """A revision file with the place of everything that matters.

    All spans count characters of `text`, which has no byte order mark. `tree` is `None` where Python can't parse it;
    `strings` are the spans of the strings that are statements of the module, the docstring first.
    """

    data: bytes
    text: str
    encoding: str
    lines: Lines
    tree: ast.Module | None
    declared: Mapping[str, Declaration]
    strings: tuple[tuple[int, int], ...]

    def label(self, key: str) -> tuple[int, int] | None:
        """Span of the ids in the docstring line that starts with `key` and a colon; what follows them is left out."""
        pattern = re.compile(rf"{LINE_START}[ \t]*{re.escape(key)}[ \t]*:[ \t]*(?P<ids>{_IDS})", re.IGNORECASE)
        for start, end in self.strings:
            quotes = quotes_of(self.text[start:end])
            if quotes is None:
                continue
            opened, closed = start + len("".join(quotes)), end - len(quotes[1])
            found = pattern.search(self.text[opened:closed])
            if found:
                return opened + found.start("ids"), opened + found.end("ids")
        return None


def quotes_of(source: str) -> tuple[str, str] | None:
    """Prefix and quotes of a string literal, from its source; `None` if it is something else."""
    found = _QUOTE.match(source)
    return (found["prefix"], found["quote"]) if found else None


@examination()
def open_revision(data: bytes) -> RevisionFile:
    """Read a revision file with its places; whatever the bytes are, nothing but `CannotEdit` is raised."""
    if reason := too_large(data):
        raise CannotEdit(0, reason)
    try:
        # Python looks for the cookie in the first two lines, and a lone carriage return ends a line too.
        encoding, _ = tokenize.detect_encoding(io.BytesIO(re.sub(rb"\r\n?", b"\n", data)).readline)
        body = data.removeprefix(_BOM)
        encoding = "utf-8" if encoding == "utf-8-sig" else encoding
        text = body.decode(encoding)
        if text.encode(encoding) != body:
            raise CannotEdit(0, f"its encoding, {encoding}, does not give back the same bytes")
    except (SyntaxError, ValueError, LookupError):
        raise CannotEdit(0, "it can't be decoded with the encoding it declares") from None
    try:
        lines, tree = Lines(text), python(text)
        if tree is not None:
            scope = Scope(tree)
            strings = [lines.span(node) for node in tree.body if is_string(node)]
        else:
            scope = scanned(text)
            strings = [span for span in blocks_in(text) if text[max(span[0] - 1, 0)] in "\r\n" or not span[0]]
            if not scope.assigned:
                raise CannotEdit(0, "it isn't Python, and its header can't be read either")
        declared = declarations(scope, lines)
    except Spent as limit:
        raise CannotEdit(0, str(limit)) from None
    except (RecursionError, MemoryError):
        raise CannotEdit(0, "it is nested too deeply to be read") from None
    return RevisionFile(data, text, encoding, lines, tree, declared, tuple(strings))


_CREATE_DATE = re.compile(r"(?:^|[\r\n])[ \t]*Create Date[ \t]*:[ \t]*([^\r\n]*)", re.IGNORECASE)


def create_date(data: bytes) -> str:
    """The docstring's text after `Create Date:`; empty where it could not be written into another one."""
    try:
        file = open_revision(data)
    except CannotEdit:
        return ""
    found = next(filter(None, (_CREATE_DATE.search(file.text[start:end]) for start, end in file.strings)), None)
    text = found[1].strip(" \t\f\"'") if found else ""
    return text if re.fullmatch(r"[\w .:,/()+-]{1,60}", text) else ""


def is_string(node: ast.stmt) -> bool:
    """Whether a statement is nothing but a string."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


class CannotEdit(OneheadError):
    """A file that can't be changed safely; nothing has been changed. `line` is 0 where it is the whole file."""

    def __init__(self, line: int, reason: str) -> None:
        where = f"Line {line}" if line else "The file"
        super().__init__(
            f"{where} can't be changed safely: {reason}.",
            "Nothing was changed; write the new value by hand, as a plain string or tuple of strings.",
        )
        self.line = line
        self.reason = reason


class Splice(NamedTuple):
    """New text for the characters from `start` up to `end`."""

    start: int
    end: int
    text: str


def reparent(data: bytes, old_parents: tuple[str, ...], new_parents: tuple[str, ...]) -> bytes:
    """Give a revision other parents: the value of `down_revision` and the docstring's `Revises:` line.

    A stale `Revises:` line is set right too; a file without one gets none. Quotes are kept, and so is the tuple or list
    form where there are several parents before and after. The type annotation stays as it is.

    Raises `CannotEdit` where the value is computed, is not `old_parents`, or the result would not read as intended.
    """
    file, before = _open(data, new_parents)
    declared = _declaration(file, "down_revision")
    _expect(declared, old_parents)
    splices = _label(file, "Revises", ", ".join(new_parents))
    if tuple(dict.fromkeys(declared.ids)) != new_parents:
        splices += new_value(file, declared, new_parents)
    return _spliced(file, splices, before, {"parents": new_parents})


def reissue(data: bytes, old_id: str, new_id: str, others: Mapping[str, str] | None = None) -> bytes:
    """Give a revision another id: the value of `revision` and the docstring's `Revision ID:` line.

    And others to those that it follows, as `rereference` does. Raises `CannotEdit` where the value is computed, is not
    `old_id`, or the result would not read as intended.
    """
    file, before = _open(data, (new_id,))
    declared = _declaration(file, "revision")
    _expect(declared, (old_id,))
    splices = [*_label(file, "Revision ID", new_id), *new_value(file, declared, (new_id,))]
    more, wanted = _references(file, before, others or {})
    return _spliced(file, [*splices, *more], before, {"revision": new_id, **wanted})


def rereference(data: bytes, names: Mapping[str, str]) -> bytes:
    """Follow revisions that got other ids, by the old ones: in `down_revision`, `depends_on` and the `Revises:` line.

    All at once, as one of the new ids may be what another revision was called before. A file that names none of them
    comes back unchanged. Raises `CannotEdit` where a value that may hold one of them is computed, or the result would
    not read as intended.
    """
    file, before = _open(data, ())
    splices, wanted = _references(file, before, names)
    return _spliced(file, splices, before, wanted)


def _references(
    file: RevisionFile, before: Declared, names: Mapping[str, str]
) -> tuple[list[Splice], dict[str, tuple[str, ...] | None]]:
    """What to write for revisions that got other ids, and what the file has to declare then."""
    splices = _label_swap(file, "Revises", names) if names else []
    for name in ("down_revision", "depends_on"):
        declared = file.declared.get(name)
        if declared is None:
            continue
        if declared.computed:
            written = (f"{quote}{old}{quote}" in file.text for old in names for quote in "\"'")
            if names and (name == "down_revision" or any(written)):
                _declaration(file, name)  # raises
            continue
        splices += _swapped(file, declared, names)
    wanted = {
        "parents": None if before.parents is None else _swap(before.parents, names),
        "depends_on": _swap(before.depends_on, names),
    }
    return splices, wanted


def _open(data: bytes, new_ids: tuple[str, ...]) -> tuple[RevisionFile, Declared]:
    for new_id in new_ids:
        expect_plain(new_id)
    before = parse(data)
    if before.broken:
        raise CannotEdit(before.line, before.broken)
    return open_revision(data), before


def expect_plain(revision_id: str, called: str = "new id") -> None:
    """Raise `CannotEdit` for an id that can't be written between quotes and in a docstring as it is."""
    if not revision_id or not revision_id.isprintable() or set(revision_id) & set("\"'\\"):
        raise CannotEdit(0, f"the {called} {revision_id!r} can't be written as a plain string")


def _declaration(file: RevisionFile, name: str) -> Declaration:
    declared = file.declared.get(name)
    if declared is None:
        raise CannotEdit(0, f"no plain assignment of `{name}` was found at the top level")
    if declared.computed:
        raise CannotEdit(declared.line, f"`{name}` can't be known without running the file: {declared.computed}")
    return declared


def _expect(declared: Declaration, ids: tuple[str, ...]) -> None:
    if tuple(dict.fromkeys(declared.ids)) != ids:
        raise CannotEdit(declared.line, f"`{declared.name}` is {declared.value!r} and not {', '.join(ids) or 'None'}")


def new_value(file: RevisionFile, declared: Declaration, ids: tuple[str, ...]) -> list[Splice]:
    """What to write so that a name holds these ids.

    Id by id where the number of ids stays, so that comments between them survive; else the value as a whole.
    """
    elements = declared.elements
    if tuple(element.value for element in elements) == declared.ids and len(elements) == len(ids):
        pairs = zip(elements, ids, strict=True)
        return [Splice(e.start, e.end, _literal(file, e, new)) for e, new in pairs if e.value != new]
    return [Splice(declared.start, declared.end, _whole_value(file, declared, ids))]


def _whole_value(file: RevisionFile, declared: Declaration, ids: tuple[str, ...]) -> str:
    if not ids:
        return "None"
    like = declared.elements[0] if declared.elements else None
    texts = [_literal(file, like, new) for new in ids]
    if len(texts) == 1:
        return texts[0]
    opening, closing = ("[", "]") if declared.form == "List" else ("(", ")")
    source = file.text[declared.start : declared.end]
    newline = NEWLINE.search(source)
    if declared.form in ("Tuple", "List") and source.startswith(opening) and newline and like is not None:
        line_start = max(file.text.rfind("\n", 0, like.start), file.text.rfind("\r", 0, like.start)) + 1
        indent = file.text[line_start : like.start]
        if not indent.strip():
            outer = source[source.rfind(newline[0]) + len(newline[0]) : -1]
            body = "".join(f"{indent}{text},{newline[0]}" for text in texts)
            return f"{opening}{newline[0]}{body}{outer if not outer.strip() else ''}{closing}"
    return f"{opening}{', '.join(texts)}{closing}"


def _literal(file: RevisionFile, like: Element | None, value: str) -> str:
    """A string in the quotes of `like`; where that is no literal, in those of `revision`."""
    places = [like] if like is not None else []
    revision = file.declared.get("revision")
    places += revision.elements[:1] if revision is not None else ()
    for place in places:
        if quotes := quotes_of(file.text[place.start : place.end]):
            return f"{quotes[0].strip('fF')}{quotes[1]}{value}{quotes[1]}"
    return f"'{value}'"  # as Alembic itself writes


def _swapped(file: RevisionFile, declared: Declaration, names: Mapping[str, str]) -> list[Splice]:
    for old in names.keys() & set(declared.ids):
        expect_plain(names[old])
    if names.keys().isdisjoint(declared.ids):
        return []
    if tuple(element.value for element in declared.elements) != declared.ids:
        return new_value(file, declared, _swap(declared.ids, names))
    found = ((element, names.get(element.value)) for element in declared.elements)
    return [Splice(e.start, e.end, _literal(file, e, new)) for e, new in found if new is not None]


def _swap(ids: tuple[str, ...], names: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(names.get(each, each) for each in ids)


def _label(file: RevisionFile, key: str, text: str) -> list[Splice]:
    span = file.label(key)
    if span is None or file.text[span[0] : span[1]] == text:
        return []
    space = " " if span[0] == span[1] and file.text[span[0] - 1] == ":" else ""
    return [Splice(*span, space + text)]


def _label_swap(file: RevisionFile, key: str, names: Mapping[str, str]) -> list[Splice]:
    span = file.label(key)
    if span is None:
        return []
    ids = [part.strip(" \t()[]'\"") for part in file.text[slice(*span)].split(",")]
    if names.keys().isdisjoint(ids):
        return []
    return _label(file, key, ", ".join(_swap(tuple(ids), names)))


def _spliced(file: RevisionFile, splices: list[Splice], before: Declared, wanted: Mapping[str, object]) -> bytes:
    """Apply the splices and read the result again; it must differ in what is `wanted` and in nothing else."""
    splices = sorted(splices, key=lambda splice: splice.start)
    line = line_number(file.text, splices[0].start) if splices else 0
    data = _encoded(file, splices, line)
    after = parse(data)
    for name in ("revision", "parents", "depends_on", "branch_labels", "broken"):
        if getattr(after, name) != wanted.get(name, getattr(before, name)):
            raise CannotEdit(line, f"after the change the file would not read as intended ({name})")
    if [(each.name, each.text) for each in after.dynamic] != [(each.name, each.text) for each in before.dynamic]:
        raise CannotEdit(line, "after the change other values would be computed than before")
    return data


def _encoded(file: RevisionFile, splices: list[Splice], line: int) -> bytes:
    body = file.data[len(file.data) - len(file.text.encode(file.encoding)) :]
    old, new, last = [], [file.data[: len(file.data) - len(body)]], 0
    try:
        for splice in splices:
            kept = file.text[last : splice.start].encode(file.encoding)
            old += [kept, file.text[splice.start : splice.end].encode(file.encoding)]
            new += [kept, splice.text.encode(file.encoding)]
            last = splice.end
    except UnicodeError:
        raise CannotEdit(line, f"the new id can't be written in the file's encoding, {file.encoding}") from None
    tail = file.text[last:].encode(file.encoding)
    if b"".join([*old, tail]) != body:
        raise CannotEdit(line, f"its encoding, {file.encoding}, can't be changed piece by piece")
    return b"".join([*new, tail])


MAX_BYTES = 4096
"""A file that names heads and nothing else is not longer."""

_NAME = re.compile(r"\.?[\w-]*(?:head|alembic|migration|revision)[\w-]*(?:\.txt)?", re.IGNORECASE)
# The head, and what `alembic heads` prints after it: labels and "(head)".
_LINE = re.compile(r"(\S+)((?:[ \t]+\([^()]*\))*[ \t]*)")


def candidates(environment: Environment, paths: Iterable[str]) -> tuple[str, ...]:
    """Files that may be sentinels of an environment by place and name, sorted: in its directories and above them."""
    places = {environment.script_location or "", parent(environment.config or "")}
    todo = [*(location.path for location in environment.locations), *places]
    while todo:
        place = todo.pop()
        places.add(place)
        if place:
            todo.append(parent(place))
    split = ((path, *path.rpartition("/")[::2]) for path in paths if not path.endswith(".py"))
    return tuple(sorted(path for path, folder, name in split if folder in places and _NAME.fullmatch(name)))


def names_heads(data: bytes, graph: Graph) -> bool:
    """Whether every line of a file names a head of this chain, and at least one does."""
    return _read(data, graph) is not None


def advanced(data: bytes, before: Graph, after: Graph) -> bytes | None:
    """The same file once the chain has grown or moved: every head replaced by the one that it has become.

    Heads that have become one take one line. `None` where the file names no heads of `before`, or where it is
    not known what one of them has become.
    """
    lines = _read(data, before)
    if lines is None:
        return None
    text: list[str] = []
    written: set[str] = set()
    for line, named in lines:
        if named is None:
            text.append(line)
            continue
        heirs = [head for head in after.heads if named.id in after.ancestors(head)]
        # A revision that got a new number is not found under the old one: where one head is left, that is it.
        heirs = heirs or (list(after.heads) if named.id not in after else [])
        if len(heirs) != 1:
            return None
        if heirs[0] not in written:
            written.add(heirs[0])
            word = line.split(None, 1)[0]
            heir = _forms(after.revisions[heirs[0]])[_forms(named).index(word)]
            text.append(line.replace(word, heir, 1))
    return "".join(text).encode()


def _read(data: bytes, graph: Graph) -> list[tuple[str, Revision | None]] | None:
    """Every line with the head that it names, `None` for an empty one; nothing where one names something else."""
    if len(data) > MAX_BYTES:
        return None
    try:
        lines = data.decode().splitlines(keepends=True)
    except UnicodeDecodeError:
        return None
    heads = [graph.revisions[head] for head in graph.heads]
    # An id goes before a file name.
    known = {_forms(head)[form]: head for form in (2, 1, 0) for head in heads}
    found: list[tuple[str, Revision | None]] = []
    for line in lines:
        match = _LINE.fullmatch(line.strip())
        named = known.get(match[1]) if match else None
        if named is None and line.strip():
            return None
        found.append((line, named))
    return found if any(named for _, named in found) else None


def _forms(revision: Revision) -> list[str]:
    """How a file may call a revision: by id, by the stem of its file, by the file's name."""
    name = revision.path.rpartition("/")[2]
    return [revision.id, name.removesuffix(".py"), name]

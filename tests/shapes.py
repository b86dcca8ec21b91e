"""Repositories of every shape that a chain may have and should not: what their files declare, as large as wanted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tests.repositories import Repository

_ENV = "from alembic import context\n"
_INI = "[alembic]\nscript_location = %(here)s\n"


class File(NamedTuple):
    """One revision file: its id, what it declares, and what its `upgrade()` does."""

    id: str
    parents: tuple[str, ...] = ()
    depends_on: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    name: str = ""
    body: str = "    pass\n"
    folder: str = "alembic/versions"

    @property
    def path(self) -> str:
        """From the top of the repository."""
        return f"{self.folder}/{self.name or self.id}.py"

    @property
    def text(self) -> str:
        """In the look of Alembic's own template, shortened."""
        return (
            f'"""do {self.id}\n\nRevision ID: {self.id}\nRevises: {", ".join(self.parents)}\n\n"""\n\n'
            f"from alembic import op\n\nrevision = {self.id!r}\ndown_revision = {_value(self.parents)}\n"
            f"branch_labels = {_value(self.labels)}\ndepends_on = {_value(self.depends_on)}\n\n\n"
            f"def upgrade():\n{self.body}"
        )


class Shape(NamedTuple):
    """What stands on `main`, and on `side` where a pair is judged."""

    main: list[File]
    side: list[File] | None = None


def _value(names: tuple[str, ...]) -> str:
    return repr(names[0] if len(names) == 1 else names or None)


def _id(prefix: str, number: int) -> str:
    return f"{prefix}{number:06}"


def chain(length: int, prefix: str = "c") -> list[File]:
    """A straight line."""
    return [File(_id(prefix, n), (_id(prefix, n - 1),) if n else ()) for n in range(length)]


def diamonds(length: int, prefix: str = "d", under: tuple[str, ...] = ()) -> list[File]:
    """As many merge points as wanted, each joining two sides that part at the one before."""
    found, below = [File(_id(f"{prefix}m", 0), under)], _id(f"{prefix}m", 0)
    for n in range(1, length + 1):
        sides = (_id(f"{prefix}l", n), _id(f"{prefix}r", n))
        found += [File(side, (below,)) for side in sides]
        below = _id(f"{prefix}m", n)
        found.append(File(below, sides))
    return found


def _heads(n: int, under: list[File], prefix: str = "h") -> list[File]:
    return [File(_id(prefix, k), (under[k % len(under)].id,)) for k in range(n)]


def star(n: int) -> Shape:
    """So many heads on one parent."""
    return Shape([*chain(1), *_heads(n, chain(1))])


def star_pair(n: int) -> Shape:
    """The same, brought by a branch."""
    return Shape(chain(2), [*chain(2), *_heads(n, chain(1))])


def comb(n: int) -> Shape:
    """So many heads, each on a revision of its own of a chain as long."""
    return Shape([*chain(n), *_heads(n, chain(n))])


def comb_pair(n: int) -> Shape:
    """The same, brought by a branch."""
    return Shape(chain(n), [*chain(n), *_heads(n, chain(n))])


def comb_both(n: int) -> Shape:
    """Half of the heads are there already, the other half comes."""
    old = [*chain(n), *_heads(n // 2, chain(n))]
    return Shape(old, [*old, *_heads(n // 2, chain(n), "g")])


def comb_grown(n: int) -> Shape:
    """Every head of the target has grown by one."""
    old = [*chain(n), *_heads(n, chain(n))]
    return Shape(old, [*old, *(File(_id("g", k), (_id("h", k),)) for k in range(n))])


def comb_removed(n: int) -> Shape:
    """Every head of the target is gone, and there are others."""
    old = [*chain(n), *_heads(n, chain(n))]
    return Shape(old, [*chain(n), *_heads(n, chain(n), "g")])


def labelled(n: int) -> Shape:
    """So many heads with a label each, and as many without."""
    own = [f._replace(labels=(f"l{f.id}",)) for f in _heads(n, chain(n))]
    return Shape([*chain(n), *own], [*chain(n), *own, *_heads(n, chain(n), "g")])


def label_chain(n: int) -> Shape:
    """A line in which every revision has a label, and a head on each."""
    line = [f._replace(labels=(f"l{f.id}",)) for f in chain(n)]
    return Shape(line, [*line, *_heads(n, line)])


def pairs_of_lines(n: int) -> Shape:
    """So many lines with a label each, each of which the branch forks."""
    lines = [f for k in range(n) for f in (File(_id("b", k), labels=(f"b{k}",)), File(_id("o", k), (_id("b", k),)))]
    return Shape(lines, [*lines, *(File(_id("s", k), (_id("b", k),)) for k in range(n))])


def lines_on_a_trunk(n: int) -> Shape:
    """Heads in pairs, told apart by labels, that part at the bottom of one long line."""
    trunk = chain(n)
    labels = [File(_id("l", k), (), (), (f"l{k}",)) for k in range(n)]
    low = [File(_id("p", k), (_id("l", k), trunk[0].id)) for k in range(n)]
    high = [File(_id("q", k), (_id("l", k), trunk[-1].id)) for k in range(n)]
    return Shape([*trunk, *labels, *low], [*trunk, *labels, *low, *high])


def needs(n: int) -> Shape:
    """Heads that need each other (`depends_on`)."""
    found = [File(_id("h", k), (_id("c", 0),), (_id("h", k - 1),) if k else ()) for k in range(n)]
    return Shape([*chain(2), *found], [*chain(2), *found, File("x", (_id("c", 0),), tuple(f.id for f in found))])


def needs_labels(n: int) -> Shape:
    """The same by label."""
    found = [
        File(_id("h", k), (_id("c", 0),), (f"l{k - 1}",) if k else (), (f"l{k}",) if k % 2 == 0 else ())
        for k in range(n)
    ]
    return Shape([*chain(2), *found])


def ladder(n: int) -> Shape:
    """Merges of merges: one head."""
    return Shape(diamonds(n))


def ladder_forked(n: int) -> Shape:
    """So many merge points beneath two heads."""
    return Shape([*diamonds(n), File("x", (_id("dm", n),)), File("y", (_id("dm", n),))])


def ladder_beside(n: int) -> Shape:
    """So many merge points on either side of a fork."""
    line = chain(2)
    ours = diamonds(n, "e", (line[0].id,))
    return Shape([*line, *diamonds(n, "d", (line[-1].id,))], [*line, *diamonds(n, "d", (line[-1].id,)), *ours])


def weave(n: int) -> Shape:
    """Every revision merges the two before it; two heads."""
    found = [File(_id("w", 0)), File(_id("w", 1), (_id("w", 0),))]
    found += [File(_id("w", k), (_id("w", k - 1), _id("w", k - 2))) for k in range(2, n)]
    return Shape([*found, File("x", (found[0].id,))])


def wide_merges(n: int) -> Shape:
    """Heads in a ring: each merges two neighbouring bases, so that everything is related to everything."""
    return Shape([*(File(_id("b", k)) for k in range(n)), *(
        File(_id("h", k), (_id("b", k), _id("b", (k + 1) % n))) for k in range(n)
    )])  # fmt: skip


def competing(n: int) -> Shape:
    """So many merges of the same two heads."""
    line = [*chain(1), *_heads(2, chain(1))]
    return Shape(line, [*line, *(File(_id("m", k), ("h000000", "h000001")) for k in range(n))])


def bases(n: int) -> Shape:
    """Unrelated lines."""
    return Shape([File(_id("b", k)) for k in range(n)])


def bases_pair(n: int) -> Shape:
    """The same beside one line."""
    return Shape(chain(2), [*chain(2), *(File(_id("b", k)) for k in range(n))])


def missing(n: int) -> Shape:
    """Parents that nobody declares."""
    return Shape(chain(2), [*chain(2), *(File(_id("x", k), (_id("gone", k),)) for k in range(n))])


def torn(n: int) -> Shape:
    """The branch removes every second revision of a chain."""
    return Shape(chain(n), chain(n)[1::2])


def removed(n: int) -> Shape:
    """The branch removes what is published, and begins anew."""
    return Shape(chain(n), [File("squashed")])


def edited(n: int) -> Shape:
    """The branch writes every published revision anew."""
    return Shape(chain(n), [f._replace(body="    return\n") for f in chain(n)])


def moved(n: int) -> Shape:
    """The branch moves every file, and turns the chain round."""
    turned = [File(_id("c", k), (_id("c", k + 1),) if k < n - 1 else (), name=f"r{k}") for k in range(n)]
    return Shape(chain(n), turned)


def duplicates(n: int) -> Shape:
    """The branch brings a second file for every published id."""
    again = [f._replace(name=f"again{f.id}", body="    return\n") for f in chain(n)]
    return Shape(chain(n), [*chain(n), *again])


def duplicate(n: int) -> Shape:
    """So many files with one id."""
    again = [File("same", (_id("c", 1),), name=f"same{k}", body=f"    return {k}\n") for k in range(n)]
    return Shape(chain(2), [*chain(2), *again])


def own_duplicates(n: int) -> Shape:
    """The branch brings a line of its own in which every id stands twice."""
    own = [File(_id("x", k), (_id("x", k - 1) if k else _id("c", 1),), name=f"x{k}{s}", body=f"    '{s}'\n")
           for k in range(n) for s in "ab"]  # fmt: skip
    return Shape(chain(2), [*chain(2), *own])


def prefixes(n: int) -> Shape:
    """Ids that begin each other."""
    return Shape(chain(2), [*chain(2), *(File("a" * (k + 4), (_id("c", 1),) if not k else ("a" * (k + 3),))
                                         for k in range(n))])  # fmt: skip


def prefix_pairs(n: int) -> Shape:
    """One id that begins all others."""
    return Shape(chain(2, "abcd"), [*chain(2, "abcd"), File("abcd", (_id("abcd", 1),)), *(
        File(_id("abcd", k + 2), ("abcd" if not k else _id("abcd", k + 1),)) for k in range(n)
    )])  # fmt: skip


def circle(n: int) -> Shape:
    """All follow each other."""
    return Shape([File(_id("c", k), (_id("c", (k - 1) % n),)) for k in range(n)])


def circles(n: int) -> Shape:
    """Pairs that follow each other, one above the other, and a head on each."""
    found = []
    for k in range(n):
        below = (_id("q", k - 1),) if k else ()
        found += [File(_id("p", k), (_id("q", k), *below)), File(_id("q", k), (_id("p", k),))]
        found.append(File(_id("h", k), (_id("p", k),)))
    return Shape(found)


def numbered(n: int) -> Shape:
    """A branch of diamonds whose numbers the target has taken meanwhile."""

    def file(number: int, *parents: int) -> File:
        return File(f"{number:05}", tuple(f"{p:05}" for p in parents), name=f"{number:05}_do")

    old = [file(1), file(2, 1)]
    own = [file(3, 2)]
    for k in range(n):
        at = 3 + 3 * k
        own += [file(at + 1, at), file(at + 2, at), file(at + 3, at + 1, at + 2)]
    theirs = file(3, 2)._replace(id="00003x", name="00003_other")
    return Shape([*old, theirs], [*old, *own])


def fresh_chain(n: int) -> Shape:
    """A long branch beside one revision of the target: it moves, and nothing is renamed."""
    return Shape(chain(2), [*chain(1), *chain(n, "h")[1:], File("h000000", (_id("c", 0),))])


def environments(n: int) -> Shape:
    """So many environments, each with a fork that the branch brings."""
    main, side = [], []
    for k in range(n):
        line = [f._replace(folder=f"app{k:05}/alembic/versions") for f in chain(2)]
        main += line
        side += [*line, File("x", (_id("c", 0),), folder=line[0].folder)]
    return Shape(main, side)


def operations(n: int) -> Shape:
    """So many operations on each side."""

    def body(side: str) -> str:
        return "".join(f"    op.add_column('t{k}', sa.Column('{side}{k}', sa.Integer()))\n" for k in range(n))

    line = chain(1)
    ours = File("ours", (line[0].id,), body=f"    import sqlalchemy as sa\n{body('a')}")
    theirs = File("theirs", (line[0].id,), body=f"    import sqlalchemy as sa\n{body('b')}")
    return Shape([*line, theirs], [*line, ours])


def same_table(n: int) -> Shape:
    """The same, all on one table, and each meets each."""

    def body(side: str) -> str:
        return "".join(f"    op.drop_column('t', '{side}{k}')\n" for k in range(n))

    line = chain(1)
    return Shape(
        [*line, File("theirs", (line[0].id,), body=body("x"))], [*line, File("ours", (line[0].id,), body=body("y"))]
    )


SHAPES: dict[str, Callable[[int], Shape]] = {
    each.__name__.replace("_", " "): each
    for each in (
        star, star_pair, comb, comb_pair, comb_both, comb_grown, comb_removed, labelled, label_chain, pairs_of_lines,
        lines_on_a_trunk, needs, needs_labels, ladder, ladder_forked, ladder_beside, weave, wide_merges, competing,
        bases, bases_pair, missing, torn, removed, edited, moved, duplicates, duplicate, own_duplicates, prefixes,
        prefix_pairs, circle, circles, numbered, fresh_chain, environments, operations, same_table,
    )
}  # fmt: skip


def make(place: Path, shape: Shape) -> Repository:
    """A bare repository of it: `main`, and `side` where there is one."""
    repo = Repository(place)
    repo.commit("main", _files(shape.main))
    if shape.side is not None:
        # Both sides begin with what they have in common.
        side = _files(shape.side)
        base = {path: text for path, text in _files(shape.main).items() if side.get(path) == text}
        repo.commit("side", base, parents=[])
        repo.commit("main", _files(shape.main), parents=["side"])
        repo.commit("side", side)
    return repo


def _files(revisions: list[File]) -> dict[str, str]:
    written = {"alembic.ini": "[alembic]\nscript_location = %(here)s/alembic\n", "alembic/env.py": _ENV}
    for file in revisions:
        if not file.folder.startswith("alembic/"):
            place = file.folder.removesuffix("/versions")
            written |= {f"{place}/env.py": _ENV, f"{place}/alembic.ini": _INI}
        written[file.path] = file.text
    return written

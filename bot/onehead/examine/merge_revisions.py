"""The new files of a plan that merges, in the project's own style."""

from __future__ import annotations

from collections.abc import Iterable

from onehead.errors import UsageError
from onehead.examine.examine import Trees, policies_in
from onehead.gitrepo.tree import SYMLINK
from onehead.plan.facts import Facts
from onehead.plan.plans import Merge
from onehead.plan.repairs import BEFORE
from onehead.render import from_template, stock_revision
from onehead.revisions.edit import CannotEdit
from onehead.revisions.graph import Graph
from onehead.revisions.merge_file import Sibling, merge_file, newest
from onehead.revisions.model import FileChange, Revision

_MAX_MERGES = 50
"""In one environment. Nobody has so many forks, and each merge is modelled on files that have to be read."""


def merge_revisions(
    facts: Facts, plan: Merge, trees: Trees, known: list[Revision], elsewhere: frozenset[str]
) -> tuple[tuple[FileChange, ...], Graph]:
    """One new file per fork, or several in a row; and the chain with them. `elsewhere` as in `Examined.taken`.

    Raises:
        CannotEdit: no file can be written.
        UsageError: the repository's own template can't be used.
    """
    if len(plan.merges) > _MAX_MERGES:
        raise CannotEdit(
            0, f"{len(plan.merges)} merge revisions would be needed, and at most {_MAX_MERGES} are written"
        )
    graph, environment = facts.merged, facts.environment
    taken = {revision.id for revision in known}
    paths = {revision.path for revision in known}
    own = _own_template(trees)
    made: list[FileChange] = []
    added: list[Sibling] = []
    for parents in plan.merges:
        joined = _siblings((graph.revisions[id_] for id_ in parents if id_ != BEFORE), trees)
        joined += tuple(added[-1:]) if BEFORE in parents else ()
        models = newest(list(graph.revisions.values()), [*reversed(parents), *graph.heads])
        siblings = _siblings(models, trees)
        location, template = environment.locations[0].path, environment.file_template
        new = merge_file(joined, siblings, location, template, taken, paths, elsewhere, stock=stock_revision())
        if own is not None:
            new = from_template(new, own)
        taken.add(new.id)
        paths.add(new.path)
        made.append(FileChange(new.path, new.data))
        added.append(Sibling(Revision(new.id, new.parents, new.path, ""), new.data))
    return tuple(made), graph.replaced(sibling.revision for sibling in added)


def _own_template(trees: Trees) -> str | None:
    """The repository's own template for merges, from the target branch; `None` where its policy names none.

    Raises:
        UsageError: there is no such file.
    """
    [written] = policies_in([trees.target.entries], trees.read)
    path = written.policy.merge_template
    entry = trees.target.entries.get(path)
    if not path:
        return None
    data = {} if entry is None or entry.mode == SYMLINK else trees.read([entry.oid]).data
    if entry is None or entry.oid not in data:
        raise UsageError(
            f"The policy names `{path}` as the template for merge revisions, and the target branch has no such file.",
            "Add the file to the target branch, or remove `merge-template` from its policy.",
        )
    return data[entry.oid].decode("utf-8", "replace")


def _siblings(revisions: Iterable[Revision], trees: Trees) -> tuple[Sibling, ...]:
    wanted = list(revisions)
    data = trees.read({revision.blob for revision in wanted}).data
    return tuple(Sibling(revision, data[revision.blob]) for revision in wanted if revision.blob in data)

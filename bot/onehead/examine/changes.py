"""From a plan to the files it changes, in the project's own style. Nothing is written here.

Every set of changes is read again and judged before it is given out: a repair that would not leave exactly the heads
it promises becomes a refusal.
"""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from onehead.errors import UsageError
from onehead.examine.examine import Trees, policies_in
from onehead.gitrepo.tree import SYMLINK
from onehead.plan.findings import Facts
from onehead.plan.forks import forks_of
from onehead.plan.plans import BEFORE, Merge, Plan, Reason, ReasonCode, Refuse, Reissue, Reparent
from onehead.plan.verdict import Examination, Examined
from onehead.revisions import edit, file_names
from onehead.revisions.command_line import typed
from onehead.revisions.edit import CannotEdit, reissue, reparent, rereference
from onehead.revisions.file_names import convention, counter, fresh_id, renumber, reworded, stem_of
from onehead.revisions.graph import Graph
from onehead.revisions.model import FileChange, Revision
from onehead.revisions.parse import parse, revision_of

if TYPE_CHECKING:
    from onehead.databases.model import OwnDatabase
    from onehead.revisions.merge_file import Sibling


def contents_before(repairs: Repairs, trees: Trees) -> dict[str, bytes]:
    """The files that a repair changes as they are now, by path; new files are absent."""
    listing = trees.head or trees.target
    merged = trees.merge.entries if trees.merge else {}
    entries = [listing.entries.get(change.path) or merged.get(change.path) for change in repairs.all()]
    data = trees.read({entry.oid for entry in entries if entry}).data
    return {entry.path: data[entry.oid] for entry in entries if entry and entry.oid in data}


class _Changed(NamedTuple):
    """What is done to files, the chain as it stands then (`None` where nothing is done), and new ids by the old."""

    changes: tuple[FileChange, ...] = ()
    after: Graph | None = None
    new_ids: tuple[tuple[str, str], ...] = ()


_BY_HAND = "Make the change by hand as shown, or run `onehead fix --strategy merge`."


class Repairs(NamedTuple):
    """An examination whose plans can all be carried out, and how: a plan that can't be written is a refusal in it.

    `changes`: environment path → what its plan does to files, absent where it does nothing; `promised`: for the same
    environments, the chain once the repair is merged; `replaced`: paths among them whose content follows from the chain
    alone, whatever either side wrote there.
    """

    examination: Examination
    changes: dict[str, tuple[FileChange, ...]]
    promised: dict[str, Graph]
    replaced: frozenset[str] = frozenset()

    def all(self) -> tuple[FileChange, ...]:
        """The changes of all environments together."""
        return tuple(change for path in sorted(self.changes) for change in self.changes[path])

    def refused(self, why: str) -> Repairs:
        """The same with a refusal in place of every plan that would have changed something."""
        environments = tuple(
            _refused(examined, why) if examined.facts.environment.path in self.changes else examined
            for examined in self.examination.environments
        )
        return Repairs(self.examination._replace(environments=environments), {}, {})


def _refused(examined: Examined, why: str, option: str = _BY_HAND) -> Examined:
    return examined._replace(plan=Refuse((Reason(ReasonCode.EDIT_FAILED, why),), (option,)))


def prepare(examination: Examination, trees: Trees) -> Repairs:
    """Work out every plan's file changes."""
    changes = {}
    promised = {}
    environments = []
    replaced: set[str] = set()
    for examined in examination.environments:
        try:
            made, after, new_ids = _changes(examined.plan, examined, trees)
            _prove(examined.facts, after)
            if made and after is not None:
                sentinels = [each for each in _sentinels(examined.facts, after, trees) if each.path not in replaced]
                replaced |= {each.path for each in sentinels}
                changes[examined.facts.environment.path] = (*made, *sentinels)
                promised[examined.facts.environment.path] = after
            environments.append(_named(examined, new_ids, trees))
        except CannotEdit as obstacle:
            environments.append(_refused(examined, obstacle.message))
        except UsageError as obstacle:
            environments.append(_refused(examined, obstacle.message, obstacle.hint))
    return Repairs(examination._replace(environments=tuple(environments)), changes, promised, frozenset(replaced))


def _changes(plan: Plan, examined: Examined, trees: Trees) -> _Changed:
    match plan:
        case Merge():
            return _merge(examined.facts, plan, trees, examined.taken)
        case Reparent():
            return _reparent(examined.facts, plan, trees)
        case Reissue():
            return _reissue(examined.facts, plan, trees, examined.taken)
        case _:
            return _Changed()


def _named(examined: Examined, new_ids: tuple[tuple[str, str], ...], trees: Trees) -> Examined:
    """The new ids in the plan, and in the re-parent that was not chosen."""
    if isinstance(examined.plan, Reissue):
        return examined._replace(plan=examined.plan._replace(issued=new_ids))
    if isinstance(examined.asked, Reissue):
        with suppress(CannotEdit):
            issued = _changes(examined.asked, examined, trees).new_ids
            return examined._replace(asked=examined.asked._replace(issued=issued))
    return examined


def _sentinels(facts: Facts, after: Graph, trees: Trees) -> list[FileChange]:
    """Files that name the heads and nothing else, brought up to date."""
    sides = [(trees.target, facts.target), *([(trees.head, facts.head)] if trees.head and facts.head else [])]
    merged = trees.merge.entries if trees.merge else trees.target.entries
    paths = {path for tree, _ in sides for path in edit.candidates(facts.environment, tree.entries)}
    blobs = {tree.entries[path].oid for tree, _ in sides for path in paths if path in tree.entries}
    data = trees.read(blobs | {merged[path].oid for path in paths if path in merged}).data if paths else {}
    changes = []
    for path in sorted(paths):
        found = [(data.get(tree.entries[path].oid, b""), graph) for tree, graph in sides if path in tree.entries]
        if all(edit.names_heads(content, graph) for content, graph in found):
            new = edit.advanced(*found[0], after)
            if new is not None and (path not in merged or data.get(merged[path].oid) != new):
                changes.append(FileChange(path, new))
    return changes


def _known(facts: Facts) -> list[Revision]:
    """The revisions of the judged trees; what others use is `Examined.taken`."""
    return [*facts.merged, *facts.target, *(facts.head or ())]


_MAX_MERGES = 50
"""In one environment. Nobody has so many forks, and each merge is modelled on files that have to be read."""


def _merge(facts: Facts, plan: Merge, trees: Trees, elsewhere: frozenset[str]) -> _Changed:
    """One new file per fork, or several in a row, in the project's own style.

    Raises `CannotEdit` where no file can be written, `UsageError` where the repository's own template can't be used.
    """
    from onehead.render import from_template, stock_revision  # noqa: PLC0415 - a re-parent needs none of these
    from onehead.revisions.merge_file import Sibling, merge_file, newest  # noqa: PLC0415

    if len(plan.merges) > _MAX_MERGES:
        raise CannotEdit(
            0, f"{len(plan.merges)} merge revisions would be needed, and at most {_MAX_MERGES} are written"
        )
    graph, environment = facts.merged, facts.environment
    known = _known(facts)
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
        if template and not environment.locations[0].recursive:
            # What lies in the folders of a template is read only where sub-folders are.
            template = template.rpartition("/")[2]
        new = merge_file(joined, siblings, location, template, taken, paths, elsewhere, stock=stock_revision())
        if own is not None:
            new = from_template(new, own)
        taken.add(new.id)
        paths.add(new.path)
        made.append(FileChange(new.path, new.data))
        added.append(Sibling(Revision(new.id, new.parents, new.path, ""), new.data))
    return _Changed(tuple(made), graph.replaced(sibling.revision for sibling in added))


def _own_template(trees: Trees) -> str | None:
    """The repository's own template for merges, from the target; `None` for none, `UsageError` where it is missing."""
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
    from onehead.revisions.merge_file import Sibling  # noqa: PLC0415 - as above

    wanted = list(revisions)
    data = trees.read({revision.blob for revision in wanted}).data
    return tuple(Sibling(revision, data[revision.blob]) for revision in wanted if revision.blob in data)


class _FileDraft:
    """One file of a moved chain while it is being changed."""

    def __init__(self, revision: Revision, data: bytes) -> None:
        self.revision = revision
        self.old = self.new = data
        self.path = revision.path
        self.id = revision.id


def _reparent(facts: Facts, plan: Reparent, trees: Trees) -> _Changed:
    """The roots get their new parent; numbers that the target has taken meanwhile move on."""
    chain = [facts.merged.revisions[id_] for id_ in facts.merged.parents_first(plan.moved)]
    drafts = _drafts(chain, trees)
    for move in plan.moves:
        draft = drafts[move.revision]
        draft.new = reparent(draft.new, move.old_parents, move.new_parents)
    _rename(drafts, {each.old_id: (each.new_id, each.new_path) for each in plan.renumbered})
    return _finished(drafts, facts, trees)


def _reissue(facts: Facts, plan: Reissue, trees: Trees, elsewhere: frozenset[str]) -> _Changed:
    """Copies go, newer definitions get new ids, whoever of the branch names them follows, and the roots move."""
    published = {revision.blob for revision in facts.target}
    chosen = {
        id_: next(r for r in facts.merged.definitions(id_) if r.path == path and r.blob not in published)
        for id_, path in plan.files
    }
    order = (facts.head or facts.merged).parents_first(plan.moved)
    chain = [chosen.get(id_) or facts.merged.revisions[id_] for id_ in order]
    drafts = _drafts(chain, trees)
    target = list(facts.target.revisions.values())
    numbered = renumber(chain, target, _ids(facts), elsewhere, facts.environment.file_template)
    names = {each.old_id: (each.new_id, each.new_path) for each in numbered}
    for id_, revision in chosen.items():
        if names.get(id_, (id_, ""))[0] != id_ and not file_names.carries(stem_of(revision.path), id_):
            names[id_] = (reworded(names[id_][0], _words(revision)), names[id_][1])
    missing = [revision for id_, revision in chosen.items() if names.get(id_, (id_, ""))[0] == id_]
    names |= _new_names(missing, facts, trees, names, elsewhere)
    _rename(drafts, names)
    for move in plan.moves:
        draft = drafts[move.revision]
        named = parse(draft.new).parents or ()
        # What is not the branch's own keeps its id: one of the target's may be the very one that was given up.
        onto = tuple(id_ if id_ in facts.target else names.get(id_, (id_, ""))[0] for id_ in move.new_parents)
        draft.new = reparent(draft.new, named, onto)
    return _finished(drafts, facts, trees, plan.dropped)


def _ids(facts: Facts) -> list[str]:
    return [revision.id for revision in _known(facts)]


def _new_names(
    revisions: list[Revision],
    facts: Facts,
    trees: Trees,
    numbered: dict[str, tuple[str, str]],
    elsewhere: frozenset[str],
) -> dict[str, tuple[str, str]]:
    """Old id → new id and path, for ids that no numbering took care of; the path may have got a number already."""
    from onehead.revisions.merge_file import newest  # noqa: PLC0415 - few revisions are issued anew

    models = newest(list(facts.target), facts.target.heads)
    read = trees.read({revision.blob for revision in models}).data
    taken = {*_ids(facts), *(new for new, _ in numbered.values())}
    house = convention([revision.id for revision in models if revision.blob in read])
    if house.kind == "number":
        template = facts.environment.file_template
        taken |= {stem_of(each.path) for each in _known(facts) if counter(each.path, template) is not None}
    names = {}
    for revision in revisions:
        slug = _words(revision) if house.slug else ""
        newest_id = max(facts.target.heads, default="")
        new = fresh_id(f"{revision.id}\n{revision.path}\n{revision.blob}", house, taken, slug, newest_id, elsewhere)
        taken.add(new)
        _, path = numbered.get(revision.id, ("", revision.path))
        # A name without the id stays as it is: it says what the revision is about.
        stem = file_names.renamed(stem_of(path), revision.id, new)
        names[revision.id] = (new, posixpath.join(posixpath.dirname(path), f"{stem}.py"))
    return names


def _words(revision: Revision) -> str:
    if file_names.carries(stem_of(revision.path), revision.id):
        return revision.id.partition("_")[2]
    return file_names.own_slug(stem_of(revision.path), revision.doc)


def _aside(draft: _FileDraft, trees: Trees) -> str:
    """Another path for a file whose own is the target's, too: in the words of its docstring, else counted."""
    folder, stem = posixpath.dirname(draft.path), stem_of(draft.path)
    words, own = file_names.own_slug(stem, ""), file_names.own_slug("", draft.revision.doc)
    names = [stem.replace(words, own, 1)] if words and own else []
    names += [f"{stem}_{number}" for number in range(2, 100)]
    paths = (posixpath.join(folder, f"{name}.py") for name in names)
    return next((path for path in paths if not _exists(path, trees)), draft.path)


def _drafts(chain: list[Revision], trees: Trees) -> dict[str, _FileDraft]:
    listing = trees.head or trees.target
    for revision in chain:
        entry = listing.entries.get(revision.path)
        if entry is not None and entry.mode == SYMLINK:
            raise CannotEdit(0, f"`{revision.path}` is a symbolic link, so the text is in another file")
    data = trees.read({revision.blob for revision in chain}).data
    return {each.id: _FileDraft(each, data[each.blob]) for each in chain if each.blob in data}


def _rename(drafts: dict[str, _FileDraft], names: dict[str, tuple[str, str]]) -> None:
    ids = {old: new for old, (new, _) in names.items() if new != old}
    for old, draft in drafts.items():
        if old in ids:
            draft.new = reissue(draft.new, old, ids[old], ids)
        elif ids:
            draft.new = rereference(draft.new, ids)
        if old in names:
            draft.id, draft.path = names[old]


def _finished(
    drafts: dict[str, _FileDraft], facts: Facts, trees: Trees, dropped: Collection[tuple[str, str]] = ()
) -> _Changed:
    """Changes to the tree in which the target's files stand already: a file of its own under a path stays there."""
    originals = {(draft.revision.path, draft.revision.blob) for draft in drafts.values()}
    changes = [FileChange(path, None) for _, path in dropped if not _is_theirs(path, trees)]
    after = [r for r in facts.merged if (r.path, r.blob) not in originals and (r.id, r.path) not in dropped]
    for draft in drafts.values():
        old = draft.revision.path
        taken = _is_theirs(old, trees)
        if taken and draft.path == old:
            draft.path = _aside(draft, trees)
        if draft.path != old and _exists(draft.path, trees):
            raise CannotEdit(0, f"`{old}` would become `{draft.path}`, which exists already")
        outcome = revision_of(draft.path, draft.revision.blob, parse(draft.new))
        if isinstance(outcome, Revision):
            after.append(outcome)
        if taken:
            changes.append(FileChange(draft.path, draft.new))
        elif draft.path != old:
            changes.append(FileChange(old, draft.new, draft.path))
        elif draft.new != draft.old:
            changes.append(FileChange(old, draft.new))
    new_ids = tuple((old, draft.id) for old, draft in drafts.items() if draft.id != old)
    return _Changed(tuple(changes), Graph(after, facts.merged.unreadable), new_ids)


def _is_theirs(path: str, trees: Trees) -> bool:
    """Whether both sides added a file of their own under this path, where a merge of the target keeps the target's.

    That the target has the path is not enough: the branch may have moved the target's file away and put its own there.
    """
    conflict = trees.merge.conflicts.get(path) if trees.merge else None
    return conflict is not None and conflict.base is None and conflict.target is not None


def _exists(path: str, trees: Trees) -> bool:
    head, merge = trees.head, trees.merge
    return (head is not None and path in head.entries) or (
        merge is not None and (path in merge.entries or path in merge.conflicts)
    )


def _prove(facts: Facts, after: Graph | None) -> None:
    """Judge the changed chain; raises `CannotEdit` where it would not have exactly the heads it should."""
    if after is None:
        return
    own = [fork for fork in forks_of(facts, after) if facts.head is None or fork.introduced_by == "head"]
    if own or after.cycles or after.duplicates.keys() - facts.target.duplicates.keys():
        raise CannotEdit(0, "the repaired chain would still not be at one head")


def own_databases(repairs: Repairs) -> dict[str, OwnDatabase]:
    """Environment path → such a database; nothing for environments where nothing moves."""
    moving = [e for e in repairs.examination.environments if isinstance(e.plan, Reparent | Reissue)]
    if not moving:
        return {}
    from dataclasses import replace  # noqa: PLC0415 - loading it takes longer than most checks may wait

    from onehead.databases.upgrade import own_database  # noqa: PLC0415

    found = {}
    for examined in moving:
        path = examined.facts.environment.path
        after = repairs.promised.get(path)
        own = None if after is None else own_database(examined.facts.head, examined.plan, after)
        if own is not None:
            place = examined.facts.environment
            found[path] = replace(own, before=typed(place, own.before), after=typed(place, own.after))
    return found

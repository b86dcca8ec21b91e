"""What the revisions of one environment do, and which version table its `env.py` names: read from git, never run."""

from __future__ import annotations

from onehead.databases.schema_effects import Traces, traces_of
from onehead.flows.examine import Trees
from onehead.operations.read import read as operations_of
from onehead.plan.facts import Facts
from onehead.revisions.environments import join
from onehead.revisions.parsers import examination
from onehead.revisions.version_table import VersionTableNames, version_table_in


@examination()
def traces_in(facts: Facts, trees: Trees) -> dict[str, Traces]:
    """What each revision leaves behind in a schema, by its id."""
    data = trees.read({revision.blob for revision in facts.merged.revisions.values()}).data
    return {
        revision.id: traces_of(operations_of(data[revision.blob]))
        for revision in facts.merged.revisions.values()
        if revision.blob in data
    }


def version_table_of(facts: Facts, trees: Trees) -> VersionTableNames:
    """The version table of an environment, as far as its `env.py` says so in plain words."""
    script = facts.environment.script_location
    entry = None if script is None else trees.target.entries.get(join(script, "env.py"))
    if entry is None:
        return VersionTableNames(computed=("version_table", "version_table_schema"))
    data = trees.read([entry.oid]).data
    return version_table_in(data[entry.oid]) if entry.oid in data else VersionTableNames()

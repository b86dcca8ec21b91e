"""Answers of the forge have no field that Forgejo's own description of its API does not have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.forgejos.fixtures import Project

SWAGGER = json.loads((Path(__file__).parent.parent / "data" / "swagger" / "forgejo-v15.json").read_text())
# Users carry their login twice, for old clients; the description has it once.
UNDESCRIBED = {"username"}


def strays(schema: dict[str, Any], value: Any, where: str) -> list[str]:
    """List what a value has that its schema has not, and values of another kind."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        return strays(SWAGGER["definitions"][name], value, where)
    if value is None:
        return []
    if schema.get("type") == "array":
        return [found for item in value for found in strays(schema["items"], item, f"{where}[]")]
    if schema.get("type") == "object" and "properties" in schema:
        known = schema["properties"]
        unknown = [f"{where}.{key}" for key in value if key not in known and key not in UNDESCRIBED]
        return unknown + [
            found for key in known if key in value for found in strays(known[key], value[key], f"{where}.{key}")
        ]
    kinds = {"string": str, "boolean": bool, "integer": int, "object": dict}
    return [] if isinstance(value, kinds[schema["type"]]) else [f"{where} is a {type(value).__name__}"]


def test_answers_fit_the_description(project: Project) -> None:
    sha = project.push_branch("topic", {"a.txt": "a\n"})
    project.open_pull("topic")
    path = project.repository.path
    api = project.api
    status = api.call("POST", f"{path}/statuses/{sha}", {"state": "success", "context": "x"}, expect=201)
    comment = api.call("POST", f"{path}/issues/1/comments", {"body": "b"}, expect=201)
    reactions = f"{path}/issues/comments/{comment['id']}/reactions"
    answers = {
        "User": api.get("/user"),
        "ServerVersion": api.get("/version"),
        "Repository": api.get(path),
        "Branch": api.get(f"{path}/branches/topic"),
        "PullRequest": api.get(f"{path}/pulls/1"),
        "Comment": comment,
        "Reaction": api.call("POST", reactions, {"content": "eyes"}, expect=201),
        "CommitStatus": status,
        "CombinedStatus": api.get(f"{path}/commits/{sha}/status"),
        "APINotFound": api.call("GET", f"{path}/branches/none", expect=404),
        "APIValidationError": api.call("POST", f"{path}/issues/1/comments", {}, expect=422),
    }

    found = [stray for name, answer in answers.items() for stray in strays(SWAGGER["definitions"][name], answer, name)]

    assert found == []

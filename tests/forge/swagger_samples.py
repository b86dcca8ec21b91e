"""Answers made from Forgejo's own description: every property of a definition, none else, none empty."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

ROOT = "http://forge.test:3000"
TOKEN = "0123456789abcdef0123456789abcdef01234567"
SWAGGER: dict[str, Any] = {"paths": {}, "definitions": {}, "responses": {}}
for _file in sorted((Path(__file__).parents[1] / "data" / "swagger").glob("*.json")):
    _described = json.loads(_file.read_text(encoding="utf-8"))
    for _kind, _all in SWAGGER.items():
        _all.update(_described[_kind])


class Recorded(dict[str, Any]):
    """An object that fails the test when somebody reads a field that the definition does not have."""

    def __init__(self, content: dict[str, Any], name: str) -> None:
        super().__init__(content)
        self.name = name

    def get(self, key: str, default: Any = None) -> Any:
        assert key in self, f"{self.name} has no property {key!r}"
        return super().get(key, default)


def resolve(schema: dict[str, Any]) -> dict[str, Any]:
    """Follow `$ref` to the end."""
    while "$ref" in schema:
        _, kind, name = schema["$ref"].split("/")
        schema = SWAGGER[kind][name]
        if kind == "responses":
            schema = schema.get("schema", {})
    return schema


def sample(schema: dict[str, Any], name: str = "answer", depth: int = 0) -> Any:
    """A value that the schema describes, different from every default."""
    name = schema.get("$ref", name).rpartition("/")[2]
    schema = resolve(schema)
    match schema.get("type"):
        case "object" if depth > 6:
            return None
        case "object" | None:  # none: described as anything
            fields = {field: sample(inner, field, depth + 1) for field, inner in schema.get("properties", {}).items()}
            return Recorded(fields, name)
        case "array":
            return [sample(schema["items"], name, depth + 1)]
        case "integer":
            return 1 + sum(name.encode())
        case "boolean":
            return True
        case "string" if schema.get("format") == "date-time":
            return "2026-06-30T09:14:05+02:00"
        case "string" if name.endswith("_url"):
            return f"{ROOT}/the-{name}/23"
        case "string":
            return f"the {name}"
    raise AssertionError(f"no sample for {name}: {schema}")


def definition(name: str, /, **changes: Any) -> dict[str, Any]:
    """A sample of a definition, as plain JSON, with some fields changed."""
    made: dict[str, Any] = json.loads(json.dumps(sample({"$ref": f"#/definitions/{name}"})))
    unknown = set(changes) - set(made)
    assert not unknown, f"{name} has no {unknown}"
    return made | changes


def operation(method: str, path: str) -> tuple[str, dict[str, Any]]:
    """The operation that a request (path below `/api/v1`, still quoted) belongs to: the most literal template wins."""
    found = []
    for template, methods in SWAGGER["paths"].items():
        # Only the last part of a path may hold slashes, where Forgejo routes it with a wildcard.
        pattern = re.sub(r"\{(branch|head)\}$", "(.+)", template)
        pattern = re.sub(r"\{\w+\}", "([^/]+)", pattern)
        if re.fullmatch(pattern, path) and method.lower() in methods:
            found.append((template.count("{"), template, methods[method.lower()]))
    assert found, f"Forgejo has no {method} {path}"
    _, template, described = min(found, key=lambda one: one[0])
    return template, described

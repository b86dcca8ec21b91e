"""One request and its answer by Forgejo's own description: what is sent fits it, and the answer has all it names."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

import httpx

from tests.forge.swagger_samples import operation, resolve, sample

SUCCESS = {"GET": 200, "POST": 201, "DELETE": 204, "PATCH": 200, "PUT": 204}
KINDS = {"string": str, "boolean": bool, "integer": int, "array": list, "object": dict}


def answers(seen: list[str]) -> Callable[[httpx.Request], httpx.Response]:
    """A server that knows nothing but the description; the paths that were asked for are noted in `seen`."""

    def answer(request: httpx.Request) -> httpx.Response:
        template, described = operation(request.method, _path(request))
        seen.append(f"{request.method} {template}")
        _check_query(request, described)
        _check_body(request, described)
        return _answer(request, described)

    return answer


def _path(request: httpx.Request) -> str:
    return request.url.raw_path.decode("ascii").partition("?")[0].removeprefix("/api/v1")


def _check_query(request: httpx.Request, described: dict[str, Any]) -> None:
    known = {each["name"]: each for each in described.get("parameters", []) if each["in"] == "query"}
    for name, value in request.url.params.items():
        assert name in known, f"no query parameter {name!r}"
        if known[name]["type"] == "integer":
            assert value.isdecimal()
        if "enum" in known[name]:
            assert value in known[name]["enum"]


def _check_body(request: httpx.Request, described: dict[str, Any]) -> None:
    wanted = [parameter for parameter in described.get("parameters", []) if parameter["in"] == "body"]
    if not wanted:
        assert request.content == b""
        return
    assert request.headers["Content-Type"] == "application/json"
    schema = resolve(wanted[0]["schema"])
    sent = json.loads(request.content)
    assert sent
    assert set(schema.get("required", [])) <= set(sent)
    for field, value in sent.items():
        assert field in schema["properties"], f"no field {field!r}"
        _check_value(value, resolve(schema["properties"][field]))


def _check_value(value: object, schema: dict[str, Any]) -> None:
    if not schema:
        return  # described as anything, such as the labels, which go by number or by name
    assert isinstance(value, KINDS[schema["type"]])
    if "enum" in schema:
        assert value in schema["enum"]
    for item in value if isinstance(value, list) else []:
        _check_value(item, resolve(schema["items"]))
    for item in value.values() if isinstance(value, dict) else []:
        _check_value(item, resolve(schema["additionalProperties"]))


def _answer(request: httpx.Request, described: dict[str, Any]) -> httpx.Response:
    # The statuses of success that are described; a pull request's PATCH alone answers 201.
    codes = [int(code) for code in described["responses"] if code.startswith("2")]
    code = SUCCESS[request.method] if SUCCESS[request.method] in codes else codes[0]
    assert code in codes
    schema = described["responses"][str(code)]
    if not resolve(schema):
        return httpx.Response(code)
    return httpx.Response(code, json=sample(schema), headers={"X-Total-Count": "1"})


def nothing_is_missing(value: object, where: str) -> None:
    """Every field of every value was filled from a property: none kept a default."""
    if isinstance(value, (list, tuple, frozenset)):
        assert value, where
        for item in value:
            nothing_is_missing(item, where)
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            nothing_is_missing(getattr(value, field.name), f"{where}.{field.name}")
    else:
        assert isinstance(value, (str, int, bool, datetime)), where
        assert value, where

"""The published schema of the policy against the reader: an editor accepts exactly what onehead accepts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from onehead.plan.policy import KEYS, Policy, read_policy_files

SCHEMA: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "docs" / "schema" / "onehead-policy.json").read_text(encoding="utf-8")
)


def toml(value: Any) -> str:
    """A value as TOML writes it; for texts, numbers and lists that is what JSON writes."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(key)} = {toml(each)}" for key, each in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value)


def is_accepted(policy: dict[str, Any]) -> bool:
    """By the reader."""
    text = "".join(f"{json.dumps(key)} = {toml(value)}\n" for key, value in policy.items())
    return read_policy_files({".onehead.toml": text.encode()}).problems == ()


def is_valid(policy: dict[str, Any]) -> bool:
    """By the schema."""
    return bool(Draft202012Validator(SCHEMA).is_valid(policy))


def test_it_is_a_schema_with_every_key_and_no_other() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert [*SCHEMA["properties"]] == [*KEYS]
    assert all(each["description"] for each in SCHEMA["properties"].values())


def test_its_defaults_are_those_of_the_reader() -> None:
    defaults = {}
    for key, each in SCHEMA["properties"].items():
        whole = SCHEMA["$defs"]["patterns"] if "$ref" in each else each
        if key != "merge-template":  # a path or none
            defaults[key] = whole["default"]
    text = "".join(f"{key} = {toml(value)}\n" for key, value in defaults.items())
    found = read_policy_files({".onehead.toml": text.encode()}).policy
    assert found._replace(allowed_heads=()) == Policy()
    assert found.heads_allowed("any/versions") == Policy().heads_allowed("any/versions")


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize(
    "value",
    [
        *([], ["main"], ["main", "release/*"], [""], ["main", 1], "main", "", True, False, 0, 1, 2, -1, {}, {"a": 1}),
        *({"a": 0}, {"a": 1, "*": 3}, {"a": "1"}, {"a": True}, {"a": {"b": 1}}, "auto", "merge", "reparent", "rebase"),
        *("pull-request", "push", "comment", "repair", "status", "Merge", [["main"]], "true"),
    ],
    ids=repr,
)
def test_each_value_of_each_key(key: str, value: Any) -> None:
    assert is_valid({key: value}) == is_accepted({key: value})


texts = st.text(st.characters(codec="ascii", categories=("L", "N", "P")), max_size=8)
values = st.recursive(
    st.one_of(st.booleans(), st.integers(-3, 5), texts, st.sampled_from(["auto", "merge", "push", "repair"])),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=5,
)
policies = st.dictionaries(st.one_of(st.sampled_from([*KEYS]), texts), values, max_size=4)


@given(policies)
def test_any_policy(policy: dict[str, Any]) -> None:
    assert is_valid(policy) == is_accepted(policy)

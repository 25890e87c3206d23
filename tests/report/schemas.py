"""The published schemas, and what they are tried with: a document with one thing in it wrong, the names of fields."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource

RUN = {
    "id": "20260205-101500-verify-reference-3fa2c1",
    "began": "2026-02-05T10:15:00Z",
    "command": "harness verify",
    "harness": "0.1.0",
}


def schema(name: str) -> dict[str, Any]:
    text = files("harness.report").joinpath(f"{name}.schema.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def validator(name: str) -> Draft202012Validator:
    """Of the schema of that name; some define what others share."""
    shared = schema("verify")
    known: Registry[Any] = Registry().with_resource(shared["$id"], Resource.from_contents(shared))
    return Draft202012Validator(schema(name), registry=known)


def stamped(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document with the ``run`` that is added where it is saved."""
    return {**document, "run": RUN}


def altered(document: Any, path: Sequence[str | int], value: Any) -> Any:
    """A copy in which what stands at ``path`` is ``value``."""
    wrong = copy.deepcopy(document)
    place = wrong
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return wrong


def fields_of(part: Any) -> Iterator[str]:
    """The names of all properties that a schema defines, wherever it does."""
    if isinstance(part, dict):
        for key, value in part.items():
            if key == "properties" and "type" in part:
                yield from value
            if key not in ("if", "then", "else", "oneOf"):
                yield from fields_of(value)
    elif isinstance(part, list):
        for value in part:
            yield from fields_of(value)

"""The OpenAPI document is valid, complete, and its examples keep its own schemas."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import openapi_spec_validator
import pytest

from contracts.http.openapi import VERSION, openapi_document
from entrypoints.http.permissions import PUBLIC, ROUTE_PERMISSIONS

DOCUMENT = openapi_document()
OPERATIONS = {
    (method.upper(), path): operation
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
}


def documented(path: str) -> str:
    """A route's path as OpenAPI writes it: without the router's converters."""
    return re.sub(r"\{(\w+):\w+\}", r"{\1}", path)


def test_the_document_is_valid_openapi() -> None:
    openapi_spec_validator.validate(openapi_document())


def test_every_route_is_documented_and_nothing_else() -> None:
    assert set(OPERATIONS) == {(method, documented(path)) for method, path in ROUTE_PERMISSIONS}


def test_public_routes_need_no_key_and_all_others_do() -> None:
    for (method, path), permission in ROUTE_PERMISSIONS.items():
        operation = OPERATIONS[method, documented(path)]
        assert (operation.get("security") == []) == (permission == PUBLIC), (method, path)


def test_every_operation_behind_a_key_can_refuse_it() -> None:
    for place, operation in OPERATIONS.items():
        if "security" not in operation:
            assert {"401", "403"} <= set(operation["responses"]), place


def test_every_operation_has_a_name_a_tag_and_a_sentence() -> None:
    ids = [operation["operationId"] for operation in OPERATIONS.values()]
    tags = {tag["name"] for tag in DOCUMENT["tags"]}
    assert len(set(ids)) == len(ids)
    assert all(operation["summary"] and set(operation["tags"]) <= tags for operation in OPERATIONS.values())


def test_every_part_is_used() -> None:
    used = set(_references(DOCUMENT))
    for kind, parts in DOCUMENT["components"].items():
        if kind != "securitySchemes":
            unused = [name for name in parts if f"#/components/{kind}/{name}" not in used]
            assert not unused, f"{kind}: {unused}"


def test_every_body_has_an_example() -> None:
    for place, operation in OPERATIONS.items():
        if "requestBody" in operation:
            for body in operation["requestBody"]["content"].values():
                reference = body["schema"]["$ref"]
                assert DOCUMENT["components"]["schemas"][reference.rpartition("/")[2]]["examples"], place


@pytest.mark.parametrize("name", sorted(DOCUMENT["components"]["schemas"]))
def test_examples_keep_their_schema(name: str) -> None:
    schema = {"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}
    validator = jsonschema.Draft202012Validator(schema)
    for example in DOCUMENT["components"]["schemas"][name].get("examples", ()):
        validator.validate(example)


def test_the_version_is_the_products() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    assert project["project"]["version"] == VERSION


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == "$ref":
                yield inner
            else:
                yield from _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)

"""Requests drawn from the OpenAPI document itself: what fits it, or nearly does, is answered as it says."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.http.openapi import openapi_document
from tests.e2e.documented import Document
from tests.e2e.stack import Stack

OPENAPI = openapi_document()
SCHEMAS = OPENAPI["components"]["schemas"]
DOCUMENT = Document()
OPERATIONS = [
    (method.upper(), path, operation)
    for path, operations in OPENAPI["paths"].items()
    for method, operation in operations.items()
    if path != "/api/v1/events/stream"  # it goes on for an hour
]
NAMES = ["alpha/small", "beta/small", "gamma/small", "alpha/embed", "assistant", "auto", "none-such"]
MESSAGES = [
    {"role": "user", "content": "hello"},
    {"role": "user", "content": [{"type": "text", "text": "hello"}]},
    {"role": "system", "content": "be brief"},
    {"role": "assistant", "content": "yes"},
]
SOME_JSON: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just([]) | st.just({"a": [1]})
)
QUIET = settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


def values_of(schema: dict[str, Any], name: str = "") -> st.SearchStrategy[Any]:
    """Values that fit a schema of this document; `name` lets models and messages mean something."""
    if "$ref" in schema:
        return values_of(SCHEMAS[schema["$ref"].rpartition("/")[2]], name)
    if name == "model":
        return st.sampled_from(NAMES)
    if name == "messages":
        return st.lists(st.sampled_from(MESSAGES), min_size=1, max_size=3)
    if name == "tenant_id":
        return st.sampled_from(["default", "default", "other", ""])
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "anyOf" in schema and "type" not in schema:
        return st.one_of([values_of(one, name) for one in schema["anyOf"]])
    kinds = schema.get("type", "anything")
    return st.one_of([_of_type(kind, schema) for kind in ([kinds] if isinstance(kinds, str) else kinds)])


def _of_type(kind: str, schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    if kind == "null":
        return st.none()
    if kind == "boolean":
        return st.booleans()
    if kind == "integer":
        return st.integers(schema.get("minimum", -5), min(schema.get("maximum", 5000), 5000))
    if kind == "number":
        return st.floats(schema.get("minimum", 0.0), min(schema.get("maximum", 100.0), 100.0))
    if kind == "string":
        return st.text(min_size=schema.get("minLength", 0), max_size=12)
    if kind == "array":
        return st.lists(values_of(schema["items"]), min_size=schema.get("minItems", 0), max_size=3)
    if kind == "object":
        properties = schema.get("properties", {})
        required = set(schema.get("required", ()))
        return st.fixed_dictionaries(
            {name: values_of(one, name) for name, one in properties.items() if name in required},
            optional={name: values_of(one, name) for name, one in properties.items() if name not in required},
        )
    return SOME_JSON


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, str, dict[str, Any]]:
    """A request to any operation: its body and query fit the document, or differ in one place."""
    method, path, operation = draw(st.sampled_from(OPERATIONS))
    options: dict[str, Any] = {"params": {}, "headers": {}}
    for parameter in operation.get("parameters", ()):
        if "$ref" in parameter:
            parameter = OPENAPI["components"]["parameters"][parameter["$ref"].rpartition("/")[2]]
        if parameter["in"] == "path":
            value = draw(st.sampled_from(["alpha", "alpha/small", "none", "0"]))
            path = path.replace("{" + parameter["name"] + "}", value)
        elif draw(st.integers(0, 3)) == 0:
            value = str(draw(values_of(parameter["schema"])))
            if parameter["in"] == "query":
                options["params"][parameter["name"]] = value
            elif value.isprintable() and value.isascii() and value.strip() == value:
                options["headers"][parameter["name"]] = value
    if "requestBody" in operation:
        media, content = draw(st.sampled_from(sorted(operation["requestBody"]["content"].items())))
        body = draw(values_of(content["schema"]))
        if isinstance(body, dict) and body and draw(st.booleans()):
            body[draw(st.sampled_from(sorted(body)))] = draw(SOME_JSON)
        if media == "multipart/form-data" and isinstance(body, dict):
            texts = {name: str(value).encode("utf-8", "replace") for name, value in body.items()}
            options["files"] = [
                (name, (f"{name}.txt" if name in ("file", "image") else None, text))
                for name, text in texts.items()
            ]
        elif media == "application/x-www-form-urlencoded" and isinstance(body, dict):
            options["data"] = {name: str(value).encode("utf-8", "replace") for name, value in body.items()}
        else:
            options["json"] = body
    # Nothing here may change what the other examples meet.
    if path.endswith(("/state", "/breaker")):
        path = path.replace("/alpha", "/none")
    return method, path, options


@pytest.fixture(scope="module")
def client(module_stack: Stack) -> Iterator[httpx.Client]:
    with module_stack.client() as http:
        yield http


@QUIET
@given(asked=requests())
def test_every_answer_is_one_the_document_foresees(
    client: httpx.Client, asked: tuple[str, str, dict[str, Any]]
) -> None:
    method, path, options = asked
    answer = client.request(method, path, **options)
    assert answer.status_code < 500, answer.text
    if answer.status_code != 405:
        DOCUMENT.check(answer)

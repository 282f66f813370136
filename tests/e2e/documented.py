"""Holds real answers to the OpenAPI document: status, content type, headers and body."""

import re
from functools import lru_cache
from typing import Any

import httpx
import jsonschema

from contracts.http.openapi import openapi_document

VENDORS_SHAPES = frozenset({"ChatCompletion", "TextCompletion", "Embeddings", "Message", "ProviderError"}) | {
    "ResponseObject", "GeminiAnswer", "GeminiCount", "GeminiEmbedding", "GeminiEmbeddings"
}  # fmt: skip
"""They may hold more than the document says: what a provider adds is passed on."""


def _without_room(schema: Any) -> Any:
    """The schema with every object closed, so that an undocumented field of ours shows."""
    if isinstance(schema, list):
        return [_without_room(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {name: _without_room(value) for name, value in schema.items()}
    if schema.get("type") == "object" and "properties" in schema:
        inner.setdefault("additionalProperties", False)
    return inner


@lru_cache(maxsize=1)
def _read() -> tuple[dict[str, Any], list[tuple[str, re.Pattern[str], dict[str, Any]]]]:
    """The components, and the operations with the paths they answer; one for all files of tests."""
    document = openapi_document()
    components = document["components"]
    components["schemas"] = {
        name: schema if name in VENDORS_SHAPES else _without_room(schema)
        for name, schema in components["schemas"].items()
    }
    # Some names hold slashes; where one without fits, that is meant, and then whatever says most itself.
    operations = [
        (method.upper(), re.compile(re.sub(r"\\\{\w+\\\}", name, re.escape(path)) + "$"), operation)
        for name in ("([^/]+)", "(.+)")
        for path, rows in sorted(
            document["paths"].items(), key=lambda item: -len(re.sub(r"\{\w+\}", "", item[0]))
        )
        for method, operation in rows.items()
    ]
    return components, operations


class Document:
    """The document in the form that real answers are held to."""

    def __init__(self) -> None:
        self._components, self._operations = _read()

    def check(self, answer: httpx.Response) -> httpx.Response:
        """The answer itself, when the document foresees it to the last field."""
        request = answer.request
        operation = self._operation(request.method, request.url.path)
        responses = operation["responses"]
        status = str(answer.status_code)
        if status not in responses:
            status = status[0] + "XX"
        assert status in responses, f"{answer.status_code} of {operation['operationId']} is not documented"
        response = responses[status]
        if "content" not in response:
            assert not answer.content, f"a body of {operation['operationId']} is not documented"
            self._check_headers(response.get("headers", {}), answer)
            return answer
        kind = answer.headers["content-type"].partition(";")[0]
        assert kind in response["content"], f"{kind} of {operation['operationId']} is not documented"
        schema = response["content"][kind]["schema"]
        if kind == "application/json":
            self.validate(schema, answer.json())
        self._check_headers(response.get("headers", {}), answer)
        return answer

    def validate(self, schema: dict[str, Any], value: Any) -> None:
        """Raises ValidationError."""
        whole = {**schema, "components": self._components}
        jsonschema.Draft202012Validator(whole).validate(value)

    def _operation(self, method: str, path: str) -> dict[str, Any]:
        for known_method, pattern, operation in self._operations:
            if known_method == method and pattern.match(path):
                found: dict[str, Any] = operation
                return found
        raise AssertionError(f"{method} {path} is not documented")

    def _check_headers(self, documented: dict[str, Any], answer: httpx.Response) -> None:
        for name, value in answer.headers.items():
            if name.startswith("x-interchange-") or name in ("x-request-id", "x-should-retry", "retry-after"):
                assert name in documented, f"{name} is not documented for {answer.status_code}"
                header = documented[name]
                if "$ref" in header:
                    header = self._components["headers"][header["$ref"].rpartition("/")[2]]
                kind = header["schema"]["type"]
                read = float(value) if kind == "number" else int(value) if kind == "integer" else value
                self.validate(header["schema"], read)

"""Requests that schemathesis draws from the OpenAPI document: right ones and wrong ones, to every operation.

No answer is a fault of the server, and none is one that the document does not foresee. Models are reached
behind the simulated provider. Stateless: each request stands for itself.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from contracts.http.openapi import openapi_document
from tests.e2e.stack import Stack
from tests.security.attack_world import still_well
from tests.thorough import THOROUGH, some_of

EXAMPLES = 20 if THOROUGH else 4
HEADERS_EACH = 4
"""Of the wishes that a header can tell: one reader reads them, whatever the route, and to draw all twenty
takes longer than everything else about a request. They take turns."""
AnyOperation = APIOperation[Any, Any, Any, Any]
AnyCase = Case[Any]


def document() -> dict[str, Any]:
    """The published one, with some of the headers at each operation."""
    whole = openapi_document()
    for path, rows in whole["paths"].items():
        for method, row in rows.items():
            headers = [str(each) for each in row.get("parameters", ()) if in_header(whole, each)]
            drawn = some_of(headers, f"{method} {path}", HEADERS_EACH)
            left_out = {*headers} - {*drawn}
            row["parameters"] = [each for each in row.get("parameters", ()) if str(each) not in left_out]
    return whole


def in_header(whole: dict[str, Any], parameter: dict[str, Any]) -> bool:
    name = parameter.get("$ref", "").rpartition("/")[2]
    found = whole["components"]["parameters"][name] if name else parameter
    return bool(found["in"] == "header")


OPERATIONS: list[AnyOperation] = [
    found.ok()
    for found in schemathesis.openapi.from_dict(document()).get_all_operations()
    if isinstance(found, Ok)
]
CREDENTIALS = frozenset(
    {"authorization", "x-api-key", "x-interchange-key", "x-goog-api-key", "x-portkey-api-key", "api-key"}
)
CHECKS = [
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
]
METHOD_NOT_ALLOWED = 405


@schemathesis.serializer("application/jsonl")
def lines(_context: Any, value: Any) -> bytes:
    """What a document cannot say of this media type: one JSON value a line."""
    return value if isinstance(value, bytes) else msgspec.json.encode(value) + b"\n"


@pytest.fixture(scope="module")
def session(target: Stack) -> Iterator[requests.Session]:
    with requests.Session() as opened:
        opened.headers["authorization"] = f"Bearer {target.key}"
        yield opened


def meant(case: AnyCase) -> AnyCase:
    """The same request by the owner, about a model that is there, so that it gets further than the door."""
    for name in [name for name in case.headers or () if name.lower() in CREDENTIALS]:
        del case.headers[name]
    for name in [name for name in case.query or () if name == "key"]:
        del case.query[name]
    if isinstance(case.body, dict) and isinstance(case.body.get("model"), str):
        case.body["model"] = "both"
    if "models/{name}" in case.path:
        case.path_parameters["name"] = "both"
    return case


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.label)
def test_no_drawn_request_is_answered_otherwise_than_documented(
    target: Stack, session: requests.Session, operation: AnyOperation
) -> None:
    drawn = st.one_of(
        operation.as_strategy(), operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)
    ).map(meant)

    @seed(20261121)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(case=drawn)
    def answered(case: AnyCase) -> None:
        answer = case.call(base_url=target.url, session=session, timeout=20)
        assert answer.status_code != 500, answer.text
        if answer.status_code != METHOD_NOT_ALLOWED:
            # The document describes a stream as the text that it is; the check would have it event by event.
            streamed = "text/event-stream" in str(answer.headers.get("content-type"))
            checks = [each for each in CHECKS if not (streamed and each is response_schema_conformance)]
            case.validate_response(answer, checks=checks)

    answered()


def test_after_all_of_it_the_server_is_well(target: Stack, owner: httpx.Client) -> None:
    still_well(target, owner)


def test_every_operation_is_drawn_for() -> None:
    assert len(OPERATIONS) == sum(len(rows) for rows in openapi_document()["paths"].values())


def test_every_parameter_is_drawn_somewhere() -> None:
    def parameters(of: dict[str, Any]) -> Counter[str]:
        rows = [row for each in of["paths"].values() for row in each.values()]
        return Counter(str(parameter) for row in rows for parameter in row.get("parameters", ()))

    drawn, published = parameters(document()), parameters(openapi_document())
    assert all(drawn[each] >= min(count, 3) for each, count in published.items())

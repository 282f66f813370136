"""Tenant B's owner at every route, with the ids of tenant A: nothing is seen, changed or even found there.

On SQLite, and on PostgreSQL as a role that its policies hold.
"""

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from entrypoints.http.permissions import PUBLIC, ROUTE_PERMISSIONS
from tests.contract.test_row_security import Walled
from tests.e2e.memory_integrations import memory_integrations
from tests.e2e.stack import Stack
from tests.security.tenant_cases import CASES, Case, Hidden, Own, Refused, Route
from tests.security.tenant_world import CONFIG, MARK, SIDES, TENANT_A, TENANT_B, World, make_world

_IDS_OF_REQUESTS = re.compile(r"req_[0-9a-f]{20,}")
_COUNTED = re.compile(r'"position":\d+')
EVERY = [(route, case) for route, cases in CASES.items() for case in cases]


def named(route_and_case: object) -> str:
    return str(route_and_case) if isinstance(route_and_case, tuple) else type(route_and_case).__name__


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    data_dir: Path = tmp_path_factory.mktemp(request.param)
    environ = {"INTERCHANGE_KEY_PEPPER": f"1:{'ab' * 32}"}
    walled = Walled() if request.param == "postgres" else None
    if walled is not None:
        environ["DATABASE_URL"] = walled.url
    with memory_integrations(SIDES), Stack(data_dir, CONFIG, environ=environ) as stack:
        made = make_world(stack)
        made.before.update(made.as_a_sees_it())
        yield made
    if walled is not None:
        walled.server.drop(walled.name)


def filled(value: Any, things: dict[str, str]) -> Any:
    """With the things in place of their names."""
    text = json.dumps(value)
    for name, thing in things.items():
        text = text.replace(f"<{name}>", thing)
    return json.loads(text)


def asked(client: httpx.Client, route: Route, case: Case, things: dict[str, str]) -> httpx.Response:
    method, template = route
    path = filled(case.path or template, things)
    if isinstance(case, Hidden) and case.query:
        path += f"?{filled(case.query, things)}"
    body = None if case.body is None else filled(case.body, things)
    return client.request(method, path, json=body)


def alike(answer: httpx.Response, things: dict[str, str]) -> tuple[int, str]:
    """What an answer says, without the names that were asked for."""
    text = _COUNTED.sub("COUNTED", _IDS_OF_REQUESTS.sub("REQUEST", answer.text))
    for name, thing in sorted(things.items(), key=lambda item: -len(item[1])):
        text = text.replace(thing, f"<{name}>")
    return answer.status_code, text


def test_every_route_has_a_case_and_every_case_a_route() -> None:
    assert set(CASES) == set(ROUTE_PERMISSIONS)


def test_only_public_routes_and_own_things_may_be_answered() -> None:
    for route, cases in CASES.items():
        if ROUTE_PERMISSIONS[route] == PUBLIC:
            assert all(isinstance(case, Own) for case in cases), route


@pytest.mark.parametrize(("route", "case"), EVERY, ids=named)
def test_b_gets_nothing_of_a(world: World, route: Route, case: Case) -> None:
    answer = asked(world.b, route, case, world.given)
    world.tried.add((route, id(case)))

    assert answer.status_code < 500 or answer.json()["error"]["code"] != "internal_error", answer.text
    assert MARK not in told_by_itself(answer, world), answer.text
    if isinstance(case, Refused):
        assert answer.status_code == 403, answer.text
    if isinstance(case, Hidden):
        assert 400 <= answer.status_code < 500 or case.answered, answer.text
        other = asked(world.b, route, case, world.missing)
        assert alike(answer, world.given) == alike(other, world.missing)


def told_by_itself(answer: httpx.Response, world: World) -> str:
    """The answer, without A's names where B named them itself."""
    return alike(answer, world.given)[1]


def test_after_all_of_it_a_has_what_it_had(world: World) -> None:
    for route, case in EVERY:
        # Whatever was not tried above already, as where this test runs alone.
        if route[0] != "GET" and (route, id(case)) not in world.tried:
            asked(world.b, route, case, world.given)

    assert world.as_a_sees_it() == world.before
    chat = {"model": "cached", "messages": [{"role": "user", "content": f"the secret is {MARK}"}]}
    assert world.a.post("/v1/chat/completions", json=chat).headers["x-interchange-cache"].startswith("hit")


def test_a_itself_is_answered_where_b_was_refused(world: World) -> None:
    """So that the suite asks for what is there."""
    for route, cases in CASES.items():
        for case in cases:
            if route[0] == "GET" and isinstance(case, Hidden):
                answer = asked(world.a, route, case, world.given)
                # A's integration is there, though it has no such tool.
                there = answer.status_code == 404 and answer.json()["error"]["param"] == "tool_name"
                assert there or answer.status_code not in (401, 403, 404), (route, answer.text)


def test_tenants_that_ask_at_the_same_time_reach_their_own(world: World) -> None:
    """Whom a request may reach is kept beside it, never between requests."""

    def owners(client: httpx.Client, tenant: str) -> bool:
        found = client.get("/api/v1/keys").json()["keys"]
        return bool(found) and {key["tenant_id"] for key in found} == {tenant}

    with ThreadPoolExecutor(8) as threads:
        asked_by = [(world.a, TENANT_A), (world.b, TENANT_B)] * 60
        assert all(threads.map(lambda each: owners(*each), asked_by))

"""Every route with every role: what a role does not hold is 403, whoever's the key and whatever is sent.

The incident behind it: a route that changed the configuration of a whole gateway and asked for no role.
"""

from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest

from domain.tenancy.role import OPERATOR_TENANT, ROLES, permissions_of
from entrypoints.http.permissions import ANY_KEY, PUBLIC, ROUTE_PERMISSIONS
from tests.e2e.stack import Stack
from tests.security.attack_world import OPERATIONS, Operation, in_order, send, still_well
from tests.security.tenant_world import client_of, made

NEEDED = {
    (method, path.replace(":path}", "}")): permission
    for (method, path), permission in ROUTE_PERMISSIONS.items()
}
CALLERS = [(tenant, role) for tenant in (OPERATOR_TENANT, "acme") for role in sorted(ROLES)]
NARROW = ("default", "narrow")
"""An owner's key whose scopes leave it one permission."""
LOG_IN = ("POST", "/auth/key")
"""Open to everybody and made to refuse; what it refuses is in `test_key_logins.py`."""


@pytest.fixture(scope="module")
def callers(target: Stack) -> Iterator[dict[tuple[str, str], httpx.Client]]:
    with ExitStack() as opened, target.client() as owner:
        found = {}
        for tenant, role in CALLERS:
            key = made(owner.post("/api/v1/keys", json={"tenant_id": tenant, "name": role, "role": role}))
            found[tenant, role] = opened.enter_context(client_of(target, key["key"]))
        narrow = {"tenant_id": "default", "name": "narrow", "role": "owner", "scopes": ["usage.read"]}
        key = made(owner.post("/api/v1/keys", json=narrow))
        found[NARROW] = opened.enter_context(client_of(target, key["key"]))
        yield found


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
def test_a_role_without_the_permission_is_403(
    callers: dict[tuple[str, str], httpx.Client], operation: Operation
) -> None:
    needed = NEEDED[operation.method, operation.path]
    if needed in (PUBLIC, ANY_KEY):
        return
    for (tenant, role), client in callers.items():
        held = {"usage.read"} if role == "narrow" else permissions_of(role, tenant)
        if needed in held:
            continue
        answer = in_order(send(client, operation))

        assert answer.status_code == 403, (tenant, role, answer.text)
        assert '"forbidden"' in answer.text, (tenant, role, answer.text)


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
def test_nobody_is_401_on_everything_that_is_not_public(target: Stack, operation: Operation) -> None:
    with httpx.Client(base_url=target.url, timeout=30.0) as nobody:
        answer = in_order(send(nobody, operation))

    if (operation.method, operation.path) == LOG_IN:
        assert answer.status_code == 403, answer.text
    elif NEEDED[operation.method, operation.path] == PUBLIC:
        assert answer.status_code not in (401, 403), answer.text
    else:
        assert answer.status_code == 401, answer.text


@pytest.mark.parametrize("header", ["x-http-method-override", "x-method-override", "x-http-method"])
def test_a_header_makes_no_other_method_of_a_request(target: Stack, owner: httpx.Client, header: str) -> None:
    key = made(owner.post("/api/v1/keys", json={"tenant_id": "acme", "name": "kept", "role": "agent"}))
    path = f"/api/v1/keys/{key['key_id']}"

    for method in ("GET", "POST"):
        owner.request(method, path, headers={header: "DELETE"}, params={"_method": "DELETE"})
        owner.request(method, path, headers={header: "DELETE"}, content=b"_method=DELETE")

    assert owner.get(path).json()["state"] == "live"


@pytest.mark.parametrize(
    "header", ["x-original-url", "x-rewrite-url", "x-forwarded-path", "x-forwarded-prefix"]
)
def test_a_header_makes_no_other_path_of_a_request(
    callers: dict[tuple[str, str], httpx.Client], header: str
) -> None:
    viewer = callers["acme", "viewer"]

    assert "keys" not in viewer.get("/v1/models", headers={header: "/api/v1/keys"}).json()
    assert viewer.get("/api/v1/keys", headers={header: "/health"}).status_code == 403


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1//keys",
        "/api/v1/keys/",
        "/api/v1/./keys",
        "/api/v1/x/../keys",
        "/API/V1/KEYS",
        "/api/v1/keys;a=b",
        "/api/v1/keys%2f",
        "/api%2fv1%2fkeys",
        "/health/../api/v1/keys",
        "/health/..%2fapi/v1/keys",
        "/v1/models/..%2f..%2fapi%2fv1%2fkeys",
        "//api/v1/keys",
        "/api/v1/keys%00",
        "/api/v1/keys%20",
        "/%61pi/v1/keys",
    ],
)
def test_another_spelling_of_a_path_opens_no_other_door(
    target: Stack, callers: dict[tuple[str, str], httpx.Client], path: str
) -> None:
    for client in (callers["acme", "viewer"], callers["acme", "agent"]):
        raw = client.build_request("GET", target.url)
        raw.url = raw.url.copy_with(raw_path=path.encode())
        answer = client.send(raw)

        assert answer.status_code in (307, 400, 403, 404), (path, answer.text[:200])


def test_after_all_of_it_the_server_is_well(target: Stack, owner: httpx.Client) -> None:
    still_well(target, owner)

"""No route without a row in the permission table, and no permission that no role has."""

from pathlib import Path

from domain.tenancy.role import PERMISSIONS
from entrypoints.http.permissions import ANY_KEY, PUBLIC, ROUTE_PERMISSIONS
from tests.e2e.stack import Stack


def test_every_permission_exists() -> None:
    assert {p for p in ROUTE_PERMISSIONS.values() if p not in (PUBLIC, ANY_KEY)} <= PERMISSIONS


def test_every_route_is_in_the_table_and_every_row_has_a_route(tmp_path: Path) -> None:
    with Stack(tmp_path) as stack:
        served = stack.routes()
    assert served == set(ROUTE_PERMISSIONS)


def test_every_protected_route_refuses_a_caller_without_a_key(tmp_path: Path) -> None:
    with Stack(tmp_path) as stack, stack.client() as client:
        del client.headers["authorization"]
        for (method, path), permission in ROUTE_PERMISSIONS.items():
            answer = client.request(method, path.replace("{", "").replace("}", ""), content=b"{}")
            if permission == PUBLIC:
                assert answer.status_code != 401, path
            else:
                assert answer.status_code == 401, (method, path, answer.text)

"""Nothing that changes something goes by without a name in the audit trail."""

from entrypoints.http.audited import ACTIONS, ASKING, READS
from entrypoints.http.permissions import ROUTE_PERMISSIONS


def test_every_route_that_changes_something_has_a_name_in_the_trail() -> None:
    changing = {
        route
        for route, permission in ROUTE_PERMISSIONS.items()
        if route[0] not in ("GET", "HEAD") and permission not in ("llm.call", "tools.execute")
    }

    assert changing - set(ACTIONS) - ASKING == set()
    assert (set(ACTIONS) | ASKING | set(READS)) - set(ROUTE_PERMISSIONS) == set()

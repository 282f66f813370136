"""Whose rows work on the stores may touch: one tenant's, or every tenant's.

The stores know it besides what their statements say, so that a forgotten condition finds nothing of anybody
else. Where nobody said anything, nothing is within reach. Tasks begin with the reach of whoever made them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from domain.tenancy.principal import Principal

EVERY_TENANT: Final = "*"
"""No tenant can be called so."""
NOBODY: Final = ""

_reach: ContextVar[str] = ContextVar("reach", default=NOBODY)


def reach() -> str:
    """A tenant's id, EVERY_TENANT, or NOBODY."""
    return _reach.get()


def reach_as(principal: Principal) -> None:
    """From here on, in this task: the caller's own tenant; every tenant for those who manage tenants."""
    _reach.set(EVERY_TENANT if principal.may("tenants.manage") else principal.tenant_id)


def reach_everything() -> None:
    """From here on, in this task and those it makes: for what serves all tenants, or the machine itself."""
    _reach.set(EVERY_TENANT)


@contextmanager
def reaching(whom: str) -> Iterator[None]:
    """As long as this lasts."""
    before = _reach.set(whom)
    try:
        yield
    finally:
        _reach.reset(before)

"""The server that attackers find: every documented thing is on, over SQLite and over PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.contract.test_row_security import Walled
from tests.e2e.memory_integrations import memory_integrations
from tests.e2e.stack import Stack
from tests.security.tenant_world import CONFIG, SIDES

PEPPER = f"1:{'ab' * 32}"


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Over SQLite."""
    with memory_integrations(SIDES), Stack(tmp_path_factory.mktemp("target"), CONFIG) as stack:
        yield stack


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def stored(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Over each database."""
    data_dir: Path = tmp_path_factory.mktemp(request.param)
    environ = {"INTERCHANGE_KEY_PEPPER": PEPPER}
    walled = Walled() if request.param == "postgres" else None
    if walled is not None:
        environ["DATABASE_URL"] = walled.url
    with memory_integrations(SIDES), Stack(data_dir, CONFIG, environ=environ) as stack:
        yield stack
    if walled is not None:
        walled.server.drop(walled.name)


@pytest.fixture(scope="module")
def keeper(stored: Stack) -> Iterator[httpx.Client]:
    """The owner, over each database; one client for all of it, as each makes a TLS context of its own."""
    with stored.client() as client:
        yield client


@pytest.fixture(scope="module")
def owner(target: Stack) -> Iterator[httpx.Client]:
    with target.client() as client:
        yield client

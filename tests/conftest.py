"""Shared by every test: assertion details from the port suites, and what `INTERCHANGE_REQUIRE=all` means."""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from tests.redis_world import RedisClusterWorld, RedisServer

pytest.register_assert_rewrite("contracts.ports")

REQUIRE_ALL = os.environ.get("INTERCHANGE_REQUIRE") == "all"

# A busy machine is no reason to fail: neither a slow example nor slow drawing says anything about the code.
settings.register_profile("patient", settings(deadline=None, suppress_health_check=[HealthCheck.too_slow]))
settings.load_profile("patient")


def missing(part: str) -> None:
    """A real part is not on this machine: skip, or fail where everything is required."""
    if REQUIRE_ALL:
        pytest.fail(f"{part} is missing and INTERCHANGE_REQUIRE=all", pytrace=False)
    pytest.skip(f"{part} is not installed")


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[RedisServer]":
    """One real Redis for the session."""
    from tests.redis_world import RedisServer, required_server

    server = RedisServer(required_server(), tmp_path_factory.mktemp("redis"))
    yield server
    server.kill()


@pytest.fixture(scope="session")
def redis_cluster(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[RedisClusterWorld]":
    """One real Redis Cluster for the session: three masters, each with a replica."""
    from tests.redis_world import RedisClusterWorld, required_server

    world = RedisClusterWorld(required_server(), tmp_path_factory.mktemp("redis-cluster"))
    yield world
    world.kill()

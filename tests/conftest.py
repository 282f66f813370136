"""Shared by every test: assertion details from the port suites, what `INTERCHANGE_REQUIRE=all` means, and how
tests that draw at random do so."""

import gc
import os
import shutil
import tempfile
import unittest
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, is_hypothesis_test, settings

from entrypoints.garbage_collection import collect_rarely
from tests import once_more, time_left

if TYPE_CHECKING:
    from tests.redis_world import RedisClusterWorld, RedisServer

pytest.register_assert_rewrite("contracts.ports")

collect_rarely()

REQUIRE_ALL = os.environ.get("INTERCHANGE_REQUIRE") == "all"

# Every client of HTTP reads a whole store of certificates, for plain HTTP as well: 20 to 90 ms and megabytes,
# and tests make thousands of them. Nobody here talks to the world over TLS, so nobody is in this store.
os.environ["SSL_CERT_FILE"] = str(Path(__file__).with_name("nobody.pem"))

IN_MEMORY = Path("/dev/shm")
IN_MEMORY_MIN_BYTES = 4 * 1024**3
_room = IN_MEMORY.is_dir() and shutil.disk_usage(IN_MEMORY).free >= IN_MEMORY_MIN_BYTES
if _room and "TMPDIR" not in os.environ:
    # Databases are made by the thousand, hundreds of files each: four times as fast where no disk is.
    os.environ["TMPDIR"] = tempfile.tempdir = str(IN_MEMORY)

# On CI the examples are the same each time, and the first ones of a test find most.
DRAWN_TIMES = float(os.environ.get("INTERCHANGE_FUZZ") or ("0.4" if os.environ.get("CI") else "1"))
"""`make fuzz` asks every test that draws at random for so many times its examples."""
DRAWN_LEAST = 12
"""A test that names fewer examples than these draws all of them on CI, too."""

# A busy machine is no reason to fail: neither a slow example nor slow drawing says anything about the code.
_PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("patient", _PATIENT)
# What was never touched must not fail by the luck of a draw: the same examples each time. New ones are sought
# on machines of people, and by `make fuzz`.
settings.register_profile("ci", _PATIENT, derandomize=True, database=None, print_blob=True)
settings.register_profile("fuzz", _PATIENT, derandomize=False, print_blob=True)
settings.load_profile("fuzz" if DRAWN_TIMES > 1 else "ci" if os.environ.get("CI") else "patient")


def pytest_configure(config: pytest.Config) -> None:
    """Where somebody wants to try again what failed: it is remembered, by whoever gathers all results.

    Where a run has an end, every process of it knows.
    """
    until = time_left.ends_at(os.environ)
    if until is not None:
        turn = os.environ.get(time_left.TURN, "")
        config.pluginmanager.register(time_left.TimeLeft(until, not hasattr(config, "workerinput"), turn))
    file = os.environ.get(once_more.VARIABLE)
    if file and not hasattr(config, "workerinput"):
        config.pluginmanager.register(once_more.Failures(Path(file)), "failures")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """More or fewer draws than tests name; where more are wanted, tests that draw and no others."""
    if DRAWN_TIMES == 1:
        return
    drawing: list[pytest.Item] = []
    others: list[pytest.Item] = []
    asked = set()
    for item in items:
        holder, name = _where_settings_are(item)
        (others if holder is None else drawing).append(item)
        if holder is not None and id(holder) not in asked:
            asked.add(id(holder))
            told = getattr(holder, name, None) or settings()
            drawn = max(round(told.max_examples * DRAWN_TIMES), min(told.max_examples, DRAWN_LEAST))
            setattr(holder, name, settings(told, max_examples=drawn))
    if DRAWN_TIMES > 1:
        items[:] = drawing
        config.hook.pytest_deselected(items=others)


def _where_settings_are(item: pytest.Item) -> tuple[Any, str]:
    """The object that holds a test's settings and the name there; None: it draws nothing."""
    work = getattr(item, "obj", None)
    work = getattr(work, "__func__", work)
    if not is_hypothesis_test(work):
        return None, ""
    machine = getattr(item, "cls", None)
    if machine is not None and issubclass(machine, unittest.TestCase):
        return machine, "settings"
    return work, "_hypothesis_internal_use_settings"


def pytest_collection_finish() -> None:
    """What was collected stays to the end: hundreds of megabytes that no collection needs to look at."""
    gc.collect()
    gc.freeze()


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

    # Nobody ends a node of it, so none is to be taken for dead because the machine is busy.
    directory = tmp_path_factory.mktemp("redis-cluster")
    world = RedisClusterWorld(required_server(), directory, node_timeout_ms=15_000)
    yield world
    world.kill()

"""What callers of three servers notice while the Redis that keeps their answers is away: nothing but misses.

Every request has a timeout of its own, so that one which waited for Redis would fail.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple
from uuid import uuid4

import pytest

from tests.e2e.cache_world import PATIENCE_S, ThreeServers, Told, three_servers
from tests.faults.proxy import Fault
from tests.faults.proxy_thread import ProxyThread
from tests.redis_world import RedisClusterWorld, RedisServer, required_server

ROUNDS: Final = 3
"""Each server invalidates once."""


class World(NamedTuple):
    """Three servers and their Redis, which was away when they started. A start is seconds, and tests ask what
    no other asks: one for many."""

    servers: ThreeServers
    redis: RedisServer
    told_without: list[Told]
    """What callers were told before Redis came."""


class ProxiedWorld(NamedTuple):
    """The same with a proxy between, that does whatever wires do."""

    servers: ThreeServers
    proxy: ProxyThread


@pytest.fixture(scope="module")
def module_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("direct")
    with running_redis(folder) as redis:
        redis.kill()
        with three_servers(folder, REDIS_URL=redis.url) as running:
            without = [*running.ask_many(mixed("without")), running.ask(0, "once")]
            redis.start()
            running.until_shared()
            yield World(running, redis, without)


@pytest.fixture(scope="module")
def module_proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProxiedWorld]:
    folder = tmp_path_factory.mktemp("proxied")
    with (
        running_redis(folder) as redis,
        ProxyThread(redis.port) as proxy,
        three_servers(folder, REDIS_URL=f"redis://127.0.0.1:{proxy.port}/0") as running,
    ):
        yield ProxiedWorld(running, proxy)


@pytest.fixture
def world(module_world: World) -> World:
    """Nothing of an earlier test is on its way. What is asked has a name of its own in every test."""
    settled(module_world.servers)
    return module_world


@pytest.fixture
def proxied(module_proxied: ProxiedWorld) -> ProxiedWorld:
    module_proxied.proxy.become(Fault())
    settled(module_proxied.servers)
    return module_proxied


@contextmanager
def running_redis(folder: Path) -> Iterator[RedisServer]:
    redis = RedisServer(required_server(), folder / "redis")
    try:
        yield redis
    finally:
        redis.kill()


def settled(servers: ThreeServers) -> None:
    """All three share, and each has heard of every invalidation so far: of the newest one, too."""
    servers.until_shared()
    text = f"settled? {uuid4()}"
    servers.provider_says("before")
    for place in range(3):
        servers.ask(place, text)
    servers.provider_says("as ever")
    _until_said(servers)
    _until_all_say(servers, text, "as ever", 0, {"kind": "tenant"}, {})


def kept_everywhere(servers: ThreeServers, text: str, **more: Any) -> None:
    """Every server has the answer at hand."""
    for place in range(3):
        servers.ask(place, text, **more)
        assert servers.ask(place, text, **more).outcome == "hit-l1"


def mixed(round_name: str) -> list[str]:
    """Eighteen requests: new ones, and some that two servers are asked at once."""
    return [f"{round_name} {number % 11}" for number in range(18)]


@pytest.mark.parametrize(
    ("wanted", "asked"),
    [
        ({"kind": "tag", "value": "docs"}, {}),
        ({"kind": "namespace", "value": "mine"}, {"cache_namespace": "mine"}),
        ({"kind": "tenant"}, {}),
    ],
    ids=["tag", "namespace", "tenant"],
)
def test_what_is_invalidated_on_one_server_leaves_all_three(
    world: World, wanted: dict[str, Any], asked: dict[str, Any]
) -> None:
    """That it takes no more than a second is held on virtual time, in `tests/simulation`."""
    servers, text = world.servers, f"which version by {wanted['kind']}?"
    for number in range(ROUNDS):
        old, new = f"version {number} of it", f"version {number + 1} of it"
        servers.provider_says(old)
        kept_everywhere(servers, text, **asked)
        kept_everywhere(servers, text, model="other")
        servers.provider_says(new)
        _until_all_say(servers, text, new, number, wanted, asked)
        for place in (0, 1, 2) * 3:
            assert new in servers.ask(place, text, **asked).text, "what was out came back"
            if wanted["kind"] != "tenant":
                other = servers.ask(place, text, model="other")
                assert other.outcome.startswith("hit-"), "what was not meant is out as well"


def _until_all_say(
    servers: ThreeServers, text: str, new: str, number: int, wanted: dict[str, Any], asked: dict[str, Any]
) -> None:
    """Returns when no server serves the old answer any more."""
    told = servers.invalidate(number % 3, **wanted)
    assert told.status_code == 200, told.text
    began = time.monotonic()
    assert new in servers.ask(number % 3, text, **asked).text, "it is in force where it was said"
    while time.monotonic() - began < PATIENCE_S:
        if all(new in servers.ask(place, text, **asked).text for place in range(3)):
            return
    pytest.fail(f"an old answer is served {PATIENCE_S} s after its invalidation")


def test_a_stopped_redis_costs_hits_alone_and_they_come_back_when_it_is_back_empty(world: World) -> None:
    servers, redis, _ = world
    kept_everywhere(servers, "at hand")
    redis.kill()
    try:
        during = servers.ask_many(mixed("during"))
        assert {each.outcome for each in during} <= {"miss", "hit-l1", "hit-coalesced"}
        assert [servers.ask(place, "at hand").outcome for place in range(3)] == ["hit-l1"] * 3
        refused = servers.invalidate(0, kind="tag", value="docs")
        assert refused.status_code == 503, "nobody may believe that all have heard of it"
    finally:
        redis.start()
    servers.ask_many(mixed("after"))
    for sender in range(3):
        servers.until_shared(sender)
    servers.provider_says("something else")
    assert servers.invalidate(0, kind="tenant").status_code == 200
    assert "something else" in servers.ask(0, "at hand").text


def test_a_redis_that_is_away_when_servers_start_is_taken_up_when_it_comes(world: World) -> None:
    *many, alone = world.told_without
    assert {each.outcome for each in many} <= {"miss", "hit-l1", "hit-coalesced"}
    assert alone.outcome == "miss"
    world.servers.until_shared()


@pytest.mark.parametrize(
    ("name", "fault"),
    [("slow", Fault(latency_s=2.0)), ("mute", Fault(black_hole=True)), ("refusing", Fault(refuse=True))],
    ids=["slow", "mute", "refusing"],
)
def test_a_redis_that_is_slow_mute_or_refuses_delays_no_caller(
    proxied: ProxiedWorld, name: str, fault: Fault
) -> None:
    servers, proxy = proxied
    kept_everywhere(servers, f"at hand of {name}")
    proxy.become(fault)
    if fault.refuse:
        proxy.reset_all()

    for number in range(2):
        servers.ask_many(mixed(f"during {name} {number}"))
    assert [servers.ask(place, f"at hand of {name}").outcome for place in range(3)] == ["hit-l1"] * 3
    assert servers.invalidate(0, kind="tag", value="docs").status_code in (200, 503)

    proxy.become(Fault())
    proxy.reset_all()
    servers.until_shared()


def test_connections_that_break_again_and_again_reach_no_caller(proxied: ProxiedWorld) -> None:
    servers, proxy = proxied
    for number in range(6):
        proxy.become(Fault(reset_after_bytes=40 * number) if number % 2 else Fault())
        proxy.reset_all()
        servers.ask_many(mixed(f"broken {number}"))
    proxy.become(Fault())
    proxy.reset_all()
    servers.until_shared()


def test_when_a_master_of_the_cluster_dies_no_caller_sees_it_and_hits_come_back(tmp_path: Path) -> None:
    cluster = RedisClusterWorld(required_server(), tmp_path / "cluster")
    try:
        with three_servers(tmp_path, REDIS_CLUSTER_URLS=",".join(cluster.urls)) as servers:
            servers.until_shared()
            kept_everywhere(servers, "at hand")
            cluster.master_of(_log_of(cluster)).kill()

            servers.ask_many(mixed("failing over"))
            for sender in range(3):
                servers.until_shared(sender)
            servers.provider_says("something else")
            _until_said(servers)
            _until_all_say(servers, "which version?", "something else", 1, {"kind": "tenant"}, {})
    finally:
        cluster.kill()


def _log_of(cluster: RedisClusterWorld) -> str:
    """A key of the log of invalidations; its tag names the installation."""
    for node in cluster.nodes:
        with node.client() as client:
            found: list[str] = client.keys("ic:{cache:*}:log*")
        if found:
            return found[0]
    pytest.fail("nobody keeps a log")


def _until_said(servers: ThreeServers) -> None:
    """The log may have gone to another node a moment ago."""
    give_up = time.monotonic() + PATIENCE_S
    while (told := servers.invalidate(0, kind="tenant")).status_code != 200:
        assert told.status_code == 503 and time.monotonic() < give_up, told.text

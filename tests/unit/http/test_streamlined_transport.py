"""What the hot-path transport promises beyond the port: pool, limits, idle time, statistics."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import pytest

from adapters.http.limits import TransportLimits
from adapters.http.transport import StreamlinedTransport
from application.ports.http import Endpoint, TransportFailed, TransportStage
from contracts.ports.http import failure_of, fetch, get, post
from tests.faults.proxy import Fault, FaultProxy
from tests.faults.scripted_server import ScriptedPeer, ScriptedServer

Open = Callable[..., StreamlinedTransport]


@pytest.fixture
async def open_transport() -> AsyncIterator[Open]:
    opened: list[StreamlinedTransport] = []

    def open_one(**limits: float) -> StreamlinedTransport:
        opened.append(StreamlinedTransport(limits=TransportLimits(**limits)))  # type: ignore[arg-type]
        return opened[-1]

    yield open_one
    for transport in opened:
        await transport.aclose()
        assert transport.stats == (0, 0, 0)


class Gate:
    """A server that answers each request only when told to, and counts those in hand."""

    def __init__(self) -> None:
        self.turns = asyncio.Semaphore(0)
        self.asked = asyncio.Semaphore(0)

    async def script(self, peer: ScriptedPeer) -> None:
        while True:
            received = await peer.request()
            self.asked.release()
            await self.turns.acquire()
            await peer.answer(received.body)

    def open(self, turns: int = 1) -> None:
        """Lets that many requests be answered."""
        for _ in range(turns):
            self.turns.release()


async def test_connections_are_bounded_and_waiters_are_served_in_order(open_transport: Open) -> None:
    gate, transport, order = Gate(), open_transport(connections_per_endpoint_max=2), list[bytes]()

    async def call(server: ScriptedServer, body: bytes) -> None:
        order.append(await fetch(transport, post(server.endpoint, body)))

    async with ScriptedServer(gate.script) as server, asyncio.TaskGroup() as calls:
        for number in range(6):
            calls.create_task(call(server, str(number).encode()))
        await gate.asked.acquire()
        await gate.asked.acquire()
        assert transport.stats == (2, 0, 4)
        for _ in range(6):
            gate.open()
            await asyncio.sleep(0.01)
    assert [each.body for each in server.requests][2:] == [b"2", b"3", b"4", b"5"]
    assert sorted(order) == [b"0", b"1", b"2", b"3", b"4", b"5"]
    assert server.connections == 2


async def test_waiting_longer_than_the_connect_timeout_is_a_connect_failure(open_transport: Open) -> None:
    gate, transport = Gate(), open_transport(connections_per_endpoint_max=1)
    async with ScriptedServer(gate.script) as server:
        first = asyncio.create_task(fetch(transport, post(server.endpoint, b"1")))
        await gate.asked.acquire()
        failure = await failure_of(transport.send(post(server.endpoint, b"2", connect_timeout_s=0.03)))
        assert failure.stage is TransportStage.CONNECT
        assert transport.stats.waiting == 0
        gate.open()
        assert await first == b"1"


async def test_a_full_queue_is_a_connect_failure_at_once(open_transport: Open) -> None:
    gate, transport = Gate(), open_transport(connections_per_endpoint_max=1, waiters_per_endpoint_max=0)
    async with ScriptedServer(gate.script) as server:
        first = asyncio.create_task(fetch(transport, post(server.endpoint, b"1")))
        await gate.asked.acquire()
        assert (await failure_of(transport.send(post(server.endpoint)))).stage is TransportStage.CONNECT
        gate.open()
        assert await first == b"1"


async def test_a_waiter_that_leaves_in_the_moment_of_its_turn_passes_it_on(open_transport: Open) -> None:
    gate, transport = Gate(), open_transport(connections_per_endpoint_max=1)
    async with ScriptedServer(gate.script) as server:
        first = await asyncio.wait_for(_asked(transport, server, gate, b"1"), 1)
        second = asyncio.create_task(fetch(transport, post(server.endpoint, b"2")))
        third = asyncio.create_task(fetch(transport, post(server.endpoint, b"3")))
        await asyncio.sleep(0)
        assert transport.stats.waiting == 2
        gate.open()
        first.add_done_callback(lambda _: second.cancel())
        gate.open()
        gate.open()
        assert await first == b"1"
        with pytest.raises(asyncio.CancelledError):
            await second
        assert await third == b"3"
    assert transport.stats.waiting == 0


async def test_a_freed_slot_passes_to_a_waiter(open_transport: Open) -> None:
    gate, transport = Gate(), open_transport(connections_per_endpoint_max=1)
    async with ScriptedServer(gate.script) as server:
        first = await _asked(transport, server, gate, b"1")
        second = asyncio.create_task(fetch(transport, post(server.endpoint, b"2")))
        await asyncio.sleep(0)
        first.cancel()
        await gate.asked.acquire()
        gate.open(2)
        assert await second == b"2"
    assert server.connections == 2


async def test_idle_connections_expire_and_leave_nothing_behind(open_transport: Open) -> None:
    transport = open_transport(idle_timeout_s=0.03)

    async def script(peer: ScriptedPeer) -> None:
        await peer.request()
        await peer.answer()
        await peer.gone()

    async with ScriptedServer(script) as server:
        await fetch(transport, post(server.endpoint))
        assert transport.stats == (1, 1, 0)
        await server.left()
        assert transport.stats == (0, 0, 0)


async def test_a_shorter_keep_alive_of_the_peer_is_honoured(open_transport: Open) -> None:
    transport = open_transport()

    async def script(peer: ScriptedPeer) -> None:
        await peer.request()
        await peer.answer(headers="Keep-Alive: max=5, timeout=0\r\n")
        await peer.gone()

    async with ScriptedServer(script) as server:
        await fetch(transport, post(server.endpoint))
        await server.left()
        await fetch(transport, post(server.endpoint))
        assert server.connections == 2


async def test_the_warmest_connection_is_used_first(open_transport: Open) -> None:
    gate, transport = Gate(), open_transport()
    async with ScriptedServer(gate.script) as server:
        calls = [await _asked(transport, server, gate, body) for body in (b"1", b"2", b"3")]
        gate.open(100)
        await asyncio.gather(*calls)
        assert transport.stats == (3, 3, 0)
        for _ in range(5):
            await fetch(transport, post(server.endpoint))
        assert server.connections == 3


async def test_a_connection_the_peer_closes_while_idle_is_forgotten_at_once(open_transport: Open) -> None:
    gate, transport, leave = Gate(), open_transport(), asyncio.Event()

    async def script(peer: ScriptedPeer) -> None:
        await peer.request()
        gate.asked.release()
        await gate.turns.acquire()
        await peer.answer()
        if peer.number == 0:
            await leave.wait()
        else:
            await peer.gone()

    async with ScriptedServer(script) as server:
        calls = [await _asked(transport, server, gate, body) for body in (b"1", b"2")]
        gate.open(2)
        await asyncio.gather(*calls)
        assert transport.stats == (2, 2, 0)
        leave.set()
        await asyncio.sleep(0.02)
        assert transport.stats == (1, 1, 0)


async def test_a_pool_emptied_by_a_stale_connection_still_counts_the_next(open_transport: Open) -> None:
    transport = open_transport(idle_timeout_s=0.01)
    async with ScriptedServer() as server:
        await fetch(transport, post(server.endpoint))
        # The loop is busy for longer than the idle time, so no timer could close the connection.
        time.sleep(0.02)  # noqa: ASYNC251
        response = await transport.send(post(server.endpoint))
        assert transport.stats.open == 1
        await response.read()
        assert server.connections == 2


async def test_what_comes_while_idle_closes_the_connection(open_transport: Open) -> None:
    transport = open_transport()
    stray = asyncio.Event()

    async def script(peer: ScriptedPeer) -> None:
        await peer.request()
        await peer.answer(b"ok")
        await stray.wait()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged")
        await peer.gone()

    async with ScriptedServer(script) as server:
        await fetch(transport, post(server.endpoint))
        stray.set()
        await server.left()
        assert transport.stats.open == 0


async def test_an_answer_before_the_whole_request_was_read_spoils_the_connection(
    open_transport: Open,
) -> None:
    transport = open_transport()

    async def script(peer: ScriptedPeer) -> None:
        await peer.answer(b"too large", status="413 Content Too Large")
        await peer.gone()

    async with ScriptedServer(script) as server:
        response = await transport.send(post(server.endpoint, b"x" * 32_000_000))
        assert (response.status, await response.read()) == (413, b"too large")
        assert transport.stats.idle == 0
        await server.left()


async def test_a_body_over_the_limit_is_a_body_failure(open_transport: Open) -> None:
    transport = open_transport(body_bytes_max=1000)
    async with ScriptedServer() as server:
        assert len(await fetch(transport, post(server.endpoint, b"x" * 1000))) == 1000
        for size in (1001, 5_000_000):
            failure = await failure_of(fetch(transport, post(server.endpoint, b"x" * size)))
            assert failure.stage is TransportStage.BODY


async def test_a_transfer_encoding_nobody_here_decodes_is_a_body_failure(open_transport: Open) -> None:
    transport = open_transport()

    async def script(peer: ScriptedPeer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nxx")
        peer.close()

    async with ScriptedServer(script) as server:
        assert (await failure_of(transport.send(post(server.endpoint)))).stage is TransportStage.BODY


async def test_switching_protocols_is_a_body_failure(open_transport: Open) -> None:
    transport = open_transport()

    async def script(peer: ScriptedPeer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nxx")
        await peer.gone()

    async with ScriptedServer(script) as server:
        assert (await failure_of(transport.send(post(server.endpoint)))).stage is TransportStage.BODY
        await server.left()


async def test_closing_the_transport_ends_what_runs_and_what_waits(open_transport: Open) -> None:
    gate, transport = Gate(), open_transport(connections_per_endpoint_max=1)
    async with ScriptedServer(gate.script) as server:
        running = await _asked(transport, server, gate, b"1")
        waiting = asyncio.create_task(fetch(transport, post(server.endpoint)))
        await asyncio.sleep(0)
        await transport.aclose()
        results = await asyncio.gather(running, waiting, return_exceptions=True)
        assert [each.stage for each in results if isinstance(each, TransportFailed)] == [
            TransportStage.SEND,
            TransportStage.CONNECT,
        ]


async def test_endpoints_are_forgotten_with_their_last_connection(open_transport: Open) -> None:
    transport = open_transport(idle_timeout_s=0.0)
    async with ScriptedServer() as server:
        for _ in range(3):
            await fetch(transport, post(server.endpoint))
            await asyncio.sleep(0.005)
        assert transport.stats == (0, 0, 0)
        assert server.connections == 3


async def test_a_dead_first_address_is_not_the_end(open_transport: Open) -> None:
    transport = open_transport()
    async with ScriptedServer() as server:
        loop = asyncio.get_running_loop()
        resolve = loop.getaddrinfo

        async def two_addresses(*args: object, **kwargs: object) -> list[object]:
            found = await resolve("127.0.0.1", server.port, type=1)
            return [(*found[0][:4], ("127.0.0.9", server.port)), *found]

        loop.getaddrinfo = two_addresses  # type: ignore[method-assign, assignment]
        endpoint = Endpoint("http", "two.test", server.port)
        assert await fetch(transport, post(endpoint, b"ok")) == b"ok"


@pytest.mark.parametrize("fault", [Fault(latency_s=0.005), Fault(bytes_per_s=20_000_000)])
async def test_a_slow_network_changes_nothing_but_time(open_transport: Open, fault: Fault) -> None:
    transport = open_transport()
    async with ScriptedServer() as server, FaultProxy("127.0.0.1", server.port, fault) as proxy:
        endpoint = Endpoint("http", "127.0.0.1", proxy.port)
        body = b"x" * 300_000
        assert await fetch(transport, post(endpoint, body)) == body
        assert await fetch(transport, post(endpoint, body)) == body


async def test_faults_of_the_network_are_told_apart(open_transport: Open) -> None:
    transport = open_transport()

    async def stage(fault: Fault, size: int = 1000) -> TransportStage:
        async with ScriptedServer() as server, FaultProxy("127.0.0.1", server.port, fault) as proxy:
            request = post(
                Endpoint("http", "127.0.0.1", proxy.port),
                b"x" * size,
                headers_timeout_s=0.05 if fault.black_hole else 2.0,
            )
            return (await failure_of(fetch(transport, request))).stage

    assert await stage(Fault(black_hole=True)) is TransportStage.HEADERS_TIMEOUT
    assert await stage(Fault(reset_after_bytes=0)) is TransportStage.SEND
    assert await stage(Fault(reset_after_bytes=500)) is TransportStage.BODY
    assert await stage(Fault(half_close_after_bytes=500)) is TransportStage.BODY
    assert await stage(Fault(refuse=True)) in (TransportStage.SEND, TransportStage.CONNECT)


async def test_resetting_an_idle_network_is_not_noticed_by_the_next_caller(open_transport: Open) -> None:
    transport = open_transport()
    async with ScriptedServer() as server, FaultProxy("127.0.0.1", server.port) as proxy:
        endpoint = Endpoint("http", "127.0.0.1", proxy.port)
        for _ in range(5):
            assert await fetch(transport, post(endpoint, b"ok")) == b"ok"
            proxy.reset_all()
        assert proxy.connections == 5


async def test_a_refused_request_costs_no_connection(open_transport: Open) -> None:
    transport = open_transport()
    await failure_of(transport.send(get(Endpoint("http", "127.0.0.1", 1))._replace(path="bad")))
    assert transport.stats == (0, 0, 0)


async def _asked(
    transport: StreamlinedTransport, server: ScriptedServer, gate: Gate, body: bytes
) -> "asyncio.Task[bytes]":
    """A call whose request the server has in hand."""
    task = asyncio.create_task(fetch(transport, post(server.endpoint, body)))
    await gate.asked.acquire()
    return task

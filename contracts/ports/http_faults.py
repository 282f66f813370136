"""How an `HttpTransport` fails: each stage, dead connections, cut bodies, silence, cancellation."""

import asyncio
from typing import Any

import pytest

from application.ports.http import Endpoint, TransportStage
from contracts.ports._base import PortContract
from contracts.ports.http import HttpHoles, Peer, Serve, chunks_of, echo, failure_of, fetch, get, post

OK = b"HTTP/1.1 200 OK\r\n"


class HttpTransportFaultContract(HttpHoles, PortContract):
    """Errors are port-owned and tell how far things had come; cancelling reaches the peer."""

    async def test_nobody_listening_is_a_connect_failure(self, transport: Any, serve: Serve) -> None:
        async with serve(echo) as server:
            endpoint = server.endpoint
        failure = await failure_of(transport.send(post(endpoint)))
        assert failure.stage is TransportStage.CONNECT

    async def test_a_name_that_does_not_exist_is_a_connect_failure(self, transport: Any) -> None:
        failure = await failure_of(transport.send(get(Endpoint("http", "no-such-name.invalid", 80))))
        assert failure.stage is TransportStage.CONNECT

    @pytest.mark.parametrize("ending", ["close", "reset"])
    async def test_a_connection_that_breaks_unanswered_is_a_send_failure(
        self, transport: Any, serve: Serve, ending: str
    ) -> None:
        async def script(peer: Peer) -> None:
            await peer.request()
            peer.close() if ending == "close" else peer.reset()

        async with serve(script) as server:
            failure = await failure_of(transport.send(post(server.endpoint)))
            assert failure.stage is TransportStage.SEND
            assert server.connections == 1, "a fresh connection is not tried twice"

    @pytest.mark.parametrize("limits", [{"headers_timeout_s": 0.05}, {"total_timeout_s": 0.1}])
    async def test_no_headers_in_time_is_a_headers_timeout_and_hangs_up(
        self, transport: Any, serve: Serve, limits: dict[str, Any]
    ) -> None:
        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.answer(b"connected")
            await peer.request()
            await peer.gone()

        async with serve(script) as server:
            assert await fetch(transport, post(server.endpoint)) == b"connected"
            failure = await failure_of(transport.send(post(server.endpoint, **limits)))
            assert failure.stage is TransportStage.HEADERS_TIMEOUT
            await server.left()

    async def test_headers_that_trickle_are_still_late(self, transport: Any, serve: Serve) -> None:
        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.send(OK + b"x-slow: 1\r\n")
            await peer.gone()

        async with serve(script) as server:
            failure = await failure_of(transport.send(post(server.endpoint, headers_timeout_s=0.05)))
            assert failure.stage is TransportStage.HEADERS_TIMEOUT
            await server.left()

    @pytest.mark.parametrize("call", [fetch, chunks_of])
    @pytest.mark.parametrize("limits", [{"body_idle_timeout_s": 0.08}, {"total_timeout_s": 0.2}])
    async def test_a_body_that_stalls_is_a_body_timeout_and_hangs_up(
        self, transport: Any, serve: Serve, call: Any, limits: dict[str, Any]
    ) -> None:
        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.send(OK + b"Content-Length: 10\r\n\r\nhalf")
            await peer.gone()

        async with serve(script) as server:
            failure = await failure_of(call(transport, post(server.endpoint, **limits)))
            assert failure.stage is TransportStage.BODY_TIMEOUT
            await server.left()

    async def test_a_slow_reader_is_not_a_silent_peer(self, transport: Any, serve: Serve) -> None:
        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.send(OK + b"Content-Length: 6\r\n\r\n")
            await asyncio.sleep(0.01)
            await peer.send(b"one")
            await asyncio.sleep(0.12)
            await peer.send(b"two")

        async with serve(script) as server:
            response = await transport.send(post(server.endpoint, body_idle_timeout_s=0.1))
            assert await response.next_chunk() == b"one"
            await asyncio.sleep(0.15)
            assert await response.read() == b"two"

    async def test_the_headers_timeout_does_not_bound_the_body(self, transport: Any, serve: Serve) -> None:
        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.send(OK + b"Content-Length: 4\r\n\r\n")
            await asyncio.sleep(0.2)
            await peer.send(b"late")

        async with serve(script) as server:
            assert await fetch(transport, post(server.endpoint, headers_timeout_s=0.13)) == b"late"

    @pytest.mark.parametrize("call", [fetch, chunks_of])
    @pytest.mark.parametrize("ending", ["close", "reset"])
    @pytest.mark.parametrize(
        "cut",
        [
            b"Content-Length: 10\r\n\r\nhalf",
            b"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
            b"Transfer-Encoding: chunked\r\n\r\n8\r\nhalf",
            b"Content-Length: 10\r\n\r\n",
        ],
        ids=["short", "no-terminator", "half-chunk", "nothing"],
    )
    async def test_a_cut_body_is_never_taken_for_complete(
        self, transport: Any, serve: Serve, call: Any, ending: str, cut: bytes
    ) -> None:
        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.send(OK + cut)
            await asyncio.sleep(0.02)
            peer.close() if ending == "close" else peer.reset()

        async with serve(script) as server:
            failure = await failure_of(call(transport, post(server.endpoint)))
            assert failure.stage is TransportStage.BODY
            assert server.connections == 1, "what may have been acted on is not sent again"

    @pytest.mark.parametrize(
        "rubbish",
        [
            OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nhalf\r\n0\r\n\r\n",
            OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
            OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            OK + b"Content-Length: -5\r\n\r\nhello",
            OK + b"no colon here\r\n\r\n",
            b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
            OK + b"x-big: " + b"x" * 70_000 + b"\r\n\r\n",
            OK + b"".join(b"x-%d: 1\r\n" % number for number in range(300)) + b"\r\n",
        ],
        ids=["chunk-size", "two-lengths", "length-and-chunked", "negative", "no-colon", "ssh", "big", "many"],
    )
    async def test_what_is_not_a_response_is_a_body_failure(
        self, transport: Any, serve: Serve, rubbish: bytes
    ) -> None:
        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.send(rubbish)
            await peer.gone()

        async with serve(script) as server:
            failure = await failure_of(fetch(transport, post(server.endpoint)))
            assert failure.stage is TransportStage.BODY
            await server.left()

    async def test_headers_without_end_are_cut_off(self, transport: Any, serve: Serve) -> None:
        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.send(OK + b"x-endless: ")
            try:
                for _ in range(400):
                    await peer.send(b"x" * 65536)
            finally:
                await peer.gone()

        async with serve(script) as server:
            failure = await failure_of(transport.send(post(server.endpoint)))
            assert failure.stage is TransportStage.BODY

    async def test_a_connection_closed_while_idle_is_replaced(self, transport: Any, serve: Serve) -> None:
        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.answer(b"ok")

        async with serve(script) as server:
            for _ in range(4):
                assert await fetch(transport, post(server.endpoint)) == b"ok"
                await asyncio.sleep(0.01)
            assert server.connections == 4

    @pytest.mark.parametrize("ending", ["close", "reset"])
    async def test_a_reused_connection_that_dies_unanswered_is_replaced_once(
        self, transport: Any, serve: Serve, ending: str
    ) -> None:
        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.answer(b"first")
            received = await peer.request()
            if peer.number == 0:
                peer.close() if ending == "close" else peer.reset()
            else:
                await peer.answer(received.body)

        async with serve(script) as server:
            assert await fetch(transport, post(server.endpoint)) == b"first"
            assert await fetch(transport, post(server.endpoint, b"again")) == b"first"
            assert server.connections == 2
            assert [each.body for each in server.requests] == [b"{}", b"again", b"again"]

    async def test_a_dead_connection_that_cannot_be_replaced_had_still_carried_the_request(
        self, transport: Any, serve: Serve
    ) -> None:
        async with serve(echo) as server:

            async def script(peer: Peer) -> None:
                await peer.request()
                await peer.answer(b"first")
                await peer.request()
                server.stop_listening()
                peer.reset()

            server.script = script
            assert await fetch(transport, post(server.endpoint)) == b"first"
            failure = await failure_of(transport.send(post(server.endpoint)))
            assert failure.stage is TransportStage.SEND

    async def test_a_reused_connection_that_answered_anything_is_not_replaced(
        self, transport: Any, serve: Serve
    ) -> None:
        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.answer(b"first")
            await peer.request()
            await peer.send(b"HTTP/1.1 2")

        async with serve(script) as server:
            assert await fetch(transport, post(server.endpoint)) == b"first"
            failure = await failure_of(transport.send(post(server.endpoint)))
            assert failure.stage is TransportStage.BODY
            assert server.connections == 1

    async def test_bytes_nobody_asked_for_are_not_the_next_answer(self, transport: Any, serve: Serve) -> None:
        async def script(peer: Peer) -> None:
            received = await peer.request()
            stray = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"
            await peer.send(
                OK + b"Content-Length: 2\r\n\r\n" + received.body + (stray if peer.number == 0 else b"")
            )
            await peer.gone()

        async with serve(script) as server:
            assert await fetch(transport, post(server.endpoint, b"11")) == b"11"
            assert await fetch(transport, post(server.endpoint, b"22")) == b"22"
            assert server.connections == 2

    async def test_a_response_closed_early_hangs_up(self, transport: Any, serve: Serve) -> None:
        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.send(OK + b"Content-Length: 10\r\n\r\nhalf")
            await peer.gone()

        async with serve(script) as server:
            response = await transport.send(post(server.endpoint))
            response.close()
            response.close()
            await server.left()
            assert (await failure_of(response.read())).stage is TransportStage.BODY

    @pytest.mark.parametrize("when", ["before headers", "in a unary body", "in a stream"])
    async def test_cancelling_reaches_the_peer_and_harms_nobody_else(
        self, transport: Any, serve: Serve, when: str
    ) -> None:
        waiting = asyncio.Event()

        async def script(peer: Peer) -> None:
            while True:
                received = await peer.request()
                if received.body == b"hang":
                    if when != "before headers":
                        await peer.send(OK + b"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")
                    waiting.set()
                    await peer.gone()
                    return
                await peer.answer(received.body)

        async def read_twice(endpoint: Endpoint) -> None:
            response = await transport.send(post(endpoint, b"hang"))
            assert await response.next_chunk() == b"half"
            await response.next_chunk()

        async with serve(script) as server:
            assert await fetch(transport, post(server.endpoint, b"warm")) == b"warm"
            hanging = (
                read_twice(server.endpoint)
                if when == "in a stream"
                else fetch(transport, post(server.endpoint, b"hang"))
            )
            task = asyncio.create_task(hanging)
            await waiting.wait()
            await asyncio.sleep(0.02)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await server.left()
            assert await fetch(transport, post(server.endpoint, b"next")) == b"next"

    async def test_random_leavers_do_not_disturb_the_others(self, transport: Any, serve: Serve) -> None:
        async def script(peer: Peer) -> None:
            while True:
                received = await peer.request()
                await asyncio.sleep(len(received.body) % 7 / 1000)
                await peer.answer(received.body)

        async with serve(script) as server:
            bodies = [b"x" * size for size in range(1, 120)]
            tasks = [asyncio.create_task(fetch(transport, post(server.endpoint, body))) for body in bodies]
            for turn, task in enumerate(tasks):
                if turn % 3 == 0:
                    await asyncio.sleep(0.001)
                    task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            for body, result in zip(bodies, results, strict=True):
                assert result == body or isinstance(result, asyncio.CancelledError)
            assert await fetch(transport, post(server.endpoint, b"after")) == b"after"

"""A stand-in for the few commands of Redis 8 that vectors need, over a real socket, which notes each of them.

It keeps what it is told exactly, so it proves what is sent and what is made of the answers, and nothing about
Redis itself: that is what `REDIS8_URL` is for.
"""

import asyncio
import json
import math
import re
import struct
from collections.abc import Callable
from typing import Any

ERROR_UNKNOWN = b"-ERR unknown command\r\n"


class VectorSetServer:
    """`log` holds every command but a client's greetings. `port` after `start`."""

    def __init__(self) -> None:
        self.log: list[list[bytes]] = []
        self.port = 0
        self._server: asyncio.Server | None = None
        self._sets: dict[bytes, dict[bytes, tuple[list[float], dict[str, Any]]]] = {}
        self._texts: dict[bytes, bytes] = {}
        self._sorted: dict[bytes, dict[bytes, float]] = {}
        self.ends_ms: dict[bytes, int] = {}

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()

    def sent(self, name: str) -> list[list[bytes]]:
        return [command for command in self.log if command[0] == name.encode()]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readline():
                command = []
                for _ in range(int(head[1:])):
                    length = int((await reader.readline())[1:])
                    command.append((await reader.readexactly(length + 2))[:-2])
                writer.write(self._answer(command))
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client has left
        finally:
            writer.close()

    def _answer(self, command: list[bytes]) -> bytes:
        name = command[0].upper().decode()
        if name == "HELLO":
            return encoded({b"server": b"redis", b"version": b"8.0.0", b"proto": 3})
        if name in ("CLIENT", "SELECT"):
            return b"+OK\r\n"
        self.log.append(command)
        known: Callable[..., Any] | None = getattr(self, f"_{name.lower()}", None)
        return ERROR_UNKNOWN if known is None else encoded(known(*command[1:]))

    def _eval(self, script: bytes, _count: bytes, _key: bytes) -> bytes:
        assert b"VCARD" in script
        return b"OK"

    def _vadd(self, name: bytes, kind: bytes, blob: bytes, element: bytes, *options: bytes) -> int:
        assert (kind, *options[:2]) == (b"FP32", b"Q8", b"SETATTR") and len(options) == 3
        members = self._sets.setdefault(name, {})
        new = element not in members
        members[element] = (numbers(blob), json.loads(options[2]))
        return int(new)

    def _vsim(self, name: bytes, kind: bytes, blob: bytes, *options: bytes) -> dict[bytes, float]:
        assert (kind, *options[:2]) == (b"FP32", b"WITHSCORES", b"COUNT")
        count, rest = int(options[2]), list(options[3:])
        allowed: Callable[[dict[str, Any]], bool] = lambda _facts: True  # noqa: E731
        if rest and rest[0] == b"FILTER":
            match = re.fullmatch(r"\.exp (>|<=) (\d+)", rest[1].decode())
            assert match is not None
            after, bound = match[1] == ">", int(match[2])
            allowed = lambda facts: (facts["exp"] > bound) == after  # noqa: E731
            rest = rest[2:]
        assert rest in ([], [b"TRUTH"])
        asked = numbers(blob)
        near = [
            (math.fsum(a * b for a, b in zip(asked, vector, strict=True)), element)
            for element, (vector, facts) in self._sets.get(name, {}).items()
            if allowed(facts)
        ]
        near.sort(key=lambda each: -each[0])
        return {element: (1 + cosine) / 2 for cosine, element in near[:count]}

    def _vrem(self, name: bytes, element: bytes) -> int:
        return int(self._sets.get(name, {}).pop(element, None) is not None)

    def _set(self, name: bytes, value: bytes, until: bytes, _ms: bytes) -> bytes:
        assert until == b"PXAT"
        self._texts[name] = value
        return b"OK"

    def _get(self, name: bytes) -> bytes | None:
        return self._texts.get(name)

    def _getdel(self, name: bytes) -> bytes | None:
        return self._texts.pop(name, None)

    def _pexpireat(self, name: bytes, at_ms: bytes, condition: bytes) -> int:
        was, new = self.ends_ms.get(name), int(at_ms)
        if (condition == b"NX" and was is None) or (condition == b"GT" and was is not None and new > was):
            self.ends_ms[name] = new
            return 1
        return 0

    def _zadd(self, name: bytes, condition: bytes, score: bytes, member: bytes) -> int:
        assert condition == b"GT"
        members = self._sorted.setdefault(name, {})
        members[member] = max(float(score), members.get(member, 0))
        return 1

    def _zrange(self, name: bytes, first: bytes, last: bytes) -> list[bytes]:
        assert (first, last) == (b"0", b"-1")
        return sorted(self._sorted.get(name, {}))

    def _zrandmember(self, name: bytes, count: bytes) -> list[bytes]:
        return sorted(self._sorted.get(name, {}))[: int(count)]

    def _zcard(self, name: bytes) -> int:
        return len(self._sorted.get(name, {}))

    def _zremrangebyscore(self, name: bytes, low: bytes, high: bytes) -> int:
        members = self._sorted.get(name, {})
        gone = [each for each, score in members.items() if int(low) <= score <= int(high)]
        for each in gone:
            del members[each]
        return len(gone)


def numbers(blob: bytes) -> list[float]:
    return list(struct.unpack(f"<{len(blob) // 4}f", blob))


def encoded(answer: Any) -> bytes:
    """In RESP3, which the client asks for."""
    if answer is None:
        return b"_\r\n"
    if isinstance(answer, float):
        return b",%.17g\r\n" % answer
    if isinstance(answer, dict):
        return b"%%%d\r\n" % len(answer) + b"".join(encoded(part) for pair in answer.items() for part in pair)
    if isinstance(answer, int):
        return b":%d\r\n" % answer
    if isinstance(answer, bytes):
        return b"$%d\r\n%b\r\n" % (len(answer), answer)
    return b"*%d\r\n%b" % (len(answer), b"".join(map(encoded, answer)))

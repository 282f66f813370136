"""What speaks MySQL's protocol just enough to say things that no honest server would."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

OK: Final = b"\x00\x00\x00\x02\x00\x00\x00"
PLUGIN_AUTH: Final = 1 << 19
TLS: Final = 1 << 11
_USUAL: Final = 0x000FF7FF & ~TLS | PLUGIN_AUTH
_SALT: Final = b"12345678", b"123456789012"


class MySqlImpostor:
    """Each answer to a query is found by `answer`; None hangs up. What it was told is in `heard`."""

    def __init__(
        self,
        answer: Callable[[str], Sequence[bytes] | None] = lambda _: [OK],
        *,
        version: str = "8.4.3",
        tls: bool = False,
        after_greeting: bytes = b"",
        to_login: Sequence[bytes] = (OK,),
    ) -> None:
        self._answer, self._version, self._tls = answer, version, tls
        self._after_greeting, self._to_login = after_greeting, to_login
        self.heard: list[str] = []
        self.packets: list[bytes] = []
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> "MySqlImpostor":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()

    @property
    def port(self) -> int:
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(_packet(0, self._greeting()) + self._after_greeting)
            number, login = await _read(reader)
            self.packets.append(login)
            for offset, said in enumerate(self._to_login):
                writer.write(_packet(number + 1 + 2 * offset, said))
                if offset + 1 < len(self._to_login):
                    self.packets.append((await _read(reader))[1])
            while True:
                _, command = await _read(reader)
                self.packets.append(command)
                self.heard.append(command[1:].decode(errors="replace"))
                answers = self._answer(self.heard[-1]) if command[:1] == b"\x03" else [OK]
                if answers is None:
                    break
                for offset, said in enumerate(answers):
                    writer.write(_packet(1 + offset, said))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _greeting(self) -> bytes:
        flags = _USUAL | (TLS if self._tls else 0)
        low, high = (flags & 0xFFFF).to_bytes(2, "little"), (flags >> 16).to_bytes(2, "little")
        return (
            b"\x0a" + self._version.encode() + b"\x00" + (7).to_bytes(4, "little") + _SALT[0] + b"\x00"
            + low + b"\x2d\x02\x00" + high + b"\x15" + bytes(10) + _SALT[1] + b"\x00mysql_native_password\x00"
        )  # fmt: skip


def _packet(number: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "little") + bytes([number]) + payload


async def _read(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = await reader.readexactly(4)
    return head[3], await reader.readexactly(int.from_bytes(head[:3], "little"))

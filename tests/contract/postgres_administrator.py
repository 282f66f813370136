"""One connection that stays open for what an administrator says, by the client library of PostgreSQL itself.

A psql for each statement would be three times the work of the statement.
"""

import select
import threading
from collections.abc import Callable
from ctypes import CDLL, c_char_p, c_int, c_void_p
from functools import cache
from pathlib import Path
from typing import Final

TIMEOUT_S: Final = 30
OPTIONS: Final = (
    f"&connect_timeout={TIMEOUT_S}&client_encoding=utf8"
    f"&options=-c%20client_min_messages%3Derror%20-c%20statement_timeout%3D{TIMEOUT_S * 1000}"
)
_CONNECTION_OK: Final = 0
_DONE: Final = frozenset({0, 1, 2})
"""Nothing was asked, a command was carried out, there are rows."""


@cache
def _library(path: Path) -> CDLL:
    library = CDLL(str(path))
    for name, answer, *arguments in (
        ("PQconnectdb", c_void_p, c_char_p),
        ("PQstatus", c_int, c_void_p),
        ("PQsocket", c_int, c_void_p),
        ("PQerrorMessage", c_char_p, c_void_p),
        ("PQfinish", None, c_void_p),
        ("PQexec", c_void_p, c_void_p, c_char_p),
        ("PQresultStatus", c_int, c_void_p),
        ("PQntuples", c_int, c_void_p),
        ("PQnfields", c_int, c_void_p),
        ("PQgetvalue", c_char_p, c_void_p, c_int, c_int),
        ("PQclear", None, c_void_p),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = answer, arguments
    return library


class Administrator:
    """For any thread, one after another. Connects when it is first asked, and again after a restart."""

    def __init__(self, programs: Path, url: Callable[[], str]) -> None:
        """`programs` is the folder of psql; the URL, with a `?` in it already, is asked
        for at each connection."""
        (file,) = (programs.parent / "lib").glob("libpq.so.5")
        self._library = _library(file)
        self._url = url
        self._connection: int | None = None
        self._one_at_a_time = threading.Lock()

    def run(self, statement: str) -> str:
        """What `psql -qAt` would have printed. Raises RuntimeError with what the server said."""
        with self._one_at_a_time:
            asked = self._open()
            result = self._library.PQexec(asked, statement.encode())
            try:
                if self._library.PQresultStatus(result) not in _DONE:
                    raise RuntimeError(self._library.PQerrorMessage(asked).decode())
                return self._printed(result)
            finally:
                self._library.PQclear(result)

    def leave(self) -> None:
        """Closes the connection; the next statement opens another one."""
        with self._one_at_a_time:
            self._close()

    def _open(self) -> int:
        if self._connection is not None and self._thrown_out(self._connection):
            self._close()
        if self._connection is None:
            opened = self._library.PQconnectdb((self._url() + OPTIONS).encode())
            if self._library.PQstatus(opened) != _CONNECTION_OK:
                said = self._library.PQerrorMessage(opened).decode()
                self._library.PQfinish(opened)
                raise RuntimeError(said)
            self._connection = opened
        return self._connection

    def _thrown_out(self, connection: int) -> bool:
        """A server says nothing unasked, but that it ends."""
        socket = self._library.PQsocket(connection)
        if socket < 0 or self._library.PQstatus(connection) != _CONNECTION_OK:
            return True
        poll = select.poll()  # its numbers have no end, as those of select() do
        poll.register(socket, select.POLLIN)
        return bool(poll.poll(0))

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._library.PQfinish(connection)

    def _printed(self, result: int) -> str:
        values = self._library.PQgetvalue
        fields = range(self._library.PQnfields(result))
        rows = range(self._library.PQntuples(result))
        lines = ("|".join(values(result, row, field).decode() for field in fields) for row in rows)
        return "".join(f"{line}\n" for line in lines)

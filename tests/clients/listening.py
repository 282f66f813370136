"""A wire with an ear on it: passes bytes between a client and the server, and notes what is asked."""

import contextlib
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

_REQUEST_LINE = re.compile(rb"(?:^|\n)(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) (/[^ ]*) HTTP/1\.1\r\n")
_CHUNK_BYTES = 65_536


@contextmanager
def listening(url: str) -> Iterator[tuple[str, set[str]]]:
    """The address to give to a client, and the request lines seen so far, such as `POST /v1/messages`.

    A line that two packets share is not noted; clients send their heads in one.
    """
    parts = urlsplit(url)
    upstream = (parts.hostname or "", parts.port or 0)
    asked: set[str] = set()
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_accept, args=(server, upstream, asked), daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", asked
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)


def _accept(server: socket.socket, upstream: tuple[str, int], asked: set[str]) -> None:
    while True:
        try:
            client, _ = server.accept()
            behind = socket.create_connection(upstream, timeout=10)
        except OSError:
            return
        client.settimeout(None)
        behind.settimeout(None)
        for source, sink, notes in ((client, behind, asked), (behind, client, None)):
            threading.Thread(target=_pass_on, args=(source, sink, notes), daemon=True).start()


def _pass_on(source: socket.socket, sink: socket.socket, asked: set[str] | None) -> None:
    """One direction until either side is gone; then both are, as if there were no wire between them."""
    try:
        while data := source.recv(_CHUNK_BYTES):
            if asked is not None:
                asked.update(b" ".join(line).decode() for line in _REQUEST_LINE.findall(data))
            sink.sendall(data)
    except OSError:
        pass  # gone is gone, whichever way
    finally:
        for each in (source, sink):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

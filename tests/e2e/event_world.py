"""Listening to events in end-to-end tests: frames of server-sent events, and waiting for one."""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import httpx

from tests.e2e.stack import Stack

EVENTS = "/api/v1/events"
WAIT_S = 20.0


class Frame(NamedTuple):
    """One server-sent event; a sign of life has no event."""

    place: int
    event: str
    data: Any


def frames(lines: Iterator[str]) -> Iterator[Frame]:
    said: dict[str, str] = {}
    for line in lines:
        if line == "":
            if "id" in said or "event" in said:
                yield Frame(
                    int(said.get("id", "0")), said.get("event", ""), json.loads(said.get("data", "null"))
                )
            said = {}
        elif not line.startswith(":"):
            name, _, value = line.partition(": ")
            said[name] = value


class Listener:
    """What came so far; `began` is where it began."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.status = 0
        self.heard = threading.Event()

    def events(self, name: str = "") -> list[Any]:
        return [frame.data for frame in list(self.frames) if frame.event and name in ("", frame.event)]

    def wait(self, name: str, count: int = 1) -> list[Any]:
        found: list[Any] = until(lambda: (len(self.events(name)) >= count and self.events(name)) or [])
        return found


def until(found: Callable[[], Any]) -> Any:
    """What is found, as soon as it is something."""
    give_up = time.monotonic() + WAIT_S
    while not (seen := found()):
        assert time.monotonic() < give_up, "it did not come"
        time.sleep(0.02)
    return seen


@contextmanager
def listening(stack: Stack, key: str = "", query: str = "", **headers: str) -> Iterator[Listener]:
    """Somebody listens in a thread of their own, from when this is entered."""
    listener = Listener()
    headers = {"authorization": f"Bearer {key or stack.key}", **headers}
    client = httpx.Client(base_url=stack.url, headers=headers, timeout=httpx.Timeout(WAIT_S))
    response: list[httpx.Response] = []

    def listen() -> None:
        try:
            with client.stream("GET", f"{EVENTS}/stream{query}") as answer:
                listener.status = answer.status_code
                response.append(answer)
                for frame in frames(answer.iter_lines()):
                    listener.frames.append(frame)
                    listener.heard.set()
        except (httpx.HTTPError, httpx.StreamError, OSError, RuntimeError):
            return  # it was closed under it
        finally:
            listener.heard.set()

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    assert listener.heard.wait(WAIT_S), "the stream did not begin"
    try:
        yield listener
    finally:
        for answer in response:
            stream = answer.extensions.get("network_stream")
            if stream is not None:
                # Whoever waits in another thread is not woken by a mere close.
                with contextlib.suppress(OSError):
                    stream.get_extra_info("socket").shutdown(socket.SHUT_RDWR)
        thread.join(WAIT_S)
        client.close()

"""One bounded client for a Redis server or a Redis Cluster, shared by every Redis adapter of a process."""

import asyncio
import contextlib
import hashlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from domain.errors import StoreUnavailable

if TYPE_CHECKING:
    from redis.asyncio import Redis
    from redis.asyncio.cluster import RedisCluster

log = logging.getLogger("interchange")

CONNECT_TIMEOUT_S: Final = 1.0
COMMAND_TIMEOUT_S: Final = 0.25
CONNECTIONS_MAX: Final = 32
RETRY_AFTER_S: Final = 1.0
CLOSE_TIMEOUT_S: Final = 1.0
CLUSTER_AT_ONCE: Final = 64
"""Commands sent to a Cluster at a time; each takes a connection to its node."""
_ERROR_LENGTH: Final = 200
Result = TypeVar("Result")
Observer = Callable[[float, bool], None]
"""Told of every call: its duration in seconds, and whether it worked."""


Command = tuple[str | int | bytes, ...]


class Script:
    """A Lua function on the keys of one slot. Its version is part of its name, so that two versions of this
    program can run side by side: servers keep scripts by the hash of their text."""

    __slots__ = ("name", "sha", "text")

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.text = f"-- {name}\n{text}"
        self.sha = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()


class ScriptCall(NamedTuple):
    """One call. It may run twice when a connection broke under it: scripts have to bear that."""

    script: Script
    key: str
    arguments: Command = ()
    more_keys: tuple[str, ...] = ()
    """Of the same hash tag."""


@dataclass(slots=True)
class RedisHealth:
    """How Redis is doing, as far as the last calls tell. `last_error` stays until the next failure."""

    up: bool = False
    last_error: str = ""
    latency_s: float = 0.0
    """Of the last call that worked."""
    calls: int = 0
    failures: int = 0


def _nobody(_seconds: float, _worked: bool) -> None:
    return


class RedisConnection:
    """Opens nothing before its first call. Belongs to one event loop.

    The driver is loaded with the first one: most installations have no Redis.

    A call takes at most `command_timeout_s` once connected, and `connect_timeout_s` more where it has to
    connect or to find out who serves a slot now. Slow counts as down.
    """

    def __init__(
        self,
        urls: Sequence[str],
        *,
        cluster: bool = False,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
        command_timeout_s: float = COMMAND_TIMEOUT_S,
        connections_max: int = CONNECTIONS_MAX,
        binary: bool = False,
        observer: Observer = _nobody,
    ) -> None:
        """`binary`: strings in answers stay bytes. Raises InvalidRequest for URLs it cannot serve."""
        from adapters.redis.driver import cluster_client, single_client

        self.cluster = cluster
        self.health = RedisHealth()
        self._bound_s = connect_timeout_s + command_timeout_s
        self._observer = observer
        self._closed = False
        settings: dict[str, Any] = {
            "socket_connect_timeout": connect_timeout_s,
            "socket_timeout": command_timeout_s,
            "decode_responses": not binary,
            "client_name": "interchange",
        }
        self._turns = asyncio.Semaphore(CLUSTER_AT_ONCE)
        self._single: Redis | None = None
        self._many: RedisCluster | None = None
        if cluster:
            self._many = cluster_client(urls, max(connections_max, CLUSTER_AT_ONCE), settings)
        else:
            self._single = single_client(urls, connections_max, command_timeout_s, settings)

    async def ping(self) -> None:
        """Raises StoreUnavailable."""
        client: Any = self._single or self._many
        await self.bounded(client.ping)

    async def look(self) -> None:
        """A ping whose failure shows in `health` alone."""
        with contextlib.suppress(StoreUnavailable):
            await self.ping()

    async def call(self, *command: str | int | bytes) -> Any:
        """One command. Raises StoreUnavailable."""
        single: Any = self._single
        return await self.bounded(
            lambda: self._in_turn(command) if single is None else single.execute_command(*command)
        )

    async def info(self, section: str) -> dict[str, Any]:
        """What a server says of itself; in a Cluster, what each master says, by address. Raises
        StoreUnavailable."""
        client: Any = self._single or self._many
        answer: dict[str, Any] = await self.bounded(
            lambda: client.info(section, target_nodes="primaries") if self.cluster else client.info(section)
        )
        return answer

    async def run(self, calls: Sequence[ScriptCall]) -> list[Any]:
        """All of them, in one round trip to each server; their answers in order.

        Raises StoreUnavailable: some may have run.
        """
        return await self.bounded(lambda: self._run(calls))

    async def send(self, commands: Sequence[Command]) -> list[Any]:
        """All of them, in one round trip to each server; their answers in order, None for a write that a
        server has no memory left for. Raises StoreUnavailable: some may have run."""
        return await self.bounded(lambda: self._where_there_is_room(commands))

    async def bounded(self, work: Callable[[], Awaitable[Result]]) -> Result:
        """What `work` returns. Raises StoreUnavailable for whatever keeps it from returning in time."""
        if self._closed:
            raise StoreUnavailable("Redis is closed", retry_after_s=RETRY_AFTER_S)
        clock = asyncio.get_running_loop().time
        begun = clock()
        self.health.calls += 1
        cancellations = _cancellations()
        try:
            async with asyncio.timeout(self._bound_s):
                result = await work()
        except _failures() as error:  # of which a TimeoutError is one, too
            self._failed(error, clock() - begun)
            if _cancellations() > cancellations:
                raise asyncio.CancelledError from error
            if _says_full(error):
                raise StoreUnavailable("Redis has no memory left", retry_after_s=RETRY_AFTER_S) from error
            raise StoreUnavailable(
                f"Redis does not answer: {self.health.last_error}", retry_after_s=RETRY_AFTER_S
            ) from error
        if not self.health.up and self.health.failures:
            log.warning("Redis answers again")
        self.health.up = True
        self.health.latency_s = clock() - begun
        self._observer(self.health.latency_s, True)
        if _cancellations() > cancellations:
            raise asyncio.CancelledError
        return result

    def _failed(self, error: BaseException, took_s: float) -> None:
        news = self.health.up or not self.health.failures
        self.health.last_error = f"{type(error).__name__}: {error}"[:_ERROR_LENGTH]
        self.health.failures += 1
        self._observer(took_s, False)
        if _says_full(error):
            return  # it answers, so it is not down: whoever reads goes on reading
        if news:
            log.warning("Redis does not answer: %s", self.health.last_error)
        self.health.up = False

    async def _run(self, calls: Sequence[ScriptCall]) -> list[Any]:
        answers = await self._send([_by_hash(call) for call in calls])
        unknown = [place for place, answer in enumerate(answers) if _is_unknown_script(answer)]
        if unknown:
            # A script that is not known has not run. Sent in full, it is known from then on.
            repeated = await self._send([_in_full(calls[place]) for place in unknown])
            for place, answer in zip(unknown, repeated, strict=True):
                answers[place] = answer
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
        return answers

    async def _where_there_is_room(self, commands: Sequence[Command]) -> list[Any]:
        answers = await self._send(commands)
        for place, answer in enumerate(answers):
            if isinstance(answer, BaseException):
                if not _is_out_of_memory(answer):
                    raise answer
                answers[place] = None
        return answers

    async def _send(self, commands: Sequence[Command]) -> list[Any]:
        single: Any = self._single
        if single is not None:
            if len(commands) == 1:
                return [await _settled(partial(single.execute_command, *commands[0]))]
            pipeline = single.pipeline(transaction=False)
            for command in commands:
                pipeline.execute_command(*command)
            answered: list[Any] = await pipeline.execute(raise_on_error=False)
            return answered
        answers: list[Any] = []
        for start in range(0, len(commands), CLUSTER_AT_ONCE):
            some = commands[start : start + CLUSTER_AT_ONCE]
            # One by one and side by side, so that each follows its own redirection in a failover.
            answers += await asyncio.gather(*(_settled(partial(self._in_turn, command)) for command in some))
        return answers

    async def _in_turn(self, command: Command) -> Any:
        many: Any = self._many
        # A Cluster's client waits for no connection of its own accord: it refuses what is one too many.
        async with self._turns:
            # Left to itself, it sends what comes before its first look at the Cluster to any node, and a few
            # redirections make it close every connection, also under calls that have run already.
            await many.initialize()
            return await many.execute_command(*command)

    async def aclose(self) -> None:
        """Closes every connection. Idempotent."""
        if self._closed:
            return
        self._closed = True
        from adapters.redis.driver import RedisError

        client: Any = self._single or self._many
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await client.aclose()
                if self._single is not None:
                    await self._single.connection_pool.disconnect()
        except (RedisError, OSError, TimeoutError) as error:
            self._failed(error, 0.0)  # a server that stands still; the sockets end with the process


async def _settled(call: Callable[[], Awaitable[Any]]) -> Any:
    try:
        return await call()
    except _failures() as error:
        return error


def _cancellations() -> int:
    """How often the task that asks was told to end.

    The driver sends inside `asyncio.wait_for`, which before Python 3.12 forgets a cancellation that comes as
    what it waits for is done: its caller, if it calls in a loop, would then never end.
    """
    task = asyncio.current_task()
    return task.cancelling() if task else 0


def _failures() -> tuple[type[Exception], ...]:
    from adapters.redis.driver import FAILURES

    return FAILURES


def _is_unknown_script(answer: object) -> bool:
    if not isinstance(answer, Exception):
        return False
    from adapters.redis.driver import NoScriptError

    return isinstance(answer, NoScriptError)


def _is_out_of_memory(error: BaseException) -> bool:
    from adapters.redis.driver import OutOfMemoryError

    return isinstance(error, OutOfMemoryError)


def _says_full(error: BaseException) -> bool:
    """Whether a server has no memory left for a write; old ones wrap that in the error of a script."""
    return _is_out_of_memory(error) or "-OOM command not allowed" in str(error)


def _by_hash(call: ScriptCall) -> Command:
    return ("EVALSHA", call.script.sha, *_keys(call), *call.arguments)


def _in_full(call: ScriptCall) -> Command:
    return ("EVAL", call.script.text, *_keys(call), *call.arguments)


def _keys(call: ScriptCall) -> Command:
    return (1 + len(call.more_keys), call.key, *call.more_keys)

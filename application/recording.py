"""Recording prompts and answers where a route or a key asks for it, behind the requests.

What is recorded is what privacy policies made of it. A request never waits for a recording and never fails
because of one: what the queue has no room for is given up and counted.
"""

import asyncio
import logging
import random
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from application.answer_stream import AnswerStream
from application.inspection import Inspector
from application.job import Job
from application.ports.llm import Block, UpstreamAnswer
from application.ports.recordings import ANSWER, PROMPT, Recording, Recordings
from application.ports.system import Clock
from application.protection import Protection
from application.reach import EVERY_TENANT, reaching
from domain.errors import CredentialDamaged, StoreUnavailable, VaultLocked
from domain.recording.policy import (
    NOTHING_RECORDED,
    RecordingPolicy,
    drawn,
    expires_at_us,
    together,
)
from domain.routing.target import Route

log = logging.getLogger("interchange")

QUEUE_PARTS_MAX: Final = 2_000
QUEUE_BYTES_MAX: Final = 64 * 1024 * 1024
GROUP_PARTS_MAX: Final = 50
GROUP_EVERY_S: Final = 0.05
RETRY_AFTER_S: Final = 1.0
EVENT_STREAM: Final = "text/event-stream"


class Recorder:
    """The queue of recordings and whoever empties it. `run` is for the lifespan, which ends with `flush`.

    `unlock` makes the keys ready that the store seals with.
    """

    def __init__(
        self,
        store: Recordings,
        unlock: Callable[[], Awaitable[None]],
        clock: Clock,
        *,
        part_bytes_max: int,
        tenant_day_bytes_max: int,
    ) -> None:
        self._store = store
        self._unlock = unlock
        self._clock = clock
        self._tenant_day_bytes_max = tenant_day_bytes_max
        self._queue: deque[Recording] = deque()
        self._queued_bytes = 0
        self._writing = asyncio.Lock()
        self._something_waits = asyncio.Event()
        self.part_bytes_max = part_bytes_max
        self.written = 0
        self.dropped = 0
        """Recordings given up because the queue was full, in this process."""
        self.beyond_share = 0
        """Recordings given up because their tenant's share of the day was used up."""

    @property
    def waiting(self) -> int:
        """Recordings in memory that are not in the store yet; a killed process loses them."""
        return len(self._queue)

    def note(self, recording: Recording) -> None:
        """Takes it over, or gives it up. Never waits."""
        size_bytes = len(recording.content or b"")
        if len(self._queue) >= QUEUE_PARTS_MAX or self._queued_bytes + size_bytes > QUEUE_BYTES_MAX:
            self.dropped += 1
            return
        self._queue.append(recording)
        self._queued_bytes += size_bytes
        self._something_waits.set()

    async def flush(self) -> None:
        """Everything noted so far is in the store. Raises StoreUnavailable, VaultLocked, CredentialDamaged;
        the rest waits on then."""
        async with self._writing:
            while self._queue:
                group = [self._queue[index] for index in range(min(GROUP_PARTS_MAX, len(self._queue)))]
                await self._unlock()
                with reaching(EVERY_TENANT):  # they are written for everybody, whoever asks for it
                    refused = await self._store.put(group, tenant_day_bytes_max=self._tenant_day_bytes_max)
                for each in group:
                    self._queue.popleft()
                    self._queued_bytes -= len(each.content or b"")
                self.beyond_share += refused
                self.written += len(group) - refused

    async def run(self) -> None:
        """Writes what waits, until cancelled."""
        while True:
            await self._something_waits.wait()
            await asyncio.sleep(GROUP_EVERY_S)
            self._something_waits.clear()
            try:
                await self.flush()
            except (StoreUnavailable, VaultLocked, CredentialDamaged) as error:
                log.warning("recordings wait: %s", error.message)
                await asyncio.sleep(RETRY_AFTER_S)
                self._something_waits.set()

    async def end(self) -> None:
        """Writes what can be written before the process ends; tells what could not."""
        try:
            await self.flush()
        except (StoreUnavailable, VaultLocked, CredentialDamaged) as error:
            log.error("%d recordings are lost: %s", self.waiting, error.message)

    async def purge(self) -> None:
        """Removes what has expired. Raises StoreUnavailable."""
        await self._store.purge(self._clock.utc_now())


class RecordingInspector(Inspector):
    """The last one to look at a request: what comes after it goes to the caller only."""

    def __init__(self, recorder: Recorder, clock: Clock, chance: random.Random) -> None:
        self.recorder = recorder
        self.keys: Mapping[str, RecordingPolicy] = {}
        """What is recorded of single keys, by their ids, whatever their route says."""
        self._clock = clock
        self._chance = chance

    def request(self, job: Job, route: Route) -> None:
        if job.shadow is not None:
            return  # nothing but figures is kept of a copy
        policy = route.recording
        if self.keys:
            policy = together(policy, self.keys.get(job.principal.key_id, NOTHING_RECORDED))
        if not policy.records or not job.may_store or not drawn(policy, self._chance.random()):
            return
        job.recording = True
        request = job.request
        if policy.prompts:
            self.recorder.note(
                self._recording(job, policy, PROMPT, request.content_type, bytes(request.body), False)
            )
        if policy.answers:
            job.protections.append(RecordedAnswer(self, job, policy))

    def note_answer(
        self, job: Job, policy: RecordingPolicy, content_type: str, content: bytes, truncated: bool
    ) -> None:
        """Takes an answer over as it came after everything that policies do about it."""
        self.recorder.note(self._recording(job, policy, ANSWER, content_type, content, truncated))

    def _recording(
        self,
        job: Job,
        policy: RecordingPolicy,
        part: str,
        content_type: str,
        content: bytes,
        truncated: bool,
    ) -> Recording:
        now_us = int(self._clock.utc_now().timestamp() * 1e6)
        bytes_max = self.recorder.part_bytes_max
        return Recording(
            job.principal.tenant_id,
            job.request_id,
            part,
            job.principal.key_id,
            job.attribution.user_id,
            job.request.dialect,
            content_type,
            now_us,
            expires_at_us(policy, now_us),
            truncated or len(content) > bytes_max,
            content[:bytes_max],
        )


class RecordedAnswer(Protection):
    """Copies the answer on its way to the caller, before the caller's own values are put back into it."""

    def __init__(self, inspector: RecordingInspector, job: Job, policy: RecordingPolicy) -> None:
        self._inspector = inspector
        self._job = job
        self._policy = policy

    async def answer(self, answer: UpstreamAnswer) -> UpstreamAnswer:
        return answer

    def stream(self, stream: AnswerStream) -> AnswerStream:
        return stream

    def deliver(self, answer: UpstreamAnswer) -> UpstreamAnswer:
        self._inspector.note_answer(
            self._job, self._policy, answer.content_type, bytes(answer.body), truncated=False
        )
        return answer

    def deliver_stream(self, stream: AnswerStream) -> AnswerStream:
        bytes_max = self._inspector.recorder.part_bytes_max

        def over(content: bytes, truncated: bool) -> None:
            self._inspector.note_answer(self._job, self._policy, EVENT_STREAM, content, truncated)

        return RecordedStream(stream, bytes_max, over)


class RecordedStream:
    """A stream whose beginning is kept; `over` gets it once, when the stream ends or is left."""

    def __init__(self, stream: AnswerStream, bytes_max: int, over: Callable[[bytes, bool], None]) -> None:
        self.headers = stream.headers
        self._stream = stream
        self._left_bytes = bytes_max
        self._over: Callable[[bytes, bool], None] | None = over
        self._kept: list[bytes] = []
        self._truncated = False

    async def next_block(self) -> Block | None:
        """Raises what the stream it is made from raises."""
        block = await self._stream.next_block()
        if block is None:
            self._tell(whole=True)
            return None
        raw = bytes(block.raw[: self._left_bytes])
        self._truncated = self._truncated or len(raw) < len(block.raw)
        if raw:
            self._left_bytes -= len(raw)
            self._kept.append(raw)
        return block

    def close(self) -> None:
        self._stream.close()
        self._tell(whole=False)

    def _tell(self, *, whole: bool) -> None:
        over, self._over = self._over, None
        if over is not None:
            over(b"".join(self._kept), self._truncated or not whole)
            self._kept.clear()

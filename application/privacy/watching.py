"""Looking for personal data beside requests, where it is only to be counted.

A thread of its own takes what it can: never more than a small share of the time, so that counting costs
requests next to nothing. What does not fit is counted as unseen.
"""

import logging
import threading
from collections import deque
from typing import Final, NamedTuple

from application.ports.pii_detector import PiiDetector
from application.ports.system import Clock
from application.ports.text_fields import TextFields
from application.privacy.counting import PrivacyCounts
from application.privacy.rewriting import PolicyWork
from domain.privacy.placeholders import Placeholders
from domain.privacy.policy import EffectivePolicy

log = logging.getLogger("interchange")

BODIES_MAX: Final = 64
"""Waiting to be looked at; later ones are not."""
BODY_BYTES_MAX: Final = 64 * 1024
REST_PER_WORK: Final = 199.0
"""So many times as long as a look took, the thread rests after it: half a percent of a processor at most.

Each look takes the interpreter lock from the thread that serves requests: it costs more than its own time.
"""
REST_S_MAX: Final = 60.0


class Seen(NamedTuple):
    """A body as it passed by."""

    policy: EffectivePolicy
    dialect: str
    body: bytes
    content_type: str
    answer: bool


class DetectionWatch:
    """`note` is called for each request, `close` once."""

    def __init__(self, texts: TextFields, detector: PiiDetector, counts: PrivacyCounts, clock: Clock) -> None:
        self._clock = clock
        self._texts = texts
        self._detector = detector
        self._counts = counts
        self._waiting: deque[Seen] = deque()
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def has_room(self) -> bool:
        """Whether one more would be taken; if not, it is counted as unseen, and there is nothing to note."""
        if len(self._waiting) < BODIES_MAX:
            return True
        self._counts.unseen["pace"] += 1
        return False

    def note(self, seen: Seen) -> None:
        """Takes a body to look at, if there is room. Never waits."""
        if len(seen.body) > BODY_BYTES_MAX:
            self._counts.unseen["size"] += 1
            return
        if len(self._waiting) >= BODIES_MAX or self._closing.is_set():
            self._counts.unseen["pace"] += 1
            return
        self._waiting.append(seen)
        if not self._wake.is_set():
            self._wake.set()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="privacy watch", daemon=True)
                self._thread.start()

    def close(self, within_s: float = 2.0) -> None:
        """Ends the thread; what waits is not looked at any more. Idempotent."""
        self._closing.set()
        self._wake.set()
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join(within_s)

    def _run(self) -> None:
        while not self._closing.is_set():
            self._wake.wait()
            self._wake.clear()
            while self._waiting and not self._closing.is_set():
                started = self._clock.monotonic()
                self.look(self._waiting.popleft())
                rest_s = (self._clock.monotonic() - started) * REST_PER_WORK
                self._closing.wait(min(rest_s, REST_S_MAX))

    def look(self, seen: Seen) -> None:
        """Counts what is in one body."""
        work = PolicyWork(seen.policy, self._detector, _NOBODYS, answer=seen.answer, dry=True)
        read = self._texts.answer if seen.answer else self._texts.request
        try:
            read(seen.dialect, seen.body, seen.content_type, work)
        except Exception as error:  # noqa: BLE001 - counting ends for this body alone, whatever it is
            self._counts.unseen["failed"] += 1
            log.debug("a body could not be looked at: %s", type(error).__name__)
        self._counts.note(work.noted)


_NOBODYS: Final = Placeholders(b"nobody's")
"""Where only is counted, nothing is replaced: no act beyond DETECT."""

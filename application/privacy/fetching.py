"""Answers that a provider keeps and that are fetched by their ids: under the policy of the route that asked
for them, as it is when they are fetched.
"""

from typing import Final

from application.ports.llm import UpstreamAnswer
from application.ports.resources import ResourceAnswer
from application.ports.stored_answers import StoredAnswer
from application.ports.system import Clock
from application.ports.text_fields import FrameTexts
from application.ports.wire import OPENAI_RESPONSES
from application.privacy.inspecting import PrivacyInspector
from application.privacy.protecting import EnforcedAnswer
from application.privacy.recent import Caller
from application.runtime import Runtime
from domain.errors import PrivacyUnavailable
from domain.routing.target import Route

FRAME_BYTES_MAX: Final = 8 * 1024 * 1024
_JSON: Final = "application/json"
_ENDS: Final = (b"\n\n", b"\r\n\r\n", b"\r\r")


class FetchedAnswers:
    """Looks at each answer before its caller does."""

    def __init__(self, inspector: PrivacyInspector, runtime: Runtime, clock: Clock) -> None:
        self._inspector = inspector
        self._runtime = runtime
        self._clock = clock

    def reading(self, entry: StoredAnswer, caller: Caller) -> "FetchedReading | None":
        """What has to be done to this one; None: it may go on as it comes. Raises PrivacyUnavailable.

        A route that is no longer configured has the general policy, with the tenant's.
        """
        inspector = self._inspector
        route = self._runtime.snapshot[0].routes.get(entry.route) or Route(name=entry.route, targets=())
        policy = inspector.effective(entry.tenant_id, route)
        placeholders = inspector.placeholders(entry.tenant_id)
        inspector.recent.give_back(caller, placeholders, self._clock.monotonic())
        if not policy.enforces_answers and not placeholders.values:
            return None
        protection = inspector.answering(entry.tenant_id, OPENAI_RESPONSES, policy, placeholders)
        return FetchedReading(protection, enforces=policy.enforces_answers)


class FetchedReading:
    """Of one answer. `enforces`: something is done to what it says, so it has to be read from its start."""

    def __init__(self, protection: EnforcedAnswer, *, enforces: bool) -> None:
        self.enforces = enforces
        self._protection = protection
        self._frames: tuple[FrameTexts, ...] = ()
        self._held = b""

    async def whole(self, answer: ResourceAnswer) -> ResourceAnswer:
        """A whole one, or a page of what it was asked. Raises PiiBlocked, PrivacyUnavailable."""
        if answer.failure is not None or not answer.body:
            return answer
        said = UpstreamAnswer(answer.body, _JSON, None, None)
        made = self._protection.deliver(await self._protection.answer(said))
        return answer if made is said else answer._replace(body=made.body)

    def feed(self, data: bytes) -> bytes:
        """What may go on of a stream of events, cut anywhere. Raises as `whole`."""
        held = self._held + data
        cut = max(held.rfind(end) + len(end) if end in held else 0 for end in _ENDS)
        if len(held) - cut > FRAME_BYTES_MAX:
            raise PrivacyUnavailable("the answer cannot be read for personal data")
        self._held = held[cut:]
        return self._read(held[:cut]) if cut else b""

    def end(self) -> bytes:
        """The rest, once nothing comes any more."""
        held, self._held = self._held, b""
        said = self._read(held) if held else b""
        for place, frames in enumerate(self._steps()):
            rest = frames.end().raw
            for later in self._steps()[place + 1 :]:
                rest = later.feed(rest).raw if rest else rest
            said += rest
        return said

    def _read(self, raw: bytes) -> bytes:
        try:
            for frames in self._steps():
                raw = frames.feed(raw).raw if raw else raw
        except ValueError:
            raise PrivacyUnavailable("the answer cannot be read for personal data") from None
        return raw

    def _steps(self) -> tuple[FrameTexts, ...]:
        if not self._frames:
            self._frames = self._protection.frames()
        return self._frames

"""Predictions that the simulated Replicate makes and keeps: looked at, listened to, cancelled.

Names tell what happens: a model with `slow` in its name is still at it when its prediction is first looked
at, one with `fails` ends with an error, one with `mute` has no stream, one with `uncounted` tells no tokens.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple

from entrypoints.simulator.conversation import Answer, Ask, Frame, Rejected, Tokens
from entrypoints.simulator.faults import Fault
from entrypoints.simulator.replicate_shape import (
    CANCEL,
    CREATE,
    STREAM,
    Shown,
    failed_frames,
    parse_prediction,
    prediction_body,
    prediction_frames,
)
from entrypoints.simulator.routes import Route

_KEPT_MAX = 1024
_FAILED = "The model's container ended unexpectedly (E1001)"


class _Kept:
    """One prediction. `answer` is None for one that fails; `carried` is the fault of its stream."""

    __slots__ = ("answer", "ask", "carried", "error", "key", "looks_left", "shown", "status", "unbilled")

    def __init__(self, ask: Ask, shown: Shown, key: str, answer: Answer | None, error: str) -> None:
        self.ask = ask
        self.shown = shown
        self.key = key
        self.answer = answer
        self.error = error
        self.looks_left = 1 if "slow" in ask.model else 0
        self.status = "starting"
        self.carried: Fault | None = None
        self.unbilled = not ask.stream

    def look(self) -> None:
        """Time goes on by one look."""
        if self.status in ("starting", "processing"):
            self.status = "processing"
            if self.looks_left:
                self.looks_left -= 1
            else:
                self.status = "failed" if self.answer is None else "succeeded"

    def body(self) -> bytes:
        if self.status == "failed":
            return prediction_body(self.shown, self.status, error=self.error)
        if self.status != "succeeded" or self.answer is None:
            return prediction_body(self.shown, self.status)
        counted = None if "uncounted" in self.ask.model else self.answer.tokens
        return prediction_body(self.shown, self.status, answer=self.answer, tokens=counted)


class Told(NamedTuple):
    """What a request is answered with: a body, or frames of a stream. `tokens` are billed."""

    status: int
    model: str
    body: bytes = b""
    tokens: Tokens | None = None
    frames: tuple[Frame, ...] = ()
    fault: Fault | None = None


class Predictions:
    """The newest predictions; older ones are forgotten."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._number = 0

    def told(
        self,
        route: Route,
        key: str,
        host: str,
        body: dict[str, Any],
        fault: Fault | None,
        answered: Callable[[Ask], Answer],
    ) -> Told:
        """Answers one request. Raises Rejected for an unknown prediction and a body that is none."""
        if route.operation == CREATE:
            return self._created(route, key, host, body, fault, answered)
        own_id = route.path.removesuffix("/cancel").rpartition("/")[2]
        kept = self._kept.get(own_id)
        if kept is None or kept.key != key:
            raise Rejected(404, "The requested resource could not be found.")
        if route.operation == STREAM:
            frames = failed_frames(kept.error) if kept.answer is None else prediction_frames(kept.answer)
            # Once heard there is nothing more to wait for.
            kept.looks_left, tokens = 0, None if kept.answer is None else kept.answer.tokens
            return Told(200, kept.ask.model, tokens=tokens, frames=tuple(frames), fault=kept.carried)
        if route.operation == CANCEL:
            if kept.status in ("starting", "processing"):
                kept.status = "canceled"
        else:
            kept.look()
        return self._shown(kept, 200)

    def _created(
        self,
        route: Route,
        key: str,
        host: str,
        body: dict[str, Any],
        fault: Fault | None,
        answered: Callable[[Ask], Answer],
    ) -> Told:
        ask = parse_prediction(route.model, body)
        answer, error = None, _FAILED
        if "fails" not in ask.model:
            try:
                answer = answered(ask)
            except Rejected as rejected:
                error = rejected.message
        self._number += 1
        root = f"http://{host}/{route.provider}/v1".replace("//v1", "/v1")
        streams = ask.stream and "mute" not in ask.model
        shown = Shown(f"sim{self._number:022d}", root, ask.model, body["input"], streams)
        kept = self._kept[shown.id] = _Kept(ask, shown, key, answer, error)
        if len(self._kept) > _KEPT_MAX:
            self._kept.popitem(last=False)
        if ask.stream:
            kept.carried = fault
        else:
            kept.look()
        return self._shown(kept, 201)

    @staticmethod
    def _shown(kept: _Kept, status: int) -> Told:
        tokens = None
        if kept.status == "succeeded" and kept.unbilled and kept.answer is not None:
            kept.unbilled, tokens = False, kept.answer.tokens
        return Told(status, kept.ask.model, kept.body(), tokens)

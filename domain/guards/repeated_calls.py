"""The same tool call over and over: how an agent looks that goes round in circles.

Agents send their whole conversation with every request, so one body shows what was called before, whichever
instance answered. A conversation is judged by the calls of its last turn.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

from domain.guards.conversation_tail import ConversationTail, ToolCall
from domain.guards.forgiven import NOTHING_FORGIVEN, Forgiven

WINDOW_MAX: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class RepeatedCallRule:
    """`times` the same call within the last `window` calls is a loop.

    `same_result` counts only calls that gave the same answer too, so that polling for a change is none.
    `exempt` tools are never judged, and take no room in the window.
    """

    times: int
    window: int = 20
    same_result: bool = False
    exempt: frozenset[str] = frozenset()


class Repeated(NamedTuple):
    """A call that was made too often."""

    call: ToolCall
    times: int


def repeated_call(
    rule: RepeatedCallRule, tail: ConversationTail, forgiven: Forgiven = NOTHING_FORGIVEN
) -> Repeated | None:
    """The call of the last turn that was repeated most, if too often; None: there is none."""
    judged = [call for call in tail.calls if call.name not in rule.exempt][-rule.window :]
    if not judged:
        return None
    last_turn = judged[-1].turn
    worst: Repeated | None = None
    for last in judged:
        if last.turn != last_turn or (rule.same_result and last.result is None):
            continue
        since = forgiven.since(mark_of(last), tail.messages)
        times = sum(
            1
            for call in judged
            if call.place >= since
            and call.digest == last.digest
            and (not rule.same_result or call.result == last.result)
        )
        if times >= rule.times and (worst is None or times > worst.times):
            worst = Repeated(last, times)
    return worst


def mark_of(call: ToolCall) -> str:
    """What a stop remembers of the call it was made for."""
    return call.digest.hex()

"""Which requests are also sent to shadows, and when none is sent. Pure.

A shadow is asked beside a request, as its caller would have asked it; the caller is answered by control and
neither sees nor waits for it.
"""

from collections.abc import Collection
from typing import Final

from domain.experiments.assignment import POINT_BITS, point_of
from domain.experiments.experiment import Experiment, Shadow
from domain.llm.request import LlmRequest, Operation

BODY_BYTES_MAX: Final = 512 * 1024
"""Longer requests are not copied."""
BUSY_SHARE: Final = 0.5
"""Of the slots for requests: while more of them are taken, nothing is sent to shadows."""
BILL_UNKNOWN_NANO_USD: Final = 10_000_000
"""What a call whose bill nobody knows counts at least: a daily cap is kept also where prices are missing."""
_SPOKEN: Final = frozenset({Operation.CHAT, Operation.COMPLETION})
_KEPT_UNLESS_SAID: Final = "openai.responses"
"""A dialect whose providers keep answers unless they are told not to."""


def drawn(
    experiment: Experiment, tenant_id: str, value: str, stopped: Collection[str] = ()
) -> tuple[Shadow, ...]:
    """The shadows that get a copy of the requests of a unit: the same ones always and everywhere, each the
    share of units that it says, independent of arms and of other shadows."""
    return tuple(
        shadow
        for shadow in experiment.shadows
        if shadow.name not in stopped and _in_share(experiment, shadow, tenant_id, value)
    )


def unfit(request: LlmRequest) -> str:
    """Why a request is never copied, in a word or two; empty: it may be.

    Whatever would leave something behind at a provider, refers to what one keeps, or brings a credential that
    was meant for somebody else.
    """
    if request.operation not in _SPOKEN:
        return "operation"
    if request.own_credential is not None:
        return "own credential"
    if request.background or request.store or ("store" in request.fields and request.store is None):
        return "kept at the provider"
    if request.dialect == _KEPT_UNLESS_SAID and request.store is None:
        return "kept at the provider"
    if request.home is not None or request.previous_response_id or request.continues is not None:
        return "continues a kept answer"
    if request.native_only is not None or request.contents.run_by_provider:
        return "tools of the provider"
    if request.contents.outside:
        return "files or addresses"
    if request.size_bytes > BODY_BYTES_MAX:
        return "too long"
    return ""


def has_room(slots_max: int, in_flight: int) -> bool:
    """Whether an instance is idle enough to ask a shadow. `in_flight` counts all requests."""
    return in_flight < max(1, int(slots_max * BUSY_SHARE))


def counted_nano_usd(bill: int | None, dearest: int) -> int:
    """What a call counts for the daily cap. `dearest` is the highest bill of a call like it so far."""
    return max(dearest, BILL_UNKNOWN_NANO_USD) if bill is None else bill


def affords(cap_nano_usd: int, counted: int, running: int, expected: int) -> bool:
    """Whether one more call fits under a day's cap beside those that run, if none costs more than
    `expected`."""
    return counted + (running + 1) * expected <= cap_nano_usd and counted < cap_nano_usd


def _in_share(experiment: Experiment, shadow: Shadow, tenant_id: str, value: str) -> bool:
    salt = f"{experiment.salt}\0shadow\0{shadow.name}"
    return point_of(salt, tenant_id, value) < int(shadow.share * (1 << POINT_BITS))

"""What was seen of requests that shadows of experiments were asked too: figures of both sides, never words.

Failure policy: raises `StoreUnavailable`; whoever writes keeps what is not written for a while, whoever asks
what was spent goes on with what it knew.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from application.ports.experiments import FiguresWanted
from domain.experiments.judging import ArmFigures

PAIRS_MAX: Final = 300_000
"""Pairs of an experiment that count: the earliest."""


class ShadowPair(NamedTuple):
    """One request, as control answered it and as a shadow did. Costs are nano-dollars, times microseconds of
    waiting for providers; None: unknown, or there was no answer. `counted_nano_usd` is what it counts for the
    shadow's daily cap. The rest is as in `domain.experiments.likeness`."""

    tenant_id: str
    experiment_id: str
    arm: str
    request_id: str
    shadow_id: str
    """The copy's own id, under which it is in the usage."""
    at_us: int
    control_ok: bool
    shadow_ok: bool
    control_cost_nano_usd: int | None
    shadow_cost_nano_usd: int | None
    counted_nano_usd: int
    control_us: int | None = None
    shadow_us: int | None = None
    control_chars: int | None = None
    shadow_chars: int | None = None
    same_turn: bool | None = None
    same_words: bool | None = None
    words_in_common: float | None = None
    control_findings: str = ""
    shadow_findings: str = ""


class ShadowLog(Protocol):
    @abstractmethod
    async def note(self, pairs: Sequence[ShadowPair]) -> None:
        """Writes them; one that is there already stays as it is. Raises StoreUnavailable."""
        ...

    @abstractmethod
    async def figures(self, wanted: FiguresWanted) -> Mapping[str, ArmFigures]:
        """By arm, of the earliest `PAIRS_MAX` pairs whose request still has its usage row: of each unit the
        means over its pairs, and over units the sums, with those of pairs. Raises StoreUnavailable."""
        ...

    @abstractmethod
    async def counted(self, experiments: Sequence[str], from_us: int) -> Mapping[tuple[str, str], int]:
        """Nano-dollars by experiment and arm of what was seen since then, over all instances. Raises
        StoreUnavailable."""
        ...

    @abstractmethod
    async def purge(self, before_us: int) -> int:
        """Removes what is older; how many. Raises StoreUnavailable."""
        ...

"""Which guards watch over the requests of a route."""

from dataclasses import dataclass
from typing import Final

from domain.guards.repeated_calls import RepeatedCallRule
from domain.guards.spend_rate import SpendRateRule

STOP_FOR_S: Final = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardPolicy:
    """None: that guard is off. `stop_for_s` is how long a stop lasts that a guard makes.

    `steps_without_user` is how often an agent may ask in a row without a word of its user.
    """

    repeated_tool_call: RepeatedCallRule | None = None
    spend_rate: SpendRateRule | None = None
    steps_without_user: int | None = None
    stop_for_s: float = STOP_FOR_S

    @property
    def reads_bodies(self) -> bool:
        """Whether the conversation itself has to be looked at."""
        return self.repeated_tool_call is not None or self.steps_without_user is not None


NO_GUARDS: Final = GuardPolicy()

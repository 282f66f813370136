"""What becomes of a request that is also sent to shadows."""

from typing import NamedTuple, Protocol

from domain.analytics.event import RequestEvent


class Copies(Protocol):
    """Of one request whose answer is compared."""

    def ended(self, event: RequestEvent) -> None:
        """The request is over and recorded. Never waits, never raises."""
        ...

    def drop(self) -> None:
        """It takes no part after all."""
        ...


class ShadowOf(NamedTuple):
    """The arm of an experiment that a copy is asked of."""

    experiment_id: str
    arm: str
    route: str

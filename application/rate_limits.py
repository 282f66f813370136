"""What the way of requests asks of rate limits."""

from collections.abc import Awaitable
from typing import Protocol

from application.job import Job
from application.ports.system import Clock
from domain.analytics.event import RequestEvent
from domain.routing.target import Route


class RateLimits(Protocol):
    """Asked once per request, when its route is known; told once when it has ended."""

    def admit(self, job: Job, route: Route) -> Awaitable[None] | None:
        """Takes one request, and its tokens as estimated, from every limit it concerns, or from none.

        None: it was taken from what is at hand, or it is a copy for a shadow, which takes nothing. Raises, at
        once or when awaited, RateLimited or StoreUnavailable; nothing is taken then.
        """
        ...

    def ended(self, job: Job, event: RequestEvent) -> None:
        """Corrects the estimate. Comes for every recorded request, admitted or not; never raises for its
        contents."""
        ...

    def left(self, job: Job) -> None:
        """The request is over without a record of it."""
        ...


async def waited_for(job: Job, room: Awaitable[None], clock: Clock) -> None:
    """Waits for what `admit` gave, and notes for how long, whatever comes of it. Raises as `admit`."""
    since = clock.monotonic()
    try:
        await room
    finally:
        job.queue_s += clock.monotonic() - since

"""Who looks at a request before anything of it leaves: privacy policies, guardrails."""

from collections.abc import Awaitable
from typing import Protocol

from application.job import Job
from domain.routing.target import Route


class Inspector(Protocol):
    """Asked once per request, after its route is known and before the caches and providers are.

    Fails closed: an inspector that cannot do its work raises. Cancelling it is a normal path.
    """

    def request(self, job: Job, route: Route) -> Awaitable[None] | None:
        """Judges the request, and changes `job.request` where the policy says so. None: nothing to wait for.

        Whoever has to see the answer too adds a `Protection` to `job.protections`. Raises InterchangeError
        for what may not be sent.
        """
        ...

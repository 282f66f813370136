"""What running a tool needs of the way of model calls: its slots, its stops, its records."""

from typing import Protocol

from application.job import Job
from domain.routing.target import Route


class Pipeline(Protocol):
    """As `AnswerLlmRequest` offers it."""

    def take_slot(self, job: Job, permission: str) -> None: ...

    def stops(self, job: Job, route: Route) -> None: ...

    def end(self, job: Job, *, status: int, outcome: str, error_code: str = "") -> None: ...

"""Which way leads to a target: directly, or through the gateway."""

from application.job import Job
from application.ports.llm import LlmProvider
from domain.routing.target import Target, Via
from domain.routing.way import Way, choose_way


class Ways:
    """`gateway` None: there is only the direct way."""

    def __init__(self, direct: LlmProvider, gateway: LlmProvider | None) -> None:
        self._direct = direct
        self._gateway = gateway

    def provider(self, way: Way) -> LlmProvider:
        """Who carries a call that way."""
        return self._gateway if way is Way.GATEWAY and self._gateway is not None else self._direct

    def reachable(self, target: Target, dialect: str, job: Job | None = None, direct: bool = False) -> bool:
        """Whether any way it may take carries a request of this dialect to the target now; `direct`: whether
        the direct one does."""
        if job is not None:
            if job.callers_provider and target.provider == job.callers_provider:
                return self._direct_reaches(target, dialect)
            if job.callers_provider and job.own_only:
                return False
            direct = job.requirements.without_gateway
        if direct:
            return self._direct_reaches(target, dialect)
        return self._direct_reaches(target, dialect) or self._gateway_reaches(target, dialect)

    def _direct_reaches(self, target: Target, dialect: str) -> bool:
        if target.via is Via.PORTKEY:
            return False
        return self._direct.reaches(target) and self._direct.speaks(dialect, target)

    def _gateway_reaches(self, target: Target, dialect: str) -> bool:
        gateway = self._gateway
        if gateway is None or target.via is Via.DIRECT:
            return False
        return gateway.reaches(target) and gateway.speaks(dialect, target)

    def choose(self, job: Job, target: Target) -> Way | None:
        """The way an attempt takes now; None: none leads there."""
        dialect = job.request.dialect
        if job.callers_provider and job.callers_provider == target.provider:
            return Way.DIRECT if self._direct_reaches(target, dialect) else None
        if self._gateway is None or target.via is Via.DIRECT:
            return Way.DIRECT if self._direct_reaches(target, dialect) else None
        gateway_reaches = not job.requirements.without_gateway and self._gateway_reaches(target, dialect)
        drops: tuple[str, ...] = ()
        if gateway_reaches:
            drops = self._gateway.would_drop(job.request, target)
        return choose_way(
            target.via,
            gateway_reaches=gateway_reaches,
            direct_reaches=self._direct_reaches(target, dialect),
            gateway_drops=drops,
        )

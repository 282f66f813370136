"""What those who look at requests would make of one, for whoever asks what would become of it."""

from application.guardrails.inspecting import GuardrailInspector
from application.job import Job
from application.privacy.inspecting import PrivacyInspector
from domain.routing.target import Route


class Foresight:
    """Privacy policies first, then guardrails, as on the way of a request. Nobody outside is asked."""

    def __init__(self, privacy: PrivacyInspector, guardrails: GuardrailInspector) -> None:
        self._privacy = privacy
        self._guardrails = guardrails

    def version(self, tenant_id: str, route: Route) -> str:
        """Names the rules that hold for a tenant's requests to a route, so that answers made under others are
        told apart. Raises PrivacyUnavailable, GuardrailUnavailable."""
        guardrails = self._guardrails.version(tenant_id, route)
        privacy = self._privacy.version(tenant_id, route)
        return f"{privacy}+{guardrails}" if guardrails else privacy

    async def foresee(self, job: Job, route: Route) -> None:
        """Makes the request what a provider would see of it.

        Raises PiiBlocked, PrivacyUnavailable, GuardrailBlocked, GuardrailUnavailable.
        """
        await self._privacy.foresee(job, route)
        await self._guardrails.foresee(job, route)

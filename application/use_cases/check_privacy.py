"""What privacy policies there are, and what would become of a text or a body. Nothing is sent."""

from collections.abc import Mapping
from dataclasses import dataclass
from threading import Event
from typing import Final

from application.ports.wire import FAMILY
from application.privacy.inspecting import PrivacyInspector
from application.privacy.rewriting import Noted, PolicyWork
from application.runtime import Runtime
from domain.errors import InvalidRequest
from domain.privacy.policy import BUILT_IN, EffectivePolicy, PrivacyPolicy, Where
from domain.tenancy.principal import Principal

FINDINGS_SHOWN_MAX: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class PoliciesKnown:
    """`tenant` is the policy of the caller's tenant; empty: it has none."""

    default: str
    tenant: str
    policies: Mapping[str, PrivacyPolicy]


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedPrivacy:
    """One of `text` and `body`. `policy` and `route` say under which rules; neither: the general ones."""

    text: str | None = None
    where: Where = Where.PROMPTS
    body: bytes | None = None
    dialect: str = ""
    policy: str = ""
    route: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivacyVerdict:
    """`text` and `body` are what would go on; None where nothing would."""

    policy: str
    allowed: bool
    findings: tuple[Noted, ...]
    text: str | None = None
    body: bytes | None = None


class CheckPrivacy:
    """Under the rules of the caller's own tenant, which are always added."""

    def __init__(self, inspector: PrivacyInspector, runtime: Runtime) -> None:
        self._inspector = inspector
        self._runtime = runtime

    def policies(self, by: Principal) -> PoliciesKnown:
        """Of those a route or a tenant may name, what concerns this caller: who sees the configuration sees
        all of them, others the general one, their tenant's and the built-in ones."""
        book = self._inspector.policies
        tenant = self._inspector.tenants.of(by.tenant_id).privacy
        theirs = {book.default, tenant, *BUILT_IN}
        seen = {
            name: policy for name, policy in book.policies.items() if name in theirs or by.may("config.read")
        }
        return PoliciesKnown(default=book.default, tenant=tenant, policies=seen)

    async def check(self, by: Principal, asked: AskedPrivacy) -> PrivacyVerdict:
        """Raises InvalidRequest, UnknownModel for a route, PiiBlocked for what cannot be read,
        PrivacyUnavailable."""
        if (asked.text is None) == (asked.body is None):
            raise InvalidRequest("give either text or body", param="text")
        if asked.body is not None and asked.dialect not in FAMILY:
            raise InvalidRequest(f"dialect must be one of {', '.join(FAMILY)}", param="dialect")
        policy = self._policy(by, asked)
        work = self._inspector.dry_work(by.tenant_id, policy)
        read = (asked.text or "").encode("utf-8", "replace") if asked.body is None else asked.body
        text, body = await self._inspector.offloading(
            by.tenant_id, read, lambda nobody_waits: self._rewritten(asked, work, nobody_waits)
        )
        allowed = not work.blocked
        return PrivacyVerdict(
            policy=policy.name,
            allowed=allowed,
            findings=tuple(work.noted[:FINDINGS_SHOWN_MAX]),
            text=text if allowed else None,
            body=body if allowed else None,
        )

    def _policy(self, by: Principal, asked: AskedPrivacy) -> EffectivePolicy:
        if asked.policy and asked.route:
            raise InvalidRequest("give policy or route, not both", param="policy")
        if asked.policy and asked.policy not in self._inspector.policies.policies:
            known = ", ".join(self._inspector.policies.policies)
            raise InvalidRequest(f"no policy {asked.policy!r}; known: {known}", param="policy")
        if asked.route:
            route = self._runtime.snapshot[0].resolve(asked.route, by.tenant_id)
            return self._inspector.effective(by.tenant_id, route)
        tenant = self._inspector.tenants.of(by.tenant_id).privacy
        return self._inspector.policies.effective(asked.policy, tenant)

    def _rewritten(
        self, asked: AskedPrivacy, work: PolicyWork, nobody_waits: Event
    ) -> tuple[str | None, bytes | None]:
        work.nobody_waits = nobody_waits
        if asked.body is None:
            return work.whole(asked.text or "", asked.where, "text"), None
        return None, self._inspector.texts.request(asked.dialect, asked.body, "application/json", work)

"""Which policy holds for a request: that of its route, or the general one, and that of its tenant."""

from collections.abc import Mapping

from domain.errors import PrivacyUnavailable
from domain.privacy.policy import BUILT_IN, EffectivePolicy, PrivacyPolicy

DEFAULT_NAME = "detect"


class PolicyBook:
    """A snapshot swapped whole. What was put together once is kept until then."""

    def __init__(self) -> None:
        self.default = DEFAULT_NAME
        self.policies: Mapping[str, PrivacyPolicy] = BUILT_IN
        self._effective: dict[tuple[str, str], EffectivePolicy] = {}

    def use(self, default: str, policies: Mapping[str, PrivacyPolicy]) -> None:
        """Puts these, with the built-in ones, in the place of all that were known."""
        self.policies = {**policies, **BUILT_IN}
        self.default = default
        self._effective = {}

    def effective(self, route: str, tenant: str) -> EffectivePolicy:
        """What holds for a route's and a tenant's policies, by name; empty: they name none.

        Raises PrivacyUnavailable for a name that nobody defined: what it would demand is not known.
        """
        known = self._effective.get((route, tenant))
        if known is None:
            names = dict.fromkeys(filter(None, (route or self.default, tenant)))
            known = EffectivePolicy([self.named(name) for name in names])
            # Names come from the configuration and from tenants; unknown ones never get here.
            self._effective[route, tenant] = known
        return known

    def named(self, name: str) -> PrivacyPolicy:
        """One policy. Raises PrivacyUnavailable."""
        policy = self.policies.get(name)
        if policy is None:
            raise PrivacyUnavailable(
                f"the privacy policy {name!r} is demanded, but is not configured (privacy.policies)"
            )
        return policy

"""Where connections may lead: the rule that transports ask before each of them.

What is allowed is decided in `domain/egress`; here it is kept, swapped whole, and counted.
"""

import logging
from collections.abc import Callable, Iterable
from typing import Final, Protocol

from domain.egress.policy import (
    DriverEgress,
    EgressPolicy,
    OperatorEgress,
    TrustedEgress,
    Verdict,
    endpoint_key,
)

log = logging.getLogger("interchange")

EgressRule = Callable[[str, str, int], bool]
"""Asked `(host, ip, port)` for every address before it is connected to; False refuses it.

`host` is the name in the request, `ip` the address in canonical text without zone, and equal to `host` for
IP literals. Odd spellings such as `0x7f.1` arrive resolved. Behind an outbound proxy a name is resolved by
the proxy, so `ip` is empty then and the rule can only judge the name. Must be quick and must not raise.
"""

PROVIDERS: Final = "providers"
IDENTITIES: Final = "identities"
OUTSIDE: Final = "outside"
ISSUERS: Final = "issuers"
DRIVERS: Final = "drivers"
PURPOSES: Final = (PROVIDERS, IDENTITIES, OUTSIDE, ISSUERS, DRIVERS)


def allow_everything(host: str, ip: str, port: int) -> bool:
    """The rule of an installation that guards its egress elsewhere."""
    del host, ip, port
    return True


class _Judge(Protocol):
    def judge(self, host: str, ip: str, port: int) -> Verdict: ...


class EgressGate:
    """The rules of one process, by what connections are for.

    `providers` may reach what the operator configured wherever it is, and public addresses (an answer may
    point to another host of its provider). `identities` reaches what only the configuration can name, cloud
    metadata services included. `issuers` of tokens are reached wherever the operator named them, and public
    addresses that they name. `outside` is for everything a caller, a tenant or an answer can influence,
    `drivers` for the same where it is no HTTP.
    """

    def __init__(self, policy: EgressPolicy | None = None) -> None:
        self.policy = policy if policy is not None else EgressPolicy()
        self._endpoints: frozenset[tuple[str, int]] = frozenset()
        self._gateways: frozenset[tuple[str, int]] = frozenset()
        self._issuers: frozenset[tuple[str, int]] = frozenset()
        self._judges: dict[str, _Judge] = {}
        self._on_policy: list[Callable[[], None]] = []
        self.refusals = dict.fromkeys(PURPOSES, 0)
        self._compile()

    def on_policy(self, follower: Callable[[], None]) -> None:
        """Called after another policy is in place; must not raise."""
        self._on_policy.append(follower)

    def use_policy(self, policy: EgressPolicy) -> None:
        """From the next connection on; open ones are for the followers to close."""
        if policy == self.policy:
            return
        self.policy = policy
        self._compile()
        for follower in self._on_policy:
            follower()

    def use_endpoints(self, endpoints: Iterable[tuple[str, int]]) -> None:
        """What the configuration names for providers: hosts and ports."""
        self._endpoints = frozenset(endpoint_key(host, port) for host, port in endpoints)
        self._compile()

    def use_gateways(self, endpoints: Iterable[tuple[str, int]]) -> None:
        """Where the gateways are now."""
        self._gateways = frozenset(endpoint_key(host, port) for host, port in endpoints)
        self._compile()

    def use_issuers(self, endpoints: Iterable[tuple[str, int]]) -> None:
        """Whose tokens let in: what the configuration names of them."""
        self._issuers = frozenset(endpoint_key(host, port) for host, port in endpoints)
        self._compile()

    def rule(self, purpose: str) -> EgressRule:
        """The rule of one purpose; always judges by what is in place when it is asked."""
        judges, refusals = self._judges, self.refusals

        def allows(host: str, ip: str, port: int) -> bool:
            verdict = judges[purpose].judge(host, ip, port)
            if verdict.allowed:
                return True
            refusals[purpose] += 1
            log.warning(
                "no connection to %s:%d (%s) for %s: %s",
                host[:100],
                port,
                ip or "unresolved",
                purpose,
                verdict.reason,
            )
            return False

        return allows

    def _compile(self) -> None:
        self._judges[PROVIDERS] = OperatorEgress(
            policy=self.policy, endpoints=self._endpoints | self._gateways
        )
        self._judges[IDENTITIES] = TrustedEgress(policy=self.policy)
        self._judges[ISSUERS] = OperatorEgress(policy=self.policy, endpoints=self._issuers)
        self._judges[OUTSIDE] = self.policy
        self._judges[DRIVERS] = DriverEgress(policy=self.policy)

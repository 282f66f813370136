"""Which guardrails hold for a request: those for all, those of its route, and those of its tenant."""

from collections.abc import Iterable, Mapping
from functools import cached_property
from hashlib import blake2b

from domain.errors import GuardrailUnavailable
from domain.guardrails.terms import Guardrail


class GuardrailSet:
    """Some guardrails in the order of the configuration, each once. Immutable."""

    def __init__(self, guardrails: tuple[Guardrail, ...]) -> None:
        self.all = guardrails
        self.asked = tuple(each for each in guardrails if each.asked)
        self.answered = tuple(each for each in guardrails if each.answered)

    @cached_property
    def digest(self) -> str:
        """Changes with anything they do; empty where there are none."""
        if not self.all:
            return ""
        return blake2b(" ".join(each.digest for each in self.all).encode(), digest_size=12).hexdigest()


NONE = GuardrailSet(())


class GuardrailBook:
    """A snapshot swapped whole. What was put together once is kept until then."""

    def __init__(self) -> None:
        self.guardrails: Mapping[str, Guardrail] = {}
        self.everywhere = False
        """Whether one of them is for all requests."""
        self._sets: dict[tuple[tuple[str, ...], tuple[str, ...]], GuardrailSet] = {}

    def use(self, guardrails: Iterable[Guardrail]) -> None:
        """Puts these in the place of all that were known."""
        self.guardrails = {each.name: each for each in guardrails}
        self.everywhere = any(each.everywhere for each in self.guardrails.values())
        self._sets = {}

    def of(self, route: tuple[str, ...], tenant: tuple[str, ...]) -> GuardrailSet:
        """Those that a route and a tenant name, and those for all.

        Raises GuardrailUnavailable for a name that nobody defined: what it would refuse is not known.
        """
        if not (route or tenant or self.everywhere):
            return NONE
        known = self._sets.get((route, tenant))
        if known is None:
            for name in (*route, *tenant):
                self.named(name)
            named = {*route, *tenant}
            known = GuardrailSet(
                tuple(each for each in self.guardrails.values() if each.everywhere or each.name in named)
            )
            # Names come from the configuration and from tenants; unknown ones never get here.
            self._sets[route, tenant] = known
        return known

    def named(self, name: str) -> Guardrail:
        """One of them. Raises GuardrailUnavailable."""
        guardrail = self.guardrails.get(name)
        if guardrail is None:
            raise GuardrailUnavailable(
                f"the guardrail {name!r} is demanded, but is not configured (guardrails)"
            )
        return guardrail

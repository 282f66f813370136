"""Requests and cost by tenant, for as many tenants as get series of their own.

A tenant that has a series keeps it, and what was told of it before as a part of `other` stays there: so no
series ever becomes less, whoever joins the few.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from adapters.telemetry.series import Family, Labels, Value

OTHER: Final = "other"
TENANTS_COUNTED_MAX: Final = 10_000
"""Tenants beyond are `other` for good."""


class TenantCounts:
    """`always` have a series from the start, `places` more can get one."""

    def __init__(self, always: Iterable[str] = (), places: int = 20) -> None:
        self.places = places
        self._others = [0, 0]
        """Requests and nano-dollars."""
        self._told: dict[str, tuple[int, int]] = {}
        """What `other` told of tenants without a series."""
        self._shown: dict[str, list[int]] = {name: [0, 0] for name in always}
        self._always = frozenset(self._shown)
        self.counts: dict[str, list[int]] = dict(self._shown)
        """By tenant, requests and nano-dollars; look here first, then ask `begin`."""

    def begin(self, tenant_id: str) -> list[int]:
        """Where a tenant that was not met before is counted."""
        if len(self.counts) >= TENANTS_COUNTED_MAX:
            return self._others
        counts = self.counts[tenant_id] = [0, 0]
        return counts

    @property
    def full(self) -> bool:
        """Whether nobody else can get a series."""
        return len(self._shown) >= len(self._always) + self.places

    def candidates(self) -> Sequence[str]:
        """Who would be next, the busiest first."""
        waiting = [name for name in self.counts if name not in self._shown and name != OTHER]
        return sorted(waiting, key=lambda name: self.counts[name], reverse=True)[: self.places]

    def show(self, names: Iterable[str]) -> None:
        """Gives these a series, as far as there are places."""
        for name in names:
            if name in self._shown or name == OTHER:
                continue
            if self.full:
                return
            counts = self._shown[name] = self.counts.setdefault(name, [0, 0])
            for place, told in enumerate(self._told.pop(name, (0, 0))):
                self._others[place] += told
                counts[place] -= told

    def families(self) -> tuple[Family, Family]:
        """As it is now."""
        requests: dict[Labels, Value] = {(name,): counts[0] for name, counts in self._shown.items()}
        cost: dict[Labels, Value] = {(name,): counts[1] for name, counts in self._shown.items()}
        self._told = {
            name: (counts[0], counts[1]) for name, counts in self.counts.items() if name not in self._shown
        }
        rest = self._told.values()
        requests[(OTHER,)] = self._others[0] + sum(counts[0] for counts in rest)
        cost[(OTHER,)] = self._others[1] + sum(counts[1] for counts in rest)
        return (
            Family("interchange_tenant_requests_total", "counter", "", ("tenant",), requests),
            Family("interchange_tenant_cost_nano_usd_total", "counter", "", ("tenant",), cost),
        )

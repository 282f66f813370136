"""Where content may be: demands for regions, and what meets them.

A region is a name such as `eu-west`; a group such as `eu` is met by each of its regions. What is not known to
be inside is outside: a mistake in that direction is refused, never leaked.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

GLOBAL_REGION: Final = "global"
"""Whoever accepts anywhere in the world accepts every place, an unknown one too."""


@dataclass(frozen=True, slots=True)
class Residency:
    """All demands at once: where content may be. `regions` None: anywhere.

    `names` are the demands as they were made, for messages.
    """

    names: tuple[str, ...] = ()
    regions: frozenset[str] | None = None

    def allows(self, region: str | None) -> bool:
        """Whether content may be there; None is a place nobody knows."""
        return self.regions is None or (region is not None and region in self.regions)

    def __str__(self) -> str:
        return " and ".join(self.names) or "anywhere"


ANYWHERE: Final = Residency()


class Atlas:
    """Which regions and groups of regions this installation knows. Immutable."""

    __slots__ = ("_groups", "regions")

    def __init__(self, regions: Iterable[str], groups: Mapping[str, frozenset[str]] | None = None) -> None:
        self._groups = dict(groups or {})
        members = (member for group in self._groups.values() for member in sorted(group))
        self.regions = tuple(dict.fromkeys((*regions, *members, *self._groups)))
        """Every name a demand may use."""

    @property
    def groups(self) -> Mapping[str, frozenset[str]]:
        return self._groups

    def regions_of(self, demanded: str) -> frozenset[str] | None:
        """The regions that meet one demand; None: all do. An unknown demand is met by nothing but itself."""
        if demanded == GLOBAL_REGION:
            return None
        return self._groups.get(demanded, frozenset()) | {demanded}

    def residency(self, demanded: Iterable[str]) -> Residency:
        """What meets all of these demands."""
        names = tuple(dict.fromkeys(name for name in demanded if name))
        regions: frozenset[str] | None = None
        for name in names:
            met_by = self.regions_of(name)
            if met_by is not None:
                regions = met_by if regions is None else regions & met_by
        return Residency(names, regions) if names else ANYWHERE

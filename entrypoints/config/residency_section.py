"""`residency`: where this installation and its stores are, and what groups of regions are called."""

from typing import Self

from pydantic import Field, model_validator

from domain.residency.place import GLOBAL_REGION, Atlas
from domain.residency.sinks import Sinks, sinks_in
from domain.routing.requirements import REGIONS
from entrypoints.config.provider_sections import RegionName
from entrypoints.config.sections import Section

GROUPS_MAX = 64


class ResidencySettings(Section):
    """What is not declared here is nowhere known, and takes no content that must stay in a region.

    A store that is not named is where the installation is.
    """

    home: RegionName | None = Field(
        default=None, description="Where this installation runs: its memory and its data directory."
    )
    database: RegionName | None = Field(default=None, description="Where PostgreSQL is; unset: at home.")
    redis: RegionName | None = Field(default=None, description="Where Redis is; unset: at home.")
    gateways: RegionName | None = Field(
        default=None,
        description="Where the gateways of `portkey` are; unset: at home. The hosted one is known nowhere.",
    )
    groups: dict[RegionName, tuple[RegionName, ...]] = Field(
        default_factory=dict,
        max_length=GROUPS_MAX,
        description="Names for several regions, such as eu: [eu-west, eu-central]; a demand for the group is "
        "met by each of them.",
    )

    @model_validator(mode="after")
    def _groups_hold_regions(self) -> Self:
        for name, members in self.groups.items():
            if name in REGIONS:
                raise ValueError(f"{name} is a region, and cannot be a group")
            if not members:
                raise ValueError(f"group {name} needs at least one region")
            nested = sorted(set(members) & (self.groups.keys() | {GLOBAL_REGION}))
            if nested:
                raise ValueError(f"group {name} may hold regions only, not {', '.join(nested)}")
        return self

    def region_groups(self) -> dict[str, frozenset[str]]:
        """The groups in the domain's words."""
        return {name: frozenset(members) for name, members in self.groups.items()}

    def atlas(self) -> Atlas:
        """Every name a demand may use."""
        own = (self.home, self.database, self.redis, self.gateways)
        return Atlas((*REGIONS, *(name for name in own if name)), self.region_groups())

    def sinks(self, *, hosted_gateway: bool) -> Sinks:
        """Where everything that takes content is."""
        sinks = sinks_in(self.home, database=self.database, redis=self.redis, gateway=self.gateways)
        if hosted_gateway:
            sinks = sinks._replace(gateway=sinks.gateway._replace(region=None))
        return sinks

"""`tenants` and `roles`: tenants the file describes, and roles that every tenant has."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from domain.errors import Conflict, InvalidRequest
from domain.tenancy.custom_role import CustomRole, check_role
from domain.tenancy.tenant import Tenant, TenantState
from domain.tenancy.tenant_rules import check_description
from entrypoints.config.sections import Section, Word

TENANTS_IN_FILE_MAX = 10_000
ROLES_IN_FILE_MAX = 1_000

_Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,62}$")]
_Host = Annotated[str, Field(min_length=1, max_length=260)]
_Network = Annotated[str, Field(min_length=1, max_length=64)]
_Permission = Annotated[str, Field(min_length=1, max_length=64)]
TenantName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
OwnRoleName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]


class TenantSettings(Section):
    """What holds for everything of one tenant. What is left out demands nothing; docs/tenancy.md says more.

    A tenant that stands here can be changed only here.
    """

    name: str = Field(default="", max_length=100, description="For people.")
    organisation: str = Field(
        default="",
        pattern=r"^([a-z0-9][a-z0-9_-]{0,62})?$",
        description="Groups tenants for limits they share.",
    )
    state: Annotated[Literal["active", "suspended"], Word] = Field(
        default="active", description="Nobody of a suspended tenant is let in; what it has stays."
    )
    residency: str = Field(
        default="", description="The region or group of regions its content may be in; empty: anywhere."
    )
    compliance: tuple[_Name, ...] = Field(
        default=(), max_length=100, description="Attestations whoever answers it must have, such as hipaa."
    )
    privacy: str = Field(
        default="", description="The privacy policy that is the least its requests get; empty: none."
    )
    guardrails: tuple[_Name, ...] = Field(
        default=(), max_length=100, description="Guardrails every request of it passes."
    )
    networks: tuple[_Network, ...] = Field(
        default=(),
        max_length=256,
        description="CIDRs its callers may come from, such as 203.0.113.0/24; empty: anywhere.",
    )
    egress: tuple[_Host, ...] = Field(
        default=(), max_length=100, description="Hosts its own integrations may reach, besides public ones."
    )
    projects: Annotated[Literal["free", "enforced"], Word] = Field(
        default="free", description="`enforced`: each of its keys has to name one of its projects."
    )

    def tenant(self, tenant_id: str) -> Tenant:
        """As the domain wants it."""
        return Tenant(
            tenant_id=tenant_id,
            name=self.name,
            organisation=self.organisation,
            state=TenantState(self.state),
            residency=self.residency,
            compliance=frozenset(self.compliance),
            privacy=self.privacy,
            guardrails=self.guardrails,
            networks=self.networks,
            egress=self.egress,
            projects_enforced=self.projects == "enforced",
        )

    @model_validator(mode="after")
    def _could_be_a_tenant(self) -> Self:
        try:
            check_description(self.tenant("any"))
        except InvalidRequest as error:
            raise ValueError(error.message) from None
        return self


class OwnRoleSettings(Section):
    """A role every tenant has. Outside the operator's tenant it gives nothing that is the installation's."""

    description: str = Field(default="", max_length=500, description="For people.")
    permissions: tuple[_Permission, ...] = Field(
        min_length=1, max_length=1000, description="What it may do; docs/tenancy.md lists all permissions."
    )

    def role(self, name: str) -> CustomRole:
        """As the domain wants it."""
        return CustomRole(
            tenant_id="",
            name=name,
            permissions=frozenset(self.permissions),
            description=self.description,
        )

    @model_validator(mode="after")
    def _could_be_a_role(self) -> Self:
        try:
            check_role(self.role("any"))
        except (InvalidRequest, Conflict) as error:
            raise ValueError(error.message) from None
        return self

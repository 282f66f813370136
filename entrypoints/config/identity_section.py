"""`identity`: whose tokens let in, and where people log in."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from domain.egress.addresses import is_this_machine
from domain.tenancy.issuer import ACCESS_TOKEN, PLAIN, Issuer
from entrypoints.config.sections import Section, Url

ISSUERS_MAX = 100
CALLBACK = "/auth/callback"
Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
_Text = Annotated[str, Field(min_length=1, max_length=500)]
_Claim = Annotated[str, Field(max_length=200)]
_Role = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
_Tenant = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
_Scope = Annotated[str, Field(pattern=r"^[\x21\x23-\x5b\x5d-\x7e]{1,200}$")]


def _near_or_https(url: str) -> str:
    """Keys and logins travel there."""
    parts = urlsplit(url)
    if parts.scheme != "https" and not is_this_machine(parts.hostname or ""):
        raise ValueError("must be https (plain http only on loopback)")
    if parts.username is not None or parts.fragment or parts.query:
        raise ValueError("must be an address without credentials, query and fragment")
    return url


class IssuerSettings(Section):
    """One OpenID provider or token service: what its tokens have to be like, and whom they let in as.

    The tenant is `tenant`, or what `tenant_claim` says. The first of `roles` that a token has is its role.
    """

    issuer: Url = Field(description="As it stands in `iss`, letter by letter.")
    audiences: tuple[_Text, ...] = Field(
        min_length=1, max_length=100, description="One of these has to be in `aud`; never a client's id."
    )
    algorithms: tuple[Algorithm, ...] = Field(
        default=("RS256",), min_length=1, description="Signatures it uses. Whatever a token says, no others."
    )
    types: tuple[Literal["at+jwt", "jwt"], ...] = Field(
        default=(ACCESS_TOKEN, PLAIN),
        min_length=1,
        description="What `typ` may be. Leave only `at+jwt` where the issuer writes it (RFC 9068).",
    )
    clients: tuple[_Text, ...] = Field(
        default=(), max_length=1000, description="Clients its tokens may be made for; empty: any."
    )
    jwks_url: Url | None = Field(default=None, description="Its keys; unset: where its discovery says.")
    leeway_s: float = Field(default=30.0, ge=0, le=300, description="How wrong clocks may be.")
    max_age_s: float = Field(
        default=86_400.0, ge=60, le=30 * 86_400, description="Older tokens are refused, whatever `exp` says."
    )
    tenant: _Tenant | None = Field(default=None, description="The tenant of everybody it vouches for.")
    tenant_claim: _Claim = Field(default="", description="The claim that says the tenant.")
    tenants: dict[_Text, _Tenant] = Field(
        default_factory=dict, max_length=10_000, description="Tenants by what `tenant_claim` says."
    )
    tenant_pattern: str = Field(
        default="",
        max_length=500,
        description="A regular expression for the whole of `tenant_claim`; its first group is the tenant. "
        "Never gives the operator's.",
    )
    roles_claim: _Claim = Field(
        default="roles", description="Where roles stand; `realm_access.roles` looks inside an object."
    )
    roles: dict[_Text, _Role] = Field(
        default_factory=dict,
        max_length=1000,
        description="Roles by what `roles_claim` holds; of several the first in this order counts.",
    )
    default_role: _Role | None = Field(
        default=None, description="For whoever has none of these. Unset: they are not let in."
    )
    scopes_claim: _Claim = Field(
        default="",
        description="A claim such as `scope`; set: permissions are only those of the role that stand there.",
    )
    scope_prefix: str = Field(
        default="", max_length=200, description="What stands before permissions in that claim."
    )
    user_claim: _Claim = Field(default="sub", description="The user a token calls for, and may name.")
    agent_claim: _Claim = Field(default="", description="The agent it calls for, such as `client_id`.")
    name_claim: _Claim = Field(default="sub", description="For people who read reports.")
    team_claim: _Claim = Field(default="", description="Whom its cost is counted for.")
    project_claim: _Claim = Field(default="", description="Whom its cost is counted for.")
    cost_center_claim: _Claim = Field(default="", description="Whom its cost is counted for.")

    _is_safe = field_validator("issuer")(_near_or_https)

    @field_validator("jwks_url")
    @classmethod
    def _keys_are_safe(cls, url: str | None) -> str | None:
        return None if url is None else _near_or_https(url)

    @model_validator(mode="after")
    def _says_the_tenant_once(self) -> Self:
        if (self.tenant is None) == (not self.tenant_claim):
            raise ValueError("name either tenant or tenant_claim")
        if self.tenant_claim and not self.tenants and not self.tenant_pattern:
            raise ValueError("tenant_claim needs tenants or tenant_pattern: no claim is a tenant by itself")
        if self.tenant is not None and (self.tenants or self.tenant_pattern):
            raise ValueError("tenants and tenant_pattern have no effect without tenant_claim")
        if not self.roles and self.default_role is None:
            raise ValueError("roles or default_role is required: nobody could be let in")
        try:
            groups = re.compile(self.tenant_pattern).groups
        except re.error as error:
            raise ValueError(f"tenant_pattern is no regular expression: {error}") from None
        if self.tenant_pattern and groups < 1:
            raise ValueError("tenant_pattern needs a group that is the tenant")
        return self

    def made(self) -> Issuer:
        """As the domain wants it."""
        return Issuer(
            issuer=self.issuer,
            audiences=self.audiences,
            algorithms=self.algorithms,
            types=self.types,
            clients=self.clients,
            keys_url=self.jwks_url or "",
            leeway_s=self.leeway_s,
            age_s_max=self.max_age_s,
            tenant=self.tenant or "",
            tenant_claim=self.tenant_claim,
            tenants=tuple(self.tenants.items()),
            tenant_pattern=self.tenant_pattern,
            roles_claim=self.roles_claim,
            roles=tuple(self.roles.items()),
            default_role=self.default_role or "",
            scopes_claim=self.scopes_claim,
            scope_prefix=self.scope_prefix,
            user_claim=self.user_claim,
            agent_claim=self.agent_claim,
            name_claim=self.name_claim,
            team_claim=self.team_claim,
            project_claim=self.project_claim,
            cost_center_claim=self.cost_center_claim,
        )


class CommandLoginSettings(Section):
    """`interchange login`: a public client of the issuer, whose redirect is a port of the user's machine."""

    client_id: _Text
    scopes: tuple[_Scope, ...] = Field(default=("openid", "offline_access"), max_length=100)
    resource: str = Field(
        default="", max_length=500, description="Asked for with the token, so that it is for this server."
    )
    audience: str = Field(
        default="", max_length=500, description="The same, for issuers that call it `audience`."
    )


class LoginSettings(Section):
    """Logging in by a browser. Who is let in, and as whom, its issuer's section says."""

    issuer: Url = Field(description="One of `identity.issuers`.")
    client_id: _Text
    client_secret: SecretStr | None = Field(
        default=None, description="Of a confidential client; a public one has none."
    )
    scopes: tuple[_Scope, ...] = Field(default=("openid", "profile", "email"), max_length=100)
    session_hours: float = Field(default=8.0, gt=0, le=24 * 30, description="How long a login lasts at most.")
    idle_minutes: float = Field(default=60.0, gt=0, le=24 * 60, description="How long it lasts unused.")
    cli: CommandLoginSettings | None = Field(
        default=None, description="What `interchange login` uses; unset: it cannot be used."
    )

    @field_validator("scopes")
    @classmethod
    def _is_openid(cls, scopes: tuple[str, ...]) -> tuple[str, ...]:
        if "openid" not in scopes:
            raise ValueError("must hold openid: without it nobody is named")
        return scopes

    @property
    def lasts(self) -> timedelta:
        return timedelta(hours=self.session_hours)

    @property
    def idle(self) -> timedelta:
        return timedelta(minutes=self.idle_minutes)


class KeyLoginSettings(Section):
    """Logging in to `/ui` by showing a key once. The key is kept nowhere; what it may do counts as it is."""

    enabled: bool = Field(default=True, description="Whether people may log in with a key at all.")
    session_hours: float = Field(
        default=12.0, gt=0, le=24 * 30, description="How long a login lasts at most."
    )
    idle_minutes: float = Field(default=60.0, gt=0, le=24 * 60, description="How long it lasts unused.")

    @property
    def lasts(self) -> timedelta | None:
        return timedelta(hours=self.session_hours) if self.enabled else None

    @property
    def idle(self) -> timedelta:
        return timedelta(minutes=self.idle_minutes)


class IdentitySettings(Section):
    """Callers without a key: signed tokens of issuers that are named here, and people who log in."""

    issuers: tuple[IssuerSettings, ...] = Field(default=(), max_length=ISSUERS_MAX)
    token_cache_s: float = Field(
        default=60.0, ge=0, le=60, description="How long a checked token is not checked again."
    )
    login: LoginSettings | None = None
    key_login: KeyLoginSettings = Field(default_factory=KeyLoginSettings)

    @model_validator(mode="after")
    def _names_each_issuer_once(self) -> Self:
        names = [each.issuer for each in self.issuers]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"issuers: {twice[0]} stands there twice")
        if self.login is not None:
            if self.login.issuer not in names:
                raise ValueError("login.issuer must be one of identity.issuers")
            own = next(each for each in self.issuers if each.issuer == self.login.issuer)
            if self.login.client_id in own.audiences:
                raise ValueError(
                    "login.client_id is one of its issuer's audiences: ID tokens could then be called with"
                )
        return self

    def policies(self) -> Iterator[Issuer]:
        """As the domain wants them."""
        return (each.made() for each in self.issuers)

    def urls(self) -> Iterator[str]:
        """What the operator named."""
        for each in self.issuers:
            yield each.issuer
            if each.jwks_url:
                yield each.jwks_url

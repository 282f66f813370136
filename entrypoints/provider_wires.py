"""What each wire needs to be told before it can be called, and whom one is there."""

from collections.abc import Mapping
from typing import Final

from domain.catalog.offering import CatalogProvider
from domain.routing.target import Via
from entrypoints.config.auth_sections import AWS_POINTERS, AuthSettings
from entrypoints.provisioned import Identity
from entrypoints.settings import ProviderSettings

DIRECT_WIRES: Final = frozenset(
    {"openai", "anthropic", "gemini", "azure", "vertex", "cohere", "bedrock", "replicate"}
)
"""Wires with a direct adapter; the others are reached through the gateway."""
SELF_ADDRESSED_WIRES: Final = frozenset({"vertex", "bedrock"})
"""They make their address of options; a `base_url` is for proxies and sovereign clouds."""
CLOUD_WIRES: Final = frozenset({"azure", "vertex", "bedrock", "replicate"})
"""Reached directly unless the operator says otherwise: the gateway knows deployments and projects only from
headers of its own, and cannot renew tokens; it waits for no predictions."""

_DEFAULT_PROJECT: Final = "GOOGLE_CLOUD_PROJECT"
_DEFAULT_REGIONS: Final = ("AWS_REGION", "AWS_DEFAULT_REGION")
_DEFAULT_CREDENTIALS: Final = "GOOGLE_APPLICATION_CREDENTIALS"


def options_of(wire: str, section: ProviderSettings, environ: Mapping[str, str]) -> dict[str, str]:
    """The facts only this wire knows, completed from the environment."""
    options = section.options
    project = environ.get(_DEFAULT_PROJECT, "").strip()
    if wire == "vertex" and project and section.first_key is None:
        options.setdefault("project", project)
    if wire == "bedrock":
        regions = (section.region, *map(environ.get, _DEFAULT_REGIONS))
        if region := next(filter(None, regions), None):
            options["region"] = region
    return options


def identity_of(wire: str, section: ProviderSettings, environ: Mapping[str, str]) -> Identity | None:
    """Who to be, as the section says; for Vertex AI also whom the environment names."""
    if wire == "bedrock":
        return _aws_identity(section, environ)
    if section.auth is not None:
        return Identity(kind=section.auth.kind, values=section.auth.values(environ))
    credentials = environ.get(_DEFAULT_CREDENTIALS, "").strip()
    if wire == "vertex" and section.first_key is None and credentials:
        return Identity(kind="google_credentials", values={"credentials_file": credentials})
    return None


def _aws_identity(section: ProviderSettings, environ: Mapping[str, str]) -> Identity | None:
    """Signatures for the section's region; without `auth` only where the surroundings offer keys."""
    auth = section.auth
    if auth is None:
        if section.first_key is not None or not any(environ.get(name) for name in AWS_POINTERS):
            return None
        auth = AuthSettings(kind="aws")
    region = options_of("bedrock", section, environ).get("region", "")
    return Identity(kind=auth.kind, values={**auth.values(environ), **({"region": region} if region else {})})


def tags_of(known: CatalogProvider | None, section: ProviderSettings) -> frozenset[str]:
    """What the catalogue says of this provider's server.

    `openai` at another address means any server of that shape, of which OpenAI's own habits say nothing.
    """
    if known is None or (known.id == "openai" and section.base_url is not None):
        return frozenset()
    return known.tags


def gateway_slug(wire: str, section: ProviderSettings, slug: str | None) -> str | None:
    """The name at the gateway, where that is a way to this provider at all."""
    wanted = section.via is Via.PORTKEY
    return slug if section.auth is None and (wanted or wire not in CLOUD_WIRES) else None


def problems_of(
    name: str,
    wire: str,
    section: ProviderSettings,
    identity: Identity | None,
    options: Mapping[str, str],
) -> list[str]:
    """What is missing, each with the path of its field."""
    path = f"providers.{name}"
    found: list[str] = []
    if section.auth is not None and identity is not None:
        found += [f"{path}.auth.{problem}" for problem in section.auth.problems(identity.values)]
        if (section.auth.kind == "aws") != (wire == "bedrock"):
            found.append(f"{path}.auth.kind: Bedrock, and nothing else, takes kind aws")
        if section.via is Via.PORTKEY:
            found.append(f"{path}.via: the gateway cannot use `auth`; leave `via` out")
    if section.via is Via.PORTKEY:
        return found
    unproved = identity is None and section.first_key is None and not section.headers
    if wire == "azure":
        if section.base_url is None:
            found.append(
                f"{path}.base_url: required: the resource's address, such as https://NAME.openai.azure.com"
            )
        if unproved:
            found.append(f"{path}.api_key: required, or `auth` with one of Entra's kinds")
    if wire == "cohere" and unproved and section.base_url is None:
        found.append(f"{path}.api_key: required, such as ${{CO_API_KEY}}")
    if wire == "replicate" and unproved and section.base_url is None:
        found.append(f"{path}.api_key: required, such as ${{REPLICATE_API_TOKEN}}")
    if wire == "bedrock":
        found += _bedrock_problems(path, section, identity, options, unproved=unproved)
    if wire == "vertex":
        if unproved:
            found.append(
                f"{path}.auth: required: kind google_credentials or google_metadata_server; "
                f"{_DEFAULT_CREDENTIALS} in the environment or an api_key would do"
            )
        if "project" not in options and section.first_key is None:
            found.append(f"{path}.project: required; {_DEFAULT_PROJECT} in the environment would do")
    return found


def _bedrock_problems(
    path: str,
    section: ProviderSettings,
    identity: Identity | None,
    options: Mapping[str, str],
    *,
    unproved: bool,
) -> list[str]:
    found: list[str] = []
    if unproved:
        found.append(
            f"{path}.auth: required: kind aws; an api_key (a Bedrock API key) or AWS's own variables in the "
            f"environment would do"
        )
    if "region" not in options and (identity is not None or section.base_url is None):
        found.append(f"{path}.region: required, such as us-east-1; AWS_REGION in the environment would do")
    return found

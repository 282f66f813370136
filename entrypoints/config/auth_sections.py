"""`providers.*.auth`: proof of identity beyond a fixed key.

One flat section for all kinds: `KINDS` says which fields each takes and which environment variables stand in
for a field that is left out. A new kind is a row here and one in `adapters/providers/identities.py`.
"""

from collections.abc import Mapping
from typing import Annotated, Final, NamedTuple, Self

from pydantic import Field, SecretStr, WithJsonSchema, model_validator

from entrypoints.config.sections import Section, Url, Word


class AuthKind(NamedTuple):
    """One kind: field -> the environment variable that stands in for it, or an empty text.

    One field of each group in `wanted` must be there in the end.
    """

    fields: Mapping[str, str]
    wanted: tuple[tuple[str, ...], ...] = ()
    environment: tuple[str, ...] = ()
    """Variables that are taken along as they are, under their own names."""


AWS_POINTERS: Final = (
    "AWS_ACCESS_KEY_ID",
    "AWS_PROFILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_BEARER_TOKEN_BEDROCK",
)
"""Variables one of which says that the surroundings know who we are at AWS."""
AWS_VARIABLES: Final = (
    *AWS_POINTERS,
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_EC2_METADATA_DISABLED",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT",
    "HOME",
)
_ENTRA: Final = {
    "tenant_id": "AZURE_TENANT_ID",
    "client_id": "AZURE_CLIENT_ID",
    "authority_url": "AZURE_AUTHORITY_HOST",
    "scope": "",
}
KINDS: Final[dict[str, AuthKind]] = {
    "entra_client_secret": AuthKind(
        {**_ENTRA, "client_secret": "AZURE_CLIENT_SECRET"},
        (("tenant_id",), ("client_id",), ("client_secret",)),
    ),
    "entra_workload_identity": AuthKind(
        {**_ENTRA, "token_file": "AZURE_FEDERATED_TOKEN_FILE"},
        (("tenant_id",), ("client_id",), ("token_file",)),
    ),
    "entra_managed_identity": AuthKind(
        {
            "client_id": "AZURE_CLIENT_ID",
            "scope": "",
            "endpoint_url": "IDENTITY_ENDPOINT",
            "identity_header": "IDENTITY_HEADER",
        }
    ),
    "google_credentials": AuthKind(
        {
            "credentials_file": "GOOGLE_APPLICATION_CREDENTIALS",
            "credentials_json": "",
            "scope": "",
        },
        (("credentials_file", "credentials_json"),),
    ),
    "google_metadata_server": AuthKind({"endpoint_url": "", "scope": ""}),
    "aws": AuthKind(
        {
            **dict.fromkeys(("access_key_id", "secret_access_key", "session_token", "profile"), ""),
            **dict.fromkeys(("role_arn", "session_name", "external_id"), ""),
            "sts_url": "AWS_ENDPOINT_URL_STS",
        },
        environment=AWS_VARIABLES,
    ),
}

Text = Annotated[str, Field(min_length=1, max_length=4096)]


class AuthSettings(Section):
    """How one proves oneself where a fixed key is not enough. Each kind takes some of the fields.

    Entra ID: `entra_client_secret`, `entra_workload_identity` (a federated token file, as AKS mounts it),
    `entra_managed_identity`. Google Cloud: `google_credentials` (a service account's key, workload identity
    federation or a user's login; the document says which), `google_metadata_server`. AWS: `aws` signs with
    the keys given, those of `profile`, or those the surroundings lend, in the order of AWS's SDKs; `role_arn`
    is assumed on top. What is left out comes from the variables those clouds' own tools read. Addresses are
    https, or http on loopback.
    """

    kind: Annotated[str, Word, WithJsonSchema({"type": "string", "enum": list(KINDS)})]
    tenant_id: Text | None = None
    client_id: Text | None = None
    client_secret: SecretStr | None = None
    token_file: Text | None = None
    scope: Text | None = Field(
        default=None, description="Unset: Azure's Cognitive Services, or all of Google Cloud."
    )
    authority_url: Url | None = Field(
        default=None, description="Entra's authority; other than the public one in sovereign clouds."
    )
    endpoint_url: Url | None = Field(default=None, description="Where the machine's own identity is asked.")
    identity_header: SecretStr | None = None
    credentials_file: Text | None = None
    credentials_json: SecretStr | None = Field(
        default=None, description="The credentials document itself, for secrets that come as variables."
    )

    access_key_id: Text | None = None
    secret_access_key: SecretStr | None = None
    session_token: SecretStr | None = None
    profile: Text | None = Field(default=None, description="A profile of AWS's shared files.")
    role_arn: Text | None = Field(default=None, description="The AWS role to assume with what was found.")
    session_name: Text | None = None
    external_id: SecretStr | None = None
    sts_url: Url | None = Field(default=None, description="Unset: AWS STS of the provider's region.")

    @model_validator(mode="after")
    def _fields_fit_the_kind(self) -> Self:
        known = KINDS.get(self.kind)
        if known is None:
            raise ValueError(f"kind: must be one of {', '.join(KINDS)}, not {self.kind!r}")
        foreign = sorted(self.model_fields_set - known.fields.keys() - {"kind"})
        if foreign:
            takes = ", ".join(known.fields)
            raise ValueError(f"{', '.join(foreign)}: not for kind {self.kind!r}, which takes {takes}")
        return self

    def values(self, environ: Mapping[str, str]) -> dict[str, str]:
        """The fields of this kind that are known, from the file and then from the environment, revealed."""
        found: dict[str, str] = {}
        for name, variable in KINDS[self.kind].fields.items():
            given = getattr(self, name)
            if isinstance(given, SecretStr):
                given = given.get_secret_value()
            value = str(given) if given is not None else environ.get(variable, "").strip() if variable else ""
            if value:
                found[name] = value
        found |= {name: environ[name].strip() for name in KINDS[self.kind].environment if environ.get(name)}
        if self.endpoint_url is None and "identity_header" not in found:
            # Alone, the variable is another service's: only with its header is it App Service's endpoint.
            found.pop("endpoint_url", None)
        return found

    def problems(self, values: Mapping[str, str]) -> list[str]:
        """What is still missing, each beginning with the field it is about."""
        kind = KINDS[self.kind]
        missing = [group for group in kind.wanted if not any(name in values for name in group)]
        return [f"{group[0]}: required for kind {self.kind!r}{_hint(kind, group)}" for group in missing]


def _hint(kind: AuthKind, group: tuple[str, ...]) -> str:
    others = "".join(f" (or {name})" for name in group[1:])
    variables = [kind.fields[name] for name in group if kind.fields[name]]
    return others + (f"; {variables[0]} in the environment would do" if variables else "")

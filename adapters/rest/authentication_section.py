"""How `authentication` of a REST integration is written. Fields with a star in the docs are secret."""

import re
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from domain.connectors.rest.signing import check_signed_parts

_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,256}")
_VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_TRANSPORT_OWNED: Final = frozenset(
    ("host", "content-length", "transfer-encoding", "connection", "keep-alive", "upgrade", "expect", "te",
     "trailer", "proxy-connection", "proxy-authorization", "accept-encoding")
)  # fmt: skip


class Section(BaseModel):
    """Unknown keys are errors; values of wrong inputs are not repeated in messages."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, defer_build=True)


def header_name(name: str) -> str:
    """Raises ValueError for what is no name of a header, and for those that frame a request."""
    if not _TOKEN.fullmatch(name):
        raise ValueError("is no name of a header")
    if name.lower() in _TRANSPORT_OWNED:
        raise ValueError(f"{name.lower()} is set by the connection itself")
    return name.lower()


def header_value(value: str) -> str:
    """Raises ValueError for line breaks, control characters and what is not Latin-1."""
    if not _VALUE.fullmatch(value):
        raise ValueError("has line breaks, control characters or characters outside Latin-1")
    return value


class NoAuthentication(Section):
    type: Literal["none"] = "none"


class ApiKey(Section):
    """A key in a header or in the query."""

    type: Literal["api_key"]
    place: Literal["header", "query"] = Field("header", alias="in")
    name: str = Field("x-api-key", min_length=1, max_length=256)
    prefix: str = Field("", max_length=64, description="Before the key, such as `Token `.")
    key: SecretStr | None = None

    @field_validator("prefix")
    @classmethod
    def _one_line(cls, value: str) -> str:
        return header_value(value)

    @model_validator(mode="after")
    def _checked(self) -> Self:
        if self.place == "header":
            header_name(self.name)
        return self


class Basic(Section):
    """A name and a password; either may be empty where the other side wants that."""

    type: Literal["basic"]
    username: str = Field("", max_length=1024)
    password: SecretStr | None = None

    @field_validator("username")
    @classmethod
    def _splittable(cls, value: str) -> str:
        if ":" in value:
            raise ValueError("cannot hold a colon")
        return value


class Bearer(Section):
    """A token that does not end by itself."""

    type: Literal["bearer"]
    token: SecretStr | None = None


class ClientCredentials(Section):
    """OAuth 2.0 for machines (RFC 6749, 4.4), proven by a secret or a signed assertion (RFC 7523)."""

    type: Literal["oauth2_client_credentials"]
    token_url: str = Field(max_length=2048)
    client_id: str = Field(min_length=1, max_length=1024)
    client_secret: SecretStr | None = None
    scopes: list[str] = Field(default_factory=list, max_length=100)
    audience: str = Field("", max_length=2048)
    auth_style: Literal["basic", "body", "private_key_jwt"] = "basic"
    private_key: SecretStr | None = Field(None, description="PEM, for private_key_jwt.")
    key_id: str = Field("", max_length=256)
    algorithm: Literal["RS256", "ES256"] = "RS256"


class RefreshToken(Section):
    """OAuth 2.0 in the name of somebody who agreed elsewhere (RFC 6749, 6)."""

    type: Literal["oauth2_refresh"]
    token_url: str = Field(max_length=2048)
    client_id: str = Field(min_length=1, max_length=1024)
    client_secret: SecretStr | None = None
    refresh_token: SecretStr | None = None
    scopes: list[str] = Field(default_factory=list, max_length=100)
    auth_style: Literal["basic", "body"] = "body"


class Signed(Section):
    """Each request carries an HMAC over some of its parts."""

    type: Literal["hmac"]
    key: SecretStr | None = None
    key_encoding: Literal["text", "hex", "base64"] = "text"
    algorithm: Literal["sha256", "sha384", "sha512", "sha1"] = "sha256"
    header: str = "x-signature"
    value: str = Field("{signature}", max_length=1024, description="Of the header; `{signature}` in it.")
    encoding: Literal["hex", "base64"] = "hex"
    signed: str = Field("{timestamp}\n{method}\n{target}\n{body}", max_length=4096)
    timestamp_header: str = "x-timestamp"
    timestamp: Literal["seconds", "milliseconds", "iso8601"] = "seconds"

    @field_validator("header", "timestamp_header")
    @classmethod
    def _a_header(cls, value: str) -> str:
        return header_name(value) if value else value

    @field_validator("signed")
    @classmethod
    def _known_parts(cls, value: str) -> str:
        check_signed_parts(value)
        return value

    @field_validator("value")
    @classmethod
    def _holds_it(cls, value: str) -> str:
        if value.count("{signature}") != 1:
            raise ValueError("must hold {signature} once")
        return header_value(value)

    @model_validator(mode="after")
    def _timed(self) -> Self:
        if not self.header:
            raise ValueError("header must be named")
        if "{timestamp}" in self.signed and not self.timestamp_header:
            raise ValueError("signed holds {timestamp}, so timestamp_header must be named")
        return self


class ClientCertificate(Section):
    """TLS on both sides: PEM texts."""

    type: Literal["mtls"]
    certificate: SecretStr | None = None
    private_key: SecretStr | None = None


Authentication = Annotated[
    NoAuthentication
    | ApiKey
    | Basic
    | Bearer
    | ClientCredentials
    | RefreshToken
    | Signed
    | ClientCertificate,
    Field(discriminator="type"),
]

_SECRETS: Final[dict[str, frozenset[str]]] = {
    "none": frozenset(),
    "api_key": frozenset({"key"}),
    "basic": frozenset({"password"}),
    "bearer": frozenset({"token"}),
    "oauth2_client_credentials": frozenset({"client_secret", "private_key"}),
    "oauth2_refresh": frozenset({"client_secret", "refresh_token"}),
    "hmac": frozenset({"key"}),
    "mtls": frozenset({"certificate", "private_key"}),
}


def secret_fields_of(kind: Any) -> frozenset[str]:
    """Of one `authentication.type`; none of one that there is not."""
    return _SECRETS.get(kind, frozenset()) if isinstance(kind, str) else frozenset()

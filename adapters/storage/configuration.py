"""What an integration of storage may say, read strictly: an unknown key is an error."""

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Annotated, Any, Final, Literal, NamedTuple
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from adapters.wire.field_problems import invalid
from domain.connectors.storage_policy import (
    ALL,
    CONTENT_TYPES_MAX,
    PRESIGN_EXPIRES_S_DEFAULT,
    PRESIGN_EXPIRES_S_MAX,
    READING,
    SIZE_BYTES_DEFAULT,
    SIZE_BYTES_MAX,
    StorageOperation,
    StoragePolicy,
)
from domain.connectors.terms import own_configuration
from domain.errors import InvalidConfiguration

MEBIBYTE: Final = 1024 * 1024
READ_BYTES_MAX: Final = 8 * MEBIBYTE
"""Of an object that comes as JSON: base64 makes it a third longer."""
_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]")
GOOGLE_TOKENS: Final = "https://oauth2.googleapis.com/token"
_CONTAINER: Final = re.compile(r"\$root|[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")
_GCS_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")
_REGION: Final = re.compile(r"[a-z0-9-]{1,40}")
_TYPES: Final = frozenset({"access_key", "ambient", "account_key", "sas", "service_account", "none"})
"""Of authentication: where a field of one is wrong, its path names it too."""


class Section(BaseModel):
    """Values never stand in error messages: one of them may be a secret in the wrong place."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, hide_input_in_errors=True, defer_build=True
    )


class StorageConfiguration(Section):
    """What every store understands.

    `read_only` is short for `operations: [read, list]`. `read_bytes_max` is of one object that is given as
    JSON. An upload of unknown size holds about `parallel_parts` + 2 parts of `part_bytes` in memory.
    """

    endpoint: Annotated[str, Field(min_length=1, max_length=2000)]
    read_only: bool = False
    operations: Annotated[list[StorageOperation], Field(min_length=1, max_length=10)] | None = None
    content_types: Annotated[list[str], Field(max_length=CONTENT_TYPES_MAX)] = []
    size_bytes_max: Annotated[int, Field(ge=1, le=SIZE_BYTES_MAX)] = SIZE_BYTES_DEFAULT
    read_bytes_max: Annotated[int, Field(ge=1, le=READ_BYTES_MAX)] = MEBIBYTE
    presign_expires_s_max: Annotated[int, Field(ge=1, le=PRESIGN_EXPIRES_S_MAX)] = PRESIGN_EXPIRES_S_DEFAULT
    part_bytes: Annotated[int, Field(ge=5 * MEBIBYTE, le=64 * MEBIBYTE)] = 8 * MEBIBYTE
    parallel_parts: Annotated[int, Field(ge=1, le=16)] = 4

    @property
    def place(self) -> "StoragePlace":
        """Its endpoint taken apart."""
        return storage_place(self.endpoint)

    def policy(self) -> StoragePolicy:
        """Raises InvalidConfiguration."""
        if self.read_only and self.operations is not None:
            raise InvalidConfiguration("operations: say it or read_only, not both", param="operations")
        operations = READING if self.read_only else frozenset(self.operations or ALL)
        return StoragePolicy(
            prefix=self.place.prefix,
            operations=operations,
            content_types=tuple(each.lower() for each in self.content_types),
            size_bytes_max=self.size_bytes_max,
            presign_expires_s_max=self.presign_expires_s_max,
        )


class NoAuthentication(Section):
    type: Literal["none"] = "none"


class AccessKey(Section):
    """The secrets are kept in the vault and stand here only while they are on their way there."""

    type: Literal["access_key"]
    access_key_id: Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[\w.-]+$")]
    secret_access_key: SecretStr | None = None
    session_token: SecretStr | None = None


class Ambient(Section):
    """What the process finds around itself: environment, instance role, web identity."""

    type: Literal["ambient"]


class S3Configuration(StorageConfiguration):
    """`s3://bucket/prefix`. `service_url`: of a server that is not AWS. `checksums` false: for one that does
    not know `x-amz-checksum-sha256`; parts are checked by MD5 then all the same."""

    authentication: Annotated[AccessKey | Ambient, Field(discriminator="type")]
    aws_region: str = "us-east-1"
    service_url: Annotated[str, Field(max_length=500)] | None = None
    addressing: Literal["auto", "path", "virtual"] = "auto"
    checksums: bool = True

    def checked(self) -> "S3Configuration":
        """Raises InvalidConfiguration."""
        bucket = self.place.name
        if not _BUCKET.fullmatch(bucket) or bucket.endswith(("--x-s3", "-s3alias")):
            raise InvalidConfiguration("endpoint must be like s3://bucket/prefix", param="endpoint")
        if not _REGION.fullmatch(self.aws_region):
            raise InvalidConfiguration("aws_region must be like eu-central-1", param="aws_region")
        if self.service_url is not None:
            _checked_url(self.service_url, "service_url")
        return self


class AccountKey(Section):
    """Signs everything the account allows; the only one that makes presigned addresses."""

    type: Literal["account_key"]
    account_key: SecretStr | None = None


class SharedAccessSignature(Section):
    """What a SAS allows, until it expires."""

    type: Literal["sas"]
    sas_token: SecretStr | None = None


class AzureConfiguration(StorageConfiguration):
    """`azure://container/prefix`. `service_url`: of a server that is not Azure, or in another cloud of it.
    `versions`: whether the account keeps them. `presigned_writing`: addresses for writing may be made,
    although a SAS holds neither the type nor the size of what comes."""

    authentication: Annotated[AccountKey | SharedAccessSignature, Field(discriminator="type")]
    account: Annotated[str, Field(pattern=r"^[a-z0-9]{3,24}$")]
    service_url: Annotated[str, Field(max_length=500)] | None = None
    versions: bool = False
    presigned_writing: bool = False

    def checked(self) -> "AzureConfiguration":
        """Raises InvalidConfiguration."""
        if not _CONTAINER.fullmatch(self.place.name) or "--" in self.place.name:
            raise InvalidConfiguration("endpoint must be like azure://container/prefix", param="endpoint")
        if self.service_url is not None:
            # Where the account is no part of the host, it is the path.
            _checked_url(self.service_url.removesuffix("/").removesuffix(f"/{self.account}"), "service_url")
        return self


class ServiceAccount(Section):
    """`key` is the key file of a service account, as Google made it."""

    type: Literal["service_account"]
    key: SecretStr | None = None


class GcsConfiguration(StorageConfiguration):
    """`gs://bucket/prefix`. `service_url` and `token_url`: of a server that is not Google."""

    authentication: Annotated[ServiceAccount | NoAuthentication, Field(discriminator="type")]
    service_url: Annotated[str, Field(max_length=500)] = "https://storage.googleapis.com"
    token_url: Annotated[str, Field(max_length=500)] = GOOGLE_TOKENS

    def checked(self) -> "GcsConfiguration":
        """Raises InvalidConfiguration."""
        if not _GCS_BUCKET.fullmatch(self.place.name):
            raise InvalidConfiguration("endpoint must be like gs://bucket/prefix", param="endpoint")
        _checked_url(self.service_url, "service_url")
        parts = urlsplit(self.token_url)
        _checked_url(f"{parts.scheme}://{parts.netloc}", "token_url")
        if parts.query or parts.fragment:
            raise InvalidConfiguration("token_url must have no query", param="token_url")
        return self


class LocalConfiguration(StorageConfiguration):
    """`file:///folder`, below one of the operator's `connectors.folders`."""

    authentication: NoAuthentication = NoAuthentication()

    def checked(self) -> "LocalConfiguration":
        """Raises InvalidConfiguration."""
        parts = urlsplit(self.endpoint)
        path = PurePosixPath(unquote(parts.path))
        if parts.netloc or not path.is_absolute() or ".." in path.parts or "\0" in str(path):
            raise InvalidConfiguration("endpoint must be like file:///srv/agents", param="endpoint")
        return self

    @property
    def folder(self) -> str:
        return unquote(urlsplit(self.endpoint).path)

    def policy(self) -> StoragePolicy:
        """The folder itself is the prefix."""
        plain = self.model_copy(update={"endpoint": "file://folder"})
        return super(LocalConfiguration, plain).policy()


class StoragePlace(NamedTuple):
    """`prefix` is "" or ends with `/`."""

    scheme: str
    name: str
    prefix: str


def storage_place(endpoint: str) -> StoragePlace:
    """`scheme://name[/prefix]`; nothing of it is secret. Raises InvalidConfiguration."""
    wrong = InvalidConfiguration("endpoint must be like s3://bucket/prefix", param="endpoint")
    try:
        parts = urlsplit(endpoint)
        named = parts.hostname or ""
    except ValueError:
        raise wrong from None
    if named != parts.netloc.lower() or parts.query or parts.fragment:
        raise wrong
    prefix = unquote(parts.path).strip("/")
    return StoragePlace(parts.scheme.lower(), parts.netloc, f"{prefix}/" if prefix else "")


def read_as(model: type[StorageConfiguration], configuration: Mapping[str, Any]) -> StorageConfiguration:
    """Raises InvalidConfiguration with the dotted path of the first field that is wrong."""
    try:
        return model.model_validate(own_configuration(configuration))
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False)
        raise invalid(found, model.model_fields, lambda loc: [s for s in loc if s not in _TYPES]) from None


def _checked_url(text: str, param: str) -> None:
    try:
        parts = urlsplit(text)
        wrong = (
            parts.scheme not in ("http", "https")
            or not parts.hostname
            or bool(parts.username or parts.password or parts.query or parts.fragment)
            or parts.path not in ("", "/")
            or (parts.port is not None and not 1 <= parts.port <= 65_535)
        )
    except ValueError:
        wrong = True
    if wrong:
        raise InvalidConfiguration(f"{param} must be like https://storage.example.com", param=param)

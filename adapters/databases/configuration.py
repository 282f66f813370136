"""What an integration of a database may say, read strictly: an unknown key is an error."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, NamedTuple
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from adapters.wire.field_problems import invalid
from domain.connectors.tool import RESULT_BYTES_MAX, TIMEOUT_S_MAX
from domain.errors import InvalidConfiguration

QUERIES_MAX: Final = 400
PEM_CHARS_MAX: Final = 64 * 1024
_SQL_CHARS_MAX: Final = 65_536

Name = Annotated[str, Field(min_length=1, max_length=200)]
Seconds = Annotated[float, Field(gt=0, le=TIMEOUT_S_MAX)]


class Section(BaseModel):
    """Values never stand in error messages: one of them may be a password in the wrong place."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        hide_input_in_errors=True,
        populate_by_name=True,
        defer_build=True,  # few of them are configured
    )


class NoAuthentication(Section):
    """For a database that asks for no password, such as a file; some want a name all the same."""

    type: Literal["none"] = "none"
    username: Annotated[str, Field(max_length=128)] = ""


class PasswordAuthentication(Section):
    """`password` is kept in the vault and stands here only while it is on its way there."""

    type: Literal["password"]
    username: Annotated[str, Field(min_length=1, max_length=128)]
    password: SecretStr | None = None


Authentication = Annotated[NoAuthentication | PasswordAuthentication, Field(discriminator="type")]


class TlsSection(Section):
    """`mode` None: `verify-full`, but `disable` for this machine itself. `require` encrypts without looking
    whom it speaks to. `ca_pem` is trusted instead of the machine's own store; `ca_file` is the same as a
    file of the server, for integrations of its configuration file only."""

    mode: Literal["disable", "require", "verify-full"] | None = None
    ca_pem: Annotated[str, Field(max_length=PEM_CHARS_MAX)] | None = None
    ca_file: str | None = None


class PoolSection(Section):
    """`min` connections are kept however idle they are; the others are closed after `idle_s`."""

    min: Annotated[int, Field(ge=0, le=100)] = 0
    max: Annotated[int, Field(ge=1, le=100)] = 10
    idle_s: Annotated[float, Field(gt=0, le=86_400)] = 300.0
    waiting_max: Annotated[int, Field(ge=0, le=10_000)] = 256


class LimitsSection(Section):
    """Of one result. `stream_rows` and `stream_bytes` are for results that are streamed."""

    rows: Annotated[int, Field(ge=1, le=100_000)] = 1000
    bytes: Annotated[int, Field(ge=1024, le=RESULT_BYTES_MAX)] = 4 * 1024 * 1024
    timeout_s: Seconds = 30.0
    stream_rows: Annotated[int, Field(ge=1, le=1_000_000_000)] = 10_000_000
    stream_bytes: Annotated[int, Field(ge=1024, le=1 << 40)] = 10 * 1024**3


class QueryLimitsSection(Section):
    """Where a query differs from `limits`."""

    rows: Annotated[int, Field(ge=1, le=100_000)] | None = None
    bytes: Annotated[int, Field(ge=1024, le=RESULT_BYTES_MAX)] | None = None
    timeout_s: Seconds | None = None
    stream_rows: Annotated[int, Field(ge=1, le=1_000_000_000)] | None = None
    stream_bytes: Annotated[int, Field(ge=1024, le=1 << 40)] | None = None


class QuerySection(Section):
    """One tool. `parameters` are JSON Schemas; `required: false` in one lets callers leave it out, which is
    NULL unless it has a `default`."""

    sql: Annotated[str, Field(min_length=1, max_length=_SQL_CHARS_MAX)]
    description: Annotated[str, Field(max_length=4000)] = ""
    parameters: dict[str, dict[str, Any]] = {}
    returns: Literal["rows", "row", "value", "affected"] = "rows"
    read_only: bool = True
    idempotent: bool = False
    destructive: bool = False
    limits: QueryLimitsSection = QueryLimitsSection()
    cache_ttl_s: Annotated[float, Field(gt=0, le=7 * 86_400)] | None = None
    cost_usd_per_call: float | str | None = None
    examples: Annotated[list[dict[str, Any]], Field(max_length=20)] = []


class FreeSqlSection(Section):
    """`tables`: the only ones free SQL may name, as `schema.table` or `table`; None: any its user can see.
    `functions`: beside those that are known to be harmless. `write`: also INSERT, UPDATE and DELETE."""

    enabled: bool = False
    tables: Annotated[list[Name], Field(max_length=1000)] | None = None
    functions: Annotated[list[Name], Field(max_length=200)] = []
    write: bool = False


class DatabaseConfiguration(Section):
    """The same for every kind of database; what one cannot do with it, its engine says when it is opened."""

    endpoint: Annotated[str, Field(min_length=1, max_length=2000)]
    authentication: Authentication = NoAuthentication()
    tls: TlsSection = TlsSection()
    pool: PoolSection = PoolSection()
    limits: LimitsSection = LimitsSection()
    schemas: Annotated[list[Name], Field(max_length=100)] = []
    queries: Annotated[dict[str, QuerySection], Field(max_length=QUERIES_MAX)] = {}
    free_sql: FreeSqlSection = FreeSqlSection()
    introspection: bool = True
    explain: bool = True

    @property
    def username(self) -> str:
        """Empty: nobody in particular."""
        return self.authentication.username

    @property
    def place(self) -> "DatabaseEndpoint":
        """Its endpoint taken apart, which was possible when it was read."""
        return database_endpoint(self.endpoint)


class DatabaseEndpoint(NamedTuple):
    """`database` is what follows the host: a name, a service, or the path of a file with its slash."""

    scheme: str
    host: str
    port: int | None
    database: str


def database_endpoint(text: str) -> DatabaseEndpoint:
    """`scheme://host[:port]/database`; nothing of it is secret. Raises InvalidConfiguration."""
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise _wrong("endpoint", "is no URL") from None
    if parts.username is not None or parts.password is not None or "@" in parts.netloc:
        raise _wrong("endpoint", "holds a user: that belongs into `authentication`")
    if parts.query or parts.fragment:
        raise _wrong("endpoint", "holds a query: options have keys of their own")
    if "," in host or any(sign.isspace() or not sign.isprintable() for sign in text):
        raise _wrong("endpoint", "names more than one host, or holds a space")
    path = unquote(parts.path)
    if "\0" in path:
        raise _wrong("endpoint", "holds a NUL")
    return DatabaseEndpoint(parts.scheme.lower(), host, port, path.removeprefix("/") if host else path)


def read_configuration(configuration: Mapping[str, Any]) -> DatabaseConfiguration:
    """Raises InvalidConfiguration with the dotted path of the first field that is wrong."""
    try:
        read = DatabaseConfiguration.model_validate(dict(configuration))
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        raise invalid(found, DatabaseConfiguration.model_fields, _path) from None
    if read.pool.min > read.pool.max:
        raise _wrong("pool.min", "is more than pool.max")
    database_endpoint(read.endpoint)
    return read


def _path(loc: tuple[int | str, ...]) -> list[int | str]:
    """As its owner wrote it: pydantic puts the kind of authentication into the path as well."""
    parts = list(loc)
    if len(parts) > 2 and parts[0] == "authentication":
        del parts[1]
    return parts


def _wrong(param: str, problem: str) -> InvalidConfiguration:
    return InvalidConfiguration(f"{param} {problem}"[:500], param=param[:200])

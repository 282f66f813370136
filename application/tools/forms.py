"""Integrations as people write them, read into what is stored and what is secret.

What is read here comes from requests and from configuration files: everything about it is checked, and
nothing that may be a secret is repeated in an error.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from application.tools.kinds import ConnectorKinds
from domain.connectors.integration import (
    CONFIGURATION_BYTES_MAX,
    Integration,
    IntegrationKind,
    check_integration_id,
)
from domain.connectors.monitoring import monitoring_of
from domain.connectors.terms import IntegrationTerms, integration_terms, own_configuration
from domain.errors import InvalidConfiguration
from domain.vault.credential import NAME_SHAPE, SECRET_BYTES_MAX
from domain.vault.secret import SecretBytes

ENDPOINT_CHARS_MAX: Final = 2048
REFERENCE: Final = "credential"
"""`{"credential": name}` in the place of a secret."""
BREAKER: Final = "circuit_breaker"
AUTHENTICATION: Final = "authentication"
_BESIDE: Final = ("type", "integration_id", "monitoring", "configuration")
DEPTH_MAX: Final = 64


class Asked(NamedTuple):
    """What somebody wrote. `kind`, `configuration` and `monitoring` are whatever stood there."""

    integration_id: str
    kind: Any
    configuration: Any
    monitoring: Any = None


class Form(NamedTuple):
    """`integration` has no credentials yet. `given` are secrets by field, `referenced` names of credentials
    that exist, `cleared` fields that shall have none, `fields` all that may be secret."""

    integration: Integration
    terms: IntegrationTerms
    given: Mapping[str, SecretBytes]
    referenced: Mapping[str, str]
    cleared: frozenset[str]
    fields: frozenset[str]


def read_form(kinds: ConnectorKinds, asked: Asked, tenant_id: str) -> Form:
    """Raises InvalidRequest for the id, InvalidConfiguration with the path of the field for the rest."""
    check_integration_id(asked.integration_id)
    kind = _kind(asked.kind)
    with in_configuration():
        configuration = dict(_configuration(asked.configuration))
        breaker = configuration.pop(BREAKER, None) or {}
        if not isinstance(breaker, Mapping):
            raise InvalidConfiguration(f"{BREAKER} must be an object", param=BREAKER)
        terms = integration_terms(configuration, breaker)
        endpoint = _endpoint(configuration)
        authentication = configuration.get(AUTHENTICATION)
        if not isinstance(authentication, Mapping):
            raise InvalidConfiguration(f"{AUTHENTICATION} must be an object", param=AUTHENTICATION)
        connector = kinds.find(kind, endpoint.partition("://")[0].lower())
        fields = connector.secret_fields(own_configuration(configuration))
        given, referenced, cleared = _secrets(authentication, fields)
        plain = {name: value for name, value in authentication.items() if name not in fields}
        configuration[AUTHENTICATION] = plain
        connector.validate(own_configuration(configuration))
    monitoring = asked.monitoring or {}
    if not isinstance(monitoring, Mapping):
        raise InvalidConfiguration("monitoring must be an object", param="monitoring")
    monitoring_of(monitoring)
    integration = Integration(
        tenant_id=tenant_id,
        integration_id=asked.integration_id,
        kind=kind,
        configuration=configuration,
        circuit_breaker=dict(breaker),
        monitoring=dict(monitoring),
    )
    return Form(integration, terms, given, referenced, cleared, fields)


@contextmanager
def in_configuration() -> Iterator[None]:
    """Paths of fields that are told inside stand below `configuration` for whoever asked."""
    try:
        yield
    except InvalidConfiguration as error:
        param = error.param or ""
        if param.split(".")[0] not in _BESIDE:
            error.param = f"configuration.{param}" if param else "configuration"
        raise


def same_place(one: Integration, other: Integration) -> bool:
    """Whether both would send their credentials to the same other side."""
    return _places(one) == _places(other)


def _places(integration: Integration) -> list[object]:
    """Where credentials go: the endpoint, where tokens are asked for with them (`token_url`), and where a
    store really is (`service_url`, `account`)."""
    configuration = integration.configuration
    said = configuration.get(AUTHENTICATION)
    authentication = said if isinstance(said, Mapping) else {}
    named = [
        (name, str(value))
        for part in (authentication, configuration)
        for name, value in sorted(part.items())
        if name.endswith("_url") and value is not None
    ]
    parts = [(name, urlsplit(url)) for name, url in (("endpoint", integration.endpoint), *named)]
    places: list[object] = [(name, each.scheme.lower(), each.netloc.lower()) for name, each in parts]
    return [*places, configuration.get("account")]


def shown_configuration(integration: Integration) -> dict[str, Any]:
    """The configuration as it may be seen and sent again: credentials by name, in place of secrets."""
    configuration = dict(integration.configuration)
    names = {field: {REFERENCE: name} for field, name in integration.credentials.items()}
    configuration[AUTHENTICATION] = {**configuration.get(AUTHENTICATION, {}), **names}
    if integration.circuit_breaker:
        configuration[BREAKER] = dict(integration.circuit_breaker)
    return configuration


def _kind(said: Any) -> IntegrationKind:
    kinds = [kind.value for kind in IntegrationKind]
    if not isinstance(said, str) or said not in kinds:
        raise InvalidConfiguration(f"type must be one of {', '.join(kinds)}", param="type")
    return IntegrationKind(said)


def _configuration(said: Any) -> Mapping[str, Any]:
    if not isinstance(said, Mapping):
        raise InvalidConfiguration("configuration must be an object", param="configuration")
    _check_texts(said, "", DEPTH_MAX)
    if len(json.dumps(said)) > CONFIGURATION_BYTES_MAX:
        raise InvalidConfiguration(
            f"configuration may have at most {CONFIGURATION_BYTES_MAX} bytes as JSON", param="configuration"
        )
    return said


def _check_texts(value: Any, path: str, depth: int) -> None:
    """What a store could not keep is refused by its place."""
    if depth < 0:
        raise InvalidConfiguration("configuration is nested too deeply", param="configuration")
    if isinstance(value, str):
        if "\0" in value or not _encodable(value):
            raise InvalidConfiguration(f"{path} has characters that cannot be kept", param=path)
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            if not isinstance(name, str) or "\0" in name or not _encodable(name):
                raise InvalidConfiguration(f"{path or 'configuration'} has a name that cannot be kept")
            _check_texts(inner, f"{path}.{name}" if path else name, depth - 1)
    elif isinstance(value, list | tuple):
        for place, inner in enumerate(value):
            _check_texts(inner, f"{path}[{place}]", depth - 1)


def _encodable(text: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in text)


def _endpoint(configuration: Mapping[str, Any]) -> str:
    endpoint = configuration.get("endpoint")
    if (
        not isinstance(endpoint, str)
        or not 0 < len(endpoint) <= ENDPOINT_CHARS_MAX
        or not endpoint.isprintable()
        or "://" not in endpoint
    ):
        raise InvalidConfiguration(
            "endpoint must be an address, such as https://api.example", param="endpoint"
        )
    try:
        parts = urlsplit(endpoint)
        secret = parts.password is not None
    except ValueError:
        raise InvalidConfiguration("endpoint is not an address", param="endpoint") from None
    if secret:
        raise InvalidConfiguration(
            "endpoint must hold no password: it belongs into authentication, from where it goes to the vault",
            param="endpoint",
        )
    return endpoint


def _secrets(
    authentication: Mapping[str, Any], fields: frozenset[str]
) -> tuple[dict[str, SecretBytes], dict[str, str], frozenset[str]]:
    given: dict[str, SecretBytes] = {}
    referenced: dict[str, str] = {}
    cleared = set()
    for field in sorted(fields & set(authentication)):
        value, param = authentication[field], f"{AUTHENTICATION}.{field}"
        if value is None:
            cleared.add(field)
        elif isinstance(value, Mapping) and set(value) == {REFERENCE}:
            name = value[REFERENCE]
            if not isinstance(name, str) or not NAME_SHAPE.fullmatch(name):
                raise InvalidConfiguration(f"{param}.{REFERENCE} must be a credential's name", param=param)
            referenced[field] = name
        else:
            given[field] = _secret(value, param)
    return given, referenced, frozenset(cleared)


def _secret(value: Any, param: str) -> SecretBytes:
    if isinstance(value, str):
        content = value.encode()
    elif isinstance(value, Mapping):
        content = json.dumps(value).encode()  # such as a service account's file
    else:
        raise InvalidConfiguration(f'{param} must be text, or {{"{REFERENCE}": name}}', param=param)
    if not 0 < len(content) <= SECRET_BYTES_MAX:
        raise InvalidConfiguration(f"{param} must have 1 to {SECRET_BYTES_MAX} bytes", param=param)
    return SecretBytes(content)


TermsCheck = Callable[[IntegrationTerms], None]
"""Raises InvalidConfiguration for what cannot hold here, such as a privacy policy there is not."""

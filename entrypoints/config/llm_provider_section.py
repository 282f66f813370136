"""The configuration of an integration of type `llm_provider`: what a provider of the file may say of itself,
without what only whoever runs this machine may (headers, identities of the machine, pools of keys)."""

from collections.abc import Mapping
from typing import Any, Final, Literal

from pydantic import SecretStr, ValidationError

from domain.errors import InvalidConfiguration
from domain.vault.secret import SecretBytes
from entrypoints.config.problems import path_text
from entrypoints.config.provider_sections import ProviderSettings, check_header_value
from entrypoints.config.sections import Section
from entrypoints.config.validation import errors_of, path_of, sentence

ENDPOINT: Final = "endpoint"
AUTHENTICATION: Final = "authentication"
API_KEY: Final = "api_key"
KIND: Final = "openai"
"""What a server speaks unless something else is said: most do."""
MODELS_MAX: Final = 1_000
_KEYS: Final = (
    *("kind", "via", "models", "compliance", "tags", "responses", "api_version", "project", "location"),
    *("batch_api", "honours_idempotency_keys"),
)
_PREFIX: Final = ("providers", "integration")


class LlmAuthentication(Section):
    """`api_key` is kept in the vault and stands here only while it is on its way there."""

    type: Literal["api_key", "none"]
    api_key: SecretStr | None = None


def authentication_of(configuration: Mapping[str, Any]) -> LlmAuthentication:
    """Raises InvalidConfiguration."""
    try:
        return LlmAuthentication.model_validate(configuration.get(AUTHENTICATION, {}))
    except ValidationError as error:
        details = errors_of(error)[0]
        param = path_text((AUTHENTICATION, *path_of(details)))
        text = "is unknown; allowed: type, api_key" if details["type"] == "extra_forbidden" else "is wrong"
        if details["loc"][-1:] == ("type",):
            text = "must be api_key or none"
        raise InvalidConfiguration(f"{param} {text}", param=param) from None


def provider_section(configuration: Mapping[str, Any], region: str | None = None) -> ProviderSettings:
    """The provider that a configuration describes, without its key.

    Raises InvalidConfiguration with the path of the field.
    """
    said = {key: value for key, value in configuration.items() if key not in (ENDPOINT, AUTHENTICATION)}
    for key in said:
        if key not in _KEYS:
            raise InvalidConfiguration(f"{key} is unknown; allowed: {', '.join(sorted(_KEYS))}", param=key)
    if isinstance(said.get("models"), Mapping) and len(said["models"]) > MODELS_MAX:
        raise InvalidConfiguration(f"models: at most {MODELS_MAX}", param="models")
    whole = {"kind": KIND, **said, "base_url": configuration.get(ENDPOINT)}
    if region is not None:
        whole["region"] = region
    try:
        return ProviderSettings.model_validate(whole)
    except ValidationError as error:
        details = errors_of(error)[0]
        # The sentences know the fields of the whole configuration by their full path.
        details["loc"] = (*_PREFIX, *details["loc"])
        param = path_text(path_of(details)[len(_PREFIX) :]) or "configuration"
        param = ENDPOINT if param == "base_url" else param
        raise InvalidConfiguration(f"{param}: {sentence(details, written=None)}", param=param) from None


def with_key(section: ProviderSettings, key: SecretBytes | None) -> ProviderSettings:
    """The provider with its key. Raises InvalidConfiguration for one that no header can carry."""
    if key is None:
        return section
    param = f"{AUTHENTICATION}.{API_KEY}"
    try:
        secret = SecretStr(key.reveal().decode("ascii"))
        check_header_value(secret, "holds")
    except UnicodeDecodeError:
        raise InvalidConfiguration(
            f"{param} holds characters that no header can carry", param=param
        ) from None
    except ValueError as error:
        raise InvalidConfiguration(f"{param} {error}", param=param) from None
    return section.model_copy(update={API_KEY: secret})

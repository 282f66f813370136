"""Where the configuration names credentials of the vault, and the same configuration with what is in them."""

from collections.abc import Iterator, Mapping

from pydantic import SecretStr

from domain.vault.secret import SecretText
from entrypoints.config.provider_sections import ProviderSettings, check_header_value
from entrypoints.config.root import Settings
from entrypoints.config.vault_section import CredentialReference


def references(settings: Settings) -> Iterator[tuple[str, str]]:
    """(path, name) of each."""
    for provider, section in settings.providers.items():
        if isinstance(section.api_key, CredentialReference):
            yield f"providers.{provider}.api_key", section.api_key.credential
        for place, key in enumerate(section.keys):
            if isinstance(key.key, CredentialReference):
                yield f"providers.{provider}.keys[{place}].key", key.key.credential
        for header, value in section.headers.items():
            if isinstance(value, CredentialReference):
                yield f"providers.{provider}.headers.{header}", value.credential


def credential_names(settings: Settings) -> frozenset[str]:
    """All names the configuration has a use for."""
    return frozenset(name for _, name in references(settings))


def used_by(settings: Settings, name: str) -> str | None:
    """The path of the first place that names this credential; None: there is none."""
    return next((path for path, named in references(settings) if named == name), None)


def with_credentials(settings: Settings, opened: Mapping[str, SecretText]) -> tuple[Settings, list[str]]:
    """The configuration with secrets where it named credentials, and what is wrong with those; nothing is
    put in then."""
    problems: list[str] = []
    for path, name in references(settings):
        if name not in opened:
            how = f"add it with `interchange credentials add {name}`"
            problems.append(f"{path}: no credential {name!r} in the vault; {how}")
            continue
        try:
            check_header_value(SecretStr(opened[name].reveal()), f"credential {name!r} contains")
        except ValueError as error:
            problems.append(f"{path}: {error}")
    if problems:
        return settings, problems
    providers = {name: _opened(section, opened) for name, section in settings.providers.items()}
    return settings.model_copy(update={"providers": providers}), []


def _opened(section: ProviderSettings, opened: Mapping[str, SecretText]) -> ProviderSettings:
    changed: dict[str, object] = {}
    if isinstance(section.api_key, CredentialReference):
        changed["api_key"] = SecretStr(opened[section.api_key.credential].reveal())
    if any(isinstance(key.key, CredentialReference) for key in section.keys):
        changed["keys"] = tuple(
            key.model_copy(update={"key": SecretStr(opened[key.key.credential].reveal())})
            if isinstance(key.key, CredentialReference)
            else key
            for key in section.keys
        )
    if any(isinstance(value, CredentialReference) for value in section.headers.values()):
        changed["headers"] = {
            header: SecretStr(opened[value.credential].reveal())
            if isinstance(value, CredentialReference)
            else value
            for header, value in section.headers.items()
        }
    return section.model_copy(update=changed) if changed else section

"""Opens the vault as the configuration says. A part of the composition root: it names adapters."""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path

from adapters.crypto.ed25519 import Ed25519Signing
from adapters.crypto.envelope import AesGcmEnvelope
from adapters.crypto.keyring import ENVIRONMENT, EnvironmentKeys
from adapters.crypto.keyring_file import KEYRING_FILE, KeyringFile
from adapters.crypto.manifest_pins import PINS_FILE, PinsFile
from adapters.sql.database import Database
from adapters.sql.vault import SqlCredentialStore, SqlRotationLog
from adapters.system.clock import SystemClock
from adapters.system.ids import TimeOrderedIds
from application.ports.http import HttpTransport
from application.ports.vault import KeyEncryption
from domain.errors import InvalidRequest
from entrypoints.settings import Settings
from entrypoints.vaulting import Vaulting, make_vaulting


def open_vault(
    stack: AsyncExitStack,
    settings: Settings,
    environ: Mapping[str, str],
    database: Database,
    transport: HttpTransport,
) -> Vaulting:
    """Asks nobody yet. Raises InvalidRequest for keys that are none."""
    clock = SystemClock()
    keys = key_source(stack, settings, environ, transport)
    return make_vaulting(
        store=SqlCredentialStore(database),
        rotations=SqlRotationLog(database),
        envelope=AesGcmEnvelope(keys),
        keys=keys,
        signing=Ed25519Signing(),
        pins=PinsFile(settings.data_dir / PINS_FILE),
        clock=clock,
        ids=TimeOrderedIds(),
    )


def key_source(
    stack: AsyncExitStack, settings: Settings, environ: Mapping[str, str], transport: HttpTransport
) -> KeyEncryption:
    """Where the master keys are. Raises InvalidRequest."""
    given = environ.get(ENVIRONMENT, "").strip()
    kind = _kind(settings, environ)
    if kind == "environment":
        if not given:
            raise InvalidRequest(f"vault.keys: environment takes {ENVIRONMENT}", param=ENVIRONMENT)
        return EnvironmentKeys(given)
    if kind == "aws_kms":
        return _kms(stack, settings)
    if kind == "transit":
        return _transit(settings, transport)
    return KeyringFile(
        _keyring_path(settings), may_create=settings.profile == "embedded", now=SystemClock().utc_now
    )


def missing_keyring(settings: Settings, environ: Mapping[str, str]) -> Path | None:
    """The file that should hold the master keys and is not there; None: it is, or they are elsewhere."""
    path = _keyring_path(settings)
    return path if _kind(settings, environ) == "file" and not path.exists() else None


def _kind(settings: Settings, environ: Mapping[str, str]) -> str:
    if settings.vault.keys != "auto":
        return settings.vault.keys
    return "environment" if environ.get(ENVIRONMENT, "").strip() else "file"


def _keyring_path(settings: Settings) -> Path:
    return settings.vault.key_file or settings.data_dir / KEYRING_FILE


def _kms(stack: AsyncExitStack, settings: Settings) -> KeyEncryption:
    # The SDK is an extra, and slow to load.
    try:
        from adapters.aws.kms import KmsKeys
    except ImportError:
        raise InvalidRequest(
            "vault.keys: aws_kms takes aiobotocore: pip install 'interchange[aws]'", param="vault.keys"
        ) from None
    section = settings.vault.aws_kms
    if not section.key_ids:
        raise InvalidRequest("vault.aws_kms.key_ids: name at least one key", param="vault.aws_kms.key_ids")
    keys = KmsKeys(
        section.key_ids,
        region=section.region,
        endpoint_url=section.endpoint_url,
        timeout_s=section.timeout_s,
    )
    stack.push_async_callback(keys.aclose)
    return keys


def _transit(settings: Settings, transport: HttpTransport) -> KeyEncryption:
    from adapters.vault_transit.keys import TransitKeys, token_from

    section = settings.vault.transit
    if section.url is None:
        raise InvalidRequest("vault.transit.url: is required", param="vault.transit.url")
    if section.token is None and section.token_file is None:
        raise InvalidRequest(
            "vault.transit.token: required, such as ${VAULT_TOKEN}, or token_file",
            param="vault.transit.token",
        )
    token = "" if section.token is None else section.token.get_secret_value()
    return TransitKeys(
        transport,
        url=section.url,
        mount=section.mount,
        key_name=section.key_name,
        namespace=section.namespace,
        token=token_from(token, section.token_file),
        timeout_s=section.timeout_s,
    )

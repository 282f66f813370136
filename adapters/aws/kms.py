"""AWS KMS wraps data keys: its master keys never leave it, and it keeps a record of each use.

The address of a credential goes along as the encryption context, in clear: it stands in CloudTrail, where it
says which credential was opened. It holds names, no secrets. KMS refuses to unwrap with another context.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import datetime
from typing import Any, Final

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import BotoCoreError, ClientError

from application.ports.vault import KeyEncryption
from domain.errors import CredentialDamaged, InvalidRequest, VaultLocked
from domain.vault.rotation import KeyInfo, KeyList
from domain.vault.secret import SecretBytes

_DAMAGED: Final = frozenset({"InvalidCiphertextException", "IncorrectKeyException", "ValidationException"})
_RETRIES_MAX: Final = 2
_CONNECTIONS_MAX: Final = 16
_NOBODY: Final = "-"
"""In the place of an empty value, which no name can be."""


class KmsKeys(KeyEncryption):
    """Symmetric keys by ARN or alias; the first seals. Give ARNs: an alias may point elsewhere later."""

    def __init__(
        self, key_ids: Sequence[str], *, region: str | None, endpoint_url: str | None, timeout_s: float
    ) -> None:
        self._key_ids = tuple(key_ids)
        self._region = region
        self._endpoint_url = endpoint_url
        self._timeout_s = timeout_s
        self._stack = AsyncExitStack()
        self._opening = asyncio.Lock()
        self._opened: Any = None
        self._listed: KeyList | None = None

    async def keys(self) -> KeyList:
        """Asks KMS once; whether a key may still be used shows when it is."""
        if self._listed is None:
            infos = [await self._info(key_id) for key_id in self._key_ids]
            self._listed = KeyList(tuple(infos), False)
        return self._listed

    async def add_key(self, now: datetime) -> str:
        del now
        raise InvalidRequest("make the key in AWS KMS, put it first in vault.aws_kms.key_ids, and rotate")

    async def drop_key(self, key_id: str) -> None:
        raise InvalidRequest(f"nothing is under {key_id} any more: take it out of vault.aws_kms.key_ids")

    async def wrap(self, key_id: str, data_key: SecretBytes, context: Mapping[str, str]) -> bytes:
        self._check(key_id)
        answer = await self._ask(
            lambda kms: kms.encrypt(
                KeyId=key_id, Plaintext=data_key.reveal(), EncryptionContext=_context(context)
            )
        )
        return bytes(answer["CiphertextBlob"])

    async def unwrap(self, key_id: str, wrapped: bytes, context: Mapping[str, str]) -> SecretBytes:
        self._check(key_id)
        if not wrapped:
            raise CredentialDamaged(f"a data key under {key_id} does not unwrap")
        answer = await self._ask(
            lambda kms: kms.decrypt(KeyId=key_id, CiphertextBlob=wrapped, EncryptionContext=_context(context))
        )
        return SecretBytes(bytes(answer["Plaintext"]))

    async def aclose(self) -> None:
        """Closes every connection. Idempotent."""
        async with self._opening:
            self._opened = None
            await self._stack.aclose()

    async def _info(self, key_id: str) -> KeyInfo:
        answer = await self._ask(lambda kms: kms.describe_key(KeyId=key_id))
        made_at = answer["KeyMetadata"].get("CreationDate")
        return KeyInfo(key_id, made_at if isinstance(made_at, datetime) else None)

    def _check(self, key_id: str) -> None:
        if key_id not in self._key_ids:
            raise VaultLocked(f"vault.aws_kms.key_ids does not name {key_id}")

    async def _ask(self, call: Callable[[Any], Awaitable[Any]]) -> Any:
        try:
            async with asyncio.timeout(self._timeout_s):
                return await call(await self._client())
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            if code in _DAMAGED:
                raise CredentialDamaged(f"AWS KMS does not unwrap a data key ({code})") from None
            raise VaultLocked(f"AWS KMS refused: {code}", retry_after_s=1.0) from None
        except BotoCoreError as error:
            raise VaultLocked(
                f"AWS KMS cannot be asked: {type(error).__name__}", retry_after_s=1.0
            ) from error
        except TimeoutError:
            raise VaultLocked(
                f"AWS KMS did not answer within {self._timeout_s:g} s", retry_after_s=1.0
            ) from None

    async def _client(self) -> Any:
        async with self._opening:
            if self._opened is None:
                client = get_session().create_client(
                    "kms",
                    region_name=self._region,
                    endpoint_url=self._endpoint_url,
                    config=AioConfig(
                        connect_timeout=self._timeout_s,
                        read_timeout=self._timeout_s,
                        max_pool_connections=_CONNECTIONS_MAX,
                        retries={"max_attempts": _RETRIES_MAX, "mode": "standard"},
                    ),
                )
                self._opened = await self._stack.enter_async_context(client)
            return self._opened


def _context(context: Mapping[str, str]) -> dict[str, str]:
    return {name: value or _NOBODY for name, value in context.items()}

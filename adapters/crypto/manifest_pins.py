"""`vault.manifest` in the data directory: what this instance remembers of the vault's manifests.

Lines of text: who signs, then tenant, counter and digest. It lies outside of the database, so that
whoever puts an older database back is found out. It is no secret, but only its owner may write it.
"""

import asyncio
from pathlib import Path
from typing import Final

from adapters.crypto.secret_file import replace_secret
from application.ports.vault import ManifestPins, Pins
from domain.errors import CredentialDamaged, StoreUnavailable
from domain.vault.manifest import Pin

PINS_FILE: Final = "vault.manifest"
_HEAD: Final = "interchange vault pins 1"


class PinsFile(ManifestPins):
    """Missing: nothing is remembered yet, and what is found first is believed."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def read(self) -> Pins | None:
        return await asyncio.to_thread(self._read)

    async def write(self, pins: Pins) -> None:
        await asyncio.to_thread(replace_secret, self._path, _text(pins))

    def _read(self) -> Pins | None:
        try:
            text = self._path.read_bytes().decode()
            return _pins(text)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreUnavailable(f"{self._path} cannot be read: {error.strerror or error}") from error
        except ValueError:
            raise CredentialDamaged(
                f"{self._path} is not what was written there; `interchange credentials accept` "
                "begins a new one"
            ) from None


def _text(pins: Pins) -> bytes:
    lines = [_HEAD, f"signed by {pins.public.hex()}"]
    lines += [
        f"{pin.counter} {pin.digest.hex()} {tenant_id}" for tenant_id, pin in sorted(pins.by_tenant.items())
    ]
    return ("\n".join(lines) + "\n").encode()


def _pins(text: str) -> Pins:
    head, signed_by, *lines = text.removesuffix("\n").split("\n")
    if head != _HEAD or not signed_by.startswith("signed by "):
        raise ValueError("not a memory of manifests")
    by_tenant: dict[str, Pin] = {}
    for line in lines:
        counter, digest, tenant_id = line.split(" ", 2)
        by_tenant[tenant_id] = Pin(int(counter), bytes.fromhex(digest))
    return Pins(bytes.fromhex(signed_by.removeprefix("signed by ")), by_tenant)

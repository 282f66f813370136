"""Keyed hashes of API keys, and where the pepper comes from.

A key's secret has 256 random bits, so one HMAC-SHA256 is enough; a slow password hash would only make
every request slow. The pepper is not in the database: a stolen table alone does not even allow
checking a guess.
"""

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from pathlib import Path

from adapters.crypto.secret_file import write_secret_once
from application.ports.keys import KeyHash, KeyHasher
from domain.errors import InvalidRequest
from domain.tenancy.key import SECRET_SIZE_BYTES, ParsedKey, format_key, key_id_from

PEPPER_SIZE_BYTES_MIN = 32
PEPPER_FILE = "pepper.key"
_PEPPER_HINT = (
    "write one '<version>:<64 hexadecimal digits>' per line (or, in the environment, joined by commas); a * "
    "before one of them says that it hashes, otherwise the newest does"
)


class Peppers(dict[int, bytes]):
    """By version. All of them check, `hashing` hashes what is new. `told`: by the environment, not a file."""

    def __init__(
        self, peppers: Mapping[int, bytes], hashing: int | None = None, *, told: bool = False
    ) -> None:
        super().__init__(peppers)
        self.hashing = max(peppers) if hashing is None else hashing
        self.told = told


class PepperedKeyHasher(KeyHasher):
    """HMAC-SHA256 under versioned peppers; one hashes, every known one checks."""

    def __init__(self, peppers: Mapping[int, bytes]) -> None:
        """`peppers` by version, at least one of at least 32 bytes. Raises ValueError otherwise."""
        if not peppers or any(len(pepper) < PEPPER_SIZE_BYTES_MIN for pepper in peppers.values()):
            raise ValueError(f"at least one pepper of at least {PEPPER_SIZE_BYTES_MIN} bytes is needed")
        self._peppers: dict[int, bytes] = {}
        self._newest = 0
        self.use(peppers)

    def use(self, peppers: Mapping[int, bytes]) -> None:
        """From now on. Keys under one that is not among them are unknown."""
        self._peppers = dict(peppers)
        self._newest = peppers.hashing if isinstance(peppers, Peppers) else max(peppers)

    def new_key(self, env: str, key_id: str = "") -> str:
        key_id = key_id or key_id_from(secrets.randbelow)
        return format_key(env, key_id, secrets.token_bytes(SECRET_SIZE_BYTES))

    def hash(self, key: ParsedKey) -> KeyHash:
        return KeyHash(_digest(self._peppers[self._newest], key), self._newest)

    @property
    def newest(self) -> int:
        return self._newest

    @property
    def versions(self) -> tuple[int, ...]:
        """Those that are known, ascending."""
        return tuple(sorted(self._peppers))

    def matches(self, key: ParsedKey, kept: KeyHash) -> bool:
        pepper = self._peppers.get(kept.pepper_version)
        return pepper is not None and hmac.compare_digest(_digest(pepper, key), kept.digest)

    def hash_imported(self, digest: bytes) -> KeyHash:
        return self.imported_candidates(digest)[0]

    def imported_candidates(self, digest: bytes) -> tuple[KeyHash, ...]:
        others = sorted(self._peppers.keys() - {self._newest}, reverse=True)
        return tuple(
            KeyHash(hmac.digest(self._peppers[version], b"sha256:" + digest, hashlib.sha256), version)
            for version in (self._newest, *others)
        )


def _digest(pepper: bytes, key: ParsedKey) -> bytes:
    # The id is part of it, so that a hash copied into another row does not open that row.
    return hmac.digest(pepper, f"{key.key_id}:{key.secret}".encode(), hashlib.sha256)


def load_peppers(data_dir: Path, from_environment: str | None) -> Peppers:
    """Peppers by version: from `INTERCHANGE_KEY_PEPPER`, else from `<data_dir>/pepper.key`, made once.

    Several processes may start at once; all get the same. Losing the pepper makes every key unknown.

    Raises:
        InvalidRequest: the text is malformed; says how it should look.
        StoreUnavailable: the file cannot be read or made.
    """
    if from_environment:
        peppers = parse_peppers(from_environment, "INTERCHANGE_KEY_PEPPER")
        return Peppers(peppers, peppers.hashing, told=True)
    path = data_dir / PEPPER_FILE
    fresh = f"1:{secrets.token_hex(PEPPER_SIZE_BYTES_MIN)}\n".encode()
    content = write_secret_once(path, fresh)
    return parse_peppers(content.decode("ascii", "replace"), str(path))


def installation_id(peppers: dict[int, bytes]) -> str:
    """Names the installation that these belong to, without saying anything about them. It changes when the
    oldest of them is taken out."""
    oldest = peppers[min(peppers)]
    return hashlib.blake2b(oldest, digest_size=8, person=b"installation").hexdigest()


def parse_peppers(text: str, origin: str) -> Peppers:
    """`1:<hex>` items separated by commas or lines. Raises InvalidRequest, which never shows the text."""
    peppers: dict[int, bytes] = {}
    hashing: int | None = None
    for item in text.replace(",", "\n").split():
        version, colon, digits = item.removeprefix("*").partition(":")
        if not colon or not version.isdecimal():
            raise InvalidRequest(f"{origin}: a pepper has no version; {_PEPPER_HINT}", param=origin)
        try:
            pepper = bytes.fromhex(digits)
        except ValueError:
            raise InvalidRequest(
                f"{origin}: pepper {version} is not hexadecimal; {_PEPPER_HINT}", param=origin
            ) from None
        if len(pepper) < PEPPER_SIZE_BYTES_MIN or int(version) in peppers:
            raise InvalidRequest(
                f"{origin}: pepper {version} is too short or given twice; {_PEPPER_HINT}", param=origin
            )
        peppers[int(version)] = pepper
        if item.startswith("*"):
            if hashing is not None:
                raise InvalidRequest(f"{origin}: two peppers have a *; {_PEPPER_HINT}", param=origin)
            hashing = int(version)
    if not peppers:
        raise InvalidRequest(f"{origin}: no pepper; {_PEPPER_HINT}", param=origin)
    return Peppers(peppers, hashing)

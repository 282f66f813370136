"""What the stand-in for Google Cloud Storage asks of signatures, by Google's description of V4."""

import hashlib
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import quote

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from tests.contract.gcs_fake_buckets import Refused


class Asked(NamedTuple):
    """`path` still encoded; headers by their names in lower case."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


def verify_signed(asked: Asked, accounts: Mapping[str, RSAPublicKey]) -> None:
    """Raises Refused."""
    query = dict(asked.query)
    signature = bytes.fromhex(query.pop("X-Goog-Signature"))
    email, day, *scope = query["X-Goog-Credential"].split("/")
    names = query["X-Goog-SignedHeaders"].split(";")
    begun = datetime.strptime(query["X-Goog-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    age_s = time.time() - begun.timestamp()
    unsigned = {each for each in asked.headers if each.startswith("x-goog-")} - set(names)
    canonical = "\n".join(
        [
            asked.method,
            asked.path,
            "&".join(f"{quote(n, safe='')}={quote(v, safe='')}" for n, v in sorted(query.items())),
            *(f"{name}:{asked.headers.get(name, '')}" for name in names),
            "",
            ";".join(names),
            "UNSIGNED-PAYLOAD",
        ]
    )
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = "\n".join(["GOOG4-RSA-SHA256", query["X-Goog-Date"], "/".join([day, *scope]), digest])
    key = accounts.get(email)
    good = (
        key is not None
        and not unsigned
        and "host" in names
        and scope == ["auto", "storage", "goog4_request"]
        and query["X-Goog-Date"].startswith(day)
        and -900 < age_s < int(query["X-Goog-Expires"]) <= 604_800
        and verifies(key, text.encode(), signature)
    )
    if not good:
        raise Refused(403, "forbidden", "SignatureDoesNotMatch or ExpiredToken")


def verifies(key: RSAPublicKey, content: bytes, signature: bytes) -> bool:
    try:
        key.verify(signature, content, PKCS1v15(), SHA256())
    except InvalidSignature:
        return False
    return True

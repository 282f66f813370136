"""Who calls Bedrock: an API key, or a Signature Version 4 that is worked out again and compared.

After "Create a signed AWS API request" of the IAM user guide; written apart from the product's own signer,
so that one checks the other. Nobody's real keys are known here: the secret of an access key id is AWS's
published example for AWS's published id, else `secret-of-` and the id.
"""

import hmac
import re
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from time import time
from urllib.parse import parse_qsl, quote, urlsplit

from entrypoints.simulator.connection import Request
from entrypoints.simulator.conversation import Rejected

SERVICE = "bedrock"
SKEW_MAX = timedelta(minutes=5)
EXAMPLE_SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"  # noqa: S105 - published by AWS as an example
_EXAMPLE_ID = "AKIAIOSFODNN7EXAMPLE"
_TEMPORARY = "ASIA"
_PROOF = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<id>[^/,]+)/(?P<day>\d{8})/(?P<region>[a-z0-9-]+)/(?P<service>[a-z]+)"
    r"/aws4_request, ?SignedHeaders=(?P<names>[a-z0-9;-]+), ?Signature=(?P<signature>[0-9a-f]{64})"
)


def secret_of(key_id: str) -> str:
    """The secret that belongs to an access key id here."""
    return EXAMPLE_SECRET if key_id == _EXAMPLE_ID else f"secret-of-{key_id}"


def token_of(key_id: str) -> str:
    """The session token that belongs to a temporary access key id here."""
    return f"token-of-{key_id}"


def key_id_of(proof: str) -> str:
    """The access key id of an `Authorization` header; empty where it is no signature."""
    found = _PROOF.fullmatch(proof)
    return found["id"] if found else ""


def admit(request: Request) -> None:
    """Raises Rejected for a proof the service does not take."""
    proof = request.header(b"authorization")
    if proof.lower().startswith("bearer "):
        return
    found = _PROOF.fullmatch(proof)
    if found is None:
        raise _refused("IncompleteSignatureException", "Authorization header is not a signature.")
    stamp = request.header(b"x-amz-date")
    if abs(_time_of(stamp) - datetime.fromtimestamp(time(), UTC)) > SKEW_MAX or stamp[:8] != found["day"]:
        raise _refused("InvalidSignatureException", "Signature expired.")
    if found["service"] != SERVICE:
        raise _refused("InvalidSignatureException", "Credential should be scoped to correct service.")
    names = found["names"].split(";")
    if names != sorted(names) or not {"host", "x-amz-date"} <= set(names):
        raise _refused("InvalidSignatureException", "'Host' and 'X-Amz-Date' must be signed, in order.")
    token = request.header(b"x-amz-security-token")
    if found["id"].startswith(_TEMPORARY) and token != token_of(found["id"]):
        raise _refused(
            "UnrecognizedClientException", "The security token included in the request is invalid."
        )
    if token and "x-amz-security-token" not in names:
        raise _refused("InvalidSignatureException", "'X-Amz-Security-Token' must be signed.")
    expected = _signature(request, secret_of(found["id"]), found["day"], found["region"], names, stamp)
    if not hmac.compare_digest(expected, found["signature"]):
        raise _refused(
            "InvalidSignatureException",
            "The request signature we calculated does not match the signature you provided.",
        )


def _refused(kind: str, message: str) -> Rejected:
    return Rejected(403, message, kind=kind)


def _time_of(stamp: str) -> datetime:
    try:
        return datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise _refused("IncompleteSignatureException", "'X-Amz-Date' must be an ISO 8601 time.") from None


def _signature(request: Request, secret: str, day: str, region: str, names: list[str], stamp: str) -> str:
    parts = urlsplit(request.target)
    pairs = sorted(
        (quote(name, safe="~"), quote(value, safe="~"))
        for name, value in parse_qsl(parts.query, keep_blank_values=True)
    )
    lines = [request.method, quote(parts.path, safe="/~"), "&".join("=".join(pair) for pair in pairs)]
    for name in names:
        values = [value.decode("latin-1") for key, value in request.headers if key == name.encode()]
        lines.append(f"{name}:" + ",".join(re.sub(" +", " ", value.strip()) for value in values))
    lines += ["", ";".join(names), sha256(request.body).hexdigest()]
    scope = f"{day}/{region}/{SERVICE}/aws4_request"
    canonical = sha256("\n".join(lines).encode()).hexdigest()
    key = f"AWS4{secret}".encode()
    for step in scope.split("/"):
        key = hmac.digest(key, step.encode(), "sha256")
    return hmac.digest(key, f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{canonical}".encode(), "sha256").hex()

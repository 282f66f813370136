"""Request headers for the gateway, as Portkey's own SDK writes them (`portkey_ai.createHeaders`).

The SDK itself costs two milliseconds per call and retries behind one's back, so only its result is
reproduced here; a conformance test compares both. What is the same for every call to a target is put
together once.
"""

from collections.abc import Sequence
from typing import Final

from adapters.portkey.endpoint import PortkeyTarget

PREFIX: Final = "x-portkey-"
_FOR_EVERY_CALL: Final = (
    ("content-type", "application/json"),
    (f"{PREFIX}strict-open-ai-compliance", "true"),
)
_TIMEOUT_MARGIN_MS: Final = 50
"""The gateway gives up this much before we do, so that its answer says who was slow."""


class TargetHeaders:
    """The headers of one target. Immutable."""

    __slots__ = ("_fixed", "_forwarded")

    def __init__(self, target: PortkeyTarget) -> None:
        fixed: list[tuple[str, str]] = [*_FOR_EVERY_CALL, (f"{PREFIX}provider", target.slug)]
        if target.api_key:
            fixed.append(("authorization", bearer(target.api_key)))
        if target.custom_host:
            fixed.append((f"{PREFIX}custom-host", target.custom_host.rstrip("/")))
        self._forwarded: list[str] = []
        for name, value in target.headers:
            fixed.append((name.lower(), value))
            if not name.lower().startswith(PREFIX):
                self._forwarded.append(name.lower())
        self._fixed = tuple(fixed)

    def for_call(
        self,
        *,
        timeout_s: float,
        request_id: str,
        vendor_headers: Sequence[tuple[str, str]] = (),
        gateway_key: str | None = None,
        trace: Sequence[tuple[str, str]] = (),
    ) -> list[tuple[str, str]]:
        """All headers of one call. `timeout_s` bounds the provider's response headers.

        `vendor_headers` are the caller's own and reach the provider; none of them can speak to the
        gateway, and none replaces what the operator configured.
        """
        headers = [*self._fixed, (f"{PREFIX}request-timeout", str(timeout_ms(timeout_s)))]
        headers += trace  # for the gateway itself: it forwards only what it is told to
        if request_id:
            headers.append((f"{PREFIX}trace-id", request_id))
        if gateway_key:
            headers.append((f"{PREFIX}api-key", gateway_key))
        names = self._forwarded
        if vendor_headers:
            taken = {name for name, _ in headers}
            passed_on = [
                (name.lower(), value)
                for name, value in vendor_headers
                if not name.lower().startswith(PREFIX) and name.lower() not in taken
            ]
            headers += passed_on
            names = [*names, *dict.fromkeys(name for name, _ in passed_on)]
        if names:
            headers.append((f"{PREFIX}forward-headers", ",".join(names)))
        return headers


def bearer(key: str) -> str:
    """The value of `Authorization`; a key that already says `Bearer` is left as it is."""
    return key if key.startswith("Bearer ") else f"Bearer {key}"


def timeout_ms(timeout_s: float) -> int:
    """What the gateway is given: whole milliseconds, at least one, a little less than our own bound."""
    return max(1, int(timeout_s * 1000) - _TIMEOUT_MARGIN_MS)

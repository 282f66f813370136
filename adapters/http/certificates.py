"""When the certificates of others end: noted from the connections that are made anyway."""

import ssl
from collections.abc import Mapping
from typing import Final

HOSTS_MAX: Final = 256


class CertificateBook:
    """The end of the newest certificate seen of each host, in seconds since 1970; a bounded number."""

    def __init__(self) -> None:
        self._ends_s: dict[str, float] = {}

    def seen(self, host: str, ends: str) -> None:
        """As `CertificateSeen` of the dialer; what cannot be read is left out."""
        try:
            at = float(ssl.cert_time_to_seconds(ends))
        except ValueError:
            return
        self._ends_s.pop(host, None)
        self._ends_s[host] = at
        if len(self._ends_s) > HOSTS_MAX:
            del self._ends_s[next(iter(self._ends_s))]

    def ends_s(self) -> Mapping[str, float]:
        """By host."""
        return dict(self._ends_s)

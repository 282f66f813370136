"""TLS for drivers that are given an address and would check that instead of the name."""

import ssl
from typing import Any


class NamedContext(ssl.SSLContext):
    """Checks and asks for one name, whatever the driver says of names.

    For oracledb: it turns `check_hostname` off and passes no name, to compare certificates itself with the
    host it was given, which here is an address.
    """

    _name: str

    @classmethod
    def of(cls, name: str, ca_pem: str, *, verify: bool) -> "NamedContext":
        """TLS 1.2 at least. Raises ssl.SSLError for what is no PEM."""
        made = cls(ssl.PROTOCOL_TLS_CLIENT)
        made.minimum_version = ssl.TLSVersion.TLSv1_2
        if ca_pem:
            made.load_verify_locations(cadata=ca_pem)
        else:
            made.load_default_certs()
        if not verify:
            ssl.SSLContext.check_hostname.__set__(made, False)  # type: ignore[attr-defined]
            made.verify_mode = ssl.CERT_NONE
        made._name = name
        return made

    @property
    def check_hostname(self) -> bool:
        return bool(super().check_hostname)

    @check_hostname.setter
    def check_hostname(self, value: bool) -> None:
        """What was decided stays."""

    def wrap_bio(self, incoming: Any, outgoing: Any, *arguments: Any, **named: Any) -> ssl.SSLObject:
        named["server_hostname"] = self._name
        return super().wrap_bio(incoming, outgoing, *arguments, **named)

    def wrap_socket(self, sock: Any, *arguments: Any, **named: Any) -> ssl.SSLSocket:
        named["server_hostname"] = self._name
        return super().wrap_socket(sock, *arguments, **named)

"""A connection to an address that the user of a command names."""

import os
import ssl
from http.client import HTTPConnection, HTTPSConnection
from urllib.parse import urlsplit


def connection_to(url: str, timeout_s: float, *, cert_file: str | None = None) -> HTTPConnection:
    """Not yet opened. `cert_file`: a certificate of this machine, trusted whatever name is in it.

    Certificates are checked against the machine's authorities and those in INTERCHANGE_CA_FILE.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme != "https":
        return HTTPConnection(host, parts.port, timeout=timeout_s)
    context = ssl.create_default_context()
    if own := os.environ.get("INTERCHANGE_CA_FILE"):
        context.load_verify_locations(cafile=own)
    elif cert_file is not None:
        context = ssl.create_default_context(cafile=cert_file)
        context.check_hostname = False
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return HTTPSConnection(host, parts.port, timeout=timeout_s, context=context)

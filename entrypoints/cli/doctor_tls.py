"""What `interchange doctor` says about certificates and addresses in front of the server."""

from collections.abc import Iterator
from datetime import UTC, datetime
from ipaddress import ip_address

from entrypoints.cli.findings import Finding
from entrypoints.config.loading import LoadedSettings
from entrypoints.jobs.listener_tls import WARN_BEFORE_S, CertificateUnusable, check_pair


def certificate_findings(loaded: LoadedSettings, now: datetime | None = None) -> Iterator[Finding]:
    """Whether the listener's certificate can be used, and for how long."""
    server = loaded.settings.server
    if server.tls is None:
        if not _on_this_machine(server.host) and not server.trusted_proxies:
            yield Finding(
                "tls",
                "note",
                f"plain HTTP on {server.host}: keys and prompts travel unencrypted",
                "set server.tls, or end TLS in front and name that proxy in server.trusted_proxies",
            )
        return
    try:
        certificate = check_pair(server.tls.cert_file, server.tls.key_file)
    except CertificateUnusable as error:
        yield Finding("tls", "fail", str(error), "name a certificate and its key in server.tls")
        return
    left_s = certificate.left_s(now or datetime.now(UTC))  # noqa: TID251 - a command has no clock to be given
    text = f"{certificate.subject}, until {certificate.ends_at.date().isoformat()}"
    if left_s <= 0:
        yield Finding("tls", "fail", f"{text}: it ended", "renew it; the server takes the new file over")
    elif left_s < WARN_BEFORE_S:
        yield Finding("tls", "note", f"{text}: {left_s / 86_400:.0f} days left", "renew it")
    else:
        yield Finding("tls", "ok", text)


def _on_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False

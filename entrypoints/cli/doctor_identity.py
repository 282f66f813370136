"""What `interchange doctor` says about the issuers of callers' tokens."""

from collections.abc import Iterator

from entrypoints.cli.findings import Finding
from entrypoints.config.loading import LoadedSettings

_ADVICE = "open its /.well-known/openid-configuration from here; see identity.issuers and egress"


def identity_findings(loaded: LoadedSettings) -> Iterator[Finding]:
    """Asks each issuer for its description and its keys, through the same way out as the server."""
    from entrypoints.main import issuer_facts

    if not loaded.settings.identity.issuers:
        return
    for told in issuer_facts(loaded):
        if told.problem:
            yield Finding("identity", "fail", f"{told.issuer}: {told.problem}", _ADVICE)
        else:
            yield Finding("identity", "ok", f"{told.issuer}: {told.keys} usable keys")

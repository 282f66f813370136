"""TLS 1.3 unless an operator lists the host; settings that cannot work fail at start."""

import ssl
from pathlib import Path

import pytest
import trustme

from adapters.http.limits import TransportLimits
from adapters.http.proxy import OutboundProxy
from adapters.http.response_headers import ends_with_connection, idle_timeout_s
from adapters.http.tls import TlsPolicy
from application.ports.http import Endpoint


def test_tls_1_2_is_an_opt_in_per_host() -> None:
    policy = TlsPolicy(tls12_hosts=["Old.Example"])
    assert policy(Endpoint("https", "new.example", 443)).minimum_version is ssl.TLSVersion.TLSv1_3
    old = policy(Endpoint("https", "old.example", 443))
    assert old.minimum_version is ssl.TLSVersion.TLSv1_2
    assert old.check_hostname and old.verify_mode is ssl.CERT_REQUIRED


def test_an_own_authority_is_trusted_besides_the_machines(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(file))
    plain, extended = TlsPolicy(), TlsPolicy(ca_files=[str(file)])
    endpoint = Endpoint("https", "a.example", 443)
    assert len(extended(endpoint).get_ca_certs()) == len(plain(endpoint).get_ca_certs()) + 1


def test_a_bad_authority_file_shows_at_start(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("not a certificate")
    with pytest.raises(ssl.SSLError):
        TlsPolicy(ca_files=[str(file)])


def test_the_proxys_credentials_are_not_shown_and_must_be_a_header_value() -> None:
    assert "s3cret" not in repr(OutboundProxy(host="p", port=1, authorization="Basic s3cret"))
    with pytest.raises(ValueError, match="header value"):
        OutboundProxy(host="p", port=1, authorization="a\r\nb")


def test_limits_that_allow_nothing_are_rejected() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        TransportLimits(connections_per_endpoint_max=0)
    with pytest.raises(ValueError, match="negative"):
        TransportLimits(idle_timeout_s=-1)


@pytest.mark.parametrize(
    ("value", "expected_s"),
    [
        ("timeout=5", 4.5),
        ("max=3, Timeout = 2", 1.5),
        ("timeout=99", 15.0),
        ("timeout=x", 15.0),
        ("timeout=0", 0.0),
    ],
)
def test_the_idle_time_is_the_shorter_of_ours_and_theirs(value: str, expected_s: float) -> None:
    assert idle_timeout_s([("x", "y"), ("keep-alive", value)], 15.0) == expected_s


def test_only_a_body_without_length_ends_with_its_connection() -> None:
    assert ends_with_connection([("content-type", "a")])
    assert not ends_with_connection([("content-length", "1")])
    assert not ends_with_connection([("transfer-encoding", "chunked")])

"""HTTPS of our own: what is offered, what is refused at the start, and a renewed certificate in use."""

import json
import os
import signal
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trustme

from entrypoints.cli.api_client import ApiClient
from entrypoints.cli.doctor_tls import certificate_findings
from entrypoints.jobs.listener_tls import (
    CertificateUnusable,
    CertificateWatch,
    check_pair,
    listener_gauges,
    read_certificate,
)
from entrypoints.settings import load_settings
from tests.unit.jobs.test_supervisor import Served, eventually

NOW = datetime(2030, 1, 1, tzinfo=UTC)


class Files:
    """A certificate and its key on disk, written anew by `renew`."""

    def __init__(self, folder: Path) -> None:
        self.authority = trustme.CA()
        self.cert, self.key = folder / "cert.pem", folder / "key.pem"
        self.authority.cert_pem.write_to_path(str(folder / "ca.pem"))
        self.renew()

    def renew(self, ends_at: datetime | None = None) -> None:
        issued = self.authority.issue_cert("gateway.test", "127.0.0.1", not_after=ends_at)
        chain = b"".join(blob.bytes() for blob in issued.cert_chain_pems)
        self.cert.write_bytes(chain)
        self.key.write_bytes(issued.private_key_pem.bytes())

    def client(self, newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
        context = ssl.create_default_context()
        self.authority.configure_trust(context)
        context.maximum_version = newest
        return context


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


@pytest.fixture
def served(files: Files, tmp_path: Path) -> Iterator[Served]:
    tls = {"cert_file": str(files.cert), "key_file": str(files.key)}
    running = Served(tmp_path / "data", tls=tls).wait_until_up()
    yield running
    if running.process.poll() is None:
        running.end()


def serial(url: str, context: ssl.SSLContext) -> str:
    parts = urlsplit(url)
    address = (parts.hostname or "", parts.port or 0)
    with (
        socket.create_connection(address, timeout=10) as plain,
        context.wrap_socket(plain, server_hostname="gateway.test") as secured,
    ):
        found = secured.getpeercert()
    assert found is not None
    return str(found["serialNumber"])


def test_https_is_served_with_tls_1_3_and_a_renewed_certificate_is_taken_over(
    files: Files, served: Served
) -> None:
    assert served.url.startswith("https://")
    first = serial(served.url, files.client())
    with pytest.raises(ssl.SSLError):
        serial(served.url, files.client(ssl.TLSVersion.TLSv1_2))
    state = json.loads((served.data_dir / "server.json").read_text())
    assert ApiClient(served.url, "", cert_file=state["cert_file"]).call("GET", "/")

    files.renew()
    [web] = _children(served.process.pid)
    os.kill(web, signal.SIGHUP)

    eventually(lambda: serial(served.url, files.client()) != first)


def _children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(word) for word in text.split()]


def test_files_that_do_not_belong_together_keep_the_server_from_starting(
    files: Files, tmp_path: Path
) -> None:
    old = files.key.read_bytes()
    files.renew()
    files.key.write_bytes(old)
    served = Served(tmp_path / "data", tls={"cert_file": str(files.cert), "key_file": str(files.key)})

    assert served.process.wait(30) == 1
    assert "server.tls" in served.output()


def test_what_is_no_certificate_is_told_without_showing_it(files: Files, tmp_path: Path) -> None:
    check_pair(files.cert, files.key)
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("s3cret")
    for cert, key in (
        (nonsense, files.key),
        (files.cert, nonsense),
        (tmp_path / "absent", files.key),
        (files.cert, tmp_path / "absent"),
    ):
        with pytest.raises(CertificateUnusable) as refused:
            check_pair(cert, key)
        assert "s3cret" not in str(refused.value)


def test_renewed_files_are_noticed_once_and_bad_ones_are_left_alone(
    files: Files, caplog: pytest.LogCaptureFixture
) -> None:
    renewals: list[None] = []
    watch = CertificateWatch(files.cert, files.key, renewed=lambda: renewals.append(None), now=lambda: NOW)
    watch.look()
    assert not renewals

    files.renew(NOW + timedelta(days=90))
    watch.look()
    watch.look()
    assert len(renewals) == 1

    files.key.write_text("broken")
    watch.look()
    assert len(renewals) == 1
    assert "not taken over" in caplog.text


def test_the_end_is_told_once_a_day_and_counted(files: Files, caplog: pytest.LogCaptureFixture) -> None:
    files.renew(NOW + timedelta(days=3))
    now = [NOW]
    watch = CertificateWatch(files.cert, files.key, renewed=lambda: None, now=lambda: now[0])
    for _ in range(3):
        watch.look()
    assert caplog.text.count(" ends on ") == 1

    now[0] += timedelta(days=4)
    watch.look()
    assert caplog.text.count(" ended on ") == 1
    [gauge] = listener_gauges(files.cert)
    assert gauge.samples[0][1] == read_certificate(files.cert).ends_at.timestamp()
    assert not list(listener_gauges(None))


@pytest.mark.parametrize(("days", "verdict"), [(90, "ok"), (3, "note"), (-1, "fail")])
def test_the_doctor_tells_how_long_it_lasts(files: Files, tmp_path: Path, days: int, verdict: str) -> None:
    files.renew(NOW + timedelta(days=days))
    config = tmp_path / "interchange.yaml"
    config.write_text(f"server:\n  tls: {{cert_file: {files.cert}, key_file: {files.key}}}\n")
    loaded = load_settings({"INTERCHANGE_DATA_DIR": str(tmp_path)}, config_path=config)

    [finding] = certificate_findings(loaded, NOW)

    assert finding.verdict == verdict


def test_the_doctor_warns_of_plain_http_for_others(tmp_path: Path) -> None:
    def told(host: str) -> list[str]:
        loaded = load_settings({"INTERCHANGE_DATA_DIR": str(tmp_path), "HOST": host})
        return [finding.verdict for finding in certificate_findings(loaded, NOW)]

    assert told("127.0.0.1") == told("localhost") == []
    assert told("0.0.0.0") == ["note"]

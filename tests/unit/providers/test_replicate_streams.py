"""Where a prediction's stream may be: what the answer says is an address somebody else chose."""

import json

import pytest

from adapters.providers.replicate import _listening
from adapters.wire.replicate import Prediction, prediction_in
from application.ports.http import Endpoint, HttpRequest
from application.ports.llm import UpstreamFailed

OWN = "api.replicate.com"


def asked(host: str = OWN) -> HttpRequest:
    headers = [
        ("authorization", "Bearer key"),
        ("x-operators-proof", "secret"),
        ("user-agent", "interchange"),
    ]
    endpoint = Endpoint("https", host, 443)
    return HttpRequest("POST", endpoint, "/v1/models/a/b/predictions", headers, b"{}", 1.0, None, None, 9.0)


def predicted(stream_url: str) -> Prediction:
    body = {"id": "p1", "status": "starting", "urls": {"stream": stream_url}}
    return prediction_in(json.dumps(body).encode())


@pytest.mark.parametrize("host", ["stream.replicate.com", "stream-b.svc.rno2.c.replicate.net"])
def test_a_stream_at_replicates_other_hosts_gets_nothing_of_the_operators(host: str) -> None:
    request = _listening(asked(), predicted(f"https://{host}/v1/streams/x"))

    assert request.endpoint == Endpoint("https", host, 443)
    assert {name for name, _ in request.headers} == {"accept", "cache-control", "user-agent"}


@pytest.mark.parametrize(
    ("own", "url"),
    [
        (OWN, "https://evil.example/v1"),
        (OWN, "https://evilreplicate.com/v1"),
        (OWN, "https://api.replicate.com.evil.example/v1"),
        (OWN, "http://stream.replicate.com/v1"),
        (OWN, "https://169.254.169.254/latest/meta-data"),
        (OWN, "file:///etc/passwd"),
        (OWN, ""),
        ("replicate.corp.co.uk", "https://evil.co.uk/v1"),
        ("10.0.0.5", "https://192.168.0.5/v1"),
    ],
)
def test_a_stream_elsewhere_is_not_listened_to(own: str, url: str) -> None:
    with pytest.raises(UpstreamFailed, match="own address"):
        _listening(asked(own), predicted(url))

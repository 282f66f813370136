"""Signature Version 4 by AWS's published test suite (the request, and the signature it must get).

Source of the vectors: the Signature Version 4 test suite of AWS's developer guide, as kept in aws-c-auth.
Keys, region, service and time are the same in all of them.
"""

from datetime import UTC, datetime
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.providers.aws_signature import AwsKeys, Scope, canonical_path, canonical_query, signed
from application.ports.http import Endpoint, HttpRequest

KEYS = AwsKeys("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
SCOPE = Scope("us-east-1", "service")
NOW = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
PLAIN = "host;x-amz-date"
UNRESERVED = "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
TOKEN = "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267"

Headers = tuple[tuple[str, str], ...]
VECTORS: dict[str, tuple[str, str, Headers, str, str]] = {
    "get-header-key-duplicate": (
        "GET",
        "/",
        (("My-Header1", "value2"), ("My-Header1", "value2"), ("My-Header1", "value1")),
        "host;my-header1;x-amz-date",
        "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea",
    ),
    "get-header-value-order": (
        "GET",
        "/",
        tuple(("My-Header1", f"value{number}") for number in (4, 1, 3, 2)),
        "host;my-header1;x-amz-date",
        "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01",
    ),
    "get-header-value-trim": (
        "GET",
        "/",
        (("My-Header1", " value1"), ("My-Header2", ' "a   b   c"')),
        "host;my-header1;my-header2;x-amz-date",
        "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
    ),
    "get-relative-relative-normalized": (
        "GET",
        "/example1/example2/../..",
        (),
        PLAIN,
        "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
    ),
    "get-slash-pointless-dot-normalized": (
        "GET",
        "/./example",
        (),
        PLAIN,
        "ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5",
    ),
    "get-slashes-normalized": (
        "GET",
        "//example//",
        (),
        PLAIN,
        "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84",
    ),
    "get-space-normalized": (
        "GET",
        "/example space/",
        (),
        PLAIN,
        "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741",
    ),
    "get-unreserved": (
        "GET",
        f"/{UNRESERVED}",
        (),
        PLAIN,
        "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f",
    ),
    "get-utf8": (
        "GET",
        "/\u1234",
        (),
        PLAIN,
        "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85",
    ),
    "get-vanilla-empty-query-key": (
        "GET",
        "/?Param1=value1",
        (),
        PLAIN,
        "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb",
    ),
    "get-vanilla-query-order-encoded": (
        "GET",
        "/?Param-3=Value3&Param=Value2&%E1%88%B4=Value1",
        (),
        PLAIN,
        "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac",
    ),
    "get-vanilla-query-order-key-case": (
        "GET",
        "/?Param2=value2&Param1=value1",
        (),
        PLAIN,
        "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
    ),
    "get-vanilla-utf8-query": (
        "GET",
        "/?\u1234=bar",
        (),
        PLAIN,
        "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04",
    ),
    "post-vanilla": (
        "POST",
        "/",
        (),
        PLAIN,
        "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
    ),
    "post-header-key-sort": (
        "POST",
        "/",
        (("My-Header1", "value1"),),
        "host;my-header1;x-amz-date",
        "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c",
    ),
}


def asked(method: str, path: str, headers: Headers = (), body: bytes = b"") -> HttpRequest:
    return HttpRequest(method, Endpoint("https", "example.amazonaws.com", 443), path, headers, body)


def proof_of(request: HttpRequest) -> str:
    return dict(request.headers)["authorization"]


@pytest.mark.parametrize("name", VECTORS)
def test_a_published_request_gets_the_published_signature(name: str) -> None:
    method, path, headers, names, signature = VECTORS[name]
    request = signed(asked(method, path, headers), KEYS, SCOPE, NOW)
    assert proof_of(request) == (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        f"SignedHeaders={names}, Signature={signature}"
    )
    assert dict(request.headers)["x-amz-date"] == "20150830T123600Z"
    assert request.path == path, "what is sent stays as it is"


def test_the_token_of_temporary_keys_is_sent_and_signed_as_published() -> None:
    request = signed(asked("GET", "/"), KEYS._replace(session_token=TOKEN), SCOPE, NOW)
    assert dict(request.headers)["x-amz-security-token"] == TOKEN
    assert proof_of(request).endswith(
        "SignedHeaders=host;x-amz-date;x-amz-security-token, "
        "Signature=07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8"
    )


def test_headers_that_hops_may_change_are_not_signed_and_older_proofs_go() -> None:
    plain = signed(asked("POST", "/", body=b"{}"), KEYS, SCOPE, NOW)
    noise = (("user-agent", "x"), ("accept", "*/*"), ("authorization", "old"), ("x-amz-date", "old"))
    noisy = signed(asked("POST", "/", noise, b"{}"), KEYS, SCOPE, NOW)
    assert proof_of(noisy) == proof_of(plain)
    assert [name for name, _ in noisy.headers].count("authorization") == 1


def test_an_arn_in_the_path_is_encoded_once_more() -> None:
    sent = "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ax%2Fy/converse"
    assert canonical_path(sent) == sent.replace("%", "%25")


@settings(max_examples=60)
@given(st.lists(st.tuples(st.text(min_size=1, max_size=5), st.text(max_size=5)), max_size=5))
def test_the_order_of_parameters_does_not_matter(pairs: list[tuple[str, str]]) -> None:
    told = [f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in pairs]
    assert canonical_query("&".join(told)) == canonical_query("&".join(reversed(told)))


@settings(max_examples=60)
@given(st.binary(max_size=40), st.binary(max_size=40))
def test_every_body_has_a_signature_of_its_own(one: bytes, other: bytes) -> None:
    proofs = {proof_of(signed(asked("POST", "/", body=body), KEYS, SCOPE, NOW)) for body in (one, other)}
    assert len(proofs) == len({one, other})


def test_keys_are_never_shown() -> None:
    assert KEYS.secret_access_key not in repr(KEYS._replace(session_token=TOKEN))
    assert TOKEN not in repr(KEYS._replace(session_token=TOKEN))

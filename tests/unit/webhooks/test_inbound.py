"""Telling genuine webhooks of others from everything else."""

import hashlib
import hmac
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from domain.errors import InvalidRequest
from domain.vault.secret import SecretBytes
from domain.webhooks.inbound import UNDATED_KEPT_S, Genuine, NotGenuine, Source, check_genuine

NOW_S = 1_772_368_215
BODY = json.dumps({"type": "payment", "amount": 7}).encode()
STANDARD = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SECRET = b"whsec_or_whatever_else"


def signed(source: Source, body: bytes = BODY, at_s: int = NOW_S, secret: bytes = SECRET) -> dict[str, str]:
    """Headers as the source sends them, by its own published rule."""

    def digest(text: bytes) -> str:
        return hmac.new(secret, text, hashlib.sha256).hexdigest()

    if source is Source.STANDARD_WEBHOOKS:
        at = datetime.fromtimestamp(at_s, UTC)
        return {
            "webhook-id": "msg_1",
            "webhook-timestamp": str(at_s),
            "webhook-signature": Webhook(secret.decode()).sign("msg_1", at, body.decode()),
        }
    if source is Source.STRIPE:
        return {"stripe-signature": f"t={at_s},v1={digest(f'{at_s}.'.encode() + body)},v0=aa"}
    if source is Source.GITHUB:
        return {"x-hub-signature-256": f"sha256={digest(body)}", "x-github-delivery": "72d3162e"}
    return {
        "x-slack-request-timestamp": str(at_s),
        "x-slack-signature": f"v0={digest(f'v0:{at_s}:'.encode() + body)}",
    }


def key_of(source: Source) -> bytes:
    return STANDARD.encode() if source is Source.STANDARD_WEBHOOKS else SECRET


def checked(source: Source, headers: dict[str, str], body: bytes = BODY, *secrets: bytes) -> Genuine:
    keys = [SecretBytes(each) for each in secrets or (key_of(source),)]
    return check_genuine(source, keys, headers, body)


@pytest.mark.parametrize("source", Source)
def test_what_its_source_signed_is_genuine(source: Source) -> None:
    genuine = checked(source, signed(source, secret=key_of(source)))

    assert genuine.message_id == ("msg_1" if source is Source.STANDARD_WEBHOOKS else "")
    assert genuine.sent_at_s == (None if source is Source.GITHUB else NOW_S)


def test_published_examples_of_the_sources_are_genuine() -> None:
    github = {
        "x-hub-signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    }
    assert checked(Source.GITHUB, github, b"Hello, World!", b"It's a Secret to Everybody")
    slack = {
        "x-slack-signature": "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
        "x-slack-request-timestamp": "1531420618",
    }
    body = (
        b"token="
        b"xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&"
        b"channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&"
        b"response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F"
        b"96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    )
    assert checked(Source.SLACK, slack, body, b"8f742231b10e8888abcd99yyyzzz85a5").sent_at_s == 1531420618


@pytest.mark.parametrize("source", Source)
def test_while_a_secret_is_replaced_either_will_do(source: Source) -> None:
    other = b"whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
    headers = signed(source, secret=key_of(source))

    assert checked(source, headers, BODY, other, key_of(source))
    with pytest.raises(NotGenuine):
        checked(source, headers, BODY, other)


@pytest.mark.parametrize("source", Source)
def test_the_same_message_again_has_the_same_fingerprint_and_no_other_has(source: Source) -> None:
    key = key_of(source)
    first = checked(source, signed(source, secret=key))
    assert checked(source, signed(source, secret=key)).fingerprint == first.fingerprint
    assert checked(source, signed(source, b"{}", secret=key), b"{}").fingerprint != first.fingerprint
    if source is not Source.GITHUB:
        later = checked(source, signed(source, at_s=NOW_S + 1, secret=key))
        assert later.fingerprint != first.fingerprint


def test_a_header_that_is_not_signed_makes_no_new_message() -> None:
    headers = signed(Source.GITHUB)

    one = checked(Source.GITHUB, headers)
    again = checked(Source.GITHUB, {**headers, "x-github-delivery": "another"})

    assert one.fingerprint == again.fingerprint


@given(st.sampled_from(Source), st.data())
def test_whatever_is_changed_it_is_not_genuine(source: Source, data: st.DataObject) -> None:
    headers = signed(source, secret=key_of(source))
    signing = [name for name in headers if name != "x-github-delivery"]
    name = data.draw(st.sampled_from([*signing, "body"]))
    if name == "body":
        body = data.draw(st.binary(max_size=40).filter(lambda other: other != BODY))
    else:
        body = BODY
        value = data.draw(st.text(max_size=200).filter(lambda other: other != headers[name]))
        headers = {**headers, name: value}
        if data.draw(st.booleans()):
            del headers[name]

    with pytest.raises(NotGenuine):
        checked(source, headers, body)


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "v1",
        "v1,",
        "v1,!!!",
        "v1,é",
        "v1a,AAAA",
        "v2,AAAA v1,====",
        "v1,AAAA " * 400,
    ],
)
def test_every_malformed_signature_is_one_answer(signature: str) -> None:
    headers = {**signed(Source.STANDARD_WEBHOOKS, secret=STANDARD.encode()), "webhook-signature": signature}

    with pytest.raises(NotGenuine) as refused:
        checked(Source.STANDARD_WEBHOOKS, headers)

    assert str(refused.value) == ""


@pytest.mark.parametrize(
    "value",
    [
        "",
        "t=1",
        "v1=aa",
        "t=1,t=1,v1=aa",
        "t=x,v1=aa",
        "t=-1,v1=aa",
        f"t=1,v1={'g' * 64}",
        "t=1" + ",v1=a" * 99,
    ],
)
def test_every_malformed_header_of_stripe_is_one_answer(value: str) -> None:
    with pytest.raises(NotGenuine):
        checked(Source.STRIPE, {"stripe-signature": value})


def test_a_secret_that_is_none_is_said_and_not_shown() -> None:
    with pytest.raises(InvalidRequest) as refused:
        checked(
            Source.STANDARD_WEBHOOKS,
            signed(Source.STANDARD_WEBHOOKS, secret=STANDARD.encode()),
            BODY,
            b"hunter2",
        )

    assert "hunter2" not in str(refused.value)


def test_how_long_a_message_counts() -> None:
    dated, undated = Genuine("", NOW_S, b""), Genuine("", None, b"")

    assert dated.timely(NOW_S + 300) and dated.timely(NOW_S - 300)
    assert not dated.timely(NOW_S + 301) and not dated.timely(NOW_S - 301)
    assert undated.timely(0.0)
    assert dated.known_until_s(NOW_S) > NOW_S + 300
    assert undated.known_until_s(NOW_S) == NOW_S + UNDATED_KEPT_S


def test_a_piece_of_a_genuine_message_is_no_message_of_its_own() -> None:
    inner = b'{"type": "payment", "amount": 1000000}'
    body = b'{"note": "x.' + str(NOW_S + 9).encode() + b"." + inner
    headers = signed(Source.STANDARD_WEBHOOKS, body, secret=STANDARD.encode())
    cut = {
        **headers,
        "webhook-id": f'msg_1.{NOW_S}.{{"note": "x',
        "webhook-timestamp": str(NOW_S + 9),
    }

    assert checked(Source.STANDARD_WEBHOOKS, headers, body).message_id == "msg_1"
    with pytest.raises(NotGenuine):
        checked(Source.STANDARD_WEBHOOKS, cut, inner)

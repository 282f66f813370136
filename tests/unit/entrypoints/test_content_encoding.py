"""Compressed request bodies: what comes out, and what a small body must never become."""

import gzip
import zlib
from collections.abc import Callable

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidRequest, RequestTooLarge
from entrypoints.http.content_encoding import decoder_for

COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "zstd": zstandard.compress,
    " GZip ": gzip.compress,
}


@pytest.mark.parametrize("encoding", COMPRESSORS)
@given(plain=st.binary(max_size=2000))
def test_what_was_compressed_comes_out_again(encoding: str, plain: bytes) -> None:
    decode = decoder_for(encoding)
    assert decode is not None
    assert decode(COMPRESSORS[encoding](plain), 2000) == plain


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_a_body_of_several_members_is_their_sum(encoding: str) -> None:
    decode = decoder_for(encoding)
    assert decode is not None
    assert decode(COMPRESSORS[encoding](b"one ") + COMPRESSORS[encoding](b"two"), 100) == b"one two"


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd"])
def test_the_limit_holds_for_what_comes_out(encoding: str) -> None:
    decode = decoder_for(encoding)
    assert decode is not None
    assert len(decode(COMPRESSORS[encoding](bytes(1000)), 1000)) == 1000
    with pytest.raises(RequestTooLarge):
        decode(COMPRESSORS[encoding](bytes(1001)), 1000)
    with pytest.raises(RequestTooLarge):
        decode(COMPRESSORS[encoding](bytes(50_000_000)), 1000)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd"])
def test_what_is_not_compressed_is_refused(encoding: str) -> None:
    decode = decoder_for(encoding)
    assert decode is not None
    with pytest.raises(InvalidRequest) as refused:
        decode(b'{"model":"m"}', 1000)
    assert refused.value.param == "content-encoding"


def test_a_cut_gzip_body_is_refused() -> None:
    decode = decoder_for("gzip")
    assert decode is not None
    with pytest.raises(InvalidRequest):
        decode(gzip.compress(b"hello there")[:-4], 1000)


@pytest.mark.parametrize("encoding", ["br", "gzip, zstd", "compress"])
def test_other_encodings_are_refused_with_the_allowed_ones(encoding: str) -> None:
    with pytest.raises(InvalidRequest, match="gzip, deflate, zstd, identity"):
        decoder_for(encoding)


@pytest.mark.parametrize("encoding", ["", "identity", "Identity"])
def test_identity_needs_no_decoder(encoding: str) -> None:
    assert decoder_for(encoding) is None


def test_a_body_of_very_many_empty_members_is_refused_at_once() -> None:
    decode = decoder_for("gzip")
    assert decode is not None

    with pytest.raises(InvalidRequest, match="content-encoding"):
        decode(gzip.compress(b"") * 200_000, 2000)

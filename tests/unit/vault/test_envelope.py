"""Envelopes: what was sealed opens in its place, and nothing else does."""

import asyncio
from typing import Final

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.crypto.envelope import AesGcmEnvelope, commitment
from adapters.crypto.keyring import EnvironmentKeys
from domain.errors import CredentialDamaged, VaultLocked
from domain.vault.credential import CredentialAddress, canonical
from domain.vault.secret import SecretBytes

KEYS: Final = EnvironmentKeys(f"k1:{'1f' * 32},k2:{'2e' * 32}")
ENVELOPE: Final = AesGcmEnvelope(KEYS)
ADDRESS: Final = CredentialAddress("acme", "provider", "cred_1", "openai", "api_key", 3)
PLAIN: Final = b"sk-live-4242"


def sealed(plain: bytes = PLAIN, address: CredentialAddress = ADDRESS, key_id: str = "k1") -> bytes:
    return asyncio.run(ENVELOPE.seal(address, key_id, SecretBytes(plain)))


def opened(blob: bytes, address: CredentialAddress = ADDRESS, key_id: str = "k1") -> bytes:
    return asyncio.run(ENVELOPE.open(address, key_id, blob)).reveal()


SEALED: Final = sealed()

NIST: Final = [
    # NIST CAVP gcmEncryptExtIV256: Keylen 256, IVlen 96, PTlen 128, AADlen 128, Taglen 128, Count 0.
    (
        "92e11dcdaa866f5ce790fd24501f92509aacf4cb8b1339d50c9c1240935dd08b",
        "ac93a1a6145299bde902f21a",
        "2d71bcfa914e4ac045b2aa60955fad24",
        "1e0889016f67601c8ebea4943bc23ad6",
        "8995ae2e6df3dbf96fac7b7137bae67f",
        "eca5aa77d51d4a0a14d9c51e1da474ab",
    ),
    # McGrew and Viega, test case 16: 256-bit key, 60 bytes of text, 20 of associated data.
    (
        "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
        "cafebabefacedbaddecaf888",
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525"
        "b16aedf5aa0de657ba637b39",
        "feedfacedeadbeeffeedfacedeadbeefabaddad2",
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838"
        "c5f61e6393ba7a0abcc9f662",
        "76fc6ece0f4e1768cddf8853bb2d551b",
    ),
    # McGrew and Viega, test case 13: nothing at all.
    ("00" * 32, "00" * 12, "", "", "", "530f8afbc74536b9a963b4f1c4cb738b"),
]


@pytest.mark.parametrize(("key", "nonce", "plain", "aad", "text", "tag"), NIST)
def test_the_cipher_is_the_standard_one(
    key: str, nonce: str, plain: str, aad: str, text: str, tag: str
) -> None:
    made = AESGCM(bytes.fromhex(key)).encrypt(*(bytes.fromhex(each) for each in (nonce, plain, aad)))

    assert made.hex() == text + tag


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=2000))
def test_what_was_sealed_opens(plain: bytes) -> None:
    blob = sealed(plain)

    assert opened(blob) == plain
    assert len(plain) < 8 or plain not in blob


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(SEALED) * 8 - 1))
def test_any_changed_bit_is_noticed(bit: int) -> None:
    changed = bytearray(SEALED)
    changed[bit // 8] ^= 1 << (bit % 8)

    with pytest.raises(CredentialDamaged):
        opened(bytes(changed))


def test_anything_missing_or_added_is_noticed() -> None:
    for length in range(len(SEALED)):
        with pytest.raises(CredentialDamaged):
            opened(SEALED[:length])
    for longer in (SEALED + b"\x00", SEALED + SEALED, b"\x00" + SEALED):
        with pytest.raises(CredentialDamaged):
            opened(longer)


NAMES = st.text("ab:1", max_size=3)
ADDRESSES = st.builds(CredentialAddress, NAMES, NAMES, NAMES, NAMES, NAMES, st.integers(1, 3))


@settings(max_examples=100, deadline=None)
@given(ADDRESSES, ADDRESSES)
def test_it_opens_in_its_own_place_only(here: CredentialAddress, there: CredentialAddress) -> None:
    blob = sealed(address=here)

    if here == there:
        assert opened(blob, there) == PLAIN
    else:
        with pytest.raises(CredentialDamaged):
            opened(blob, there)


@settings(max_examples=100, deadline=None)
@given(ADDRESSES, ADDRESSES, st.sampled_from(["data", "key"]), st.sampled_from(["data", "key"]))
def test_no_two_places_are_the_same_bytes(
    here: CredentialAddress, there: CredentialAddress, layer: str, other: str
) -> None:
    same = (here, layer) == (there, other)

    assert (canonical(here.context("k", layer)) == canonical(there.context("k", other))) is same


def test_the_keys_name_is_part_of_it() -> None:
    with pytest.raises(CredentialDamaged):
        opened(SEALED, key_id="k2")
    with pytest.raises(CredentialDamaged):
        opened(SEALED.replace(b"k1", b"k2", 1), key_id="k2")
    with pytest.raises(VaultLocked):
        opened(SEALED.replace(b"k1", b"k3", 1), key_id="k3")


def test_a_wrapped_key_of_another_envelope_is_noticed() -> None:
    """Same address, same master key: the commitment and the tag still tell."""
    other = sealed(b"another secret")
    head = 2 + 2 + 2
    wrapped = int.from_bytes(SEALED[4:6], "big")

    mixed = SEALED[:head] + other[head : head + wrapped] + SEALED[head + wrapped :]

    with pytest.raises(CredentialDamaged):
        opened(mixed)


def test_a_text_that_opens_under_another_key_too_is_refused_by_the_commitment() -> None:
    """GCM does not commit to its key: the envelope has to. Here is one made for another key."""
    other_key, nonce = b"o" * 32, b"n" * 12
    place = canonical(ADDRESS.context("k1", "data"))
    wrapped = asyncio.run(KEYS.wrap("k1", SecretBytes(other_key), ADDRESS.context("k1", "key")))
    text = AESGCM(other_key).encrypt(nonce, PLAIN, place)

    def envelope(committed: bytes) -> bytes:
        return b"\x01\x02k1" + len(wrapped).to_bytes(2, "big") + wrapped + committed + nonce + text

    assert opened(envelope(commitment(other_key))) == PLAIN
    with pytest.raises(CredentialDamaged):
        opened(envelope(commitment(b"x" * 32)))

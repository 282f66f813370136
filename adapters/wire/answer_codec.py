"""Kept answers as bytes, for every store outside the process.

    version (1 byte) | length of the tenant's id (2 bytes, big-endian) | the id | sealed

What is sealed begins with how it is packed, then the fields in msgpack. The tenant's id stands outside so
that a seal with keys per tenant can find its key; inside it stands once more, and both must agree.
"""

from typing import Final

import msgspec
import zstandard

from application.ports.entry_seal import EntrySeal, NoSeal
from domain.caching.entry import CachedAnswer

VERSION: Final = 1
"""Counted up with every change of the fields or the format: what others wrote is then not there."""
PACKED_FROM_BYTES: Final = 512
PLAIN_BYTES_MAX: Final = 32 * 1024 * 1024
_LEVEL: Final = 1
_TENANT_BYTES_MAX: Final = 0xFFFF
_AS_IT_IS: Final = b"\x00"
_ZSTANDARD: Final = b"\x01"
_HEAD_BYTES: Final = 3


class AnswerCodec:
    """Used by one thread at a time."""

    def __init__(self, seal: EntrySeal | None = None) -> None:
        self._seal = seal or NoSeal()
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder = msgspec.msgpack.Decoder(CachedAnswer)
        self._compressor = zstandard.ZstdCompressor(level=_LEVEL)
        self._decompressor = zstandard.ZstdDecompressor()

    def encode(self, answer: CachedAnswer) -> bytes:
        """Raises ValueError for what no store could keep (texts that are none, numbers or bodies beyond
        reason), StoreUnavailable where it cannot be sealed."""
        try:
            plain = self._encoder.encode(answer)
            tenant = answer.tenant_id.encode()
        except OverflowError as error:
            raise ValueError(str(error)) from error
        if len(plain) > PLAIN_BYTES_MAX or len(tenant) > _TENANT_BYTES_MAX:
            raise ValueError(f"an answer of {len(plain)} bytes is not kept; at most {PLAIN_BYTES_MAX}")
        if len(plain) < PACKED_FROM_BYTES:
            packed = _AS_IT_IS + plain
        else:
            packed = _ZSTANDARD + self._compressor.compress(plain)
        head = bytes((VERSION,)) + len(tenant).to_bytes(2, "big") + tenant
        return head + self._seal.seal(answer.tenant_id, answer.key, packed)

    def decode(self, key: bytes, data: bytes) -> CachedAnswer | None:
        """What was filed under `key`. None: damaged, of another version, or of another key."""
        try:
            if data[0] != VERSION:
                return None
            end = _HEAD_BYTES + int.from_bytes(data[1:_HEAD_BYTES], "big")
            tenant_id = data[_HEAD_BYTES:end].decode()
            packed = self._seal.open(tenant_id, key, data[end:])
            if packed is None:
                return None
            answer = self._decoder.decode(self._unpacked(packed))
        except (IndexError, ValueError, msgspec.MsgspecError, zstandard.ZstdError):
            return None
        return answer if answer.key == key and answer.tenant_id == tenant_id else None

    def _unpacked(self, packed: bytes) -> bytes:
        how, content = packed[:1], packed[1:]
        if how == _AS_IT_IS:
            return content
        if how != _ZSTANDARD:
            raise ValueError("packed in a way unknown here")
        # Asked before anything is allocated; -1 is what a frame says that does not know.
        if not 0 <= zstandard.frame_content_size(content) <= PLAIN_BYTES_MAX:
            raise ValueError("would unpack beyond bounds")
        return self._decompressor.decompress(content)

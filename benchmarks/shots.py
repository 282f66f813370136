"""What is sent: the bodies, and a request as every contender wants it."""

import json
from dataclasses import dataclass

BODY_SIZES_BYTES = {"1 KB": 1024, "10 KB": 10 * 1024, "100 KB": 100 * 1024}
_TURN_CHARS = 900


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """One request, always the same, to one address."""

    host: str
    port: int
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}{self.path}"

    def raw(self) -> bytes:
        """The bytes on the wire."""
        lines = [f"POST {self.path} HTTP/1.1", f"host: {self.host}:{self.port}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        lines.append(f"content-length: {len(self.body)}")
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + self.body


def chat_body(model: str, size_bytes: int, *, stream: bool = False) -> bytes:
    """A chat of exactly `size_bytes`: turns of about 1 KB, as an agent's history has them."""
    turns = max(1, size_bytes // (_TURN_CHARS + 60))
    turns -= 1 - turns % 2  # the first and the last are the user's

    def body(texts: list[str]) -> bytes:
        chat: dict[str, object] = {
            "model": model,
            "messages": [
                {"role": "assistant" if place % 2 else "user", "content": text}
                for place, text in enumerate(texts)
            ],
            "max_tokens": 150,
        }
        if stream:
            chat |= {"stream": True, "stream_options": {"include_usage": True}}
        return json.dumps(chat, separators=(",", ":")).encode()

    room = size_bytes - len(body([""] * turns))
    texts = [_words(room // turns)] * (turns - 1)
    texts.append(_words(room - sum(map(len, texts))))
    return body(texts)


def _words(chars: int) -> str:
    text = "a caller asks for something that takes a few words to say "
    return (text * (chars // len(text) + 1))[:chars]

"""A request on its way to being sent: what credentials add to, and what is signed."""

from dataclasses import dataclass, field

Header = tuple[str, str]


@dataclass(slots=True, kw_only=True)
class Draft:
    """`target` is the path with its query. Each attempt is proven on a copy of its own."""

    method: str
    target: str
    headers: list[Header] = field(default_factory=list)
    body: bytes = b""

    def copy(self) -> "Draft":
        return Draft(method=self.method, target=self.target, headers=list(self.headers), body=self.body)

    def set_header(self, name: str, value: str) -> None:
        """`name` in lower case; there is one of it afterwards."""
        self.headers = [pair for pair in self.headers if pair[0] != name]
        self.headers.append((name, value))

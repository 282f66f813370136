"""What the stand-in for Google Cloud Storage keeps: objects with generations, and how they are listed."""

import base64
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import google_crc32c
from aiohttp import web


class Refused(Exception):
    def __init__(
        self, status: int, reason: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.reason, self.message = status, reason, message
        self.headers = dict(headers or {})

    def answer(self) -> web.Response:
        about = {"message": self.message, "domain": "global", "reason": self.reason}
        body = {"error": {"code": self.status, "message": self.message, "errors": [about]}}
        return web.json_response(body, status=self.status, headers=self.headers)


class Stored(NamedTuple):
    name: str
    generation: int
    content: bytes
    about: dict[str, Any]
    updated_s: float
    deleted_s: float | None = None

    @property
    def crc32c(self) -> str:
        return crc32c(self.content)

    def resource(self, bucket: str) -> dict[str, Any]:
        moment = _moment(self.updated_s)
        said = {
            "kind": "storage#object",
            "name": self.name,
            "bucket": bucket,
            "generation": str(self.generation),
            "metageneration": "1",
            "size": str(len(self.content)),
            "updated": moment,
            "timeCreated": moment,
            "crc32c": self.crc32c,
            "etag": base64.b64encode(str(self.generation).encode()).decode(),
            "contentType": self.about.get("contentType", "application/octet-stream"),
        }
        if self.about.get("metadata"):
            said["metadata"] = self.about["metadata"]
        if self.deleted_s is not None:
            said["timeDeleted"] = _moment(self.deleted_s)
        return said


class Buckets:
    """Generations only grow. `versioning`: buckets that keep older ones."""

    def __init__(self) -> None:
        self.buckets: dict[str, dict[str, list[Stored]]] = {}
        self.versioning: set[str] = set()
        self._last = int(time.time() * 1e6)

    def make_bucket(self, name: str, *, versioning: bool = True) -> str:
        self.buckets[name] = {}
        if versioning:
            self.versioning.add(name)
        return name

    def bucket(self, name: str) -> dict[str, list[Stored]]:
        if name not in self.buckets:
            raise Refused(404, "notFound", "The specified bucket does not exist.")
        return self.buckets[name]

    def live(self, bucket: str, name: str) -> Stored | None:
        found = self.bucket(bucket).get(name, ())
        return next((each for each in found if each.deleted_s is None), None)

    def find(self, bucket: str, name: str, generation: str | None) -> Stored:
        found: Stored | None = self.live(bucket, name)
        if generation is not None:
            number = int(generation)
            listed = self.bucket(bucket).get(name, ())
            found = next((each for each in listed if each.generation == number), None)
        if found is None:
            raise Refused(404, "notFound", f"No such object: {bucket}/{name}")
        return found

    def demand(self, bucket: str, name: str, query: Mapping[str, str]) -> None:
        wanted = query.get("ifGenerationMatch")
        if wanted is None:
            return
        there = self.live(bucket, name)
        if (there.generation if there is not None else 0) != int(wanted):
            raise Refused(
                412, "conditionNotMet", "At least one of the pre-conditions you specified did not hold."
            )

    def keep(self, bucket: str, name: str, content: bytes, about: dict[str, Any]) -> Stored:
        self.hide(bucket, name)
        self._last = max(self._last + 1, int(time.time() * 1e6))
        made = Stored(name, self._last, content, about, time.time())
        self.bucket(bucket).setdefault(name, []).append(made)
        return made

    def hide(self, bucket: str, name: str) -> None:
        there = self.live(bucket, name)
        if there is None:
            return
        listed = self.bucket(bucket)[name]
        listed.remove(there)
        if bucket in self.versioning:
            listed.append(there._replace(deleted_s=time.time()))
        if not listed:
            del self.bucket(bucket)[name]

    def listed(self, bucket: str, query: Mapping[str, str]) -> dict[str, Any]:
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        limit = min(int(query.get("maxResults", "1000")), 1000)
        after = base64.urlsafe_b64decode(query["pageToken"]) if "pageToken" in query else b""
        items: list[dict[str, Any]] = []
        prefixes: list[str] = []
        last = b""
        for name in sorted(self.bucket(bucket), key=str.encode):
            if not name.startswith(prefix):
                continue
            kept = sorted(self.bucket(bucket)[name], key=lambda each: each.generation)
            all_of_them = query.get("versions", "").lower() == "true"
            listed = [each for each in kept if all_of_them or each.deleted_s is None]
            folded = _folded(name, prefix, delimiter)
            place = (folded or name).encode()
            if not listed or place <= after or (folded is not None and folded in prefixes):
                continue
            if len(items) + len(prefixes) >= limit:
                return {"items": items, "prefixes": prefixes, "nextPageToken": _token_of(last)}
            last = place
            if folded is not None:
                prefixes.append(folded)
            else:
                items += [each.resource(bucket) for each in listed]
        return {"kind": "storage#objects", "items": items, "prefixes": prefixes}


def crc32c(content: bytes) -> str:
    checksum: Any = google_crc32c.Checksum
    return base64.b64encode(checksum(content).digest()).decode()


def _folded(name: str, prefix: str, delimiter: str) -> str | None:
    rest = name[len(prefix) :]
    if not delimiter or delimiter not in rest:
        return None
    return prefix + rest.partition(delimiter)[0] + delimiter


def _token_of(last: bytes) -> str:
    return base64.urlsafe_b64encode(last).decode()


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

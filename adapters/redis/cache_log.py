"""What instances tell each other about kept answers: a bounded stream, and what is known about it.

An epoch is one master's reign over one stream. A failover, a restart or an emptied server begins another,
because what the last master had acknowledged may be missing: nothing that was asked before it can be
trusted to know all invalidations. So does whatever somebody else writes over its keys: what cannot be read
cannot be trusted either, and must not keep everybody from the log for ever. Within an epoch numbers have no
gaps but the trimmed beginning.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from adapters.redis.connection import Command, RedisConnection, Script, ScriptCall
from application.ports.answer_store import CacheLog, LogPage, LogRecord
from domain.caching.entry import Position

RECORDS_MAX: Final = 200_000
BYTES_MAX: Final = 256 * 1024 * 1024
"""About what its records may take; vectors travel through the log, too."""
RECORD_OVERHEAD_BYTES: Final = 64
PAGE_BYTES: Final = 4 * 1024 * 1024
"""A page ends with the record that reaches this."""
ONCE_S: Final = 60
"""How long it is known which groups were appended; a call that a broken connection repeats comes at once."""
GROUP_BYTES: Final = 1024 * 1024
GROUP_RECORDS: Final = 256

_KNOWN: Final = """
local log, state, new_epoch = KEYS[1], KEYS[2], ARGV[1]
local function text(n) return string.format('%.0f', n) end
local function number(id) return tonumber(string.match(id, '^%d+')) end
local function size(kind, data) return #(kind or '') + #(data or '') + OVERHEAD end
local reign = string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)') or ''
local function wrong(answer)
  if answer.err and not string.find(answer.err, 'WRONGTYPE') then error(answer.err) end
  return answer.err
end
local known = redis.pcall('HMGET', state, 'epoch', 'reign', 'tail', 'gone', 'bytes')
if wrong(known) then known = {} end
local epoch, tail, gone, bytes = known[1], tonumber(known[3]), tonumber(known[4]), tonumber(known[5])
local function begin()
  redis.call('UNLINK', log, state)
  epoch, tail, gone, bytes = new_epoch, 0, 0, 0
  redis.call('HSET', state, 'epoch', epoch, 'reign', reign, 'tail', '0', 'gone', '0', 'bytes', '0')
end
local function sound()
  if not epoch or known[2] ~= reign or not (tail and gone and bytes) then return false end
  if not (gone >= 0 and tail >= gone and bytes >= 0) then return false end
  local last = redis.pcall('XREVRANGE', log, '+', '-', 'COUNT', 1)
  if wrong(last) then return false end
  return #last == 0 or (last[1][1] == text(tail) .. '-0' and redis.call('XLEN', log) == tail - gone)
end
if not sound() then
  begin()
elseif gone < tail and redis.call('XLEN', log) == 0 then
  gone, bytes = tail, 0
  redis.call('HSET', state, 'gone', text(gone), 'bytes', '0')
end
""".replace("OVERHEAD", str(RECORD_OVERHEAD_BYTES))

_APPEND: Final = Script(
    "interchange-cache-log-append-2",
    _KNOWN
    + """
local records_max, bytes_max = tonumber(ARGV[2]), tonumber(ARGV[3])
local done = redis.call('GET', KEYS[3])
if done and string.match(done, '^%d+ (.*)$') == epoch then
  return {epoch, tonumber(string.match(done, '^%d+'))}
end
for place = 4, #ARGV, 2 do
  tail = tail + 1
  redis.call('XADD', log, text(tail) .. '-0', 'k', ARGV[place], 'd', ARGV[place + 1])
  bytes = bytes + size(ARGV[place], ARGV[place + 1])
end
local function over() return tail - gone > records_max or bytes > bytes_max end
while over() and gone < tail do
  local oldest = redis.call('XRANGE', log, '-', '+', 'COUNT', 64)
  if #oldest == 0 then
    gone, bytes = tail, 0
    break
  end
  for _, record in ipairs(oldest) do
    if not over() then break end
    gone, bytes = number(record[1]), bytes - size(record[2][2], record[2][4])
  end
  redis.call('XTRIM', log, 'MINID', text(gone + 1) .. '-0')
end
redis.call('HSET', state, 'tail', text(tail), 'gone', text(gone), 'bytes', text(bytes))
redis.call('SET', KEYS[3], text(tail) .. ' ' .. epoch, 'EX', ONCE_S)
return {epoch, tail}
""".replace("ONCE_S", str(ONCE_S)),
)

_READ: Final = Script(
    "interchange-cache-log-read-2",
    _KNOWN
    + """
local after_epoch, reached = ARGV[2], tonumber(ARGV[3])
local limit, page_bytes = tonumber(ARGV[4]), tonumber(ARGV[5])
if after_epoch == epoch and reached > tail then begin() end
local lost = 0
if after_epoch ~= epoch or reached < gone then
  lost, reached = 1, gone
end
local found, taken = {}, 0
while reached < tail and #found < limit and taken < page_bytes do
  local count = math.min(64, limit - #found)
  local some = redis.call('XRANGE', log, text(reached + 1) .. '-0', '+', 'COUNT', count)
  if #some == 0 then
    reached = tail
    break
  end
  for _, record in ipairs(some) do
    reached = number(record[1])
    local kind, data = record[2][2] or '', record[2][4] or ''
    found[#found + 1] = {reached, kind, data}
    taken = taken + size(kind, data)
    if taken >= page_bytes then break end
  end
end
return {epoch, reached, lost, found}
""",
)


class RedisCacheLog(CacheLog):
    """On a connection opened with `binary`, which is not its own to close.

    `new_name` makes texts that no one else ever makes: of epochs, and of groups of records, so that a call
    which a broken connection repeats appends once. `installation` as for the answers; `name` tells
    several logs of one installation apart.
    """

    def __init__(
        self,
        redis: RedisConnection,
        new_name: Callable[[], str],
        *,
        records_max: int = RECORDS_MAX,
        bytes_max: int = BYTES_MAX,
        installation: str = "",
        name: str = "log",
    ) -> None:
        self._redis = redis
        self._new_name = new_name
        self._records_max = records_max
        self._bytes_max = bytes_max
        self._log = f"ic:{{cache:{installation}}}:{name}"
        self._state = f"{self._log}:state"

    async def append(self, records: Sequence[LogRecord]) -> Position:
        last: Any = None
        for group in _groups(records):
            once = f"{self._log}:once:{self._new_name()}"
            arguments = (self._records_max, self._bytes_max, *group)
            last = await self._run(_APPEND, arguments, (self._state, once))
        return Position(last[0].decode(), last[1])

    async def read(self, after: Position, limit: int) -> LogPage:
        arguments = (after.epoch, after.number, limit, PAGE_BYTES)
        epoch, reached, lost, found = await self._run(_READ, arguments, (self._state,))
        records = [(number, LogRecord(kind.decode("utf-8", "replace"), data)) for number, kind, data in found]
        return LogPage(records, Position(epoch.decode(), reached), bool(lost))

    async def _run(self, script: Script, arguments: Command, more_keys: tuple[str, ...]) -> Any:
        call = ScriptCall(script, self._log, (self._new_name(), *arguments), more_keys)
        return (await self._redis.run([call]))[0]


def _groups(records: Sequence[LogRecord]) -> Iterator[list[str | bytes]]:
    """Kinds and contents in turn, in portions that keep the server from anything else only briefly; one of
    nothing for no records."""
    group: list[str | bytes] = []
    size = 0
    for record in records:
        if group and (size + len(record.data) > GROUP_BYTES or len(group) >= 2 * GROUP_RECORDS):
            yield group
            group, size = [], 0
        group += (record.kind, record.data)
        size += len(record.data)
    if group or not records:
        yield group

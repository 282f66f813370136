"""What happens to one bucket of a rate limit, in Lua: `domain.limits.bucket.ask`, on the server's clock.

Three keys of one hash tag, which many buckets share:

    the bucket   hash: `l` level in nanoseconds, `a` when it was that, `m` marks as `at:level,…`
    the reign    since when, in microseconds, this server's data are whole, and its replication id
    the holder   the number of its last question, for a while: what comes twice gives nothing back twice

A restart, a failover or a move of the slot changes the replication id, and a server that was emptied has no
reign any more: in each case what was counted before may be missing. Every bucket is then taken to have been
full to its capacity at that moment, which is the most it can have been, and what was granted before is not
given back. So nothing is let through twice; a burst comes back as fast as the limit's rate fills it.

Numbers are doubles, exact to 2^53 nanoseconds (a hundred days).
"""

from typing import Final

from adapters.redis.connection import Script

SEEN_MS: Final = 60_000
"""How long a question may take to come twice; connections give up long before."""

_REIGN: Final = """
local function reign(key, now)
  local id = string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)')
  local known = redis.call('GET', key)
  if known then
    local whose, since = string.match(known, '(%x+) (%d+)')
    if whose == id then return tonumber(since) end
  end
  redis.call('SET', key, id .. ' ' .. string.format('%.0f', now))
  return now
end
local function clock()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000000 + tonumber(time[2])
end
"""

BEGIN: Final = Script("interchange:limit_reign:1", _REIGN + "return {'OK', reign(KEYS[1], clock())}\n")
"""Notes since when data are whole, before anybody is limited by it."""

ASK: Final = Script(
    "interchange:limit_ask:1",
    _REIGN
    + """
-- unit, capacity, need, more, want, debt, number, seen_ms, level max, marks max, and pairs of at, units
local A = {}
for i = 1, #ARGV do A[i] = tonumber(ARGV[i]) end
local unit, capacity, need, more, want, debt = A[1], A[2], A[3], A[4], A[5], A[6]
local now = clock()
local since = reign(KEYS[2], now)
local found = redis.call('HMGET', KEYS[1], 'l', 'a', 'm')
local level, at = tonumber(found[1] or '0'), tonumber(found[2] or '0')
local marks = {}
for t, l in string.gmatch(found[3] or '', '(%d+):(%d+)') do marks[#marks + 1] = {tonumber(t), tonumber(l)} end
level = math.max(0, level - math.max(0, now - at) * 1000)
level = math.max(level, capacity - math.max(0, now - since) * 1000)
local changed = false

local function raise(by)
  local kept = {}
  for _, mark in ipairs(marks) do
    if mark[2] < level then kept[#kept + 1] = mark end
  end
  kept[#kept + 1] = {now, level}
  if #kept > A[10] then
    kept[2][2] = kept[1][2]
    table.remove(kept, 1)
  end
  marks, level, changed = kept, math.min(A[9], level + by), true
end

if #A > 10 then
  if A[7] > tonumber(redis.call('GET', KEYS[3]) or '0') then
    redis.call('SET', KEYS[3], ARGV[7], 'PX', ARGV[8])
    for i = 11, #A, 2 do
      local granted_at, back = A[i], A[i + 1] * unit
      if granted_at >= since then
        local lowest = level
        for _, mark in ipairs(marks) do
          if mark[1] > granted_at and mark[2] < lowest then lowest = mark[2] end
        end
        back = math.min(back, lowest)
        if back > 0 then
          local later, earlier, floor = {}, {}, level - back
          for _, mark in ipairs(marks) do
            if mark[1] > granted_at then
              later[#later + 1] = {mark[1], mark[2] - back}
              floor = math.min(floor, mark[2] - back)
            end
          end
          if #later > 0 then floor = later[1][2] end
          for _, mark in ipairs(marks) do
            if mark[1] <= granted_at and mark[2] < floor then earlier[#earlier + 1] = mark end
          end
          for _, mark in ipairs(later) do earlier[#earlier + 1] = mark end
          marks, level, changed = earlier, level - back, true
        end
      end
    end
  end
end
if debt > 0 then raise(debt * unit) end
local room = math.floor((capacity - level) / unit)
local granted, retry = 0, 0
if need > 0 then
  if need <= room then
    local waited_for = math.min(room, need + more)
    granted = waited_for + math.min(want, math.floor((room - waited_for) / 2))
    raise(granted * unit)
  elseif need > math.floor(capacity / unit) then
    retry = -1
  else
    retry = math.ceil((need * unit - (capacity - level)) / 1000)
  end
end
if changed then
  local packed = {}
  for i, mark in ipairs(marks) do packed[i] = string.format('%.0f:%.0f', mark[1], mark[2]) end
  redis.call('HSET', KEYS[1], 'l', string.format('%.0f', level), 'a', string.format('%.0f', now),
             'm', table.concat(packed, ','))
  redis.call('PEXPIRE', KEYS[1], string.format('%.0f', math.ceil(level / 1000000) + 1000))
end
local function text(n) return string.format('%.0f', n) end
return {text(granted), text(now), text(math.max(0, room - granted)), text(math.ceil(level / 1000)),
        text(retry)}
""",
)

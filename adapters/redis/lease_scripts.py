"""What happens to one account of a pool, in Lua: each function is one transition on one hash.

Fields of the hash (amounts are nano-dollars, decimal text):

    tag     under whose reign it was written: the replication id of the server, which a restart or a failover
            changes; data of another reign may lack its last writes, so nothing is dealt out from it
    G R D   granted to the pool and put in here; given back by the pool; dealt out and not given back
    lim spe unr lea   the account as the ledger last told: limit, spent, unresolved, leased (with the pool)
    def at wu ld      digest of its declaration, when that was told, until when it is wanted, last dealt at
    h:<holder>        "granted returned posted number": a member's totals, and how often it was answered

Free in the pool is G - R - D. Lua's numbers are doubles, exact to 2^53 nano-dollars (9 million dollars);
amounts are pairs of billions and a rest instead.
"""

from typing import Final

from adapters.redis.connection import Script

_EXACT: Final = """
local BASE = 1000000000
local ZERO = {0, 0}
local function num(s)
  local n = #s
  if n <= 9 then return {0, tonumber(s)} end
  return {tonumber(string.sub(s, 1, n - 9)), tonumber(string.sub(s, n - 8))}
end
local function add(a, b)
  local high, low = a[1] + b[1], a[2] + b[2]
  if low >= BASE then return {high + 1, low - BASE} end
  return {high, low}
end
local function sub(a, b)
  local high, low = a[1] - b[1], a[2] - b[2]
  if low < 0 then return {high - 1, low + BASE} end
  return {high, low}
end
local function less(a, b)
  return a[1] < b[1] or (a[1] == b[1] and a[2] < b[2])
end
local function max(a, b) if less(a, b) then return b end return a end
local function min(a, b) if less(b, a) then return b end return a end
local function text(a)
  if a[1] < 0 then
    if a[2] == 0 then return '-' .. text({-a[1], 0}) end
    return '-' .. text({-a[1] - 1, BASE - a[2]})
  end
  if a[1] == 0 then return string.format('%.0f', a[2]) end
  return string.format('%.0f%09.0f', a[1], a[2])
end
local function tag()
  return string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)')
end
local function member(packed)
  if not packed then return ZERO, ZERO, ZERO, 0 end
  local g, r, p, n = string.match(packed, '(%d+) (%d+) (%d+) (%d+)')
  return num(g), num(r), num(p), tonumber(n)
end
local function pack(g, r, p, n)
  return text(g) .. ' ' .. text(r) .. ' ' .. text(p) .. ' ' .. string.format('%.0f', n)
end
"""
# `text` calls itself, so it is declared before it is defined.
_EXACT_DECLARED: Final = _EXACT.replace("local function text(a)", "local text\ntext = function(a)")

EXCHANGE: Final = Script(
    "interchange:lease_exchange:1",
    _EXACT_DECLARED
    + """
-- holder, known, returned, posted, need, want, now, declared, fresh_us, idle_us, keep_s, share, floor
-- and, with news from the ledger: added, limit, spent, unresolved, leased, wanted until, answered before
local key, now, news = KEYS[1], tonumber(ARGV[7]), ARGV[14]
local mine = 'h:' .. ARGV[1]
local f = redis.call('HMGET', key, 'tag', 'G', 'R', 'D', 'lim', 'spe', 'unr', 'lea', 'def', 'at', 'wu', 'ld',
                     mine)
local known = num(ARGV[2])
local reign = tag()
if not f[1] then
  if less(ZERO, known) then return {'LOST'} end
  if not news then return {'NEW'} end
  f = {reign, '0', '0', '0', '0', '0', '0', '0', '', '0', '0', '0', false}
elseif f[1] ~= reign then
  return {'LOST'}
end
local G, R, D = num(f[2]), num(f[3]), num(f[4])
local limit, leased = num(f[5]), num(f[8])
local committed = add(num(f[6]), num(f[7]))
local wanted_until, dealt_at = tonumber(f[11]), tonumber(f[12])
local g, r, p, n = member(f[13])
if news then
  -- A call may run twice when a connection broke under it; the member has been answered in between then.
  if n == tonumber(ARGV[20]) then G = add(G, num(news)) end
  f[5], f[6], f[7], f[9], f[10] = ARGV[15], ARGV[16], ARGV[17], ARGV[8], ARGV[7]
  limit, leased = num(ARGV[15]), num(ARGV[18])
  committed = add(num(ARGV[16]), num(ARGV[17]))
  wanted_until = tonumber(ARGV[19])
end
if less(g, known) then return {'LOST'} end
local before = max(sub(g, r), p)
r = max(r, min(num(ARGV[3]), g))
p = max(p, num(ARGV[4]))
D = add(sub(D, before), max(sub(g, r), p))
before = max(sub(g, r), p)
local free = sub(sub(G, R), D)
-- What the account itself has room for, should its limit have been lowered below what is leased.
local room = add(sub(sub(limit, committed), leased), free)
local status, granted, low = 'OK', ZERO, '0'
local need, want = num(ARGV[5]), num(ARGV[6])
if f[9] ~= ARGV[8] then
  status = 'STALE'
elseif less(ZERO, add(need, want)) then
  local at_hand = min(free, room)
  if less(at_hand, need) then
    status = 'LACK'
  else
    local holders = 0
    local all = redis.call('HGETALL', key)
    for i = 1, #all, 2 do
      if string.sub(all[i], 1, 2) == 'h:' and all[i] ~= mine then
        local og, ors, op = member(all[i + 1])
        if less(ZERO, sub(sub(og, ors), op)) then holders = holders + 1 end
      end
    end
    local everything = room[1] * BASE + room[2]
    local fair = math.floor(everything / (tonumber(ARGV[12]) * (holders + 1)))
    local target = need
    if fair > 0 and fair * tonumber(ARGV[13]) >= limit[1] * BASE + limit[2] then
      target = max(need, min(add(need, want), num(string.format('%.0f', fair))))
    end
    granted = max(ZERO, min(at_hand, target))
    if less(granted, target) then low = '1' end
  end
end
g = add(g, granted)
D = add(sub(D, before), max(sub(g, r), p))
free = sub(free, granted)
if less(ZERO, granted) then dealt_at = now end
local wanted = now < wanted_until
local told = '0'
if less(ZERO, free) and (status ~= 'OK' or wanted or now - dealt_at >= tonumber(ARGV[10])) then
  -- Not enough, waited for elsewhere, or idle: it goes back, and the ledger is told of the new total.
  R, leased, free, told = add(R, free), max(ZERO, sub(leased, free)), ZERO, '1'
end
n = n + 1
redis.call('HSET', key, 'tag', reign, 'G', text(G), 'R', text(R), 'D', text(D), 'lim', f[5], 'spe', f[6],
           'unr', f[7], 'lea', text(leased), 'def', f[9], 'at', f[10],
           'wu', string.format('%.0f', wanted_until), 'ld', string.format('%.0f', dealt_at),
           mine, pack(g, r, p, n))
redis.call('EXPIRE', key, ARGV[11])
local old = '0'
if math.abs(now - tonumber(f[10])) >= tonumber(ARGV[9]) then old = '1' end
return {status, text(g), text(granted), string.format('%.0f', n), text(R), text(free), f[5], f[6], f[7],
        text(leased), wanted and '1' or '0', low, told, old, text(G)}
""",
)
"""Takes what a member gives back, puts in what the ledger granted to the pool, then deals out what the member
needs, and what it wants beyond as far as that is fair. Says OK; LACK when the pool has too little; STALE when
the account was declared differently; NEW when nothing is known of it; LOST when something was known, and not
here."""

UNDO: Final = Script(
    "interchange:lease_undo:1",
    _EXACT_DECLARED
    + """
-- holder, number, granted: only if nothing was answered to the member since
local mine = 'h:' .. ARGV[1]
local f = redis.call('HMGET', KEYS[1], 'tag', 'D', mine)
if not f[1] or f[1] ~= tag() then return {'LOST'} end
local g, r, p, n = member(f[3])
if n ~= tonumber(ARGV[2]) then return {'LATE'} end
local before = max(sub(g, r), p)
g = sub(g, num(ARGV[3]))
redis.call('HSET', KEYS[1], 'D', text(add(sub(num(f[2]), before), max(sub(g, r), p))),
           mine, pack(g, r, p, n + 1))
return {'OK'}
""",
)
"""Takes back what was dealt out a moment ago and has not been told to anybody."""

LOOK: Final = Script(
    "interchange:lease_look:1",
    _EXACT_DECLARED
    + """
local f = redis.call('HMGET', KEYS[1], 'tag', 'h:' .. ARGV[1])
if f[1] and f[1] ~= tag() then return {'LOST'} end
if not f[1] or not f[2] then return {'NONE'} end
local g, r = member(f[2])
return {'OK', text(max(ZERO, sub(g, r)))}
""",
)
"""What a member was dealt and has not given back."""

LEAVE: Final = Script(
    "interchange:lease_leave:1",
    _EXACT_DECLARED
    + """
-- holder, charged, booked: all that it was charged; what the ledger took from the pool for it
local mine = 'h:' .. ARGV[1]
local f = redis.call('HMGET', KEYS[1], 'tag', 'R', 'D', mine)
if f[1] and f[1] ~= tag() then return {'LOST'} end
if not f[1] or not f[4] then return {'NONE'} end
local g, r, p = member(f[4])
local booked, dealt = num(ARGV[3]), num(f[3])
if less(ZERO, booked) then
  dealt = max(ZERO, sub(dealt, booked))
else
  dealt = add(sub(dealt, max(sub(g, r), p)), num(ARGV[2]))
end
redis.call('HSET', KEYS[1], 'D', text(dealt), 'R', text(add(num(f[2]), booked)))
redis.call('HDEL', KEYS[1], mine)
return {'OK'}
""",
)
"""Ends a member's part: what it was not charged is free again; or, when it was booked as lost, gone from the
pool."""

REMEMBER: Final = Script(
    "interchange:lease_remember:1",
    """
for i = 2, #ARGV do redis.call('SADD', KEYS[1], ARGV[i]) end
redis.call('EXPIRE', KEYS[1], ARGV[1])
return {'OK'}
""",
)
"""Which accounts a member was dealt from, for whoever ends its part after its death."""

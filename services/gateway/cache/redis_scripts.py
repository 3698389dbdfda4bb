"""What the cache does in one step, in Redis."""

from services.gateway.cache.redis_library import LIBRARY

_LOOK = """
local function judge(state, field, demand)
  local value = redis.call('HGET', ENTRIES, field)
  if not value then return nil end
  local entry = parse(value)
  if not entry then drop(field) return nil end
  if changed(state, entry.version, entry.digests) then stale(field) return nil end
  if state.known > entry.version then
    entry.left = math.min(entry.left, demand.new - entry.age - entry.build)
    if entry.left <= 0 then drop(field) return nil end
  end
  if entry.version < demand.version or (demand.age >= 0 and entry.age > demand.age) then return nil end
  if not ahead(state.lease, LEASE) then return {'unverified'} end
  use(field)
  local tag = string.sub(value, MADE, MADE + 7) .. string.sub(value, -4)
  local hit = {'hit', 0, entry.age, entry.build, entry.left, tag}
  if tag ~= demand.tag then hit[7] = string.sub(value, entry.body) end
  return hit
end

local function look(state, exact, meaning, demand)
  if not state or not state.floor then return nil end
  local found = judge(state, 'c:' .. exact, demand)
  local tier = 1
  if not found and meaning ~= '' then
    local other = redis.call('HGET', ALIASES, 'm:' .. meaning)
    if other and other ~= exact then
      found = judge(state, 'c:' .. other, demand)
      tier = 2
    end
  end
  if found and found[1] == 'hit' then
    found[2] = tier
    redis.call('HINCRBY', STATE, 'hits:' .. tier, 1)
  end
  return found
end

local function answer(words)
  table.insert(words, 1, found_dead)
  return words
end

local demand = {version = tonumber(ARGV[3]), age = tonumber(ARGV[4]), new = tonumber(ARGV[5]), tag = ARGV[6]}
"""

LOOKUP = (
    LIBRARY
    + _LOOK
    + """
local state = read()
local found = look(state, ARGV[1], ARGV[2], demand)
if not found and state then redis.call('HINCRBY', STATE, 'misses', 1) end
return answer(found or {'none'})
"""
)
"""ARGV: exact and meaning; version demanded; greatest age or -1, and that while the corpus has moved on, in
milliseconds; the tag of the reply that the caller has at hand. Returns how many entries were found dead, and `hit`,
tier, age, what it took to make, life left, tag and, where that is another, the packed reply; or `unverified`, or
`none`. A tag is the moment that a reply was made, and the checksum at its end."""

CLAIM = (
    LIBRARY
    + _LOOK
    + """
local FLIGHT, exact, me, lease = KEYS[7], ARGV[1], ARGV[7], tonumber(ARGV[8])
local state = read() or begin(ARGV[10])
if ARGV[9] == '1' then
  local found = look(state, exact, ARGV[2], demand)
  if found then return answer(found) end
end
local waited = tonumber(ARGV[11])
local handed = waited >= 0 and redis.call('HGET', ENTRIES, 'h:' .. exact)
if handed then
  local writes, known, made = struct.unpack('>I8I8I8', handed)
  local most = demand.age >= 0 and math.min(demand.age, waited) or waited
  if writes == state.writes and known >= demand.version and made <= now and now - made <= math.min(most, HANDED) then
    return answer({'shared', string.sub(handed, 25)})
  end
end
local flight = redis.call('HMGET', FLIGHT, 'owner', 'until', 'lease')
if flight[1] and flight[1] ~= me and ahead(tonumber(flight[2]), tonumber(flight[3])) then
  redis.call('HSET', FLIGHT, 'waited', 1)
  return answer({'wait', tonumber(flight[2]) - now})
end
if redis.call('HLEN', FLIGHT) > 40 then
  local awaited = redis.call('HGET', FLIGHT, 'waited')
  redis.call('DEL', FLIGHT)
  if awaited then redis.call('HSET', FLIGHT, 'waited', 1) end
end
local began = state.epoch .. ' ' .. fmt(state.writes) .. ' ' .. fmt(state.known or 0)
redis.call('HSET', FLIGHT, 'owner', me, 'until', now + lease, 'lease', lease, 'began:' .. me, began)
redis.call('PEXPIRE', FLIGHT, lease + 60000)
if ARGV[9] == '1' then redis.call('HINCRBY', STATE, 'misses', 1) end
return answer({'lead'})
"""
)
"""KEYS[7]: the flight. ARGV: as LOOKUP; name of the flight, its lease in milliseconds, whether to look, a new epoch,
milliseconds that the caller has waited, or -1.

A leader that is gone leaves what he began with: should he only be late, and nobody have ended the flight, his reply
counts.
"""

RENEW = """
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
if redis.call('HGET', KEYS[1], 'owner') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'until', now + tonumber(ARGV[2]), 'lease', ARGV[2])
redis.call('PEXPIRE', KEYS[1], tonumber(ARGV[2]) + 60000)
return 1
"""
"""KEYS: the flight. ARGV: its name, its lease in milliseconds."""

SETTLE = (
    LIBRARY
    + """
local FLIGHT, exact, meaning, me, kind, body = KEYS[7], ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local bound = tonumber(ARGV[6])
local state = read()
local flight = redis.call('HMGET', FLIGHT, 'owner', 'waited', 'began:' .. me)
local epoch, writes, known = string.match(flight[3] or '', '^(%S+) (%d+) (%d+)$')
local version, build, life, digests = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9]), ARGV[10]
local done, right = flight[1] == me, 0
if state and epoch == state.epoch then
  local untouched = tonumber(writes) == state.writes
  if version >= 0 then
    found_at(state, version)
    if not changed(state, version, digests) then right = 1 end
  elseif untouched then
    right = 1
  end
  if kind == 'entry' then
    if right == 1
      and put('c:' .. exact, write(version, life, build, digests, body), life, bound) then
      drop('h:' .. exact)
      done = true
      if meaning ~= '' then
        local older = redis.call('HGET', ALIASES, 'm:' .. meaning)
        if older and older ~= exact then redis.call('HDEL', ALIASES, 'e:' .. older) end
        redis.call('HSET', ALIASES, 'm:' .. meaning, exact, 'e:' .. exact, meaning)
        redis.call('PEXPIREAT', ALIASES, redis.call('ZRANGE', EXPIRIES, -1, -1, 'WITHSCORES')[2])
      end
    end
  elseif kind == 'shared' and flight[2] and untouched then
    local head = struct.pack('>I8I8I8', tonumber(writes), tonumber(known), now)
    put('h:' .. exact, head .. body, HANDED, bound)
  end
end
if flight[1] == me then redis.call('DEL', FLIGHT) end
if flight[2] and done then redis.call('PUBLISH', ARGV[11], ARGV[12]) end
return right
"""
)
"""KEYS[7]: the flight. ARGV: exact and meaning; name of the flight; `entry`, `shared` or `none`; the packed reply;
bound of the tenant's bytes; version or -1, what it took to make and its life in milliseconds, digests; channel and
topic. Returns 1 where nothing that the reply names has changed, or, without a version, nothing at all; otherwise 0."""

ADVANCE = (
    LIBRARY
    + """
local state = read() or begin(ARGV[1])
local before, after, unnamed, digests = tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4] == '1', ARGV[5]
for first = 1, #digests, 8000 do
  local names = {}
  for at = first, math.min(first + 7999, #digests), 8 do
    table.insert(names, ARGV[3])
    table.insert(names, string.sub(digests, at, at + 7))
  end
  redis.call('ZADD', CHANGES, 'GT', unpack(names))
end
if #digests > 0 then
  state.newest = math.max(state.newest, after)
  redis.call('ZADD', CHANGES, fmt(state.newest), '~')
end
if #digests > 0 or unnamed then
  state.writes = state.writes + 1
  redis.call('HSET', STATE, 'writes', fmt(state.writes))
end
-- What nobody can name may be of a later version than is said: the selector will know.
if unnamed then redis.call('HDEL', STATE, 'until') end
local function at_least(version)
  redis.call('HSET', STATE, 'least', fmt(math.max(tonumber(redis.call('HGET', STATE, 'least') or '0'), version)))
end
if not state.known then
  -- Nobody has seen a version since the state was begun, so nothing is stored yet.
  if unnamed then at_least(after) elseif before < after then redis.call('HSET', STATE, 'link:' .. ARGV[2], ARGV[3]) end
  if redis.call('HLEN', STATE) > PENDING + 16 then
    for _, field in ipairs(redis.call('HKEYS', STATE)) do
      if string.match(field, '^link:') then
        at_least(tonumber(redis.call('HGET', STATE, field)))
        redis.call('HDEL', STATE, field)
      end
    end
  end
elseif unnamed then
  settle_at(state, math.max(state.floor, after))
elseif after > state.known then
  if before > state.known then
    if before < after then redis.call('HSET', STATE, 'link:' .. ARGV[2], ARGV[3]) end
  elseif before > 0 or state.known == 0 then
    state.known = after
  else
    -- Whoever announces it does not know what it follows.
    raise(state, after)
    state.known = after
  end
  local left, furthest = absorb(state)
  if left > PENDING then settle_at(state, furthest) end
end
local over = redis.call('ZCARD', CHANGES) - 1 - CHANGED
if over > 0 then
  local highest = tonumber(redis.call('ZRANGE', CHANGES, over - 1, over - 1, 'WITHSCORES')[2])
  redis.call('ZREMRANGEBYRANK', CHANGES, 0, over - 1)
  if state.floor then raise(state, highest) else at_least(highest) end
end
redis.call('PEXPIRE', STATE, LIFE)
redis.call('PEXPIRE', CHANGES, LIFE)
return 1
"""
)
"""ARGV: a new epoch; version before, version after; whether others than the named changed; digests."""

CONFIRM = (
    LIBRARY
    + """
local state = read() or begin(ARGV[1])
local version = tonumber(ARGV[2])
found_at(state, version)
if version > state.known then settle_at(state, version) end
redis.call('HSET', STATE, 'until', now + LEASE)
redis.call('PEXPIRE', STATE, LIFE)
redis.call('PEXPIRE', CHANGES, LIFE)
return 1
"""
)
"""ARGV: a new epoch, the version."""

FIND = (
    LIBRARY
    + """
local state, found = read(), {0}
for at, key in ipairs(ARGV) do
  local field = 's:' .. key
  local value = state and state.floor and redis.call('HGET', ENTRIES, field)
  local entry = value and parse(value)
  found[at + 1] = false
  if entry and changed(state, entry.version, entry.digests) then
    stale(field)
  elseif entry then
    use(field)
    found[at + 1] = string.sub(value, entry.body)
  elseif value then
    drop(field)
  end
end
found[1] = found_dead
return found
"""
)
"""ARGV: keys. Returns how many entries were found dead, and a packed selection or nil for each key."""

KEEP = (
    LIBRARY
    + """
local state, kept = read() or begin(ARGV[1]), 0
local bound, life = tonumber(ARGV[2]), tonumber(ARGV[3])
for at = 4, #ARGV, 4 do
  local version, digests = tonumber(ARGV[at + 1]), ARGV[at + 2]
  found_at(state, version)
  if not changed(state, version, digests)
    and put('s:' .. ARGV[at], write(version, life, 0, digests, ARGV[at + 3]), life, bound) then
    kept = kept + 1
  end
end
return kept
"""
)
"""ARGV: a new epoch; bound of the tenant's bytes, life in milliseconds; key, version, digests and packed selection of
each."""

SWEEP = (
    LIBRARY
    + """
local gone, names, read_bytes = make_whole(), {}, 0
for at = 1, #ARGV[3], 8 do names[string.sub(ARGV[3], at, at + 7)] = true end

local function goes(field)
  local value = redis.call('HGET', ENTRIES, field)
  if not value then return false end
  read_bytes = read_bytes + #value
  local entry = parse(value)
  if not entry or entry.version < tonumber(ARGV[2]) then return true end
  for first = 1, #entry.digests, 8 do
    if names[string.sub(entry.digests, first, first + 7)] then return true end
  end
  return false
end

local position, fields = ARGV[1], {}
if #ARGV > 3 then
  for at = 4, #ARGV do table.insert(fields, ARGV[at]) end
else
  local step = redis.call('ZSCAN', USED, position, 'COUNT', STEP)
  position = step[1]
  for at = 1, #step[2], 2 do table.insert(fields, step[2][at]) end
end
local answer = {position, 0}
for _, field in ipairs(fields) do
  if read_bytes >= SWEPT then
    table.insert(answer, field)
  elseif string.sub(field, 1, 2) == 'h:' then
    drop(field)
  elseif goes(field) then
    drop(field)
    gone = gone + 1
  end
end
answer[2] = gone
return answer
"""
)
"""One step through a tenant's entries. ARGV: where to go on, a version, digests; fields that the step before has left.
Removes what names one of the documents, what is older than the version, what is over and what is handed to those who
waited; returns where to go on, how many, and the fields that are left, where their values are too much for one step."""

CLEAR = (
    LIBRARY
    + """
local state = read() or begin(ARGV[1])
local gone = empty()
redis.call('HDEL', STATE, 'hits:1', 'hits:2', 'misses', 'stale', 'evicted')
redis.call('HSET', STATE, 'epoch', ARGV[1], 'since', now)
return gone
"""
)
"""ARGV: a new epoch."""

STATS = (
    LIBRARY
    + """
make_whole()
tidy()
local counts = redis.call('HMGET', STATE, 'hits:1', 'hits:2', 'misses', 'stale', 'evicted', 'since')
for at = 1, 6 do counts[at] = tonumber(counts[at] or '0') end
table.insert(counts, held())
table.insert(counts, tonumber(redis.call('HGET', ENTRIES, '#') or '0'))
return counts
"""
)
"""Returns hits by tier, misses, stale and evicted entries, since when, entries and their bytes."""

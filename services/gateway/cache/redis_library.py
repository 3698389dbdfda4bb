"""What a tenant's cache is in Redis, and what all scripts do to it.

`state` is a hash: `known`, the version up to which every change was heard, in an unbroken chain; `link:V`, the version
that a change made of a version V that is not known yet; `until`, when `known` may no longer be trusted unasked;
`floor`: what was made of an older version is dead; `least`, the least floor, where nobody has seen a version yet;
`epoch`, a word that is another after each flush; `writes`, how many changes may have ended something; `since` and the
counts.

`changes` is a sorted set: the digest of a document, and the version of its last change. `~` in it holds the newest of
these versions. Without `~`, or without an epoch, one of the two was evicted: then all is forgotten, and begun anew.

`entries` is a hash: `c:` and the exact key, a reply; `s:` and a key, a selection; `h:` and the exact key, a reply that
is handed to those who waited for it; `#`, the bytes of all. `used` and `expiries` are sorted sets of its fields, by the
moment of their last use and by that of their end; where their sizes differ from its own, one of the three was evicted,
and all three go. `aliases` is a hash: `m:` and a meaning, the exact key; `e:` and the exact key, the meaning.

A reply or selection begins with `>BI8I8I8I4I2`: a format, 1; the version of the corpus it was made of, the moment it
was made, that of its end, what it took to make, the number of its documents; then come their digests, 8 bytes each, and
it itself as `packing` has it. What is handed begins with `>I8I8I8`: `writes` and `known` as they were when it was
begun, and the moment it was made.

Versions are microseconds, exact in Lua's numbers; `..` would round them, so `fmt` writes them. All times are of Redis,
in milliseconds; a moment that lies too far ahead is of a clock that was set back since, and is not believed.
"""

LIBRARY = """
local STATE, CHANGES, ENTRIES, ALIASES, USED, EXPIRIES = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local LIFE, LEASE, PENDING, CHANGED, STEP = 691200000, 5000, 64, 50000, 100
local HEADER, MADE, SKEW, HANDED, SWEPT = 31, 10, 1000, 2000, 4194304

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

local function fmt(number) return string.format('%.0f', number) end
local function ahead(moment, most) return now < moment and moment - now <= most end

local function read()
  local newest = redis.call('ZSCORE', CHANGES, '~')
  local found = redis.call('HMGET', STATE, 'epoch', 'known', 'floor', 'until', 'writes')
  if not newest or not found[1] then return nil end
  return {
    epoch = found[1], known = tonumber(found[2]), floor = tonumber(found[3]), lease = tonumber(found[4] or '0'),
    writes = tonumber(found[5] or '0'), newest = tonumber(newest)
  }
end

local function begin(epoch)
  redis.call('UNLINK', STATE, CHANGES, ENTRIES, ALIASES, USED, EXPIRIES)
  redis.call('HSET', STATE, 'epoch', epoch, 'since', now)
  redis.call('ZADD', CHANGES, 0, '~')
  redis.call('PEXPIRE', STATE, LIFE)
  redis.call('PEXPIRE', CHANGES, LIFE)
  return {epoch = epoch, lease = 0, writes = 0, newest = 0}
end

local function held()
  return math.max(redis.call('HLEN', ENTRIES) - 1, 0)
end

local function empty()
  local count = held()
  redis.call('UNLINK', ENTRIES, ALIASES, USED, EXPIRIES)
  return count
end

local function make_whole()
  local count = held()
  if redis.call('ZCARD', USED) == count and redis.call('ZCARD', EXPIRIES) == count then return 0 end
  return empty()
end

local function drop(field)
  local size = redis.call('HSTRLEN', ENTRIES, field)
  if redis.call('HDEL', ENTRIES, field) == 1 then redis.call('HINCRBY', ENTRIES, '#', -size) end
  redis.call('ZREM', USED, field)
  redis.call('ZREM', EXPIRIES, field)
  if string.sub(field, 1, 2) == 'c:' then
    local exact = string.sub(field, 3)
    local meaning = redis.call('HGET', ALIASES, 'e:' .. exact)
    if meaning then
      if redis.call('HGET', ALIASES, 'm:' .. meaning) == exact then redis.call('HDEL', ALIASES, 'm:' .. meaning) end
      redis.call('HDEL', ALIASES, 'e:' .. exact)
    end
  end
end

local function use(field)
  -- To the second is enough, and spares a write for most hits.
  if now - tonumber(redis.call('ZSCORE', USED, field) or now) >= 1000 then redis.call('ZADD', USED, now, field) end
end

local function tidy()
  for _, field in ipairs(redis.call('ZRANGEBYSCORE', EXPIRIES, '-inf', now, 'LIMIT', 0, STEP)) do drop(field) end
end

local function put(field, value, life, bound)
  if #value > bound then return false end
  make_whole()
  life = math.max(life, 1)
  redis.call('HINCRBY', ENTRIES, '#', #value - redis.call('HSTRLEN', ENTRIES, field))
  redis.call('HSET', ENTRIES, field, value)
  redis.call('ZADD', USED, now, field)
  redis.call('ZADD', EXPIRIES, now + life, field)
  tidy()
  local evicted = 0
  while evicted < STEP and tonumber(redis.call('HGET', ENTRIES, '#')) > bound do
    local oldest = redis.call('ZRANGE', USED, 0, 1)
    local victim = oldest[1] == field and oldest[2] or oldest[1]
    if not victim then break end
    drop(victim)
    evicted = evicted + 1
  end
  if evicted > 0 then redis.call('HINCRBY', STATE, 'evicted', evicted) end
  local last = redis.call('ZRANGE', EXPIRIES, -1, -1, 'WITHSCORES')[2]
  for _, key in ipairs({ENTRIES, ALIASES, USED, EXPIRIES}) do redis.call('PEXPIREAT', key, last) end
  redis.call('PEXPIRE', STATE, LIFE)
  redis.call('PEXPIRE', CHANGES, LIFE)
  return true
end

local function changed(state, version, digests)
  if not state.floor or version < state.floor then return true end
  if version >= state.newest then return false end
  for first = 1, #digests, 8000 do
    local names = {}
    for at = first, math.min(first + 7999, #digests), 8 do table.insert(names, string.sub(digests, at, at + 7)) end
    for _, last in ipairs(redis.call('ZMSCORE', CHANGES, unpack(names))) do
      if last and tonumber(last) > version then return true end
    end
  end
  return false
end

local function parse(value)
  if #value < HEADER or string.byte(value) ~= 1 then return nil end
  local _, version, made, over, build, count = struct.unpack('>BI8I8I8I4I2', value)
  if made > now + SKEW or now >= over then return nil end
  local body = HEADER + 8 * count
  return {
    version = version, age = math.max(now - made, 0), left = over - now, build = build,
    digests = string.sub(value, HEADER + 1, body), body = body + 1
  }
end

local function write(version, life, build, digests, body)
  return struct.pack('>BI8I8I8I4I2', 1, version, now, now + life, build, #digests / 8) .. digests .. body
end

local found_dead = 0
local function stale(field)
  drop(field)
  found_dead = found_dead + 1
  redis.call('HINCRBY', STATE, 'stale', 1)
end

-- Follows the chain from what is known, and forgets the links that lead nowhere any more. Returns how many are left,
-- and the newest version that they speak of.
local function absorb(state)
  local links = {}
  for _, field in ipairs(redis.call('HKEYS', STATE)) do
    local from = tonumber(string.match(field, '^link:(%d+)$'))
    if from then table.insert(links, {from, tonumber(redis.call('HGET', STATE, field)), field}) end
  end
  table.sort(links, function(one, other) return one[1] < other[1] end)
  local left, furthest = 0, state.known
  for _, link in ipairs(links) do
    if link[1] <= state.known and link[2] > state.known and (link[1] > 0 or state.known == 0) then
      state.known = link[2]
    end
    if link[1] < state.known then
      redis.call('HDEL', STATE, link[3])
    else
      left = left + 1
      furthest = math.max(furthest, link[2])
    end
  end
  redis.call('HSET', STATE, 'known', fmt(state.known))
  return left, furthest
end

local function raise(state, floor)
  if state.floor and state.floor >= floor then return end
  state.floor = floor
  state.writes = state.writes + 1
  redis.call('HSET', STATE, 'floor', fmt(floor), 'writes', fmt(state.writes))
  -- What is beneath the floor is dead whatever stands here.
  if redis.call('ZCOUNT', CHANGES, '(' .. fmt(floor), '+inf') == 0 then
    redis.call('UNLINK', CHANGES)
    redis.call('ZADD', CHANGES, fmt(state.newest), '~')
    redis.call('PEXPIRE', CHANGES, LIFE)
  end
end

-- All that was made of an older version is dead; all changes up to this one are heard of.
local function settle_at(state, version)
  raise(state, version)
  state.known = math.max(state.known or 0, version)
  absorb(state)
end

-- The first version that anybody saw since the state was begun: nothing older was ever stored.
local function found_at(state, version)
  if not state.floor then settle_at(state, math.max(version, tonumber(redis.call('HGET', STATE, 'least') or '0'))) end
end
"""
"""The first KEYS of every script are those of `keys.cache_keys`."""

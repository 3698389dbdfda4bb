"""What the ledger's index does in one step, in Redis.

KEYS are those of `redis_index`. A value of an entry is a letter, `L` for a record and `E` for an erased one, the name
of its request, a line feed, and the entry as JSON. Fields of the hash are `r:` and a record's name, or `q:` and a
request's, which holds the names of its records, the newest first. `~` in the sorted set and in the hash says that they
are complete: where one of them is evicted, the word is gone with it.
"""

_DROP = """
local function unlink(id, value)
  local request = string.match(value, '^.([^\\n]*)')
  if request == '' then return end
  local kept = {}
  for name in string.gmatch(redis.call('HGET', KEYS[2], 'q:' .. request) or '', '[^,]+') do
    if name ~= id then table.insert(kept, name) end
  end
  if #kept > 0 then
    redis.call('HSET', KEYS[2], 'q:' .. request, table.concat(kept, ','))
  else
    redis.call('HDEL', KEYS[2], 'q:' .. request)
  end
end
"""
"""A request forgets a record, and is forgotten with its last one."""

BEGIN = """
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return redis.call('GET', KEYS[2]) or '0'
"""
"""KEYS: pending, generation. ARGV: segment, now, life."""

COMMIT = (
    _DROP
    + """
if (redis.call('GET', KEYS[4]) or '0') ~= ARGV[2] then return 0 end
for number = 6, #ARGV, 3 do
  local id, request, value = ARGV[number], ARGV[number + 1], ARGV[number + 2]
  local known = redis.call('HGET', KEYS[2], 'r:' .. id)
  if not (known and string.sub(known, 1, 1) == 'E') then
    redis.call('ZADD', KEYS[1], 0, id)
    redis.call('HSET', KEYS[2], 'r:' .. id, value)
    if request ~= '' then
      local names = redis.call('HGET', KEYS[2], 'q:' .. request)
      if not names then
        redis.call('HSET', KEYS[2], 'q:' .. request, id)
      elseif not string.find(names, id, 1, true) then
        redis.call('HSET', KEYS[2], 'q:' .. request, string.sub(id .. ',' .. names, 1, 431))
      end
    end
  end
end
local over = redis.call('ZLEXCOUNT', KEYS[1], '-', '(~') - tonumber(ARGV[3])
local gone = redis.call('ZRANGEBYLEX', KEYS[1], '-', '(' .. ARGV[4], 'LIMIT', 0, 1000)
if over > #gone then gone = redis.call('ZRANGE', KEYS[1], 0, math.min(over, 1000) - 1) end
for _, id in ipairs(gone) do
  unlink(id, redis.call('HGET', KEYS[2], 'r:' .. id) or 'L')
  redis.call('HDEL', KEYS[2], 'r:' .. id)
  redis.call('ZREM', KEYS[1], id)
end
redis.call('PEXPIRE', KEYS[1], ARGV[5])
redis.call('PEXPIRE', KEYS[2], ARGV[5])
redis.call('ZREM', KEYS[3], ARGV[1])
return 1
"""
)
"""KEYS: ids, entries, pending, generation. ARGV: segment, generation, most records, name of the oldest moment, life;
name, request and value of each entry. A request remembers its 16 newest records."""

ERASE = (
    _DROP
    + """
for number = 2, #ARGV, 2 do
  local id, value = ARGV[number], ARGV[number + 1]
  unlink(id, redis.call('HGET', KEYS[2], 'r:' .. id) or 'L')
  redis.call('ZADD', KEYS[1], 0, id)
  redis.call('HSET', KEYS[2], 'r:' .. id, value)
end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
redis.call('PEXPIRE', KEYS[2], ARGV[1])
return 1
"""
)
"""KEYS: ids, entries. ARGV: life, then name and tombstone of each entry."""

MARK = """
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[2])
for number = 4, #ARGV do redis.call('ZADD', KEYS[1], 'GT', ARGV[3], ARGV[number]) end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
redis.call('INCR', KEYS[2])
redis.call('PEXPIRE', KEYS[2], ARGV[1])
return 1
"""
"""KEYS: marks, generation. ARGV: life, moment before which marks are forgotten, moment of the marks, digests."""

STATUS = """
local whole = redis.call('HEXISTS', KEYS[2], '~') == 1 and redis.call('ZSCORE', KEYS[1], '~')
return {whole and 1 or 0, redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', ARGV[1], 'LIMIT', 0, 16)}
"""
"""KEYS: ids, entries, pending. ARGV: moment before which a segment that was begun is a stray."""

COMPLETE = """
redis.call('ZADD', KEYS[1], 0, '~')
redis.call('HSET', KEYS[2], '~', '')
redis.call('PEXPIRE', KEYS[1], ARGV[1])
redis.call('PEXPIRE', KEYS[2], ARGV[1])
redis.call('DEL', KEYS[3])
return 1
"""
"""KEYS: ids, entries, claim. ARGV: life."""

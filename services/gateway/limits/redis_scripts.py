"""What the log of a rule does in one step, in Redis: a sliding window log, a hash for each rule and tenant.

The hash is a queue: fields that are numbers hold entries, `time requests tokens`, from `head` up to, not including,
`next`; `requests` and `tokens` are the sums. An entry leaves when its time lies a window back, so within any window at
most what the rule allows is let in. Times are microseconds of the log's own clock: Redis' clock plus `skew`, which
grows where Redis' clock goes back behind `last`, the time of the last entry. So an entry counts for at most a window
after such a jump; a jump forward looks like time that passed, and makes room once.

The work is bounded: `granule` bounds the entries (`Rule.granule`), each is made once and leaves once. Numbers of
entries begin at the time at which the hash was made, so that one of a log that is gone is not taken for a present one.
"""

CHARGE = """
local moment = redis.call('TIME')
local now = moment[1] * 1000000 + moment[2]
local estimate = tonumber(ARGV[1])

local function entry(log, number)
  local time, requests, tokens = string.match(redis.call('HGET', log.key, number), '(%d+) (%d+) (%d+)')
  return tonumber(time), tonumber(requests), tonumber(tokens)
end

local function write(log, number, time, requests, tokens)
  redis.call('HSET', log.key, number, string.format('%.0f %.0f %.0f', time, requests, tokens))
end

local function open(index)
  local at = 5 * index - 3
  local log = {
    key = KEYS[index], window = tonumber(ARGV[at]), granule = tonumber(ARGV[at + 1]),
    most_requests = tonumber(ARGV[at + 2]), most_tokens = tonumber(ARGV[at + 3]), shadow = ARGV[at + 4] == '1',
    head = now, next = now, requests = 0, tokens = 0, skew = 0, clock = now,
  }
  local known = redis.call('HMGET', log.key, 'head', 'next', 'requests', 'tokens', 'skew', 'last')
  if known[1] then
    log.head, log.next = tonumber(known[1]), tonumber(known[2])
    log.requests, log.tokens = tonumber(known[3]), tonumber(known[4])
    log.skew = tonumber(known[5])
    log.clock = now + log.skew
    local last = tonumber(known[6])
    if log.clock < last then
      log.clock, log.skew = last, last - now
      redis.call('HSET', log.key, 'skew', log.skew)
    end
  end
  return log
end

local function forget(log)
  local first = log.head
  while log.head < log.next do
    local time, requests, tokens = entry(log, log.head)
    if time + log.window > log.clock then break end
    redis.call('HDEL', log.key, log.head)
    log.head, log.requests, log.tokens = log.head + 1, log.requests - requests, log.tokens - tokens
  end
  if log.head > first then
    redis.call('HSET', log.key, 'head', log.head, 'requests', log.requests, 'tokens', log.tokens)
  end
end

local function lacks(log)
  local requests = log.most_requests >= 0 and math.max(log.requests + 1 - log.most_requests, 0) or 0
  local tokens = log.most_tokens >= 0 and estimate > 0 and math.max(log.tokens + estimate - log.most_tokens, 0) or 0
  return requests, tokens
end

local function wait(log, requests, tokens)
  local number, until_room = log.head, 0
  while requests > 0 or tokens > 0 do
    if number == log.next then return -1 end
    local time, some_requests, some_tokens = entry(log, number)
    requests, tokens = requests - some_requests, tokens - some_tokens
    number, until_room = number + 1, time + log.window - log.clock
  end
  return until_room
end

local function charge(log)
  local tokens = log.most_tokens >= 0 and estimate or 0
  if log.most_requests < 0 and tokens == 0 then return 0 end
  local time, number = math.ceil(log.clock / log.granule) * log.granule, log.next
  local newest, requests, used = 0, 0, 0
  if log.next > log.head then newest, requests, used = entry(log, log.next - 1) end
  if newest >= time then
    number = log.next - 1
    write(log, number, newest, requests + 1, used + tokens)
  else
    write(log, number, time, 1, tokens)
  end
  redis.call('HSET', log.key, 'head', log.head, 'next', number + 1, 'requests', log.requests + 1,
    'tokens', log.tokens + tokens, 'skew', log.skew, 'last', log.clock)
  redis.call('PEXPIRE', log.key, math.ceil((log.window + log.granule) / 1000) + 1)
  return number
end

local logs, binding, longest, what = {}, 0, 0, 0
for index = 1, #KEYS do
  local log = open(index)
  forget(log)
  local requests, tokens = lacks(log)
  log.room = requests == 0 and tokens == 0
  logs[index] = log
  if not log.room and not log.shadow then
    local waits = wait(log, requests, tokens)
    if binding == 0 or waits < 0 or (longest >= 0 and waits > longest) then
      binding, longest, what = index, waits, requests > 0 and 1 or 2
    end
  end
end
if binding > 0 then return {binding, longest, what} end
local reply = {0}
for index, log in ipairs(logs) do
  reply[index + 1] = log.room and charge(log) or -1
end
return reply
"""
"""KEYS: the logs. ARGV: the estimated tokens, then for each log window, granule, requests and tokens (-1: any number),
and whether it is a shadow.

Answers `0` and for each log the number of the entry (0: none was needed, -1: a shadow without room), or the number of
the binding rule, microseconds until it has room (-1: never), and 1 where it lacks requests, 2 where it lacks tokens.
"""

SETTLE = """
for index, key in ipairs(KEYS) do
  local number = ARGV[2 * index - 1]
  local known = redis.call('HGET', key, number)
  if known then
    local time, requests, tokens = string.match(known, '(%d+) (%d+) (%d+)')
    local change = math.max(tonumber(ARGV[2 * index]), -tonumber(tokens))
    redis.call('HSET', key, number, time .. ' ' .. requests .. ' ' .. string.format('%.0f', tokens + change))
    redis.call('HINCRBY', key, 'tokens', change)
  end
end
"""
"""KEYS: the logs. ARGV: for each the number of an entry, and how many tokens more (or fewer, below 0) it was."""

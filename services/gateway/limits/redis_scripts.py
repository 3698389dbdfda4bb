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
local before = redis.call('GET', KEYS[1])
if before then
  local reply = {}
  for number in string.gmatch(before, '%S+') do reply[#reply + 1] = tonumber(number) end
  return reply
end

local moment = redis.call('TIME')
local now = moment[1] * 1000000 + moment[2]

local function entry(log, number)
  local time, requests, tokens = string.match(redis.call('HGET', log.key, number), '(%d+) (%d+) (%d+)')
  return tonumber(time), tonumber(requests), tonumber(tokens)
end

local function write(log, number, time, requests, tokens)
  redis.call('HSET', log.key, number, string.format('%.0f %.0f %.0f', time, requests, tokens))
end

local function open(index)
  local at = 7 * index - 5
  local log = {
    key = KEYS[index + 1], window = tonumber(ARGV[at]), granule = tonumber(ARGV[at + 1]),
    most_requests = tonumber(ARGV[at + 2]), most_tokens = tonumber(ARGV[at + 3]), shadow = ARGV[at + 4] == '1',
    cost_requests = tonumber(ARGV[at + 5]), cost_tokens = tonumber(ARGV[at + 6]),
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
  local requests, tokens = 0, 0
  if log.most_requests >= 0 then requests = math.max(log.requests + log.cost_requests - log.most_requests, 0) end
  if log.most_tokens >= 0 and log.cost_tokens > 0 then
    tokens = math.max(log.tokens + log.cost_tokens - log.most_tokens, 0)
  end
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
  local tokens = log.most_tokens >= 0 and log.cost_tokens or 0
  if log.most_requests < 0 and tokens == 0 then return 0 end
  local time, number = math.ceil(log.clock / log.granule) * log.granule, log.next
  local newest, requests, used = 0, 0, 0
  if log.next > log.head then newest, requests, used = entry(log, log.next - 1) end
  if newest >= time then
    number = log.next - 1
    write(log, number, newest, requests + log.cost_requests, used + tokens)
  else
    write(log, number, time, log.cost_requests, tokens)
  end
  redis.call('HSET', log.key, 'head', log.head, 'next', number + 1, 'requests', log.requests + log.cost_requests,
    'tokens', log.tokens + tokens, 'skew', log.skew, 'last', log.clock)
  redis.call('PEXPIRE', log.key, math.ceil((log.window + log.granule) / 1000) + 1)
  return number
end

local logs, binding, longest, what = {}, 0, 0, 0
for index = 1, #KEYS - 1 do
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
local told = {}
for index, number in ipairs(reply) do told[index] = string.format('%.0f', number) end
redis.call('SET', KEYS[1], table.concat(told, ' '), 'PX', ARGV[1])
return reply
"""
"""KEYS: what the call was told, then the logs. ARGV: milliseconds that this is kept, then for each log window, granule,
requests and tokens that it lets in (-1: any number), whether it is a shadow, and the requests and tokens that are
charged.

Answers `0` and for each log the number of the entry (0: none was needed, -1: a shadow without room), or the number of
the binding rule, microseconds until it has room (-1: never), and 1 where it lacks requests, 2 where it lacks tokens. A
client repeats a command whose connection was lost: what was charged is not charged again, and hears the same answer.
"""

SETTLE = """
if tonumber(redis.call('GET', KEYS[1]) or 0) >= tonumber(ARGV[1]) then return end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
for at = 3, #ARGV, 4 do
  local key, number = KEYS[tonumber(ARGV[at])], ARGV[at + 1]
  local known = redis.call('HGET', key, number)
  if known then
    local time, requests, tokens = string.match(known, '(%d+) (%d+) (%d+)')
    local more_requests = math.max(tonumber(ARGV[at + 2]), -tonumber(requests))
    local more_tokens = math.max(tonumber(ARGV[at + 3]), -tonumber(tokens))
    redis.call('HSET', key, number, string.format('%s %.0f %.0f', time, requests + more_requests, tokens + more_tokens))
    redis.call('HINCRBY', key, 'requests', more_requests)
    redis.call('HINCRBY', key, 'tokens', more_tokens)
  end
end
"""
"""KEYS: the number of the gateway's last batch for the tenant, then logs. ARGV: the batch's number, how long that is
kept in milliseconds, and for each entry its log's place among the keys, its number, and how many requests and tokens
more (or fewer, below 0) it was. A batch that comes again changes nothing.
"""

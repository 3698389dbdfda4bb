"""What a worker does in one step; see `redis_scripts`."""

from services.gateway.jobs.redis_scripts import COMMON

_TIMES = """
local function mend_times(lease)
  local seen = tonumber(redis.call('HGET', state, 'seen') or at)
  if at - seen > lease then
    for _, token in ipairs(redis.call('ZRANGEBYSCORE', leases, '(' .. seen, at, 'LIMIT', 0, 1000)) do
      redis.call('ZADD', leases, at + lease, token)
    end
  end
  for _, token in ipairs(redis.call('ZRANGEBYSCORE', leases, '(' .. at + lease, '+inf', 'LIMIT', 0, 1000)) do
    redis.call('ZADD', leases, at + lease, token)
  end
  redis.call('HSET', state, 'seen', at)
end
"""

_FACTS = """
local function facts()
  local lease_end = redis.call('ZRANGE', leases, 0, 0, 'WITHSCORES')[2]
  local due = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')[2]
  local soonest = math.min(tonumber(lease_end) or math.huge, tonumber(due) or math.huge)
  local ready = 0
  for priority = 1, 5 do ready = ready + redis.call('XLEN', queue(priority)) end
  local attempts = redis.call('ZCARD', leases)
  local pause = soonest < math.huge and math.max(soonest - at, 0) or -1
  local over = redis.call('ZRANGE', expiring, 0, 0, 'WITHSCORES')[2]
  local rest = over and math.max(over + 600000 - at, 0) or -1
  return {ready - attempts, attempts, pause, redis.call('ZCARD', index) + redis.call('ZCARD', leaving), rest}
end
"""

_CLAIM_STEPS = """
local ticket, lease, longest, abandoned, chance = unpack(ARGV)
lease, longest, chance = tonumber(lease), tonumber(longest), tonumber(chance)

local function claimed(id)
  return {facts(), id, view(id), redis.call('HGET', key('job', id), 'payload'), redis.call('HKEYS', key('named', id))}
end

local function begin(id, attempts)
  redis.call('HSET', key('job', id), 'state', RUNNING, 'attempts', attempts, 'start', at, 'retry', '', 'token', ticket,
    'erasure', redis.call('HGET', state, 'erasures') or 0, 'fresh', '')
  redis.call('ZADD', leases, at + lease, ticket)
  redis.call('HSET', running, ticket, id)
  redis.call('HSET', state, 'seen', at)
  say(id)
  return claimed(id)
end

local function mend_pauses()
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', delayed, '(' .. at + longest, '+inf', 'LIMIT', 0, 1000)) do
    redis.call('ZADD', delayed, at + longest, member)
  end
end

local function is_held_back(id)
  if tonumber(redis.call('HGET', key('job', id), 'crashes') or 0) < 2 then return false end
  local other = redis.call('HGET', state, 'suspect')
  if other and other ~= id then
    local job = redis.call('HMGET', key('job', other), 'entry', 'crashes')
    if job[1] and job[1] ~= '' and tonumber(job[2] or 0) >= 2 then return true end
  end
  redis.call('HSET', state, 'suspect', id)
  return false
end

local function enqueue_due()
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', delayed, '-inf', at, 'LIMIT', 0, 20)) do
    local priority, id = string.match(member, '^(%d):(.*)$')
    local there = redis.call('EXISTS', key('job', id)) == 1
    if there and is_held_back(id) then
      redis.call('ZADD', delayed, at + 1000, member)
    else
      redis.call('ZREM', delayed, member)
      if there then redis.call('HSET', key('job', id), 'entry', enqueue(id, priority), 'retry', '') end
    end
  end
end

local function take_over()
  for _, token in ipairs(redis.call('ZRANGEBYSCORE', leases, '-inf', at, 'LIMIT', 0, 10)) do
    local id = redis.call('HGET', running, token)
    local job = redis.call('HMGET', key('job', id), 'attempts', 'max_attempts', 'priority', 'entry', 'state', 'fresh',
      'crashes')
    local attempts, crashes = tonumber(job[1]), tonumber(job[7] or 0)
    if job[5] == RUNNING then
      crashes = job[6] == '1' and 0 or crashes + 1
      if job[6] == '1' then attempts = attempts - 1 end
      redis.call('HSET', key('job', id), 'crashes', crashes, 'attempts', attempts)
    end
    if attempts >= tonumber(job[2]) then
      finish(id, DEAD, abandoned)
    elseif job[5] == RUNNING and crashes > 1 then
      local pause = math.floor(chance * math.min(longest, 1000 * 2 ^ math.min(crashes, 16)))
      chance = (chance + 0.618) % 1
      leave(id)
      redis.call('ZADD', delayed, at + pause, job[3] .. ':' .. id)
      redis.call('HSET', key('job', id), 'state', QUEUED, 'retry', at + pause)
      say(id)
    else
      redis.call('ZREM', leases, token)
      redis.call('HDEL', running, token)
      redis.call('XCLAIM', queue(job[3]), GROUP, GROUP, 0, job[4], 'RETRYCOUNT', attempts + 1, 'JUSTID')
      return begin(id, attempts + 1)
    end
  end
end

local function first_priority(turn)
  local priority = 5
  while priority > 1 and turn % 2 == 0 do priority, turn = priority - 1, turn / 2 end
  return priority
end

local function take(priority)
  local last = redis.call('HGET', state, 'last:' .. priority)
  local entry = redis.call('XRANGE', queue(priority), last and '(' .. last or '-', '+', 'COUNT', 1)[1]
  if not entry then return end
  local id = entry[2][2]
  local attempts = redis.call('HGET', key('job', id), 'attempts')
  redis.call('XREADGROUP', 'GROUP', GROUP, GROUP, 'COUNT', 1, 'STREAMS', queue(priority), '>')
  redis.call('HSET', state, 'last:' .. priority, entry[1])
  redis.call('HINCRBY', state, 'turns', 1)
  return begin(id, attempts + 1)
end
"""

CLAIM = (
    COMMON
    + _TIMES
    + _FACTS
    + _CLAIM_STEPS
    + """
draining()
redis.call('ZREMRANGEBYSCORE', leaving, '-inf', at)
local resumed = redis.call('HGET', running, ticket)
if resumed and stands(resumed) == RUNNING then
  redis.call('ZADD', leases, at + lease, ticket)
  return claimed(resumed)
end
sweep()
if redis.call('ZCARD', index) == 0 then
  if redis.call('EXISTS', state) == 1 then redis.call('UNLINK', unpack(KEYS, 1, 12)) end
  return {facts()}
end
if redis.call('ZCARD', leases) == 0 then redis.call('UNLINK', erased) end
mend_times(lease)
mend_pauses()
enqueue_due()
local taken = take_over()
if taken then return taken end
local first = first_priority((redis.call('HGET', state, 'turns') or 0) + 1)
taken = take(first)
for priority = 5, 1, -1 do
  if not taken and priority ~= first then taken = take(priority) end
end
return taken or {facts()}
"""
)
"""ARGV: token for the attempt, lease, longest pause between attempts, status of a job that is abandoned, and
chance, from 0 to 1.

The same token again, where an answer was lost, is the same attempt: otherwise a server that is too slow to be heard
would use up the attempts of jobs that nobody ever had.

A lease runs while somebody looks. What ended since any worker last looked, more than a lease ago, gets another one:
Redis was away, or its clock jumped, and the workers are likely there. What ends later than it can, after a clock jumped
back, ends when it can.

A job whose worker died may have killed it, or another one that ran beside it. The first time it is begun again at once.
From the second in a row on it pauses by chance, and of such jobs a tenant has one begun at a time, until it has kept a
result: so the one that kills does not take others with it. An attempt that had kept results does not count.

Of the turns to begin a new job every other one is that of priority 5, of the rest every other one that of priority 4,
and so on; a class without jobs leaves its turn to the highest that has some.

All workers are one consumer of the groups: the job says whose it is, and names of workers that are gone do not pile up.
The stream keeps the order and what is pending, the sorted set the leases: who is late is found there at once, among any
number, and a moment that the clock's jump made impossible is seen, which it is not by the idle time of an entry.
"""

_HELD = (
    _TIMES
    + """
local function held(id, token)
  local job = redis.call('HMGET', key('job', id), 'state', 'token')
  return job[1] == RUNNING and job[2] == token
end

local function reported(id, token)
  return redis.call('HGET', key('job', id), 'ended') == token
end

local function renew(token, lease)
  mend_times(tonumber(lease))
  redis.call('ZADD', leases, at + lease, token)
end
"""
)

HEARTBEAT = (
    COMMON
    + _HELD
    + """
if not held(ARGV[1], ARGV[2]) then return {'lost'} end
draining()
renew(ARGV[2], ARGV[3])
sweep()
return {'held'}
"""
)
"""ARGV: job, token, lease. It sweeps, too: a worker without a free place asks nothing else where the memory is full."""

RECORD = (
    COMMON
    + _HELD
    + """
local id, token, lease, most_bytes, gone = unpack(ARGV, 1, 5)
if not held(id, token) then return {'lost'} end
local job = redis.call('HMGET', KEYS[14], 'erasure', 'items', 'done', 'failed', 'step', 'said', 'degraded')
local marks = redis.call('EXISTS', erased) == 1

local function is_erased(names)
  for first = 2, #names, 8 do
    local mark = redis.call('ZSCORE', erased, string.sub(names, first, first + 7))
    if mark and tonumber(mark) > tonumber(job[1]) then return true end
  end
end

local more = 0
for number = 6, #ARGV, 3 do
  if redis.call('HEXISTS', KEYS[16], ARGV[number]) == 0 then more = more + #ARGV[number + 1] end
end
local bytes = redis.call('HGET', state, 'bytes') or 0
if more > 0 and bytes + more > tonumber(most_bytes) then return {'full', 'bytes'} end
local done, failed, degraded = tonumber(job[3]), tonumber(job[4]), tonumber(job[7])
for number = 6, #ARGV, 3 do
  local place, result, names = unpack(ARGV, number, number + 2)
  if redis.call('HEXISTS', KEYS[16], place) == 0 then
    if marks and is_erased(names) then result, names = gone, '1' end
    redis.call('HSET', KEYS[15], place, result)
    weigh(id, #result)
    redis.call('HSET', KEYS[16], place, names)
    local flag = string.sub(names, 1, 1)
    done = done + 1
    if flag == '1' then failed = failed + 1 elseif flag == '2' then degraded = degraded + 1 end
  end
end
redis.call('HSET', KEYS[14], 'done', done, 'failed', failed, 'degraded', degraded)
if done > tonumber(job[3]) then redis.call('HSET', KEYS[14], 'fresh', '1', 'crashes', 0) end
renew(token, lease)
local step = math.floor(64 * done / job[2])
if step ~= tonumber(job[5]) or at - job[6] >= 1000 then
  redis.call('HSET', KEYS[14], 'step', step)
  say(id)
end
return {'held'}
"""
)
"""ARGV: job, token, lease, most bytes of the tenant, what stands for a result that is erased; index, result and names
of each. Where there is no room for them, none is kept.

A result of an attempt that began before an erasure may be made of what was erased: it counts as erased. There is an
event for each 64th part of the job, or for each second, so that progress does not push the rest out of the stream.
"""

SUCCEED = (
    COMMON
    + _HELD
    + """
local id, token = ARGV[1], ARGV[2]
if reported(id, token) then return {'held'} end
if not held(id, token) then return {'lost'} end
local counts = redis.call('HMGET', KEYS[14], 'items', 'done')
if counts[1] ~= counts[2] then return {'undone'} end
draining()
drop_payload(id)
redis.call('HSET', KEYS[14], 'ended', token)
finish(id, SUCCEEDED, '')
return {'held'}
"""
)
"""ARGV: job, token."""

FAIL = (
    COMMON
    + _HELD
    + """
local id, token, final, counted, pause, status = unpack(ARGV)
if reported(id, token) then return {'held'} end
if not held(id, token) then return {'lost'} end
local job = redis.call('HMGET', KEYS[14], 'attempts', 'max_attempts', 'priority')
draining()
redis.call('HSET', KEYS[14], 'ended', token, 'crashes', 0)
if counted == '0' then redis.call('HINCRBY', KEYS[14], 'attempts', -1) end
if final == '1' or (counted == '1' and tonumber(job[1]) >= tonumber(job[2])) then
  finish(id, DEAD, status)
else
  leave(id)
  redis.call('ZADD', delayed, at + pause, job[3] .. ':' .. id)
  redis.call('HSET', KEYS[14], 'state', QUEUED, 'retry', at + pause, 'error', status)
  say(id)
end
return {'held'}
"""
)
"""ARGV: job, token, whether it is final, whether the attempt counts, pause before the next one, status."""

RELEASE = (
    COMMON
    + _HELD
    + """
local id, token, last = unpack(ARGV)
if reported(id, token) then return {'held'} end
if not held(id, token) then return {'lost'} end
draining()
if last == '1' then
  leave(id)
  redis.call('HSET', KEYS[14], 'entry', enqueue(id, redis.call('HGET', KEYS[14], 'priority')))
else
  redis.call('ZADD', leases, 0, token)
end
redis.call('HINCRBY', KEYS[14], 'attempts', -1)
redis.call('HSET', KEYS[14], 'state', QUEUED, 'ended', token)
say(id)
return {'held'}
"""
)
"""ARGV: job, token, whether it goes behind all others. A stream has no front to put it back to: so that it is the first
of all, it is taken over."""

LEAVE = (
    COMMON
    + """
draining()
redis.call('ZREM', leaving, ARGV[2])
return {'left'}
"""
)
"""ARGV: job, token."""

WAITING = COMMON + _FACTS + "return facts()"
"""No ARGV."""

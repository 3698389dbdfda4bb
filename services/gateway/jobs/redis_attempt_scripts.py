"""What a worker does in one step; see `redis_scripts`."""

from services.gateway.jobs.redis_scripts import COMMON

_CLAIM_STEPS = """
local ticket, lease, worker, longest, abandoned = unpack(ARGV)
lease, longest = tonumber(lease), tonumber(longest)

local function facts()
  local lease_end = redis.call('ZRANGE', leases, 0, 0, 'WITHSCORES')[2]
  local due = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')[2]
  local soonest = math.min(tonumber(lease_end) or math.huge, tonumber(due) or math.huge)
  local ready = 0
  for priority = 1, 5 do ready = ready + redis.call('XLEN', queue(priority)) end
  local attempts = redis.call('ZCARD', leases)
  local pause = soonest < math.huge and math.max(soonest - at, 0) or -1
  return {ready - attempts, attempts, pause, redis.call('ZCARD', index)}
end

local function claimed(id)
  return {facts(), id, view(id), redis.call('HGET', key('job', id), 'payload'), redis.call('HKEYS', key('named', id))}
end

local function begin(id, attempts)
  redis.call('HSET', key('job', id), 'state', RUNNING, 'attempts', attempts, 'start', at, 'retry', '', 'token', ticket,
    'worker', worker, 'erasure', redis.call('HGET', state, 'erasures') or 0)
  redis.call('ZADD', leases, at + lease, ticket)
  redis.call('HSET', running, ticket, id)
  redis.call('HSET', state, 'seen', at)
  say(id)
  return claimed(id)
end

local function mend_times()
  local seen = tonumber(redis.call('HGET', state, 'seen') or at)
  if at - seen > lease then
    for _, token in ipairs(redis.call('ZRANGEBYSCORE', leases, '(' .. seen, at, 'LIMIT', 0, 1000)) do
      redis.call('ZADD', leases, at + lease, token)
    end
  end
  for _, token in ipairs(redis.call('ZRANGEBYSCORE', leases, '(' .. at + lease, '+inf', 'LIMIT', 0, 1000)) do
    redis.call('ZADD', leases, at + lease, token)
  end
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', delayed, '(' .. at + longest, '+inf', 'LIMIT', 0, 1000)) do
    redis.call('ZADD', delayed, at + longest, member)
  end
  redis.call('HSET', state, 'seen', at)
end

local function enqueue_due()
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', delayed, '-inf', at, 'LIMIT', 0, 20)) do
    local priority, id = string.match(member, '^(%d):(.*)$')
    local there = redis.call('EXISTS', key('job', id)) == 1
    redis.call('ZREM', delayed, member)
    if there then redis.call('HSET', key('job', id), 'entry', enqueue(id, priority), 'retry', '') end
  end
end

local function take_over()
  for _, token in ipairs(redis.call('ZRANGEBYSCORE', leases, '-inf', at, 'LIMIT', 0, 10)) do
    local id = redis.call('HGET', running, token)
    local job = redis.call('HMGET', key('job', id), 'attempts', 'max_attempts', 'priority', 'entry')
    local attempts = tonumber(job[1])
    if attempts < tonumber(job[2]) then
      redis.call('ZREM', leases, token)
      redis.call('HDEL', running, token)
      redis.call('XCLAIM', queue(job[3]), GROUP, GROUP, 0, job[4], 'RETRYCOUNT', attempts + 1, 'JUSTID')
      return begin(id, attempts + 1)
    end
    finish(id, DEAD, abandoned)
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
    + _CLAIM_STEPS
    + """
local resumed = redis.call('HGET', running, ticket)
if resumed and stands(resumed) == RUNNING then
  redis.call('ZADD', leases, at + lease, ticket)
  return claimed(resumed)
end
if redis.call('ZCARD', index) == 0 then
  if redis.call('EXISTS', state) == 1 then redis.call('UNLINK', unpack(KEYS)) end
  return {facts()}
end
draining()
sweep()
if redis.call('ZCARD', leases) == 0 then redis.call('UNLINK', erased) end
mend_times()
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
"""ARGV: token for the attempt, lease, worker, longest pause between attempts, status of a job that is abandoned.

The same token again, where an answer was lost, is the same attempt: otherwise a server that is too slow to be heard
would use up the attempts of jobs that nobody ever had.

A lease runs while somebody looks. What ended since any worker last looked, more than a lease ago, gets another one:
Redis was away, or its clock jumped, and the workers are likely there. What ends later than it can, after a clock jumped
back, ends when it can.

Of the turns to begin a new job every other one is that of priority 5, of the rest every other one that of priority 4,
and so on; a class without jobs leaves its turn to the highest that has some.

All workers are one consumer of the groups: the job says whose it is, and names of workers that are gone do not pile up.
The stream keeps the order and what is pending, the sorted set the leases: who is late is found there at once, among any
number, and a moment that the clock's jump made impossible is seen, which it is not by the idle time of an entry.
"""

_HELD = """
local function held(id, token)
  local job = redis.call('HMGET', key('job', id), 'state', 'token')
  return job[1] == RUNNING and job[2] == token
end

local function reported(id, token)
  return redis.call('HGET', key('job', id), 'ended') == token
end

local function renew(token, lease)
  redis.call('ZADD', leases, at + lease, token)
  redis.call('HSET', state, 'seen', at)
end
"""

HEARTBEAT = (
    COMMON
    + _HELD
    + """
if not held(ARGV[1], ARGV[2]) then return {'lost'} end
draining()
renew(ARGV[2], ARGV[3])
return {'held'}
"""
)
"""ARGV: job, token, lease."""

RECORD = (
    COMMON
    + _HELD
    + """
local id, token, lease, gone = unpack(ARGV, 1, 4)
if not held(id, token) then return {'lost'} end
local job = redis.call('HMGET', KEYS[13], 'erasure', 'items', 'done', 'failed', 'step', 'said')
local marks = redis.call('EXISTS', erased) == 1

local function is_erased(names)
  for first = 2, #names, 8 do
    local mark = redis.call('ZSCORE', erased, string.sub(names, first, first + 7))
    if mark and tonumber(mark) > tonumber(job[1]) then return true end
  end
end

local done, failed = tonumber(job[3]), tonumber(job[4])
for number = 5, #ARGV, 3 do
  local place, result, names = unpack(ARGV, number, number + 2)
  if redis.call('HEXISTS', KEYS[15], place) == 0 then
    if marks and is_erased(names) then result, names = gone, '1' end
    redis.call('HSET', KEYS[14], place, result)
    redis.call('HSET', KEYS[15], place, names)
    done, failed = done + 1, failed + tonumber(string.sub(names, 1, 1))
  end
end
redis.call('HSET', KEYS[13], 'done', done, 'failed', failed)
renew(token, lease)
local step = math.floor(64 * done / job[2])
if step ~= tonumber(job[5]) or at - job[6] >= 1000 then
  redis.call('HSET', KEYS[13], 'step', step)
  say(id)
end
return {'held'}
"""
)
"""ARGV: job, token, lease, what stands for a result that is erased; index, result and names of each.

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
local counts = redis.call('HMGET', KEYS[13], 'items', 'done')
if counts[1] ~= counts[2] then return {'undone'} end
draining()
redis.call('HDEL', KEYS[13], 'payload')
redis.call('HSET', KEYS[13], 'ended', token)
finish(id, SUCCEEDED, '')
return {'held'}
"""
)
"""ARGV: job, token."""

FAIL = (
    COMMON
    + _HELD
    + """
local id, token, final, pause, status = unpack(ARGV)
if reported(id, token) then return {'held'} end
if not held(id, token) then return {'lost'} end
local job = redis.call('HMGET', KEYS[13], 'attempts', 'max_attempts', 'priority')
draining()
redis.call('HSET', KEYS[13], 'ended', token)
if final == '1' or tonumber(job[1]) >= tonumber(job[2]) then
  finish(id, DEAD, status)
else
  leave(id)
  redis.call('ZADD', delayed, at + pause, job[3] .. ':' .. id)
  redis.call('HSET', KEYS[13], 'state', QUEUED, 'retry', at + pause, 'error', status)
  say(id)
end
return {'held'}
"""
)
"""ARGV: job, token, whether it is final, pause before the next attempt, status."""

RELEASE = (
    COMMON
    + _HELD
    + """
local id, token = ARGV[1], ARGV[2]
if reported(id, token) then return {'held'} end
if not held(id, token) then return {'lost'} end
draining()
redis.call('ZADD', leases, 0, token)
redis.call('HINCRBY', KEYS[13], 'attempts', -1)
redis.call('HSET', KEYS[13], 'state', QUEUED, 'ended', token)
say(id)
return {'held'}
"""
)
"""ARGV: job, token. A stream has no front to put it back to: it is taken over first of all."""

"""What an erasure does in one step; see `redis_scripts`."""

from services.gateway.jobs.redis_scripts import COMMON

MARK = (
    COMMON
    + """
if redis.call('ZCARD', index) == 0 then return '0' end
draining()
local number = redis.call('HINCRBY', state, 'erasures', ARGV[1])
if redis.call('ZCARD', leases) > 0 then
  for place = 2, #ARGV do redis.call('ZADD', erased, number, ARGV[place]) end
  redis.call('ZREMRANGEBYRANK', erased, 0, -100001)
end
return redis.call('HGET', state, 'submitted') or '0'
"""
)
"""ARGV: 1 with the first documents of an erasure, then 0; digests of documents. Returns the number of the last job that
may hold one. Only attempts that run may bring something back, so only for them there are marks, the newest 100,000."""

ERASE_DOCUMENTS = (
    COMMON
    + """
local first, last, subject, status, gone, writing = unpack(ARGV, 1, 6)
local wanted = {}
for place = 7, #ARGV do wanted[ARGV[place]] = true end

local function names(digests, start)
  for place = start, #digests, 8 do
    if wanted[string.sub(digests, place, place + 7)] then return true end
  end
end

local function is_of(subjects)
  for place = 1, #subjects, 8 do
    if string.sub(subjects, place, place + 7) == subject then return true end
  end
end

local lost, looked_at = {}, 0
draining()
for _, id in ipairs(redis.call('ZRANGEBYSCORE', index, '(' .. first, last, 'LIMIT', 0, 100)) do
  local job = redis.call('HMGET', key('job', id), 'documents', 'subjects', 'state', 'failed', 'token', 'degraded')
  local holds = redis.call('HEXISTS', key('job', id), 'payload') == 1 and (names(job[1], 1) or is_of(job[2]))
  local found, failed, degraded = false, tonumber(job[4]), tonumber(job[6])
  local results = redis.call('HGETALL', key('named', id))
  for place = 1, #results, 2 do
    looked_at = looked_at + #results[place + 1]
    if names(results[place + 1], 2) then
      found = true
      local flag = string.sub(results[place + 1], 1, 1)
      if flag ~= '1' then failed = failed + 1 end
      if flag == '2' then degraded = degraded - 1 end
      weigh(id, #gone - redis.call('HSTRLEN', key('results', id), results[place]))
      redis.call('HSET', key('results', id), results[place], gone)
      redis.call('HSET', key('named', id), results[place], '1')
    end
  end
  if found then redis.call('HSET', key('job', id), 'failed', failed, 'degraded', degraded) end
  if holds then drop_payload(id) end
  if holds and job[3] == RUNNING then redis.call('ZADD', leaving, at + writing, job[5]) end
  if holds and (job[3] == QUEUED or job[3] == RUNNING) then
    finish(id, DEAD, status)
  elseif found then
    say(id)
  end
  if found or holds then lost[#lost + 1] = id end
  first = redis.call('ZSCORE', index, id)
  looked_at = looked_at + 256
  if looked_at > 65536 then return {lost, first} end
end
if redis.call('ZCOUNT', index, '(' .. first, last) > 0 then return {lost, first} end
return {lost, ''}
"""
)
"""ARGV: number of the job before the first, number of the last, digest of the subject or nothing, status of a job that
is erased, what stands for a result that is, how long a worker may still write; digests of documents. Returns the jobs
that lost something, and the number of the last one where there are more. One step looks at 100 jobs, or at some 64 KB
of names."""

ERASE_TENANT = (
    COMMON
    + """
draining()
local ids = redis.call('ZRANGEBYSCORE', index, '-inf', ARGV[1], 'LIMIT', 0, 100)
for _, id in ipairs(ids) do
  local job = redis.call('HMGET', key('job', id), 'state', 'documents', 'token')
  if job[1] == RUNNING and job[2] ~= '' then redis.call('ZADD', leaving, at + ARGV[2], job[3]) end
  leave(id)
  forget(id)
  speak(id)
end
if redis.call('ZCARD', index) == 0 then redis.call('UNLINK', unpack(KEYS, 1, 12)) end
return #ids
"""
)
"""ARGV: number of the last job, how long a worker may still write. Returns how many there were: at most 100, and fewer
only where there are no more."""

LEAVING = (
    COMMON
    + """
draining()
redis.call('ZREMRANGEBYSCORE', leaving, '-inf', at)
return redis.call('ZCARD', leaving)
"""
)
"""No ARGV. Returns how many attempts of erased jobs may still write."""

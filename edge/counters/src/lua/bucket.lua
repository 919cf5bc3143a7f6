-- The arithmetic of a bucket and the keeping of reservations; stands before each of the other scripts.
--
-- The same as bucket.rs and process.rs, line by line, in doubles that hold integers: every intermediate is
-- below 2^53. Divisions take the exact remainder first (math.fmod), since a quotient may round up to the next
-- integer. Numbers are written with %d, since Lua writes large ones with an exponent.
--
-- A bucket is `level rem at lent`; of a quota, rem is the amount and at is when its period began. What is held under a
-- request's id is, in the hash `held`: for each count `id amount remaining` for a reservation, of a quota with `@` and
-- when the period began behind it; `L` and then for each count `id amount rate window burst` for a loan, whose
-- rate is needed when nobody comes to end it; nothing for a remembered charge. A count of slots is a hash: of each owner
-- `number until turn`.

local UNITS_MAX = 1000000000
local QUOTA_MAX = 1000000000000000
local KEEP_MS = 60000
local RESERVATIONS_KEEP_MS = 3600000
local REAP_MAX = 32
local SLOTS_TERM_MS = 15000

local function whole(number)
  return string.format('%d', number)
end

local function divide(number, by)
  local rest = math.fmod(number, by)
  return (number - rest) / by, rest
end

local function divide_up(number, by)
  return (divide(number + by - 1, by))
end

-- The time passed in, or Redis's own, in milliseconds.
local function clock(passed)
  if passed ~= '' then
    return tonumber(passed)
  end
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + (divide(tonumber(time[2]), 1000))
end

-- What a count is measured by. The window of a quota is `before:from:to`, the beginnings of three periods.
local function measure(amount, window, burst)
  local it = { amount = tonumber(amount), window = window, window_ms = tonumber(window), burst = tonumber(burst) }
  if not it.window_ms then
    local before, from, to = string.match(window, '^(%d+):(%d+):(%d+)$')
    it.before, it.from, it.to = tonumber(before), tonumber(from), tonumber(to)
  end
  return it
end

-- From ARGV[first]: amount, window in ms or of a quota, burst, and what is asked or was used.
local function line(first)
  local it = measure(ARGV[first], ARGV[first + 1], ARGV[first + 2])
  it.asked = tonumber(ARGV[first + 3])
  return it
end

-- How high the level may be: what is lent keeps its place.
local function cap(bucket, rate)
  return math.max(rate.burst - bucket.lent, 0)
end

-- How long from bucket.at until the level is `target`.
local function until_ms(bucket, rate, target)
  if target <= bucket.level then
    return 0
  end
  return divide_up((target - bucket.level) * rate.window_ms - bucket.rem, rate.amount)
end

-- The first moment of the period of a quota that holds `now`.
local function period(rate, now)
  if now < rate.from then
    return rate.before
  elseif now < rate.to then
    return rate.from
  end
  return rate.to
end

-- A quota's bucket at `now`: a period that began is not taken back, save by a clock that was more than one ahead.
local function restarted(bucket, rate, now)
  bucket.level = math.max(bucket.level + rate.burst - bucket.rem, -QUOTA_MAX)
  bucket.rem = rate.burst
  local from, most = period(rate, now), cap(bucket, rate)
  if bucket.at < from then
    bucket.at = from
    bucket.level = most
  elseif bucket.at > rate.to and bucket.at > now then
    bucket.at = from
  end
  bucket.level = math.min(bucket.level, most)
  return bucket
end

-- The bucket that `text` spells, or a full one, at `now` under `rate`.
local function refilled(text, rate, now)
  if not text then
    if rate.from then
      return { level = rate.burst, rem = rate.burst, at = period(rate, now), lent = 0 }
    end
    return { level = rate.burst, rem = 0, at = now, lent = 0 }
  end
  local level, rem, at, lent = string.match(text, '^(%-?%d+) (%d+) (%d+) (%d+)$')
  local bucket = { level = tonumber(level), rem = tonumber(rem), at = tonumber(at), lent = tonumber(lent) }
  if rate.from then
    return restarted(bucket, rate, now)
  end
  local most = cap(bucket, rate)
  if bucket.level >= most then
    bucket.level = most
    bucket.rem = 0
  elseif bucket.rem >= rate.window_ms then
    bucket.rem = 0
  end
  if now < bucket.at then
    if bucket.at - now > rate.window_ms then
      bucket.at = now
    end
    return bucket
  end
  local elapsed_ms = now - bucket.at
  bucket.at = now
  if elapsed_ms >= until_ms(bucket, rate, most) then
    bucket.level = most
    bucket.rem = 0
  else
    local added, rest = divide(elapsed_ms * rate.amount + bucket.rem, rate.window_ms)
    bucket.level = bucket.level + added
    bucket.rem = rest
  end
  return bucket
end

local function wait_ms(bucket, rate, now)
  if rate.from then
    if bucket.level >= rate.asked then
      return 0
    end
    local ends = bucket.at + rate.to - rate.from
    if bucket.at < rate.from then
      ends = rate.from
    elseif bucket.at < rate.to then
      ends = rate.to
    end
    return math.max(ends - now, 1)
  end
  local wait = until_ms(bucket, rate, math.min(rate.asked, rate.burst))
  if wait == 0 then
    return 0
  end
  return wait + math.max(bucket.at - now, 0)
end

-- The bucket with `change` more or less in it.
local function changed(bucket, rate, change)
  bucket.level = math.max(bucket.level + change, rate.from and -QUOTA_MAX or -UNITS_MAX)
  local most = cap(bucket, rate)
  if bucket.level >= most then
    bucket.level = most
    if not rate.from then
      bucket.rem = 0
    end
  end
end

-- Writes the bucket. It may vanish once it is full, and not before.
local function keep(key, bucket, rate, now)
  local text = string.format('%d %d %d %d', bucket.level, bucket.rem, bucket.at, bucket.lent)
  local full = rate.from and bucket.at + 2 * (rate.to - rate.from) or bucket.at + until_ms(bucket, rate, rate.burst)
  redis.call('SET', key, text, 'PX', whole(math.max(full - now, 0) + KEEP_MS))
end

-- Gives a loan's places in its buckets free, and tells its amounts by limit. The refill up to now knows of the loan
-- still.
local function end_loan(held, loan, now)
  local prefix, amounts = string.sub(held, 1, -5) .. 'limit:', {}
  for limit, amount, rate, window, burst in string.gmatch(loan, '(%x+) (%d+) (%d+) ([%d:]+) (%d+)') do
    local key = prefix .. limit
    rate = measure(rate, window, burst)
    amounts[limit] = tonumber(amount)
    local bucket = refilled(redis.call('GET', key), rate, now)
    bucket.lent = math.max(bucket.lent - amounts[limit], 0)
    keep(key, bucket, rate, now)
  end
  return amounts
end

-- The owners of a count of slots.
local function owners_of(key)
  local fields, owners = redis.call('HGETALL', key), {}
  for i = 1, #fields, 2 do
    local count, ends, turn = string.match(fields[i + 1], '^(%d+) (%d+) (%d+)$')
    owners[fields[i]] = { count = tonumber(count), ends = tonumber(ends), turn = tonumber(turn) }
  end
  return owners
end

-- How many slots are this owner's now, and how many others'.
local function owned(owners, owner, now)
  local own, others = 0, 0
  for whose, it in pairs(owners) do
    if it.ends > now then
      if whose == owner then
        own = it.count
      else
        others = others + it.count
      end
    end
  end
  return own, others
end

-- Writes an owner's number of slots and forgets owners that have not written for their term. A clock that stepped back
-- prolongs no term.
local function own(key, owners, owner, count, turn, now)
  local ends, last = now + SLOTS_TERM_MS, 0
  for whose, it in pairs(owners) do
    if whose == owner then
      last = it.turn
    elseif it.ends <= now then
      redis.call('HDEL', key, whose)
    elseif it.ends > ends then
      redis.call('HSET', key, whose, string.format('%d %d %d', it.count, ends, it.turn))
    end
  end
  -- Also where there are none, so that what comes late is told from what is new.
  redis.call('HSET', key, owner, string.format('%d %d %d', count, ends, math.max(turn, last)))
  redis.call('PEXPIRE', key, SLOTS_TERM_MS + KEEP_MS)
end

-- Holds `value` under the request's id until then. The empty value remembers a charge: nothing is held.
local function hold(held, due, id, value, until_then)
  redis.call('HSET', held, id, value)
  redis.call('ZADD', due, whole(until_then), id)
  redis.call('PEXPIRE', held, RESERVATIONS_KEEP_MS)
  redis.call('PEXPIRE', due, RESERVATIONS_KEEP_MS)
end

local function release(held, due, id)
  redis.call('HDEL', held, id)
  redis.call('ZREM', due, id)
end

-- Forgets what has ended, and counts the reservations and loans among it. Either was debited when it was made, so that
-- forgetting it is charging it in full.
local function reap(held, due, now)
  local ended = redis.call('ZRANGEBYSCORE', due, '-inf', whole(now), 'LIMIT', 0, REAP_MAX)
  local expired = 0
  for _, id in ipairs(ended) do
    local what = redis.call('HGET', held, id)
    if what ~= '' then
      expired = expired + 1
    end
    release(held, due, id)
    if what and string.sub(what, 1, 1) == 'L' then
      end_loan(held, what, now)
    end
  end
  return expired
end

-- The arithmetic of a bucket and the keeping of reservations; stands before each of the other scripts.
--
-- The same as bucket.rs and process.rs, line by line, in doubles that hold integers: every intermediate is
-- below 2^53. Divisions take the exact remainder first (math.fmod), since a quotient may round up to the next
-- integer. Numbers are written with %d, since Lua writes large ones with an exponent.
--
-- A bucket is `level rem at lent`. What is held under a request's id is, in the hash `held`: for each limit
-- `id amount remaining` for a reservation; `L` and then for each limit `id amount rate window burst` for a loan, whose
-- rate is needed when nobody comes to end it; nothing for a remembered charge.

local UNITS_MAX = 1000000000
local KEEP_MS = 60000
local RESERVATIONS_KEEP_MS = 3600000
local REAP_MAX = 32

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

-- From ARGV[first]: amount, window in ms, burst, and what is asked or was used.
local function line(first)
  return {
    amount = tonumber(ARGV[first]),
    window_ms = tonumber(ARGV[first + 1]),
    burst = tonumber(ARGV[first + 2]),
    asked = tonumber(ARGV[first + 3]),
  }
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

-- The bucket that `text` spells, or a full one, at `now` under `rate`.
local function refilled(text, rate, now)
  if not text then
    return { level = rate.burst, rem = 0, at = now, lent = 0 }
  end
  local level, rem, at, lent = string.match(text, '^(%-?%d+) (%d+) (%d+) (%d+)$')
  local bucket = { level = tonumber(level), rem = tonumber(rem), at = tonumber(at), lent = tonumber(lent) }
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
  local wait = until_ms(bucket, rate, math.min(rate.asked, rate.burst))
  if wait == 0 then
    return 0
  end
  return wait + math.max(bucket.at - now, 0)
end

-- The bucket with `change` more or less in it.
local function changed(bucket, rate, change)
  bucket.level = math.max(bucket.level + change, -UNITS_MAX)
  local most = cap(bucket, rate)
  if bucket.level >= most then
    bucket.level = most
    bucket.rem = 0
  end
end

-- Writes the bucket. It may vanish once it is full, and not before.
local function keep(key, bucket, rate, now)
  local text = string.format('%d %d %d %d', bucket.level, bucket.rem, bucket.at, bucket.lent)
  local keep_ms = bucket.at + until_ms(bucket, rate, rate.burst) + KEEP_MS - now
  redis.call('SET', key, text, 'PX', whole(keep_ms))
end

-- Gives a loan's places in its buckets free, and tells its amounts by limit. The refill up to now knows of the loan
-- still.
local function end_loan(held, loan, now)
  local prefix, amounts = string.sub(held, 1, -5) .. 'limit:', {}
  for limit, amount, rate, window_ms, burst in string.gmatch(loan, '(%x+) (%d+) (%d+) (%d+) (%d+)') do
    local key = prefix .. limit
    rate = { amount = tonumber(rate), window_ms = tonumber(window_ms), burst = tonumber(burst) }
    amounts[limit] = tonumber(amount)
    local bucket = refilled(redis.call('GET', key), rate, now)
    bucket.lent = math.max(bucket.lent - amounts[limit], 0)
    keep(key, bucket, rate, now)
  end
  return amounts
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

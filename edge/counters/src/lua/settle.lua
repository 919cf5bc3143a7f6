-- Gives back what was reserved or lent and not used, or charges what was used beyond it. Once for each id.
--
-- KEYS: held, due, then one for each limit, which ends in the count's id.
-- ARGV: now in ms or '', request id, '1' to charge although nothing is held, then four for each limit (see `line`).
-- Replies {2 released | 1 charged | 0 nothing, expired}.

local CHARGED_KEEP_MS = 600000

local held, due, id = KEYS[1], KEYS[2], ARGV[2]
local now = clock(ARGV[1])
local charge = ARGV[3] == '1'

local before = redis.call('HGET', held, id)
local outcome = 0
if before and before ~= '' then
  outcome = 2
elseif not before and charge then
  outcome = 1
end

if outcome > 0 then
  local reserved, since, is_loan = {}, {}, before and string.sub(before, 1, 1) == 'L'
  if is_loan then
    reserved = end_loan(held, before, now)
  else
    for limit, amount, at in string.gmatch(before or '', '(%x+) (%d+) %-?%d+@?(%d*)') do
      reserved[limit] = tonumber(amount)
      since[limit] = tonumber(at)
    end
  end
  for i = 3, #KEYS do
    local rate, limit = line(4 * (i - 2)), string.sub(KEYS[i], -32)
    local change = (reserved[limit] or 0) - rate.asked
    local bucket = nil
    if rate.from then
      -- What was taken of a period that is over is not given back to the next one; a loan's place is kept there.
      bucket = refilled(redis.call('GET', KEYS[i]), rate, now)
      if bucket.at ~= (since[limit] or rate.from) then
        change = math.min(change, is_loan and reserved[limit] or 0)
      end
    end
    if change ~= 0 then
      bucket = bucket or refilled(redis.call('GET', KEYS[i]), rate, now)
      changed(bucket, rate, change)
      keep(KEYS[i], bucket, rate, now)
    end
  end
  if charge then
    hold(held, due, id, '', now + CHARGED_KEEP_MS)
  else
    release(held, due, id)
  end
end
return { outcome, reap(held, due, now) }

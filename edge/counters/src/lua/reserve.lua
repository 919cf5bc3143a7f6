-- Holds room in every limit and a slot for every claim, or nothing: two passes, and a denial writes nothing at all. Lends what is wanted ahead, of
-- every limit or of none.
--
-- KEYS: held, due, then one for each limit, which ends in the count's id, then one for each claim of slots.
-- ARGV: now in ms or '', request id, lease in ms, loan id or '', term of the loan in ms, a digit for each limit and claim, 1
-- for those that only warn, or '', how many claims there are, then five for each limit: those of `line`, and how much to
-- borrow. With claims the owner and its turn, then seven for each: how many slots there are, how many its owner said last
-- that it has and in which turn, how many it has at least, needs more and would like beyond that, and when to ask again in
-- ms. Without a request id it only looks, and writes nothing.
-- Replies {1, expired, remaining..., slots..., lent...}; {2, expired, remaining..., slots..., over...} with the places of
-- those that only warn and had no room; or {0, 0, tightest, retry_after_ms, remaining..., slots...}. Slots are three for
-- each claim: 0 when there was no room, otherwise one more than it got beyond its need; how many are its owner's; and how
-- many are others'.

local HEAD = 7

local held, due, id = KEYS[1], KEYS[2], ARGV[2]
local now = clock(ARGV[1])

local claims = tonumber(ARGV[7])
local lines = #KEYS - 2 - claims
local slots = {}
for j = 1, claims do
  local first = HEAD + 5 * lines + 2 + 7 * j - 6
  local owner, most, base = ARGV[HEAD + 5 * lines + 1], tonumber(ARGV[first]), tonumber(ARGV[first + 3])
  local owners = owners_of(KEYS[2 + lines + j])
  local has, others = owned(owners, owner, now)
  if (owners[owner] and owners[owner].turn or 0) < tonumber(ARGV[first + 2]) then
    has = math.min(has, tonumber(ARGV[first + 1]))
  end
  local left = math.max(most - others, 0)
  local needed = math.max(has, base) + tonumber(ARGV[first + 4])
  slots[j] = { granted = 0, own = has, others = others, owners = owners, retry_ms = tonumber(ARGV[first + 6]) }
  if needed <= left then
    slots[j].own = math.min(needed + tonumber(ARGV[first + 5]), left)
    slots[j].granted = 1 + slots[j].own - needed
  end
end

local function tell_slots(reply)
  for j = 1, claims do
    reply[#reply + 1] = slots[j].granted
    reply[#reply + 1] = slots[j].own
    reply[#reply + 1] = slots[j].others
  end
  return reply
end

local before = redis.call('HGET', held, id)
if before and before ~= '' and string.sub(before, 1, 1) ~= 'L' then
  local reply = { 1, 0 }
  for remaining in string.gmatch(before, '%x+ %d+ (%-?%d+)@?%d*') do
    reply[#reply + 1] = tonumber(remaining)
  end
  return tell_slots(reply)
end

local texts = {}
if lines > 0 then
  texts = redis.call('MGET', unpack(KEYS, 3, 2 + lines))
end
local rates, buckets, tightest, longest_ms = {}, {}, 0, 0
local soft, over = ARGV[6], {}
for i = 1, lines do
  rates[i] = line(HEAD + 5 * i - 4)
  buckets[i] = refilled(texts[i], rates[i], now)
  local wait = wait_ms(buckets[i], rates[i], now)
  if wait > 0 and string.byte(soft, i) == 49 then
    over[#over + 1] = i - 1
    rates[i].asked = 0
  elseif wait > longest_ms then
    tightest, longest_ms = i, wait
  end
end

for j = 1, claims do
  if slots[j].granted == 0 then
    if string.byte(soft, lines + j) == 49 then
      over[#over + 1] = lines + j - 1
    elseif slots[j].retry_ms > longest_ms then
      tightest, longest_ms = lines + j, slots[j].retry_ms
    end
  end
end

local reply = { 1, 0 }
if longest_ms > 0 and not before then
  reply = { 0, 0, tightest - 1, longest_ms }
end
if longest_ms > 0 or before or id == '' then
  for i = 1, #buckets do
    reply[#reply + 1] = buckets[i].level
  end
  return tell_slots(reply)
end

-- Half of what is left at most, and another such request must fit everywhere.
local lent, some = {}, false
for i = 1, #buckets do
  local half = math.floor((buckets[i].level - rates[i].asked) / 2)
  lent[i] = math.max(math.min(tonumber(ARGV[HEAD + 5 * i]), half), 0)
  some = some or lent[i] > 0
end
for i = 1, #buckets do
  some = some and lent[i] >= rates[i].asked
end
some = some and ARGV[4] ~= '' and #over == 0 and claims == 0

local holds, loans = {}, {}
for i = 1, #buckets do
  local bucket, rate, limit = buckets[i], rates[i], string.sub(KEYS[i + 2], -32)
  changed(bucket, rate, -rate.asked)
  if some then
    bucket.level = bucket.level - lent[i]
    bucket.lent = bucket.lent + lent[i]
    loans[i] = string.format('%s %d %d %s %d', limit, lent[i], rate.amount, rate.window, rate.burst)
  end
  keep(KEYS[i + 2], bucket, rate, now)
  reply[#reply + 1] = bucket.level
  holds[i] = string.format('%s %d %d', limit, rate.asked, bucket.level)
  if rate.from then
    holds[i] = string.format('%s@%d', holds[i], bucket.at)
  end
end
for j = 1, claims do
  if slots[j].granted > 0 then
    local first = HEAD + 5 * lines + 1
    own(KEYS[2 + lines + j], slots[j].owners, ARGV[first], slots[j].own, tonumber(ARGV[first + 1]), now)
  end
end
tell_slots(reply)
if lines > 0 then
  hold(held, due, id, table.concat(holds, ' '), now + tonumber(ARGV[3]))
end
if some then
  hold(held, due, ARGV[4], 'L ' .. table.concat(loans, ' '), now + tonumber(ARGV[5]))
  for i = 1, #lent do
    reply[#reply + 1] = lent[i]
  end
end
if #over > 0 then
  reply[1] = 2
  for i = 1, #over do
    reply[#reply + 1] = over[i]
  end
end
reply[2] = reap(held, due, now)
return reply

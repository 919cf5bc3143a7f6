-- Holds room in every limit and a slot for every claim, or nothing: two passes, and a denial writes nothing at all. Lends what is wanted ahead, of
-- every limit or of none.
--
-- KEYS: held, due, shelves, then one for each shelf that has a key of its own, then one for each claim of slots.
-- ARGV: now in ms or '', request id, lease in ms, loan id or '', term of the loan in ms, a digit for each limit and claim, 1
-- for those that only warn, or '', how many claims there are, then packed: what is asked of each limit; their ids; the three
-- numbers of each; three beginnings of periods for each that is a quota; how much to borrow of each, or ''; from when on
-- each quota counts, or '' where all do from the beginnings of their periods; and the bequest, or ''. With claims
-- the owner and its turn, then seven for each: how many slots there are, how many its owner said last that it has and in
-- which turn, how many it has at least, needs more and would like beyond that, and when to ask again in ms. Last two for each
-- shelf (see `shelves_of`). Without a request id it only looks, and writes nothing.
-- Replies, packed, and behind that as `reap` does, {1, expired, remaining..., slots..., lent...}; {2, expired, remaining..., slots..., over...} with the places of
-- those that only warn and had no room; {0, 0, tightest, retry_after_ms, remaining..., slots...}; or {3, places...} with
-- those of which nobody knows what was used before Redis began, and nothing is written. Slots are three for
-- each claim: 0 when there was no room, otherwise one more than it got beyond its need; how many are its owner's; and how
-- many are others'.

local HEAD = 14

local held, due, id = KEYS[1], KEYS[2], ARGV[2]
local now = clock(ARGV[1])

local claims, slots, shelved = tonumber(ARGV[7]), {}, HEAD + 1
local slot_keys = #KEYS - claims
if claims > 0 then
  shelved = HEAD + 3 + 7 * claims
end
for j = 1, claims do
  local first = HEAD + 2 + 7 * j - 6
  local owner, most, base = ARGV[HEAD + 1], tonumber(ARGV[first]), tonumber(ARGV[first + 3])
  local owners = owners_of(KEYS[slot_keys + j])
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

local function told(reply)
  return written(doubles(#reply), unpack(reply))
end

local before = redis.call('HGET', held, id)
if before and before ~= '' and sub(before, 1, 1) ~= 'L' then
  local count = read('<H', before, 2)
  local reply = { 1, 0, read(doubles(count), before, 4 + 24 * count) }
  reply[#reply] = nil
  return told(tell_slots(reply))
end

local lines = #ARGV[8] / 8
local ones, threes = doubles(lines), doubles(3 * lines)
local asked, numbers = { read(ones, ARGV[8]) }, { read(threes, ARGV[10]) }
-- What is left of each; as long as it will be, so that it need not grow.
local left = { read(ones, ARGV[8]) }
local spans = ARGV[11] ~= '' and { read(doubles(#ARGV[11] / 8), ARGV[11]) }
if ARGV[13] ~= '' then
  counted = { read(doubles(#ARGV[13] / 8), ARGV[13]) }
end
local shelves, text = {}, ''
if lines > 0 then
  shelves, text = shelves_of(shelved, now)
end
local body = { read(threes, text) }
local tightest, longest_ms, soft, over, s, i, j = 0, 0, ARGV[6], {}, 1, 0, 0
local lacking

-- How long until there is room in it for what is asked.
local function wait_ms(missing, at)
  local amount, window, burst = numbers[j - 2], numbers[j - 1], numbers[j]
  if amount > 0 then
    local more = missing - math.max(burst - asked[i], 0) * window
    return (more + -more % amount) / amount + math.max(at - now, 0)
  end
  local ends = at + spans[s + 2] - spans[s + 1]
  if at < spans[s + 1] then
    ends = spans[s + 1]
  elseif at < spans[s + 2] then
    ends = spans[s + 2]
  end
  return math.max(ends - now, 1)
end

-- What there is of each, and what there would be without what is asked: that is forgotten again where one has no room.
for place = 1, #shelves do
  local full = 0
  for _ = 1, shelves[place].count do
    i, j = i + 1, j + 3
    local amount, window, burst, wants = numbers[j - 2], numbers[j - 1], numbers[j], asked[i]
    local missing, at, lent = body[j - 2], body[j - 1], body[j]
    -- The plain cases of `refilled`, here because a call costs as much as they do.
    if lent > 0 or now < at or amount < 0 and (at ~= spans[s + 1] or now >= spans[s + 2]) then
      missing, at = refilled(missing, at, lent, amount, window, burst, now, spans, s)
      if at < 0 then
        lacking = lacking or {}
        lacking[#lacking + 1] = i - 1
      end
    elseif amount > 0 then
      missing = missing - (now - at) * amount
      at = now
      if missing < 0 then
        missing = 0
      end
    end
    local after = missing + wants * window
    if after > burst * window then
      -- The full bucket of a rate admits any amount.
      if amount < 0 or wants <= burst or missing > 0 then
        local wait = wait_ms(missing, at)
        if string.byte(soft, i) == 49 then
          over[#over + 1] = i - 1
          asked[i], wants = 0, 0
        elseif wait > longest_ms then
          tightest, longest_ms = i, wait
        end
      end
      after = changed(missing, lent, amount, window, burst, -wants)
    end
    body[j - 2], body[j - 1] = after, at
    left[i] = burst - (after + -after % window) / window
    local ends
    if amount > 0 then
      ends = at + after / amount + 1
    else
      ends = at - 2 * amount
      s = s + 3
    end
    if ends > full then
      full = ends
    end
  end
  shelves[place].full = full
end

if lacking and not before and id ~= '' then
  return told({ 3, unpack(lacking) })
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

if longest_ms > 0 or before or id == '' then
  local reply = { 1, 0 }
  if longest_ms > 0 and not before then
    reply = { 0, 0, tightest - 1, longest_ms }
  end
  body, s = { read(threes, text) }, 1
  for k = 3, 3 * lines, 3 do
    local amount, window, burst = numbers[k - 2], numbers[k - 1], numbers[k]
    local missing = refilled(body[k - 2], body[k - 1], body[k], amount, window, burst, now, spans, s)
    reply[#reply + 1] = burst - (missing + -missing % window) / window
    if amount < 0 then
      s = s + 3
    end
  end
  return told(tell_slots(reply))
end

-- Half of what is left at most, and another such request must fit everywhere. One that was given back before it was asked for is
-- not given.
local lent, some = {}, false
if ARGV[4] ~= '' and #over == 0 and claims == 0 and not redis.call('HGET', held, ARGV[4]) then
  lent = { read(ones, ARGV[12]) }
  lent[lines + 1] = nil
  for k = 1, lines do
    lent[k] = math.max(math.min(lent[k], floor(left[k] / 2)), 0)
    some = some or lent[k] > 0
  end
  for k = 1, lines do
    some = some and lent[k] >= asked[k]
  end
  i, j = 0, 0
  for place = 1, some and #shelves or 0 do
    for _ = 1, shelves[place].count do
      i, j = i + 1, j + 3
      body[j - 2] = body[j - 2] + lent[i] * numbers[j - 1]
      body[j] = body[j] + lent[i]
      left[i] = left[i] - lent[i]
      shelves[place].full = math.max(shelves[place].full, full_at(body[j - 2], body[j - 1], numbers[j - 2]))
    end
  end
end

if lines > 0 then
  text = written(threes, unpack(body, 1, 3 * lines))
  put(KEYS[3], shelves, text, now)
end
for j = 1, claims do
  if slots[j].granted > 0 then
    own(KEYS[slot_keys + j], slots[j].owners, ARGV[HEAD + 1], slots[j].own, tonumber(ARGV[HEAD + 2]), now)
  end
end
local remaining = written(ones, unpack(left, 1, lines))
if lines > 0 then
  local taken = ARGV[8]
  if #over > 0 then
    taken = written(ones, unpack(asked, 1, lines))
  end
  local bequest = ARGV[14]
  local record = 'R' .. written('<H', lines) .. ARGV[9] .. taken .. remaining
  if spans or bequest ~= '' then
    record = record .. text .. bequest
  end
  hold(held, due, id, record, now + tonumber(ARGV[3]))
end
local rest = tell_slots({})
if some then
  local kept = {}
  for place, shelf in ipairs(shelves) do
    kept[place] = { shelf.field or '', shelf.key or '', shelf.head }
  end
  hold(held, due, ARGV[4], 'L' .. cmsgpack.pack({ kept, lent, spans or {} }), now + tonumber(ARGV[5]))
  for k = 1, #lent do
    rest[#rest + 1] = lent[k]
  end
end
for k = 1, #over do
  rest[#rest + 1] = over[k]
end
if lines > 0 and string.byte(id, -1) == 48 then
  clean(KEYS[3], now)
end
local expired, bequests = reap(held, due, now)
local reply = written('<dd', #over > 0 and 2 or 1, expired) .. remaining .. (rest[1] and told(rest) or '')
return bequests[1] and { reply, unpack(bequests) } or reply

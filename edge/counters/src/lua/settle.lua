-- Gives back what was reserved or lent and not used, or charges what was used beyond it. Once for each id.
--
-- KEYS: held, due, shelves, then one for each shelf that has a key of its own.
-- ARGV: now in ms or '', request id, '1' to charge although nothing is held, then packed: what was used of each limit; their
-- ids; the three numbers of each; and three beginnings of periods for each that is a quota. Then whose bequest this is more
-- of, and how it is said now, or '' and ''; and two for each shelf (see `shelves_of`).
-- Replies {2 released | 1 charged | 0 nothing, expired}, and behind that as `reap` does.

local CHARGED_KEEP_MS = 600000
local HEAD = 9

local held, due, id = KEYS[1], KEYS[2], ARGV[2]
local now = clock(ARGV[1])
local charge, lines = ARGV[3] == '1', #ARGV[4] / 8

local before = redis.call('HGET', held, id)
local outcome = 0
if before and before ~= '' then
  outcome = 2
elseif not before and charge then
  outcome = 1
end

-- What was taken of each limit that is settled, by its place i, and when its period began, at 3 i - 1.
local function taken()
  local count = read('<H', before, 2)
  local took, since = { read(doubles(count), before, 4 + 16 * count) }, {}
  if #before >= 3 + 56 * count then
    since = { read(doubles(3 * count), before, 4 + 32 * count) }
  end
  if sub(before, 4, 3 + 16 * count) == ARGV[5] then
    return took, since
  end
  local places, some, began = {}, {}, {}
  for i = 1, count do
    places[sub(before, 16 * i - 12, 16 * i + 3)] = i
  end
  for i = 1, lines do
    local place = places[sub(ARGV[5], 16 * i - 15, 16 * i)]
    if place then
      some[i], began[3 * i - 1] = took[place], since[3 * place - 1]
    end
  end
  return some, began
end

-- What was lent of each, by its place.
local function lent_of(amounts)
  local lent = {}
  for i = 1, lines do
    lent[i] = amounts[sub(ARGV[5], 16 * i - 15, 16 * i)]
  end
  return lent
end

-- A count that is left as it was keeps the numbers that it was measured by.
local function restored(shelf, body, touched, first)
  local count, numbers = shelf.count, {}
  for i = 1, count do
    local it, j = shelf.before[i], 3 * (first + i)
    numbers[i] = sub(shelf.head, 24 * i + 16 * count - 21, 24 * i + 16 * count + 2)
    if it and not touched[first + i] then
      numbers[i] = it.numbers
      body[j - 2], body[j - 1], body[j] = read('<ddd', it.body)
    end
  end
  shelf.head = sub(shelf.head, 1, 2 + 16 * count) .. table.concat(numbers)
end

local function settle()
  local lent, took, since = {}, {}, {}
  if before and sub(before, 1, 1) == 'L' then
    lent = lent_of(end_loan(held, before, now))
  elseif before then
    took, since = taken()
  end
  if lines == 0 then
    return
  end
  local shelves, text = shelves_of(HEAD + 1, now)
  local threes = doubles(3 * lines)
  local used, numbers, body = { read(doubles(lines), ARGV[4]) }, { read(threes, ARGV[6]) }, { read(threes, text) }
  local spans = ARGV[7] ~= '' and { read(doubles(#ARGV[7] / 8), ARGV[7]) }
  local s, touched, i, j = 1, {}, 0, 0
  for place = 1, #shelves do
    local shelf, full, any, first = shelves[place], 0, false, i
    for _ = 1, shelf.count do
      i, j = i + 1, j + 3
      local amount, window, burst = numbers[j - 2], numbers[j - 1], numbers[j]
      local missing, at, loan = body[j - 2], body[j - 1], body[j]
      local change = (took[i] or 0) + (lent[i] or 0) - used[i]
      if change ~= 0 then
        -- The plain case of `refilled` and `changed`, here because a call costs as much as it does.
        if amount < 0 or now < at or loan > 0 or change < 0 then
          missing, at = refilled(missing, at, loan, amount, window, burst, now, spans, s)
          if amount < 0 and at ~= (since[j - 1] or spans[s + 1]) then
            -- What was taken of a period that is over is not given back to the next one; a loan's place is kept there.
            change = math.min(change, lent[i] or 0)
          end
          if change ~= 0 then
            missing = changed(missing, loan, amount, window, burst, change)
          end
        else
          missing = missing - (now - at) * amount - change * window
          at = now
          if missing < 0 then
            missing = 0
          end
        end
        if change ~= 0 then
          body[j - 2], body[j - 1] = missing, at
          any = true
          if shelf.before then
            touched[i] = true
          end
        end
      end
      local ends
      if amount > 0 then
        ends = at + missing / amount + 1
      else
        ends = at - 2 * amount
        s = s + 3
      end
      if ends > full then
        full = ends
      end
    end
    if any then
      shelf.full = full
      if shelf.before then
        restored(shelf, body, touched, first)
      end
    end
  end
  put(KEYS[3], shelves, written(threes, unpack(body, 1, 3 * lines)), now)
end

-- What a reservation leaves is more than it was when it was made.
local function bequeath_more()
  local whose = redis.call('HGET', held, ARGV[8])
  local kind = whose and sub(whose, 1, 1)
  if kind == 'R' or kind == 'P' then
    local ends = bequest_at(whose) - 1
    if #whose > ends then
      redis.call('HSET', held, ARGV[8], sub(whose, 1, ends) .. ARGV[9])
    end
  end
end

if outcome > 0 then
  settle()
  if outcome == 1 and ARGV[8] ~= '' then
    bequeath_more()
  end
  if charge then
    hold(held, due, id, '', now + CHARGED_KEEP_MS)
  else
    release(held, due, id)
  end
end
local expired, bequests = reap(held, due, now)
return { outcome, expired, unpack(bequests) }

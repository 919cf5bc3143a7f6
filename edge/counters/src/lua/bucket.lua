-- The arithmetic of a bucket, how buckets are kept, and the keeping of reservations; stands before each of the other scripts.
--
-- The same as bucket.rs and process.rs, in doubles that hold integers: every intermediate is below 2^53, or is compared with
-- what is. A quotient of two such is never rounded up to the next integer, so that its floor is exact. What is missing in a
-- bucket is kept in units x milliseconds of the window, as one number, so that no division is needed to refill it; of a quota
-- the window is one. Numbers are written with %d where they become text, since Lua writes large ones with an exponent.
--
-- Counts that always concern the same requests stand on one shelf, which is one value: until when it must be kept; its counts;
-- and behind them, as more of the same, counts that the last who reserved did not name. Counts are their number in two bytes,
-- their ids of 16 bytes, three numbers for each that say what it is measured by (`amount window burst`; of a quota minus the
-- length of its period, one, and its amount), and three for what is in it (`missing at lent`; of a quota, `at` is when its
-- period began). All but the last are the edge's own bytes, so that where nothing has changed they are compared, and not read.
--
-- What is held under a request's id is, in the hash `held`: `R`, the number of counts, their ids, and for each what was
-- taken, what was left and when the period began; and behind that its bequest, of which nothing is known here. When the
-- lease has ended it is `P` in place of `R` until somebody says that the bequest is taken care of, and then `S`: it is
-- charged, and can be settled still. `L` and what `end_loan` needs for a loan, which it reads when nobody comes
-- to end it; nothing for a remembered charge. A count of slots is a hash: of each owner `number until turn`.

local UNITS_MAX = 1000000000
local QUOTA_MAX = 1000000000000000
local KEEP_MS = 60000
local RESERVATIONS_KEEP_MS = 604800000
local REAP_MAX = 32

-- How long whoever was given a bequest has to take care of it, before the next one is; and how long what was charged because
-- its lease ended can be settled.
local BEQUEST_TERM_MS = 30000
local LATE_KEEP_MS = 600000

local SLOTS_TERM_MS = 15000

-- How many counts a shelf keeps behind its own.
-- Full: those that came last are forgotten. So many limits must have been taken away while the shelf was in use.
local BEHIND_MAX = 128

-- How much longer than needed the hash of all shelves is kept, so that this is written seldom, and what is in it, so that it
-- does not matter here whose clock is off.
local SHELVES_KEEP_MS = 3600000

-- How many shelves of the hash are looked at when it is cleaned: at each sixteenth reservation. New ones come when limits,
-- projects and models are made, and so far more seldom.
local CLEANED = 8

local unpack, sub, floor = unpack, string.sub, math.floor
local read, written = struct.unpack, struct.pack

local function whole(number)
  return string.format('%d', number)
end

-- The format of so many numbers.
local function doubles(count)
  return '<' .. string.rep('d', count)
end

-- The time passed in, or Redis's own, in milliseconds.
local function clock(passed)
  if passed ~= '' then
    return tonumber(passed)
  end
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + floor(tonumber(time[2]) / 1000)
end

-- Since when Redis has forgotten nothing of anybody; nothing where it does not know, or where that is kept at another server
-- of a cluster.
local function all_stand_since()
  local said = redis.pcall('GET', sub(KEYS[1], 1, 9) .. 'whole')
  return type(said) == 'string' and tonumber(said) or nil
end

-- Since when Redis has forgotten nothing of this organization, whose keys all begin alike: far ahead where it does not know itself.
local stood
local function stands_since()
  if not stood then
    stood = tonumber(redis.call('GET', sub(KEYS[1], 1, 44) .. 'whole') or nil) or all_stand_since() or math.huge
  end
  return stood
end

-- From when on each quota counts, where that is later than its period; only the script that reserves knows.
local counted

-- The first moment of the period of a quota that holds `now`. Of three beginnings of periods from spans[s] on.
local function period(spans, s, now)
  if now < spans[s + 1] then
    return spans[s]
  elseif now < spans[s + 2] then
    return spans[s + 1]
  end
  return spans[s + 2]
end

-- What is missing at `now` in a count, and when that is true. A clock that stepped back is waited for, or followed where it was
-- more than a window; neither gives anything. A period that began is not taken back, save by a clock that was more than one
-- ahead. What is lent keeps its place.
local function refilled(missing, at, lent, amount, window, burst, now, spans, s)
  local least = (lent < burst and lent or burst) * window
  if amount > 0 then
    if now >= at then
      missing = missing - (now - at) * amount
      at = now
    elseif at - now > window then
      at = now
    end
  else
    local from = period(spans, s, now)
    if at < 0 then
      missing = at == -1 - from and missing or 0
      local first = counted and counted[(s + 2) / 3] or 0
      at = stands_since() <= math.max(from, first) and from or -1 - from
    elseif at < from then
      at = from
      missing = least
    elseif at > spans[s + 2] and at > now then
      at = from
    end
  end
  if missing < least then
    missing = least
  end
  return missing, at
end

-- What is missing after `change` more or less is in it: what is lent at least, the deepest debt at most.
local function changed(missing, lent, amount, window, burst, change)
  local after = missing - change * window
  local deepest = burst + (amount > 0 and UNITS_MAX or QUOTA_MAX)
  if after > deepest * window then
    -- The part of a unit that has accrued stays.
    return deepest * window - -missing % window
  end
  local least = (lent < burst and lent or burst) * window
  return after < least and least or after
end

-- From when on a count is as good as full. The period that began may be longer than the one that whoever asks sees.
local function full_at(missing, at, amount)
  if amount > 0 then
    return at + (missing + -missing % amount) / amount
  end
  return (at < 0 and -1 - at or at) - 2 * amount
end

-- What is missing under these numbers, when it was `missing` under those: the level is kept and cut to what may be there; of
-- a quota, what was used is.
local function measured_anew(missing, lent, then_window, then_burst, amount, window, burst)
  if amount < 0 then
    return math.min(missing, burst + QUOTA_MAX)
  elseif then_window == window and then_burst == burst then
    return missing
  end
  local part, most = -missing % then_window, math.max(burst - lent, 0)
  local units = then_burst - (missing + part) / then_window
  if units >= most then
    units, part = most, 0
  elseif part >= window then
    part = 0
  end
  return (burst - units) * window - part
end

-- The counts of `text`, by id, and their ids in order.
local function counts_of(text)
  local counts, order, at = {}, {}, 9
  while at < #text do
    local count = read('<H', text, at)
    local numbers = at + 2 + 16 * count
    local body = numbers + 24 * count
    for i = 0, count - 1 do
      local id = sub(text, at + 2 + 16 * i, at + 17 + 16 * i)
      counts[id] = { numbers = sub(text, numbers + 24 * i, numbers + 24 * i + 23), body = sub(text, body + 24 * i, body + 24 * i + 23) }
      order[#order + 1] = id
    end
    at = body + 24 * count
  end
  return counts, order
end

-- The counts of a shelf that are not those of `text`, or not with the same numbers: what is in them, how they were before
-- where they were there, and what stands behind them. A count that is not there is full, as far as anybody knows.
local function arranged(head, text, now)
  local counts, order = {}, {}
  if text then
    counts, order = counts_of(text)
  end
  local count = read('<H', head)
  local body, before = {}, {}
  for i = 1, count do
    local id = sub(head, 16 * i - 13, 16 * i + 2)
    local it, missing, at, lent = counts[id], 0, 0, 0
    local amount, window, burst = read('<ddd', head, 24 * i + 16 * count - 21)
    if amount < 0 then
      at = -1
    end
    if it then
      local _, then_window, then_burst = read('<ddd', it.numbers)
      missing, at, lent = read('<ddd', it.body)
      missing = measured_anew(missing, lent, then_window, then_burst, amount, window, burst)
      before[i], counts[id] = it, nil
    end
    body[i] = written('<ddd', missing, at, lent)
  end
  local ids, numbers, bodies = {}, {}, {}
  for _, id in ipairs(order) do
    local it = counts[id]
    if it and #ids < BEHIND_MAX then
      local missing, at = read('<ddd', it.body)
      if full_at(missing, at, (read('<ddd', it.numbers))) + SHELVES_KEEP_MS > now then
        ids[#ids + 1] = id
        numbers[#ids], bodies[#ids] = it.numbers, it.body
      end
    end
  end
  local behind = ''
  if #ids > 0 then
    behind = written('<H', #ids) .. table.concat(ids) .. table.concat(numbers) .. table.concat(bodies)
  end
  return table.concat(body), before, behind
end

-- The shelves that a call names, from ARGV[first] on two for each: its field of the hash, or nothing where it has a key of
-- its own, which are next among KEYS then; and its counts, as they are kept. With them until when the hash is kept, and what
-- is in their counts, three numbers for each.
local function shelves_of(first, now)
  local last, fields, keys = #ARGV, { 'until' }, {}
  local texts, own
  for i = first, last, 2 do
    if ARGV[i] == '' then
      keys[#keys + 1] = KEYS[4 + #keys]
    else
      fields[#fields + 1] = ARGV[i]
    end
  end
  if fields[2] then
    texts = redis.call('HMGET', KEYS[3], unpack(fields))
  end
  if keys[1] then
    own = redis.call('MGET', unpack(keys))
  end
  local shelves, bodies, f, k = { kept = texts and tonumber(texts[1] or 0) }, {}, 1, 0
  for i = first, last, 2 do
    local head, text, shelf = ARGV[i + 1], nil, nil
    if ARGV[i] == '' then
      k = k + 1
      text = own[k]
      shelf = { head = head, key = keys[k], keep = 0, behind = '' }
    else
      f = f + 1
      text = texts[f]
      shelf = { head = head, field = fields[f], keep = 0, behind = '' }
    end
    local length, at = #head, #shelves + 1
    shelf.count = (length - 2) / 40
    if text and sub(text, 9, 8 + length) == head then
      -- Of the head 40 bytes are each count's, of the body 24.
      local ends = 8 + length + 24 * shelf.count
      bodies[at] = sub(text, 9 + length, ends)
      if #text > ends then
        shelf.behind = sub(text, ends + 1)
      end
    else
      bodies[at], shelf.before, shelf.behind = arranged(head, text, now)
    end
    if text and (shelf.before or shelf.behind ~= '') then
      shelf.keep = read('<d', text)
    end
    shelves[at] = shelf
  end
  return shelves, table.concat(bodies)
end

-- Writes those shelves that have to be kept until some `full`, with what is in all counts now, in text. A shelf may vanish
-- once all that is in it is full, and not before.
local function put(hash, shelves, body, now)
  local fields, latest, at = {}, 0, 1
  for place = 1, #shelves do
    local shelf = shelves[place]
    local keep, size = shelf.full, 24 * shelf.count
    if keep then
      keep = keep + KEEP_MS
      if shelf.keep > keep then
        keep = shelf.keep
      end
      local text = written('<d', keep) .. shelf.head .. sub(body, at, at + size - 1) .. shelf.behind
      if shelf.key then
        redis.call('SET', shelf.key, text, 'PX', whole(math.max(keep - now, KEEP_MS)))
      else
        fields[#fields + 1] = shelf.field
        fields[#fields + 1] = text
        if keep > latest then
          latest = keep
        end
      end
    end
    at = at + size
  end
  if latest > 0 then
    local longer = latest > shelves.kept
    if longer then
      fields[#fields + 1] = 'until'
      fields[#fields + 1] = whole(latest + SHELVES_KEEP_MS)
    end
    redis.call('HSET', hash, unpack(fields))
    if longer then
      redis.call('PEXPIRE', hash, whole(math.max(latest - now, KEEP_MS) + SHELVES_KEEP_MS))
    end
  end
end

-- Forgets shelves of the hash that need not be kept any more, of some that are looked at.
local function clean(hash, now)
  local found = redis.call('HRANDFIELD', hash, CLEANED, 'WITHVALUES')
  for i = 1, #found, 2 do
    if found[i] ~= 'until' and read('<d', found[i + 1]) + SHELVES_KEEP_MS <= now then
      redis.call('HDEL', hash, found[i])
    end
  end
end

-- Gives a loan's places in its buckets free, and tells its amounts by id. The refill up to now knows of the loan still.
local function end_loan(held, loan, now)
  local kept, lent, spans = unpack(cmsgpack.unpack(sub(loan, 2)))
  local hash, amounts, place, s = sub(held, 1, -5) .. 'shelves', {}, 0, 1
  local ends = tonumber(redis.call('HGET', hash, 'until') or 0)
  for _, it in ipairs(kept) do
    local field, key, head = it[1] ~= '' and it[1], it[2], it[3]
    local text = field and redis.call('HGET', hash, field) or not field and redis.call('GET', key)
    local found, _, behind = arranged(head, text, now)
    local shelf = { field = field, key = not field and key, head = head, behind = behind, keep = text and read('<d', text) or 0 }
    local body, count, full = {}, read('<H', head), 0
    for i = 1, count do
      local amount, window, burst = read('<ddd', head, 24 * i + 16 * count - 21)
      local missing, at, now_lent = read('<ddd', found, 24 * i - 23)
      missing, at = refilled(missing, at, now_lent, amount, window, burst, now, spans, s)
      place = place + 1
      body[i] = written('<ddd', missing, at, math.max(now_lent - lent[place], 0))
      full = math.max(full, full_at(missing, at, amount))
      amounts[sub(head, 16 * i - 13, 16 * i + 2)] = lent[place]
      if amount < 0 then
        s = s + 3
      end
    end
    shelf.full, shelf.count = full, count
    put(hash, { shelf, kept = ends }, table.concat(body), now)
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

-- Where the bequest of a reservation begins.
local function bequest_at(what)
  return 4 + 56 * read('<H', what, 2)
end

-- Looks after what has ended, and counts the reservations and loans among it. Either was debited when it was made, so that
-- to leave it so is to charge it in full. Gives the bequests of reservations, each behind its id: also those that were given
-- before and that nobody has taken care of in time.
local function reap(held, due, now)
  local ended = redis.call('ZRANGEBYSCORE', due, '-inf', whole(now), 'LIMIT', 0, REAP_MAX)
  local expired, bequests = 0, {}
  for _, id in ipairs(ended) do
    local what = redis.call('HGET', held, id)
    local kind = what and sub(what, 1, 1)
    if kind == 'R' or kind == 'L' then
      expired = expired + 1
    end
    if kind == 'R' or kind == 'P' then
      local bequest = sub(what, bequest_at(what))
      if bequest == '' then
        hold(held, due, id, 'S' .. sub(what, 2), now + LATE_KEEP_MS)
      else
        hold(held, due, id, 'P' .. sub(what, 2), now + BEQUEST_TERM_MS)
        bequests[#bequests + 1] = id
        bequests[#bequests + 1] = bequest
      end
    else
      release(held, due, id)
      if kind == 'L' then
        end_loan(held, what, now)
      end
    end
  end
  return expired, bequests
end

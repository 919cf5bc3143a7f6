-- Tells quotas what was used of them, where nobody knows; and of others that at least so much was.
--
-- KEYS: held, due, shelves, then one for each shelf that has a key of its own.
-- ARGV: now in ms or '', since when Redis has stood when it was asked, then packed: what was used of each limit at least, where
-- it is not known; their ids; the three numbers of each; three beginnings of periods for each, of which the second is the
-- period that is told of; and what was used of each at least, where it is known. Then two for each shelf (see `shelves_of`).
-- Where Redis has begun again since, or a period is over, nothing is told. Saying it twice is saying it once.
-- Replies, packed, for each what it had counted as used, or -1 where it did not know, or -2 where it is told nothing.

local HEAD = 7

local now = clock(ARGV[1])
local lines = #ARGV[3] / 8
local threes = doubles(3 * lines)
local told, known = { read(doubles(lines), ARGV[3]) }, { read(doubles(lines), ARGV[7]) }
local numbers, spans = { read(threes, ARGV[5]) }, { read(threes, ARGV[6]) }
local shelves, text = shelves_of(HEAD + 1, now)
local body, reply = { read(threes, text) }, {}
local same = stands_since() == tonumber(ARGV[2])

local i, j = 0, 0
for place = 1, #shelves do
  local shelf, full = shelves[place], 0
  for _ = 1, shelf.count do
    i, j = i + 1, j + 3
    local amount, window, burst = numbers[j - 2], numbers[j - 1], numbers[j]
    local missing, at = refilled(body[j - 2], body[j - 1], body[j], amount, window, burst, now, spans, j - 2)
    reply[i] = -2
    if same and (at < 0 and -1 - at or at) == spans[j - 1] then
      reply[i] = at < 0 and -1 or missing
      missing = math.max(missing, at < 0 and told[i] or known[i])
      at = spans[j - 1]
    end
    body[j - 2], body[j - 1] = missing, at
    full = math.max(full, full_at(missing, at, amount))
  end
  shelf.full = full
end
put(KEYS[3], shelves, written(threes, unpack(body, 1, 3 * lines)), now)
return written(doubles(#reply), unpack(reply))

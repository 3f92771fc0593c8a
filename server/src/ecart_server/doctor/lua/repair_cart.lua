-- Repairs what is certain, if the cart is still at the version seen: its counters, and an expiry that it lost.
-- @include line_bytes, read_cart, add_amount

local key = KEYS[1]
local seen, digest = unpack(ARGV)

local refusal, now, header, counters, v, c, _, s = read_cart(key, "", "", nil)
if refusal then return refusal end
if v ~= seen or s == "gone" and counters.lines ~= 0 then return { "version_conflict" } end

local lines, quantity, units, nanos, last, bytes = 0, 0, 0, 0, counters.position, 0
local all = redis.call("HGETALL", key)
for i = 1, #all, 2 do
  if string.sub(all[i], 1, 1) == ":" then
    local times, price, position = string.match(all[i + 1], "^(%d+)|([%d%.]*)|(%d+)|[^|]*|.*$")
    if not times or (price ~= "" and not string.match(price, "^%d+%.?%d*$")) then
      return { "corrupt_cart", all[i] }
    end
    lines, quantity, last = lines + 1, quantity + times, math.max(last, tonumber(position))
    units, nanos = add_amount(units, nanos, times, price)
    bytes = bytes + line_bytes(all[i], all[i + 1])
  end
end
if units >= 2 ^ 53 then return { "amount_out_of_range" } end
local counted = string.format("%.0f|%.0f|%.0f|%.0f|%.0f", lines, quantity, units, nanos, last)

local ENDED = { gone = "900000", merging = "604800000", merged = "86400000" }
local ttl = ENDED[string.match(s or "", "^%l*")] or header.ttl
local lost_expiry = ttl ~= "0" and redis.call("PTTL", key) == -1
local is_miscounted = counted ~= c or bytes ~= counters.bytes
if not is_miscounted and not lost_expiry then return { "ok", "0", "0" } end
local updated = lost_expiry and now or string.match(v, "^%d+|[%w_-]+|(%d+)")
local version = string.format("%.0f|", header.version + 1)
redis.call("HSET", key, "c", counted, "b", version .. bytes,
  "v", version .. digest .. "|" .. updated .. "|" .. header.records)
if lost_expiry then redis.call("PEXPIREAT", key, now + ttl) end
return { "ok", is_miscounted and "1" or "0", lost_expiry and "1" or "0" }

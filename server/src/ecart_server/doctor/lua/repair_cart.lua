-- Mends what is certain, if the cart is still at the version seen: its counters, and an expiry that it lost.
local key = KEYS[1]
local seen, digest = unpack(ARGV)
local record, touched = "", ""
-- @include read_cart
if v ~= seen or status == "gone" and line_count ~= 0 then return { "version_conflict" } end

line_count, total_quantity, units, nanos = 0, 0, 0, 0
local all = redis.call("HGETALL", key)
for i = 1, #all, 2 do
  if string.sub(all[i], 1, 1) == ":" then
    local times, price, position = string.match(all[i + 1], "^(%d+)|([%d%.]*)|(%d+)|[^|]*|.*$")
    if not times or (price ~= "" and not string.match(price, "^%d+%.?%d*$")) then
      return { "corrupt_cart", all[i] }
    end
    line_count, total_quantity = line_count + 1, total_quantity + times
    last_position = math.max(last_position, tonumber(position))
    -- @include add_amount
  end
end
if units >= 2 ^ 53 then return { "amount_out_of_range" } end
local counters = string.format("%.0f|%.0f|%.0f|%.0f|%.0f", line_count, total_quantity, units, nanos, last_position)

local ENDED = { gone = "900000", merging = "604800000", merged = "86400000" }
local ttl = ENDED[status] or string.match(life, "%d+")
local lost_expiry = ttl ~= "0" and redis.call("PTTL", key) == -1
if counters == c and not lost_expiry then return { "ok", "0", "0" } end
local updated = lost_expiry and now or string.match(v, "^%d+|[%w_-]+|(%d+)")
redis.call("HSET", key, "c", counters, "v",
  string.format("%.0f|", version + 1) .. digest .. "|" .. updated .. "|" .. records)
if lost_expiry then redis.call("PEXPIREAT", key, now + ttl) end
return { "ok", counters ~= c and "1" or "0", lost_expiry and "1" or "0" }

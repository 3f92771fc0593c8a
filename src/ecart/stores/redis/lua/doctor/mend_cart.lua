-- Mends what is certain, if the cart is still at the version seen: its counters, and an expiry that it lost.
local key = KEYS[1]
local seen, digest = unpack(ARGV)
-- @include read_cart
-- @include money

local cart, bad = read_cart(key, "v", "v")
if not cart then return { "corrupt_cart", bad } end
if cart.v ~= seen or cart.status == "gone" and cart.lines ~= 0 then return { "version_conflict" } end

local was = cart.c
cart.lines, cart.quantity, cart.units, cart.nanos = 0, 0, 0, 0
local all = redis.call("HGETALL", key)
for i = 1, #all, 2 do
  if string.sub(all[i], 1, 1) == ":" then
    local quantity, price, position = string.match(all[i + 1], "^(%d+)|([%d%.]*)|(%d+)|[^|]*|.*$")
    if not quantity or (price ~= "" and not string.match(price, "^%d+%.?%d*$")) then
      return { "corrupt_cart", all[i] }
    end
    cart.lines, cart.quantity = cart.lines + 1, cart.quantity + quantity
    cart.position = math.max(cart.position, tonumber(position))
    add_amount(cart, tonumber(quantity), price)
  end
end
if cart.units >= 2 ^ 53 then return { "amount_out_of_range" } end
local counters = string.format("%.0f|%.0f|%.0f|%.0f|%.0f",
  cart.lines, cart.quantity, cart.units, cart.nanos, cart.position)

local ENDED = { gone = "900000", merging = "604800000", merged = "86400000" }
local ttl = ENDED[cart.status] or string.match(cart.life, "%d+")
local lost_expiry = ttl ~= "0" and redis.call("PTTL", key) == -1
if counters == was and not lost_expiry then return { "ok", "0", "0" } end
local updated = lost_expiry and cart.now or string.match(cart.v, "^%d+|[%w_-]+|(%d+)")
redis.call("HSET", key, "c", counters, "v",
  string.format("%.0f|", cart.version + 1) .. digest .. "|" .. updated .. "|" .. cart.records)
if lost_expiry then redis.call("PEXPIREAT", key, cart.now + ttl) end
return { "ok", counters ~= was and "1" or "0", lost_expiry and "1" or "0" }

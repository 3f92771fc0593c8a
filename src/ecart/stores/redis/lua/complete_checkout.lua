-- Takes out of the cart what was ordered, and only that.
local key = KEYS[1]
local record, sequence, fingerprint, digest, expected, epoch, ttl, want_cart, checkout_id = unpack(ARGV)
-- @include read_cart
-- @include judge
-- @include answer
-- @include make_room
-- @include drop_fields
-- @include money
-- @include empty
-- @include commit

local change = { record = record, sequence = sequence, fingerprint = fingerprint, digest = digest, ttl = ttl, works_on = "held" }
local touched = "v" -- it is of no line
-- @include begin
if cart.status ~= "locked" or cart.hold ~= checkout_id then return { "checkout_not_open" } end
local room, old = make_room(key, cart, record)
if not room then return { "too_many_operations" } end

local all, seen, later = redis.call("HGETALL", key), {}, {}
for i = 1, #all, 2 do
  if string.sub(all[i], 1, 1) == "!" then seen[string.sub(all[i], 2)] = tonumber(all[i + 1]) end
end
empty(cart)
for i = 1, #all, 2 do
  local ordered = string.sub(all[i], 1, 1) == ":" and seen[string.sub(all[i], 2)]
  if ordered then
    local quantity, price, rest = string.match(all[i + 1], "^(%d+)|([%d%.]*)(|%d+|.*)$")
    if not quantity then return { "corrupt_cart", all[i] } end
    local more = quantity - ordered
    if more > 0 then
      later[#later + 1] = all[i]
      later[#later + 1] = string.format("%.0f|%s%s", more, price, rest)
      cart.lines, cart.quantity = cart.lines + 1, cart.quantity + more
      add_amount(cart, more, price)
    end
  end
end
drop_fields(key, ":")
cart.s = nil
commit(key, cart, change, old, later)
return answer(key, cart, want_cart, "0")

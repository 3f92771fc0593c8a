-- Takes a line out of the cart, whatever its quantity.
local key = KEYS[1]
local record, sequence, fingerprint, digest, expected, epoch, ttl, want_cart, line = unpack(ARGV)
-- @include read_cart
-- @include judge
-- @include answer
-- @include money
-- @include make_room
-- @include drop_fields
-- @include commit

local change = { record = record, sequence = sequence, fingerprint = fingerprint, digest = digest, ttl = ttl }
local touched = line
-- @include begin

if not cart.line then return { "line_not_found" } end
local was, price = string.match(cart.line, "^(%d+)|([%d%.]*)|%d+|")
if not was then return { "corrupt_cart", line } end
local room, old = make_room(key, cart, record)
if not room then return { "too_many_operations" } end

redis.call("HDEL", key, line)
add_amount(cart, -was, price)
cart.quantity = cart.quantity - was
cart.lines = cart.lines - 1
commit(key, cart, change, old, {})
return answer(key, cart, want_cart, "0")

-- Erases the cart of this epoch with its records; a cart made since has another epoch and stays.
local key = KEYS[1]
local record, sequence, digest, epoch, fingerprint, expected, ttl, want_cart, purged_epoch = unpack(ARGV)
local touched, works_on = "", "any"
-- @include read_cart
local is_meant = (string.match(m or "", "^1|([%w_-]+)") or "") == purged_epoch
if not is_meant then recorded, expected = nil, "" end -- nothing to judge: the cart may be gone, and this a repeat
-- @include judge
if is_meant and (verdict == "new" or verdict == "replayed") then
  redis.call("DEL", key)
  verdict, v, c, m, state = "new", nil, nil, nil, nil
end
-- @include answer

-- Puts a cart under its key as it was in another store, unless one is there that is to stay.
local key = KEYS[1]
local policy, expires, epoch, version, v, c, m, s = unpack(ARGV, 1, 8)
-- @include read_cart
-- @include epoch_of

local cart, bad = read_cart(key, "v", "v")
if not cart then return { "corrupt_cart", bad } end
if cart.v == v and cart.c == c and cart.m == m and (cart.s or "") == s then return { "ok", "same" } end
if expires ~= "" and expires - cart.now <= 0 then return { "ok", "ended" } end
if cart.v then
  local found = "other"
  local ahead = epoch_of(cart) == epoch and cart.version - version
  if ahead and ahead ~= 0 then found = ahead > 0 and "newer" or "older" end
  if ahead == 0 and string.match(cart.v, "^%d+|([^|]+)") == string.match(v, "^%d+|([^|]+)") then
    -- Prolonging alone changes no version: the longer life is the later, but for the time that a question takes.
    local left = redis.call("PTTL", key)
    local is_later = left ~= -1 and (expires == "" or tonumber(expires) + 1000 > cart.now + left)
    found = is_later and "older" or "newer"
  end
  if policy ~= "replace" and not (policy == "update" and found == "older") then return { "ok", found } end
  redis.call("DEL", key)
end

-- The tail: field, value.
redis.call("HSET", key, "v", v, "c", c, "m", m)
if s ~= "" then redis.call("HSET", key, "s", s) end
for i = 9, #ARGV, 1000 do
  redis.call("HSET", key, unpack(ARGV, i, math.min(i + 999, #ARGV)))
end
if expires ~= "" then redis.call("PEXPIREAT", key, expires) end
return { "ok", "written" }

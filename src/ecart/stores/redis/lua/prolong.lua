-- Gives a cart that was to expire early its full life, counted from its last change; nothing else changes.
-- @include line_bytes, read_cart, expire, reply

local key = KEYS[1]
local record, sequence, digest, epoch, fingerprint, expected, ttl, want_cart, early = unpack(ARGV)

local refusal, _, _, _, v, c, m, s = read_cart(key, record, "", nil)
if refusal then return refusal end
local lives = m and (not s or string.sub(s, 1, 6) == "locked")
if lives and string.match(m, "|([^|]*)$") == early then
  -- A deletion, though of nothing, lets the write that follows pass when memory is full.
  redis.call("HDEL", key, "!")
  m = string.match(m, "^.*|") .. ttl
  redis.call("HSET", key, "m", m)
  expire(key, string.match(v, "^%d+|[%w_-]+|(%d+)"), ttl)
end
return reply(key, want_cart, "0", v, c, m, s, "")

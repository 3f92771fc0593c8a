-- Gives a cart that was to expire early its full life, counted from its last change; nothing else changes.
local key = KEYS[1]
local record, sequence, digest, epoch, fingerprint, expected, ttl, want_cart, early = unpack(ARGV)
local touched, verdict = "", "new"
-- @include read_cart
local lives = alive and (not status or status == "locked")
if lives and life == early then
  -- A deletion, though of nothing, lets the write that follows pass when memory is full.
  redis.call("HDEL", key, "!")
  m = string.match(m, "^.*|") .. ttl
  redis.call("HSET", key, "m", m)
  if ttl == "0" then
    redis.call("PERSIST", key)
  else
    redis.call("PEXPIREAT", key, string.match(v, "^%d+|[%w_-]+|(%d+)") + ttl)
  end
end
-- @include answer

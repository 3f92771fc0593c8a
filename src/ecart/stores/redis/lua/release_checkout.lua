-- Opens the cart again, as it is.
-- @include line_bytes, read_cart, check_change, begin_change, count_record, expire, write_cart, reply

local key = KEYS[1]
local record, sequence, digest, epoch, fingerprint, expected, ttl, want_cart, checkout_id = unpack(ARGV)

local refusal, is_repeat, now, header, counters, v, c, m, s, recorded =
  begin_change(key, KEYS[2], "held", record, sequence, fingerprint, expected, ttl, "")
if refusal then return refusal end
if is_repeat then return reply(key, want_cart, "1", v, c, m, s, "") end
if string.match(s or "", "^locked|([^|]*)|") ~= checkout_id then return { "checkout_not_open" } end
refusal = count_record(key, now, record, recorded, header, false)
if refusal then return refusal end

redis.call("HDEL", key, "s")
header.s = nil
v, c = write_cart(key, now, header.ttl, digest, header, counters, m, s, { record, record_text(now, sequence, fingerprint, "") })
return reply(key, want_cart, "0", v, c, header.m, header.s, "")

-- Holds the cart for one check-out, until it ends or its time runs out.
-- @include line_bytes, read_cart, check_change, begin_change, count_record, expire, write_cart, reply

local key = KEYS[1]
local record, sequence, digest, epoch, fingerprint, expected, ttl, want_cart, checkout_id, milliseconds, keeps_additions = unpack(ARGV)

local refusal, is_repeat, now, header, counters, v, c, m, s, recorded =
  begin_change(key, KEYS[2], "open", record, sequence, fingerprint, expected, ttl, "")
if refusal then return refusal end
if is_repeat then return reply(key, want_cart, "1", v, c, m, s, "") end
if not m or s == "gone" or counters.lines == 0 then return { "cart_empty" } end
refusal = count_record(key, now, record, recorded, header, false)
if refusal then return refusal end

-- A deletion, though of nothing, lets the writes that follow pass when memory is full.
redis.call("HDEL", key, "!")
header.s = string.format("locked|%s|%.0f|%s", checkout_id, now + milliseconds, keeps_additions)
v, c = write_cart(key, now, header.ttl, digest, header, counters, m, s, { record, record_text(now, sequence, fingerprint, "") })
return reply(key, want_cart, "0", v, c, header.m, header.s, "")

-- Holds the cart for one check-out, until it ends or its time runs out.
-- @include read_cart, check_change, count_record, write_cart, expire, reply

local key = KEYS[1]
local record, sequence, digest, epoch, fingerprint, expected, ttl, want_cart, checkout_id, milliseconds, keeps_additions = unpack(ARGV)

local refusal, now, header, counters, v, c, m, s, recorded = read_cart(key, record, "", ttl)
if refusal then return refusal end
local is_repeat, old
refusal, is_repeat = check_record(now, record, recorded, sequence, fingerprint)
if refusal then return refusal end
if is_repeat then return reply(key, want_cart, "1", v, c, m, s, "") end
refusal, header.s = check_cart(now, "open", expected, header.version, v, m, s)
if refusal then return refusal end
if not m or s == "gone" or counters.lines == 0 then return { "cart_empty" } end
refusal, header.records, old = count_record(key, now, record, recorded, header.records)
if refusal then return refusal end

-- A deletion, though of nothing, lets the writes that follow pass when memory is full.
redis.call("HDEL", key, "!")
header.s = string.format("locked|%s|%.0f|%s", checkout_id, now + milliseconds, keeps_additions)
local writes = { record, record_text(now, sequence, fingerprint, "") }
v, c = write_cart(key, now, digest, header, counters, m, s, writes, old)
expire(key, now, header.ttl)
return reply(key, want_cart, "0", v, c, header.m, header.s, "")

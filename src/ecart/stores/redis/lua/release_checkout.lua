-- Opens the cart again, as it is.
-- @include read_cart, check_change, count_record, write_cart, expire, reply

local key = KEYS[1]
local record, sequence, digest, epoch, fingerprint, expected, ttl, want_cart, checkout_id = unpack(ARGV)

local refusal, now, header, counters, v, c, m, s, recorded = read_cart(key, record, "", ttl)
if refusal then return refusal end
local is_repeat, old
refusal, is_repeat = check_record(now, record, recorded, sequence, fingerprint)
if refusal then return refusal end
if is_repeat then return reply(key, want_cart, "1", v, c, m, s, "") end
refusal, header.s = check_cart(now, "held", expected, header.version, v, m, s)
if refusal then return refusal end
if string.match(s or "", "^locked|([^|]*)|") ~= checkout_id then return { "checkout_not_open" } end
refusal, header.records, old = count_record(key, now, record, recorded, header.records)
if refusal then return refusal end

redis.call("HDEL", key, "s")
header.s = nil
local writes = { record, record_text(now, sequence, fingerprint, "") }
v, c = write_cart(key, now, digest, header, counters, m, s, writes, old)
expire(key, now, header.ttl)
return reply(key, want_cart, "0", v, c, header.m, header.s, "")

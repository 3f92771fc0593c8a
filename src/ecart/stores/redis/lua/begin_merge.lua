-- Freezes the cart to be merged into another, unless it is empty or a merge has begun already.
-- @include read_cart, check_change, count_record, write_cart, expire, reply

local key = KEYS[1]
local record, sequence, digest, epoch, fingerprint, expected, ttl, want_cart, merge_id, policy, target = unpack(ARGV)

local refusal, now, header, counters, v, c, m, s, recorded = read_cart(key, record, "", ttl)
if refusal then return refusal end
local is_repeat, old
refusal, is_repeat = check_record(now, record, recorded, sequence, fingerprint)
if refusal then return refusal end
if is_repeat then return reply(key, want_cart, "1", v, c, m, s, "") end
refusal, header.s = check_cart(now, "merging", expected, header.version, v, m, s)
if refusal then return refusal end
if not m or header.s or counters.lines == 0 then return reply(key, want_cart, "0", v, c, m, header.s, "") end
refusal, header.records, old = count_record(key, now, record, recorded, header.records)
if refusal then return refusal end

-- A deletion, though of nothing, lets the writes that follow pass when memory is full.
redis.call("HDEL", key, "!")
header.s = "merging|" .. merge_id .. "|" .. policy .. "|" .. target
local writes = { record, record_text(now, sequence, fingerprint, "") }
v, c = write_cart(key, now, digest, header, counters, m, s, writes, old)
expire(key, now, "604800000")
return reply(key, want_cart, "0", v, c, header.m, header.s, "")

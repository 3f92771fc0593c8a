-- Freezes the cart to be merged into another, unless it is empty or a merge has begun already.
-- @include line_bytes, read_cart, check_change, begin_change, count_record, expire, write_cart, reply

local key = KEYS[1]
local record, sequence, digest, epoch, fingerprint, expected, ttl, want_cart, merge_id, policy, target = unpack(ARGV)

local refusal, is_repeat, now, header, counters, v, c, m, s, recorded =
  begin_change(key, KEYS[2], "merging", record, sequence, fingerprint, expected, ttl, "")
if refusal then return refusal end
if is_repeat then return reply(key, want_cart, "1", v, c, m, s, "") end
if not m or header.s or counters.lines == 0 then return reply(key, want_cart, "0", v, c, m, header.s, "") end
refusal = count_record(key, now, record, recorded, header, false)
if refusal then return refusal end

-- A deletion, though of nothing, lets the writes that follow pass when memory is full.
redis.call("HDEL", key, "!")
header.s = "merging|" .. merge_id .. "|" .. policy .. "|" .. target
v, c = write_cart(key, now, "604800000", digest, header, counters, m, s, { record, record_text(now, sequence, fingerprint, "") })
return reply(key, want_cart, "0", v, c, header.m, header.s, "")

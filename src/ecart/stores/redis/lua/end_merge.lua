-- Ends the merge of this cart: it becomes the copy for undoing, or opens again if the target refused.
-- @include line_bytes, read_cart, check_change, begin_change, count_record, expire, write_cart, reply

local key = KEYS[1]
local record, sequence, digest, epoch, fingerprint, expected, ttl, want_cart, merge_id, is_merged = unpack(ARGV)

local refusal, is_repeat, now, header, counters, v, c, m, s, recorded =
  begin_change(key, KEYS[2], "any", record, sequence, fingerprint, expected, ttl, "")
if refusal then return refusal end
if is_repeat then return reply(key, want_cart, "1", v, c, m, s, "") end
if string.match(s or "", "^merging|([^|]*)") ~= merge_id then
  return reply(key, want_cart, "0", v, c, m, s, "")
end
refusal = count_record(key, now, record, recorded, header, false)
if refusal then return refusal end

-- A deletion, though of nothing, lets the writes that follow pass when memory is full.
redis.call("HDEL", key, "!")
local lifetime = header.ttl
if is_merged == "1" then
  header.s, lifetime = "merged" .. string.sub(s, 8), "86400000"
else
  header.s = nil
end
v, c = write_cart(key, now, lifetime, digest, header, counters, m, s, { record, record_text(now, sequence, fingerprint, "") })
return reply(key, want_cart, "0", v, c, header.m, header.s, "")

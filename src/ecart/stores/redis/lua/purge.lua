-- Erases the cart of this epoch with its records; a cart made since has another epoch and stays.
-- @include line_bytes, read_cart, check_change, reply

local key = KEYS[1]
local record, sequence, digest, epoch, fingerprint, expected, ttl, want_cart, purged_epoch = unpack(ARGV)

local refusal, now, header, _, v, c, m, s, recorded = read_cart(key, record, "", ttl)
if refusal then return refusal end
-- Not the cart that was meant, or no longer: this may be a repeat.
if (string.match(m or "", "^1|([%w_-]+)") or "") ~= purged_epoch then
  return reply(key, want_cart, "0", v, c, m, s, "")
end
local is_repeat
refusal, is_repeat = check_record(now, record, recorded, sequence, fingerprint)
if refusal then return refusal end
if not is_repeat then
  refusal = check_cart(now, "any", expected, header.version, v, m, s)
  if refusal then return refusal end
end

redis.call("DEL", key)
return reply(key, want_cart, "0", nil, nil, nil, nil, "")

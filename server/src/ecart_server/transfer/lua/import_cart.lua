-- Puts a cart under its key as it was in another store, unless one is there that is to stay.
-- @include line_bytes, read_cart

local key = KEYS[1]
local policy, expires, its_epoch, its_version, its_v, its_c, its_m, its_s = unpack(ARGV, 1, 8)

local refusal, now, header, _, v, c, m, s = read_cart(key, "", "", nil)
if refusal then return refusal end
if v == its_v and c == its_c and m == its_m and (s or "") == its_s then return { "ok", "same" } end
if expires ~= "" and expires - now <= 0 then return { "ok", "ended" } end
if v then
  local found = "other"
  local ahead = string.match(m, "^1|([%w_-]+)") == its_epoch and header.version - its_version
  if ahead and ahead ~= 0 then found = ahead > 0 and "newer" or "older" end
  if ahead == 0 and string.match(v, "^%d+|([^|]+)") == string.match(its_v, "^%d+|([^|]+)") then
    -- Prolonging alone changes no version: the longer life is the later, but for the time that a question takes.
    local left = redis.call("PTTL", key)
    local is_later = left ~= -1 and (expires == "" or tonumber(expires) + 1000 > now + left)
    found = is_later and "older" or "newer"
  end
  if policy ~= "replace" and not (policy == "update" and found == "older") then return { "ok", found } end
  redis.call("DEL", key)
end

-- The tail: field, value.
redis.call("HSET", key, "v", its_v, "c", its_c, "m", its_m)
if its_s ~= "" then redis.call("HSET", key, "s", its_s) end
for i = 9, #ARGV, 1000 do
  redis.call("HSET", key, unpack(ARGV, i, math.min(i + 999, #ARGV)))
end
if expires ~= "" then redis.call("PEXPIREAT", key, expires) end
return { "ok", "written" }

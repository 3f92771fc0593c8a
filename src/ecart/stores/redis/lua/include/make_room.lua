-- Counts this change's record in and returns the old ones to forget; nil if too many are young.
-- Looking through all fields is rare: at most once a minute, and only where several records are.
local function make_room(key, cart, record_field)
  local old, since = {}, cart.now - cart.swept
  local is_key = string.sub(record_field, 1, 1) == "#"
  local full = not cart.record and (is_key and cart.keys >= 1000 or not is_key and cart.lanes >= 512)
  if (cart.lanes + cart.keys > 1 and since >= 60000) or (full and since >= 1000) then
    local all, lanes, keys = redis.call("HGETALL", key), 0, 0
    for i = 1, #all, 2 do
      local kind = string.sub(all[i], 1, 1)
      if kind == "~" or kind == "#" then
        local age = cart.now / 1000 - (string.match(all[i + 1], "|(%d+)$") or math.huge)
        if all[i] ~= record_field and age >= (kind == "~" and 600 or 86400) then
          old[#old + 1] = all[i]
        elseif kind == "~" then
          lanes = lanes + 1
        else
          keys = keys + 1
        end
      end
    end
    cart.lanes, cart.keys, cart.swept = lanes, keys, cart.now
  end
  if not cart.record then
    if is_key then cart.keys = cart.keys + 1 else cart.lanes = cart.lanes + 1 end
    if cart.keys > 1000 or cart.lanes > 512 then return nil end
  end
  return old
end

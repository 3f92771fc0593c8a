-- Counts this change's record in and returns the old ones to forget; nil if too many are young.
-- Looking through all fields is rare: at most once a minute, and only where several records are.
local function make_room(key, cart, record_field)
  local old, since = {}, cart.now - cart.swept
  local kind_of_this = string.sub(record_field, 1, 1)
  local is_key, is_lane = kind_of_this == "#", kind_of_this == "~"
  local full = not cart.record and (is_key and cart.keys + 0 >= 1000 or is_lane and cart.lanes + 0 >= 512)
  if (cart.lanes + cart.keys > 1 and since >= 60000) or (full and since >= 1000) then
    local HORIZON = { ["~"] = 600, ["#"] = 86400, ["&"] = 691200 }
    local all, lanes, keys = redis.call("HGETALL", key), 0, 0
    for i = 1, #all, 2 do
      local kind = string.sub(all[i], 1, 1)
      local horizon = HORIZON[kind]
      if horizon then
        local age = cart.now / 1000 - (string.match(all[i + 1], "^%d+|%x+|(%d+)") or math.huge)
        if all[i] ~= record_field and age >= horizon then
          old[#old + 1] = all[i]
        elseif kind == "~" then
          lanes = lanes + 1
        else
          keys = keys + 1
        end
      end
    end
    cart.lanes, cart.keys = string.format("%.0f", lanes), string.format("%.0f", keys)
    cart.swept = string.format("%.0f", cart.now)
  end
  if cart.record then return old end
  local kind, most = is_lane and "lanes" or "keys", is_lane and 512 or is_key and 1000 or math.huge
  local count = cart[kind] + 1
  if count > most then return nil end
  cart[kind] = string.format("%.0f", count)
  return old
end

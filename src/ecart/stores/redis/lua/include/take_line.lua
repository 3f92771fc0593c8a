-- Merges one offered line into the cart by policy and counts what came of it. Returns a field that is unreadable.
local function take_line(key, cart, taken, field, offered)
  local quantity, price, title, extra = string.match(offered, "^(%d+)|([%d%.]*)|([^|]*)|(.*)$")
  local line = redis.call("HGET", key, field)
  local was, old_price, position, old_title, old_extra = 0, "", cart.position + 1, "", ""
  if line then
    was, old_price, position, old_title, old_extra =
      string.match(line, "^(%d+)|([%d%.]*)|(%d+)|([^|]*)|(.*)$")
    if not was then return field end
    was = tonumber(was)
  end
  local policy, wanted = taken.policy, tonumber(quantity)
  if line and policy == "sum" then wanted = was + wanted end
  if (not line and cart.lines >= taken.max_lines)
    or (line and (policy == "keep_target" or policy == "max" and wanted <= was)) then
    taken.left = taken.left + 1
    return
  end
  local limited = math.min(wanted, taken.max_quantity)
  local theirs = policy == "replace"
  local new_price = (theirs and price ~= "" or old_price == "") and price or old_price
  local new_title = (theirs and title ~= "" or old_title == "") and title or old_title
  -- Options are the same on both sides; details, where there are any, come first in the JSON.
  local has_details, had_details = string.sub(extra, 1, 5) == '{"d":', string.sub(old_extra, 1, 5) == '{"d":'
  local new_extra = (not line or has_details and (theirs or not had_details)) and extra or old_extra

  local units, nanos = cart.units, cart.nanos
  add_amount(cart, -was, old_price)
  add_amount(cart, limited, new_price)
  if cart.units >= 2 ^ 53 then
    cart.units, cart.nanos = units, nanos
    taken.left = taken.left + 1
    return
  end
  if limited < wanted then taken.clamped = taken.clamped + 1 end
  if not line then
    cart.lines, cart.position, taken.added = cart.lines + 1, position, taken.added + 1
  elseif limited ~= was or theirs then
    taken.raised = taken.raised + 1
  end
  cart.quantity = cart.quantity + limited - was
  local writes = taken.writes
  writes[#writes + 1] = field
  writes[#writes + 1] = string.format("%.0f|%s|%s|%s|%s", limited, new_price, position, new_title, new_extra)
end

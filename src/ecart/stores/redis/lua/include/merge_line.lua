-- Attributes of a line, each `=<letter><text>|`: the first ones, and those of the second that the first have not.
local function merge_attributes(first, second)
  local merged = first
  for letter, text in string.gmatch(second, "=(.)([^|]*)|") do
    if not string.find("|" .. first, "|=" .. letter, 1, true) then merged = merged .. "=" .. letter .. text .. "|" end
  end
  return merged
end

-- Merges an offered line, which is without position, into the stored one by policy. Their options are the same.
-- Takes: field, the line's; stored, its text or nil; numbers as limits.
-- Returns: a refusal if the stored line is unreadable; or nil, and nil where everything stays as it is, else
--   merged: text, the line as it is to be; counters with it; added, raised, clamped, each 1 if the line was that, or 0.
local function merge_line(counters, field, stored, offered, policy, max_quantity, max_lines, max_bytes)
  local quantity, price, title, extra = string.match(offered, "^(%d+)|([%d%.]*)|([^|]*)|(.*)$")
  local was, old_price, position, old_title, old_extra = 0, "", counters.position + 1, "", ""
  if stored then
    was, old_price, position, old_title, old_extra = string.match(stored, "^(%d+)|([%d%.]*)|(%d+)|([^|]*)|(.*)$")
    if not was then return { "corrupt_cart", field } end
  end
  local wanted, replaces = policy == "sum" and was + quantity or tonumber(quantity), policy == "replace"
  local is_full = not stored and counters.lines >= max_lines
  local stays = stored and (policy == "keep_target" or policy == "max" and wanted <= was + 0)
  if is_full or stays then return nil, nil end

  local limited, lines, last = math.min(wanted, max_quantity), counters.lines, counters.position
  if not stored then lines, last = lines + 1, position end
  if old_price ~= "" and (price == "" or not replaces) then price = old_price end
  if old_title ~= "" and (title == "" or not replaces) then title = old_title end
  -- Attributes, then JSON. Details, where there are any, come first in it.
  local attributes, json = string.match(extra, "^([^{]*)(.*)$")
  local old_attributes, old_json = string.match(old_extra, "^([^{]*)(.*)$")
  local has_details, had_details = string.sub(json, 1, 5) == '{"d":', string.sub(old_json, 1, 5) == '{"d":'
  if stored and not (has_details and (replaces or not had_details)) then json = old_json end
  local first, second = old_attributes, attributes
  if replaces then first, second = attributes, old_attributes end
  extra = merge_attributes(first, second) .. json
  local units, nanos = add_amount(counters.units, counters.nanos, -was, old_price)
  units, nanos = add_amount(units, nanos, limited, price)
  if units >= 2 ^ 53 then return nil, nil end
  local text = string.format("%.0f|%s|%s|%s|%s", limited, price, position, title, extra)
  local bytes = counters.bytes + line_bytes(field, text) - (stored and line_bytes(field, stored) or 0)
  if bytes > counters.bytes and bytes > max_bytes then return nil, nil end
  local quantity_now = counters.quantity + limited - was
  return nil, {
    text = text,
    counters = { lines = lines, quantity = quantity_now, units = units, nanos = nanos, position = last, bytes = bytes },
    added = stored and 0 or 1, raised = stored and (replaces or limited ~= was + 0) and 1 or 0,
    clamped = limited < wanted and 1 or 0,
  }
end

-- Adds the source's records of callers' operation ids to those of the cart, as far as there is room.
-- Takes: header, whose `records` are counted up; offered, names and texts in turn, the youngest first; writes, what is
-- to be written, which they are added to.
local function take_records(key, now, header, offered, writes)
  if #offered == 0 then return end
  local lanes, keys, swept = string.match(header.records, "^(%d+)|(%d+)|(%d+)$")
  lanes, keys = lanes + 0, keys + 0
  for i = 1, #offered, 2 do
    local is_lane = string.sub(offered[i], 1, 1) == "~"
    local is_young = is_lane or now / 1000 - string.match(offered[i + 1], "^%d+|%x+|(%d+)$") < 86400
    local has_room = is_lane and lanes < 512 or not is_lane and keys < 1000
    if is_young and has_room and redis.call("HEXISTS", key, offered[i]) == 0 then
      writes[#writes + 1] = offered[i]
      writes[#writes + 1] = offered[i + 1]
      if is_lane then lanes = lanes + 1 else keys = keys + 1 end
    end
  end
  header.records = string.format("%.0f|%.0f|", lanes, keys) .. swept
end

-- Counts a change's record among the records of its cart, and finds those that are too old to keep.
-- A cart has room for 512 lanes and 1,000 keys, and for as many again of changes that end something or make the cart
-- smaller: those are never refused, and beyond that they leave no record. Looking through all fields is rare: at most
-- once a minute where several records are, and once a second where there is no room, unless that is to be refused.
-- Takes: header, which is given the new counts as `records`, the old ones' fields as `expired`, and `has_no_place`.
-- Returns: a refusal with the seconds until there is room, or nil.
local function count_record(key, now, record, recorded, header, grows)
  -- A single lane, which has been counted: as with most changes, there is nothing to do.
  if recorded and string.sub(header.records, 1, 4) == "1|0|" then return nil end
  local lanes, keys, swept = string.match(header.records, "^(%d+)|(%d+)|(%d+)$")
  lanes, keys = lanes + 0, keys + 0
  local kind_of_this, since, old, soonest = string.sub(record, 1, 1), now - swept, nil, math.huge
  local is_lane, cap = kind_of_this == "~", ({ ["~"] = 512, ["#"] = 1000, ["&"] = math.huge })[kind_of_this]
  local is_full = not recorded and (is_lane and lanes or keys) >= cap
  if (lanes + keys > 1 and since >= 60000) or (is_full and (grows or since >= 1000)) then
    local HORIZON = { ["~"] = 600, ["#"] = 86400, ["&"] = 691200 }
    local all = redis.call("HGETALL", key)
    old, lanes, keys, swept = {}, 0, 0, now
    for i = 1, #all, 2 do
      local kind = string.sub(all[i], 1, 1)
      if HORIZON[kind] then
        local left = HORIZON[kind] - now / 1000 + (string.match(all[i + 1], "^%d+|%x+|(%d+)") or -math.huge)
        if all[i] ~= record and left <= 0 then
          old[#old + 1] = all[i]
        elseif kind == "~" then
          lanes = lanes + 1
        else
          keys = keys + 1
        end
        if left > 0 and (kind == "~") == is_lane then soonest = math.min(soonest, left) end
      end
    end
  end
  local taken, has_no_place = is_lane and lanes or keys, false
  if not recorded then
    if taken >= cap and grows then return { "too_many_operations", string.format("%.0f", math.ceil(soonest)) } end
    has_no_place = taken >= 2 * cap
    if is_lane and not has_no_place then lanes = lanes + 1 end
    if not is_lane and not has_no_place then keys = keys + 1 end
  end
  header.records, header.expired = string.format("%.0f|%.0f|", lanes, keys) .. swept, old
  header.has_no_place = has_no_place
  return nil
end

-- The record of a change: its number, what it was, when, and a note ("" for none).
local function record_text(now, sequence, fingerprint, note)
  return sequence .. "|" .. fingerprint .. "|" .. string.sub(now, 1, -4) .. note
end

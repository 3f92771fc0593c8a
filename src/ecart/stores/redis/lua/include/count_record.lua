-- Counts a change's record among the records of its cart, and finds those that are too old to keep.
-- Looking through all fields is rare: at most once a minute, and only where several records are.
-- Returns: a refusal if there is no room; or nil, the counts with this one, and the old records' fields or nil.
local function count_record(key, now, record, recorded, records)
  -- A single lane, which has been counted: as with most changes, there is nothing to do.
  if recorded and string.sub(records, 1, 4) == "1|0|" then return nil, records, nil end
  local lanes, keys, swept = string.match(records, "^(%d+)|(%d+)|(%d+)$")
  lanes, keys = lanes + 0, keys + 0
  local kind_of_this, since, old = string.sub(record, 1, 1), now - swept, nil
  local is_key, is_lane = kind_of_this == "#", kind_of_this == "~"
  local is_full = not recorded and (is_key and keys >= 1000 or is_lane and lanes >= 512)
  if (lanes + keys > 1 and since >= 60000) or (is_full and since >= 1000) then
    local HORIZON = { ["~"] = 600, ["#"] = 86400, ["&"] = 691200 }
    local all = redis.call("HGETALL", key)
    old, lanes, keys, swept = {}, 0, 0, now
    for i = 1, #all, 2 do
      local kind = string.sub(all[i], 1, 1)
      local horizon = HORIZON[kind]
      if horizon then
        local age = now / 1000 - (string.match(all[i + 1], "^%d+|%x+|(%d+)") or math.huge)
        if all[i] ~= record and age >= horizon then
          old[#old + 1] = all[i]
        elseif kind == "~" then
          lanes = lanes + 1
        else
          keys = keys + 1
        end
      end
    end
  end
  if not recorded then
    if (is_lane and lanes >= 512) or (is_key and keys >= 1000) then return { "too_many_operations" } end
    if is_lane then lanes = lanes + 1 else keys = keys + 1 end
  end
  return nil, string.format("%.0f|%.0f|", lanes, keys) .. swept, old
end

-- The record of a change: its number, what it was, when, and a note ("" for none).
local function record_text(now, sequence, fingerprint, note)
  return sequence .. "|" .. fingerprint .. "|" .. string.sub(now, 1, -4) .. note
end

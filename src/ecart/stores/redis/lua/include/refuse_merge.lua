-- Checks of a merge whose refusal is recorded in the target: its state, its version, its currency.
-- Returns: a refusal; or nil and s, as of `check_cart`.
local function check_merge(now, expected, header, counters, v, m, s, priced, currency)
  local refusal, new_s = check_cart(now, "open", expected, header.version, v, m, s)
  if refusal then return refusal end
  if priced == "1" and counters.lines > 0 and s ~= "gone" and header.currency ~= currency then
    return { "currency_mismatch", header.currency, currency }
  end
  return nil, new_s
end

-- Records a refused merge in the target, if there is one: its repeats are refused too, so that the source can open
-- safely. A merge's record always has room.
-- Returns: the refusal, as given.
local function refuse_merge(key, now, record, recorded, sequence, fingerprint, header, v, refusal)
  if not v then return refusal end
  local _ = count_record(key, now, record, recorded, header, false)
  redis.call("HDEL", key, "!")
  if header.expired then delete_fields(key, header.expired) end
  redis.call("HSET", key, "v", string.match(v, "^%d+|[%w_-]+|%d+|") .. header.records,
    record, record_text(now, sequence, fingerprint, "|refused"))
  return refusal
end

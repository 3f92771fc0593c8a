-- Reads a cart for a change of it, and checks the change: whether it is a repeat, then the cart's state and version.
-- Takes: ended, the key that is there once the change's session has ended, nil without a session; accepts, as of
-- `check_cart`; line, the field of the line it works on ("" for none); ttl, as of `read_cart`.
-- Returns: a refusal; or nil, whether it is a repeat, and what `read_cart` returns, s as the change is to leave it.
local function begin_change(key, ended, accepts, record, sequence, fingerprint, expected, ttl, line)
  if ended and redis.call("EXISTS", ended) == 1 then return { "session_ended" } end
  local refusal, now, header, counters, v, c, m, s, recorded, line_text = read_cart(key, record, line, ttl)
  if refusal then return refusal end
  local is_repeat
  refusal, is_repeat = check_record(now, record, recorded, sequence, fingerprint)
  if refusal then return refusal end
  if not is_repeat then
    refusal, header.s = check_cart(now, accepts, expected, header.version, v, m, s)
    if refusal then return refusal end
  end
  return nil, is_repeat, now, header, counters, v, c, m, s, recorded, line_text
end

-- Lets the cart expire `ttl` milliseconds after a time; never if it is "0".
local function expire(key, time, ttl)
  if ttl == "0" then
    redis.call("PERSIST", key)
  else
    redis.call("PEXPIREAT", key, time + ttl)
  end
end

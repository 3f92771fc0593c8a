-- What becomes by policy of an offered line: whether it `stays_out`, or with how many units and at what price it comes.
local quantity, price_offered, title, extra = string.match(offered, "^(%d+)|([%d%.]*)|([^|]*)|(.*)$")
local line = redis.call("HGET", key, field)
local was, old_price, position, old_title, old_extra = 0, "", last_position + 1, "", ""
if line then
  was, old_price, position, old_title, old_extra = string.match(line, "^(%d+)|([%d%.]*)|(%d+)|([^|]*)|(.*)$")
  if not was then return { "corrupt_cart", field } end
  was = tonumber(was)
end
local theirs, wanted = policy == "replace", tonumber(quantity)
if line and policy == "sum" then wanted = was + wanted end
local limited = math.min(wanted, tonumber(max_quantity))
local stays_out = not line and line_count >= tonumber(max_lines)
  or line and (policy == "keep_target" or policy == "max" and wanted <= was)
local new_price = (theirs and price_offered ~= "" or old_price == "") and price_offered or old_price

-- Takes in a line that was weighed, its amount included, or leaves it out, and counts what came of it.
if stays_out then
  left = left + 1
else
  if limited < wanted then clamped = clamped + 1 end
  if not line then
    line_count, last_position, added = line_count + 1, position, added + 1
  elseif limited ~= was or theirs then
    raised = raised + 1
  end
  total_quantity = total_quantity + limited - was
  -- Options are the same on both sides; details, where there are any, come first in the JSON.
  local has_details, had_details = string.sub(extra, 1, 5) == '{"d":', string.sub(old_extra, 1, 5) == '{"d":'
  local new_title = (theirs and title ~= "" or old_title == "") and title or old_title
  local new_extra = (not line or has_details and (theirs or not had_details)) and extra or old_extra
  writes[#writes + 1] = field
  writes[#writes + 1] = string.format("%.0f|%s|%s|%s|%s", limited, new_price, position, new_title, new_extra)
end

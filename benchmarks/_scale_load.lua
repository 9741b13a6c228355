-- Asks what a file says, one request after the other, over and over, and tells latencies in microseconds.
-- The file has a request in each line: method, path, token and body, with tabs between them.
local requests, at = {}, 0

init = function(args)
  for line in io.lines(args[1]) do
    local method, path, token, body = line:match("^([^\t]*)\t([^\t]*)\t([^\t]*)\t(.*)$")
    local headers = { ["Authorization"] = "Bearer " .. token }
    if body ~= "" then
      headers["Content-Type"] = "application/json"
      headers["If-Match"] = "*"
    end
    requests[#requests + 1] = wrk.format(method, path, headers, body ~= "" and body or nil)
  end
end

request = function()
  at = at % #requests + 1
  return requests[at]
end

done = function(summary, latency, _)
  local failed = summary.errors.connect + summary.errors.read + summary.errors.write
               + summary.errors.timeout + summary.errors.status
  io.write(string.format(
    '{"requests": %d, "duration_us": %d, "failed": %d, "p50_us": %d, "p95_us": %d, "p99_us": %d}\n',
    summary.requests, summary.duration, failed,
    latency:percentile(50), latency:percentile(95), latency:percentile(99)))
end

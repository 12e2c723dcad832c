-- Sends the bodies of file $BODIES (one JSON document per line) in turn; prints the figures as one RES line.
local bodies, requests, i = {}, {}, 0
for line in io.lines(os.getenv("BODIES")) do bodies[#bodies + 1] = line end

function init(args)
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/json"
  for k, body in ipairs(bodies) do requests[k] = wrk.format(nil, nil, nil, body) end
end

function request()
  i = i % #requests + 1
  return requests[i]
end

function done(summary, latency, rate)
  local errors = summary.errors
  io.write(string.format('RES {"n":%d,"us":%d,"p50":%.1f,"p99":%.1f,"bad":%d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.status + errors.timeout + errors.connect + errors.read + errors.write))
end

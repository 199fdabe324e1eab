-- wrk's script: posts the body in the file named on the command line, with the headers that follow
-- it as name=value, and prints what the service
-- benchmark reads: requests, microseconds, latencies, and everything that was not a 200.

function init(arguments)
    local file = assert(io.open(arguments[1], "rb"))
    wrk.method = "POST"
    wrk.headers["Content-Type"] = "application/json"
    wrk.body = file:read("*a")
    file:close()
    for i = 2, #arguments do
        local name, value = arguments[i]:match("^(.-)=(.*)$")
        wrk.headers[name] = value
    end
end

function done(summary, latency, requests)
    local errors = summary.errors
    io.write(string.format(
        '{"requests": %d, "duration_us": %d, "p50_us": %d, "p99_us": %d, ' ..
        '"refused": %d, "broken": %d}\n',
        summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
        errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end

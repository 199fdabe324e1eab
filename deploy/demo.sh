#!/bin/sh
# The demonstration: starts the daemon on free ports, trains a network on handwritten digits through
# it, stops it. Exits as the trainer does. Installing and building is `make demo`'s part.
set -eu

cd "$(dirname "$0")/.."
build=${BUILD:-build}
seconds_to_start=20
log=$(mktemp)
daemon=

next_steps() {
    echo "next: $build/gradientd & and the request of README.md, \"A request and its answer\""
    echo "      docs/api.md is the whole interface; make test runs every test"
}

# Whatever ends this script, the daemon doesn't outlive it.
finish() {
    status=$?
    trap - EXIT
    if [ -n "$daemon" ] && kill -TERM "$daemon" 2>/dev/null; then
        if wait "$daemon"; then
            echo "gradientd stopped"
            [ "$status" != 0 ] || next_steps
        else
            echo "demo: gradientd ended with status $?; its log ends so:" >&2
            tail -n 5 "$log" >&2
        fi
    fi
    rm -f "$log"
    exit "$status"
}
trap finish EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# The address of the service, from the line of the log that tells it.
address() {
    sed -n '/"message":"listening"/{/"role":"service"/s/.*"address":"\([^"]*\)".*/\1/p;}' "$log"
}

wait_for_start() {
    for _ in $(seq $((seconds_to_start * 10))); do
        if [ -n "$(address)" ]; then
            return 0
        fi
        kill -0 "$daemon" 2>/dev/null || break
        sleep 0.1
    done
    echo "demo: gradientd didn't start:" >&2
    cat "$log" >&2
    return 1
}

# Whatever is configured in the environment is meant for another daemon.
for name in $(env | sed -n 's/^\(GRADIENTD_[A-Za-z0-9_]*\)=.*/\1/p'); do
    unset "$name"
done
"$build/gradientd" --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0 2>"$log" &
daemon=$!
wait_for_start
url="http://$(address)"
echo "gradientd serves $url; training 64-64-10 on data/digits.csv.gz through it"

# A proxy of the environment has no business on the loopback. The forward pass is too small for
# threads.
no_proxy="127.0.0.1${no_proxy:+,$no_proxy}"
export no_proxy OPENBLAS_NUM_THREADS=1
gzip -dc data/digits.csv.gz | "$build/examples/train_digits" "$url"

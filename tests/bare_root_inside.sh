#!/usr/bin/env bash
# What tests/bare_root.sh runs inside the bare root: the life of a new user, each step checked. Bash and coreutils only.
set -euo pipefail
set -m # Each background job is a process group of its own, so that Ctrl-C can be imitated.

here=/srv/agentlocator
# PORT is given from outside and free there: the network is shared with that machine.
second_start_ms_max=2000

step() { printf '\n=== %s\n' "$*"; }
fail() {
    printf 'bare_root: FAILED: %s\n' "$*" >&2
    exit 1
}
now_ms() { date +%s%3N; }

# The status line of GET /healthz; fails while nobody answers. A bare Debian has no curl.
healthz() {
    local line
    { exec 3<>"/dev/tcp/127.0.0.1/$PORT"; } 2>/dev/null || return 1
    printf 'GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' >&3
    IFS= read -r -t 5 line <&3 || line=""
    exec 3>&-
    [[ $line == "HTTP/1.1 200"* ]]
}

# Called while the system is up.
# shellcheck disable=SC2317
while_up() { :; }

# start COMMAND...: runs it until /healthz answers, then while_up, then Ctrl-C; checks that all of it ends with 0. Sets `took` (ms).
start() {
    local began job code=0
    ! healthz || fail "something else answers on port $PORT"
    began=$(now_ms)
    "$@" &
    job=$!
    until healthz; do
        kill -0 "$job" 2>/dev/null || { wait "$job" || fail "$* ended with $? before /healthz answered"; fail "$* ended"; }
        sleep 0.02
    done
    took=$(($(now_ms) - began))
    echo "bare_root: /healthz answered after $took ms"
    while_up
    kill -INT -- "-$job"
    wait "$job" || code=$?
    [ "$code" -eq 0 ] || fail "$* ended with $code after Ctrl-C"
    ! healthz || fail "something still answers on port $PORT"
    ! compgen -G '/proc/[0-9]*/exe' >/dev/null || ! readlink /proc/[0-9]*/exe 2>/dev/null | grep -q agentlocator ||
        fail "a process of ours outlived its stop"
}

useradd --create-home visitor

step "start_all.sh as a user who may not install: names each package, exit 69"
code=0
answer=$(su visitor -c "$here/start_all.sh" 2>&1) || code=$?
printf '%s\n' "$answer"
[ "$code" -eq 69 ] || fail "exit code $code, not 69"
# shellcheck disable=SC1091,SC2154
for name in $(. "$here/scripts/packages.sh" && package_names "$build_packages"); do
    grep -q "^    $name " <<<"$answer" || fail "$name is not named"
done

step "start_all.sh: installs, builds, starts"
cd "$here"
while_up() {
    build/release/bin/agentlocator call --url "http://127.0.0.1:$PORT" --noise || fail "the first call was not healthy"
    build/release/bin/agentlocator status || fail "status ended with $?"
}
start ./start_all.sh
first=$took
while_up() { :; }

step "the second start, from another folder: under $second_start_ms_max ms"
cd /
start "$here/start_all.sh"
second=$took
[ "$second" -lt "$second_start_ms_max" ] || fail "took $second ms"

step "a start by the user who may not install: all is built, so nothing is missing"
# setpriv becomes the script; su would stay in between, and die of the Ctrl-C itself.
start setpriv --reuid=visitor --regid=visitor --init-groups \
    env HOME=/home/visitor AGENTLOCATOR_LOCK=/home/visitor/lock "$here/start_all.sh"

if [ "$TESTS" = 1 ]; then
    step "run_tests.sh"
    cd /
    began=$(now_ms)
    "$here/run_tests.sh" 2>&1 | tee /tmp/tests.log || true
    tests_ms=$(($(now_ms) - began))
    last=$(tail -n 1 /tmp/tests.log)
    [[ $last =~ ^[1-9][0-9]*\ passed,\ 0\ failed$ ]] || fail "the last line is: $last"
fi

step "done"
echo "bare_root: first start $first ms, second $second ms${tests_ms:+, tests $tests_ms ms, $last}"

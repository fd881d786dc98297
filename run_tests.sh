#!/usr/bin/env bash
# Installs what is missing, builds with warnings as errors, runs every test. The last line is `N passed, N failed`;
# the exit code is 0 only when nothing failed. A skipped test counts as failed: a test that does not run proves nothing.
#
#   ./run_tests.sh                       everything
#   ./run_tests.sh --only unit           one kind: unit, integration or node
#   ./run_tests.sh -k WORD               only tests whose name contains WORD
#   ./run_tests.sh --sanitize asan       built with sanitizers: asan (address and undefined behaviour) or tsan
set -uo pipefail

root=$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")
program=run_tests
# shellcheck source=scripts/setup.sh
. "$root/scripts/setup.sh"
# shellcheck source=scripts/node.sh
. "$root/scripts/node.sh"
# shellcheck source=scripts/test_count.sh
. "$root/scripts/test_count.sh"

usage() {
    sed -n '2,/^set /{s/^# \{0,1\}//;/^set /d;p}' "${BASH_SOURCE[0]}" >&2
    exit 64
}

preset=check
only=""
word=""
while [ $# -gt 0 ]; do
    case "$1" in
        --sanitize) [ $# -ge 2 ] || usage; preset=$2; shift; [[ $preset =~ ^(asan|tsan)$ ]] || usage ;;
        --only) [ $# -ge 2 ] || usage; only=$2; shift; [[ $only =~ ^(unit|integration|node)$ ]] || usage ;;
        -k) [ $# -ge 2 ] || usage; word=$2; shift ;;
        *) usage ;;
    esac
    shift
done
wants() { [ -z "$only" ] || [ "$only" = "$1" ]; }

passed=0
failed=0
told=()  # What failed, said again at the end: a log is often cut to its last lines.
output=$(mktemp)
trap 'rm -f -- "$output"' EXIT

# Longer than any runner ever took on two cores with a thread sanitizer; a runner that hangs becomes one failure.
unit_seconds_max=300
integration_seconds_max=3600
node_seconds_max=900

told_max=40            # Lines told again of one runner.
pytest_nothing_left=5  # Its exit code when a filter leaves no test.

# run_counted NAME COUNTER COMMAND...: shows the output as it comes, then adds what COUNTER reads from it. A runner that
# died, or whose count says nothing failed though its exit code does, is one failure more.
run_counted() {
    local name=$1 counter=$2 code counts
    shift 2
    say "running $name"
    "$@" 2>&1 | tee "$output"
    code=${PIPESTATUS[0]}
    counts=$("$counter" "$output") || counts=""
    read -r ok bad <<<"$counts"
    if [ -z "${bad:-}" ]; then
        told+=("$name printed no count (exit code $code): one failure")
        ok=0 bad=1
    elif [ "$code" -eq "$pytest_nothing_left" ] && [ -n "$word" ]; then
        say "$name: no test is named like $word"
    elif [ "$code" -ne 0 ] && [ "$bad" -eq 0 ]; then
        told+=("$name ended with exit code $code though its count says nothing failed: one failure")
        bad=1
    elif [ "$bad" -gt 0 ]; then
        told+=("$name: $bad failed")
        mapfile -t -O "${#told[@]}" told < <(grep -E '^(FAILED|ERROR|not ok|TEST CASE:) ' "$output" | head -n "$told_max")
    fi
    passed=$((passed + ok))
    failed=$((failed + bad))
}

run_unit() {
    local test filter=()
    [ -z "$word" ] || filter=("--test-case=*$word*")
    for test in "$root/build/$preset/bin"/unit_*; do
        run_counted "$(basename -- "$test")" "count_doctest${word:+_filtered}" \
            timeout -k 5 "$unit_seconds_max" "$test" --no-colors=true "${filter[@]}"
    done
}

# Two files at a time: most of a test is waiting, and each installation has its own lock, port and folders. The system's
# Python on purpose: the packages above are installed for that one.
run_integration() {
    local filter=()
    [ -z "$word" ] || filter=(-k "$word")
    AGENTLOCATOR_BIN="$root/build/$preset/bin" PYTHONDONTWRITEBYTECODE=1 \
        run_counted "integration tests" "count_pytest${word:+_filtered}" \
        timeout -k 30 "$integration_seconds_max" /usr/bin/python3 -m pytest -p no:cacheprovider -q --color=no -ra \
        -n 2 --dist loadfile --durations=10 "${filter[@]}" "$root/tests/integration"
}

# The bridge's packages, exactly those of its lock file.
ensure_bridge_packages() {
    local bridge="$root/baileys-bridge"
    local installed="$bridge/node_modules/.package-lock.json"  # npm writes it last.
    if [ ! -e "$installed" ] || [ "$bridge/package-lock.json" -nt "$installed" ]; then
        say "installing the bridge's packages"
        (cd "$bridge" && npm ci --omit=dev --no-audit --no-fund >&2)
    fi
}

run_node() {
    local filter=()
    if ! ensure_bridge_packages; then
        told+=("npm could not install the bridge's packages: one failure")
        failed=$((failed + 1))
        return
    fi
    [ -z "$word" ] || filter=("--test-name-pattern=$word")
    run_counted "node tests" count_tap timeout -k 5 "$node_seconds_max" "$node_folder/node" --test --test-reporter=tap --test-concurrency=2 \
        "${filter[@]}" "$root"/baileys-bridge/test/*.test.js
}

started=$SECONDS
# shellcheck disable=SC2154  # scripts/packages.sh has them.
ensure_packages "$build_packages" "$test_packages"
if wants node || wants integration; then
    if ensure_node; then
        export PATH="$node_folder:$PATH"
    else
        told+=("no Node: the bridge cannot be tested, which is one failure")
        failed=$((failed + 1))
    fi
fi
if wants unit || wants integration; then
    say "building preset $preset with $(build_jobs) jobs (from nothing: some minutes)"
    if build_preset "$preset"; then
        say "built after $((SECONDS - started)) s"
        ! wants unit || run_unit
        ! wants integration || run_integration
    else
        told+=("the build failed: one failure")
        failed=$((failed + 1))
    fi
fi
if wants node && [ -n "${node_folder:-}" ]; then
    run_node
fi
for line in "${told[@]}"; do say "$line"; done
say "took $((SECONDS - started)) s"
printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]

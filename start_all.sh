#!/usr/bin/env bash
# Starts AgentLocator in the foreground: installs what is missing, builds if a source changed, becomes the supervisor.
#
#   ./start_all.sh [options of `agentlocator run`]     for example --bind 0.0.0.0 --enforce-ai
#   ./start_all.sh --build-only                        for the build step of a platform; starts nothing
#   ./start_all.sh --with-node [options]               also fetches Node for the WhatsApp bridge if it is missing or old
#
# Works from any folder and any number of times. A start with nothing to build needs neither network nor compiler.
# AGENTLOCATOR_SKIP_BUILD=1 starts what was built last, though sources changed since.
set -euo pipefail

root=$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")
program=start_all
binary="$root/build/release/bin/agentlocator"
stamp="$root/build/release/.built-from"
# shellcheck source=scripts/setup.sh
. "$root/scripts/setup.sh"

build_if_changed() {
    local wanted
    wanted=$(source_hash)
    if [ -x "$binary" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
        return 0
    fi
    if [ -x "$binary" ] && [ "${AGENTLOCATOR_SKIP_BUILD:-0}" = 1 ]; then
        say "AGENTLOCATOR_SKIP_BUILD=1: sources changed since $binary was built; starting it all the same"
        return 0
    fi
    # shellcheck disable=SC2154  # scripts/packages.sh has it.
    ensure_packages "$build_packages"
    say "building with $(build_jobs) jobs into $root/build/release (the first time takes some minutes)"
    build_preset release >&2
    # Written last: an interrupted build has no stamp, so the next start goes on with it.
    printf '%s\n' "$wanted" >"$stamp"
    say "built"
}

with_node=0
if [ "${1:-}" = --with-node ]; then
    with_node=1
    shift
fi
build_if_changed
if [ "$with_node" = 1 ]; then
    # shellcheck source=scripts/node.sh
    . "$root/scripts/node.sh"
    ensure_node || say "starting without: calls are answered, WhatsApp is not"
fi
if [ "${1:-}" = --build-only ]; then
    exit 0
fi
exec "$binary" run "$@"

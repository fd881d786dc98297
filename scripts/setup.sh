# Shared by start_all.sh and run_tests.sh: packages, jobs, one build at a time. Sourced; expects `root` (absolute)
# and `program` (the name in front of each line). Every step that may take over two seconds says so first.

# shellcheck source=scripts/packages.sh
. "$root/scripts/packages.sh"

exit_unavailable=69  # common/exit_code.hpp: what is needed is not there; the message says how to get it.

say() { printf '%s: %s\n' "$program" "$*" >&2; }

# missing_packages NAME...: those dpkg does not know as installed. Nothing where there is no dpkg (Nix, Fedora):
# there the configure step of the build finds out.
missing_packages() {
    command -v dpkg-query >/dev/null || return 0
    # Absent packages lack a line, and make the exit code 1; the rest say their state.
    local installed
    installed=$({ dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null || true; } |
        awk '$1 == "installed" { print $2 }')
    local name
    for name in "$@"; do
        grep -qxF -- "$name" <<<"$installed" || printf '%s\n' "$name"
    done
}

# ensure_packages LIST...: installs what is missing of the lists, or says exactly what to do and exits.
ensure_packages() {
    local lists="" list
    for list in "$@"; do lists+="$list"; done
    local missing
    mapfile -t missing < <(missing_packages $(package_names "$lists"))
    [ "${#missing[@]}" -gt 0 ] || return 0

    local as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        # With a terminal sudo may ask for the password; without one it must not wait for an answer nobody gives.
        if command -v sudo >/dev/null && { sudo -n true 2>/dev/null || { [ -t 0 ] && [ -t 2 ]; }; }; then
            as_root=(sudo)
        else
            name_packages "$lists" "${missing[@]}"
            exit "$exit_unavailable"
        fi
    fi
    if ! command -v apt-get >/dev/null; then
        name_packages "$lists" "${missing[@]}"
        exit "$exit_unavailable"
    fi

    say "installing ${#missing[@]} packages: ${missing[*]} (a minute or two)"
    local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120 -y -qq)
    "${as_root[@]}" "${apt[@]}" update >&2 || say "apt-get update failed; trying with the package lists at hand"
    if ! "${as_root[@]}" "${apt[@]}" install --no-install-recommends "${missing[@]}" >&2; then
        say "apt-get could not install them. Is there a network, and are 'bookworm' sources configured?"
        name_packages "$lists" "${missing[@]}"
        exit "$exit_unavailable"
    fi
}

name_packages() {
    local lists=$1
    shift
    say "these packages are missing, and this user may not install them:"
    local name
    for name in "$@"; do
        awk -v name="$name" '$1 == name { $1 = ""; printf "    %-24s %s\n", name, substr($0, 2) }' <<<"$lists" >&2
    done
    say "as root, run: apt-get update && apt-get install -y --no-install-recommends $*"
}

# jobs_for CORES MEMORY_MB: compilers at once. One a core, but each may need 1.1 GB (a Boost.Beast file), so that a small
# machine builds slowly instead of being killed for its memory.
jobs_for() {
    local by_memory=$(($2 / 1100))
    [ "$by_memory" -ge 1 ] || by_memory=1
    [ "$by_memory" -lt "$1" ] && echo "$by_memory" || echo "$1"
}

# build_jobs: the same for this machine, or for the container's limit where that is lower.
build_jobs() {
    local memory_mb limit
    memory_mb=$(awk '$1 == "MemAvailable:" { print int($2 / 1024) }' /proc/meminfo)
    if [ -r /sys/fs/cgroup/memory.max ] && limit=$(cat /sys/fs/cgroup/memory.max) && [ "$limit" != max ]; then
        [ $((limit / 1048576)) -ge "$memory_mb" ] || memory_mb=$((limit / 1048576))
    fi
    jobs_for "$(nproc)" "$memory_mb"
}

# What the programs are built from, as one hash. By content, not by date: a fresh clone or an unpacked archive changes
# every date and nothing else.
source_hash() {
    (cd "$root" && find CMakeLists.txt CMakePresets.json common dialogues store supervisor worker bridge-launcher speech -type f -print0 |
        LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum | cut -d ' ' -f 1)
}

# build_preset PRESET [TARGET...]: configure and build, one at a time for a checkout. Ninja decides what is out of date.
build_preset() {
    local preset=$1
    shift
    local folder="$root/build/$preset" targets=()
    [ $# -eq 0 ] || targets=(--target "$@")
    mkdir -p "$folder"
    exec {build_lock}>"$folder/.lock"
    if ! flock -n "$build_lock"; then
        say "waiting for another build in $folder"
        flock "$build_lock"
    fi
    # Presets are found from the source folder only, hence the subshell. Configured every time (half a second): Ninja
    # notices a changed CMakeLists.txt, not a changed preset.
    (cd "$root" && cmake --preset "$preset" >"$folder/configure.log" 2>&1) || {
        cat "$folder/configure.log" >&2
        say "configuring $folder failed; the reason is above"
        return 1
    }
    cmake --build "$folder" -j "$(build_jobs)" "${targets[@]}" || {
        say "building $folder failed; the first error above says why"
        return 1
    }
    exec {build_lock}>&-
}

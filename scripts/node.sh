# Finds Node 20 or newer for the bridge and its tests, or fetches it. Sourced after setup.sh; sets `node_folder`.
# Debian 12 has Node 18. A newer one comes from the npm registry (the official build, pinned by version and hash in
# scripts/node/package-lock.json), into build/node, where the bridge launcher looks too.

node_major_min=20  # bridge-launcher/launch_plan.hpp

# node_is_new_enough PROGRAM
node_is_new_enough() {
    local version
    version=$("$1" --version 2>/dev/null) || return 1
    version=${version#v}
    [ "${version%%.*}" -ge "$node_major_min" ] 2>/dev/null
}

# find_node: the folder of a node that will do, in $node_folder.
find_node() {
    local candidate
    for candidate in "$(command -v node || true)" "$root/build/node/bin/node"; do
        if [ -n "$candidate" ] && node_is_new_enough "$candidate"; then
            node_folder=$(dirname -- "$candidate")
            return 0
        fi
    done
    return 1
}

# ensure_node: as find_node; fetches one when there is none.
ensure_node() {
    find_node && command -v npm >/dev/null && return 0
    ensure_packages "$node_packages"
    find_node && return 0
    say "fetching Node from the npm registry (60 MB)"
    local folder="$root/build/node.fetch" found
    rm -rf -- "$folder"
    mkdir -p "$folder"
    cp -- "$root/scripts/node/package.json" "$root/scripts/node/package-lock.json" "$folder"
    if ! (cd "$folder" && npm ci --no-audit --no-fund >&2); then
        say "npm could not fetch it. Is there a network? Or install Node $node_major_min or newer by hand"
        return 1
    fi
    found=$(compgen -G "$folder/node_modules/node-linux-*") || {
        say "no ready-made Node for $(uname -m): install Node $node_major_min or newer by hand"
        return 1
    }
    # Moved as a whole, last: build/node is complete or absent.
    rm -rf -- "$root/build/node"
    mv -- "$found" "$root/build/node"
    rm -rf -- "$folder"
    find_node
}

#!/usr/bin/env bash
# Proves the README's two commands on a bare Debian 12: makes a minimal root with mmdebstrap, puts a clean checkout of
# HEAD into it, and does there what a new user does. Needs root, mmdebstrap and a network; takes some twenty minutes. Not
# part of every test run.
#
#   sudo tests/bare_root.sh [--keep] [--no-tests]     --keep leaves the root and says where
#
# Mirror, proxies and certificates are taken from this machine. Processes live in a pid namespace of their own, so that
# nothing is left behind and nothing of this machine is seen.
set -euo pipefail

checkout=$(dirname -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")")
suite=bookworm
keep=0
tests=1
for argument in "$@"; do
    case "$argument" in
        --keep) keep=1 ;;
        --no-tests) tests=0 ;;
        *) sed -n '2,/^set /{s/^# \{0,1\}//;/^set /d;p}' "${BASH_SOURCE[0]}" >&2; exit 64 ;;
    esac
done
[ "$(id -u)" -eq 0 ] || { echo "bare_root: run as root" >&2; exit 69; }
command -v mmdebstrap >/dev/null || { echo "bare_root: apt-get install mmdebstrap" >&2; exit 69; }

root=$(mktemp -d /var/tmp/bare-root.XXXXXX)
chmod 0755 "$root"
clean_up() {
    if [ "$keep" = 1 ]; then
        echo "bare_root: kept $root"
    else
        rm -rf --one-file-system -- "$root"
    fi
}
trap clean_up EXIT

# The mirror this machine uses for Debian itself; other archives in its list are no part of a bare Debian.
# shellcheck disable=SC2016  # apt expands these.
mirror=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME)' 2>/dev/null |
    awk -v suite="$suite" '$2 == suite && $1 ~ /debian\/?$/ { print $1; exit }')
mirror=${mirror:-http://deb.debian.org/debian}
apt_options=()
for name in Acquire::http::Proxy Acquire::https::Proxy; do
    value=$(apt-config dump --format '%v%n' "$name" | head -n 1)
    [ -z "$value" ] || apt_options+=("--aptopt=$name \"$value\"")
done

echo "bare_root: a minimal $suite from $mirror in $root"
started=$SECONDS
mmdebstrap --quiet --variant=minbase "${apt_options[@]}" "$suite" "$root" "$mirror"
echo "bare_root: made in $((SECONDS - started)) s"
install -m 0644 /etc/resolv.conf "$root/etc/resolv.conf"
[ ! -e /etc/ssl/certs/ca-certificates.crt ] || install -m 0644 /etc/ssl/certs/ca-certificates.crt "$root/srv/host-ca.crt"

mkdir "$root/srv/agentlocator"
git -C "$checkout" archive HEAD | tar -x -C "$root/srv/agentlocator"
install -m 0755 "$checkout/tests/bare_root_inside.sh" "$root/srv/inside.sh"

# A port nobody listens on. Not the default: this machine may be using it.
port=5817
while (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do
    port=$((port + 1))
done
environment=("PORT=$port" PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root "TESTS=$tests" NODE_EXTRA_CA_CERTS=/srv/host-ca.crt)
for name in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY npm_config_registry; do
    [ -z "${!name:-}" ] || environment+=("$name=${!name}")
done

# shellcheck disable=SC2016  # The inner shell expands these.
# --kill-child: whatever still runs ends with this script.
unshare --mount --pid --fork --kill-child bash -euc '
    root=$1; shift
    # A root that is a mount point, as on a real machine: unshare(1) in a test wants to change how it propagates.
    mount --bind "$root" "$root"
    mount -t proc proc "$root/proc"
    mount --rbind /dev "$root/dev"
    mount --rbind /sys "$root/sys"
    exec env -i "$@" chroot "$root" /srv/inside.sh' bash "$root" "${environment[@]}"

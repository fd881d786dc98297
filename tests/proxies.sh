#!/usr/bin/env bash
# Makes a call through each proxy of deploy/: real nginx, HAProxy and Caddy with the shipped files, TLS in front, signed
# requests. Changed are only names, certificate paths and ports. Run by hand when those files change; not part of every
# test run, because installing these three starts web servers on the machine.
#
#   apt-get install nginx-light haproxy caddy openssl
#   tests/proxies.sh [folder of the built programs]
set -euo pipefail

root=$(dirname -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")")
programs=$(readlink -f -- "${1:-$root/build/release/bin}")
for name in nginx haproxy caddy openssl; do
    command -v "$name" >/dev/null || { echo "proxies: apt-get install nginx-light haproxy caddy openssl" >&2; exit 69; }
done

place=$(mktemp -d)
started=()
clean_up() {
    [ "${#started[@]}" -eq 0 ] || kill "${started[@]}" 2>/dev/null || true
    wait || true
    rm -rf -- "$place"
}
trap clean_up EXIT
cd "$place"

free_port() {
    local port=$((20000 + RANDOM % 10000))
    while (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do port=$((port + 1)); done
    echo "$port"
}
listens() { (: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

server=$(free_port)
front=$((server + 1))
while listens "$front"; do front=$((front + 1)); done

openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost 2>/dev/null
cat cert.pem key.pem >both.pem

export AGENTLOCATOR_LOCK=$place/lock AGENTLOCATOR_RUNTIME_DIR=$place/run AGENTLOCATOR_DATA_DIR=$place/data
export ENABLE_WA_BAILEYS=false TWILIO_AUTH_TOKEN=only-for-this-test
"$programs/agentlocator" run --port "$server" >server.log 2>&1 &
started+=($!)

to_here=(-e "s/127\.0\.0\.1:5000/127.0.0.1:$server/")
sed "${to_here[@]}" -e "s#/etc/letsencrypt/live/agent.example.com/fullchain.pem#$place/cert.pem#" \
    -e "s#/etc/letsencrypt/live/agent.example.com/privkey.pem#$place/key.pem#" -e 's/agent\.example\.com/localhost/' \
    -e "s/listen 443/listen 127.0.0.1:$front/" -e '/listen \[::\]/d' "$root/deploy/nginx.conf" >site.conf
printf 'daemon off; pid %s/nginx.pid; error_log stderr; events {} http { access_log off; include %s/site.conf; }\n' \
    "$place" "$place" >nginx.conf
sed "${to_here[@]}" -e "s#/etc/haproxy/agent.example.com.pem#$place/both.pem#" \
    -e "s/bind :443/bind 127.0.0.1:$front/" "$root/deploy/haproxy.cfg" >haproxy.cfg
{
    printf '{\n\tadmin off\n\tauto_https disable_redirects\n}\n'
    sed "${to_here[@]}" -e "s#^agent.example.com {#https://localhost:$front {\n\ttls $place/cert.pem $place/key.pem#" \
        "$root/deploy/Caddyfile"
} >Caddyfile

call_through() {
    local name=$1 proxy code=0
    shift
    HOME=$place "$@" >"$name.log" 2>&1 &
    proxy=$!
    started+=("$proxy")
    for _ in $(seq 100); do
        ! listens "$front" || break
        sleep 0.1
    done
    "$programs/agentlocator" call --url "https://localhost:$front" --ca-file "$place/cert.pem" --noise --seconds 4 \
        >"$name.call" 2>&1 || code=$?
    kill "$proxy"
    wait "$proxy" || true
    if [ "$code" -ne 0 ]; then
        echo "proxies: $name: FAILED"
        cat "$name.log" "$name.call" server.log
        exit 1
    fi
    echo "proxies: $name: $(grep -m 1 'violations' "$name.call" | tr -s ' ')"
}

call_through nginx nginx -p "$place" -c "$place/nginx.conf"
call_through haproxy haproxy -db -f "$place/haproxy.cfg"
call_through caddy caddy run --config "$place/Caddyfile"

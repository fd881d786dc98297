# The Debian 12 packages this project needs, each with what it is for. Sourced by start_all.sh and run_tests.sh.
# One line a package: name, blanks, reason (any text: these are here-documents, not quoted strings).

# To build and to run.
IFS= read -r -d '' build_packages <<'END' || true
g++                     the compiler; C++20 as GCC 12 knows it
cmake                   configures the build
ninja-build             runs the build
libboost1.81-dev        Boost.Beast and Boost.System, headers only (1.74, the default of Debian 12, is too old)
nlohmann-json3-dev      JSON off the audio path: control documents, settings, logs
libspdlog-dev           log files and rotation
libcli11-dev            command lines
libcurl4-openssl-dev    HTTPS to providers
libssl-dev              signatures and hashes
libexpat1-dev           reads TwiML in `agentlocator call`, as strictly as Twilio does
libsqlite3-dev          the store, by default
libpq-dev               the store, where DATABASE_URL names PostgreSQL
libspeexdsp-dev         brings speech to the telephone's rate and back, with an anti-alias filter (BSD licence)
libsamplerate0-dev      brings recordings to the telephone's rate in `agentlocator call`
pkg-config              finds the next two
libespeak-ng-dev        the voice that needs no key (optional to build: without it only recorded prompts)
libpocketsphinx-dev     the recogniser that needs no key (optional to build: without it answers come by keypad)
pocketsphinx-en-us      its acoustic model
END

# To test, on top of those. Python drives the real programs over loopback; gunicorn, eventlet and flask are the stale
# server of old that the supervisor has to find and end.
IFS= read -r -d '' test_packages <<'END' || true
doctest-dev             unit tests
python3                 integration tests
python3-pytest          integration tests
python3-pytest-timeout  a test that hangs fails, with the stack where it hung
python3-pytest-xdist    two integration tests at a time
gunicorn                the stale server, as it ran
python3-eventlet        the stale server, as it ran
python3-flask           the stale server, as it ran
systemd                 systemd-analyze checks the units in deploy/
postgresql              the store's tests run on a server of their own, never on a running one
openssl                 certificates for the fake services of the tests
asterisk-core-sounds-en-wav  people speaking: the callers of the conversation tests
procps                  ps and pgrep, to look at processes from outside
END

# Node is needed by the WhatsApp bridge alone, version 20 or newer. Debian 12 has 18, so it is not in a list above:
# without it calls are answered all the same, and the bridge says what is missing. The tests do need it:
# scripts/node.sh finds it, or fetches it by npm, which is what these two are for.
IFS= read -r -d '' node_packages <<'END' || true
nodejs                  runs npm, to fetch the newer node
npm                     installs the packages of the bridge
END

# package_names LIST: the names alone, one a line.
package_names() {
    awk 'NF { print $1 }' <<<"$1"
}

# Reads how many tests passed and failed from what a runner printed. Sourced by run_tests.sh; each function takes a file
# and prints "PASSED FAILED", or fails when there is no count to read. Skipped tests count as failed, except under a
# name filter (the `_filtered` twins), where the runner reports as skipped what the filter left out.

# [doctest] test cases:  5 |  4 passed | 1 failed | 0 skipped
count_doctest() {
    awk -v skipped_counts="${2:-1}" '
        /^\[doctest\] test cases:/ {
            gsub(/\|/, " ")
            for (i = 2; i <= NF; ++i) {
                if ($i == "passed") passed = $(i - 1)
                if ($i == "failed") failed = $(i - 1)
                if ($i == "skipped") skipped = $(i - 1)
            }
            found = 1
        }
        END {
            if (!found) exit 1
            print passed + 0, failed + (skipped_counts ? skipped : 0)
        }' "$1"
}
count_doctest_filtered() { count_doctest "$1" 0; }

# 1 failed, 5 passed, 1 skipped, 2 deselected, 1 xfailed, 1 warning, 1 error in 2.34s
count_pytest() {
    local line
    line=$(grep -E '^(=+ )?([0-9]+ [a-z]+(, )?)+ in [0-9.]+s' "$1" | tail -n 1)
    if [ -z "$line" ] && grep -qE '^(=+ )?no tests ran in ' "$1"; then
        return 1
    fi
    [ -n "$line" ] || return 1
    tr ',' '\n' <<<"$line" | awk '
        { for (i = 2; i <= NF; ++i) if ($(i - 1) ~ /^[0-9]+$/) count[$i] += $(i - 1) }
        END {
            print count["passed"] + 0, count["failed"] + count["error"] + count["errors"] + count["skipped"] \
                + count["xfailed"] + count["xpassed"]
        }'
}
# A filter may match no integration test at all; that is not a failure of the tests.
count_pytest_filtered() { count_pytest "$1" || { grep -qE ' deselected in ' "$1" && echo 0 0; }; }

# # tests 5 / # pass 4 / # fail 1 / # cancelled 0 / # skipped 0 / # todo 0
count_tap() {
    awk '
        $1 == "#" && $2 == "pass" { passed = $3; found = 1 }
        $1 == "#" && ($2 == "fail" || $2 == "cancelled" || $2 == "skipped" || $2 == "todo") { failed += $3 }
        END { if (!found) exit 1; print passed + 0, failed + 0 }' "$1"
}

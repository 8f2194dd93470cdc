#!/bin/sh
# run.sh -- every test in turn, and one line of sums at the end. usage: run.sh quick|all
# A test prints "ok NAME", "FAIL NAME" or "skip NAME: why" lines, or is a Check program.
mode=${1:-quick}
B=${B:-build}
export B mode
export CK_TIMEOUT_MULTIPLIER=20                          # a slow machine decides no test
log=$B/tests/log
mkdir -p "$B/tests"
: >"$log"

for t in tests/unit/*.c; do
    name=$(basename "$t" .c)
    echo "== $name"
    CK_TAP_LOG_FILE_NAME=$B/tests/$name.tap "$B/tests/$name" >"$B/tests/$name.out" 2>&1
    status=$?
    grep -h '^ok' "$B/tests/$name.tap" | sed "s|^|$name: |" >>"$log"
    grep -h '^not ok' "$B/tests/$name.tap" | sed "s|^|$name: |" | tee -a "$log"
    [ $status = 0 ] || tail -20 "$B/tests/$name.out"
    grep -q '^ok\|^not ok' "$B/tests/$name.tap" || echo "$name: not ok - ran no test" | tee -a "$log"
done

for t in tests/scripts/*.sh; do
    name=$(basename "$t" .sh)
    echo "== $name"
    sh "$t" >"$B/tests/$name.out" 2>&1
    status=$?
    sed -n "s|^\(ok \)|$name: \1|p" "$B/tests/$name.out" >>"$log"
    sed -n "s|^FAIL|$name: not ok|p" "$B/tests/$name.out" | tee -a "$log"
    grep '^skip' "$B/tests/$name.out"
    if [ $status != 0 ] && ! grep -q '^FAIL' "$B/tests/$name.out"; then
        tail -20 "$B/tests/$name.out"
        echo "$name: not ok - stopped with status $status" | tee -a "$log"
    fi
done

passed=$(grep -c ': ok' "$log")
failed=$(grep -c ': not ok' "$log")
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" != 0 ]

#!/bin/sh
# run.sh -- every test, as many at a time as there are processors, and one line of sums at the end. usage: run.sh quick|all [FILE ...]
# A test prints "ok NAME", "FAIL NAME" or "skip NAME: why" lines, or is a Check program.
mode=${1:-quick}
B=${B:-build}
export B mode
export CK_TIMEOUT_MULTIPLIER=20                          # a slow machine decides no test
mkdir -p "$B/tests"

# What a test found, as "NAME: ok ..." and "NAME: not ok ..." lines in NAME.log; what the reader should see goes to the terminal.
unit() {
    CK_TAP_LOG_FILE_NAME=$B/tests/$name.tap "$B/tests/$name" >"$B/tests/$name.out" 2>&1
    status=$?
    grep -h '^ok' "$B/tests/$name.tap" | sed "s|^|$name: |" >>"$log"
    grep -h '^not ok' "$B/tests/$name.tap" | sed "s|^|$name: |" | tee -a "$log"
    [ $status = 0 ] || tail -20 "$B/tests/$name.out"
    grep -q '^ok\|^not ok' "$B/tests/$name.tap" || echo "$name: not ok - ran no test" | tee -a "$log"
}

script() {
    sh "$1" >"$B/tests/$name.out" 2>&1
    status=$?
    sed -n "s|^\(ok \)|$name: \1|p" "$B/tests/$name.out" >>"$log"
    sed -n "s|^FAIL|$name: not ok|p" "$B/tests/$name.out" | tee -a "$log"
    grep '^skip' "$B/tests/$name.out"
    if [ $status != 0 ] && ! grep -q '^FAIL' "$B/tests/$name.out"; then
        tail -20 "$B/tests/$name.out"
        echo "$name: not ok - stopped with status $status" | tee -a "$log"
    fi
}

if [ "$mode" = one ]; then                               # MODE FILE, from below
    mode=$2
    name=$(basename "${3%.*}")
    log=$B/tests/$name.log
    rm -f "$log" "$B/tests/$name.tap"
    start=$(date +%s)
    case $3 in
    *.c) seen=$(unit) ;;
    *) seen=$(script "$3") ;;
    esac
    printf '== %s (%s s)%s\n' "$name" "$(($(date +%s) - start))" "${seen:+
$seen}"
    exit 0
fi

[ $# -gt 0 ] && shift
[ $# -gt 0 ] || set -- $(ls -r tests/scripts/*.sh) tests/unit/*.c      # the longest happen to come first
rm -f "$B"/tests/*.log
CC=${CC:-cc}
[ "$mode" = all ] || case $(pwd) in *" "*) ;; *) CC="$CC -isystem $(pwd)/tests/lean" ;; esac
export CC
printf '%s\n' "$@" | xargs -P "$(getconf _NPROCESSORS_ONLN)" -n 1 sh tests/run.sh one "$mode"
for t; do
    name=$(basename "${t%.*}")
    [ -e "$B/tests/$name.log" ] || echo "$name: not ok - left no result" | tee "$B/tests/$name.log"
done
cat "$B"/tests/*.log >"$B/tests/log"

passed=$(grep -c ': ok' "$B/tests/log")
failed=$(grep -c ': not ok' "$B/tests/log")
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" != 0 ]

#!/bin/sh
# golden.sh -- tests/golden/NAME.net compiles to NAME.STAGE (dump --after=STAGE), or fails with the messages in NAME.err.
# UPDATE=1 rewrites the expected files. A dump that can be read back must come back the same.
B=${B:-build}
T=$B/tests/golden
mkdir -p "$T"
same() {
    if [ "$UPDATE" ]; then cp "$2" "$1"; fi
    if cmp -s "$1" "$2"; then echo "ok $1"; else echo "FAIL $1"; diff "$1" "$2" | head -10; fi
}
cd tests/golden || exit 1
top=../..
for file in *.net; do
    name=${file%.net}
    for want in $name.*; do
        stage=${want#"$name".}
        case $stage in
        net) continue ;;
        step.err) "$top/$B/netc" emit --step "$file" -o "$top/$T" 2>"$top/$T/out" ;;
        err) "$top/$B/netc" check "$file" 2>"$top/$T/out" ;;
        fmt) "$top/$B/netc" fmt "$file" >"$top/$T/out" ;;
        step-*) "$top/$B/netc" dump --step --after="${stage#step-}" "$file" >"$top/$T/out" 2>&1 ;;
        train-*) "$top/$B/netc" dump --train --after="${stage#train-}" "$file" >"$top/$T/out" 2>&1 ;;
        *) "$top/$B/netc" dump --after="$stage" "$file" >"$top/$T/out" 2>&1 ;;
        esac
        same "$want" "$top/$T/out"
    done
done

#!/bin/sh
# golden.sh -- tests/golden/NAME.net compiles to NAME.STAGE (dump --after=STAGE), or fails with the messages in NAME.err.
# UPDATE=1 rewrites the expected files. A dump that can be read back must come back the same.
. tests/script.sh
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
        step.err) "$top/$N" emit --step "$file" -o "$top/$T" 2>"$top/$T/out" ;;
        err) "$top/$N" check "$file" 2>"$top/$T/out" ;;
        fmt) "$top/$N" fmt "$file" >"$top/$T/out" ;;
        step-*) "$top/$N" dump --step --after="${stage#step-}" "$file" >"$top/$T/out" 2>&1 ;;
        train-*) "$top/$N" dump --train --after="${stage#train-}" "$file" >"$top/$T/out" 2>&1 ;;
        *) "$top/$N" dump --after="$stage" "$file" >"$top/$T/out" 2>&1 ;;
        esac
        same "$want" "$top/$T/out"
    done
done

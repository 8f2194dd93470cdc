#!/bin/sh
# random.sh -- random nets: compiled C against the interpreter, with each pass left out in turn.
B=${B:-build}
T=$B/tests/random
rm -rf "$T"
mkdir -p "$T"
${CC:-cc} -O1 -o "$B/tests/nets" tests/three/nets.c || exit 1
three() { "$B/tests/three" "$@" || [ $? = 1 ] || echo "FAIL three $* stopped"; }
if [ "$mode" != all ]; then
    "$B/tests/nets" random 7 12 "$T"
    three --dir "$B/tests/three.random" --f64 "$T"/*.net
    exit 0
fi
"$B/tests/nets" random 1 500 "$T"
for without in nothing $("$B/netc" passes | awk 'substr($0, 33, 3) == "yes" { print $1 }') fuse reuse; do
    skip=
    [ $without = nothing ] || skip="--without $without"
    for hundred in 0 1 2 3 4; do
        three --dir "$B/tests/three.random" --f64 --flags -O0 $skip "$T"/random_$hundred??.net | sed "s|^\(ok\|FAIL\) |&without $without: |"
    done
done
three --dir "$B/tests/three.random" "$T"/random_0??.net

#!/bin/sh
# random.sh -- random nets: compiled C against the interpreter; of 500 a hundred with each pass left out in turn.
. tests/script.sh
$CC -O1 -o "$T/nets" tests/three/nets.c || exit 1
if [ "$mode" != all ]; then
    "$T/nets" random 7 12 "$T"
    three --dir "$T/three" --f64 "$T"/*.net
    exit 0
fi
"$T/nets" random 1 500 "$T"
for hundred in 0 1 2 3 4; do three --dir "$T/three" --f64 --flags -O0 "$T"/random_$hundred??.net; done
hundred=0
for without in $("$N" passes | awk 'substr($0, 33, 3) == "yes" { print $1 }') fuse reuse; do
    three --dir "$T/three" --f64 --flags -O0 --without $without "$T"/random_$hundred??.net | sed "s|^\(ok\|FAIL\) |&without $without: |"
    hundred=$(((hundred + 1) % 5))
done
three --dir "$T/three" "$T"/random_0??.net

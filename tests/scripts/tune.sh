#!/bin/sh
# tune.sh -- emit --tune: what it finds is written, taken again without timing, and is right; other files are read or refused.
# Which tile is fastest decides nothing here.
. tests/script.sh
net=examples/iris/iris.net
target=$("$N" targets | awk '/yes/ { t = $1 } END { print t }')
emit() { "$N" emit "$net" --target "$target" "$@"; }
refuse() {  # NAME LINE
    printf '# tiles\n%s\n' "$2" >"$T/bad"
    name="$1 is refused"
    if emit --tune "$T/bad" -o "$T/none" >"$T/log" 2>&1 || ! grep -q "bad:2:1: '" "$T/log" || [ -e "$T/none" ]; then echo "FAIL $name"; cat "$T/log"; else echo "ok $name"; fi
}

check "tiles are timed" emit --tune "$T/found" -o "$T/first"
kernels=$(grep -c "^$target [0-9a-f]\{16\} [0-3]   # " "$T/found")
check "each kernel has a line" [ "$kernels" -gt 2 ]
cp "$T/found" "$T/before"
check "again" env PATH=/nowhere "$PWD/$N" emit "$net" --target "$target" --tune "$T/found" -o "$T/second"   # no compiler: nothing is timed
check "the same bytes" diff -r "$T/first" "$T/second"
check "the file stays" cmp "$T/found" "$T/before"

# Whatever the clock said: each rank in turn.
emit -o "$T/plain"
for rank in 0 1 2 3; do
    sed "s/^\($target [0-9a-f]*\) [0-3] .*/\1 $rank/" "$T/before" >"$T/forced"
    emit --tune "$T/forced" -o "$T/rank$rank"
    check "rank $rank is in the comments" sh -c "[ $rank = 0 ] || grep -q 'tuned: tile $rank by the model' '$T/rank$rank'/*.c"
done
check "rank 0 is the model's choice" diff -r "$T/plain" "$T/rank0"
check "rank 1 is another tile" sh -c "! diff -q '$T/plain/iris_forward.c' '$T/rank1/iris_forward.c'"
echo "$target * 2" >"$T/all"
cp "$T/all" "$T/all.before"
check "a line for all kernels" sh -c "'$N' bench '$net' --target $target --tune '$T/all' && cmp '$T/all' '$T/all.before'"

refuse "a target that is none" "pdp11 0123456789abcdef 1"
refuse "a kernel that is none" "$target conv_1 1"
refuse "a rank too many" "$target 0123456789abcdef 4"
refuse "half a line" "$target 0123456789abcdef"
refuse "more than a line" "$target 0123456789abcdef 1 2"
check "bench wants the file" sh -c "! '$N' bench '$net' --tune '$T/missing'"
exit 0

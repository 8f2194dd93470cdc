#!/bin/sh
# examples.sh -- every example compiles to C that cc (and with mode=all clang) takes without a warning, in C and as a C++ header, the same
# bytes each time; what learns from data of its own learns.
. tests/script.sh
optimise=-O0
[ "$mode" = all ] && optimise=-O1
strict="-std=c11 $optimise -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror"

for file in examples/*/*.net; do
    net=$(basename "$file" .net)
    check "check $net" "$N" check "$file"
    train=
    grep -q '^ *loss' "$file" && train=--train
    check "emit $net" "$N" emit "$file" $train -o "$T/$net"
    "$N" emit "$file" $train -o "$T/again" && check "same bytes $net" diff -r "$T/$net" "$T/again"
    rm -rf "$T/again"
    [ "$mode" = all ] || case $net in resnet18 | mobilenet_v2 | char_rnn | char_lstm | names_rnn | gpt2) continue ;; esac
    for c in "$T/$net"/*.c; do
        check "cc $c" $CC $strict -c -o "$T/o.o" "$c"
        check "symbols $c" sh -c "! nm -u '$T/o.o' | grep -E 'malloc|calloc|free|printf|fopen|__errno'"
        check "no writable data $c" sh -c "! nm '$T/o.o' | grep -E ' [bBdDC] '"
        [ "$mode" = all ] && have clang && check "clang $c" clang $strict -c -o "$T/o.o" "$c"
    done
    for h in "$T/$net"/*.h; do
        printf '#include "%s"\nint main() { return 0; }\n' "${h##*/}" >"$T/h.cc"
        have g++ && check "g++ ${h##*/}" g++ -Wall -Wextra -Wpedantic -Werror -I"$T/$net" -o "$T/h" "$T/h.cc"
    done
done

"$N" train examples/tiny/tiny.net x=examples/tiny/points.csv[0:2] y=examples/tiny/points.csv[2] -o "$T/tiny.safetensors" >"$T/log" 2>&1
"$N" eval examples/tiny/tiny.net --weights "$T/tiny.safetensors" x=examples/tiny/points.csv[0:2] y=examples/tiny/points.csv[2] >"$T/tiny.txt" 2>&1
check "tiny trains" grep -q '^binary_accuracy [01]' "$T/tiny.txt"

# a program around the GPT, its weights all but as they were drawn: what `netc sample` says, beyond the window too
awk 'BEGIN { for (i = 0; i < 150; i++) printf "%s", substr("To be, or not to be: that is the question.\n", i * i % 43 + 1, 10) }' >"$T/text.txt"
"$N" train examples/text/gpt.net "text=$T/text.txt" --steps 1 --quiet -o "$T/gpt.safetensors" >"$T/log" 2>&1
check "write builds" make -s -C examples/text NETC="$PWD/$N" CC=gcc target=native gpt="$PWD/$T/gpt.safetensors" out="$PWD/$T/text" \
    CFLAGS="-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror" "$PWD/$T/text/write"
says() {  # ARGUMENT... of write and of netc sample
    "$T/text/write" "$@" "not to" >"$T/written"
    "$N" sample examples/text/gpt.net --weights "$T/gpt.safetensors" "$@" --prompt "not to" >"$T/sampled"
    [ -s "$T/written" ] && check "write $* says what netc sample says" cmp "$T/written" "$T/sampled"
}
says --tokens 100 --seed 5
says --tokens 50 --temperature 0.5 --top-k 4
[ "$mode" = all ] && says --tokens 300 --temperature 2 && says --tokens 58 --temperature 0

D=$NETC_DATA
if [ -z "$D" ] || [ ! -e "$D/tabular/iris.csv" ]; then
    echo "skip examples: NETC_DATA names no directory with tabular/ and mnist/"
    exit 0
fi
learn() {  # NAME FILE METRIC OPERATOR BOUND DATA...
    name=$1 file=$2 metric=$3 operator=$4 bound=$5
    shift 5
    "$N" train "$file" "$@" -o "$T/w.safetensors" >"$T/log" 2>&1
    "$N" eval "$file" --weights "$T/w.safetensors" "$@" >"$T/result" 2>>"$T/log"
    value=$(awk -v m="$metric" '$1 == m { print $2 }' "$T/result")
    if awk "BEGIN { exit !(\"$value\" != \"\" && $value $operator $bound) }"; then echo "ok $name: $metric $value"
    else echo "FAIL $name: $metric '$value', wanted $operator $bound"; tail -3 "$T/log"; fi
}
learn iris examples/iris/iris.net accuracy '>=' 0.95 "x=$D/tabular/iris.csv[0:4]" "kind=$D/tabular/iris.csv[4]"
learn housing examples/housing/housing.net r2 '>=' 0.85 "x=$D/tabular/housing.csv[0:13]" "price=$D/tabular/housing.csv[13]"
test="image=$D/mnist/t10k-images-idx3-ubyte.gz digit=$D/mnist/t10k-labels-idx1-ubyte.gz"
accuracy=$("$N" eval examples/mnist/lenet5.net --weights examples/mnist/lenet5.safetensors $test 2>"$T/log" | awk '$1 == "accuracy" { print $2 }')
if awk "BEGIN { exit !(\"$accuracy\" != \"\" && $accuracy >= 0.988) }"; then echo "ok lenet5: accuracy $accuracy"
else echo "FAIL lenet5: accuracy '$accuracy'"; cat "$T/log"; fi
exit 0

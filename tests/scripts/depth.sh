#!/bin/sh
# depth.sh -- GPT-2 by its layers: depth adds no function and hardly any text, and the small one is right. A chain of 2,000
# layers takes netc a second or two; the limits are wide, for busy machines, and still far below what growth with the square costs.
. tests/script.sh
small="s/vocab = 50257, context = 1024, width = 768, layers = 12, heads = 12/vocab = 40, context = 6, width = 12, layers = 5, heads = 3/"

sed "$small" examples/gpt2/gpt2.net >"$T/small.net"
check "gradients of a small GPT-2" "$N" gradcheck "$T/small.net"
three --dir "$T/three" --target native --flags -O1 "$T/small.net"

for layers in 8 12; do
    "$N" emit examples/gpt2/gpt2.net -D context=64 -D layers=$layers --train -o "$T/$layers" || echo "FAIL emit $layers layers"
done
count() { grep -c '^KERNEL' "$T/$1"; }
bytes() { wc -c <"$T/$1"; }
for file in gpt2_forward.c gpt2_backward.c; do
    few=$(count 8/$file) many=$(count 12/$file)
    if [ "$few" = "$many" ] && [ "$few" -gt 9 ]; then echo "ok $file: $many functions at any depth"; else echo "FAIL $file: $few functions for 8 layers, $many for 12"; fi
    grown=$(($(bytes 12/$file) - $(bytes 8/$file)))
    case $file in *forward*) most=150 ;; *) most=5500 ;; esac   # bytes a layer: rows of the table of places
    if [ $((grown / 4)) -le $most ] && [ "$(bytes 12/$file)" -lt 500000 ]; then echo "ok $file: $grown bytes for 4 layers"; else echo "FAIL $file: $grown bytes for 4 layers, $(bytes 12/$file) for 12"; fi
done

name="columns of large weights are copied side by side"
if grep -q 'float panel\[' "$T/12/gpt2_forward.c" && grep -q 'float panel\[' "$T/12/gpt2_backward.c"; then echo "ok $name"; else echo "FAIL $name"; fi

# A workspace of more than 4 GB: places are wider, and no warning says so.
"$N" emit examples/gpt2/gpt2.net -D layers=3 --batch 12 --train -o "$T/wide" || echo "FAIL emit wide"
name="places over 4 GB"
if ! grep -q 'int64_t places' "$T/wide/gpt2_backward.c"; then echo "FAIL $name: none"
elif gcc -std=c11 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror -fsyntax-only "$T/wide"/*.c >"$T/log" 2>&1; then echo "ok $name"
else echo "FAIL $name"; head -5 "$T/log"; fi

cat >"$T/chain.net" <<'NET'
net chain {
    input x, y : f32[8]
    h = x
    for i in 0..2000 { h = h -> dense(8) -> tanh as layer[i] }
    output h
    loss mse(h, y)
}
train chain { batch = 4 }
NET
# within SECONDS [OPTION]: of the processor's time
within() {
    name="2,000 layers in $1 s $2"
    if (ulimit -t "$1"; exec "$N" emit "$T/chain.net" $2 -o "$T/chain") 2>"$T/log"; then echo "ok $name"; else echo "FAIL $name"; cat "$T/log"; fi
}
within 20
within 40 --train
if [ "$(bytes chain/chain_forward.c)" -lt 10000 ]; then echo "ok 2,000 layers are a loop"; else echo "FAIL 2,000 layers are a loop"; fi
exit 0

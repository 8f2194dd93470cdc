#!/bin/sh
# accumulate.sh -- the mean gradient of several batches makes the step that one batch of their size makes.
. tests/script.sh

cat >"$T/few.net" <<'NET'
const parts = 1, least = 0.001
net few {
    input x : f32[5]
    input y : f32[2]
    h = x -> dense(9) -> tanh
    p = h -> dense(2)
    output p
    loss mse(p, y)
}
train few {
    optimizer  = adamw(rate=cosine(0.03, to=least, warmup=3), decay=0.1)
    clip       = 0.5
    batch      = 12 / parts
    accumulate = parts
    epochs     = 4
}
NET
awk 'BEGIN { srand(3); for (i = 0; i < 50; i++) for (k = 0; k < 7; k++) printf "%.3f%s", 2 * rand() - 1, k < 6 ? "," : "\n" }' >"$T/few.csv"
data="x=$T/few.csv[0:5] y=$T/few.csv[5:7]"

# PARTS FILE ARGUMENT...: trains, and writes the parameters as numbers
train() {
    parts=$1 to=$2
    shift 2
    "$N" train "$T/few.net" $data -D parts="$parts" -o "$T/$to.safetensors" "$@" >"$T/$to.log" 2>&1 || cat "$T/$to.log"
    "$N" emit "$T/few.net" -D parts="$parts" --weights "$T/$to.safetensors" --embed file -o "$T/$to" 2>"$T/$to.err" || cat "$T/$to.err"
    tail -c +65 "$T/$to/few_weights.bin" | od -An -v -tf4 -w4 >"$T/$to.txt"
}
near() {  # NAME A B MOST: largest difference of two lists of numbers
    if paste "$T/$2.txt" "$T/$3.txt" | awk -v most="$4" 'NF != 2 || ($1 - $2)^2 > most^2 { bad = 1 } END { exit bad || !NR }'; then echo "ok $1"
    else echo "FAIL $1"; paste "$T/$2.txt" "$T/$3.txt" | head -5; fi
}
train 1 whole
train 3 thirds
train 12 singly
near "three batches make a step" whole thirds 2e-6
near "twelve samples, one at a time, make a step" whole singly 2e-6
steps() { sed -n 's/.*: step //p' "$T/$1.log"; }
if [ "$(steps whole) $(steps thirds)" = "17 17" ]; then echo "ok a step is an update"; else echo "FAIL steps: $(steps whole) and $(steps thirds)"; fi

# stopped and resumed; where the rate does not fall, steps do not know how many will follow
train 3 part -D least=0.03 --steps 8
train 3 resumed -D least=0.03 --steps 17 --resume "$T/part.safetensors"
train 3 through -D least=0.03 --steps 17
near "a resumed training goes on" through resumed 0

# the number of parts is whole
sed 's/accumulate = parts/accumulate = 0/' "$T/few.net" >"$T/none.net"
"$N" check "$T/none.net" 2>"$T/err"
if [ $? = 1 ] && grep -q 'none.net:14:18: error: accumulate must' "$T/err"; then echo "ok no batches are an error"; else echo "FAIL accumulate = 0"; cat "$T/err"; fi
exit 0

#!/bin/sh
# states.sh -- what a net keeps from call to call: a sequence in parts is the whole sequence, in netc and in C; stretches of
# training and evaluation; a resumed training.
. tests/script.sh

cat >"$T/seq.net" <<'NET'
const steps = 12
net seq {
    input x : f32[steps, 3]
    state h, c = zeros(5)
    state g = fill(0.5, [2])
    hs, h, c = x -> lstm(5, h, c)
    ys, g = hs -> gru(2, g)
    output hs, ys
    loss mean(hs * hs) + mean(ys)
}
train seq { batch = 1 }
NET
awk 'BEGIN { for (i = 0; i < 36; i++) printf "%s%g", i ? "," : "", (i * i * 7 % 23 - 11) / 11; print "" }' >"$T/x12.csv"
tr ',' '\n' <"$T/x12.csv" | paste -d, - - - >"$T/x1.csv"
paste -d, - - - - <"$T/x1.csv" >"$T/x4.csv"
"$N" train "$T/seq.net" "x=$T/x12.csv" --steps 3 --quiet -o "$T/w.safetensors" 2>"$T/log" || { echo "FAIL states train"; cat "$T/log"; }

numbers() { tail -c +129 "$1" | od -An -v -tf4 -w4; }
# near NAME A B: two files of numbers that differ by rounding alone
near() {
    if paste "$2" "$3" | awk 'NF != 2 || ($1 - $2)^2 > 1e-12 { bad = 1 } END { exit bad || !NR }'; then echo "ok $1"
    else echo "FAIL $1"; paste "$2" "$3" | head -20; fi
}
for steps in 12 4 1; do
    "$N" run "$T/seq.net" -D steps=$steps --weights "$T/w.safetensors" "x=$T/x$steps.csv" -o "$T/run$steps" 2>"$T/log" || { echo "FAIL run $steps"; cat "$T/log"; }
    "$N" run "$T/seq.net" -D steps=$steps --weights "$T/w.safetensors" "x=$T/x$steps.csv" -o "$T/int$steps" --interpret
    for out in hs ys; do
        numbers "$T/run$steps/$out.npy" >"$T/$out.$steps"
        numbers "$T/int$steps/$out.npy" >"$T/$out.int$steps"
    done
done
near "four steps a call are the whole sequence" "$T/hs.4" "$T/hs.12"
near "one step a call is the whole sequence" "$T/hs.1" "$T/hs.12"
near "one step a call is the whole sequence, ys" "$T/ys.1" "$T/ys.12"
near "the interpreter keeps what the C keeps" "$T/ys.int1" "$T/ys.1"
near "the interpreter keeps what the C keeps, in parts" "$T/hs.int4" "$T/hs.12"

# two places of a batch read a stretch each
head -n 6 "$T/x1.csv" >"$T/first.csv"
tail -n 6 "$T/x1.csv" >"$T/second.csv"
for part in first second; do
    "$N" run "$T/seq.net" -D steps=1 --weights "$T/w.safetensors" "x=$T/$part.csv" -o "$T/$part" && numbers "$T/$part/hs.npy"
done >"$T/hs.parts"
"$N" run "$T/seq.net" -D steps=1 -b 2 --weights "$T/w.safetensors" "x=$T/x1.csv" -o "$T/two" && numbers "$T/two/hs.npy" >"$T/hs.two"
near "two places of a batch read a stretch each" "$T/hs.two" "$T/hs.parts"

# in C: a step a call, and anew after a reset
"$N" emit "$T/seq.net" -D steps=1 --weights "$T/w.safetensors" -o "$T/c"
cat >"$T/c/main.c" <<'C'
#include <stdio.h>
#include "seq.h"

static _Alignas(64) unsigned char workspace[SEQ_WORKSPACE_BYTES];

int main(void)
{
    float x[12][SEQ_X_SIZE], h[12][SEQ_HS_SIZE], again[SEQ_HS_SIZE], y[SEQ_YS_SIZE];
    seq_memory memory;
    seq_reset(&memory);
    for (int t = 0; t < 12; t++) {
        for (int i = 0; i < SEQ_X_SIZE; i++)
            if (scanf("%f%*c", &x[t][i]) != 1) return 2;
        seq_forward(&seq_trained, &memory, x[t], h[t], y, workspace);
    }
    for (int i = 0; i < 12 * SEQ_HS_SIZE; i++) printf("%.9g\n", (double)h[i / SEQ_HS_SIZE][i % SEQ_HS_SIZE]);
    seq_reset(&memory);
    seq_forward(&seq_trained, &memory, x[0], again, y, workspace);
    for (int i = 0; i < SEQ_HS_SIZE; i++)
        if (again[i] < h[0][i] || again[i] > h[0][i]) return 1;
    return 0;
}
C
if $CC -std=c11 -O1 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror -o "$T/c/main" "$T"/c/*.c -lm 2>"$T/log" && "$T/c/main" <"$T/x1.csv" >"$T/hs.c"; then
    near "a program steps through the sequence, and a reset begins anew" "$T/hs.c" "$T/hs.12"
else echo "FAIL a program that steps through the sequence"; cat "$T/log"; fi

# calls are counted within a stretch: 7 samples at 3 places are stretches of 3, 2 and 2, so (1 + 2 + 3 + 1 + 2 + 1 + 2) / 7
cat >"$T/count.net" <<'NET'
net count {
    input x : f32[2]
    state n = 0
    n = n + 1
    output y = x -> dense(2)
    loss mse(y, 0.1 * n)
    metric mean(n)
}
train count { optimizer = adam(rate=0.01) batch = 3 }
NET
printf '%s\n' 1,2 2,3 3,1 1,1 0,2 2,0 1,0 >"$T/seven.csv"
"$N" train "$T/count.net" "x=$T/seven.csv" --valid "x=$T/seven.csv" --steps 7 -o "$T/count.safetensors" >"$T/log" 2>&1
"$N" eval "$T/count.net" --weights "$T/count.safetensors" "x=$T/seven.csv" >"$T/eval" 2>>"$T/log"
if grep -qx 'mean 1.71429' "$T/eval" && [ "$(grep -c 'valid.*mean 1.71' "$T/log")" -ge 3 ]; then echo "ok evaluation in stretches"
else echo "FAIL evaluation in stretches: wanted mean 1.71429"; cat "$T/log" "$T/eval"; fi
if [ "$(grep -c '^epoch.* mean 1\.5' "$T/log")" = 3 ]; then echo "ok training in stretches of two, begun anew each epoch"
else echo "FAIL training in stretches"; cat "$T/log"; fi
"$N" train "$T/count.net" "x=$T/seven.csv" --steps 3 --quiet -o "$T/part.safetensors"
"$N" train "$T/count.net" "x=$T/seven.csv" --steps 7 --quiet --resume "$T/part.safetensors" -o "$T/whole.safetensors"
if cmp "$T/whole.safetensors" "$T/count.safetensors"; then echo "ok a training resumed within a stretch is the whole training"
else echo "FAIL a resumed training differs"; fi
"$N" train "$T/count.net" "x=$T/seven.csv" -b 8 --steps 1 --quiet -o "$T/none.safetensors" 2>"$T/log"
[ $? = 1 ] && grep -q '7 samples are too few' "$T/log" && echo "ok too few samples" || { echo "FAIL too few samples"; cat "$T/log"; }
exit 0

#!/bin/sh
# next.sh -- NET_next called for every step of a sequence gives what NET_forward gives for the whole, on every target this
# machine runs; a reset begins anew; two sequences do not disturb each other.
. tests/script.sh
nets=$(ls tests/steps/*.net)

# a sequence of one step
once=
for net in $nets; do
    sed 's/^const steps = .*/const steps = 1/' "$net" >"$T/once_${net##*/}"
    once="$once $T/once_${net##*/}"
done

run() {  # DIRECTORY ARGUMENT...
    into=$1
    shift
    three --step --dir "$T/$into" "$@" $nets
}

nets="$nets $T/once_recurrent.net $T/once_llama.net"
run native --batch 3 --flags "-O1"
if [ "$mode" = all ]; then
    sed 's/context = 64/context = 16/' examples/text/char_gru.net >"$T/char_gru.net"    # rounding adds up over steps
    nets="$(ls tests/steps/*.net) $once $T/char_gru.net examples/text/names_transformer.net"
    run f64 --f64 --batch 1
    for cc in gcc clang; do
        have $cc || { echo "skip next: no $cc"; continue; }
        for target in scalar sse avx2 avx512; do
            here $target && run $cc.$target --target $target --cc $cc --batch 1 --flags "-O2"
        done
        run $cc.threads --threads 3 --cc $cc --flags "-O1 -g -fsanitize=thread"
        run $cc.sanitize --batch 3 --cc $cc --flags "-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all"
    done
    if have aarch64-linux-gnu-gcc && have qemu-aarch64; then
        run neon --target neon --batch 1 --cc aarch64-linux-gnu-gcc --flags "-O2 -static" --run qemu-aarch64
    else
        echo "skip next: no aarch64-linux-gnu-gcc with qemu-aarch64"
    fi
fi

# program NET NUMBERS ARGUMENTS: by the header alone, under the sanitizers: two sequences in turn, one of them begun anew
# after some steps. Each step takes x and text and gives NUMBERS, first[] and others that are not looked at.
program() {
    "$N" emit "tests/steps/$1.net" --step --target native -o "$T/$1" || { echo "FAIL emit --step $1"; return; }
    sed "s/NET/$(echo "$1" | tr a-z A-Z)/g; s/net/$1/g; s/NUMBERS/$2/g; s/ARGUMENTS/$3/" >"$T/$1/main.c" <<'C'
#include <stdio.h>
#include <string.h>
#include "net.h"

static net_weights w;
static net_next_memory one, two;
static _Alignas(64) unsigned char workspace[NET_NEXT_WORKSPACE_BYTES];

static void step(net_next_memory *m, float (*y)[NUMBERS], int t)
{
    const int32_t text = (t * t + 3) % 5;
    const float x[3] = {(float)(t * t % 5), 0.5f, (float)-t};
    float other[2][8], *first = y[t];
    (void)x;
    (void)other;
    net_next(&w, m, ARGUMENTS, workspace);
    memset(workspace, 0xff, sizeof workspace);
}

int main(void)
{
    static float a[NET_STEPS][NUMBERS], b[NET_STEPS][NUMBERS], c[NET_STEPS][NUMBERS];
    float *number = (float *)(void *)&w;
    for (size_t i = 0; i < sizeof w / sizeof *number; i++) number[i] = (float)(i % 31) / 31 - 0.5f;
    net_next_reset(&one);
    memset(&two, 0xff, sizeof two);
    net_next_reset(&two);
    for (int t = 0; t < NET_STEPS; t++) {
        step(&one, a, t);
        if (t % 2) step(&two, b, t / 2);
    }
    net_next_reset(&one);
    for (int t = 0; t < NET_STEPS; t++) step(&one, c, t);
    if (a[0][0] >= a[1][0] && a[0][0] <= a[1][0]) return 1;
    if (memcmp(a, b, sizeof a / NET_STEPS * (NET_STEPS / 2))) return 2;
    if (memcmp(a, c, sizeof a)) return 3;
    for (int t = 0; t < 3; t++) step(&one, a, t);          /* beyond the last step: safe */
    return 0;
}
C
    if $CC -std=c11 -g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror \
        -o "$T/$1/main" "$T/$1/main.c" "$T/$1/$1_forward.c" -lm >"$T/log" 2>&1 && "$T/$1/main" >"$T/log" 2>&1; then echo "ok a program steps through $1"
    else echo "FAIL a program that steps through $1: $?"; cat "$T/log"; fi
}
program gpt 11 '\&text, first'
program recurrent 5 'x, \&text, first, other[0], other[1]'

# a recurrent net goes on for ever, biases or not; one that has a row for each step does not
for net in recurrent gpt; do
    "$N" emit "tests/steps/$net.net" --step -o "$T/$net" && grep -c 'At most .*_STEPS steps' "$T/$net/$net.h"
done | tr '\n' ' ' >"$T/ends"
[ "$(cat "$T/ends")" = "0 1 " ] && echo "ok which sequences end" || { echo "FAIL which sequences end"; cat "$T/ends"; }
exit 0

#!/bin/sh
# threads.sh -- threads: each part once, no race, and the same bits for any number of them, forward and step.
. tests/script.sh
net=examples/digits/digits.net
optimise=-O0
[ "$mode" = all ] && optimise=-O2
flags="-std=c11 $optimise -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror -pthread"


# ---- the pool alone ----
for with in "" "-fsanitize=thread" "-fsanitize=address,undefined"; do
    rounds=600
    [ "$mode" = all ] && rounds=20000
    if $CC $flags -D_POSIX_C_SOURCE=200809L $with -o "$T/pool" tests/threads/pool.c runtime/netc_threads.c 2>"$T/log"; then check "pool $with" "$T/pool" $rounds
    else echo "skip pool $with: $CC does not build it"; fi
done

# ---- the same bits, from dirty memory, for any number of threads ----
cat >"$T/main.c" <<'END'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "digits.h"
#ifdef THREADS
static netc_threads pool, *threads;
#define WITH , threads
#else
#define WITH
#endif
static unsigned x = 1;
static unsigned draw(void) { return x = x * 1664525u + 1013904223u; }
static digits_weights weights;
static digits_state state;
static _Alignas(64) unsigned char workspace[DIGITS_TRAIN_WORKSPACE_BYTES + DIGITS_WORKSPACE_BYTES];
static void put(const void *p, size_t n) { if (fwrite(p, 1, n, stdout) != n) exit(1); }

int main(int argc, char **argv)
{
    static unsigned char image[DIGITS_TRAIN_BATCH * DIGITS_IMAGE_SIZE];
    static int32_t digit[DIGITS_TRAIN_BATCH];
    static float probs[DIGITS_BATCH * DIGITS_PROBS_SIZE];
    float loss, total_0, total_1, *w = (float *)(void *)&weights;
    (void)argc;
    (void)argv;
#ifdef THREADS
    if (argc > 1) {
        netc_threads_start(&pool, atoi(argv[1]));
        threads = &pool;
    }
#endif
    for (size_t i = 0; i < sizeof weights / sizeof *w; i++) w[i] = (float)(draw() >> 8) * 0x1p-26f - 0.125f;
    for (size_t i = 0; i < sizeof image; i++) image[i] = (unsigned char)(draw() >> 24);
    for (size_t i = 0; i < DIGITS_TRAIN_BATCH; i++) digit[i] = (int32_t)(draw() >> 8) % 10;
    for (int step = 0; step < 4; step++) {
        memset(workspace, argc > 1 ? argv[1][0] : 0xff, sizeof workspace);
        const digits_call call = { .rate = 1e-3, .valid = DIGITS_TRAIN_BATCH, .seed = 5, .step = (uint64_t)step };
        digits_forward(&weights, image, probs, workspace WITH);
        digits_step(&weights, &state, image, digit, &loss, &total_0, &total_1, &call, workspace WITH);
        put(probs, sizeof probs);
        put(&loss, sizeof loss);
    }
    put(&weights, sizeof weights);
    put(&state, sizeof state);
#ifdef THREADS
    if (threads) netc_threads_stop(threads);
#endif
    return 0;
}
END
for n in 1 2 3; do
    "$N" emit $net -o "$T/$n" --target native --train --batch 32 --threads $n || bad "emit for $n threads"
    [ $n = 1 ] || grep -q netc_threads_run "$T/$n/digits_backward.c" || bad "nothing is split for $n threads"
done
"$N" emit $net -o "$T/none" --target native --train --batch 32
check "--threads 1 is the default" diff -r "$T/1" "$T/none"
check "one thread asks for no pool" sh -c "! grep -l netc_threads $T/1/*"
compilers=gcc
[ "$mode" = all ] && compilers="gcc clang"
for cc in $compilers; do
    have $cc || { echo "skip threads with $cc: not installed"; continue; }
    for n in 1 2 3; do
        with=-DTHREADS
        [ $n = 1 ] && with=
        check "$cc builds for $n" $cc $flags $with -I"$T/$n" -o "$T/run$n" "$T/main.c" "$T/$n"/*.c -lm
    done
    "$T/run1" >"$T/want"
    [ -s "$T/want" ] || bad "$cc: no output"
    for n in 2 3; do
        for pool in "" 1 2 3 5; do check "$cc: for $n, with ${pool:-no pool}: the same bits" sh -c "$T/run$n $pool | cmp - $T/want"; done
    done
done
if $CC $flags -DTHREADS -fsanitize=thread -I"$T/3" -o "$T/race" "$T/main.c" "$T/3"/*.c -lm 2>"$T/log"; then
    check "no race" sh -c "$T/race 3 >$T/raced"
else
    echo "skip races: $CC has no -fsanitize=thread"
fi

# ---- every target in one, and the commands ----
if [ "$mode" = all ]; then
    "$N" emit $net -o "$T/multi" --target multi --train --batch 32 --threads 2
    check "multi with threads" sh -c "for f in $T/multi/*.c; do $CC $flags -c -o $T/o.o \$f || exit 1; done"
    check "multi with threads: the same bits" sh -c "$CC $flags -DTHREADS -I$T/multi -o $T/multi/run $T/main.c $T/multi/*.c -lm && $T/multi/run 2 | cmp - $T/want"
fi
$CC -O2 -o "$T/draw" examples/digits/draw.c examples/digits/glyph.c -lm && "$T/draw" 1 96 "$T/image.idx" "$T/digit.idx"
data="image=$T/image.idx digit=$T/digit.idx"
for n in 1 3; do
    "$N" train $net $data -E 1 -q -o "$T/$n.safetensors" --threads $n || bad "train --threads $n"
    "$N" eval $net --weights "$T/$n.safetensors" $data --threads $n >"$T/eval$n" || bad "eval --threads $n"
    "$N" run $net --weights "$T/$n.safetensors" image="$T/image.idx" -o "$T/run_$n" --threads $n || bad "run --threads $n"
done
check "train gives the same weights" cmp "$T/1.safetensors" "$T/3.safetensors"
check "eval gives the same numbers" cmp "$T/eval1" "$T/eval3"
check "run gives the same outputs" diff -r "$T/run_1" "$T/run_3"
"$N" emit $net -o "$T/many" --threads 65 2>"$T/log"
[ $? = 64 ] && grep -q '64 at most' "$T/log" && ok "too many threads" || bad "too many threads"
exit 0

#!/bin/sh
# multi.sh -- all instruction sets in one build: every processor gets the best version that it runs, and no illegal instruction.
. tests/script.sh
net=$T/digits.net
sed 's/conv(8,/conv(16,/' examples/digits/digits.net >$net       # channels that lie last for any number of lanes
flags="-std=c11 -O1 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror"


echo 'int level(const char *feature);' >"$T/level.h"
# prints the bits of the outputs: versions differ in rounding, so the bits tell which one ran
cat >"$T/main.c" <<'END'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "digits.h"
#include "level.h"
int level(const char *feature)         /* a processor that has what SUPPORTED names */
{
    const char *have = getenv("SUPPORTED"), *at = have ? strstr(have, feature) : NULL;
    return at && (at[strlen(feature)] == ' ' || !at[strlen(feature)]);
}
int main(void)
{
    static digits_weights weights;
    static _Alignas(64) unsigned char workspace[DIGITS_WORKSPACE_BYTES];
    unsigned char image[DIGITS_IMAGE_SIZE];
    float probs[DIGITS_PROBS_SIZE], *w = (float *)(void *)&weights;
    unsigned x = 1;
    for (size_t i = 0; i < sizeof weights / sizeof *w; i++) w[i] = (float)((x = x * 1664525u + 1013904223u) >> 8) * 0x1p-26f - 0.125f;
    for (size_t i = 0; i < sizeof image; i++) image[i] = (unsigned char)((x = x * 1664525u + 1013904223u) >> 24);
    digits_forward(&weights, image, probs, workspace);
    for (int i = 0; i < DIGITS_PROBS_SIZE; i++) {
        unsigned bits;
        memcpy(&bits, &probs[i], sizeof bits);
        printf("%08x%c", bits, i + 1 < DIGITS_PROBS_SIZE ? ' ' : '\n');
    }
    return 0;
}
END

# the versions of one build share their tiles, others choose for themselves: none here
"$N" emit $net -o "$T/multi" --target multi --train --strict || bad "emit"
for t in scalar sse avx2 avx512; do
    "$N" emit $net -o "$T/$t" --target $t --strict
    $CC $flags -I"$T" -I"$T/$t" -o "$T/$t/run" "$T/main.c" "$T/$t/digits_forward.c" -lm || bad "build $t"
    "$N" targets | grep -q "^$t .*yes" && "$T/$t/run" >"$T/$t/out"
done
native=$("$N" targets | sed -n 's/^native is \([a-z0-9]*\) here/\1/p')

for cc in gcc clang; do
    have $cc || { echo "skip multi with $cc: not installed"; continue; }
    D=$T/$cc
    mkdir -p "$D"
    files="$T/multi/digits_forward*.c"
    [ "$mode" = all ] && files="$T/multi/*.c"
    for f in $files; do check "$cc: $(basename $f)" $cc $flags -fPIC -c -o "$D/$(basename $f .c).o" "$f"; done
    check "$cc: a shared object has the API alone" sh -c "$cc -shared -o $D/digits.so $D/*.o -lm &&
        ! nm -D --defined-only $D/digits.so | grep -v ' T digits_\(forward\|step\|gradient\|evaluate\)$'"
    check "$cc: nothing is writable" sh -c "! nm $D/*.o | grep ' [bBdDcC] '"
    check "$cc: build" $cc $flags -I"$T" -I"$T/multi" -o "$D/run" "$T/main.c" "$D"/digits_forward*.o -lm
    check "$cc: the best version is taken here" sh -c "$D/run | cmp - $T/$native/out"
    # a processor as SUPPORTED says
    $cc $flags "-D__builtin_cpu_supports(x)=(level(x))" -include "$T/level.h" -c -o "$D/forward.o" "$T/multi/digits_forward.c" 2>"$T/log" ||
        bad "$cc: simulation"
    $cc -I"$T" -I"$T/multi" -o "$D/pretend" "$T/main.c" "$D/forward.o" "$D"/digits_forward_*.o -lm
    takes() { SUPPORTED=$1 "$D/pretend" 2>"$T/log" | cmp - "$T/$2/out" && ok "$cc: '$1' takes $2" || bad "$cc: '$1' does not take $2"; }
    takes "" scalar
    takes "sse4.1" sse
    takes "sse4.1 avx2" sse
    [ -s "$T/avx2/out" ] && takes "sse4.1 avx2 fma" avx2
    [ -s "$T/avx2/out" ] && takes "sse4.1 avx2 fma avx512f avx512vl avx512bw" avx2
    [ -s "$T/avx512/out" ] && takes "sse4.1 avx2 fma avx512f avx512vl avx512bw avx512dq" avx512
done

# processors that stop at an instruction that they do not have
if have qemu-x86_64 && [ -x "$T/gcc/run" ]; then
    on() {
        out=$(qemu-x86_64 -cpu "$1" "$T/gcc/run" 2>"$T/log")
        [ "$out" = "$(cat "$T/$2/out")" ] && ok "processor $1 takes $2" || bad "processor $1 does not take $2"
    }
    on qemu64,-sse4.1 scalar
    on Nehalem sse
    [ -s "$T/avx2/out" ] && on Haswell avx2
    qemu-x86_64 -cpu Nehalem "$T/avx2/run" >/dev/null 2>&1 && bad "the emulator runs what the processor has not" || ok "AVX2 alone stops on Nehalem"
else
    echo "skip other processors: no qemu-x86_64"
fi
arm=aarch64-linux-gnu-gcc
if have $arm && have qemu-aarch64; then
    "$N" emit $net -o "$T/neon" --target neon --strict
    $arm $flags -static -I"$T" -I"$T/neon" -o "$T/neon/run" "$T/main.c" "$T/neon/digits_forward.c" -lm
    $arm $flags -static -I"$T" -I"$T/multi" -o "$T/arm" "$T/main.c" "$T"/multi/digits_forward*.c -lm
    check "Arm takes neon" sh -c "qemu-aarch64 $T/arm >$T/arm.out && qemu-aarch64 $T/neon/run | cmp - $T/arm.out"
else
    echo "skip Arm: no $arm or no qemu-aarch64"
fi
exit 0

#!/bin/sh
# embed.sh -- weights inside the program in every way give the same bits; netc_load refuses what is not its file.
. tests/script.sh
net=examples/mnist/lenet5.net
weights=examples/mnist/lenet5.safetensors
flags="-std=c11 -O1 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror"


cat >"$T/main.c" <<'END'
#include <stdio.h>
#include <string.h>
#include "lenet5.h"
#ifdef LOADED
#include "netc_load.h"
static lenet5_weights lenet5_trained;
#endif

int main(int argc, char **argv)
{
    static _Alignas(64) unsigned char workspace[LENET5_WORKSPACE_BYTES];
    uint8_t image[LENET5_IMAGE_SIZE];
    float probs[LENET5_PROBS_SIZE];
    (void)argc;
    (void)argv;
#ifdef LOADED
    netc_huge_pages(&lenet5_trained, sizeof lenet5_trained);
    netc_huge_pages(NULL, 0);
    const char *error = netc_load(argc > 1 ? argv[1] : "lenet5_weights.bin", LENET5_MODEL_HASH, &lenet5_trained, sizeof lenet5_trained);
    if (error) return printf("%s\n", error) < 0 ? 2 : 1;
#endif
    for (int i = 0; i < LENET5_IMAGE_SIZE; i++) image[i] = (uint8_t)(i * 7 % 255);
    lenet5_forward(&lenet5_trained, image, probs, workspace);
    for (int i = 0; i < LENET5_PROBS_SIZE; i++) {
        unsigned bits;
        memcpy(&bits, &probs[i], sizeof bits);
        printf("%08x\n", bits);
    }
    return 0;
}
END

for how in inline string incbin file; do
    "$N" emit $net --weights $weights --embed $how -o "$T/$how" || bad "emit --embed $how"
    loaded=
    [ $how = file ] && loaded=-DLOADED
    check "$how builds" sh -c "cd $T/$how && $CC $flags $loaded -I. -o run ../main.c *.c -lm"
    (cd "$T/$how" && ./run) >"$T/$how.out"
    [ $how = inline ] || check "$how: the same bits" cmp "$T/inline.out" "$T/$how.out"
done
[ "$(sort -u "$T/inline.out" | wc -l)" -gt 5 ] && ok "outputs differ from each other" || bad "outputs are all alike"

# refuses NAME TEXT: the file wrong.bin, for the reason that TEXT gives
refuses() {
    out=$("$T/file/run" "$T/wrong.bin")
    [ $? = 1 ] && case $out in *"$2"*) true ;; *) false ;; esac && ok "refuses $1" || bad "does not refuse $1: $out"
}
good=$T/file/lenet5_weights.bin
change() { cp "$good" "$T/wrong.bin" && printf '\125' | dd of="$T/wrong.bin" bs=1 seek=$1 conv=notrunc 2>/dev/null; }
rm -f "$T/wrong.bin"
refuses "no file" "cannot be opened"
head -c 40 "$good" >"$T/wrong.bin"
refuses "a short header" "not a weights file"
head -c 4000 "$good" >"$T/wrong.bin"
refuses "a short file" "cut short"
change 0
refuses "another kind of file" "not a weights file"
change 9
refuses "another model" "another model"
change 17
refuses "another size" "another size"
change 1000
refuses "a damaged file" "damaged"
cp "$good" "$T/wrong.bin"
check "takes the right file" sh -c "$T/file/run $T/wrong.bin | cmp - $T/inline.out"
exit 0

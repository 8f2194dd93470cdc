#!/bin/sh
# draw.sh -- the examples that make digits learn to make all ten, and their program draws and counts them.
. tests/script.sh
T=$PWD/$T
D=$NETC_DATA/mnist
[ -e "$D/t10k-images-idx3-ubyte.gz" ] || { echo "skip draw: NETC_DATA names no directory with mnist/"; exit 0; }

draw() {  # EXAMPLE STEPS IMAGES LEAST MOST: how often each digit may be seen among 1,000
    mkdir -p "$T/$1"
    { "$N" train "examples/$1/$1.net" image="$D/$3-images-idx3-ubyte.gz" --steps "$2" --quiet -o "$T/$1.safetensors" --weights-only &&
        make -s -C "examples/$1" NETC="$PWD/$N" weights="$T/$1.safetensors" out="$T/$1" "$T/$1/draw" &&
        "$T/$1/draw" "$T/$1.pgm" >"$T/seen" && "$T/$1/draw" "$T/$1.again" && cmp "$T/$1.pgm" "$T/$1.again"; } >"$T/log" 2>&1
    if [ "$(wc -c <"$T/$1.pgm")" = 50191 ] && tr ' ' '\n' <"$T/seen" | awk -F: -v least="$4" -v most="$5" 'NF == 2 { n++; if ($2 < least || $2 > most) exit 1 } END { if (n != 10) exit 1 }'
    then echo "ok $1 draws ten digits: $(cat "$T/seen")"; else echo "FAIL $1: $(cat "$T/seen")"; cat "$T/log"; fi
}
draw vae 1000 t10k 1 400
[ "$mode" != all ] || draw gan 6000 train 20 300
exit 0

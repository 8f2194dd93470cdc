#!/bin/sh
# speech.sh -- the spoken digits: recordings become frames, bad indexes are refused, a net with its weights in the binary listens;
# with mode=all and the data, what it learns.
. tests/script.sh
N=$PWD/$N
T=$PWD/$T
mkdir -p "$T/train" "$T/test"
build() { make -s -C examples/speech NETC="$N" CC=gcc target=native out="$T" CFLAGS="-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror" "$@"; }
data() { echo "frames=$T/$1/frames.npy length=$T/$1/length.npy digit=$T/$1/digit.npy"; }

# Two hums: 300 Hz for "0", 1,500 Hz for "1", half a second and a fifth of one, again and again.
awk 'BEGIN {
    for (i = 0; i < 40; i++)
        for (k = 0; k < (i % 4 < 2 ? 4000 : 1600); k++) {
            x = int(8000 * sin(2 * 3.14159265 * k * (i % 2 ? 1500 : 300) / 8000)) + 65536
            printf "\\%03o\\%03o", x % 256, int(x / 256) % 256
        }
}' >"$T/octal"
printf "$(cat "$T/octal")" >"$T/hums"
awk 'BEGIN {
    print "file\tdigit\tspeaker\tnumber\tfirst\tsamples\tpart"
    for (i = 0; i < 40; i++) {
        n = i % 4 < 2 ? 4000 : 1600
        printf "%d.wav\t%d\tnobody\t%d\t%d\t%d\t%s\n", i, i % 2, i, at, n, i < 8 ? "test" : "train"
        at += n
    }
}' >"$T/index"

check "prepare builds" build "$T/prepare"
"$T/prepare" "$T/hums" "$T/index" "$T/train" "$T/test" >"$T/said" 2>&1
check "hums become frames" grep -q '^32 recordings to learn from, 8 to test$' "$T/said"
refuse() {  # NAME SED-SCRIPT
    sed "$2" "$T/index" >"$T/bad"
    name="an index with $1 is refused"
    if "$T/prepare" "$T/hums" "$T/bad" "$T/train" "$T/test" >"$T/said" 2>&1 || ! grep -q 'in the index: 7.wav' "$T/said"; then echo "FAIL $name"; else echo "ok $name"; fi
}
refuse "a digit 10" 's/^\(7.wav	\)1/\110/'
refuse "too many samples" '/^7.wav/s/1600/99999999/'
refuse "a missing column" '/^7.wav/s/	nobody//'
"$T/prepare" "$T/hums" "$T/index" "$T/train" "$T/test" >"$T/said" 2>&1
"$N" train examples/speech/speech.net $(data train) --batch 8 --epochs 3 --quiet -o "$T/speech.safetensors" --weights-only >"$T/log" 2>&1 || cat "$T/log"
"$N" eval examples/speech/speech.net $(data test) --weights "$T/speech.safetensors" >"$T/result"
check "hums are told apart" grep -q '^accuracy 1$' "$T/result"

head -c 8000 "$T/hums" >"$T/low"
tail -c +8001 "$T/hums" | head -c 8000 >"$T/high"
check "listen builds" build weights="$T/speech.safetensors" "$T/listen"
check "it hears a low hum" sh -c "'$T/listen' '$T/low' | grep -q '^0 '"
check "it hears a high hum" sh -c "'$T/listen' '$T/high' | grep -q '^1 '"
: >"$T/nothing"
check "it takes an empty file" "$T/listen" "$T/nothing"

[ "$mode" = all ] || exit 0
D=$NETC_DATA/speech
if [ ! -e "$D/index.tsv" ]; then
    echo "skip speech: NETC_DATA names no directory with speech/"
    exit 0
fi
gzip -dc "$D/fsdd_8k_pcm16le.bin.gz" >"$T/recordings"
"$T/prepare" "$T/recordings" "$D/index.tsv" "$T/train" "$T/test" || echo "FAIL prepare"
"$N" train examples/speech/speech.net $(data train) --quiet -o "$T/learnt.safetensors" >"$T/log" 2>&1 || cat "$T/log"
accuracy=$("$N" eval examples/speech/speech.net $(data test) --weights "$T/learnt.safetensors" | awk '$1 == "accuracy" { print $2 }')
if awk "BEGIN { exit !(\"$accuracy\" != \"\" && $accuracy >= 0.95) }"; then echo "ok spoken digits: accuracy $accuracy"
else echo "FAIL spoken digits: accuracy '$accuracy'"; fi
exit 0

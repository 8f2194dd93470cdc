#!/bin/sh
# speak.sh -- the examples that read and write text learn from real text, and their program says what `netc sample` says.
. tests/script.sh
T=$PWD/$T
D=$NETC_DATA/text
[ -e "$D/names.txt" ] || { echo "skip speak: NETC_DATA names no directory with text/"; exit 0; }
awk 'NR % 10 != 0' "$D/names.txt" >"$T/learn.txt"
awk 'NR % 10 == 0' "$D/names.txt" >"$T/test.txt"

# learn NET BOUND DATA HELD-OUT ARGUMENT...: the loss on what is held out
learn() {
    net=$1 bound=$2 data=$3 held=$4
    shift 4
    "$N" train "examples/text/$net.net" "$data" --valid "$held" "$@" -o "$T/$net.safetensors" >"$T/log" 2>&1
    loss=$(sed -n 's/.*valid loss \([0-9.]*\).*/\1/p' "$T/log" | tail -1)
    if awk "BEGIN { exit !(\"$loss\" != \"\" && $loss <= $bound) }"; then echo "ok $net: loss $loss"
    else echo "FAIL $net: loss '$loss', wanted $bound at most"; tail -3 "$T/log"; fi
}
text() { learn "$1" "$2" "text=$D/tinyshakespeare.txt[:90%]" "text=$D/tinyshakespeare.txt[90%:]" $3; }
name() { learn "$1" "$2" "name=$T/learn.txt" "name=$T/test.txt" $3; }
if [ "$mode" = all ]; then
    text char_rnn 1.65
    text char_lstm 1.57
    text gpt 1.90
    text bert 1.45                                         # by the seed and the machine when the neighbours dawn on it; a table of them: 1.65
    name names_mlp 2.1
    name names_rnn 2.03
    name names_transformer 1.98
else
    name names_mlp 2.3 "--epochs 1"
    learn bert 3.5 "text=$D/tinyshakespeare.txt[:90%]" "text=$D/tinyshakespeare.txt[98%:]" --steps 60
fi
[ "$mode" = all ] && text char_gru 1.53 || text char_gru 2.6 "--steps 120"

names=$("$N" sample examples/text/names_mlp.net --weights "$T/names_mlp.safetensors" --tokens 400 2>"$T/log" | wc -l)
if [ "$names" -ge 30 ] && [ "$names" -le 120 ]; then echo "ok names end"; else echo "FAIL names end: $names names of 400 letters"; cat "$T/log"; fi
make -s -C examples/text NETC="$PWD/$N" target=native weights="$T/char_gru.safetensors" out="$T/out" "$T/out/speak" >"$T/log" 2>&1 || { echo "FAIL make speak"; cat "$T/log"; }
"$T/out/speak" "The king" 60 0 >"$T/said"
"$N" sample examples/text/char_gru.net -D context=1 --weights "$T/char_gru.safetensors" --prompt "The king" --tokens 60 --temperature 0 >"$T/sampled" 2>"$T/log"
if [ -s "$T/said" ] && cmp -s "$T/said" "$T/sampled"; then echo "ok the program says what netc says"
else echo "FAIL the program says something else"; cat "$T/said" "$T/sampled" "$T/log"; fi
if "$T/out/speak" "a~b" 2>"$T/log"; then echo "FAIL the program takes a character that it does not know"; else echo "ok the program refuses a character that it does not know"; fi
exit 0

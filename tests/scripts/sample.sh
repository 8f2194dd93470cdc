#!/bin/sh
# sample.sh -- netc sample: texts that are known in advance, the same draws for the same seed, nets that cannot speak.
. tests/script.sh

same() { if [ "$2" = "$3" ]; then echo "ok $1"; else echo "FAIL $1: got '$2', wanted '$3'"; fi; }
other() { if [ "$2" != "$3" ]; then echo "ok $1"; else echo "FAIL $1: '$2' twice"; fi; }
# refuses NAME STATUS TEXT ARGUMENT...
refuses() {
    name=$1 wanted=$2 text=$3
    shift 3
    "$N" sample "$@" >"$T/out" 2>"$T/err"
    got=$?
    if [ $got = "$wanted" ] && grep -qF -e "$text" "$T/err"; then echo "ok $name"; else echo "FAIL $name: status $got, not $wanted"; cat "$T/err"; fi
}

# the alphabet, over and over: each letter tells the next
awk 'BEGIN { for (i = 0; i < 40; i++) printf "abcdefghij" }' >"$T/letters.txt"
cat >"$T/letters.net" <<'NET'
const width = 5
net letters {
    input text, next : i32[width] in 0..12
    output logits = one_hot(text, 12) -> dense(12)
    loss cross_entropy(logits, next)
}
train letters { optimizer = adam(rate=0.1) batch = 8 tokens = characters(text, next=next) }
NET
"$N" train "$T/letters.net" "text=$T/letters.txt" --epochs 6 --quiet -o "$T/w.safetensors" || echo "FAIL train letters"
say() { "$N" sample "$T/letters.net" --weights "$T/w.safetensors" "$@"; }
same "the best token, beyond the window" "$(say --prompt hij --tokens 13 --temperature 0)" hijabcdefghijabc
same "one token of the best one is the best" "$(say --prompt hij --tokens 13 --top-k 1)" hijabcdefghijabc
hot="--prompt a --tokens 60 --temperature 3"
same "the same seed, the same text" "$(say $hot --seed 5)" "$(say $hot --seed 5)"
other "another seed, another text" "$(say $hot --seed 5)" "$(say $hot --seed 6)"
same "as many tokens as are asked for, of the vocabulary" "$(say $hot --tokens 300 | tr -cd 'a-j' | wc -c)" 301
same "another width, the same text" "$(say $hot -D width=1)" "$(say $hot)"

# what is kept from token to token: after the same letter, one way there and another way back
awk 'BEGIN { for (i = 0; i < 60; i++) printf "abcdcb" }' >"$T/swing.txt"
cat >"$T/swing.net" <<'NET'
const width = 12
net swing {
    input text, next : i32[width] in 0..4
    state h = zeros(16)
    hs, h = one_hot(text, 4) -> gru(16, h)
    output logits = hs -> dense(4)
    loss cross_entropy(logits, next)
}
train swing { optimizer = adam(rate=0.02) batch = 2 tokens = characters(text, next=next) }
NET
"$N" train "$T/swing.net" "text=$T/swing.txt" --epochs 12 --quiet -o "$T/swing.safetensors" || echo "FAIL train swing"
swing() { "$N" sample "$T/swing.net" --weights "$T/swing.safetensors" --prompt abcd --tokens 20 --temperature 0 "$@"; }
same "step by step" "$(swing -D width=1)" abcdcbabcdcbabcdcbabcdcb
same "a window at a time" "$(swing)" abcdcbabcdcbabcdcbabcdcb

# where a net can be taken step by step it is: the same text, without the window being read anew for each token
cat >"$T/gpt.net" <<'NET'
const width = 12
net gpt {
    input text, next : i32[width] in 0..12
    output logits = text -> embedding(12, 8) -> learned_positions -> encoder_layer(2, hidden=16, dropout=0, causal=true) -> dense(12)
    loss cross_entropy(logits, next)
}
train gpt { optimizer = adam(rate=0.02) batch = 4 tokens = characters(text, next=next) }
NET
"$N" train "$T/gpt.net" "text=$T/letters.txt" --epochs 4 --quiet -o "$T/gpt.safetensors" || echo "FAIL train gpt"
cat >"$T/cc" <<'CC'
#!/bin/sh
grep -h '^void netc_.*)$' *_host.c >>"$PROGRAMS"
exec $COMPILER "$@"
CC
chmod +x "$T/cc"
# steps NET PROGRAMS ARGUMENT...: `netc sample` of the net, and of the net with an output that no step can have
steps() {
    net=$1 wanted=$2
    shift 2
    sed 's/^}/    output all = sum(logits)\n&/' "$T/$net.net" >"$T/whole.net"
    rm -f "$T/programs"
    "$N" sample "$T/whole.net" --weights "$T/$net.safetensors" --net "$net" "$@" >"$T/whole" 2>&1
    PROGRAMS=$PWD/$T/programs COMPILER=$CC CC=$PWD/$T/cc "$N" sample "$T/$net.net" --weights "$T/$net.safetensors" "$@" >"$T/stepped" 2>&1
    same "$net $*: step by step" "$(cat "$T/stepped")" "$(cat "$T/whole")"
    same "$net $*: by" "$(grep -o 'netc_[a-z]*' "$T/programs" | tr '\n' ' ')" "$wanted "
}
steps gpt "netc_next netc_forward" --prompt ab --tokens 30 --temperature 2
steps gpt "netc_forward" --prompt abcdefghijabcdefghijabcdefghij --tokens 10 --temperature 2
steps swing "netc_next" --prompt abcd --tokens 30 --temperature 2
same "a state that goes on" "$(swing --temperature 2 --tokens 100)" "$(swing --temperature 2 --tokens 100 -D width=1)"

# lines: a token that ends one begins the next
printf 'ann\nbob\nann\nbob\n' >"$T/names.txt"
cat >"$T/names.net" <<'NET'
net names {
    input text : i32[6] in 0..5
    input next : i32[6] in -1..5
    before = concat([zeros(1, 5), one_hot(text[:5], 5)], axis=0)
    output logits = concat([before, one_hot(text, 5)], axis=1) -> dense(32) -> tanh -> dense(5)
    loss cross_entropy(logits, next, ignore=-1)
}
train names { optimizer = adam(rate=0.03) batch = 4 tokens = characters(text, next=next, lines=true) }
NET
"$N" train "$T/names.net" "text=$T/names.txt" --epochs 300 --quiet -o "$T/names.safetensors" || echo "FAIL train names"
same "lines, whole" "$("$N" sample "$T/names.net" --weights "$T/names.safetensors" --tokens 40 | sort -u | tr '\n' ' ')" "ann bob "
same "a line that is begun" "$("$N" sample "$T/names.net" --weights "$T/names.safetensors" --prompt bo --tokens 2)" bob

# ---- what is refused ----
refuses "no weights" 64 "--weights W.safetensors is missing" "$T/letters.net"
refuses "no text at all" 1 "its train block has no \`tokens\`" examples/tiny/tiny.net --weights "$T/w.safetensors"
refuses "a prompt that is not in the vocabulary" 1 "'x' is not among the vocabulary's 10 tokens" "$T/letters.net" --weights "$T/w.safetensors" --prompt x
refuses "a prompt that is no text" 64 "UTF-8" "$T/letters.net" --weights "$T/w.safetensors" --prompt "$(printf 'a\377')"
refuses "a temperature below 0" 64 "a number from 0 is expected" "$T/letters.net" --weights "$T/w.safetensors" --temperature -1
refuses "a temperature that is no number" 64 "a number from 0 is expected" "$T/letters.net" --weights "$T/w.safetensors" --temperature warm
refuses "no candidates" 64 "a whole number from 1 is expected" "$T/letters.net" --weights "$T/w.safetensors" --top-k 0
refuses "no probability" 64 "a number above 0, at most 1, is expected" "$T/letters.net" --weights "$T/w.safetensors" --top-p 0
refuses "too much probability" 64 "a number above 0, at most 1, is expected" "$T/letters.net" --weights "$T/w.safetensors" --top-p 1.5
refuses "several texts at a time" 64 "one text is made at a time" "$T/letters.net" --weights "$T/w.safetensors" --batch 2
sed 's/dense(12)/dense(7)/; s/loss.*/loss mean(logits)/' "$T/letters.net" >"$T/seven.net"
"$N" train "$T/seven.net" "text=$T/letters.txt" --epochs 1 --quiet -o "$T/seven.safetensors"
refuses "no score for every token" 1 "has no output f32[5, 12] or f32[12]" "$T/seven.net" --weights "$T/seven.safetensors"
sed 's/-> dense(12)/-> dense(12) + one_hot(next, 12)/' "$T/letters.net" >"$T/needs.net"
refuses "an answer that asks for more than text" 1 "need the input 'next'" "$T/needs.net" --weights "$T/w.safetensors"
"$N" train examples/tiny/tiny.net 'x=examples/tiny/points.csv[0:2]' 'y=examples/tiny/points.csv[2]' --epochs 1 --quiet -o "$T/tiny.safetensors"
refuses "weights without a vocabulary" 1 "" "$T/letters.net" --weights "$T/tiny.safetensors"
exit 0

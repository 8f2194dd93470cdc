#!/bin/sh
# text.sh -- nets that read text: windows and lines as samples, vocabularies beside the weights, what is refused.
. tests/script.sh

# status NAME WANTED COMMAND...
status() {
    name=$1 wanted=$2
    shift 2
    "$@" >"$T/out" 2>"$T/err"
    got=$?
    if [ $got = "$wanted" ]; then echo "ok $name"; else echo "FAIL $name: status $got, not $wanted"; head -5 "$T/err"; fi
}
says() { if cat "$T/out" "$T/err" | grep -qF -e "$2"; then echo "ok $1"; else echo "FAIL $1: no '$2'"; head -5 "$T/out" "$T/err"; fi; }
ints() { tail -c +129 "$1" | od -An -v -tf4 -w"$2" | awk '{ $1 = $1; print }'; }
same() { if [ "$2" = "$3" ]; then echo "ok $1"; else echo "FAIL $1: got"; echo "$2"; echo "wanted"; echo "$3"; fi; }

# ---- windows of a running text: in the alphabet a token's successor is the next number ----
printf 'abcdefghijklmnopqrstuvwxyz' >"$T/abc.txt"
cat >"$T/abc.net" <<'NET'
const width = 4
net abc {
    input text, next : i32[width] in 0..26
    param w : f32 = 0
    output ids = text * 1.0 + 0 * w
    loss   mse(w, 0)
    metric mean(abs(next - text - 1)) + mean(text[1:] - text[:width - 1] != 1)
    metric mean(text[0] * 1)
}
train abc {
    batch  = 5
    tokens = characters(text, next=next)
}
NET
status "windows of a text" 0 "$N" train "$T/abc.net" "text=$T/abc.txt" --epochs 40 -o "$T/abc.safetensors" --valid "text=$T/abc.txt"
same "a window's successors" "$(grep -c ' loss 0  metric 0  mean [0-9.]*  valid loss 0  valid metric 0  valid mean 10 ' "$T/out")" 40
same "windows begin anew in each pass" "$(sed -n 's/.*metric 0  mean \([0-9.]*\)  valid.*/\1/p' "$T/out" | sort -u | wc -l)" 4
status "windows in order" 0 "$N" run "$T/abc.net" --weights "$T/abc.safetensors" "text=$T/abc.txt[10%:]" -o "$T/run"
same "windows in order, from the third letter" "$(ints "$T/run/ids.npy" 16)" "$(printf '%s\n' '2 3 4 5' '6 7 8 9' '10 11 12 13' '14 15 16 17' '18 19 20 21')"
"$N" run "$T/abc.net" --weights "$T/abc.safetensors" "text=$T/abc.txt[10%:]" -o "$T/int" --interpret
if cmp -s "$T/run/ids.npy" "$T/int/ids.npy"; then echo "ok windows, interpreted"; else echo "FAIL windows, interpreted"; fi
status "a text of just one window" 0 "$N" train "$T/abc.net" "text=$T/abc.txt[:20%]" -o "$T/one.safetensors" --epochs 2
status "a text that is too short" 1 "$N" train "$T/abc.net" "text=$T/abc.txt[:16%]" -o "$T/none.safetensors"
says "a text that is too short: why" "4 tokens are too few for a window of 4 and the one that follows"

# ---- consecutive windows where something is kept ----
cat >"$T/kept.net" <<'NET'
net kept {
    input text : i32[3] in 0..26
    state last = -1
    state first = 1
    param w : f32 = 0
    output ids = text * 1.0 + 0 * w
    loss   mse(w, 0) + (last + 1 != text[0]) * (1 - first)
    metric mean(first)
    last = text[2] * 1.0
    first = 0 * w
}
train kept { batch = 2 tokens = characters(text) }
NET
status "windows follow each other where the net keeps something" 0 "$N" train "$T/kept.net" "text=$T/abc.txt" --epochs 3 -o "$T/kept.safetensors"
same "each window goes on where the last one ended" "$(grep -c ' loss 0 ' "$T/out")" 3

# ---- lines ----
printf 'ab\nb\nabcab\n' >"$T/lines.txt"
cat >"$T/lines.net" <<'NET'
net lines {
    input text : i32[5] in 0..4
    input next : i32[5] in -1..4
    input n : i32 in 1..6
    input label : i32 in 0..2
    param w : f32 = 0
    output ids = text * 1.0 + 0 * w, then = next * 1.0, long = n * 1.0
    loss mse(w, label)
}
train lines { batch = 2 tokens = characters(text, next=next, length=n, lines=true) }
NET
printf '0\n1\n0\n' >"$T/label.csv"
status "lines" 0 "$N" train "$T/lines.net" "text=$T/lines.txt" "label=$T/label.csv" --epochs 1 -o "$T/lines.safetensors"
says "lines: a long one" "1 of 3 lines are longer than 4 tokens"
status "lines, run" 0 "$N" run "$T/lines.net" --weights "$T/lines.safetensors" "text=$T/lines.txt" -o "$T/run"
same "a line begins with 0 and is filled up with 0" "$(ints "$T/run/ids.npy" 20)" "$(printf '%s\n' '0 1 2 0 0' '0 2 0 0 0' '0 1 2 3 1')"
same "after a line comes 0, then -1" "$(ints "$T/run/then.npy" 20)" "$(printf '%s\n' '1 2 0 -1 -1' '2 0 -1 -1 -1' '1 2 3 1 2')"
printf '%s\n' '0,"ab"' '1,b' '0,abc' >"$T/both.csv"
status "a column of texts beside one of labels" 0 "$N" eval "$T/lines.net" --weights "$T/lines.safetensors" "text=$T/both.csv[1]" "label=$T/both.csv[0]"
says "a column of texts: its rows" "samples 3"
printf 'abd\n' >"$T/other.txt"
status "a character that is not known" 1 "$N" eval "$T/lines.net" --weights "$T/lines.safetensors" "text=$T/other.txt" "label=$T/label.csv"
says "a character that is not known: its place" "other.txt:1:3: 'd' is not among the vocabulary's 4 tokens"
printf '0\n1\n' >"$T/two.csv"
status "fewer labels than lines" 1 "$N" eval "$T/lines.net" --weights "$T/lines.safetensors" "text=$T/both.csv[1]" "label=$T/two.csv"
says "fewer labels than lines: why" "label: 2 samples, but text has 3"

# ---- pieces of words ----
sed 's/0\.\.26/0..16/; s/characters/pieces/; s/width = 4/width = 8/' "$T/abc.net" >"$T/pieces.net"
printf 'low low lower lower newest newest newest low wide wide widest widest widest low' >"$T/words.txt"
status "pieces of words" 0 "$N" train "$T/pieces.net" "text=$T/words.txt" --epochs 1 -o "$T/pieces.safetensors"
grep -qaF '\"d\",\"e\",\"i\",\"l\",\"n\",\"o\",\"r\",\"s\",\"t\",\"w\",\"lo\",\"es\",\"low\",\"est\"' "$T/pieces.safetensors" && echo "ok pieces stand beside the weights" || { echo "FAIL pieces stand beside the weights"; head -c 400 "$T/pieces.safetensors"; }
status "a training goes on with its vocabulary" 0 "$N" train "$T/pieces.net" "text=$T/words.txt[30%:]" --epochs 2 --resume "$T/pieces.safetensors" -o "$T/more.safetensors"
same "a training goes on with its vocabulary, the same" "$(grep -ao 'vocabulary":"[^]]*' "$T/more.safetensors")" "$(grep -ao 'vocabulary":"[^]]*' "$T/pieces.safetensors")"
status "another seed draws other windows" 0 "$N" train "$T/abc.net" "text=$T/abc.txt" --epochs 1 --seed 9 -o "$T/nine.safetensors"

# ---- what is refused ----
wrong() {  # NAME SED TEXT: the net abc, changed, is refused with that text
    sed "$2" "$T/abc.net" >"$T/wrong.net"
    status "$1" 1 "$N" train "$T/wrong.net" "text=$T/abc.txt" -o "$T/none.safetensors"
    says "$1: why" "$3"
}
wrong "too many characters" 's/0\.\.26/0..25/' "26 different characters, but the net takes 25 tokens"
wrong "an input that is not there" 's/next=next/next=nxet/' "did you mean \`next\`?"
wrong "tokens of another kind" 's/characters/letters/' "is expected"
wrong "no input for the text" 's/characters(text, next=next)/characters(next=next)/' "which input reads the text?"
wrong "one input twice" 's/next=next/next=text/' "these are one input"
wrong "length without lines" 's/next=next/length=next/' "needs \`lines=true\`"
wrong "another argument" 's/next=next/follow=next/' "takes an input that reads text"
wrong "real numbers" 's/text, next : i32\[width\] in 0..26/text, next : f32[width]/' "must be \`i32[TOKENS] in 0..VOCABULARY\`"
wrong "another shape" 's/input text, next/input next : i32[5] in 0..26 input text/; s/next - text - 1/text/' "of the type and shape of the text"
wrong "another range" 's/input text, next/input next : i32[width] in 0..25 input text/' "in 0..VOCABULARY, as the text is"
sed 's/-1\.\.4/0..4/' "$T/lines.net" >"$T/wrong.net"
status "what follows a line, out of range" 1 "$N" train "$T/wrong.net" "text=$T/lines.txt" "label=$T/label.csv"
says "what follows a line, out of range: why" "-1 stands behind the end of a line"
status "data for what the text fills" 1 "$N" train "$T/abc.net" "text=$T/abc.txt" "next=$T/abc.txt"
says "data for what the text fills: why" "takes 'next' from the text of 'text'"
status "no text" 1 "$N" train "$T/abc.net"
says "no text: how" "give text=FILE"
printf 'ab\377' >"$T/bytes.txt"
status "no UTF-8" 1 "$N" train "$T/abc.net" "text=$T/bytes.txt"
says "no UTF-8: the place" "bytes.txt:1:3: byte 0xFF"
"$N" train "$T/abc.net" "text=$T/abc.txt" --epochs 1 -o "$T/w.safetensors" >/dev/null 2>&1
status "weights of a running text for lines" 1 "$N" eval "$T/lines.net" --weights "$T/w.safetensors" "text=$T/lines.txt" "label=$T/label.csv"
exit 0

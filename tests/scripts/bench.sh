#!/bin/sh
# bench.sh -- the bench against others says what is missing and ends well without them; its nets compile; its picture is drawn.
. tests/script.sh
for file in nets steps primitives; do
    for net in $(sed -n 's/^net \([a-z0-9_]*\).*/\1/p' tests/bench/$file.net); do
        check "bench net $net" "$N" check --net "$net" tests/bench/$file.net
    done
done
if [ -x /usr/bin/time ]; then
    check "a row of sizes" sh tests/bench/size.sh '^rnn$'
    bytes=$(cat "$B/tests/bench-size/c/rnn_forward.c" | wc -c)
    grep -Eq "^\| rnn \| $bytes \| [0-9]+ \| [1-9][0-9]* \| [0-9.]+ s \|" "$T/log" && [ "$(wc -l <"$T/log")" = 3 ] && echo "ok the size" || { echo "FAIL the size"; cat "$T/log"; }
else echo "skip a row of sizes: no /usr/bin/time"; fi
have python3 || { echo "skip the bench against others: no python3"; exit 0; }
mkdir -p "$T/none"
echo 'raise ImportError("no torch")' >"$T/none/torch.py"
check "peers without peers" env ORT=/nowhere PYTHONPATH="$T/none" B="$B" python3 tests/bench/peers.py --only nothing
cp "$T/log" "$T/said"
check "which peers are missing is said" grep -q "no torch" "$T/said"
cat >"$T/table.json" <<'JSON'
[{"name": "a", "threads": 1, "peers": {"ONNX Runtime": {"ratio": 2.5}, "PyTorch": {"ratio": 0.7}}}]
JSON
check "picture of the bench" python3 tests/bench/picture.py "$T/table.json" "$T/table.svg"
check "both bars are in the picture" sh -c "grep -q '>2.50<' $T/table.svg && grep -q '>0.70<' $T/table.svg"
[ "$mode" = all ] || exit 0
check "single operators give what the libraries give" python3 tests/bench/primitives.py --rounds 0
cp "$T/log" "$T/said"
check "a row for each operator, or what is missing" grep -Eq '^. dense 1024 .* [0-9.]+ µs|neither OpenBLAS' "$T/said"

#!/bin/sh
# bench.sh -- the bench against others says what is missing and ends well without them; its nets compile; its picture is drawn.
B=${B:-build}
T=$B/tests/bench-check
mkdir -p "$T"
check() { if "$@" >"$T/log" 2>&1; then echo "ok $name"; else echo "FAIL $name"; cat "$T/log"; fi; }
for file in nets steps primitives; do
    for net in $(sed -n 's/^net \([a-z0-9_]*\).*/\1/p' tests/bench/$file.net); do
        name="bench net $net"
        check "$B/netc" check --net "$net" tests/bench/$file.net
    done
done
if [ -x /usr/bin/time ]; then
    name="a row of sizes"
    check sh tests/bench/size.sh '^rnn$'
    bytes=$(cat "$B/tests/bench-size/c/rnn_forward.c" | wc -c)
    grep -Eq "^\| rnn \| $bytes \| [0-9]+ \| [1-9][0-9]* \| [0-9.]+ s \|" "$T/log" && [ "$(wc -l <"$T/log")" = 3 ] && echo "ok the size" || { echo "FAIL the size"; cat "$T/log"; }
else echo "skip a row of sizes: no /usr/bin/time"; fi
command -v python3 >/dev/null 2>&1 || { echo "skip the bench against others: no python3"; exit 0; }
name="peers without peers"
mkdir -p "$T/none"
echo 'raise ImportError("no torch")' >"$T/none/torch.py"
check env ORT=/nowhere PYTHONPATH="$T/none" B="$B" python3 tests/bench/peers.py --only nothing
cp "$T/log" "$T/said"
name="which peers are missing is said"
check grep -q "no torch" "$T/said"
cat >"$T/table.json" <<'JSON'
[{"name": "a", "threads": 1, "peers": {"ONNX Runtime": {"ratio": 2.5}, "PyTorch": {"ratio": 0.7}}}]
JSON
name="picture of the bench"
check python3 tests/bench/picture.py "$T/table.json" "$T/table.svg"
name="both bars are in the picture"
check sh -c "grep -q '>2.50<' $T/table.svg && grep -q '>0.70<' $T/table.svg"
[ "$mode" = all ] || exit 0
name="single operators give what the libraries give"
check python3 tests/bench/primitives.py --rounds 0
cp "$T/log" "$T/said"
name="a row for each operator, or what is missing"
check grep -Eq '^. dense 1024 .* [0-9.]+ µs|neither OpenBLAS' "$T/said"

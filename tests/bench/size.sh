#!/bin/sh
# size.sh -- how much C netc writes and what it costs to compile: a row of Markdown per program, weights left out.
# Times are of the processor, memory is the most at once. A compiler that is not installed is a dash.
# usage: size.sh [REGEX: which programs]
only=${1:-.}
B=${B:-build}
T=$B/tests/bench-size
sh share/need.sh /usr/bin/time:time || exit 1
mkdir -p "$T"

# spent COMMAND...: seconds and megabytes
spent() { /usr/bin/time -f '%U %S %M' -o "$T/time" "$@" && awk '{ printf "%.2f %.0f", $1 + $2, $3 / 1024 }' "$T/time"; }

compiled() {  # COMPILER FILE
    command -v "$1" >/dev/null || { echo -; return; }
    spent "$1" -O2 -c "$2" -o "$T/object" | sed 's/ / s, /; s/$/ MB/'
}

row() {  # PROGRAM NET FILE [--train]
    program=$1 net=$2 label=$2${4:+, a step}
    echo "$label" | grep -Eq "$only" || return 0
    shift 2
    rm -rf "$T/c"
    seconds=$(spent "$B/netc" emit --net "$net" "$@" -o "$T/c") || exit 1
    c=$T/c/${net}_$program.c
    printf '| %s | %d | %d | %d | %s s | %s | %s |\n' "$label" "$(wc -c <"$c")" "$(wc -c <"$T/c/$net.h")" "$(grep -c '^KERNEL' "$c")" \
        "${seconds% *}" "$(compiled gcc "$c")" "$(compiled clang "$c")"
}
forward() { row forward "$@"; }
step() { row backward "$@" --train; }

for kind in lstm gru rnn; do
    cat >"$T/$kind.net" <<NET
net $kind {
    input x : f32[100, 64]
    input goal : f32[100, 128]
    y = x -> $kind(128) as _
    output z = y
    loss mse(y, goal)
}
train $kind { optimizer = adamw(rate=0.001) batch = 32 }
NET
done
{
    echo 'net chain { input x : f32[8] h = x'
    echo 'for i in 0..2000 { h = h -> dense(8) -> tanh as layer[i] }'
    echo 'output h }'
} >"$T/chain.net"

echo '| program | .c, bytes | .h, bytes | kernels | netc | gcc -O2 | clang -O2 |'
echo '|---|---|---|---|---|---|---|'
for kind in forward step; do
    $kind gpt2 examples/gpt2/gpt2.net
    for net in lstm gru rnn; do $kind $net "$T/$net.net"; done
    for net in mlp_mnist lenet5 cifar_cnn; do $kind $net tests/bench/nets.net; done
done
for net in ds_cnn ad_autoencoder resnet8 mobilenet_v1 mobilenet_v2 resnet18; do forward $net examples/zoo/$net.net; done
forward chain "$T/chain.net"

#!/bin/sh
# threads.sh -- what two threads gain: a line per net, the sum of the shortest times of its kernels, with the threads and without in
# turn in one process, so that other work on the machine disturbs little. usage: threads.sh [ROUNDS [NETC-OPTIONS]]
B=${B:-build}
rounds=${1:-3}
[ $# -gt 0 ] && shift
T=$B/tests/bench-threads
mkdir -p "$T"
line() {
    label=$1
    shift
    rm -rf "$T"/*
    for i in $(seq "$rounds"); do "$B/netc" bench --format=json --threads 2 "$@" >"$T/$i.json"; done
    "$B/netc" emit --target native --threads 2 "$@" -o "$T/c"
    program=forward
    [ "$1" = --train ] && program=backward
    split=$(sed -n '/^void [a-z0-9_]*_step(/,$p; /^void [a-z0-9_]*_forward(/,$p' "$T"/c/*_$program.c | grep -c 'netc_threads_run(threads')
    awk -v label="$label" -v split_n="$split" -F'[:,] *' '
        /^  {"name"/ {
            n++
            for (i = 3; i < NF; i++) {
                if ($i == "\"alone_min_us\"" && (!($2 in one) || $(i + 1) < one[$2])) one[$2] = $(i + 1) + 0
                if ($i == "\"min_us\"" && (!($2 in two) || $(i + 1) < two[$2])) two[$2] = $(i + 1) + 0
            }
        }
        END {
            for (k in one) { a += one[k]; b += two[k] }
            printf "%-22s %8d %6d %12.1f %12.1f %8.2f\n", label, n / FILES, split_n, a, b, a / b
        }' FILES="$rounds" "$T"/*.json
}
printf '%-22s %8s %6s %12s %12s %8s\n' net kernels split 'alone, us' 'two, us' ratio
for net in iris/iris mnist/mlp mnist/lenet5 cifar/cifar autoencoder/autoencoder zoo/resnet8 zoo/mobilenet_v1 zoo/mobilenet_v2 zoo/resnet18; do
    line "$(basename $net)" "examples/$net.net" "$@"
done
for net in mnist/mlp mnist/lenet5 cifar/cifar; do line "$(basename $net), a step" --train "examples/$net.net" "$@"; done

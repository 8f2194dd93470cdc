#!/bin/sh
# compilers.sh -- the C that netc writes, compiled by gcc and by clang: a row of Markdown per net, the least time of each, taken in turn.
# usage: compilers.sh [ROUNDS [NETC-OPTIONS]]
B=${B:-build}
rounds=${1:-3}
[ $# -gt 0 ] && shift
for cc in gcc clang; do
    command -v $cc >/dev/null || { echo "compilers.sh: no $cc"; exit 1; }
done

row() {  # LABEL NETC-OPTION...
    label=$1
    shift
    for i in $(seq "$rounds"); do
        for cc in gcc clang; do echo "$cc $(CC=$cc "$B/netc" bench --format=json "$@" | tr ',{' '\n\n' | sed -n 's/.*"min_us": //p' | head -1)"; done
    done | awk -v label="$label" '
        !($1 in least) || $2 < least[$1] { least[$1] = $2 }
        END { printf "| %s | %.2f | %.2f | %.2f |\n", label, least["gcc"], least["clang"], least["gcc"] / least["clang"] }'
}
echo '| net | gcc, µs | clang, µs | ratio |'
echo '|---|---|---|---|'
for net in mlp_mnist lenet5 cifar_cnn lstm gru rnn encoder gpt; do row $net --net $net tests/bench/nets.net "$@"; done
for net in iris/iris zoo/ds_cnn zoo/resnet8 zoo/mobilenet_v1 zoo/ad_autoencoder zoo/mobilenet_v2 zoo/resnet18; do row ${net#*/} examples/$net.net "$@"; done
for net in mlp_mnist lenet5 cifar_cnn; do row "$net, a step" --train --net $net tests/bench/nets.net "$@"; done
for net in char_lstm small_gpt; do row "$net, a step" --train --net $net tests/bench/steps.net "$@"; done

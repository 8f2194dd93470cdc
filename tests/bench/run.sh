#!/bin/sh
# run.sh -- how fast the examples are here: one table, a line per net; `netc bench FILE.net` shows a net kernel by kernel.
B=${B:-build}
line() {  # LABEL OPTIONS FILE
    label=$1
    shift
    "$B/netc" bench --format=json "$@" | tr ',{' '\n\n' | awk -v label="$label" '
        { gsub(/["}\] ]/, ""); split($0, f, ":") }
        !(f[1] in v) { v[f[1]] = f[2] }
        END { printf "%-22s %12.2f %12.2f %10.1f %9.0f %%\n", label, v["median_us"], v["min_us"], v["gflops"], 100 * v["gflops"] / v["peak_gflops"] }'
}
"$B/netc" bench examples/tiny/tiny.net | sed -n 2p
printf '%-22s %12s %12s %10s %11s\n' net 'median us' 'least us' GFLOP/s 'of peak'
for net in tiny/tiny iris/iris mnist/mlp mnist/lenet5 cifar/cifar autoencoder/autoencoder zoo/ds_cnn zoo/ad_autoencoder zoo/resnet8 zoo/mobilenet_v1 zoo/mobilenet_v2 zoo/resnet18; do
    line "$(basename $net)" "examples/$net.net" "$@"
done
for net in mnist/mlp mnist/lenet5 cifar/cifar; do
    line "$(basename $net), a step" --train "examples/$net.net" "$@"
done

#!/bin/sh
# sweep.sh -- convolution and pooling over kernel, stride, padding, dilation, groups and size: forward and both gradients.
. tests/script.sh
$CC -O1 -o "$T/nets" tests/three/nets.c || exit 1
every=97
[ "$mode" = all ] && every=3
"$T/nets" sweep $every "$T"
for layer in conv_g conv1 conv2 conv_transpose1 conv_transpose2 maxpool avgpool; do
    nets=$(ls "$T"/$layer*.net 2>/dev/null)
    [ -z "$nets" ] || three --dir "$T/three" --f64 --flags -O0 $nets
done
[ "$mode" = all ] && three --dir "$T/three" --flags -O1 "$T"/conv2_g2_*.net "$T"/maxpool2*.net "$T"/conv_transpose2_g1*.net
exit 0

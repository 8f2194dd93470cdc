#!/bin/sh
# memory.sh -- the workspace of every example is as small as what is alive at once; a training step's within a hundredth,
# within a fiftieth or a thirtieth with tiles of every convolution, an eighth where a scan of 64 steps keeps many tensors of different sizes.
. tests/script.sh
for net in examples/*/*.net; do
    for train in "" --train; do
        "$N" summary "$net" $train --format=json 2>/dev/null | tr '{}' '\n\n' | awk -v net="$net $train" '
            /workspace_bytes/ {
                gsub(/[",:]/, " ")
                for (i = 1; i < NF; i++) {
                    if ($i == "workspace_bytes") bytes = $(i + 1)
                    if ($i == "lower_bound_bytes") bound = $(i + 1)
                }
                n++
                if (bytes < bound || bytes > bound * (net !~ /--train/ ? 1 : net ~ /char_(lstm|gru)/ ? 1.125 : net ~ /cifar/ ? 1.034 : net ~ /resnet8/ ? 1.02 : 1.01)) { print "FAIL " net ": " bytes " bytes, the bound is " bound; bad = 1 }
            }
            END { if (!n) print "FAIL " net ": no workspace"; else if (!bad) print "ok " net }'
    done
done
exit 0

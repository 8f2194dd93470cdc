#!/bin/sh
# make.sh DIR -- writes one net per row of table.txt into DIR/NAME.net.
mkdir -p "$1"
grep -v '^#' "$(dirname "$0")/table.txt" | awk -F ' *; *' -v dir="$1" '
    NF == 4 {
        file = dir "/" $1 ".net"
        printf "net %s {\n    input x : f32[%s]\n    input k : i32 in 0..6\n    param p : f32[%s] = uniform(-1, 1)\n", $1, $2, $2 > file
        printf "    z = x + p\n    y = %s\n    output y\n    loss mean(y * y) + mean(y)\n    metric mean(y)\n}\n", $4 > file
        printf "\ntrain %s { optimizer = sgd(rate=0.1, momentum=0.9) batch = 3 }\n", $1 > file
        close(file)
    }'

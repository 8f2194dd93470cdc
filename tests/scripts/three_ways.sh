#!/bin/sh
# three_ways.sh -- every block of tests/blocks and every net of tests/nets: compiled C against the interpreter, on every target this machine runs.
# With mode=all the nets of tests/reference too, at PyTorch's weights, where test_reference_nets holds the interpreter to PyTorch.
. tests/script.sh
dir=$T/blocks
sh tests/blocks/make.sh "$dir"
nets="$(ls "$dir"/*.net) $(ls tests/nets/*.net)"

run() {  # DIRECTORY ARGUMENT...
    into=$1
    shift
    three --dir "$T/$into" "$@" $nets
}
alone() {  # DIRECTORY ARGUMENT...: one sample, for which weights lie as one row reads them
    (nets=tests/nets/streams.net && run alone."$@" --batch 1)
}

if [ "$mode" != all ]; then
    run f64 --f64 --flags "-O0"
    alone f64 --f64 --flags "-O0"
    run native --target native --flags "-O1"
    alone native --target native --flags "-O1"
    exit 0
fi
run f64 --f64
alone f64 --f64
for rank in 1 2 3; do run rank$rank --target native --flags "-O1" --rank $rank; done
for tile in 2 4; do
    run winograd$tile.f64 --f64 --winograd $tile
    run winograd$tile --target native --flags "-O1" --winograd $tile
done
run segments.f64 --f64 --segments 3
nets="$nets $(ls tests/reference/*.net)"
run segments --target native --flags "-O1" --segments 4
for cc in gcc clang; do
    have $cc || { echo "skip three_ways: no $cc"; continue; }
    for target in scalar sse avx2 avx512; do
        here $target || continue
        run $cc.$target --target $target --cc $cc --flags "-O2"
        alone $cc.$target --target $target --cc $cc --flags "-O2"
    done
    run $cc.threads --target native --threads 3 --cc $cc --flags "-O1 -g -fsanitize=thread"
    for of in run alone; do
        $of $cc.sanitize --target native --cc $cc --flags "-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all"
    done
done
if have aarch64-linux-gnu-gcc && have qemu-aarch64; then
    for of in run alone; do $of neon --target neon --cc aarch64-linux-gnu-gcc --flags "-O2 -static" --run qemu-aarch64; done
else
    echo "skip three_ways: no aarch64-linux-gnu-gcc with qemu-aarch64"
fi

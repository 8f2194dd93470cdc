#!/bin/sh
# nets.sh -- the nets of tests/nets: gradients of those with a loss against finite differences, and what one net does when others call it.
. tests/script.sh

for file in $(grep -l "^ *loss " tests/nets/*.net); do
    check "gradcheck $file" "$N" gradcheck "$file"
done

awk 'BEGIN { srand(1); for (i = 0; i < 9; i++) for (k = 0; k < 20; k++) printf "%.3f%s", rand(), k < 19 ? "," : "\n" }' >"$T/noise.csv"

# two calls in each of three steps move what the net counts by six; evaluation counts nothing
printf '%s\n' 'a,b,c,d,e,f,s' 1,2,3,4,5,6,1 2,3,4,5,6,7,0 1,3,2,5,4,6,1 >"$T/pairs.csv"
pairs="a=$T/pairs.csv[0:6] b=$T/pairs.csv[0:6] same=$T/pairs.csv[6]"
"$N" train tests/nets/siamese.net $pairs --steps 3 --quiet -o "$T/siamese.safetensors" 2>"$T/log"
"$N" eval tests/nets/siamese.net --weights "$T/siamese.safetensors" $pairs >"$T/eval" 2>>"$T/log"
if grep -qx 'mean 6' "$T/eval"; then echo "ok updates of two calls follow each other"
else echo "FAIL updates of two calls: wanted 'mean 6'"; cat "$T/log" "$T/eval"; fi

# the called net alone runs on the caller's weights
"$N" run tests/nets/siamese.net --net tower --weights "$T/siamese.safetensors" "x=$T/pairs.csv[0:6]" "k=$T/pairs.csv[6]" -o "$T/out" 2>"$T/log"
if [ $? = 0 ] && [ ! -s "$T/log" ] && [ -s "$T/out/h.npy" ]; then echo "ok a net alone takes its part of the weights"
else echo "FAIL a net alone with the weights of its caller"; cat "$T/log"; fi

# a file's other nets' parameters are no surprise
"$N" train tests/nets/gan.net real="$T/noise.csv" --steps 2 --quiet -o "$T/gan.safetensors" 2>"$T/log"
"$N" emit tests/nets/gan.net --net generator --weights "$T/gan.safetensors" -o "$T/out" >>"$T/log" 2>&1
if [ -s "$T/out/generator_weights.c" ] && [ ! -s "$T/log" ]; then echo "ok a net alone is told nothing of the others"
else echo "FAIL a net alone with the weights of several"; cat "$T/log"; fi

# nets that draw: the same for the same seed, others for another, in the interpreter too
for seed in 1 1 2; do
    "$N" run tests/nets/gan.net --weights "$T/gan.safetensors" --samples 40 --seed $seed -o "$T/drawn.$seed" 2>>"$T/log"
    [ -e "$T/first.npy" ] || cp "$T/drawn.1/fake.npy" "$T/first.npy"
done
"$N" run tests/nets/gan.net --weights "$T/gan.safetensors" --samples 40 --seed 1 --interpret -o "$T/interpreted" 2>>"$T/log"
near() { od -An -v -tf4 -j128 "$1" >"$T/a"; od -An -v -tf4 -j128 "$2" >"$T/b"; [ -s "$T/a" ] && paste "$T/a" "$T/b" | awk '{ for (i = 1; i <= NF / 2; i++) { d = $i - $(i + NF / 2); if (d > 1e-5 || d < -1e-5) exit 1 } }'; }
if cmp -s "$T/first.npy" "$T/drawn.1/fake.npy" && ! cmp -s "$T/first.npy" "$T/drawn.2/fake.npy" && near "$T/first.npy" "$T/interpreted/fake.npy"
then echo "ok draws follow the seed"; else echo "FAIL draws follow the seed"; cat "$T/log"; fi

# pictures, whose sums go sample by sample
for target in scalar avx2 avx512; do
    "$N" dump --train --target $target --after=lower tests/nets/samples.net >"$T/$target.dump"
done
for target in scalar avx2 avx512; do check "sums go sample by sample on $target" grep -q '^kernel update_conv_2_weight_momentum_more' "$T/$target.dump"; done

check "a bias's sum goes along" sh -c "grep -A3 '^kernel gradient_conv_2_bias_more ' '$T/avx512.dump' | grep -q '^kernel gradient_conv_2_weight_more '"

# rows of features, where a vector is half a line of the cache, and not where it is a whole one
printf 'net rows { input x : f32[64, 256] output y = x -> dense(64) loss mean(y * y) }\ntrain rows { optimizer = sgd(rate=0.1) batch = 32 }\n' >"$T/rows.net"
for target in avx2 avx512; do "$N" dump --train --target $target --after=lower "$T/rows.net" >"$T/rows.$target"; done
check "sums of rows go over few samples" grep -q '^kernel .*weight_more' "$T/rows.avx2"
check "sums of rows go over all samples" sh -c "grep -q '^kernel .*weight .* n:32' '$T/rows.avx512' && ! grep -q '^kernel .*_more' '$T/rows.avx512'"

# pooled where it is made, but not where windows overlap or somebody else reads the elements
"$N" dump --target avx512 --after=lower tests/nets/pooled.net >"$T/pooled"
check "a convolution keeps its windows" grep -q '^kernel conv_2 (y:12, x:10, oc:16, in_y:2, in_x:2 | c:3, ky:5, kx:5) sum' "$T/pooled"
check "tiles store what is pooled" sh -c "grep -q 'avgpool_[0-9]*\\[' '$T/pooled' && ! grep -q '^kernel avgpool' '$T/pooled'"
"$N" dump --train --target avx512 --after=lower tests/nets/pooled.net >"$T/pooled.train"
check "where the maximum is too" sh -c "grep -q '^kernel maxpool_1_2 .*min$' '$T/pooled.train' && ! grep -q '^kernel .*y:12, x:10.*min$' '$T/pooled.train'"
for tile in 2 4; do "$N" dump --train --target avx512 --winograd $tile --after=lower tests/nets/pooled.net >"$T/pooled.$tile"; done
for tile in 2 4; do check "gradcheck of what tiles unpool, $tile x $tile" "$N" gradcheck --winograd $tile tests/nets/pooled.net; done
check "tiles unpool what they read" sh -c "! grep -q '^kernel maxpool_5.*, ky:2' '$T/pooled.2' && grep -q 'where(conv_5_[0-9]*\[n, c, y, x' '$T/pooled.2'"
check "weights that tiles transform lie along the lanes" grep -q '^kernel conv_5_weight_2 (ky:3, kx:3, c:16, oc:12)' "$T/pooled.4"
check "as whole windows" sh -c "grep -q '^kernel maxpool_6.*, ky:4, kx:4)$' '$T/pooled.2' && ! grep -q '^kernel maxpool_6.*, ky:4, kx:4)$' '$T/pooled.4'"
check "other windows stay" [ "$(grep -c '^kernel maxpool_[124] .*max$' "$T/pooled")" = 3 ]

# two tiles of eight rows: 1,024 of 2,048 lines each, one where a step reads two
"$N" emit --target avx512 tests/nets/ahead.net -o "$T/ahead"
check "each tile fetches its share of the next block of weights" grep -q 'PREFETCH_L2(weight + x \* 16384 + c \* 1024 + x2 \* 16 + 16384)' "$T/ahead/ahead_forward.c"
check "and no more" [ "$(grep -c 'PREFETCH_L2(w' "$T/ahead/ahead_forward.c")" = 2 ]

# large weights with moments run along their shorter dimension, without moments as products read them
"$N" dump --train --target avx512 --after=layout tests/nets/moments.net >"$T/moments"
check "wide weights run along what is summed" grep -q '^%[0-9]* = param "wide.weight" f32\[1400, 400\] trained layout \[0, 1\]' "$T/moments"
check "narrow ones along the results" grep -q '^%[0-9]* = param "narrow.weight" f32\[390, 1400\] trained layout \[1, 0\]' "$T/moments"
sed 's/adamw/sgd/' tests/nets/moments.net >"$T/sgd.net"
check "without moments both do" sh -c "'$N' dump --train --target avx512 --after=layout '$T/sgd.net' | grep -q 'wide.weight. f32.1400, 400. trained layout .1, 0.'"

# blocks of weights change places on their way into a panel, and nobody copies the weights before; tables lie row by row
"$N" emit --train --target avx512 tests/nets/turned.net -o "$T/turned"
check "blocks of weights turn in panels" grep -q '^        vpack_block(panel + 224, 32, weight + 7, 23);' "$T/turned/turned_backward.c"
check "and are not copied" [ "$(grep -c '_weight_2_kernel(const float \*weight' "$T/turned/turned_backward.c")" = 0 ]
"$N" emit --train --target avx512 tests/nets/packed.net -o "$T/packed"
check "so do rows of three" grep -q 'vpack_block_n(panel + 16, 64, weight + 48, 3, 3);' "$T/packed/packed_backward.c"
check "a table lies row by row" grep -q 'words.weight \[37, 50\] \*/' "$T/turned/turned.h"

# sums of 2,100 and 2,500 steps where two vectors of columns are more than a panel; of the last part the rest is one of the operands
for target in avx2 avx512; do "$N" dump --train --target $target --after=lower tests/nets/long_sums.net >"$T/long.$target"; done
check "long sums go in parts" [ "$(grep -c '^kernel .*_more ' "$T/long.avx512")" -ge 4 ]
check "but not where a panel holds them" [ "$(grep -c '^kernel .*_more ' "$T/long.avx2")" = 0 ]
check "the last part does what is done with the sum" sh -c "grep -A3 '^kernel dense_more ' '$T/long.avx512' | grep -q 'relu(dense_part\[.*bias'"

# an update of wide weights: 12 rows of a tile, each fetched in a chunk of the sum; rows outside where what they read is the larger
printf 'net wide { input x : f32[256, 768] output y = x -> dense(768) as a -> dense(2816) as b loss mean(y * y) }\ntrain wide { optimizer = adam(rate=0.1) batch = 1 }\n' >"$T/wide.net"
"$N" emit --train --target avx512 "$T/wide.net" -o "$T/wide"
check "rows of a result are fetched one by one" grep -q 'PREFETCH(exp_avg + oc \* 768 + c + c2_at / 16 \* 768);' "$T/wide/wide_backward.c"

# the gates of a unit of 16 wait among the loads of the next; every second step goes the other way, its sums not
"$N" emit --target avx512 tests/nets/streams.net -o "$T/streams"
check "gates are computed in pieces among the sums of the next units" [ "$(grep -c '^        if (oc > 0) {' "$T/streams/streams_forward.c")" = 8 ]
check "a step begins with the weights that the one before read last" sh -c "grep -q '^    for (int oc = 2; oc >= 0; oc--)' '$T/streams/streams_forward.c' && grep -q '^        for (int c2 = 46; c2 >= 40; c2 -= 2)' '$T/streams/streams_forward.c'"
exit 0

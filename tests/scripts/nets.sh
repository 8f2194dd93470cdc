#!/bin/sh
# nets.sh -- the nets of tests/nets: gradients against finite differences, and what one net does when others call it.
B=${B:-build}
N=$B/netc
T=$B/tests/called
rm -rf "$T"
mkdir -p "$T"

for file in tests/nets/*.net; do
    if "$N" gradcheck "$file" >"$T/log" 2>&1; then echo "ok gradcheck $file"; else echo "FAIL gradcheck $file"; cat "$T/log"; fi
done

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
exit 0

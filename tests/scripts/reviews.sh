#!/bin/sh
# reviews.sh -- the film reviews: files become tables, a net goes on from what another one has learnt; with mode=all and the data,
# what it learns.
. tests/script.sh
N=$PWD/$N
T=$PWD/$T
net=$PWD/examples/text/reviews.net
mkdir -p "$T/polarity/neg" "$T/polarity/pos"
cp examples/text/reviews.sh "$T"
cd "$T" || exit 1

# Three to learn from, two to choose by and one to test, of each kind.
for number in 000 345 799 801 888 950; do
    printf 'a dull , "dull" film .\nit drags and drags .\n' >"polarity/neg/cv${number}_1.txt"
    printf 'a bright film ,\nit sparkles and sparkles .\n' >"polarity/pos/cv${number}_22.txt"
done
check "no directory is said" sh -c '! sh reviews.sh nowhere'
check "reviews become tables" sh reviews.sh polarity
check "their rows" sh -c '[ "$(cat learn.csv | wc -l) $(cat valid.csv | wc -l) $(cat test.csv | wc -l)" = "6 4 2" ]'
check "one of each kind in turn" sh -c '[ "$(cut -c1 learn.csv | tr -d "\n")" = 010101 ]'
check "quotes are kept" grep -qx '0,"a dull , ""dull"" film . it drags and drags ."' test.csv
check "the text alone" grep -qx 'a dull , "dull" film . it drags and drags .' learn.txt

size="-D words=60 -D span=24 -D dim=8"
small="$size --batch 2 --quiet"
check "a net learns to read" "$N" train "$net" --net cloze $small --epochs 2 text=learn.txt -o cloze.safetensors
check "another goes on" "$N" train "$net" --net judge $small --epochs 40 --weights cloze.safetensors \
    'text=learn.csv[1]' 'kind=learn.csv[0]' --valid 'text=valid.csv[1]' 'kind=valid.csv[0]' --best -o judge.safetensors
check "from what it has learnt" sh -c "'$N' train '$net' --net judge $small --epochs 1 --weights cloze.safetensors 'text=learn.csv[1]' 'kind=learn.csv[0]' -o once.safetensors 2>&1 | grep -q 'begin as in cloze.safetensors'"
"$N" eval "$net" --net judge $size --weights judge.safetensors 'text=test.csv[1]' 'kind=test.csv[0]' >result 2>&1
check "praise and blame are told apart" grep -q '^accuracy 1$' result

[ "$mode" = all ] || exit 0
D=$NETC_DATA/reviews/review_polarity.tar.gz
if [ ! -e "$D" ]; then
    echo "skip reviews: NETC_DATA names no directory with reviews/"
    exit 0
fi
tar -xzf "$D"
sh reviews.sh txt_sentoken
"$N" train "$net" --net judge --quiet --threads 2 'text=learn.csv[1]' 'kind=learn.csv[0]' --valid 'text=valid.csv[1]' 'kind=valid.csv[0]' \
    --weights-only -o judge.safetensors >log 2>&1 || cat log
accuracy=$("$N" eval "$net" --net judge --weights judge.safetensors 'text=test.csv[1]' 'kind=test.csv[0]' 2>/dev/null | awk '$1 == "accuracy" { print $2 }')
if awk "BEGIN { exit !(\"$accuracy\" != \"\" && $accuracy >= 0.72) }"; then echo "ok film reviews: accuracy $accuracy"
else echo "FAIL film reviews: accuracy '$accuracy'"; fi
exit 0

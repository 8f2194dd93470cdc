#!/bin/sh
# metrics.sh -- every metric over a set that no batch divides, against its formula computed here by awk.
. tests/script.sh
printf '%s\n' 0.9,1 0.8,1 0.4,1 0.7,0 0.2,0 0.6,1 0.1,0 0.95,0 0.3,0 0.55,1 0.45,0 >"$T/two.csv"
cat >"$T/two.net" <<'NET'
net two {
    input p : f32[1]
    input y : f32[1]
    output p
    loss   mse(p, y)
    metric mae(p, y)
    metric rmse(p, y)
    metric r2(p, y)
    metric binary_accuracy(p, y)
    metric precision(p, y)
    metric recall(p, y)
    metric f1(p, y)
    metric binary_cross_entropy(p, y)
}
train two { optimizer = sgd(rate=0.1) batch = 4 }
NET
awk -F, '{ p[NR] = $1; y[NR] = $2; sum += $2 }
    END {
        n = NR
        for (i = 1; i <= n; i++) {
            e = p[i] - y[i]; se += e * e; ae += e < 0 ? -e : e; d = y[i] - sum / n; ss += d * d
            g = p[i] > 0.5; right += g == y[i]; tp += g && y[i]; fp += g && !y[i]; fn += !g && y[i]
            bce -= y[i] * log(p[i]) + (1 - y[i]) * log(1 - p[i])
        }
        print "loss", se / n; print "mae", ae / n; print "rmse", sqrt(se / n); print "r2", 1 - se / ss
        print "binary_accuracy", right / n; print "precision", tp / (tp + fp); print "recall", tp / (tp + fn)
        print "f1", 2 * tp / (2 * tp + fp + fn); print "binary_cross_entropy", bce / n
    }' "$T/two.csv" >"$T/want"
printf '%s\n' 1,2,3,2 3,1,2,0 0.5,2,1,2 4,5,4.5,1 2,1,0,0 0,0.5,0.4,1 1,3,2,1 >"$T/many.csv"
cat >"$T/many.net" <<'NET'
net many {
    input x : f32[3]
    input k : i32 in 0..3
    output x
    loss   cross_entropy(x, k)
    metric accuracy(x, k)
    metric perplexity(x, k)
}
train many { optimizer = sgd(rate=0.1) batch = 4 }
NET
awk -F, '{ s = log(exp($1) + exp($2) + exp($3)); loss += s - $($4 + 1); best = 1; for (i = 2; i <= 3; i++) if ($i > $best) best = i; right += best == $4 + 1 }
    END { print "loss", loss / NR; print "accuracy", right / NR; print "perplexity", exp(loss / NR) }' "$T/many.csv" >"$T/want.many"
sed 's/many/known/; s/(x, k)/(x, k, ignore=2)/' "$T/many.net" >"$T/known.net"
awk -F, '$4 != 2 { s = log(exp($1) + exp($2) + exp($3)); loss += s - $($4 + 1); best = 1; for (i = 2; i <= 3; i++) if ($i > $best) best = i; right += best == $4 + 1; n++ }
    END { print "loss", loss / n; print "accuracy", right / n; print "perplexity", exp(loss / n) }' "$T/many.csv" >"$T/want.known"
"$N" eval "$T/two.net" "p=$T/two.csv[0]" "y=$T/two.csv[1]" >"$T/got" 2>"$T/log" || cat "$T/log"
"$N" eval "$T/many.net" "x=$T/many.csv[0:3]" "k=$T/many.csv[3]" >"$T/got.many" 2>"$T/log" || cat "$T/log"
"$N" eval "$T/known.net" "x=$T/many.csv[0:3]" "k=$T/many.csv[3]" >"$T/got.known" 2>"$T/log" || cat "$T/log"
for set in "" .many .known; do
    while read -r name want; do
        got=$(awk -v name="$name" '$1 == name { print $2 }' "$T/got$set")
        if awk -v g="$got" -v w="$want" 'BEGIN { d = g - w; exit !(g != "" && d < 1e-5 && d > -1e-5) }'; then echo "ok $name$set"
        else echo "FAIL $name$set: $got, not $want"; fi
    done <"$T/want$set"
done

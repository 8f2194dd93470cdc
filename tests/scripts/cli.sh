#!/bin/sh
# cli.sh -- the command line as scripts rely on it: statuses, messages, files that appear or do not.
. tests/script.sh
netc=$PWD/$N
top=$PWD
dir=$PWD/$T
cp examples/tiny/tiny.net examples/tiny/points.csv "$dir"
cd "$dir" || exit 1
mkdir tmp
export TMPDIR=$dir/tmp

bad() { echo "FAIL $1"; sed 's/^/    /' out err 2>/dev/null | head -20; }
# status NAME WANTED COMMAND...
status() {
    name=$1 wanted=$2
    shift 2
    "$@" >out 2>err
    got=$?
    if [ $got = "$wanted" ]; then ok "$name"; else bad "$name: status $got, not $wanted"; fi
}
# says NAME TEXT: the last command's output or error holds the text
says() { if cat out err | grep -qF -e "$2"; then ok "$1"; else bad "$1: no '$2'"; fi; }

# ---- usage ----
status "no command" 64 "$netc"
status "help" 0 "$netc" --help
status "version" 0 "$netc" --version
for command in check emit summary dump graph train eval run sample gradcheck bench ops targets passes fmt; do
    status "$command --help" 0 "$netc" $command --help
    says "$command --help names it" "netc $command"
    status "help $command" 0 "$netc" help $command
    status "$command --nonsense" 64 "$netc" $command --nonsense
    says "$command --nonsense tells where help is" "Try 'netc $command --help'"
done
status "unknown command" 64 "$netc" emt
says "unknown command: a guess" "did you mean 'emit'"
status "misspelt option" 64 "$netc" emit tiny.net -o c --bacth 3
says "misspelt option: a guess" "did you mean --batch"
status "option without its argument" 64 "$netc" emit tiny.net -o
status "emit without -o" 64 "$netc" emit tiny.net
status "batch 0" 64 "$netc" emit tiny.net -o c --batch 0
status "batch abc" 64 "$netc" emit tiny.net -o c --batch abc
status "batch too large" 64 "$netc" emit tiny.net -o c --batch 99999999999999999999
status "unknown target" 64 "$netc" emit tiny.net -o c --target axv2
says "unknown target: a guess" "did you mean 'avx2'"
status "unknown pass" 64 "$netc" dump tiny.net --after=foold
says "unknown pass: a guess" "did you mean 'fold'"
status "a pass that must run" 64 "$netc" emit tiny.net -o c --without=gather
status "embed without weights" 64 "$netc" emit tiny.net -o c --embed inline
status "-D without value" 64 "$netc" check tiny.net -D width
status "missing file" 66 "$netc" check nothing.net
status "a directory" 66 "$netc" check /
status "full disk on standard output" 74 sh -c "'$netc' ops >/dev/full"
status "closed standard output" 74 sh -c "'$netc' ops >&-"
[ -e c ] && bad "nothing is written on errors" || ok "nothing is written on errors"

# ---- check, dump, graph, summary, fmt ----
status "check" 0 "$netc" check tiny.net
[ -s out ] || [ -s err ] && bad "check is silent" || ok "check is silent"
sed 's/dense(3)/dnse(3)/' tiny.net >wrong.net
status "check a wrong model" 1 "$netc" check wrong.net
says "check: the place" "wrong.net:6:"
status "emit a wrong model" 1 "$netc" emit wrong.net -o wrong
[ -e wrong ] && bad "a wrong model writes nothing" || ok "a wrong model writes nothing"
for stage in parse resolve fold share tidy layout lower; do status "dump --after=$stage" 0 "$netc" dump tiny.net --after=$stage; done
for stage in grad optimize layout; do status "dump --train --after=$stage" 0 "$netc" dump tiny.net --train --after=$stage; done
status "graph" 0 "$netc" graph tiny.net
says "graph is Graphviz" "digraph"
status "summary" 0 "$netc" summary tiny.net
says "summary counts" "13"
status "summary --format=json" 0 "$netc" summary tiny.net --format=json
says "summary json" '"parameters": 13'
says "summary json: the error bound" '"error_bound": '
status "winograd: no such tile" 64 "$netc" summary tiny.net --winograd 3
status "winograd and strict" 64 "$netc" summary tiny.net --winograd 4 --strict
status "strict" 0 "$netc" summary "$top/examples/cifar/cifar.net" --strict
if grep -q Winograd out; then bad "strict: no tiles"; else ok "strict: no tiles"; fi
for tile in 2 4; do
    status "winograd $tile: where it fits" 0 "$netc" summary "$top/tests/nets/squares.net" --winograd $tile
    says "winograd $tile: where it fits: tiles" "; 5 convolutions by Winograd"
done
status "winograd auto" 0 "$netc" summary "$top/examples/cifar/cifar.net"
says "winograd auto: tiles" "convolutions by Winograd"
status "winograd auto: no budget" 0 "$netc" summary "$top/examples/cifar/cifar.net" --error-budget 0
if grep -q Winograd out; then bad "no budget: no tiles"; else ok "no budget: no tiles"; fi
if grep -q " as \[" out; then bad "packed: rows of units, for all programs"; else ok "packed: rows of units, for all programs"; fi
status "alone: weights in the order of reading" 0 "$netc" dump "$top/tests/nets/streams.net" --after=lower
says "alone: blocks of units" "strides [1, 128] as [2, 96, 64] by dimensions 0/64 1 0%64"
says "alone: gates side by side" " as [5, 80, 3, 16] by dimensions 0/16%5 1 0/80 0%16"
gpt="$top/examples/text/gpt.net"
status "packed" 0 "$netc" dump "$top/tests/nets/packed.net" --train --after=lower
says "packed: weights that every step reads" "kernel lstm_weight_hh_l0_packed (block:3, step:48, part:4, lane:16)"
step_bytes() { sed -n 's/^workspace step *\([0-9,]*\) bytes.*/\1/p' out | tr -d ,; }
status "memory: any" 0 "$netc" summary "$gpt" --train
plain=$(step_bytes)
status "memory: what fits" 0 "$netc" summary "$gpt" --train --memory 16M
less=$(step_bytes)
if [ "$less" -le $((16 << 20)) ] && [ $((2 * less)) -lt "$plain" ]; then ok "memory: less"; else bad "memory: less: $less of $plain"; fi
status "memory: too little" 1 "$netc" summary "$gpt" --train --memory 64K
says "memory: too little: how much it takes" "bytes of workspace at least"
for memory in 0 -1 16X 16MB M nan 1e99; do status "memory: $memory" 64 "$netc" summary "$gpt" --train --memory $memory; done
status "fmt" 0 "$netc" fmt tiny.net
cp out once.net
status "fmt again" 0 "$netc" fmt once.net
cmp -s out once.net && ok "fmt is idempotent" || bad "fmt is idempotent"
status "fmt --check of formatted text" 0 "$netc" fmt --check once.net
printf 'net   a{input x:f32[1]   output y=x}\n' >ugly.net
status "fmt --check of other text" 1 "$netc" fmt --check ugly.net
status "fmt -i" 0 "$netc" fmt -i ugly.net
status "fmt -i made it canonical" 0 "$netc" fmt --check ugly.net
status "ops" 0 "$netc" ops
says "ops lists contract" "contract"
status "targets" 0 "$netc" targets
says "targets lists neon" "neon"
status "passes" 0 "$netc" passes
says "passes lists grad" "grad"

# ---- emit ----
status "emit" 0 "$netc" emit tiny.net -o c -MD
for file in tiny.h tiny_forward.c tiny.d; do [ -s c/$file ] && ok "emit writes $file" || bad "emit writes $file"; done
[ -e c/tiny_backward.c ] && bad "no backward without --train" || ok "no backward without --train"
grep -q 'tiny.net' c/tiny.d && ok "the dependency file names the source" || bad "the dependency file names the source"
touch -d '2001-01-01' c/*
"$netc" emit tiny.net -o c -MD
[ -z "$(find c -newermt 2002-01-01 -type f)" ] && ok "unchanged files are not rewritten" || bad "unchanged files are not rewritten"
status "emit --train" 0 "$netc" emit tiny.net -o ct --train
[ -s ct/tiny_backward.c ] && ok "emit --train writes tiny_backward.c" || bad "emit --train writes tiny_backward.c"
mkdir -p locked/c && chmod 555 locked/c
status "emit a net with borders" 0 "$netc" emit "$top/examples/zoo/ds_cnn.net" -o borders
borders=$(grep -c 'KERNEL.*_border' borders/ds_cnn_forward.c) fenced=$(sed -n '/KERNEL.*_border/,/^}/p' borders/ds_cnn_forward.c | grep -c FENCE)
[ "$borders" -gt 2 ] && [ "$fenced" -ge "$borders" ] && ok "borders are filled by loops" || bad "borders are filled by loops: $fenced of $borders"
if [ "$(id -u)" != 0 ]; then status "emit into a directory that is not ours" 74 "$netc" emit tiny.net -o locked/c; fi
: >plain
status "emit into a file" 74 "$netc" emit tiny.net -o plain

# ---- train, eval, run ----
data='x=points.csv[0:2] y=points.csv[2]'
status "train" 0 "$netc" train tiny.net $data --valid $data -o a.safetensors --epochs 40
says "train: an epoch a line" "epoch 40/40"
says "train: validation" "valid loss"
status "train again" 0 "$netc" train tiny.net $data -o b.safetensors --epochs 40
cmp -s a.safetensors b.safetensors && ok "the same seed gives the same bytes" || bad "the same seed gives the same bytes"
status "train half" 0 "$netc" train tiny.net $data -o half.safetensors --epochs 20
status "train the rest" 0 "$netc" train tiny.net $data --resume half.safetensors -o whole.safetensors --epochs 40
cmp -s a.safetensors whole.safetensors && ok "resumed equals uninterrupted, byte by byte" || bad "resumed equals uninterrupted, byte by byte"
# What a training begins with is what it ends with where the loss asks nothing of it.
printf 'net half { input x : f32[2] param u, v : f32[2] = 1 output a = x * u, b = x * v loss mse(u + v, 3) } train half { optimizer = sgd(rate=0.1) }\n' >half.net
sed 's/net half/net full/; s/train half/train full/; s/param u, v/param w, v, u/; s/loss mse.*) }/loss mse(0 * (u + v) + w, 0) }/' half.net >full.net
status "train what another training begins with" 0 "$netc" train half.net 'x=points.csv[0:2]' -o begun.safetensors --epochs 3
status "train --weights" 0 "$netc" train full.net 'x=points.csv[0:2]' -o gone.safetensors --epochs 3 --weights begun.safetensors
says "train --weights: how many there are" "netc: note: 2 of 3 parameters begin as in begun.safetensors, the others anew"
status "run what began so" 0 "$netc" run full.net 'x=points.csv[0:2]' -o gone --weights gone.safetensors
status "run what it began with" 0 "$netc" run half.net 'x=points.csv[0:2]' -o begun --weights begun.safetensors
cmp -s gone/a.npy begun/a.npy && cmp -s gone/b.npy begun/b.npy && ok "train --weights begins there" || bad "train --weights begins there"
status "train anew" 0 "$netc" train full.net 'x=points.csv[0:2]' -o anew.safetensors --epochs 3
cmp -s gone.safetensors anew.safetensors && bad "train --weights: a difference" || ok "train --weights: a difference"
status "train --weights with all of them" 0 "$netc" train tiny.net $data -o all.safetensors --epochs 1 --weights a.safetensors
[ -s err ] && bad "train --weights with all of them: silent" || ok "train --weights with all of them: silent"
sed 's/f32\[2\] = 1/f32[3] = 1/; s/f32\[2\]/f32[3]/' full.net >three.net
status "train --weights of other shapes" 1 "$netc" train three.net x=points.csv -o none.safetensors --weights begun.safetensors
says "train --weights of other shapes: both are named" "tensor 'u' is f32[2], the net needs f32[3]"
status "train --weights of another net" 1 "$netc" train tiny.net $data -o none.safetensors --weights begun.safetensors
says "train --weights of another net: why" "begun.safetensors: it has no parameter of 'tiny'"
status "train --weights that are not there" 66 "$netc" train tiny.net $data -o none.safetensors --weights nothing.safetensors
status "train --weights and --resume" 64 "$netc" train tiny.net $data -o none.safetensors --weights a.safetensors --resume a.safetensors
[ -e none.safetensors ] && bad "a refused training writes nothing" || ok "a refused training writes nothing"
status "train --weights-only" 0 "$netc" train tiny.net $data -o light.safetensors --epochs 40 --weights-only
grep -q optimizer light.safetensors && bad "weights only" || ok "weights only"
status "another seed" 0 "$netc" train tiny.net $data -o c.safetensors --epochs 40 --seed 7
cmp -s a.safetensors c.safetensors && bad "another seed gives other weights" || ok "another seed gives other weights"
status "train without data for y" 1 "$netc" train tiny.net 'x=points.csv[0:2]'
says "train without data for y names it" "'y"
status "train with data for nothing" 1 "$netc" train tiny.net $data z=points.csv
status "train on a missing file" 66 "$netc" train tiny.net x=none.csv y=none.csv
status "train on a wrong width" 1 "$netc" train tiny.net x=points.csv 'y=points.csv[2]'
status "train --valid without data" 64 "$netc" train tiny.net $data --valid
status "train with a wild rate" 1 sh -c "sed 's/adam(rate=1e-3)/sgd(rate=1e6)/; s/-> sigmoid//g; s/binary_cross_entropy/mse/; /metric/d' tiny.net >wild.net; '$netc' train wild.net $data -o wild.safetensors"
says "train with a wild rate: why" "diverged"

"$netc" train tiny.net $data -o cut.safetensors --epochs 100000000 >out 2>err &
pid=$!
i=0
while [ ! -s cut.safetensors ] && [ $i -lt 200 ]; do sleep 0.1; i=$((i + 1)); done
kill -INT $pid
wait $pid
[ $? = 130 ] && ok "an interrupt ends with 130" || bad "an interrupt ends with 130"
says "an interrupt says how to go on" "resume with --resume cut.safetensors"
steps=$(sed -n 's/.*stopped at step \([0-9]*\).*/\1/p' err)
status "train what was cut, at once" 0 "$netc" train tiny.net $data -o straight.safetensors --quiet --steps "$((steps + 5))"
status "go on after the interrupt" 0 "$netc" train tiny.net $data --resume cut.safetensors --quiet --steps "$((steps + 5))"
cmp -s straight.safetensors cut.safetensors && ok "nothing is lost by an interrupt" || bad "nothing is lost by an interrupt"

status "eval" 0 "$netc" eval tiny.net --weights a.safetensors $data
says "eval: loss" "loss "
says "eval: metric" "binary_accuracy "
status "eval --format=json" 0 "$netc" eval tiny.net --weights a.safetensors $data --format=json
says "eval json" '"samples": 5'
status "eval without weights" 64 "$netc" eval tiny.net $data
head -c 100 a.safetensors >short.safetensors
status "eval with truncated weights" 1 "$netc" eval tiny.net --weights short.safetensors $data
status "eval with weights of another net" 1 "$netc" eval tiny.net --weights a.safetensors $data -n tiny --weights points.csv
sed 's/dense(3)/dense(4)/' tiny.net >four.net
status "eval with weights of other shapes" 1 "$netc" eval four.net --weights a.safetensors $data
says "other shapes: both are named" "[4, 2]"
status "run" 0 "$netc" run tiny.net --weights a.safetensors 'x=points.csv[0:2]' -o r
[ -s r/p.npy ] && ok "run writes p.npy" || bad "run writes p.npy"
status "run --interpret" 0 "$netc" run tiny.net --weights a.safetensors 'x=points.csv[0:2]' -o ri --interpret
[ "$(wc -c <r/p.npy)" = "$(wc -c <ri/p.npy)" ] && ok "run --interpret writes as much" || bad "run --interpret writes as much"
for how in inline string file incbin; do
    status "emit --embed $how" 0 "$netc" emit tiny.net -o e.$how --weights a.safetensors --embed $how
done
status "gradcheck" 0 "$netc" gradcheck tiny.net
says "gradcheck: each tensor" "dense.weight"
# one element of 900 gives no gradient although the loss depends on it: the direction of all of them shows it
cat >held.net <<'NET'
net held {
    input x : f32[900]
    param w : f32[900] = uniform(-1, 1)
    all = concat([w[0:70], stop_gradient(w[70:71]), w[71:]], axis=0)
    output y = sum(all * x)
    loss y * y
}
NET
status "gradcheck: one wrong element of many" 1 "$netc" gradcheck held.net
says "gradcheck: says which tensor" "FAIL"
status "gradcheck --all" 1 "$netc" gradcheck held.net --all
says "gradcheck --all: counts" " 900 "
status "bench" 0 "$netc" bench tiny.net
says "bench: each kernel" "dense_1 "
status "bench --train --format=json" 0 "$netc" bench tiny.net --train --format=json
says "bench json" '"share_of_peak"'
cat >sequence.net <<'NET'
net sequence {
    input x : f32[4, 3]
    output hs = x -> gru(5)
}
NET
status "bench --step" 0 "$netc" bench sequence.net --step
says "bench --step: one step" "sequence next, batch 1"
says "bench --step: each kernel" "update_gru_h "
status "bench --step of no sequence" 1 "$netc" bench held.net --step
status "bench --step --train" 64 "$netc" bench sequence.net --step --train
CC=/nonexistent/cc status "no C compiler" 66 "$netc" eval tiny.net --weights a.safetensors $data
ls "$TMPDIR"/netc.* >/dev/null 2>&1 && bad "no temporary directory is left" || ok "no temporary directory is left"
ls *.safetensors.* >/dev/null 2>&1 && bad "no temporary file is left" || ok "no temporary file is left"

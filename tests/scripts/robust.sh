#!/bin/sh
# robust.sh -- bad input, no memory, a full disk: a message, the right exit status, no partial file.
. tests/script.sh
N=$PWD/$N

# expect STATUS NAME PATTERN COMMAND...: exit status, and a line of stderr that matches
expect() {
    want=$1 name=$2 pattern=$3
    shift 3
    "$@" >"$T/out" 2>"$T/err" </dev/null
    got=$?
    if [ $got != "$want" ]; then echo "FAIL $name: status $got, not $want"; head -3 "$T/err"
    elif [ "$pattern" ] && ! grep -q -e "$pattern" "$T/err"; then echo "FAIL $name: no line matches '$pattern'"; head -3 "$T/err"
    else echo "ok $name"; fi
}
# bad NAME PATTERN TEXT: a model that must be refused at the place that PATTERN names
bad() {
    printf '%b' "$3" >"$T/$1.net"
    expect 1 "$1" "$2" "$N" check "$T/$1.net"
}

bad unknown_name    ':2:21: error: .*dence.*dense'        'net a { input x : f32[4]\n    output y = x -> dence(3) }\n'
bad unknown_value   ':1:41: error: .*`q`'          'net a { input x : f32[4] output y = x + q }\n'
bad wrong_shape     ':1:[0-9]*: error: .*\[4\].*\[3\]\|\[3\].*\[4\]' 'net a { input x : f32[4] input y : f32[3] output z = x + y }\n'
bad missing_brace   'error: '                      'net a { input x : f32[4] output y = x -> dense(3)\n'
bad bad_number      ':1:[0-9]*: error: '           'net a { input x : f32[12abc] output x }\n'
bad huge_number     ':1:[0-9]*: error: '           'net a { input x : f32[99999999999999999999] output x }\n'
bad huge_shape      ':1:[0-9]*: error: '           'net a { input x : f32[100000, 100000] output y = x -> flatten -> dense(5) }\n'
bad negative_shape  ':1:[0-9]*: error: '           'net a { input x : f32[-3] output x }\n'
bad nul_byte        ':1:[0-9]*: error: '           'net a { input x : f32[4] \0 output x }\n'
bad assertion       ':2:.*error: '                 'net a { input x : f32[4]\n h : f32[5] = x -> dense(6) output h }\n'
bad fraction        'error: .*whole'               'net a { input x : f32[4] output y = x -> dense(7 / 2) }\n'
bad recursion       'error: '                      'block b(x) { return x -> b }\nnet a { input x : f32[4] output y = x -> b }\n'
bad net_recursion   ':2:[0-9]*: error: .*itself'   'net a { input x : f32[4] output y = b(x) }\nnet b { input x : f32[4] output y = a(x) }\n'
bad unknown_option  'error: '                      'net a { input x : f32[4] input y : f32[4] p = x -> dense(4) output p loss mse(p, y) }\ntrain a { optimiser = sgd(rate=0.1) }\n'
bad mixed_totals    'error: .*totals'              'net a { input x : f32[4] input k : i32 in 0..4 output y = x -> dense(4) metric accuracy(y, k, ignore=1) + mean(x) }\n'
bad limit_no_net    'error: .*no net'              'net a { input x : f32[4] output y = x -> dense(4) loss mean(y) }\ntrain a { clip_weights = critic(0.1) }\n'
bad limit_negative  'error: .*above'               'net a { input x : f32[4] output y = x -> dense(4) loss mean(y) }\ntrain a { clip_weights = -1 }\n'
bad name_of_a_net   ':2:[0-9]*: error: .*`b.weight`' 'net b { input x : f32[4] output y = x -> dense(2) }\nnet a { input x : f32[4] output y = b(x) + (x -> dense(2) as b) }\n'
bad empty_file      'error: '                      ''
bad conv_too_large  ':1:[0-9]*: error: '           'net a { input x : f32[1, 4, 4] output y = x -> conv(2, 7) }\n'
bad unterminated    'error: '                      'import "abc\nnet a { input x : f32[4] output x }\n'

printf 'import "b.net"\n' >"$T/cycle.net"
printf 'import "cycle.net"\nnet a { input x : f32[4] output y = x -> dense(2) }\n' >"$T/b.net"
expect 1 cyclic_import 'error: .*cycle\|error: .*import' "$N" check "$T/cycle.net"
printf 'import "nowhere.net"\n' >"$T/lost.net"
expect 66 missing_import 'nowhere.net' "$N" check "$T/lost.net"

cat >"$T/five.net" <<'END'
net five {
    input x : f32[4]
    a = x -> dence(3)
    b = x + [1, 2]
    c = unknown + 1
    d = x -> conv(3, 3)
    e = x -> dense(0)
    output y = x
}
END
"$N" check "$T/five.net" 2>"$T/err"
n=$(grep -c ': error: ' "$T/err")
if [ "$n" -ge 5 ]; then echo "ok five_errors"; else echo "FAIL five_errors: $n"; cat "$T/err"; fi

awk 'BEGIN { printf "net a { input x : f32[4] output y = "; for (i = 0; i < 100000; i++) printf "("; print "x }" }' >"$T/deep.net"
expect 1 deep_parentheses 'error: ' "$N" check "$T/deep.net"
awk 'BEGIN { printf "net a { input x : f32[4] y = x"; for (i = 0; i < 100000; i++) printf " + x"; print " output y }" }' >"$T/long.net"
expect 1 long_sum 'error: .*deep' "$N" check "$T/long.net"
awk 'BEGIN { print "net a { input x : f32[4] output x }"; for (i = 0; i < 16500; i++) printf "# %01000d\n", i; }' | head -c 16000000 >"$T/large.net"
expect 0 sixteen_megabytes '' "$N" check "$T/large.net"
awk 'BEGIN { print "net a { input x : f32[4] output x }"; for (i = 0; i < 17500; i++) printf "# %01000d\n", i; }' >"$T/larger.net"
expect 1 too_large 'large' "$N" check "$T/larger.net"
head -c 300000 /dev/urandom >"$T/random.net"
expect 1 random_bytes 'error' "$N" check "$T/random.net"

expect 64 no_command 'usage\|Usage' "$N"
expect 64 unknown_command 'frobnicate' "$N" frobnicate
expect 64 unknown_flag '' "$N" check --frobnicate examples/tiny/tiny.net
expect 64 no_file '' "$N" check
expect 64 unknown_target 'vax' "$N" emit examples/tiny/tiny.net -o "$T/x" --target vax
expect 66 missing_file 'nowhere.net' "$N" check "$T/nowhere.net"
expect 66 missing_weights 'nowhere' "$N" eval examples/tiny/tiny.net --weights "$T/nowhere.safetensors" x=examples/tiny/points.csv[0:2] y=examples/tiny/points.csv[2]
[ ! -e "$T/x" ] && echo "ok nothing_made" || echo "FAIL nothing_made: $T/x exists"
expect 1 wrong_columns '' "$N" train examples/tiny/tiny.net --epochs 1 x=examples/tiny/points.csv[0:3] y=examples/tiny/points.csv[2]
printf 'x1,x2,y\n0.1,?,1\n' >"$T/missing.csv"
expect 1 missing_value ':2' "$N" train examples/tiny/tiny.net --epochs 1 "x=$T/missing.csv[0:2]" "y=$T/missing.csv[2]"
printf '\377\377\377\377\377\377\377\177{}' >"$T/lying.safetensors"
expect 1 lying_safetensors 'lying' "$N" eval examples/tiny/tiny.net --weights "$T/lying.safetensors" x=examples/tiny/points.csv[0:2] y=examples/tiny/points.csv[2]
printf '\000\000\010\003\000\001\000\000\000\000\000\034\000\000\000\034abc' >"$T/lying.idx"
expect 1 lying_idx 'lying' "$N" train examples/mnist/lenet5.net "image=$T/lying.idx" "digit=$T/lying.idx"
printf '\223NUMPY\001\000v\000{"descr": "<f4", }' >"$T/lying.npy"
expect 1 lying_npy 'lying' "$N" train examples/tiny/tiny.net "x=$T/lying.npy" "y=$T/lying.npy"

# a full disk
if [ -w /dev/full ]; then expect 74 full_stdout '' sh -c "'$N' dump examples/tiny/tiny.net >/dev/full"; fi
mkdir -p "$T/small"
if mount -t tmpfs -o size=8k tmpfs "$T/small" 2>/dev/null; then
    expect 74 full_disk 'space' "$N" emit examples/mnist/lenet5.net -o "$T/small"
    if ls "$T/small" | grep -q '\.[A-Za-z0-9]\{6\}$'; then echo "FAIL full_disk: a temporary file is left"; else echo "ok full_disk_clean"; fi
    umount "$T/small"
else
    echo "skip robust: no small file system can be mounted"
fi

# no memory, at every allocation of a compile
$CC -O1 -shared -fPIC -o "$T/malloc_fail.so" tests/fault/malloc_fail.c
COUNT_TO=$PWD/$T/count LD_PRELOAD=$PWD/$T/malloc_fail.so "$N" emit examples/tiny/tiny.net --train -o "$T/all" --target scalar
total=$(cat "$T/count")
wrong=0
for i in $(seq 1 "$total"); do
    rm -rf "$T/oom"
    FAIL_AT=$i LD_PRELOAD=$PWD/$T/malloc_fail.so "$N" emit examples/tiny/tiny.net --train -o "$T/oom" --target scalar >/dev/null 2>"$T/err"
    status=$?
    case $status in
    71) [ -s "$T/err" ] || { echo "FAIL out_of_memory: silent at allocation $i"; wrong=1; } ;;
    0) diff -r "$T/all" "$T/oom" >/dev/null || { echo "FAIL out_of_memory: other output at allocation $i"; wrong=1; } ;;
    *) echo "FAIL out_of_memory: status $status at allocation $i of $total"; wrong=1 ;;
    esac
done
[ $wrong = 0 ] && echo "ok out_of_memory at each of $total allocations"

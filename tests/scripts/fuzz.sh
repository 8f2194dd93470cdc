#!/bin/sh
# fuzz.sh -- hostile bytes to the front end and the file readers, a minute each: tests/fuzz/fuzz_NAME.c with the
# dictionary tests/fuzz/NAME.dict where there is one. SECONDS_EACH changes the minute.
. tests/script.sh
if [ "${mode:-all}" != all ]; then echo "skip fuzz: only in check-all"; exit 0; fi
mkdir -p "$T/seeds"
echo 'int LLVMFuzzerTestOneInput(const unsigned char *b, unsigned long n) { return b && n ? 0 : 0; }' >"$T/probe.c"
if ! clang -fsanitize=fuzzer,address,undefined -o "$T/probe" "$T/probe.c" 2>/dev/null; then
    echo "skip fuzz: needs clang with libFuzzer"
    exit 0
fi
cp examples/*/*.net tests/golden/*.net grammar/prelude.net "$T/seeds"
for source in tests/fuzz/fuzz_*.c; do
    name=$(basename "$source" .c)
    dict=tests/fuzz/${name#fuzz_}.dict
    mkdir -p "$T/$name.corpus"
    if ! clang -g -O1 -w -std=c11 -D_GNU_SOURCE -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined \
        -I"$B/gen" -Igrammar -o "$T/$name" "$source" grammar/*.c compiler/base/*.c compiler/io/*.c \
        "$B/gen/parser.c" "$B/gen/scanner.c" "$B/gen/prelude.c" -ljansson -lz -lm 2>"$T/$name.err"; then
        echo "FAIL $name: does not build"
        head -5 "$T/$name.err"
    elif "$T/$name" -max_total_time="${SECONDS_EACH:-60}" -timeout=10 -max_len=4000 -rss_limit_mb=4000 \
        -artifact_prefix="$T/$name-" $([ -e "$dict" ] && echo "-dict=$dict") "$T/$name.corpus" "$T/seeds" >"$T/$name.log" 2>&1; then
        echo "ok $name"
    else
        echo "FAIL $name: see $T/$name.log"
        tail -5 "$T/$name.log"
    fi
done
exit 0

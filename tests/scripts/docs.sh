#!/bin/sh
# docs.sh -- the programs in the documents compile, and come back from the formatter as they are but for spaces.
. tests/script.sh
for doc in docs/*.md README.md; do
    awk -v base="$T/$(basename "$doc" .md)" '/^```net$/ { n++; on = 1; next } /^```/ { on = 0 } on { print > (base "_" n ".net") }' "$doc"
done
for file in "$T"/*.net; do
    if "$N" check "$file" 2>"$T/log"; then echo "ok check $file"; else echo "FAIL check $file"; cat "$T/log"; fi
    "$N" fmt "$file" >"$file.fmt" && "$N" fmt "$file.fmt" >"$file.again"
    if cmp -s "$file.fmt" "$file.again" && [ "$(tr -d ' \n' <"$file")" = "$(tr -d ' \n' <"$file.fmt")" ]; then echo "ok fmt $file"
    else echo "FAIL fmt $file"; fi
done
# what the help says is what the README and the documents may use
for word in $(grep -oh 'netc [a-z]\+ ' README.md docs/*.md | awk '{ print $2 }' | sort -u); do
    "$N" "$word" --help >/dev/null 2>&1 && echo "ok netc $word --help"
done
# the README shows C that netc writes
"$N" emit examples/digits/digits.net -o "$T/digits" 2>"$T/log"
awk '/^```c$/ { on = 1; next } /^```/ { on = 0 } on && $0 != "..." && $0 != ""' README.md >"$T/shown"
if [ -s "$T/shown" ] && ! grep -vxF -f "$T/digits/digits_forward.c" "$T/shown"; then echo "ok README shows what is written"
else echo "FAIL README shows other C than netc writes"; fi
# every example has its line among the examples
for net in $(ls examples/*/*.net | sed 's|.*/||; s|\.net$||'); do
    if grep -q "^|.*$net" examples/README.md || grep -q "$net" examples/*/README.md; then echo "ok $net among the examples"
    else echo "FAIL $net is not in examples/README.md"; fi
done
# named C programs of the documents build and succeed
"$N" emit examples/tiny/tiny.net -o "$T/tiny" --train 2>"$T/log"
awk -v base="$T/tiny/" '/^```c [a-z]+\.c$/ { file = base $2; next } /^```/ { file = "" } file { print > file }' docs/generated-code.md
for program in infer learn; do
    $CC -std=c11 -O2 -Wall -Wextra -Wpedantic -Werror -o "$T/$program" "$T/tiny/$program.c" "$T"/tiny/tiny_*.c -lm 2>"$T/log" &&
        "$T/$program" >>"$T/log" 2>&1 && echo "ok $program.c of generated-code.md" || { echo "FAIL $program.c of generated-code.md"; cat "$T/log"; }
done
exit 0

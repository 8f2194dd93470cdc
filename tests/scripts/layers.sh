#!/bin/sh
# layers.sh -- which folder may include which: fails on an arrow that runs back.
allowed() {
    case $1 in
    base) echo base ;;
    grammar) echo grammar base ;;
    ir) echo ir base ;;
    op) echo op ir loop base ;;
    loop) echo loop ir base ;;
    pass) echo pass ir op loop base grammar ;;
    target) echo target base ;;
    schedule) echo schedule loop ir target base ;;
    emit) echo emit schedule loop ir target base ;;
    io) echo io base ;;
    cli | compiler) echo cli compiler emit schedule loop target pass op ir io base grammar ;;
    simd | runtime) echo simd runtime ;;
    esac
}
for file in compiler/*/*.[ch] compiler/*.[ch] grammar/*.[chly] runtime/*.[ch]; do
    [ -e "$file" ] || continue
    from=$(basename "$(dirname "$file")")
    bad=
    for included in $(sed -n 's/^ *# *include *"\([^"]*\)".*/\1/p' "$file"); do
        case $included in
        ../*/*) to=$(basename "$(dirname "$included")") ;;
        ../*.h) to=compiler ;;
        */*) to=$(basename "$(dirname "$included")") ;;
        parser.h | scanner.h) to=grammar ;;
        *) to=$from ;;
        esac
        case " $(allowed "$from") " in
        *" $to "*) ;;
        *) bad="$bad $included" ;;
        esac
    done
    if [ "$bad" ]; then echo "FAIL $file may not include$bad"; else echo "ok $file"; fi
done
# only resolving sees the AST
for file in compiler/pass/*.c; do
    case $file in *resolve* | *builtin* | *model* | *consteval* | *trainplan* | *value*) continue ;; esac
    if grep -q 'AST_' "$file"; then echo "FAIL $file looks at the AST"; else echo "ok $file leaves the AST alone"; fi
done

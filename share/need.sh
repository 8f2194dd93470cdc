#!/bin/sh
# need.sh -- make sure that programs and headers are there: need.sh WHAT:PACKAGE ...
# WHAT is a command or an absolute path. What is missing is installed with apt-get where that is possible, else named.
missing=
for pair in "$@"; do
    what=${pair%%:*}
    case $what in
    /*) [ -e "$what" ] && continue ;;
    *) command -v "$what" >/dev/null 2>&1 && continue ;;
    esac
    missing="$missing ${pair#*:}"
done
[ -z "$missing" ] && exit 0
if command -v apt-get >/dev/null 2>&1; then
    if [ "$(id -u)" = 0 ]; then as=
    elif sudo -n true 2>/dev/null; then as='sudo -n'
    else as=none; fi
    if [ "$as" != none ]; then
        echo "installing:$missing"
        $as apt-get install -y -q $missing >/dev/null 2>&1 && exit 0
        $as apt-get update -q >/dev/null 2>&1
        $as apt-get install -y -q $missing >/dev/null && exit 0
    fi
fi
echo "missing:$missing -- install with: apt-get install$missing" >&2
exit 1

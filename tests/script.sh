# script.sh -- how every script of tests/scripts begins, at the top of the house: . tests/script.sh
# N is netc, T an empty directory of the script's own; lines that begin with ok, FAIL or skip are what run.sh counts.
B=${B:-build}
CC=${CC:-cc}
N=$B/netc
T=$B/tests/work/$(basename "$0" .sh)
rm -rf "$T"
mkdir -p "$T"

ok() { echo "ok $1"; }
bad() { echo "FAIL $1"; [ -s "$T/log" ] && head -30 "$T/log"; }
check() { name=$1; shift; if "$@" >"$T/log" 2>&1; then ok "$name"; else bad "$name"; fi; }    # NAME COMMAND...
have() { command -v "$1" >/dev/null 2>&1; }
here() { "$N" targets | grep -q "^$1 .*yes"; }                                                 # TARGET
three() { "$B/tests/three" "$@" || [ $? = 1 ] || echo "FAIL three $* stopped"; }

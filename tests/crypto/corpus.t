#!/bin/sh
# Every fuzz target survives what its corpus holds, and every prefix of that.
# B and TOP come from `make test`; the programs are built by it.
set -u

n=0 failed=0
check()
{
	n=$((n + 1))
	if [ "$1" = 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		failed=1
	fi
}

log=$(mktemp)
trap 'rm -f "$log"' EXIT
for source in "$TOP"/tests/fuzz/*.c; do
	name=$(basename "$source" .c)
	"$B/tests/fuzz/$name.replay" "$TOP/tests/fuzz/corpus/$name" \
	    >"$log" 2>&1
	status=$?
	check $status "$name: $(tail -n 1 "$log")"
	[ $status = 0 ] || tail -n 30 "$log" | sed 's/^/# /' >&2
done
[ $n -gt 0 ]
check $? 'there is something to replay'
echo "1..$n"
exit $failed

#!/bin/sh
# SPDX-License-Identifier: ISC
# `make fuzz` says of each target what it did, and does not take one that stops
# short, or crashes, or isn't there, for one that is well. The targets here are
# scripts.
set -u

n=0 bad=0
check() # STATUS SENTENCE
{
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		bad=1
	fi
}

dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
mkdir -p "$dir/tests/fuzz/corpus" "$dir/tests/lib"
cp "$TOP/tests/lib/random.sh" "$dir/tests/lib"
for name in good better short crashes leaves missing; do
	mkdir "$dir/tests/fuzz/corpus/$name"
	echo input >"$dir/tests/fuzz/corpus/$name/one"
done
head -c 3000 /dev/zero >"$dir/tests/fuzz/corpus/better/two"

target() # NAME, its commands on standard input
{
	{
		echo '#!/bin/sh'
		cat
	} >"$dir/tests/fuzz/$1.fuzz"
	chmod +x "$dir/tests/fuzz/$1.fuzz"
}

script=$TOP/tests/fuzz/run
run() # NAME...
{
	B=$dir TOP=$dir RUNS=500 SEED=7 JOBS=2 "$script" "$@" \
		>"$dir/out" 2>&1
}

said()
{
	grep -q "$1" "$dir/out" || {
		sed 's/^/# /' "$dir/out"
		return 1
	}
}

target good <<'EOF'
echo "$*"
echo '#500	DONE   cov: 10 ft: 20 corp: 3/4b lim: 5 exec/s: 6 rss: 7Mb'
EOF
target better <<'EOF'
echo "$*"
echo '#900	DONE   cov: 11 ft: 21 corp: 3/4b lim: 5 exec/s: 6 rss: 7Mb'
EOF
target short <<'EOF'
echo '#499	DONE   cov: 10 ft: 20 corp: 3/4b lim: 5 exec/s: 6 rss: 7Mb'
EOF
target crashes <<'EOF'
echo '#500	DONE   cov: 10 ft: 20 corp: 3/4b lim: 5 exec/s: 6 rss: 7Mb'
exit 77
EOF
target leaves <<'EOF'
exit 0
EOF

run good better
check $? 'targets that do all they were asked are well'
said '^fuzz good: 500 inputs, 10 edges, 20 features'
check $? 'what one did is said'
grep -q -e '-seed=7 .* -runs=500 -max_len=256 ' "$dir/good.log"
check $? 'the seed and the number of inputs come to it'
grep -q "corpus/better/one,.*corpus/better/two\$" "$dir/better.seeds"
check $? 'and what it begins with'
grep -q -e '-max_len=3000 ' "$dir/better.log"
check $? 'inputs are no longer than the longest of the corpus'
tail -n 1 "$dir/out" >"$dir/last"
grep -q 'seed 7, 2 of 2 .* 1400 inputs in all, 500 or more of each' "$dir/last"
check $? "the figure is last: $(sed 's/, in .*//' "$dir/last")"
for name in short crashes leaves missing; do
	! run good "$name"
	check $? "$name: the run fails"
	said "^fuzz $name: FAILED"
	check $? "$name: it is named"
	said '^fuzz good: 500 inputs'
	check $? "$name: the other has its turn"
done
echo "1..$n"
exit $bad

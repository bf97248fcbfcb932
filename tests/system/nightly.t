#!/bin/sh
# SPDX-License-Identifier: ISC
# `make nightly` has a row for every run, and its status is 1 if one of them
# failed, or said no figure. The runs here are a script in place of make.
set -u

n=0 bad=0
check() # STATUS SENTENCE
{
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		sed 's/^/# /' "$dir/out"
		bad=1
	fi
}

dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
cat >"$dir/make" <<'EOF'
#!/bin/sh
name=$2
case $name in
model)
	printf 'ok 1 - the relay keeps it\n1..1\n# model: 5 searches, 0 bad\n'
	exit
	;;
esac
[ $name = simulate ] && echo "# simulate: SEED=41 SEEDS=9" ||
	echo "# $name, SOME=1: seed 41"
echo "# $name: seed 41"
case "$name $BROKEN" in
"crash status")
	echo 'crash: seed 41, 9 kills, 1 lost'
	echo 'make: *** [GNUmakefile:1: crash-run] Error 1'
	exit 2
	;;
"crash silent") exit 0 ;;
"crash skipped")
	echo 'skipped: no loop devices'
	echo 'make: *** [GNUmakefile:1: crash-run] Error 77'
	exit 2
	;;
"crash early")
	echo 'Bail out! no keys'
	echo 'make: *** [GNUmakefile:1: crash-run] Error 1'
	exit 2
	;;
esac
[ -z "$SEED" ] || echo "# $SEED"
echo "$name: seed 41, all 3 well"
EOF
chmod +x "$dir/make"

script=$TOP/tests/fault/nightly
nightly() # BROKEN
{
	(cd "$dir" && BROKEN=$1 TOP=$dir MAKE=$dir/make SEED='' \
		"$script" >"$dir/out" 2>&1)
}

row() # START OF A ROW
{
	sed -n '/^| run/,$p' "$dir/out" | grep -qF "| $1"
}

last()
{
	tail -n 1 "$dir/out" | grep -q "$1"
}

all=$(sed -n "/RUNS'\$/,/^RUNS/p" "$script" | grep -c '^[a-z]')
all=$((all - 1)) # `done'
nightly none
check $? 'all runs are well, and so is the status'
[ "$(sed -n '/^|---/,/^$/p' "$dir/out" | grep -c '^| ')" = "$all" ]
check $? "each of the $all has a row"
row 'thinlink LINK=up | well |'
check $? 'with its arguments'
grep -q '^| simulate .* | 41 | simulate: seed 41, all 3 well |' "$dir/out"
check $? 'its seed and its figure'
row 'model N=4 | well |' && grep -q '| - | model: 5 searches, 0 bad |' "$dir/out"
check $? 'a figure may come after a plan, and there may be no seed'
last "^nightly: $all runs .* skipped: none, failed: none\$"
check $? 'the last line says that none has failed'

! nightly status
check $? 'when a run fails, so does the status'
grep -q '^| crash .* FAILED .* crash: seed 41, 9 kills, 1 lost |' "$dir/out"
check $? 'its row has its figure'
last 'failed: crash$'
check $? 'the last line names it'
row 'stopped T=300 | well'
check $? 'and all others have had their turn'
! nightly silent && last 'failed: crash$'
check $? 'a run without a figure has failed'
! nightly early && grep -q '^| crash .* FAILED .* no figure; Bail out! no keys |' \
	"$dir/out"
check $? 'what ended early says with which words'
nightly skipped && last 'skipped: crash, failed: none$'
check $? 'one that this machine cannot run is skipped, and named'
ONLY='crash model'
export ONLY
nightly none && last '^nightly: 2 runs'
check $? 'ONLY says which are wanted'
ONLY=crush
! nightly none
check $? 'of which there must be one'
echo "1..$n"
exit $bad

#!/bin/sh
# SPDX-License-Identifier: ISC
# A file of rules is read, or its faults are told; no home is needed for that.
set -u
. "${TOP:=$(pwd)}/tests/lib/federation.sh"
fed_begin
cd "$fed" || exit 1
export TOCSIN_HOME="$fed/none"

check()
{
	tocsin bot --check "$1" >out 2>err </dev/null
	status=$?
}

if [ -e /usr/share/zoneinfo/Asia/Kuala_Lumpur ]; then
	check "$TOP/docs/examples/escalation.rules"
	is "$status $(grep -vc 'hook pager cannot run here' err)" '0 0' \
		'the example is taken, with its roster'
	ok 'and it is said what it has' \
		grep -q '7 rules, 1 hook, 1 chain, 1 calendar, 1 duty' out
	cp "$TOP/docs/examples/escalation.rules" .
	check escalation.rules
	ok 'without its roster, the line that names it is told' \
		grep -q '^escalation.rules:[0-9]*:8: duty.txt: ' err
	printf '2026-11-21 08:00 Ali\n2026-11-20 08:00 Siti\n' >duty.txt
	check escalation.rules
	ok 'a fault of the roster is told with its own line' \
		grep -q '^duty.txt:2:1: a time that is not after' err
fi

printf '[rule a]\nwhen precedence is flsh\nat once: acknowlege\n' >wrong.rules
check wrong.rules
is "$status $(cat out)" '2 ' 'a file with faults is refused'
ok 'each is told with its line and column, and what is right' \
	grep -q '^wrong.rules:2:20: `flsh` is not .*; right would be: flash$' err
ok 'all of them at once' \
	grep -q '^wrong.rules:3:10: `acknowlege` is not .*: acknowledge$' err
printf '[hook page]\nrun /none/page\n[hook good]\nrun /bin/true\n' >hooks.rules
check hooks.rules
is "$status $(cat err)" "0 tocsin: hooks.rules has no rule: nothing will be done
tocsin: hooks.rules:1: hook page cannot run here: /none/page: No such file or \
directory" 'what will not do on this machine is told, and is no fault'
printf '[rule a]\nfor us\nat once: acknowledge\n' >'Night Shift.rules'
check 'Night Shift.rules'
is "$status" 0 'who only looks at a file may call it what he likes'
tocsin bot 'Night Shift.rules' 2>err
is $? 2 'who works by it needs a name for it'
ok 'and is told how to give one' grep -q 'give one with --name' err
check none.rules
is "$status" 2 'a file that is not there is none'
done_testing

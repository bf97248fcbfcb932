#!/bin/sh
# SPDX-License-Identifier: ISC
# The manual pages are well formed and say what the programs say.
set -u
cd "$TOP" || exit 1
n=0
check() # SENTENCE COMMAND...
{
	n=$((n + 1))
	said=$1
	shift
	if "$@"; then echo "ok $n - $said"; else echo "not ok $n - $said"; fi
}
clean()
{
	# Our pages refer to one another, and none is installed yet.
	[ -z "$(mandoc -Tlint "$1" 2>&1 |
		grep -v 'referenced manual not found\|outdated mandoc.db')" ]
}
for page in docs/*.[1-8]; do
	check "$page is clean" clean "$page"
done

# Each key of the configuration that init writes is in tocsind.conf(5).
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
"$B/tocsind" init --federation asean.example --nation sg --listen \
	127.0.0.1:7401 --state "$dir/sg" >/dev/null || echo 'Bail out! no init'
for key in $(sed -n 's/^#\{0,1\}\([a-z-]*\) = .*/\1/p' "$dir/sg/tocsind.conf")
do
	check "tocsind.conf(5) has $key" \
		grep -q "^\.It Cm $key\$" docs/tocsind.conf.5
done
keys=$(sed -n 's/^\.It Cm //p' docs/tocsind.conf.5 | sort)
check 'and no other' [ "$keys" = "$(sed -n \
	's/^#\{0,1\}\([a-z-]*\) = .*/\1/p' "$dir/sg/tocsind.conf" | sort)" ]

# So is each default.
awk '/^# Default: / { preset = $3 }
	/^#?[a-z-]+ = / { sub("#", ""); if (preset != "") print $1, preset; preset = "" }' \
	"$dir/sg/tocsind.conf" >"$dir/defaults"
awk '/^\.It Cm / { key = $3 } /^\.Ql .* \.$/ && was { print key, $2 }
	{ was = /^The default is$/ }' docs/tocsind.conf.5 >"$dir/told"
check 'tocsind.conf(5) has their defaults' [ -s "$dir/defaults" ]
check 'the same' diff "$dir/defaults" "$dir/told"

# Each word of a rules file is in tocsin-rules(5): what can be asked, what a line
# begins with, actions, fields of a text.
for word in $(sed -n 's/^	{ "\([a-z-]*\)", [FHr].*/\1/p' \
	client/bot/cond_read.c client/bot/rules_*.c) \
	$(sed -n 's/^	\[ACTION_[A-Z]*\] = { "\([a-z]*\)".*/\1/p' \
	client/bot/rules_rule.c) \
	$(sed -n 's/^	\[TEXT_[A-Z_]*\] = "\(.*\)",/{\1[:}]/p' client/bot/rules.c)
do
	check "tocsin-rules(5) has $word" grep -q "^\.It .*$word" \
		docs/tocsin-rules.5
done

# Each command in tocsind's help is in tocsind(8), and the other way round.
commands=$("$B/tocsind" help | sed -n 's/^  \([a-z][a-z ]*[a-z]\)  .*/\1/p' | sort)
check 'tocsind(8) has the commands that help lists' [ "$commands" = \
	"$(sed -n 's/^\.It Cm //p' docs/tocsind.8 | sort)" ]

# ARCHITECTURE.md says where each part stands; X_impl.h belongs to X.
parts_missing()
{
	for header in crypto/*.h client/*.h client/cli/*.h client/bot/*.h \
	    client/drill/*.h broker/*.h; do
		part=$(basename "$header" .h)
		grep -q "\`${part%_impl}\`" docs/ARCHITECTURE.md || echo "$part"
	done
}
check "ARCHITECTURE.md names each header $(parts_missing)" \
	[ -z "$(parts_missing)" ]
echo "1..$n"

#!/bin/sh
# SPDX-License-Identifier: ISC
#
# What a nation refuses at its border is not shipped: its sender is told, and
# what comes after it is not held up.
set -u

# shellcheck source=tests/lib/federation.sh
. "$TOP/tests/lib/federation.sh"

fed_two
us=singcert-desk1
fed_stop my
cat >>"$(conf my)" <<'EOS'

[accept]
largest-body = 16k
largest-part = 64k
refuse-kinds = query
refuse-labels = health personal-data
EOS
ok 'the configuration is well' tocsind check --config "$(conf my)"
fed_start my

refused() # ID REASON
{
	at $us status "$1" --json >"$fed/status" &&
		has "$fed/status" "$2"
}

head -c 100000 /dev/urandom >"$fed/large"
head -c 30000 /dev/urandom >"$fed/small"
head -c 40000 /dev/urandom | base64 -w 0 >"$fed/text"
label=$(post $us mycert@my --tlp AMBER --subject 'With a label' \
	--label personal-data)
kind=$(post $us mycert@my --tlp AMBER --subject 'A question' --kind query)
long=$(post $us mycert@my --tlp AMBER --subject 'Much text' --text "$fed/text")
part=$(post $us mycert@my --tlp AMBER --subject 'Attached' \
	--attach "$fed/large" --attach "$fed/small")
good=$(post $us mycert@my --tlp AMBER --subject 'Nothing special' \
	--label finance)
ok 'what is accepted arrives' wait_until 20 listed mycert-night "$good"
ok 'a ticket with a label that is refused does not: its sender is told' \
	wait_until 20 refused "$label" policy-denied
ok 'in its inbox too, and what to do' eval 'at singcert-desk1 inbox --offline |
	grep -q "mycert@my: the broker my refused it: .*\[policy-denied\]"'
ok 'and it may ask' eval 'at singcert-desk1 why "$label" |
	grep -q "the broker my refused it: .*\[policy-denied\]"'
ok 'nor one of a kind' wait_until 20 refused "$kind" kind-not-allowed
ok 'nor one that is too large' wait_until 20 refused "$long" too-large
is "$(at mycert-night inbox --json | json subject | sort | tr '\n' ',')" \
	'Attached,Nothing special,' 'the other side has none of them'
mkdir "$fed/out"
ok 'an attachment that is accepted comes' wait_until 20 \
	at mycert-night save "$part" small -o "$fed/out"
ok 'one that is too large does not' eval \
	'! at mycert-night save "$part" large -o "$fed/out" 2>"$fed/said"'
ok 'whoever wants it is told that it never will' \
	has "$fed/said" 'takes no attachment of that size from there'
ok 'with the reason' has "$fed/said" '[too-large]'
ok 'whoever exports the ticket, too' eval \
	'! at mycert-night show "$part" --export "$fed/exported" \
		2>"$fed/said" && has "$fed/said" "and it will not come"'
sender_knows() # COMMAND...: what it says names the attachment, and why
{
	at $us "$@" >"$fed/said" 2>&1 &&
		grep -q 'the broker my took it without large: .*\[too-large\]' \
			"$fed/said"
}
ok 'its sender is told: status' wait_until 20 sender_knows status "$part"
ok 'show' sender_knows show "$part" --no-receipt
ok 'and why' sender_knows why "$part"
is "$(grep -c small "$fed/said")" 0 'of the one that came nothing is said'
json_says() # PATTERN COMMAND...
{
	says=$1
	shift
	at $us "$@" --json | tr -d ' \n' | grep -q "$says"
}
ok 'programs are told by status' json_says \
	'"without":\[{[^]]*"name":"large","nation":"my".*"too-large"' \
	status "$part"
ok 'by show' json_says '"name":"large".*"without":\[{.*"name":"small"' \
	show "$part"
ok 'and by why' json_says '"too-large".*"state":"without"' why "$part"
at $us status "$part" --proof "$fed/proof" >/dev/null
ok 'a proof has a line of it' grep "$fed/proof/status.txt" -qe \
	'^my without .* receipt-[0-9a-f]* my: [^ ]* too-large$'
at $us verify "$fed/proof" --json >"$fed/judged"
ok 'which verifies' eval 'grep "my without " "$fed/judged" |
	grep "\"good\": *true" | grep -q "\"proved\": *true"'
sed -i 's/^\(my without .* my: \)[^ ]* /\1AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= /' \
	"$fed/proof/status.txt"
ok 'and not with another part' eval '! at singcert-desk1 verify "$fed/proof" \
	>"$fed/judged" 2>&1'
# Bodies, attachments: 100,000 and 54,000 bytes that stay at home.
ok 'what would be refused is not shipped' \
	eval '[ "$(counter sg bytes_out)" -lt 90000 ]'

# What a nation does not take of its own members it does not of others either;
# the ticket it does.
fed_stop my
sed -i -e 's/^#* *part-max *=.*/part-max = 16k/' -e '/^largest-part/d' \
	"$(conf my)"
ok 'a smaller part-max is well, too' tocsind check --config "$(conf my)"
fed_start my
part=$(post $us mycert@my --tlp AMBER --subject 'For a small broker' \
	--attach "$fed/small")
ok 'a ticket with an attachment beyond part-max arrives' \
	wait_until 20 listed mycert-night "$part"
ok 'its attachment does not' eval \
	'! at mycert-night save "$part" small -o "$fed/out" 2>"$fed/said"'
ok 'and who wants it is told why' has "$fed/said" '[too-large]'
ok 'its sender is, too' wait_until 20 eval 'at singcert-desk1 status "$part" |
	grep -q "the broker my took it without small: "'
ok 'nor may a member post one there' eval \
	'! at mycert-night post --to singcert@sg --tlp AMBER \
		--subject "Too large" --attach "$fed/small" 2>"$fed/said" &&
		has "$fed/said" "[too-large]"'
done_testing

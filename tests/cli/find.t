#!/bin/sh
# What find finds, and what it does not.
set -u
. "${TOP:=$(pwd)}/tests/lib/federation.sh"
command -v jq >/dev/null || skip_all 'no jq on this machine'
fed_begin
fed_authorities aa bb cc
fed_broker sg
fed_member singcert@sg desk1
fed_roster
fed_trust singcert-desk1
TOCSIN_HOME=$fed/homes/singcert-desk1
export TOCSIN_HOME
must tocsin keys publish --wait 0 >/dev/null 2>&1

post() # SUBJECT TEXT OPTION...: the id of a ticket
{
	subject=$1
	printf '%s' "$2" >"$fed/text"
	shift 2
	tocsin post --to singcert@sg --subject "$subject" --text "$fed/text" \
		--wait 0 --json "$@" 2>/dev/null | jq -r .id
}

found() # WORD...: the subjects, in the order of the list
{
	tocsin find --json "$@" 2>/dev/null | jq -r .subject | tr '\n' ';'
}

bank=$(post 'Phishing at a bank' 'Many letters to the customers of
Ngân Hàng Á Châu, all from one server' --tlp AMBER)
: >"$fed/Invoice-Kestrel.pdf"
printf x >"$fed/Invoice-Kestrel.pdf"
ministry=$(post 'MINISTRY server taken' 'A beacon to 192.0.2.7' --tlp RED \
	--attach "$fed/Invoice-Kestrel.pdf")
wide=$(post '钓鱼邮件' 'ＳＥＲＶＥＲ ສະບາຍດີ' --tlp CLEAR)
ok 'there are tickets' [ -n "$bank" ] && [ -n "$ministry" ] && [ -n "$wide" ]

is "$(found phishing)" 'Phishing at a bank;' 'a word of a subject'
is "$(found beacon)" 'MINISTRY server taken;' 'of a text'
is "$(found kestrel)" 'MINISTRY server taken;' 'of an attachment'\''s name'
is "$(found ministry)" 'MINISTRY server taken;' 'whatever the case'
is "$(found 'ngan hang a chau')" 'Phishing at a bank;' 'without accents'
is "$(found 'NGÂN HÀNG')" 'Phishing at a bank;' 'or with them'
is "$(found 'customers of ngan')" 'Phishing at a bank;' 'across lines'
is "$(found 钓鱼)" '钓鱼邮件;' 'in other scripts'
is "$(found ສະບາຍ)" '钓鱼邮件;' 'of any kind'
is "$(found server)" \
	'Phishing at a bank;MINISTRY server taken;钓鱼邮件;' \
	'in all that have it, also in wide letters'
is "$(found server bank)" 'Phishing at a bank;' 'of several words all'
is "$(found server nowhere)" '' 'not one alone'
is "$(found server --tlp red)" 'MINISTRY server taken;' 'with a label'
is "$(found server --state closed)" '' 'in a state'
is "$(found server --from @my)" '' 'of a nation'
is "$(found server --since 1h --mine)" \
	'Phishing at a bank;MINISTRY server taken;钓鱼邮件;' \
	'and with the other filters of inbox'

must tocsin note "$bank" -m 'the kingfisher has landed' --wait 0 >/dev/null 2>&1
is "$(found kingfisher phishing)" 'Phishing at a bank;' \
	'words of different messages of a ticket'
is "$(tocsin find kingfisher --json | jq -r '.hits[] | .kind + " " + .member +
	" " + .found')" 'update text kingfisher' 'with what said it, and where'

tocsin find KINGFISHER >"$fed/out"
ok 'the label stands first' grep -q '^TLP:AMBER ' "$fed/out"
ok 'and before each place' grep -q '^  TLP:AMBER .*update from singcert@sg' \
	"$fed/out"
ok 'with what stands around it' grep -q '^    the kingfisher has landed$' \
	"$fed/out"
tocsin find zebra >"$fed/out" 2>"$fed/err"
is $? 0 'that nothing is found is no failure'
is "$(cat "$fed/out")" '' 'and prints nothing'
ok 'but on standard error' grep -q 'nothing that is open' "$fed/err"

said=$(tocsin find kingfisher --json | jq -r '.hits[0].message')
must tocsin relabel "$said" --tlp RED --wait 0 >/dev/null 2>&1
is "$(tocsin find kingfisher --json | jq -r '.tlp, .hits[0].tlp')" \
	"$(printf 'AMBER\nRED')" 'a label is as its author last said'

# Hostile text.
esc=$(printf 'grebe \033]0;owned\007 \342\200\256evil')
post 'harmless' "$esc" --tlp AMBER >/dev/null
tocsin find grebe >"$fed/out"
ok 'no escape sequence comes out' eval '! LC_ALL=C grep -q "$(printf "\033")" \
	"$fed/out"'
ok 'it is shown' grep -q '<U+001B>' "$fed/out"
split=$(printf 'os\342\200\213pr\314\201ey')
post 'split' "$split" --tlp AMBER >/dev/null
is "$(found osprey)" 'split;' 'nothing invisible hides a word'

# What was taken back.
must tocsin recall "$ministry" --attachment Invoice-Kestrel.pdf --wait 0 \
	>/dev/null 2>&1
is "$(found kestrel)" '' 'a recalled attachment is not found'
is "$(found beacon)" 'MINISTRY server taken;' 'its message is'
must tocsin recall "$ministry" --wait 0 >/dev/null 2>&1
is "$(found beacon)" '' 'until it is recalled'

called_wrongly 'needs more' 'it takes a word' tocsin find
called_wrongly 'nothing in' 'that can be searched' tocsin find ' '
called_wrongly 'nearest is AMBER' 'and labels that there are' \
	tocsin find x --tlp ambr

done_testing

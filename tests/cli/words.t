#!/bin/sh
# Wrong input: a sentence, a reason code, an exit status, and nothing done.
set -u
. "${TOP:=$(pwd)}/tests/lib/federation.sh"
fed_begin

# STATUS REASON WORDS COMMAND...: the status, one line on stderr with the words
# and the reason in brackets, and nothing on stdout.
says()
{
	said_status=$1 said_reason=$2 said_words=$3
	shift 3
	"$@" >"$fed/out" 2>"$fed/err" </dev/null
	got=$?
	[ $got = "$said_status" ] && [ ! -s "$fed/out" ] &&
		[ "$(wc -l <"$fed/err")" = 1 ] &&
		grep -q "^tocsin: .*$said_words.* \[$said_reason\]\$" "$fed/err"
	tap $? "$said_status $said_reason: $(cut -c 9-90 "$fed/err")" || {
		echo "# status $got, wanted $said_status: $*" >&2
		sed 's/^/# /' "$fed/err" >&2
	}
}

t()
{
	tocsin "$@"
}

# ---- commands and options ----

says 2 usage 'nearest is post' t pots
says 2 usage 'nearest is escalate' t help escalade
says 2 usage 'nearest is --tlp' t post --tpl RED
says 2 usage 'nearest is -m' t note x -n y
says 2 usage 'needs a value' t post --to
says 2 usage 'given twice' t post --tlp RED --tlp GREEN
says 2 usage 'takes no value' t inbox --unacked=yes
says 2 usage 'one word too many' t status a b
says 2 usage 'needs more' t show
says 2 usage 'nearest is roster verify' t roster verfy
says 2 usage 'needs more' t roster
says 2 usage 'no number from' t watch -n 0
says 2 usage 'no number from' t inbox --wait -1
says 2 usage 'bash, zsh and fish' t completion csh
says 2 usage 'nearest is severity' t words sevrity
says 2 usage 'nearest code is quota' t why quotta
is "$(tocsin why 16)" "$(tocsin why busy)" 'a reason has a number, too'
says 2 usage 'from 0 to' t why 999
says 2 usage 'one of --accept' t ack 7k2m
says 2 usage 'one of --accept' t ack 7k2m --accept --defer
says 2 usage 'needs a text' t note 7k2m
says 2 usage 'needs a text' t query 7k2m
says 2 usage 'has no option' t close 7k2m --to a@b
says 2 usage 'whom' t share 7k2m
says 2 usage 'one of --start' t due 7k2m --start a --done b
says 2 usage 'of which ticket' t due --start nis2
says 2 usage 'must have been' t post --to a@b --tlp RED --subject x --detected 2099-01-01T00:00:00Z
says 2 usage 'whom' t escalate 7k2m
says 2 usage 'whom' t post --tlp RED --subject x
says 2 usage 'write 30m' t post --to a@b --tlp RED --subject x --ackby soon
says 2 usage 'write 30m' t post --to a@b --tlp RED --subject x \
	--ackby 2026-02-30T00:00:00Z
says 2 usage 'what it is about' t post --to a@b --tlp RED

# ---- no home ----

TOCSIN_HOME=$fed/nowhere
export TOCSIN_HOME
says 1 not-found 'is no home' t inbox
says 1 not-found 'is no home' t trust "$fed/x"
says 2 usage 'of the form asean.example' t init --federation asean \
	--member cert@bb --device d1 --broker tcp://127.0.0.1:1
says 2 usage 'of the form mycert@my' t init --federation a.b --member ab \
	--device d1 --broker tcp://127.0.0.1:1
says 2 usage 'needs --broker' t init --federation a.bb --member cert@bb --device d1
says 2 usage 'nearest is officer' t init --federation a.bb --member cert@bb \
	--device d1 --broker tcp://127.0.0.1:1 --role oficer
says 2 usage 'or --no-passphrase' t init --federation a.bb --member cert@bb \
	--device d1 --broker tcp://127.0.0.1:1 --passphrase --no-passphrase
ok 'none of which made a home' [ ! -e "$TOCSIN_HOME" ]

# ---- a home without a roster, then with one; nobody listens ----

unset TOCSIN_HOME
fed_authorities aa bb cc
port_sg=1 port_my=1
fed_member singcert@sg desk1
fed_member mycert@my night
TOCSIN_HOME=$fed/homes/singcert-desk1
export TOCSIN_HOME
post()
{
	tocsin post --wait 0 --to singcert@sg --subject s "$@"
}
imports()
{
	tocsin import --wait 0 --to singcert@sg --subject s "$@"
}
says 1 roster-unknown 'tocsin trust' t inbox
says 1 roster-unknown 'tocsin trust' post --tlp RED
says 1 roster-unknown 'tocsin trust' t keys publish
fed_roster
fed_trust singcert-desk1
says 1 keys-expired 'singcert@sg has no current keys' post --tlp RED
tocsin keys publish --wait 0 >/dev/null 2>&1

says 2 usage '--tlp RED.*no default' post
says 2 usage 'nearest is AMBER' post --tlp AMBR
says 2 usage 'nearest is malicious-code:c2-server' post --tlp RED \
	--class c2-server
says 2 usage 'nearest is' post --tlp RED --severity medium
says 2 usage 'nearest is worsening' post --tlp RED --outlook worse
says 2 usage 'nearest is GREEN' post --tlp RED --pap gren
says 2 usage 'nearest is energy' post --tlp RED --sector enrgy
says 2 usage 'comes from both' post --tlp RED --loss serious
says 2 usage 'is GB/T 20986:II, not GB/T 20986:I' post --tlp RED \
	--importance important --loss especially-serious --severity I
says 2 usage 'nearest is flash' post --tlp RED --precedence flahs
says 2 usage 'is no label' post --tlp RED --label 'Personal Data'
says 2 usage 'no name of an exercise' post --tlp RED --exercise 'a b'
says 2 usage 'no kind of message' post --tlp RED --kind rumour
says 2 usage 'a member is team@nation' post --tlp RED --to nobody
says 1 not-enrolled 'nocert@xx is not in roster 1' post --tlp RED --to nocert@xx
says 1 keys-expired 'mycert@my has no current keys' post --tlp RED \
	--to mycert@my

# ---- files ----

says 1 not-found 'no such file' t roster show "$fed/none"
says 2 usage 'it is not a file' t roster show "$fed"
says 2 usage 'say what it is about' t post --to a@b --tlp RED --subject ''
says 2 usage 'is over' t post --to a@b --tlp RED --subject x \
	--ackby 2020-01-01T00:00:00Z
says 1 not-found 'no such file' post --tlp RED --text "$fed/none"
says 1 not-found 'no such file' post --tlp RED --attach "$fed/none"
says 2 usage 'not a file' post --tlp RED --attach "$fed"
says 2 usage 'not a file' post --tlp RED --text "$fed"
printf 'a\0b' >"$fed/binary"
says 1 malformed 'NUL' post --tlp RED --text "$fed/binary"
printf '\377\376' >"$fed/latin"
says 1 malformed 'not UTF-8' post --tlp RED --text "$fed/latin"
head -c 300000 /dev/zero | tr '\0' x >"$fed/long"
says 1 too-large '' post --tlp RED --text "$fed/long"
truncate -s 2G "$fed/huge"
says 1 too-large 'larger than' post --tlp RED --attach "$fed/huge"
for bad in '' '[]' '{"type":"bundle"}' '{"type":"bundle","objects":[1]}' \
	'{"type":"bundle","type":"bundle","objects":[]}' \
	'{"type":"bundle","objects":[{"type":"report","name":"\ud800"}]}'; do
	printf '%s' "$bad" >"$fed/stix"
	says 1 malformed '' imports "$fed/stix" --tlp RED
done
{
	printf '{"type":"bundle","objects":'
	head -c 5000 /dev/zero | tr '\0' '['
} >"$fed/stix"
says 1 malformed 'no format that is known' imports "$fed/stix" --tlp RED
says 1 malformed 'cannot be read as MISP event' \
	imports "$TOP/docs/examples/samples/xarf-ddos.json" --as misp --tlp RED
says 2 usage 'nearest is stix' imports "$fed/stix" --as stx --tlp RED
says 2 usage 'Markdown is only written' imports "$fed/stix" --as markdown
says 2 usage 'no default' imports "$TOP/docs/examples/samples/xarf-ddos.json"
is "$(tocsin inbox --offline)" '' 'nothing of all this was posted'
is "$(ls "$TOCSIN_HOME/spool" 2>/dev/null)" '' 'and nothing is left in the spool'

# ---- ids ----

i=0
while [ $i -lt 40 ]; do
	i=$((i + 1))
	post --tlp CLEAR >/dev/null 2>&1
done
says 1 not-found 'no message here' t show zzzz-zzzz-zzzz --wait 0
says 2 usage 'is no id' t show abc
says 2 usage 'is no id' t show 'u!u!'
says 1 not-found 'no message here' t status 7k2m --wait 0
id=$(tocsin inbox --offline --json | json id | head -n 1)
short=$(tocsin inbox --offline --json | json short_id | head -n 1)
ok 'a full id is found' t show "$id" --no-receipt
ok 'a short id is' t show "$short" --no-receipt
ok 'four characters of it, in any case, are' \
	t show "$(echo "$short" | cut -c 1-4 | tr a-z A-Z)" --no-receipt
says 1 not-found 'no attachment of the name x' t save "$id" x --wait 0
says 1 not-found 'no such folder' t save "$id" x -o "$fed/none"
says 2 usage 'nearest is Other' t ack "$id" --refuse othr

# ---- output that does not arrive ----

if [ -c /dev/full ]; then
	tocsin inbox --offline >/dev/full 2>"$fed/err"
	is $? 1 'a full disk under stdout is a failure'
	ok 'and is said' grep -q '^tocsin: stdout: ' "$fed/err"
fi

# ---- hostile words come back harmless ----

esc=$(printf '\033[31m')
tocsin show "$esc" 2>"$fed/err"
is "$(tr -cd '\033' <"$fed/err")" '' 'no escape sequence comes back'
ok 'it is shown instead' grep -q '<U+001B>' "$fed/err"

done_testing

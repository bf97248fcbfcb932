#!/bin/sh
# SPDX-License-Identifier: ISC
#
# What follows from the log is made anew: of each table a row is damaged, in its
# value or in its key, and then of all at once. It is detected, repaired, and
# the store is clean; the broker goes on, peers have all that they should, and
# readers get nothing twice.
set -u

# shellcheck source=tests/lib/federation.sh
. "$TOP/tests/lib/federation.sh"

fed_two
for i in 1 2 3 4; do
	must post singcert-desk1 mycert@my --tlp GREEN --subject "one $i" \
		>/dev/null
	must post mycert-night singcert@sg --tlp GREEN --subject "two $i" \
		>/dev/null
done
head -c 200000 /dev/urandom >"$fed/attached"
with=$(post singcert-desk1 mycert@my --tlp GREEN --subject 'with a part' \
	--attach "$fed/attached")
must wait_until 30 shows mycert-night "$with" 'with a part'
mkdir "$fed/saved" "$fed/back"
must wait_until 30 at mycert-night save "$with" attached -o "$fed/saved"
all_here() # everybody has what the other one sent
{
	[ "$(at mycert-night inbox --json | grep -c '"subject":"one ')" = 4 ] &&
		[ "$(at singcert-desk1 inbox --json |
			grep -c '"subject":"two ')" = 4 ]
}
ok 'tickets go both ways' wait_until 30 all_here
delivered()
{
	stands singcert-desk1 "$with" mycert@my delivered
}
ok 'and are delivered' wait_until 30 delivered
# What waits for a peer stands in an outbox.
fed_stop my
queued=$(post singcert-desk1 mycert@my --tlp GREEN --subject 'one queued')
fed_stop sg
cp -rp "$fed/sg/store" "$fed/kept"

verify()
{
	tocsind verify --config "$(conf sg)" "$@"
}
ok 'the store is clean' verify
root=$(verify | sed -n 's/^root //p')

# A byte each at an offset from the end of what a pattern finds: in rows that
# are in use, and in old ones that nobody reads.
rot() # OFFSET PATTERN...
{
	perl -e 'my $off = shift; my $path = shift;
		open F, "+<", $path or die; local $/; my $all = <F>; my $n = 0;
		for my $pattern (@ARGV) {
			my $re = eval "qr/$pattern/s" or die $@;
			while ($all =~ /$re/g) {
				my $at = pos($all) + $off;
				seek F, $at, 0;
				print F chr(ord(substr($all, $at, 1)) ^ 1);
				$n++;
			}
		}
		close F or die; exit($n == 0)' -- "$1" "$fed/sg/store/log.mdb" "$2"
}
put_back()
{
	rm -rf "$fed/sg/store" "$fed/sg/head"
	cp -rp "$fed/kept" "$fed/sg/store"
}
repaired() # WORDS NAME: verify tells, repair does, and all is as it was
{
	verify >"$fed/told"
	is "$?, $(grep -cE "problem: .*$1.*verify --repair" "$fed/told" |
		sed 's/[1-9][0-9]*/+/')" '1, +' "$2: it is told, with what to do" ||
		sed 's/^/# /' "$fed/told"
	verify --repair >"$fed/did" 2>&1
	is "$?, $(grep -c '^repaired: ' "$fed/did" | sed 's/[1-9][0-9]*/+/')" \
		'0, +' "$2: it is repaired" || sed 's/^/# /' "$fed/did"
	is "$(verify | sed -n 's/^root //p')" "$root" "$2: the store is clean" ||
		verify | sed 's/^/# /'
}
text() # WORDS: as hex, for a pattern
{
	printf %s "$1" | od -An -v -tx1 | tr -d '\n' | sed 's/ /\\x/g'
}
member=$(text singcert@sg)
id=$(printf %s "$with" | base64 -d | od -An -v -tx1 | tr -d '\n' |
	sed 's/ /\\x/g')

table() # NAME WORDS OFFSET PATTERN
{
	put_back
	ok "$1: there is such a row" rot "$3" "$4"
	repaired "$2" "$1"
}
# member 00 seq | check
table 'a mailbox' 'row of a mailbox' 0 "$member\\x00\\x00{7}."
table 'a mailbox, in the key' 'row of a mailbox' -1 "$member\\x00\\x00{7}."
# id | seq, check
table 'an id' 'id' 0 "$id(?=.\\x00{7})"
table 'an id, in the key' 'id' -1 "$id(?=.\\x00{7})"
# name | value, check
table 'a roster' 'small row' 0 "$(text roster/1)(?=\\x00{7})"
table 'the current roster' 'small row' 7 "$(text roster/current)"
table 'an announcement' 'small row' 7 "$(text keys/mycert@my)"
table 'the head of a chain' 'small row' 3 "$(text chain/singcert@sg/desk1)"
table 'the cursor of a device' 'small row' 7 \
	"$(text cursor/singcert@sg/desk1)"
table 'the first roster' 'small row' 3 "$(text genesis)"
# peer 00 lane n | seq, check
table 'an outbox' 'row of an outbox' 3 "$(text my)\\x00\\x03\\x00{7}."
# peer 00 lane | n, check
table 'a counter' 'small row' 0 "$(text my)\\x00\\x03(?=.\\x00{7})"

# The part's row: its hash | number, total, have, ...
part=$(perl -e 'open F, "<", $ARGV[0] or die; local $/; my $all = <F>;
		while ($all =~ /\npart ([0-9]+) (\S{44})\n/g) {
			print "$2\n" if $1 > 100000 }' "$fed/sg/store/log.mdb" |
	head -n 1)
hash=$(printf %s "$part" | base64 -d | od -An -v -tx1 | tr -d '\n' |
	sed 's/ /\\x/g')
table 'a part' 'row of a part' 8 "$hash(?=.\\x00{7})"
table 'a part, in the key' 'row of a part' -1 "$hash(?=.\\x00{7})"

# The row of an entry: segment, offset, len, check of the record | nodes, check.
leaf()
{
	perl -MDigest::SHA=sha256 -MMIME::Base64 -e '
		print unpack("H*", sha256("\0" . decode_base64($ARGV[0])))' \
		"$1" | sed 's/../\\x&/g'
}
table 'a leaf of the tree' '(tree|row of the entry)' -1 "$(leaf "$with")"
table 'the place of a record' '(tree|row of the entry)' -50 "$(leaf "$with")"
table 'the number of its segment' '(tree|row of the entry)' -56 "$(leaf "$with")"

# What cannot be made anew.
put_back
must rot 0 "$(text format)"
is "$(verify --repair | grep -c 'problem: .*restore the newest backup')" 1 \
	'a damaged format is no matter of repair'
put_back
must tocsind backup "$fed/backup" --config "$(conf sg)" >/dev/null
must tocsind restore "$fed/backup" --config "$(conf sg)" >/dev/null
must rot 7 "$(text epochs)"
refuses 'cannot be made anew; restore' \
	'nor is how often the store was restored' verify --repair

# ---- a broker that runs ----

put_back
must rot 0 "$member\\x00\\x00{7}."
sed -i 's/^#*check = .*/check = 1s/' "$(conf sg)"
fed_start sg
ok 'a broker that runs finds a damaged row, and says what to do' \
	wait_until 30 grep -q 'event=row-damaged .*verify --repair' "$fed/sg/log"
refuses 'runs; end it' 'it has to be ended first' verify --repair
fed_stop sg

# ---- all at once, and on it goes ----

put_back
for rotten in "$member\\x00\\x00{7}." "$(text keys/)mycert@my.{7}" \
	"$(text my)\\x00\\x03\\x00{7}.(?=.{3})" "$(text roster/1)(?=\\x00{7})" \
	"$(text chain/singcert@sg/desk1)" "$(text cursor/singcert@sg/desk1)" \
	"$hash(?=.\\x00{7})" "$id(?=.\\x00{7})" "$(leaf "$with").{0}"; do
	must rot 0 "$rotten"
done
ok 'all of it at once is repaired' verify --repair
fed_start sg my
ok 'what was queued for the peer arrives' \
	wait_until 60 shows mycert-night "$queued" 'one queued'
late=$(post singcert-desk1 mycert@my --tlp GREEN --subject 'one after')
ok 'so does what is posted now' \
	wait_until 60 shows mycert-night "$late" 'one after'
must post mycert-night singcert@sg --tlp GREEN --subject 'three' >/dev/null
three()
{
	at singcert-desk1 inbox --json | grep -q '"subject":"three"'
}
ok 'and what the peer posts' wait_until 60 three
twice()
{
	at "$1" inbox --json | jq -r .id | sort | uniq -d
}
is "$(twice singcert-desk1)$(twice mycert-night)" '' 'no desk has a ticket twice'
fed_device singcert@sg desk2
fed_trust singcert-desk2
must at singcert-desk1 keys publish --card "$fed/devices/singcert-desk2" \
	>/dev/null
all()
{
	[ "$(at singcert-desk2 inbox --json | grep -c '"id":')" = 12 ]
}
ok 'a new device gets all that there is' wait_until 30 all
ok 'the attachment is there' wait_until 30 at singcert-desk1 save "$with" \
	attached -o "$fed/back"
ok 'it is the same' cmp "$fed/attached" "$fed/back/attached"
same() # both count the same items
{
	tocsind status --config "$(conf sg)" --json |
		jq -e '.peers[0] | .waiting == 0 and .agreed > 0' >/dev/null
}
ok 'both brokers agree on what was sent' wait_until 30 same
ok 'and the store is clean' verify
done_testing

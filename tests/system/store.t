#!/bin/sh
# SPDX-License-Identifier: ISC
#
# The store, as its operator looks after it: walked while it is written to and
# while it is not, harmed, and told what is wrong and what to do.
set -u

# shellcheck source=tests/lib/federation.sh
. "$TOP/tests/lib/federation.sh"

fed_two

verify() # BROKER
{
	tocsind verify --config "$(conf "$1")"
}
# ---- verify ----

# No peer has this one.
own=$(post singcert-desk1 singcert@sg --tlp GREEN --subject 'our own')
for i in 1 2 3 4 5; do
	must post singcert-desk1 mycert@my --tlp GREEN --subject "hello $i" \
		>/dev/null
done
head -c 200000 /dev/urandom >"$fed/attached"
with=$(post singcert-desk1 mycert@my --tlp GREEN --subject 'with a part' \
	--attach "$fed/attached")
must wait_until 30 shows mycert-night "$with" 'with a part'
mkdir "$fed/saved" "$fed/back"
ok 'an attachment arrives abroad' \
	wait_until 30 at mycert-night save "$with" attached -o "$fed/saved"
ok 'a store is verified while its broker runs' verify sg
is "$(verify sg | grep -c '^[0-9]* entries.* no problem found$')" 1 \
	'and it says what it walked'
fed_stop sg
root=$(verify sg | sed -n 's/^root //p')
is "$(verify sg | sed -n 's/^root //p')" "$root" \
	'a broker that does not run has one root'
refuses 'not-found|No such' 'a folder that is not there' \
	tocsind verify --store "$fed/nowhere"

cp -rp "$fed/sg/store" "$fed/kept"
put_back() # by hand, which a broker that has gone on would notice
{
	rm -rf "$fed/sg/store" "$fed/sg/head"
	cp -rp "$fed/kept" "$fed/sg/store"
}
harm() # PERL: of the file's bytes in $_
{
	put_back
	perl -0777 -i -pe "$1" "$fed/sg/store/log.mdb"
}
told() # WORDS SENTENCE
{
	verify sg >"$fed/told" 2>&1
	is "$?, $(grep -cE "^problem: .*$1" "$fed/told" | sed 's/[1-9][0-9]*/+/')" \
		'1, +' "$2"
}
harm 's/age-encryption.org\/v1/age-encryption.org\/v2/g'
told 'entry [0-9]+: the entry is damaged; .*peer' \
	'one changed byte in a body is told, with what to do'
harm 's/^(.{20000}).*/$1/s'
told 'is cut: .*restore' 'so is a file that was cut'
harm 's/^.{4096}/"x" x 4096/se'
told 'does not begin as a store.*restore' 'or does not begin as one'
# Each page but the first two says in its head how its rows lie.
harm 'my $n = length; for (my $i = 8192; $i < $n; $i += 4096) {
	substr($_, $i + 12, 2) = "\xff\x7f" if substr($_, $i + 10, 2) eq "\x02\0" }'
told 'restore' 'and pages of which the engine itself dies'
put_back
ok 'what was put back is clean' verify sg

# ---- a damaged entry comes back from a peer ----

harm 's/age-encryption.org\/v1/age-encryption.org\/v2/g'
damaged=$(verify sg | grep -c 'the entry is damaged')
ok 'several entries are damaged' [ "$damaged" -gt 1 ]
is "$(verify sg | grep -c 'a range of a part is damaged; .*peer')" 1 \
	'so is a part'
fed_start sg
# Whoever reads finds them: here a device that has nothing yet.
fed_device singcert@sg desk2
fed_trust singcert-desk2
must at singcert-desk1 keys publish --card "$fed/devices/singcert-desk2" \
	>/dev/null
at singcert-desk2 inbox >/dev/null 2>&1
mended()
{
	at singcert-desk2 inbox >/dev/null 2>&1
	[ "$(grep -c event=entry-mended "$fed/sg/log")" -ge $((damaged - 1)) ]
}
ok 'a reader finds them, and they come back from a peer' wait_until 30 mended
ok 'who wants the part waits until it came back, too' \
	wait_until 30 at singcert-desk1 save "$with" attached -o "$fed/back"
ok 'and gets what was attached' cmp "$fed/attached" "$fed/back/attached"
ok 'the log says that it was mended' grep -q 'event=part-mended .*ranges=1 peer=my' \
	"$fed/sg/log"
is "$(verify sg | grep -c ^problem:)" 1 \
	'but for the one that no peer has, the store is clean'
is "$(tocsind status --config "$(conf sg)" --json | json damaged)" 1 \
	'so says status'
ok 'and the log' grep -q 'event=entry-not-mended.*not-found' \
	"$fed/sg/log"
is "$(at singcert-desk2 inbox --json | grep -c "$own")" 0 \
	'it is not handed out, and holds nobody up'
fed_stop sg
put_back

# ---- what nobody reads is found, too ----

status() # FIELD
{
	tocsind status --config "$(conf sg)" --json | json "$1"
}
check_each() # TIME
{
	sed -i "s/^#*check = .*/check = $1/" "$(conf sg)"
}
round() # a whole one that began after now
{
	round_now=$(counted)
	wait_until 30 eval "[ \$(counted) -ge $((round_now + 2)) ]"
}
counted()
{
	grep -c event=store-checked "$fed/sg/log"
}
check_each 1s
fed_start sg
ok 'all of the store is read by the way' round
is "$(status check_done_found)" 0 'and nothing is found'
ok 'status says when that was' eval "tocsind status --config '$(conf sg)' |
	grep -q '^checked  *[0-9-]*T[0-9:]*Z'"
is "$(sed -n 's/.*event=store-checked bytes=\([0-9]*\).*/\1/p' "$fed/sg/log" |
	awk '$1 > 200000 { n = 1 } END { print n }')" 1 \
	'and the log how much that was'
# In the file of a broker that runs, all inline bodies and one attachment.
before=$(grep -c event=entry-mended "$fed/sg/log")
perl -e 'open F, "+<", $ARGV[0] or die; local $/; my $all = <F>;
	while ($all =~ /age-encryption.org\/v1/g) {
		seek F, pos($all) - 1, 0; print F "2" }
	close F or die' "$fed/sg/store/log.mdb"
found()
{
	[ "$(grep -c event=entry-mended "$fed/sg/log")" -ge \
		$((before + damaged - 1)) ] &&
		[ "$(grep -c event=part-mended "$fed/sg/log")" -ge 2 ]
}
ok 'damage is found and mended, and no reader asked for it' \
	wait_until 30 found
ok 'the log says that the watchman saw it' eval \
	"grep -q event=entry-damaged '$fed/sg/log' &&
	grep -q event=part-damaged '$fed/sg/log'"
is "$(verify sg | grep -c ^problem:)" 1 \
	'but for the one that no peer has, the store is clean'
ok 'another round' round
is "$(status check_done_found)" 1 'finds that one alone'
fed_stop sg
put_back

# ---- a file that is cut under a running broker ----

fed_stop my # else it makes the broker write, and the file grows again
fed_start sg
ended()
{
	gone "$(fed_pid sg)" ||
		grep -q '^State:.*[ZX]' "/proc/$(fed_pid sg)/status"
}
truncate -s 8192 "$fed/sg/store/log.mdb"
tocsind status --config "$(conf sg)" >/dev/null 2>&1
at singcert-desk1 post --to mycert@my --tlp GREEN --subject cut --wait 0 \
	>/dev/null 2>&1
wait_until 20 ended || kill -KILL "$(fed_pid sg)"
wait "$(fed_pid sg)"
is $? 1 'a broker whose file is cut under it ends'
ok 'and says what to do' grep -q \
	'event=store-damaged .*tocsind verify.*tocsind restore' "$fed/sg/log"
refuses 'is cut.*restore' 'it does not start on it again' \
	tocsind run --config "$(conf sg)"
put_back
done_testing

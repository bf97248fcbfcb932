#!/bin/sh
# The board: the figures, the page they stand on, and who may have it.
set -u
. "${TOP:=$(pwd)}/tests/lib/federation.sh"
command -v jq >/dev/null || skip_all 'no jq on this machine'
fed_begin
fed_authorities aa bb cc
fed_broker sg
fed_broker my
fed_member singcert@sg desk1
fed_member mycert@my desk1
fed_roster
fed_install sg my
fed_start sg my
for home in singcert-desk1 mycert-desk1; do
	fed_trust $home
	must wait_until 20 at $home keys publish
done
must wait_until 20 at singcert-desk1 keys show mycert@my
must wait_until 20 at mycert-desk1 keys show singcert@sg
cd "$fed" || exit 1

post() # SUBJECT OPTION...: by Singapore; prints the id
{
	subject=$1
	shift
	at singcert-desk1 post --to mycert@my --subject "$subject" --json "$@" |
		jq -r .id
}

board() # HOME OPTION...: the figures
{
	board_home=$1
	shift
	at "$board_home" board --json "$@" >/dev/null 2>figures.err
	at "$board_home" board --json --offline "$@" 2>>figures.err
}

figure() # FILTER
{
	jq -c "$1" <figures
}

# ---- figures ----

late=$(post 'kept secret' --tlp AMBER --precedence flash --ackby 1s \
	--severity II --outlook worsening)
seen=$(post 'also secret' --tlp GREEN)
good=$(post 'more secret' --tlp CLEAR --precedence priority)
over=$(post 'most secret' --tlp AMBER+STRICT --precedence immediate)
fed_exercise singcert@sg play singcert-desk1 Tabletop.2026
fed_exercise mycert@my play mycert-desk1 Tabletop.2026
must wait_until 20 at singcert-play keys show mycert@my
must at singcert-play post --to mycert@my --subject drill --tlp RED \
	--precedence flash >/dev/null 2>&1
for id in "$seen" "$good" "$over"; do
	must wait_until 20 at mycert-desk1 show "$id"
done
# It was opened on the way, which is no answer.
must at mycert-desk1 ack "$good" --accept >/dev/null 2>&1
must at singcert-desk1 close "$over" >/dev/null 2>&1
got_answers()
{
	at singcert-desk1 inbox --state accepted | grep -q . &&
		at singcert-desk1 inbox --state opened | grep -q . &&
		at singcert-desk1 inbox --overdue | grep -q .
}
must wait_until 20 got_answers

board singcert-desk1 >figures
is "$(figure .from)" '"contents"' 'with keys the contents are looked at'
is "$(figure '.live.all | [.open, .waiting, .overdue]')" '[3,2,1]' \
	'three are open, two wait, one is overdue'
is "$(figure '.live.precedence.flash | [.open, .waiting, .overdue]')" \
	'[1,1,1]' 'the flash is the overdue one'
is "$(figure '.live.nations[] | select(.nation == "my") | [.all.open, .all.waiting, .all.overdue, .times.answers]')" \
	'[3,2,1,1]' 'all of them ask Malaysia, which answered once'
is "$(figure '.live.nations[] | select(.nation == "sg") | [.all.open, .raised]')" \
	'[0,3]' 'Singapore raised them'
is "$(figure '[.live.opened, .live.closed]')" '[4,1]' 'four came, one was closed'
is "$(figure '[.live.outlook.worsening, .live.outlook["not-said"]]')" '[1,2]' \
	'one is worsening'
is "$(figure '.live.severity["GB/T 20986:II"]')" 1 'and bad'
is "$(figure '[.exercise.all.open, .tlp]')" '[0,"AMBER+STRICT"]' \
	'no exercise is among them'
is "$(figure '.live.all.waiting')" \
	"$(at singcert-desk1 inbox --offline --unacked --json | jq -s '[.[] | select(.exercise == null)] | length')" \
	'as many wait as the inbox says'
is "$(figure '.live.all.overdue')" \
	"$(at singcert-desk1 inbox --offline --overdue --json | jq -s length)" \
	'as many are overdue'
board mycert-desk1 >figures
is "$(figure '.live.nations[] | select(.nation == "my") | [.all.open, .all.waiting, .all.overdue]')" \
	'[3,2,1]' 'Malaysia has the same figures of itself'

# ---- headers alone ----

board singcert-desk1 --metadata >figures
is "$(figure .from)" '"headers"' 'headers suffice'
is "$(figure '.live.all | [.open, .waiting, .overdue]')" '[3,1,1]' \
	'for the same, but that any acknowledgement is a word'
is "$(figure '[.live.severity, .live.outlook]')" '[null,null]' \
	'and what is inside is not known'
at singcert-desk1 board --metadata >page.headers
ok 'which the page says' grep -q 'Nothing was opened' page.headers
fed_device singcert@sg screen --role reader
fed_trust singcert-screen
is "$(at singcert-screen board --json --offline | jq -r .from)" headers \
	"a reader's screen has headers alone"
# Locked is what age has armored; what is in it is not asked for.
must tocsin init --home locked --federation $federation --member singcert@sg \
	--device desk3 --join --broker tcp://127.0.0.1:1 --no-passphrase >/dev/null
cat >locked/keys/device.key <<'END'
-----BEGIN AGE ENCRYPTED FILE-----
-----END AGE ENCRYPTED FILE-----
END
is "$(tocsin board --home locked --json --offline 2>err </dev/null |
	jq -r .from)" headers 'so has a home that is locked, which asks nothing'
ok 'and says how to see more' grep -q 'tocsin unlock' err
refuses 'no terminal to ask on' 'other commands would have to' \
	setsid -w tocsin inbox --home locked --offline

# ---- the page ----

at singcert-desk1 board -o page.html
is $? 0 'a page is written'
ok 'it is good XML' sh -c 'command -v xmllint >/dev/null || exit 0
	xmllint --noout page.html'
is "$(grep -c secret page.html)" 0 'no subject is on it'
is "$(grep -o 'class="tlp[^<]*' page.html | sed 's/.*>//' | tr '\n' ' ')" \
	'TLP:AMBER+STRICT TLP:AMBER+STRICT ' 'the label stands in head and foot'
is "$(grep -o "@[a-z-]*{content:'TLP:[A-Z+]*'" page.html | tr '\n' ' ')" \
	"@top-right{content:'TLP:AMBER+STRICT' @bottom-right{content:'TLP:AMBER+STRICT' " \
	'and in the margins of paper'
is "$(grep -c '<script' page.html)" 0 'a file has no script'
is "$(grep -o 'http[s]*:[^"]*' page.html)" '' 'and knows no address'
is "$(grep -c ' style=' page.html)" 0 'no style is in an attribute'
ok 'the overdue have a mark' grep -q 'class="tile late">.*Overdue</p><b>1</b>' page.html
is "$(grep -c 'EXERCISE' page.html)" 0 'and no exercise is on it'
at singcert-play board -o page.play
ok 'that of its home has nothing else, and calls it one' \
	grep -q 'EXERCISE, NOT REAL: <bdi>Tabletop.2026' page.play
is "$(at singcert-play board --offline --json | jq -c '[.live.all.open, .exercise.all.open, .exercise.names]')" \
	'[0,1,["Tabletop.2026"]]' 'with its figures'
ok 'the time is said in UTC' grep -Eq '[0-9-]{10} <b>[0-9:]{5}Z</b></p>' \
	page.html
TZ='<+08>-8' at singcert-desk1 board --offline >page.here
ok 'and as clocks on the wall show it' grep -Eq \
	'Z</b><br/>\(.*[0-9:]{5} \+0800 local\)' page.here

hash_of() # ELEMENT PAGE: as its policy names it
{
	perl -0777 -MDigest::SHA=sha256_base64 -ne '
		BEGIN { $e = shift }
		print sha256_base64($1), "=" if /<$e>(.*?)<\/$e>/s' "$1" "$2"
}
policy()
{
	sed -n 's/.*http-equiv="Content-Security-Policy" content="\([^"]*\)".*/\1/p' "$1"
}
is "$(policy page.html)" \
	"default-src 'none'; style-src 'sha256-$(hash_of style page.html)'; base-uri 'none'; form-action 'none'" \
	'the policy lets in its own style and nothing else'

# Each pair of colours that text is written in, light and dark.
contrast()
{
	perl -0777 -ne '
	sub light { my @c = map { my $v = hex($_) / 255;
		$v <= 0.03928 ? $v / 12.92 : (($v + 0.055) / 1.055) ** 2.4 }
		$_[0] =~ /(..)/g; 0.2126 * $c[0] + 0.7152 * $c[1] + 0.0722 * $c[2] }
	my @blocks = /:root\{[^{}]*?(--bg:#[^}]*)\}/g;
	die "no colours" if @blocks < 2;
	for my $block (@blocks[0, 1]) {
		my %c = $block =~ /--([a-z0-9-]+):#([0-9a-f]{6})/g;
		for my $pair (map { [split /\//] } qw(ink/bg ink/card dim/bg
		    dim/card late/bg late/card wait/bg wait/card on-late/late
		    on-l/l0 on-l/l1 on-l/l2 on-l/l3 calm/card)) {
			my ($a, $b) = sort { $b <=> $a }
			    map { light($c{$_}) } @$pair;
			my $r = ($a + 0.05) / ($b + 0.05);
			printf "%s %.2f\n", "@$pair", $r
			    if $r < ($pair->[0] eq "calm" ? 3 : 4.5);
		}
	}' "$1"
}
is "$(contrast page.html 2>&1)" '' 'all text is readable, light and dark'

cp page.html before.html
chmod 500 . 2>/dev/null
if [ "$(id -u)" != 0 ]; then
	refuses 'cannot be written' 'a page that cannot be written is told' \
		at singcert-desk1 board --offline -o page.html
fi
chmod 700 .
refuses 'cannot be written' 'so is a folder that is not there' \
	at singcert-desk1 board --offline -o nowhere/page.html
ok 'what was there is as it was' cmp page.html before.html

# ---- wrong calls ----

called_wrongly 'exclude' 'a file or a server' \
	tocsin board --serve -o x --home locked
called_wrongly 'for --serve' 'an address is for the server' \
	tocsin board 127.0.0.1:80 --json --home locked
for address in 0.0.0.0:8080 '[::]:8080' 192.0.2.1 :: 2001:db8::1 \
	'[::ffff:127.0.0.1]:1'; do
	refuses 'others can reach' "$address is not of this machine alone" \
		tocsin board --home locked --serve "$address"
done
for address in example.org:80 127.0.0.1:65536 127.0.0.1:x '[::1' 127.1:80 \
	'127.0.0.1:80:80'; do
	called_wrongly 'no address of this machine' "$address is no address" \
		tocsin board --home locked --serve "$address"
done

# ---- the server ----

spawn_at singcert-desk1 board --serve --json >served 2>served.err
server=$pid
wait_until 20 grep -q url served ||
	if grep -q libmicrohttpd served.err; then
		echo '# no libmicrohttpd on this machine: nothing is served'
		done_testing
	else
		bail 'nothing is served'
	fi
url=$(jq -r .url <served)
port=${url#http://127.0.0.1:}
port=${port%%/*}
path=/${url#http://*/}
ok 'the URL is of this machine, and cannot be guessed' \
	eval 'echo "$url" | grep -Eq "^http://127.0.0.1:[0-9]+/[A-Za-z0-9_-]{22}/$"'

# A request as it is written, CR LF for |; the answer goes to the file `answer`.
ask() # REQUEST
{
	perl -MIO::Socket::INET -e '
		my $s = IO::Socket::INET->new(PeerAddr => "127.0.0.1",
		    PeerPort => $ARGV[0], Timeout => 10) or die;
		$ARGV[1] =~ s/\|/\r\n/g;
		print $s $ARGV[1];
		$s->flush;
		alarm 20;
		local $/; print <$s>;' "$port" "$1" >answer
	sed -n '1s/HTTP\/1.[01] \([0-9]*\).*/\1/p' answer
}
host="Host: 127.0.0.1:$port|Connection: close"
served()
{
	[ "$(ask "GET $path HTTP/1.1|$host||")" = 200 ]
}
ok 'a page is served' wait_until 20 served
cp answer served.html
is "$(tr -d '\r' <answer | sed -n 's/^Content-Security-Policy: //p')" \
	"$(policy answer); frame-ancestors 'none'" \
	'its policy is in the header too, and keeps it out of frames'
is "$(policy answer)" \
	"default-src 'none'; style-src 'sha256-$(hash_of style answer)'; script-src 'sha256-$(hash_of script answer)'; connect-src 'self'; base-uri 'none'; form-action 'none'" \
	'which lets in its own script'
for header in 'Cache-Control: no-store' 'X-Content-Type-Options: nosniff' \
	'Referrer-Policy: no-referrer' 'X-Frame-Options: DENY' \
	'Cross-Origin-Resource-Policy: same-origin' \
	'Content-Type: text/html; charset=utf-8'; do
	ok "$header" grep -q "^$header" answer
done
ok 'without a script it is asked for again' grep -q \
	'<noscript><meta http-equiv="refresh"' answer
is "$(ask "GET ${path}board.json HTTP/1.1|$host||")" 200 'so are the figures'
is "$(sed '1,/^.$/d' answer | jq -c '.live.all | [.open, .waiting, .overdue]')" \
	'[3,2,1]' 'which are the same'
is "$(ask "HEAD $path HTTP/1.1|$host||")" 200 'HEAD is answered'
is "$(sed '1,/^.$/d' answer)" '' 'without a page'
is "$(ask "GET $path HTTP/1.1|Host: localhost:$port|Connection: close||")" 200 \
	'localhost is this machine'
is "$(ask "GET $path HTTP/1.1|Host: evil.example:$port|Connection: close||")" \
	421 'another name that points here is not'
is "$(ask "GET $path HTTP/1.1|Host: evil.example|$host||")" 421 \
	'nor are two names'
is "$(ask "GET $path HTTP/1.0||")" 421 'nor is none'
for where in / /board.json "${path%?}" "${path%??}/" "${path}x" \
	"${path}../../etc/passwd" "${path}%2e%2e/" \
	/AAAAAAAAAAAAAAAAAAAAAA/; do
	shown_as=$(echo "$where" | sed "s|${path%??}.|/TOKEN|")
	is "$(ask "GET $where HTTP/1.1|$host||")" 404 \
		"there is nothing at $shown_as"
done
is "$(grep -c 'picture' answer)" 0 'and nothing is told'
for method in POST PUT DELETE OPTIONS TRACE; do
	is "$(ask "$method $path HTTP/1.1|$host|Content-Length: 0||")" 405 \
		"$method is not for here"
done
long=$(head -c 40000 /dev/zero | tr '\0' a)
ok 'a line without an end is refused' eval \
	'case $(ask "GET /$long HTTP/1.1|$host||") in 4??) ;; *) [ ! -s answer ];; esac'
ok 'so is nonsense' eval 'case $(ask "NONSENSE||") in 4??) ;; *) [ ! -s answer ];; esac'
ok 'and it still answers' served

# Of the home it has nothing.
child=$(cat "/proc/$server/task/$server/children" 2>/dev/null)
child=${child%% *}
if [ -n "$child" ]; then
	is "$(ls -l "/proc/$child/fd" | grep -c "$fed")" 0 \
		'the server has no file of the home open'
	is "$(grep -c data.mdb "/proc/$child/maps")" 0 'nor in its memory'
	is "$(sed -n 's/^NoNewPrivs:\t//p' "/proc/$child/status")" 1 \
		'and gets no privileges'
fi

# What comes is shown.
must at mycert-desk1 ack "$late" --accept >/dev/null 2>&1
shown()
{
	ask "GET ${path}board.json HTTP/1.1|$host||" >/dev/null
	[ "$(sed '1,/^.$/d' answer | jq -c '.live.all | [.open, .waiting, .overdue]')" = \
		'[3,1,0]' ]
}
ok 'an answer that comes is on it by itself' wait_until 30 shown
fed_kill sg
in_trouble()
{
	served && grep -q 'class="trouble".*unavailable' answer
}
ok 'a broker that is away is said' wait_until 60 in_trouble

# A browser, if there is one: nothing is refused, and the script renews it.
if command -v chromium >/dev/null && mkdir browser; then
	chromium --headless=new --no-sandbox --disable-gpu \
		--user-data-dir="$fed/browser" --enable-logging=stderr --v=0 \
		--virtual-time-budget=12000 --dump-dom "$url" \
		>dom 2>browser.err </dev/null
	ok 'a browser draws it' grep -q 'id="picture"' dom
	is "$(grep -ci 'refused to\|violates' browser.err)" 0 \
		'and nothing in it is against its policy'
	is "$(grep -o 'id="stale"[^>]*hidden' dom | wc -l)" 1 \
		'its script has looked, and has nothing to complain of'
else
	echo '# no chromium on this machine: not drawn in a browser'
fi

refuses 'nothing is served|Address already' 'a port is had once' \
	tocsin board --home locked --serve "127.0.0.1:$port"
reap TERM "$server"
ok 'it ends when it is told to' wait_until 5 port_free "$port"
spawn_at singcert-desk1 board --serve --offline >served2 2>&1
server=$pid
wait_until 20 grep -q http served2
port=$(sed 's|.*127.0.0.1:\([0-9]*\)/.*|\1|' served2)
ok 'another one listens elsewhere' eval '! port_free "$port"'
reap KILL "$server"
ok 'and does not outlive the one that feeds it' wait_until 5 port_free "$port"

done_testing

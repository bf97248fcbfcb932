#!/bin/sh
# SPDX-License-Identifier: ISC
#
# `make drill` with strong compression: all ten nations, some fifteen seconds.
# SEED is printed; tests/system/drill.sh says what is played.
set -u

# shellcheck source=tests/lib/federation.sh
. "$TOP/tests/lib/federation.sh"
fed=$(mktemp -d "${TMPDIR:-/tmp}/tocsin.XXXXXX") || exit 1
trap 'rm -rf "$fed"' EXIT
script=$TOP/docs/examples/drill/lantern.drill

# ---- a script ----

tocsin drill check "$script" >"$fed/plan"
is $? 0 'the example is a good script, and its attachments are there'
ok 'its plan has the times' grep -q '^T+1h02m *c2 *2026-11-24 02:02:00Z' "$fed/plan"
is "$(grep -c '^T+' "$fed/plan")" 16 'of all injects'
is "$(tocsin drill check "$script" --json | json length)" 14400 'as JSON, too'
sed 's/^expect = delivered within 5m/expect = deliverd within 5m/' "$script" >"$fed/wrong"
tocsin drill check "$fed/wrong" 2>"$fed/said"
is $? 1 'a fault is a failure'
ok 'with its line and the right word' \
	grep -q "wrong, line $(grep -n 'deliverd' "$fed/wrong" | head -n 1 | sed 's/:.*//'): .*deliverd; is it delivered?" "$fed/said"
sed 's|files/lure.eml|files/none.eml|' "$script" >"$fed/wrong"
tocsin drill check "$fed/wrong" >/dev/null 2>"$fed/said"
is $? 1 'so is an attachment that is not there'
ok 'which is named' grep -q 'inject phishing: .*none.eml' "$fed/said"

# ---- an exercise ----

echo "# seed ${SEED:=$(od -An -N2 -tu2 /dev/urandom | tr -d ' ')}"
export SEED
mkdir "$fed/out"
OUT=$fed/out TMPDIR=$fed SPEED=${SPEED:-900} timeout 300 "$TOP/tests/system/drill.sh" \
	>"$fed/told" 2>"$fed/err"
is $? 0 'an exercise of ten nations is held, and every figure of its report counted again' ||
	{ tail -n 25 "$fed/told"; grep -v '^# time=' "$fed/err" | tail -n 10; } | sed 's/^/# /' >&2
ok 'to its end' grep -q '^ok: seed' "$fed/told"
echo "# $(tail -n 1 "$fed/told")"

# ---- its JSON ----

if command -v jq >/dev/null; then
	jq -n 'reduce inputs as $i ({}; .[input_filename | sub(".*/"; "")] = $i)' \
		"$TOP"/docs/schema/*.json >"$fed/schemas.json"
	by() # SCHEMA FILE
	{
		[ -s "$2" ] || echo 'there is none'
		jq -r -L "$TOP/tests/lib" --arg f "$1.json" \
			--slurpfile s "$fed/schemas.json" \
			'include "schema"; check($s[0]; $f)' "$2" 2>&1
	}
	is "$(by drill-report "$fed/out/report.json")" '' \
		'its report fits its schema'
	is "$(by drill-event "$fed/out/run.json")" '' 'so does what a run tells'
fi

# ---- its page ----

page=$fed/out/report.html
if command -v xmllint >/dev/null; then
	ok 'its page is well-formed' xmllint --noout "$page"
fi
is "$(grep -oE '<(script|link|img|iframe|object)|src=|href=|url\(|@import' "$page")" '' \
	'and needs nothing else'
is "$(grep -o '<th[ >][^>]*' "$page" | grep -vc 'scope=')" 0 \
	'each head of a table says what it is of'
is "$(grep -o '<svg[^>]*' "$page" | grep -vc 'role="img"')" 0 \
	'a picture is one for who does not see it'
is "$(grep -c 'aria-hidden="true">✕</span><span class="vh">not delivered' "$page")" "$(
	grep -c '✕</span>' "$page")" 'and so is a mark'
ok 'how far each player came stands there' \
	grep -q '<th scope="col">delivered</th><th scope="col">opened</th><th scope="col">accepted</th><th scope="col">refused</th><th scope="col">answered</th><th scope="col">result</th><th scope="col">escalated</th><th scope="col">closed</th>' "$page"
ok 'who was silent, with how to reach them' \
	grep -q 'SILENT</td><td class="w2"><bdi>' "$page"
done_testing

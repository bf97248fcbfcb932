/* SPDX-License-Identifier: ISC */
#include "crypto/grant.h"
#include "tests/lib/fixture.h"
#include "tests/lib/tap.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct fixture fed;
static struct grant g, back;

static const struct keys *
newest_of(struct span member)
{
	size_t i;

	for (i = 0; i < fed.n; i++)
		if (span_is(member, fed.member[i]))
			return fed.keys[i];
	return NULL;
}

static const struct keys *
keys_of(void *arg, const struct grant *of, const struct note *note)
{
	(void)arg;
	(void)note;
	return newest_of(device_member(span_of(of->from)));
}

static void
fill(const char *from, const char *holder, enum ticket_tlp tlp, const char *to)
{
	memset(&g, 0, sizeof(g));
	strcpy(g.federation, FX_FEDERATION);
	strcpy(g.from, from);
	strcpy(g.holder, holder);
	g.time = fed.now;
	g.tlp = tlp;
	memset(g.message, 7, sizeof(g.message));
	if (to) {
		strcpy(g.to[g.nto++], to);
		strcpy(g.to[g.nto++], "agcert@ag");
		strcpy(g.to[g.nto++], to);
	}
}

static const char *exercise = ""; /* of the message */

static enum tocsin_err
sign_and_open(const char *key)
{
	struct buf file = { 0 };
	uint8_t sk[64], *copy;
	enum tocsin_err err;

	fixture_sign_key(sk, key);
	if (grant_sign(&file, &g, sk) != TOCSIN_OK)
		abort();
	copy = xcopy(file.p, file.n);
	err = grant_open(&back, fed.roster, keys_of, NULL, span_of(exercise),
	    (struct span){ copy, file.n });
	free(copy);
	buf_release(&file);
	return err;
}

static enum tocsin_err
parse(const char *text, size_t n)
{
	uint8_t *copy = xcopy((const uint8_t *)text, n);
	enum tocsin_err err = grant_parse(&back, (struct span){ copy, n });

	free(copy);
	return err;
}

static const char good[] =
    FX_FEDERATION "/grant/v1\n"
		  "from singcert@sg/desk1\n"
		  "time 2026-11-21T03:00:00Z\n"
		  "message BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n"
		  "holder mycert@my\n"
		  "tlp GREEN\n"
		  "to agcert@ag\n"
		  "to lacert@la\n";

static void
test_text(void)
{
	/* clang-format off */
	static const struct {
		const char *from, *to, *why;
	} bents[] = {
		{ "/grant/v1", "/grant/v0", "another version" },
		{ "singcert@sg/desk1", "singcert@sg", "no device" },
		{ "time 2026", "time 1926", "no time" },
		{ "message Bw", "message B", "no id" },
		{ "holder mycert@my", "holder mycert", "no holder" },
		{ "tlp GREEN", "tlp green", "no label" },
		{ "tlp GREEN", "tlp WHITE", "a label of TLP 1" },
		{ "to agcert@ag\n", "to xxcert@xx\n", "members out of order" },
		{ "to agcert@ag\n", "to lacert@la\n", "a member twice" },
		{ "to agcert@ag\n", "to agcert@ag x\n", "a field too many" },
		{ "to agcert@ag\n", "too agcert@ag\n", "an unknown line" },
	};
	/* clang-format on */
	char text[sizeof(good) + 64];
	struct buf b = { 0 };
	size_t i, n = strlen(good), at;

	fill("singcert@sg/desk1", "mycert@my", TICKET_GREEN, "lacert@la");
	g.time = 1795230000;
	grant_print(&b, &g);
	ok(span_is(buf_span(&b), good), "a grant is printed");
	buf_release(&b);
	is_int(parse(good, n), TOCSIN_OK, "and read");
	ok(back.nto == 2 && strcmp(back.to[1], "lacert@la") == 0 &&
		back.tlp == TICKET_GREEN &&
		strcmp(back.holder, "mycert@my") == 0,
	    "as what it was, members once each");
	for (i = 0; i < n; i++)
		if (parse(good, i) == TOCSIN_OK &&
		    (good[i - 1] != '\n' || i < n - 26))
			break;
	ok(i == n, "no prefix is a grant, but with members left out");
	for (i = 0; i < sizeof(bents) / sizeof(bents[0]); i++) {
		at = (size_t)(strstr(good, bents[i].from) - good);
		snprintf(text, sizeof(text), "%.*s%s%s", (int)at, good,
		    bents[i].to, good + at + strlen(bents[i].from));
		ok(parse(text, strlen(text)) != TOCSIN_OK, "refused: %s",
		    bents[i].why);
	}
}

static void
gone(struct roster *r, void *arg)
{
	struct roster_revoked v = { .name = "singcert@sg/desk1",
		.time = fed.now - 10,
		.reason = "stolen" };

	(void)arg;
	memcpy(v.id, newest_of(span_of("singcert@sg"))->device[0].sign.id,
	    KEYID_LEN);
	if (roster_put_revoked(r, &v) != TOCSIN_OK)
		abort();
}

static void
test_believing(void)
{
	fill("singcert@sg/desk1", "mycert@my", TICKET_GREEN, "lacert@la");
	is_int(sign_and_open("singcert@sg/desk1"), TOCSIN_OK,
	    "a grant of an officer's device is believed");
	is_int(sign_and_open("mycert@my/desk1"), TOCSIN_EBADSIGNATURE,
	    "not if another has signed it");
	fill("singcert@sg/escalator", "mycert@my", TICKET_GREEN, NULL);
	is_int(sign_and_open("singcert@sg/escalator"), TOCSIN_EKINDNOTALLOWED,
	    "a bot grants nothing");
	fill("singcert@sg/desk7", "mycert@my", TICKET_GREEN, NULL);
	is_int(sign_and_open("singcert@sg/desk7"), TOCSIN_ENOTENROLLED,
	    "nor a device that nobody announced");
	fill("thcert@th/desk1", "mycert@my", TICKET_GREEN, NULL);
	is_int(sign_and_open("thcert@th/desk1"), TOCSIN_ENOTENROLLED,
	    "nor a member that is none");
	fill("singcert@sg/desk1", "mycert@my", TICKET_GREEN, NULL);
	strcpy(g.federation, "other.example");
	is_int(sign_and_open("singcert@sg/desk1"), TOCSIN_EROSTERUNKNOWN,
	    "nor one of another federation");
	fixture_next_roster(&fed, gone, NULL);
	fill("singcert@sg/desk1", "mycert@my", TICKET_GREEN, "lacert@la");
	is_int(sign_and_open("singcert@sg/desk1"), TOCSIN_EREVOKED,
	    "nor one of a key that was revoked");
}

/* ---- the rule, label by label ---- */

static uint8_t id[ID_LEN];

static struct grant_case
about(enum ticket_tlp tlp, const struct grant *grants, size_t n)
{
	memset(id, 7, sizeof(id));
	return (
	    struct grant_case){ id, span_of("singcert@sg"), tlp, grants, n };
}

static void
test_labels(void)
{
	/* yes and no, for named, organisation, clients, community, public */
	static const char *const want[TICKET_TLPS] = { "ynnnn", "yynnn",
		"yyynn", "yyyyn", "yyyyy" };
	struct grant_case c;
	char got[6] = "";
	int tlp, reach;

	for (tlp = 0; tlp < TICKET_TLPS; tlp++) {
		c = about((enum ticket_tlp)tlp, NULL, 0);
		for (reach = GRANT_NAMED; reach <= GRANT_PUBLIC; reach++)
			got[reach] =
			    grant_may(&c, span_of("mycert@my"),
				span_of("lacert@la"), (enum grant_reach)reach,
				(enum ticket_tlp)tlp, NULL)
				? 'y'
				: 'n';
		is_str(got, want[tlp], "TLP:%s reaches those and no others",
		    ticket_tlp_name(tlp));
		ok(tlp == TICKET_CLEAR || !grant_may(&c, span_of("mycert@my"),
					      span_of("mycert@my"), GRANT_NAMED,
					      (enum ticket_tlp)(tlp + 1), NULL),
		    "and is passed on with no wider label");
	}
	c = about(TICKET_RED, NULL, 0);
	ok(grant_may(&c, span_of("singcert@sg"), span_of("lacert@la"),
	       GRANT_PUBLIC, TICKET_CLEAR, NULL),
	    "its author may do with it what he likes");
}

/* One row: a grant, and whether mycert@my may then show it to lacert@la. */
static void
test_grants(void)
{
	/* clang-format off */
	static const struct {
		const char *from, *holder, *to;
		enum ticket_tlp tlp;
		int64_t later;
		enum ticket_tlp as;
		bool may;
		const char *what;
	} rows[] = {
		{ "singcert@sg/desk1", "mycert@my", "lacert@la", TICKET_AMBER,
		    0, TICKET_AMBER, true, "for that member" },
		{ "singcert@sg/desk1", "", "lacert@la", TICKET_AMBER,
		    0, TICKET_AMBER, true, "for that member, by anybody" },
		{ "singcert@sg/desk1", "mycert@my", "lacert@la", TICKET_AMBER,
		    0, TICKET_GREEN, false, "not under a wider label" },
		{ "singcert@sg/desk1", "mycert@my", "lacert@la", TICKET_GREEN,
		    0, TICKET_GREEN, true, "under that label" },
		{ "singcert@sg/desk1", "mycert@my", "vncert@vn", TICKET_GREEN,
		    0, TICKET_AMBER, false, "for another member" },
		{ "singcert@sg/desk1", "vncert@vn", "lacert@la", TICKET_AMBER,
		    0, TICKET_AMBER, false, "for another holder" },
		{ "mycert@my/desk1", "mycert@my", "lacert@la", TICKET_AMBER,
		    0, TICKET_AMBER, false, "by one who did not write it" },
		{ "singcert@sg/desk1", "mycert@my", NULL, TICKET_GREEN,
		    0, TICKET_GREEN, true, "to treat it as GREEN" },
		{ "singcert@sg/desk1", "mycert@my", NULL, TICKET_AMBER,
		    0, TICKET_AMBER, false, "to treat it as AMBER" },
		{ "singcert@sg/desk1", "", NULL, TICKET_GREEN,
		    0, TICKET_GREEN, true, "a change to GREEN" },
		{ "singcert@sg/desk1", "", NULL, TICKET_RED,
		    0, TICKET_RED, false, "a change to RED" },
	};
	/* clang-format on */
	struct grant_case c;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		fill(rows[i].from, rows[i].holder, rows[i].tlp, rows[i].to);
		c = about(TICKET_AMBER_STRICT, &g, 1);
		ok(grant_may(&c, span_of("mycert@my"), span_of("lacert@la"),
		       GRANT_COMMUNITY, rows[i].as, NULL) == rows[i].may,
		    "%s: %s", rows[i].may ? "enough" : "not enough",
		    rows[i].what);
	}
	fill("singcert@sg/desk1", "mycert@my", TICKET_AMBER, "lacert@la");
	memset(g.message, 8, sizeof(g.message));
	c = about(TICKET_AMBER_STRICT, &g, 1);
	ok(!grant_may(&c, span_of("mycert@my"), span_of("lacert@la"),
	       GRANT_COMMUNITY, TICKET_AMBER, NULL),
	    "not enough: of another message");
}

static void
test_newest(void)
{
	struct grant many[3] = { 0 };
	struct grant_case c = about(TICKET_AMBER, many, 3);
	const struct grant *by = NULL;
	struct span my = span_of("mycert@my"), la = span_of("lacert@la");

	fill("singcert@sg/desk1", "", TICKET_GREEN, NULL);
	many[0] = g;
	fill("singcert@sg/desk1", "", TICKET_RED, NULL);
	g.time++;
	many[1] = g;
	fill("singcert@sg/desk1", "mycert@my", TICKET_AMBER, "lacert@la");
	many[2] = g;
	is_int(grant_label(&c), TICKET_RED, "of two changes the newer counts");
	ok(!grant_may(&c, my, la, GRANT_COMMUNITY, TICKET_RED, NULL),
	    "and a permission from before is over");
	many[2].time = many[1].time;
	ok(grant_may(&c, my, la, GRANT_COMMUNITY, TICKET_RED, &by) &&
		by == &many[2],
	    "one from after is not, and is named");
	many[1].time = many[0].time;
	is_int(grant_label(&c), TICKET_RED,
	    "of two of one second the narrower counts");
	many[1].tlp = TICKET_CLEAR;
	is_int(grant_label(&c), TICKET_GREEN, "in either order");
	ok(grant_may(&c, my, la, GRANT_COMMUNITY, TICKET_GREEN, &by) &&
		by == &many[0],
	    "a change that was needed is named");
	many[2].tlp = TICKET_CLEAR;
	many[2].nto = 0;
	is_int(grant_widest(&c, my), TICKET_CLEAR,
	    "a holder may have more than others");
	is_int(grant_widest(&c, la), TICKET_GREEN, "who do not have it");
}

static void
test_exercise(void)
{
	struct keys_device *d = &fed.keys[0]->device[0];

	fill("singcert@sg/desk1", "", TICKET_GREEN, NULL);
	exercise = "Tabletop.2026";
	is_int(sign_and_open("singcert@sg/desk1"), TOCSIN_EEXERCISEMISMATCH,
	    "a live device grants nothing in an exercise");
	strcpy(d->exercise, "Tabletop.2026");
	is_int(sign_and_open("singcert@sg/desk1"), TOCSIN_OK,
	    "a device of it does");
	exercise = "";
	is_int(sign_and_open("singcert@sg/desk1"), TOCSIN_EEXERCISEMISMATCH,
	    "and grants nothing of what is live");
	d->exercise[0] = '\0';
}

int
main(void)
{
	fixture_init(&fed, "sg my la");
	test_text();
	test_labels();
	test_grants();
	test_newest();
	test_exercise();
	test_believing();
	fixture_release(&fed);
	return tap_done();
}

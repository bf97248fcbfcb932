/* SPDX-License-Identifier: ISC */
/*
 * The facts of a desk's tickets, pass by pass: what has changed, what waits for
 * a time, and whose claim stands first; and what this device has begun.
 */
#include "client/bot/gather.h"

#include "client/bot/deed.h"
#include "tests/lib/home.h"
#include "tests/lib/tap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct fixture f;
static struct tocsin *t;
static char dir[512];

static const char *const to_my[] = { "mycert@my", NULL };

static void
begin(const char *device)
{
	fixture_init(&f, "sg my la");
	home_make(dir, &f, device, HOME_NOBODY);
	if (tocsin_open(&t, dir, NULL) != TOCSIN_OK)
		abort();
}

static void
end(void)
{
	tocsin_close(t);
	fixture_release(&f);
}

static void
post(const char *thread, const char *json, char id[TOCSIN_ID_TEXT])
{
	const struct tocsin_draft d = { .kind = thread ? "update" : "report",
		.thread = thread,
		.to = to_my,
		.tlp = "AMBER",
		.precedence = thread ? NULL : "priority",
		.subject = thread ? NULL : "Beacons",
		.classification = thread ? NULL : "malicious-code:c2-server",
		.json = json };

	if (tocsin_post(t, &d, id) != TOCSIN_OK)
		abort();
}

/* ---- passes ---- */

struct asked {
	unsigned n;
	int64_t look;
	char classification[64], precedence[16];
	size_t naction;
	char place[64];
};

static int64_t
plan(void *arg, const struct facts *facts)
{
	struct asked *a = arg;

	a->n++;
	a->naction = facts->naction;
	snprintf(a->classification, sizeof(a->classification), "%s",
	    facts->classification ? facts->classification : "");
	snprintf(a->precedence, sizeof(a->precedence), "%s", facts->precedence);
	snprintf(a->place, sizeof(a->place), "%s",
	    facts->nplace > 0 ? facts->place[0].member : "");
	return a->look;
}

static unsigned
asked_in_pass(struct gather *g, int64_t now, struct asked *a)
{
	a->n = 0;
	if (gather_pass(g, now, plan, a) != TOCSIN_OK)
		abort();
	return a->n;
}

static void
test_passes(void)
{
	struct asked a = { .look = GATHER_NEVER };
	struct gather *g;
	char id[2][TOCSIN_ID_TEXT], other[TOCSIN_ID_TEXT];

	begin("singcert@sg/desk1");
	post(NULL, NULL, id[0]);
	post(NULL, NULL, id[1]);
	if (!gather_new(&g, t, false, 120))
		abort();
	is_int(asked_in_pass(g, 100, &a), 2, "the first pass asks of all");
	ok(strcmp(a.classification, "malicious-code:c2-server") == 0 &&
		strcmp(a.place, "mycert@my") == 0 &&
		strcmp(a.precedence, "priority") == 0,
	    "with what the ticket says");
	(void)asked_in_pass(g, 100, &a);
	is_int(asked_in_pass(g, 200, &a), 0,
	    "and none again that has not changed and waits for no time");
	is_int(gather_next(g) == GATHER_NEVER, true, "nothing is waited for");
	post(id[1],
	    "{\"action\":{\"id\":\"r/1h/x\",\"rule\":\"r\",\"step\":1}}",
	    other);
	a.look = 300;
	is_int(asked_in_pass(g, 200, &a), 1, "one that has changed is");
	is_int((long long)a.naction, 1, "with what a rule did in it");
	(void)asked_in_pass(g, 200, &a);
	is_int(gather_next(g), 300, "and what it waits for is known");
	is_int(asked_in_pass(g, 299, &a), 0, "before that time it is not");
	a.look = GATHER_NEVER;
	is_int(asked_in_pass(g, 300, &a), 1, "then it is");
	gather_later(g, id[0], 400);
	is_int(gather_next(g), 400, "a thread can be put off");
	is_int(asked_in_pass(g, 400, &a), 1, "to a time");
	post(NULL, NULL, other);
	is_int(asked_in_pass(g, 401, &a), 1, "a new one is asked of");
	gather_anew(g);
	is_int(asked_in_pass(g, 401, &a), 3, "all are, if that is asked for");
	is_int((long long)gather_threads(g), 3, "and there are three");
	gather_free(g);
	end();
}

/* ---- words ---- */

struct said {
	char text[512]; /* what it saw, as name=text; those of the opening + */
	size_t nattachment;
	uint64_t size;
};

static void
add_said(struct said *s, const struct facts *facts)
{
	size_t i, n;

	s->text[0] = '\0';
	for (i = 0; i < facts->nword; i++) {
		n = strlen(s->text);
		snprintf(s->text + n, sizeof(s->text) - n, "%s%s=%s;",
		    facts->word[i].opening ? "+" : "", facts->word[i].name,
		    facts->word[i].text);
	}
	s->nattachment = facts->nattachment;
	s->size = facts->nattachment > 0 ? facts->attachment[0].size : 0;
}

static int64_t
hear(void *arg, const struct facts *facts)
{
	add_said(arg, facts);
	return GATHER_NEVER;
}

static const char *
heard_anew(struct said *s, bool words)
{
	struct gather *g;

	snprintf(s->text, sizeof(s->text), "nothing was asked");
	if (!gather_new(&g, t, words, 120) ||
	    gather_pass(g, 100, hear, s) != TOCSIN_OK)
		abort();
	gather_free(g);
	return s->text;
}

#define OPENING                                           \
	"+indicators=[file:name = 'x'];+subject=Beacons;" \
	"+text=Every minute;+attachment=a.exe;"

static void
test_words(void)
{
	const struct tocsin_attachment file = { top("docs/examples/duty.txt"),
		"a.exe", NULL };
	const struct tocsin_draft first = { .kind = "report",
		.to = to_my,
		.tlp = "AMBER",
		.precedence = "priority",
		.subject = "Beacons",
		.text = "Every minute",
		.json = "{\"indicators\":[{\"pattern\":\"[file:name = "
			"'x']\"}]}",
		.attachments = &file,
		.nattachments = 1 };
	struct tocsin_draft more = {
		.kind = "update", .to = to_my, .text = "A ransom"
	};
	char id[TOCSIN_ID_TEXT], other[TOCSIN_ID_TEXT];
	struct gathered one;
	uint8_t thread[ID_LEN];
	struct said s;

	begin("singcert@sg/desk1");
	if (tocsin_post(t, &first, id) != TOCSIN_OK)
		abort();
	is_str(
	    heard_anew(&s, false), "", "who asks for no words is given none");
	ok(s.nattachment == 1 && s.size > 0, "but what is attached");
	is_str(heard_anew(&s, true), OPENING,
	    "who asks for them has those of the opening");
	more.thread = id;
	if (tocsin_post(t, &more, other) != TOCSIN_OK)
		abort();
	more.text = "What a rule says";
	more.json = "{\"action\":{\"id\":\"r/1h/x\",\"rule\":\"r\","
		    "\"step\":1}}";
	if (tocsin_post(t, &more, other) != TOCSIN_OK)
		abort();
	is_str(heard_anew(&s, true), OPENING "text=A ransom;",
	    "and of what follows, but for what rules wrote");
	is_str(heard_anew(&s, true), OPENING "text=A ransom;",
	    "remembered as well as folded");
	if (!id_parse(span_of(id), thread) ||
	    gather_one(&one, t, thread, INT64_MAX, true, 120) != TOCSIN_OK)
		abort();
	add_said(&s, &one.f);
	is_str(s.text, OPENING "text=A ransom;", "one alone has them");
	gathered_release(&one);
	if (gather_one(&one, t, thread, INT64_MAX - 1, true, 120) != TOCSIN_OK)
		abort();
	add_said(&s, &one.f);
	is_str(s.text, OPENING "text=A ransom;", "also as it was at a time");
	gathered_release(&one);
	end();
}

/* ---- claims ---- */

#define NOW 10000

static struct glance_record
claim(const char *by, uint64_t at, int64_t until)
{
	struct glance_record r = { .id = "r/1h/x",
		.by = by,
		.message = "m",
		.member =
		    strncmp(by, "lacert", 6) == 0 ? "lacert@la" : "singcert@sg",
		.at = at,
		.claim = true,
		.until = until };

	return r;
}

static void
test_claims(void)
{
	static const char *const none[] = { NULL };
	struct tocsin_message m = { .from = "mycert@my/night",
		.kind = "report",
		.tlp = "AMBER",
		.precedence = "flash",
		.to = none };
	struct glance_record r[] = {
		claim("singcert@sg/desk1", 0, NOW + 100),
		claim("singcert@sg/escalator", 7, NOW + 100),
		claim("singcert@sg/desk1", 5, NOW + 100),
		claim("lacert@la/desk1", 1, NOW + 100),
		claim("singcert@sg/escalator", 3, NOW - 20),
	};
	struct glance g = { .m = &m, .nrecord = 5, .record = r };
	struct gather_view v = { .cursor = 7, .claim = 120 };
	struct arena a = { 0 };
	struct facts facts;

	begin("singcert@sg/desk1");
	v.t = t;
	r[3].claim = false; /* another member's action */
	ok(gather_facts(&facts, &a, &v, &g), "facts are made of a glance");
	is_int((long long)facts.nclaim, 3,
	    "a claim that our broker does not have is none yet");
	is_int((long long)facts.naction, 0,
	    "and what another member says it did is not what we did");
	if (facts.nclaim == 3) {
		is_int(facts.claim[0].until, NOW + 10,
		    "another's claim has thirty seconds more than it says");
		is_int(strcmp(facts.claim[1].by, "singcert@sg/desk1"), 0,
		    "they stand in the order of the broker's log");
		is_int(facts.claim[1].until, NOW + 40,
		    "on ours we act a minute less");
		is_int(strcmp(facts.claim[2].by, "singcert@sg/escalator"), 0,
		    "whatever the order in which they came");
	}
	v.cursor = 4;
	v.claim = 20;
	ok(gather_facts(&facts, &a, &v, &g), "facts are made again");
	is_int((long long)facts.nclaim, 2,
	    "ours is none while one before it may be to come");
	is_int(facts.claim[0].until, NOW - 20 + 5,
	    "a shorter claim has less time after it");
	arena_release(&a);
	end();
}

/* ---- deeds ---- */

static void
test_deeds(void)
{
	struct deed d = { .state = DEED_BEGUN, .tries = 1, .slot = 2 };
	struct deed back;
	int64_t pause = 0;
	unsigned i;

	begin("singcert@sg/escalator");
	snprintf(d.id, sizeof(d.id), "no-answer/30m-notify/x");
	snprintf(d.thread, sizeof(d.thread), "t");
	is_int(deed_get(t, d.id, &back), TOCSIN_ENOTFOUND,
	    "of what was not begun nothing is known");
	d.begun = NOW;
	buf_addz(&d.output, "words");
	is_int(deed_put(t, &d), TOCSIN_OK, "what is begun is kept");
	tocsin_close(t);
	if (tocsin_open(&t, dir, NULL) != TOCSIN_OK)
		abort();
	is_int(deed_get(t, d.id, &back), TOCSIN_OK, "and is there later");
	ok(back.state == DEED_BEGUN && back.tries == 1 && back.slot == 2 &&
		back.begun == NOW && strcmp(back.thread, "t") == 0 &&
		span_is(buf_span(&back.output), "words"),
	    "as it was");
	deed_release(&back);
	is_int(deed_get(t, "no-answer/30m-notify/y", &back), TOCSIN_ENOTFOUND,
	    "under its own id alone");
	for (i = 0; d.state != DEED_GIVEN_UP && i < 100; i++) {
		deed_fail(&d, NOW, "it ended with status 1");
		if (d.again - NOW < pause || d.again - NOW > 900)
			break;
		pause = d.again - NOW;
		d.tries++;
	}
	is_int(d.state, DEED_GIVEN_UP, "what fails is given up in the end");
	is_int(i, DEED_TRIES, "after so many tries, each later than the last");
	d.ended = NOW;
	is_int(deed_put(t, &d), TOCSIN_OK, "that is kept too");
	is_int(deeds_tidy(t, NOW + 59 * 86400), TOCSIN_OK, "for two months");
	is_int(deed_get(t, d.id, &back), TOCSIN_OK, "it is remembered");
	deed_release(&back);
	is_int(deeds_tidy(t, NOW + 61 * 86400), TOCSIN_OK, "then");
	is_int(deed_get(t, d.id, &back), TOCSIN_ENOTFOUND, "it is forgotten");
	deed_release(&d);
	end();
}

int
main(void)
{
	test_passes();
	test_words();
	test_claims();
	test_deeds();
	return tap_done();
}

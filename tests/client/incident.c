/* SPDX-License-Identifier: ISC */
#include "client/incident.h"
#include "crypto/ticket.h"
#include "tests/lib/tap.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- ticket.json ---- */

static enum tocsin_err
parse_copy(struct incident *out, const char *json)
{
	size_t n = strlen(json);
	uint8_t *copy = xcopy(json, n);
	enum tocsin_err err = incident_parse(out, (struct span){ copy, n });

	free(copy);
	return err;
}

static void
is_refused(const char *json, const char *sentence)
{
	struct incident in;
	enum tocsin_err err = parse_copy(&in, json);

	if (err == TOCSIN_OK)
		incident_release(&in);
	is_int(err, TOCSIN_EMALFORMED, "%s", sentence);
}

static void
test_round_trip(void)
{
	const struct incident_attachment a = { .name = "a b.pcap",
		.media = "application/vnd.tcpdump.pcap",
		.size = 5000000000,
		.part = { 7 } };
	const struct incident_draft d = { .subject = "C2 at 192.0.2.1",
		.text = "seen since\nyesterday",
		.severity = "GB/T 20986:II",
		.classification = "malicious-code:c2-server",
		.answer = "refused",
		.reason = "CannotProcess",
		.json =
		    "{\"subject\":\"not this\",\"x-ours\":[1,{\"a\":null}]}",
		.attachment = &a,
		.nattachment = 1 };
	struct buf b = { 0 };
	struct incident in;
	json_t *v;

	is_int(incident_print(&b, &d), TOCSIN_OK, "a draft is printed");
	if (!ok(incident_parse(&in, buf_span(&b)) == TOCSIN_OK,
		"and read back"))
		return;
	ok(strcmp(in.subject, d.subject) == 0 && strcmp(in.text, d.text) == 0 &&
		strcmp(in.answer, d.answer) == 0 &&
		strcmp(in.reason, d.reason) == 0,
	    "with the same strings; what joins replaces none of them");
	ok(in.nattachment == 1 && in.attachment[0].size == a.size &&
		strcmp(in.attachment[0].name, a.name) == 0 &&
		strcmp(in.attachment[0].media, a.media) == 0 &&
		memcmp(in.attachment[0].part, a.part, ID_LEN) == 0,
	    "and the same attachment");
	v = json_object_get(in.root, "severity");
	is_str(json_string_value(json_object_get(v, "scale")), "GB/T 20986",
	    "a severity names its scale");
	is_str(json_string_value(json_object_get(v, "level")), "II",
	    "and its level");
	v = json_object_get(json_object_get(in.root, "classification"), "type");
	is_str(json_string_value(v), "c2-server", "a class has its type");
	ok(json_array_size(json_object_get(in.root, "x-ours")) == 2,
	    "members that we don't know are kept");
	incident_release(&in);
	buf_release(&b);
}

static void
test_refused(void)
{
	char deep[200], *p = deep;
	size_t i;

	is_refused("", "nothing is no ticket");
	is_refused("[]", "nor is a list");
	is_refused("{\"subject\":\"a\",\"subject\":\"b\"}",
	    "a doubled member has no meaning");
	is_refused("{\"x\":{\"a\":1,\"a\":1}}", "nor has one further in");
	is_refused("{\"subject\":1}", "a subject is a string");
	is_refused("{\"ack\":\"yes\"}", "an answer is an object");
	is_refused("{\"attachments\":{}}", "attachments are a list");
	is_refused("{\"attachments\":[{\"name\":\"x\",\"size\":-1,\"part\":"
		   "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"}]}",
	    "of sizes that can be");
	is_refused("{\"attachments\":[{\"name\":\"x\",\"size\":1,"
		   "\"part\":\"AAAA\"}]}",
	    "and with a whole hash");
	is_refused("{\"text\":\"\xff\"}", "a text is UTF-8");
	is_refused("{\"text\":\"a\\u0000b\"}", "without a NUL");
	is_refused("{} {}", "one object, and no more");

	p += snprintf(p, sizeof(deep), "{\"x\":");
	for (i = 0; i < INCIDENT_DEPTH; i++)
		*p++ = '[';
	for (i = 0; i < INCIDENT_DEPTH; i++)
		*p++ = ']';
	memcpy(p, "}", 2);
	is_refused(deep, "what is too deep is refused before it is parsed");
}

/* What an escalation shows to those who never had the ticket. */
static void
test_carried(void)
{
	struct incident in;

	ok(parse_copy(&in,
	       "{\"text\":\"help\",\"original\":{\"id\":\"x\",\"ticket\":"
	       "{\"subject\":\"what it is about\",\"attachments\":[{\"name\":"
	       "\"a\",\"size\":1,\"part\":"
	       "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"}]}}}") ==
		    TOCSIN_OK &&
		strcmp(in.subject, "what it is about") == 0 &&
		in.nattachment == 1,
	    "the subject and attachments of what is carried are its own");
	incident_release(&in);
	is_refused("{\"original\":{\"ticket\":{\"subject\":[]}}}",
	    "and are of the same types");
	ok(parse_copy(&in, "{\"original\":[1]}") == TOCSIN_OK &&
		in.subject == NULL,
	    "something else of that name is kept, and means nothing");
	incident_release(&in);
}

static void
test_truncated(void)
{
	const char whole[] =
	    "{\"subject\":\"a\",\"ack\":{\"state\":\"opened\"},"
	    "\"x\":[1,2,{\"y\":\"\\u00e9\"}]}";
	struct incident in;
	char cut[sizeof(whole)];
	size_t n, good = 0;

	for (n = 0; n < sizeof(whole) - 1; n++) {
		memcpy(cut, whole, n);
		cut[n] = '\0';
		if (parse_copy(&in, cut) == TOCSIN_OK) {
			good++;
			incident_release(&in);
		}
	}
	is_int((long long)good, 0, "no proper prefix is a ticket");
	ok(parse_copy(&in, whole) == TOCSIN_OK && strcmp(in.subject, "a") == 0,
	    "the whole is");
	incident_release(&in);
}

static void
test_limits(void)
{
	struct incident_draft d = { .subject = "s" };
	struct buf b = { 0 };
	char *text = malloc(INCIDENT_TEXT_MAX + 1);

	memset(text, 'x', INCIDENT_TEXT_MAX);
	text[INCIDENT_TEXT_MAX] = '\0';
	d.text = text;
	is_int(incident_print(&b, &d), TOCSIN_ETOOLARGE,
	    "a text that is too long is refused by whoever writes it");
	d.text = "\xff\xfe";
	is_int(incident_print(&b, &d), TOCSIN_EMALFORMED,
	    "so is one that is not UTF-8");
	d.text = NULL;
	d.json = "[1]";
	is_int(incident_print(&b, &d), TOCSIN_EMALFORMED,
	    "and what joins must be an object");
	free(text);
	buf_release(&b);
}

/* ---- the ladder ---- */

#define MAX 8

/* A thread and its receipts, in the order in which they happened. */
static const char *const to_my[] = { "mycert@my", "singcert@sg", NULL };
static const char *const to_all[] = { "lacert@la", "mycert@my", "singcert@sg",
	NULL };

static const struct ladder_message thread[] = {
	{ "id1", "singcert@sg", "singcert@sg/desk1", "report", NULL, NULL, 100,
	    125, to_my, true, false, 0, NULL },
	{ "id2", "mycert@my", "mycert@my/night", "ack", "opened", NULL, 130, 0,
	    to_my, true, false, 0, NULL },
	{ "id3", "mycert@my", "mycert@my/night", "ack", "deferred", NULL, 140,
	    0, to_my, true, false, 0, NULL },
	{ "id4", "singcert@sg", "singcert@sg/bot", "escalate", NULL, NULL, 150,
	    0, to_all, true, false, 0, NULL },
	{ "id5", "mycert@my", "mycert@my/desk1", "ack", "accepted", NULL, 160,
	    0, to_all, true, false, 0, NULL },
	{ "id6", "mycert@my", "mycert@my/night", "ack", "opened", NULL, 170, 0,
	    to_all, true, false, 0, NULL },
};

static const struct ladder_receipt receipts[] = {
	{ "id1", "my", "my", NULL, 110, TOCSIN_RUNG_RELAYED },
	{ "id1", "mycert@my", "my mycert@my/night", NULL, 120,
	    TOCSIN_RUNG_DELIVERED },
	{ "id4", "la", "la", NULL, 155, TOCSIN_RUNG_RELAYED },
};

#define NMESSAGE (sizeof(thread) / sizeof(thread[0]))
#define NRECEIPT (sizeof(receipts) / sizeof(receipts[0]))

/* The places as one line of text, members in order of name. */
struct folded {
	char text[512];
};

static int
by_member(const void *a, const void *b)
{
	return strcmp(((const struct tocsin_place *)a)->member,
	    ((const struct tocsin_place *)b)->member);
}

static struct folded
fold(const struct ladder_message *m, size_t nm, const struct ladder_receipt *r,
    size_t nr, int64_t now)
{
	struct folded f = { "" };
	struct tocsin_place *p = NULL;
	size_t n = 0, i, at;
	bool closed = false;
	unsigned escalated = 0;

	if (ladder_fold(m, nm, r, nr, now, &p, &n, &closed, &escalated) !=
	    TOCSIN_OK)
		return f;
	qsort(p, n, sizeof(*p), by_member);
	for (i = at = 0; i < n; i++)
		at += (size_t)snprintf(f.text + at, sizeof(f.text) - at,
		    "%s %s %lld%s; ", p[i].member, tocsin_rung_name(p[i].rung),
		    (long long)p[i].since, p[i].overdue ? " overdue" : "");
	snprintf(f.text + at, sizeof(f.text) - at, "%s%u",
	    closed ? "closed " : "", escalated);
	free(p);
	return f;
}

static void
test_steps(void)
{
	struct ladder_message first = thread[0];

	first.posted = false;
	is_str(fold(&first, 1, NULL, 0, 0).text, "mycert@my queued 100; 0",
	    "what we wrote is queued");
	is_str(fold(thread, 1, NULL, 0, 0).text, "mycert@my posted 100; 0",
	    "what our broker has is posted");
	is_str(fold(thread, 1, receipts, 1, 0).text, "mycert@my relayed 110; 0",
	    "what their broker has is relayed");
	is_str(fold(thread, 1, receipts, 2, 0).text,
	    "mycert@my delivered 120; 0", "what a device has is delivered");
	is_str(fold(thread, 2, receipts, 2, 0).text, "mycert@my opened 130; 0",
	    "then it is opened");
	is_str(fold(thread, 3, receipts, 2, 0).text,
	    "mycert@my deferred 140; 0", "then it is answered");
	is_str(fold(thread, NMESSAGE, receipts, NRECEIPT, 0).text,
	    "lacert@la relayed 155; mycert@my accepted 160; 1",
	    "the newest answer counts, and escalation brings a new place");
	is_str(fold(thread, 1, receipts, 2, 125).text,
	    "mycert@my delivered 120; 0", "at its deadline it is not overdue");
	is_str(fold(thread, 1, receipts, 2, 126).text,
	    "mycert@my delivered 120 overdue; 0", "after it it is");
	is_str(fold(thread, 2, receipts, 2, 126).text,
	    "mycert@my opened 130 overdue; 0", "to open is not to answer");
	is_str(fold(thread, 3, receipts, 2, 126).text,
	    "mycert@my deferred 140; 0", "to defer is");
}

static void
test_deadlines(void)
{
	struct ladder_message m[2] = { thread[0], thread[3] };

	m[1].ackby = 300;
	is_str(fold(m, 2, NULL, 0, 200).text,
	    "lacert@la posted 150; mycert@my posted 100 overdue; 1",
	    "who comes in by an escalation has the escalation's deadline");
	is_str(fold(m, 2, NULL, 0, 301).text,
	    "lacert@la posted 150 overdue; mycert@my posted 100 overdue; 1",
	    "and may miss it too");
}

static void
test_refusal(void)
{
	struct ladder_message first = thread[0];
	struct ladder_receipt no = { "id1", "my", "my", "not-enrolled", 115,
		TOCSIN_RUNG_REFUSED };

	first.refused_here = true;
	first.reason = "quota";
	is_str(fold(&first, 1, NULL, 0, 0).text, "mycert@my refused 100; 0",
	    "what our broker refused is refused");
	is_str(fold(thread, 1, &no, 1, 0).text, "mycert@my refused 115; 0",
	    "and what theirs did");
}

static void
test_close(void)
{
	struct ladder_message m[3] = { thread[0], thread[4], thread[1] };

	m[1].kind = "update";
	m[1].answer = NULL;
	is_str(fold(m, 2, NULL, 0, 0).text, "mycert@my posted 100; 0",
	    "an update asks nobody and answers nothing");
	m[1].kind = "close";
	is_str(fold(m, 2, NULL, 0, 0).text, "mycert@my closed 160; 0",
	    "who was asked closes for himself");
	m[1].member = "singcert@sg";
	is_str(fold(m, 2, NULL, 0, 200).text, "mycert@my posted 100; closed 0",
	    "who asked closes for all, and nobody is overdue");
	m[1].member = "lacert@la";
	is_str(fold(m, 2, NULL, 0, 0).text, "mycert@my posted 100; 0",
	    "a third closes nothing");
}

/* A stranger's word on somebody else's ticket moves nobody. */
static void
test_stranger(void)
{
	struct ladder_message odd[2] = { thread[0], thread[4] };
	struct ladder_receipt other = receipts[1];

	odd[1].member = "lacert@la";
	is_str(fold(odd, 2, NULL, 0, 0).text, "mycert@my posted 100; 0",
	    "an answer of a member that was not asked counts for nobody");
	odd[1] = thread[4];
	odd[1].answer = "solved";
	is_str(fold(odd, 2, NULL, 0, 0).text, "mycert@my posted 100; 0",
	    "an answer that we don't know moves nobody");
	other.id = "id9";
	is_str(fold(thread, 1, &other, 1, 0).text, "mycert@my posted 100; 0",
	    "nor does a receipt for another");
}

static uint32_t
next(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (uint32_t)(*state >> 33);
}

/* All of a random choice of messages, shuffled, some of them twice. */
static size_t
deal(uint64_t *state, uint8_t *order, size_t n)
{
	size_t i, j, count = n;

	for (i = 0; i < n; i++)
		order[i] = (uint8_t)i;
	for (; count < n + 3; count++)
		order[count] = (uint8_t)(next(state) % n);
	for (i = count; i > 1; i--) {
		uint8_t swap = order[i - 1];

		j = next(state) % i;
		order[i - 1] = order[j];
		order[j] = swap;
	}
	return count;
}

static bool
next_permutation(uint8_t *p, size_t n)
{
	size_t i = n - 1, j = n - 1;
	uint8_t swap;

	while (i > 0 && p[i - 1] >= p[i])
		i--;
	if (i == 0)
		return false;
	while (p[j] <= p[i - 1])
		j--;
	swap = p[i - 1];
	p[i - 1] = p[j];
	p[j] = swap;
	for (j = n - 1; i < j; i++, j--) {
		swap = p[i];
		p[i] = p[j];
		p[j] = swap;
	}
	return true;
}

/* 720 orders of the messages, orders of the receipts, and repetitions. */
static void
test_order(void)
{
	const struct folded want =
	    fold(thread, NMESSAGE, receipts, NRECEIPT, 200);
	struct ladder_message m[NMESSAGE + 3];
	struct ladder_receipt r[NRECEIPT + 3];
	uint8_t p[NMESSAGE] = { 0, 1, 2, 3, 4, 5 }, order[NMESSAGE + 3];
	uint64_t state = 7;
	size_t i, nr, bad = 0, count = 0;

	do {
		for (i = 0; i < NMESSAGE; i++)
			m[i] = thread[p[i]];
		for (; i < NMESSAGE + 3; i++)
			m[i] = thread[next(&state) % NMESSAGE];
		nr = deal(&state, order, NRECEIPT);
		for (i = 0; i < nr; i++)
			r[i] = receipts[order[i]];
		bad += strcmp(fold(m, NMESSAGE + 3, r, nr, 200).text,
			   want.text) != 0;
		count++;
	} while (next_permutation(p, NMESSAGE));
	ok(bad == 0 && count == 720,
	    "every order of the messages gives one state (%zu of %zu differ)",
	    bad, count);
	diag("%s", want.text);
}

/* Two answers of one second: which counts must not depend on who was first. */
static void
test_tie(void)
{
	struct ladder_message m[3] = { thread[0], thread[2], thread[4] };
	struct ladder_message back[3];

	m[2].time = m[1].time;
	back[0] = m[2];
	back[1] = m[1];
	back[2] = m[0];
	is_str(fold(m, 3, NULL, 0, 0).text, fold(back, 3, NULL, 0, 0).text,
	    "two answers at one time are decided by their ids");
	m[1].id = "id9"; /* its id would win */
	m[1].device = m[2].device;
	m[1].seq = 7;
	m[2].seq = 8;
	is_str(fold(m, 3, NULL, 0, 0).text, "mycert@my accepted 140; 0",
	    "but of one device the later one counts");
	m[2].time = m[1].time - 30;
	is_str(fold(m, 3, NULL, 0, 0).text, "mycert@my accepted 110; 0",
	    "also if its clock was set back in between");
}

/* A report and its escalation, written in one second by different devices. */
static void
test_causes(void)
{
	static const char *const to_first[] = { "id9", NULL };
	struct ladder_message m[3] = { thread[0], thread[3], thread[4] };
	struct ladder_message ring[2] = { thread[2], thread[4] };
	static const char *const to_second[] = { "id3", NULL };
	static const char *const to_third[] = { "id5", NULL };

	m[0].id = "id9"; /* the escalation's id, id4, would win */
	m[0].ackby = 400;
	m[1].time = m[0].time;
	m[1].ackby = 900;
	is_str(fold(m, 2, NULL, 0, 500).text,
	    "lacert@la posted 100; mycert@my posted 100 overdue; 1",
	    "an escalation of the same second does not move a deadline");
	m[1].ref = to_first;
	m[1].time = m[0].time - 60;
	is_str(fold(m, 2, NULL, 0, 500).text,
	    "lacert@la posted 40; mycert@my posted 100 overdue; 1",
	    "nor does one of a slow clock, which refers to what it escalates");
	ring[0].ref = to_third;
	ring[1].ref = to_second;
	m[1] = ring[0];
	m[2] = ring[1];
	is_str(fold(m, 3, NULL, 0, 500).text,
	    fold((const struct ladder_message[]){ m[2], m[0], m[1] }, 3, NULL,
		0, 500)
		.text,
	    "messages that claim to answer each other have an order too");
}

int
main(void)
{
	test_round_trip();
	test_refused();
	test_carried();
	test_truncated();
	test_limits();
	test_steps();
	test_deadlines();
	test_refusal();
	test_close();
	test_stranger();
	test_order();
	test_tie();
	test_causes();
	return tap_done();
}

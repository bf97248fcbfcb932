/* SPDX-License-Identifier: ISC */
#include "client/handle.h"
#include "client/intake.h"
#include "crypto/receipt.h"
#include "tests/lib/home.h"
#include "tests/lib/tap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The pure fold is tests/client/incident.c; this is what it is fed with. */
static struct fixture f;
static struct tocsin *sg, *my;
static char sg_dir[512], my_dir[512];
static uint64_t cursor;
static char text[1024];

static void
begin(void)
{
	fixture_init(&f, "sg my la");
	home_make(sg_dir, &f, "singcert@sg/desk1", HOME_NOBODY);
	home_make(my_dir, &f, "mycert@my/desk1", HOME_NOBODY);
	if (tocsin_open(&sg, sg_dir, NULL) != TOCSIN_OK ||
	    tocsin_open(&my, my_dir, NULL) != TOCSIN_OK)
		abort();
	cursor = 0;
}

static void
end(void)
{
	tocsin_close(sg);
	tocsin_close(my);
	fixture_release(&f);
}

static void
give(struct tocsin *to, uint8_t kind, struct span note, struct span body)
{
	home_give(&to->parts, &f, &cursor, kind, note, body);
}

static void
raw_of(const char *id, uint8_t raw[ID_LEN])
{
	if (!id_parse(span_of(id), raw))
		abort();
}

static void
deliver(struct tocsin *from, const char *id, struct tocsin *to)
{
	struct desk_message row;
	struct desk_tx *tx;
	uint8_t raw[ID_LEN];
	uint64_t n = 0;

	raw_of(id, raw);
	if (desk_read(from->parts.desk, &tx) != TOCSIN_OK ||
	    desk_find(tx, raw, &n) != TOCSIN_OK ||
	    desk_get(tx, n, &row) != TOCSIN_OK)
		abort();
	give(to, 1, row.note, row.body);
	desk_end(tx);
}

/* As the broker's answer to a post would mark it. */
static void
posted(struct tocsin *t, const char *id, enum tocsin_err refused)
{
	struct desk_message row;
	struct desk_tx *tx;
	uint8_t raw[ID_LEN];
	uint64_t n = 0;

	raw_of(id, raw);
	if (desk_write(t->parts.desk, &tx) != TOCSIN_OK ||
	    desk_find(tx, raw, &n) != TOCSIN_OK ||
	    desk_get(tx, n, &row) != TOCSIN_OK)
		abort();
	row.posted = refused == TOCSIN_OK ? f.now : 0;
	row.refused = refused;
	if (desk_update(tx, &row) != TOCSIN_OK || desk_commit(tx) != TOCSIN_OK)
		abort();
}

/* What the desk gave dies with its next change. */
static void
copy_row(struct desk_message *row)
{
	uint8_t *note = malloc(row->note.n), *body = malloc(row->body.n);

	if (note == NULL || body == NULL)
		abort();
	row->note.p = memcpy(note, row->note.p, row->note.n);
	row->body.p = memcpy(body, row->body.p, row->body.n);
}

static struct receipt r;

static void
receipt(const char *broker)
{
	struct buf out = { 0 };
	char name[64];
	uint8_t sk[64];

	snprintf(name, sizeof(name), "%s/sign", broker);
	fixture_sign_key(sk, name);
	if (receipt_sign(&out, &r, sk) != TOCSIN_OK)
		abort();
	give(sg, 4, buf_span(&out), (struct span){ 0 });
	buf_release(&out);
}

/* "MEMBER rung by[ reason][ overdue]; ..." */
static const char *
stands(struct tocsin *t, const char *id, int64_t now)
{
	struct tocsin_status *s = NULL;
	size_t i, n = 0;

	if (tocsin_status(t, id, now, &s) != TOCSIN_OK)
		return tocsin_error(t);
	text[0] = '\0';
	for (i = 0; i < s->n; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n,
		    "%s%s %s by %s%s%s%s", i > 0 ? "; " : "",
		    s->place[i].member, tocsin_rung_name(s->place[i].rung),
		    s->place[i].by, s->place[i].reason ? " " : "",
		    s->place[i].reason ? s->place[i].reason : "",
		    s->place[i].overdue ? " overdue" : "");
	if (s->closed)
		n += (size_t)snprintf(text + n, sizeof(text) - n, " closed");
	if (s->escalated > 0)
		snprintf(
		    text + n, sizeof(text) - n, " escalated %u", s->escalated);
	tocsin_status_free(s);
	return text;
}

static void
post(char id[TOCSIN_ID_TEXT], const char *const *to)
{
	const struct tocsin_draft d = { .kind = "report",
		.to = to,
		.tlp = "AMBER",
		.subject = "Beacons",
		.ackby = f.now + 1800 };

	if (tocsin_post(sg, &d, id) != TOCSIN_OK)
		abort();
}

static const char *const to_my[] = { "mycert@my", NULL };
static const char *const to_both[] = { "mycert@my", "lacert@la", NULL };

static void
test_ladder(void)
{
	char id[TOCSIN_ID_TEXT], ack[TOCSIN_ID_TEXT];
	uint8_t raw[ID_LEN];

	begin();
	post(id, to_my);
	raw_of(id, raw);
	is_str(stands(sg, id, f.now), "mycert@my queued by singcert@sg/desk1",
	    "what waits in our outbox is queued");
	posted(sg, id, TOCSIN_OK);
	is_str(stands(sg, id, f.now), "mycert@my posted by singcert@sg/desk1",
	    "what our broker has is posted");
	receipt_init(&r, FX_FEDERATION, "my", f.now + 1);
	if (!receipt_stored(&r, raw, 5))
		abort();
	receipt("my");
	is_str(stands(sg, id, f.now), "mycert@my relayed by my",
	    "what their broker has is relayed");
	receipt_init(&r, FX_FEDERATION, "my", f.now + 2);
	if (!receipt_delivered(&r, raw, "mycert@my", "night"))
		abort();
	receipt("my");
	is_str(stands(sg, id, f.now), "mycert@my delivered by my night",
	    "what a device of theirs has is delivered");
	is_str(stands(sg, id, f.now + 3600),
	    "mycert@my delivered by my night overdue",
	    "and overdue when its time is over");

	deliver(sg, id, my);
	if (tocsin_ack(my, id, TOCSIN_ACCEPTED, NULL, "on it", ack) !=
	    TOCSIN_OK)
		abort();
	deliver(my, ack, sg);
	is_str(stands(sg, id, f.now + 3600),
	    "mycert@my accepted by mycert@my/desk1",
	    "an answer ends that, signed by who gave it");
	is_str(stands(sg, ack, f.now + 3600),
	    "mycert@my accepted by mycert@my/desk1",
	    "any message of a thread tells of the thread");
	end();
}

static void
test_refusals(void)
{
	char id[TOCSIN_ID_TEXT], ack[TOCSIN_ID_TEXT];
	uint8_t raw[ID_LEN];

	begin();
	post(id, to_both);
	raw_of(id, raw);
	posted(sg, id, TOCSIN_OK);
	receipt_init(&r, FX_FEDERATION, "la", f.now);
	if (!receipt_refused(&r, raw, TOCSIN_EREVOKED))
		abort();
	receipt("la");
	is_str(stands(sg, id, f.now),
	    "lacert@la refused by la revoked; "
	    "mycert@my posted by singcert@sg/desk1",
	    "a broker's refusal is for its nation, with its reason");
	deliver(sg, id, my);
	if (tocsin_ack(my, id, TOCSIN_REFUSED, "Encryption", NULL, ack) !=
	    TOCSIN_OK)
		abort();
	deliver(my, ack, sg);
	is_str(stands(sg, id, f.now),
	    "lacert@la refused by la revoked; "
	    "mycert@my refused by mycert@my/desk1 Encryption",
	    "a team's for itself, with its own");
	end();

	begin();
	post(id, to_my);
	posted(sg, id, TOCSIN_EPOLICYDENIED);
	is_str(stands(sg, id, f.now),
	    "mycert@my refused by broker policy-denied",
	    "what our own broker refused has not gone anywhere");
	end();
}

/* ---- what a border left out ---- */

static const char *
left_out(const char *id)
{
	struct tocsin_message *m = NULL;
	struct tocsin_status *s = NULL;
	size_t i, n = 0;

	if (tocsin_status(sg, id, f.now, &s) != TOCSIN_OK ||
	    tocsin_get(sg, id, &m) != TOCSIN_OK)
		abort();
	text[0] = '\0';
	for (i = 0; i < s->nleft; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n,
		    "%s without %s by %s: %s; ", s->left[i].nation,
		    s->left[i].name, s->left[i].by, s->left[i].reason);
	for (i = 0; i < m->nparts; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s %zu; ",
		    m->parts[i].name, m->parts[i].nleft);
	tocsin_status_free(s);
	tocsin_message_free(m);
	return text;
}

/* Which part of ours has that size at least, sealed; its hash. */
static void
part_hash(const char *id, uint64_t size, uint8_t hash[32])
{
	struct ticket *h = malloc(sizeof(*h));
	struct desk_message row;
	struct desk_tx *tx;
	uint8_t raw[ID_LEN];
	struct note note;
	uint64_t n;
	size_t i;

	raw_of(id, raw);
	if (h == NULL || desk_read(sg->parts.desk, &tx) != TOCSIN_OK ||
	    desk_find(tx, raw, &n) != TOCSIN_OK ||
	    desk_get(tx, n, &row) != TOCSIN_OK ||
	    ticket_parse(h, &note, row.note) != TOCSIN_OK)
		abort();
	for (i = 0; i < h->npart; i++)
		if (h->part[i].size >= size)
			memcpy(hash, h->part[i].hash, 32);
	desk_end(tx);
	free(h);
}

static void
write_file(char path[600], const char *name, size_t n)
{
	FILE *file;

	snprintf(path, 600, "%s/%s", sg_dir, name);
	file = fopen(path, "w");
	if (file == NULL)
		abort();
	while (n-- > 0)
		putc('x', file);
	fclose(file);
}

static void
without(const char *broker, const uint8_t id[ID_LEN], const uint8_t hash[32])
{
	receipt_init(&r, FX_FEDERATION, broker, f.now + 1);
	if (!receipt_without(&r, id, hash, TOCSIN_ETOOLARGE))
		abort();
	receipt(broker);
}

static void
test_left_out(void)
{
	char id[TOCSIN_ID_TEXT], large[600], small[600];
	struct tocsin_draft d = { .kind = "report",
		.to = to_my,
		.tlp = "AMBER",
		.subject = "Dumps" };
	struct tocsin_attachment a[2] = { { .path = large },
		{ .path = small } };
	uint8_t raw[ID_LEN], hash[32], other[32] = { 9 };

	begin();
	write_file(large, "large", 200000);
	write_file(small, "small", 10);
	d.attachments = a;
	d.nattachments = 2;
	if (tocsin_post(sg, &d, id) != TOCSIN_OK)
		abort();
	posted(sg, id, TOCSIN_OK);
	raw_of(id, raw);
	part_hash(id, 200000, hash);
	is_str(left_out(id), "large 0; small 0; ",
	    "nothing is said of attachments that nobody left out");
	without("la", raw, hash);
	is_str(left_out(id), "large 0; small 0; ",
	    "a nation that it is not to has no say");
	without("my", raw, other);
	is_str(left_out(id), "large 0; small 0; ",
	    "nor has anybody of a part that it does not have");
	without("my", raw, hash);
	is_str(left_out(id),
	    "my without large by my: too-large; large 1; small 0; ",
	    "which one a broker left out is said, by whom, and why");
	without("my", raw, hash);
	is_str(left_out(id),
	    "my without large by my: too-large; large 1; small 0; ",
	    "and once only");
	is_str(stands(sg, id, f.now), "mycert@my posted by singcert@sg/desk1",
	    "it puts nobody anywhere");
	end();
}

/* An answer that was forged, or altered, moves nobody. */
static void
test_forged(void)
{
	char id[TOCSIN_ID_TEXT], ack[TOCSIN_ID_TEXT];
	struct desk_message row;
	struct buf note = { 0 };
	struct desk_tx *tx;
	uint8_t raw[ID_LEN];
	uint64_t n = 0;

	begin();
	post(id, to_my);
	posted(sg, id, TOCSIN_OK);
	deliver(sg, id, my);
	if (tocsin_ack(my, id, TOCSIN_ACCEPTED, NULL, NULL, ack) != TOCSIN_OK)
		abort();
	raw_of(ack, raw);
	if (desk_read(my->parts.desk, &tx) != TOCSIN_OK ||
	    desk_find(tx, raw, &n) != TOCSIN_OK ||
	    desk_get(tx, n, &row) != TOCSIN_OK)
		abort();
	buf_add(&note, row.note);
	note.p[note.n - 20] = note.p[note.n - 20] == 'A' ? 'B' : 'A';
	give(sg, 1, buf_span(&note), row.body);
	desk_end(tx);
	is_str(stands(sg, id, f.now), "mycert@my posted by singcert@sg/desk1",
	    "an answer whose signature fails counts for nothing");
	deliver(my, ack, sg);
	is_str(stands(sg, id, f.now), "mycert@my accepted by mycert@my/desk1",
	    "the true one counts, also after it");
	buf_release(&note);
	end();
}

static void
test_thread(void)
{
	char id[TOCSIN_ID_TEXT], more[TOCSIN_ID_TEXT];
	struct tocsin_draft d = { .kind = "escalate" };

	begin();
	post(id, to_my);
	d.thread = id;
	d.to = (const char *const[]){ "lacert@la", NULL };
	d.ackby = f.now + 600;
	if (tocsin_post(sg, &d, more) != TOCSIN_OK)
		abort();
	ok(strstr(stands(sg, id, f.now + 700),
	       "lacert@la queued by singcert@sg/desk1 overdue") != NULL &&
		strstr(text, "escalated 1") != NULL,
	    "an escalation adds whom it went to, with its own deadline");
	d = (struct tocsin_draft){ .kind = "close", .thread = id };
	if (tocsin_post(sg, &d, more) != TOCSIN_OK)
		abort();
	ok(strstr(stands(sg, id, f.now + 9000), "closed") != NULL &&
		strstr(text, "overdue") == NULL,
	    "what is closed is not overdue");
	is_str(stands(sg, "zzzz", f.now),
	    "no message here has an id that begins with zzzz",
	    "a ticket that is not here has no status");
	end();
}

/* How many messages a message says that it comes after. */
static size_t
refs(struct tocsin *t, const char *id)
{
	struct ticket *h = malloc(sizeof(*h));
	struct desk_message row;
	struct desk_tx *tx;
	uint8_t raw[ID_LEN];
	struct note note;
	uint64_t n;
	size_t count;

	raw_of(id, raw);
	if (h == NULL || desk_read(t->parts.desk, &tx) != TOCSIN_OK ||
	    desk_find(tx, raw, &n) != TOCSIN_OK ||
	    desk_get(tx, n, &row) != TOCSIN_OK ||
	    ticket_parse(h, &note, row.note) != TOCSIN_OK)
		abort();
	count = h->nref;
	desk_end(tx);
	free(h);
	return count;
}

/* All in one second: what was read before is answered after. */
static void
test_same_second(void)
{
	char id[TOCSIN_ID_TEXT], more[TOCSIN_ID_TEXT], ack[TOCSIN_ID_TEXT];
	struct tocsin_draft d = { .kind = "reopen" };
	unsigned i, bad = 0;

	begin();
	post(id, to_my);
	deliver(sg, id, my);
	d.thread = id;
	for (i = 0; i < 8; i++) {
		if (tocsin_post(sg, &d, more) != TOCSIN_OK)
			abort();
		deliver(sg, more, my);
		if (tocsin_ack(my, id, TOCSIN_ACCEPTED, NULL, NULL, ack) !=
		    TOCSIN_OK)
			abort();
		deliver(my, ack, sg);
		bad += strstr(stands(sg, id, f.now), "accepted") == NULL;
	}
	is_int(bad, 0, "an answer to who asks anew comes after the question");
	ok(refs(my, ack) >= 2 && refs(my, ack) <= 5,
	    "because it names the last messages that came");
	d = (struct tocsin_draft){ .kind = "share", .thread = id };
	d.to = (const char *const[]){ "lacert@la", NULL };
	if (tocsin_post(sg, &d, more) != TOCSIN_OK)
		abort();
	is_int((long long)refs(sg, more), 1,
	    "but to a further member none that it was not sent");
	end();
}

/* As above, but the answer goes to one who does not know of the question. */
static void
test_asked_apart(void)
{
	char id[TOCSIN_ID_TEXT], more[TOCSIN_ID_TEXT], ack[TOCSIN_ID_TEXT];
	struct tocsin_draft d = { .kind = "request", .to = to_my };
	unsigned i, bad = 0;

	begin();
	post(id, to_both);
	deliver(sg, id, my);
	d.thread = id;
	for (i = 0; i < 8; i++) {
		if (tocsin_post(sg, &d, more) != TOCSIN_OK)
			abort();
		deliver(sg, more, my);
		if (tocsin_post(sg, &d, more) != TOCSIN_OK)
			abort();
		bad += strstr(stands(sg, id, f.now), "accepted") != NULL;
		deliver(sg, more, my);
		if (tocsin_ack(my, id, TOCSIN_ACCEPTED, NULL, NULL, ack) !=
		    TOCSIN_OK)
			abort();
		deliver(my, ack, sg);
		bad += strstr(stands(sg, id, f.now), "accepted") == NULL;
	}
	is_int(
	    bad, 0, "an answer to what others were not asked comes after it");
	end();
}

/* A list of tickets has opened each: its status need not open it again. */
static void
test_given(void)
{
	char id[TOCSIN_ID_TEXT], ack[TOCSIN_ID_TEXT];
	struct tocsin_status *s = NULL;
	struct tocsin_message *m = NULL;
	char was[2000];

	begin();
	post(id, to_my);
	deliver(sg, id, my);
	if (tocsin_ack(my, id, TOCSIN_ACCEPTED, NULL, NULL, ack) != TOCSIN_OK ||
	    tocsin_get(my, id, &m) != TOCSIN_OK)
		abort();
	snprintf(was, sizeof(was), "%s", stands(my, id, f.now));
	m->ackby = f.now + 5; /* a word that only this copy of it has */
	ok(tocsin_status_of(my, m, f.now, &s) == TOCSIN_OK &&
		s->ackby == f.now + 5,
	    "a message that is given is not opened again");
	tocsin_status_free(s);
	m->number++;
	s = NULL;
	ok(tocsin_status_of(my, m, f.now, &s) == TOCSIN_OK &&
		s->ackby == f.now + 1800 && s->n > 0,
	    "one that the desk has moved on is");
	tocsin_status_free(s);
	tocsin_message_free(m);
	is_str(stands(my, id, f.now), was, "and neither changes anything");
	end();
}

/* A first message that was held gets a number behind its answers. */
static void
test_held(void)
{
	char id[TOCSIN_ID_TEXT], ack[TOCSIN_ID_TEXT];
	struct tocsin_status *s = NULL;
	struct tocsin_list *l = NULL;
	struct desk_message row;
	struct desk_tx *tx;
	uint8_t raw[ID_LEN];
	uint64_t n = 0;

	begin();
	post(id, to_my);
	deliver(sg, id, my);
	if (tocsin_ack(my, id, TOCSIN_ACCEPTED, NULL, NULL, ack) != TOCSIN_OK)
		abort();
	raw_of(id, raw);
	if (desk_write(my->parts.desk, &tx) != TOCSIN_OK ||
	    desk_find(tx, raw, &n) != TOCSIN_OK ||
	    desk_get(tx, n, &row) != TOCSIN_OK)
		abort();
	copy_row(&row);
	if (desk_again(tx, &row) != TOCSIN_OK || desk_commit(tx) != TOCSIN_OK)
		abort();
	free((void *)(uintptr_t)row.note.p);
	free((void *)(uintptr_t)row.body.p);
	ok(tocsin_tickets(my, &l) == TOCSIN_OK && l->n == 1 &&
		strcmp(l->message[0]->id, id) == 0,
	    "a ticket is shown by what opened it, whenever that came out");
	tocsin_list_free(l);
	l = NULL;
	ok(tocsin_thread(my, id, &l) == TOCSIN_OK && l->n == 2 &&
		strcmp(l->message[0]->id, id) == 0,
	    "and its thread begins with that");
	tocsin_list_free(l);
	ok(tocsin_status(my, id, f.now, &s) == TOCSIN_OK &&
		s->ackby == f.now + 1800,
	    "whose deadline is the ticket's");
	tocsin_status_free(s);
	end();
}

static void
test_names(void)
{
	is_str(tocsin_rung_name(TOCSIN_RUNG_QUEUED), "queued", "rungs have");
	is_str(tocsin_rung_name(TOCSIN_RUNG_CLOSED), "closed", "names");
	is_str(tocsin_rung_name((enum tocsin_rung)99), "unknown",
	    "also one that there is not");
}

int
main(void)
{
	test_ladder();
	test_refusals();
	test_left_out();
	test_forged();
	test_thread();
	test_same_second();
	test_asked_apart();
	test_given();
	test_held();
	test_names();
	return tap_done();
}

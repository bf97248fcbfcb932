/* SPDX-License-Identifier: ISC */
#include "client/handle.h"
#include "client/intake.h"
#include "tests/lib/home.h"
#include "tests/lib/tap.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* We are singcert@sg; what we send is delivered to others by hand. */
static struct fixture f;
static struct tocsin *t;
static char dir[512];

static const char *const to_my[] = { "mycert@my", NULL };
static const char *const to_la[] = { "lacert@la", NULL };

static struct tocsin *
open_home(const char *device, char path[512])
{
	struct tocsin *h = NULL;

	home_make(path, &f, device, HOME_NOBODY);
	if (tocsin_open(&h, path, NULL) != TOCSIN_OK) {
		diag("%s", tocsin_error(NULL));
		abort();
	}
	return h;
}

static void
begin(const char *device)
{
	fixture_init(&f, "sg my la");
	t = open_home(device, dir);
}

static void
end(void)
{
	tocsin_close(t);
	fixture_release(&f);
}

/* A draft that is right; tests make one thing wrong. */
static struct tocsin_draft
right(void)
{
	return (struct tocsin_draft){ .kind = "report",
		.to = to_my,
		.tlp = "AMBER",
		.subject = "Beacons",
		.text = "From 192.0.2.7 every hour." };
}

/* ---- what a home has ---- */

struct trace {
	size_t messages, queued, uploads, files;
	uint64_t self;
};

static struct trace
trace_of(struct tocsin *h)
{
	struct trace tr = { 0 };
	uint8_t hash[32] = { 0 };
	struct desk_tx *tx;
	struct span self;
	uint64_t n, size;

	if (desk_read(h->parts.desk, &tx) != TOCSIN_OK)
		abort();
	for (n = 0; desk_next(tx, n, &n) == TOCSIN_OK;)
		tr.messages++;
	for (n = 0; desk_outbox_next(tx, n, &n) == TOCSIN_OK;)
		tr.queued++;
	while (desk_upload_next(tx, hash, hash, &size) == TOCSIN_OK)
		tr.uploads++;
	if (desk_value_get(tx, DESK_SELF, &self) == TOCSIN_OK)
		tr.self = self.p[7];
	desk_end(tx);
	tr.files = home_files(h->parts.keys->home, "spool");
	return tr;
}

static bool
same(struct trace a, struct trace b)
{
	return a.messages == b.messages && a.queued == b.queued &&
	       a.uploads == b.uploads && a.files == b.files && a.self == b.self;
}

/* Refused for this reason, with these words, and without a trace. */
static void
refused(const struct tocsin_draft *d, enum tocsin_err want, const char *words,
    const char *what)
{
	struct trace before = trace_of(t);
	char id[TOCSIN_ID_TEXT] = "";
	enum tocsin_err err = tocsin_post(t, d, id);
	bool said = strstr(tocsin_error(t), words) != NULL;

	ok(err == want && said && id[0] == '\0' && same(before, trace_of(t)),
	    "%s", what);
	if (err != want || !said)
		diag("%s: %s", tocsin_err_name(err), tocsin_error(t));
}

static void
post(struct tocsin *h, const struct tocsin_draft *d, char id[TOCSIN_ID_TEXT])
{
	if (tocsin_post(h, d, id) != TOCSIN_OK) {
		diag("%s", tocsin_error(h));
		abort();
	}
}

/* What one home sent, as it comes to another. */
static void
deliver(struct tocsin *from, const char *id, struct tocsin *to,
    enum tocsin_err want)
{
	struct msg_entries *m = calloc(1, sizeof(*m));
	struct intake in = { .parts = &to->parts, .now = f.now };
	struct desk_message row;
	struct desk_tx *tx;
	uint8_t raw[ID_LEN];
	uint64_t n = 0, cursor;

	if (m == NULL || desk_read(from->parts.desk, &tx) != TOCSIN_OK ||
	    !id_parse(span_of(id), raw) ||
	    desk_find(tx, raw, &n) != TOCSIN_OK ||
	    desk_get(tx, n, &row) != TOCSIN_OK)
		abort();
	cursor = desk_u64_get(tx, "cursor");
	m->n = 1;
	m->entry[0] = (struct msg_entry){ .seq = cursor + 1000 + n,
		.time = f.now,
		.kind = 1,
		.note = row.note,
		.body = row.body };
	if (intake_entries(&in, m, &cursor) != TOCSIN_OK)
		abort();
	desk_end(tx);
	free(m);
	if (desk_read(to->parts.desk, &tx) != TOCSIN_OK ||
	    desk_find(tx, raw, &n) != TOCSIN_OK ||
	    desk_get(tx, n, &row) != TOCSIN_OK || row.refused != want) {
		diag("delivered: %s", tocsin_err_name(row.refused));
		abort();
	}
	desk_end(tx);
}

/* ---- words ---- */

static void
test_words(void)
{
	static const char *const labels[] = { "Personal", NULL };
	static const char *const nobody[] = { NULL };
	static const char *const odd[] = { "mycert", NULL };
	static const char *const other[] = { "nocert@my", NULL };
	struct tocsin_draft d;

	begin("singcert@sg/desk1");
	d = right();
	d.tlp = "ambr";
	refused(&d, TOCSIN_EUSAGE, "nearest is AMBER",
	    "a label that does not exist, with the nearest that does");
	d.tlp = NULL;
	refused(&d, TOCSIN_EUSAGE, "no default", "no label");
	d = right();
	d.classification = "malicious-code:c2-sever";
	refused(&d, TOCSIN_EUSAGE, "nearest is malicious-code:c2-server",
	    "a class that RSIT does not have");
	d = right();
	d.severity = "GB/T 20986:V";
	refused(&d, TOCSIN_EUSAGE, "nearest is GB/T 20986:I",
	    "a severity that no scale has");
	d = right();
	d.precedence = "falsh";
	refused(&d, TOCSIN_EUSAGE, "nearest is flash", "a wrong precedence");
	d = right();
	d.kind = "rumour";
	refused(&d, TOCSIN_EUSAGE, "rumour", "a kind that there is not");
	d.kind = "update";
	refused(&d, TOCSIN_EUSAGE, "which ticket", "an update of nothing");
	d.kind = "close";
	d.resolution = "sovled";
	refused(&d, TOCSIN_EUSAGE, "nearest is resolved",
	    "a resolution that there is not");
	d.kind = "report";
	refused(&d, TOCSIN_EUSAGE, "resolution", "a report that is resolved");
	d = right();
	d.labels = labels;
	refused(&d, TOCSIN_EUSAGE, "Personal", "a label with a capital");
	d = right();
	d.exercise = "a b";
	refused(&d, TOCSIN_EUSAGE, "a b", "a name of no exercise");
	d = right();
	d.to = nobody;
	refused(&d, TOCSIN_EUSAGE, "whom", "nobody to send it to");
	d.to = odd;
	refused(&d, TOCSIN_EUSAGE, "team@nation", "what is no member's name");
	d.to = other;
	refused(&d, TOCSIN_ENOTENROLLED, "nocert@my",
	    "a member that is not in the roster");
	d = right();
	d.text = "\xff\xfe";
	refused(&d, TOCSIN_EMALFORMED, "UTF-8", "text that is not UTF-8");
	d = right();
	d.json = "[1]";
	refused(&d, TOCSIN_EMALFORMED, "object", "JSON that is no object");
	end();
}

static void
test_large(void)
{
	char *text = malloc(300 * 1024 + 1);
	struct tocsin_draft d;

	begin("singcert@sg/desk1");
	memset(text, 'a', 300 * 1024);
	text[300 * 1024] = '\0';
	d = right();
	d.text = text;
	refused(&d, TOCSIN_ETOOLARGE, "attach it", "a text that is too long");
	free(text);
	end();
}

/* ---- who and when ---- */

static void
suspend(struct roster *r, void *arg)
{
	struct roster_member m = fixture_member("mycert@my");

	(void)arg;
	m.suspended = true;
	if (roster_put_member(r, &m) != TOCSIN_OK)
		abort();
}

static void
expire(struct roster *r, void *arg)
{
	(void)arg;
	r->expires = f.now - 1;
}

static void
no_epoch(struct keys *k, void *arg)
{
	(void)arg;
	k->recipient[0].notbefore = f.now + 86400;
}

static void
take(struct tocsin *h, struct span note, bool roster)
{
	struct desk_tx *tx;
	enum tocsin_err err;

	pthread_mutex_lock(&h->lock);
	if (desk_write(h->parts.desk, &tx) != TOCSIN_OK)
		abort();
	err = roster ? belief_take_roster(&h->belief, tx, note, false, f.now)
		     : belief_take_keys(&h->belief, tx, note, f.now);
	if (err != TOCSIN_OK || desk_commit(tx) != TOCSIN_OK)
		abort();
	pthread_mutex_unlock(&h->lock);
}

static void
test_who(void)
{
	struct tocsin_draft d = right();
	struct home h;

	begin("singcert@sg/desk1");
	fixture_next_keys(&f, 1, no_epoch, NULL);
	take(t, buf_span(&f.keys_file[1]), false);
	refused(&d, TOCSIN_EKEYSEXPIRED, "mycert@my has no current keys",
	    "a member whose keys are for another time");
	fixture_next_roster(&f, suspend, NULL);
	take(t, buf_span(&f.file), true);
	refused(&d, TOCSIN_ESUSPENDED, "mycert@my", "a suspended member");
	fixture_next_roster(&f, expire, NULL);
	take(t, buf_span(&f.file), true);
	refused(
	    &d, TOCSIN_EROSTEREXPIRED, "read, not sent", "an expired roster");
	end();

	fixture_init(&f, "sg my la");
	home_make_bare(dir, "singcert@sg/desk1", HOME_NOBODY);
	if (tocsin_open(&t, dir, NULL) != TOCSIN_OK)
		abort();
	refused(&d, TOCSIN_EROSTERUNKNOWN, "tocsin trust",
	    "a home that trusts no roster yet");
	is_int(tocsin_sync(t, 0), TOCSIN_EROSTERUNKNOWN,
	    "which has nobody to talk to either");
	tocsin_close(t);
	home_open(&h, dir);
	home_take_roster(&h, &f);
	home_close(&h);
	if (tocsin_open(&t, dir, NULL) != TOCSIN_OK)
		abort();
	refused(&d, TOCSIN_EKEYSEXPIRED, "mycert@my",
	    "a member that never announced keys");
	end();
}

static void
test_roles(void)
{
	struct tocsin_draft d = right();
	char id[TOCSIN_ID_TEXT];

	begin("singcert@sg/screen");
	refused(&d, TOCSIN_EKINDNOTALLOWED, "reader", "a reader sends nothing");
	end();
	begin("singcert@sg/escalator");
	post(t, &d, id);
	d.thread = id;
	d.kind = "close";
	refused(&d, TOCSIN_EKINDNOTALLOWED, "close", "a bot does not close");
	end();
}

/* ---- attachments ---- */

static char file[600];

static void
write_file(size_t n)
{
	FILE *out;
	size_t i;

	snprintf(file, sizeof(file), "%s/evidence.bin", scratch());
	out = fopen(file, "wb");
	for (i = 0; i < n; i++)
		fputc((int)(i % 251), out);
	fclose(out);
}

static void
test_attachments(void)
{
	struct tocsin_attachment a[TICKET_PARTS_MAX + 1];
	struct tocsin_draft d = right();
	char id[TOCSIN_ID_TEXT], path[700];
	struct desk_tx *tx;
	uint8_t *one, *two;
	size_t i, n, k;

	begin("singcert@sg/desk1");
	write_file(100000);
	for (i = 0; i <= TICKET_PARTS_MAX; i++)
		a[i] = (struct tocsin_attachment){ .path = file };
	d.attachments = a;
	d.nattachments = TICKET_PARTS_MAX + 1;
	refused(&d, TOCSIN_ETOOLARGE, "at most", "too many attachments");
	d.nattachments = 2;
	a[1].path = "/nowhere/at/all";
	refused(&d, TOCSIN_ENOTFOUND, "/nowhere/at/all: no such file",
	    "an attachment that is not there");
	a[1].path = scratch();
	refused(&d, TOCSIN_EUSAGE, "not a file", "a folder");
	d.tlp = "ambr";
	refused(&d, TOCSIN_EUSAGE, "AMBER", "a wrong word beside them");
	d.tlp = "AMBER";
	a[1].path = file;
	if (desk_write(t->parts.desk, &tx) != TOCSIN_OK ||
	    desk_u64_put(tx, DESK_PART_MAX, 50000) != TOCSIN_OK ||
	    desk_commit(tx) != TOCSIN_OK)
		abort();
	refused(&d, TOCSIN_ETOOLARGE, "the broker takes 48 KiB",
	    "more than the broker takes");
	if (desk_write(t->parts.desk, &tx) != TOCSIN_OK ||
	    desk_u64_put(tx, DESK_PART_MAX, 500000) != TOCSIN_OK ||
	    desk_commit(tx) != TOCSIN_OK)
		abort();
	d.nattachments = 1;
	post(t, &d, id);
	ok(trace_of(t).uploads == 1 && trace_of(t).files == 1,
	    "one that is right is sealed, and waits to be uploaded");
	is_int(
	    tocsin_save(t, id, "evidence.bin", scratch(), "copy", NULL, NULL),
	    TOCSIN_OK, "it can be had back");
	snprintf(path, sizeof(path), "%s/copy", scratch());
	one = slurp(file, &n);
	two = slurp(path, &k);
	ok(n == k && memcmp(one, two, n) == 0, "and is the same");
	is_int(
	    tocsin_save(t, id, "evidence.bin", scratch(), "copy", NULL, NULL),
	    TOCSIN_EUSAGE, "not over a file that is there");
	is_int(tocsin_save(t, id, "else", scratch(), NULL, NULL, NULL),
	    TOCSIN_ENOTFOUND, "nor one of another name");
	free(one);
	free(two);
	end();
}

/* ---- what was sent, at the other end ---- */

static void
header_of(struct tocsin *h, const char *id, struct ticket *out, struct buf *b)
{
	struct desk_message row;
	uint8_t raw[ID_LEN];
	struct desk_tx *tx;
	struct note note;
	uint64_t n;

	if (desk_read(h->parts.desk, &tx) != TOCSIN_OK ||
	    !id_parse(span_of(id), raw) ||
	    desk_find(tx, raw, &n) != TOCSIN_OK ||
	    desk_get(tx, n, &row) != TOCSIN_OK)
		abort();
	buf_cut(b, 0);
	buf_add(b, row.note);
	desk_end(tx);
	if (ticket_parse(out, &note, buf_span(b)) != TOCSIN_OK)
		abort();
}

static void
test_opens(void)
{
	static const char *const sectors[] = { "Energy", "health", NULL };
	static const char *const labels[] = { "ot", "personal-data", "ot",
		NULL };
	struct tocsin_draft d = right();
	struct tocsin_message *m = NULL;
	struct tocsin_status *s = NULL;
	char id[TOCSIN_ID_TEXT], other[512];
	struct tocsin *my;

	begin("singcert@sg/desk1");
	my = open_home("mycert@my/desk1", other);
	d.tlp = "TLP:amber+strict";
	d.severity = "ii";
	d.importance = "important";
	d.loss = "Especially-Serious";
	d.classification = "Malicious-Code:C2-Server";
	d.outlook = "WORSENING";
	d.pap = "amber";
	d.sectors = sectors;
	d.precedence = "Flash";
	d.labels = labels;
	d.ackby = f.now + 1800;
	d.json = "{\"indicators\":[\"192.0.2.7\"],\"subject\":\"not this\"}";
	post(t, &d, id);
	deliver(t, id, my, TOCSIN_OK);
	if (tocsin_get(my, id, &m) != TOCSIN_OK)
		abort();
	ok(m->refused == TOCSIN_OK && !m->own, "the recipient opens it");
	is_str(m->subject, "Beacons", "the subject");
	is_str(m->text, "From 192.0.2.7 every hour.", "the text");
	is_str(m->from, "singcert@sg/desk1", "who wrote it");
	is_str(m->tlp, "AMBER+STRICT", "words in any case become the words");
	is_str(m->precedence, "flash", "all of them");
	ok(strstr(m->json, "\"GB/T 20986\"") && strstr(m->json, "c2-server") &&
		strstr(m->json, "192.0.2.7"),
	    "what is in the content is there");
	ok(strstr(m->json, "\"sectors\":[\"energy\",\"health\"]") &&
		strstr(m->json, "\"outlook\":\"worsening\"") &&
		strstr(m->json, "\"pap\":\"AMBER\"") &&
		strstr(m->json, "\"loss\":\"especially-serious\""),
	    "in the words of the lists");
	ok(m->to[0] && strcmp(m->to[0], "mycert@my") == 0 && m->to[1] &&
		strcmp(m->to[1], "singcert@sg") == 0 && m->to[2] == NULL,
	    "it is to them and to ourselves");
	ok(m->ackby == d.ackby && m->exercise == NULL &&
		strcmp(m->thread, id) == 0,
	    "with its deadline, live, the first of a thread");
	ok(m->pap != NULL && strcmp(m->pap, "AMBER") == 0 &&
		strcmp(m->labels[0], "ot") == 0 &&
		strcmp(m->labels[1], "personal-data") == 0 &&
		m->labels[2] == NULL,
	    "with what may be done, and what data it has, each word once");
	tocsin_message_free(m);
	m = NULL;
	if (tocsin_ack(my, id, TOCSIN_OPENED, NULL, NULL, other) != TOCSIN_OK ||
	    tocsin_get(my, other, &m) != TOCSIN_OK ||
	    tocsin_refresh(my, m, f.now, &s) != TOCSIN_OK)
		abort();
	ok(m->pap == NULL && m->labels[0] == NULL &&
		strcmp(s->pap, "AMBER") == 0,
	    "an answer says nothing of that, its ticket does");
	tocsin_status_free(s);
	tocsin_message_free(m);
	tocsin_close(my);
	end();
}

static void
test_chain(void)
{
	struct ticket *h = calloc(1, sizeof(*h));
	struct tocsin_draft d = right();
	char id[3][TOCSIN_ID_TEXT];
	struct buf note = { 0 };
	uint8_t first[ID_LEN], second[ID_LEN];
	bool good;

	begin("singcert@sg/desk1");
	post(t, &d, id[0]);
	d.tlp = "no";
	if (tocsin_post(t, &d, id[1]) == TOCSIN_OK)
		abort();
	d.tlp = "RED";
	post(t, &d, id[1]);
	if (tocsin_ack(t, id[0], TOCSIN_OPENED, NULL, NULL, id[2]) != TOCSIN_OK)
		abort();
	header_of(t, id[0], h, &note);
	good = h->seq == 1 && !h->has_prev;
	memcpy(first, h->id, ID_LEN);
	header_of(t, id[1], h, &note);
	good = good && h->seq == 2 && memcmp(h->prev, first, ID_LEN) == 0;
	memcpy(second, h->id, ID_LEN);
	header_of(t, id[2], h, &note);
	good = good && h->seq == 3 && memcmp(h->prev, second, ID_LEN) == 0;
	ok(good, "a device numbers what it sends, and names the one before");
	ok(h->has_thread && memcmp(h->thread, first, ID_LEN) == 0 &&
		h->nref == 1 && memcmp(h->ref[0], first, ID_LEN) == 0 &&
		h->kind == TICKET_ACK && h->tlp == TICKET_AMBER && h->nto == 2,
	    "an answer stays in the thread, under its label, to its members");
	buf_release(&note);
	free(h);
	end();
}

/* ---- what may be done with another's ticket ---- */

static void
test_theirs(void)
{
	struct tocsin_draft d = right();
	char id[TOCSIN_ID_TEXT], ours[TOCSIN_ID_TEXT], other[512];
	struct tocsin *my;

	begin("singcert@sg/desk1");
	my = open_home("mycert@my/desk1", other);
	d.to = (const char *const[]){ "singcert@sg", NULL };
	post(my, &d, id);
	deliver(my, id, t, TOCSIN_OK);
	d = (struct tocsin_draft){
		.kind = "escalate", .thread = id, .to = to_la
	};
	refused(&d, TOCSIN_EPOLICYDENIED, "only mycert@my",
	    "another's TLP:AMBER is not shown to a third");
	d.kind = "update";
	refused(&d, TOCSIN_EPOLICYDENIED, "only mycert@my",
	    "not in an update either");
	d.kind = "share";
	d.to = NULL;
	d.tlp = "CLEAR";
	refused(&d, TOCSIN_EPOLICYDENIED, "passed on as TLP:CLEAR",
	    "nor under a wider label");
	d.kind = "update";
	d.tlp = NULL;
	d.exercise = "Tabletop.2026";
	refused(&d, TOCSIN_EEXERCISEMISMATCH, "is live",
	    "an exercise does not join a live ticket");
	d.exercise = NULL;
	post(t, &d, ours);
	ok(true, "an update to who has it is sent");
	d.thread = "0000";
	refused(&d, TOCSIN_ENOTFOUND, "begins with 0000",
	    "a thread that is not here");

	d = (struct tocsin_draft){
		.kind = "escalate", .thread = id, .text = "Help", .to = to_la
	};
	post(my, &d, ours);
	ok(true, "who wrote it may show it to others");
	tocsin_close(my);
	end();
}

/* A recipient that adds members on its own does not add them to our answers. */
static void
add_la(struct ticket *tk, void *arg)
{
	const uint8_t *thread = arg;

	tk->has_thread = true;
	memcpy(tk->thread, thread, ID_LEN);
	tk->kind = TICKET_UPDATE;
}

static void
test_smuggled(void)
{
	struct ticket *h = calloc(1, sizeof(*h));
	struct tocsin_draft d = right();
	struct intake in;
	struct msg_entries *m = calloc(1, sizeof(*m));
	struct buf note = { 0 };
	char id[TOCSIN_ID_TEXT], next[TOCSIN_ID_TEXT];
	struct fx_ticket sly;
	uint8_t raw[ID_LEN];
	uint64_t cursor = 0;

	begin("singcert@sg/desk1");
	post(t, &d, id);
	if (!id_parse(span_of(id), raw))
		abort();
	fixture_ticket(&sly, &f, "mycert@my/desk1", "singcert@sg lacert@la", 1,
	    NULL, add_la, raw);
	m->n = 1;
	m->entry[0] = (struct msg_entry){ .seq = 7,
		.time = f.now,
		.kind = 1,
		.note = buf_span(&sly.note),
		.body = buf_span(&sly.body) };
	in = (struct intake){ .parts = &t->parts, .now = f.now };
	if (intake_entries(&in, m, &cursor) != TOCSIN_OK)
		abort();
	d = (struct tocsin_draft){
		.kind = "update", .thread = id, .text = "As we said"
	};
	post(t, &d, next);
	header_of(t, next, h, &note);
	ok(ticket_to_find(h, span_of("lacert@la")) < 0 &&
		ticket_to_find(h, span_of("mycert@my")) >= 0,
	    "whom a recipient added on its own does not get our answers");
	fx_ticket_release(&sly);
	buf_release(&note);
	free(m);
	free(h);
	end();
}

static void
test_refused_thread(void)
{
	struct tocsin_draft d = right();
	struct msg_entries *m = calloc(1, sizeof(*m));
	struct intake in;
	char id[TOCSIN_ID_TEXT], ack[TOCSIN_ID_TEXT];
	struct fx_ticket bad;
	uint64_t cursor = 0;

	begin("singcert@sg/desk1");
	fixture_ticket(
	    &bad, &f, "mycert@my/desk1", "singcert@sg", 1, NULL, NULL, NULL);
	bad.body.p[40] ^= 1;
	m->n = 1;
	m->entry[0] = (struct msg_entry){ .seq = 7,
		.time = f.now,
		.kind = 1,
		.note = buf_span(&bad.note),
		.body = buf_span(&bad.body) };
	in = (struct intake){ .parts = &t->parts, .now = f.now };
	if (intake_entries(&in, m, &cursor) != TOCSIN_OK)
		abort();
	id_print(id, bad.id);
	d.thread = id;
	refused(&d, TOCSIN_EBODYMISMATCH, "not to be answered",
	    "what was refused is not answered");
	is_int(tocsin_ack(t, id, TOCSIN_ACCEPTED, NULL, NULL, ack),
	    TOCSIN_EBODYMISMATCH, "nor accepted");
	fx_ticket_release(&bad);
	free(m);
	end();
}

static void
test_ack(void)
{
	struct tocsin_draft d = right();
	char id[TOCSIN_ID_TEXT], ack[TOCSIN_ID_TEXT];

	begin("singcert@sg/desk1");
	post(t, &d, id);
	is_int(tocsin_ack(t, id, TOCSIN_REFUSED, "Becuase", NULL, ack),
	    TOCSIN_EUSAGE, "a refusal needs a reason of the list");
	is_int(tocsin_ack(t, id, (enum tocsin_answer)9, NULL, NULL, ack),
	    TOCSIN_EUSAGE, "an answer one of those there are");
	is_int(tocsin_ack(t, id, TOCSIN_REFUSED, "cannotprocess", NULL, ack),
	    TOCSIN_OK, "then it is sent");
	d.kind = "ack";
	refused(&d, TOCSIN_EUSAGE, "what the answer is",
	    "a draft of the kind ack says which answer");
	d.kind = "report";
	d.answer = "accepted";
	refused(&d, TOCSIN_EUSAGE, "answer", "and no other has one");
	end();
}

/* Seals the ticket anew for who did not have it. */
static void
test_share(void)
{
	struct tocsin_draft d = right();
	char id[TOCSIN_ID_TEXT], later[TOCSIN_ID_TEXT], other[512];
	struct tocsin_message *m = NULL;
	struct tocsin *la;

	begin("singcert@sg/desk1");
	la = open_home("lacert@la/desk1", other);
	post(t, &d, id);
	d = (struct tocsin_draft){
		.kind = "share", .thread = id, .to = to_la, .text = "For you"
	};
	post(t, &d, later);
	deliver(t, later, la, TOCSIN_OK);
	is_int(tocsin_get(la, later, &m), TOCSIN_OK,
	    "a further member opens what was shared");
	ok(m != NULL && strcmp(m->kind, "share") == 0 && m->subject != NULL &&
		strcmp(m->thread, id) == 0,
	    "and has the ticket's subject and thread");
	tocsin_message_free(m);
	m = NULL;
	is_int(tocsin_ack(la, later, TOCSIN_IN_PROGRESS, NULL, NULL, later),
	    TOCSIN_OK, "it answers");
	d = (struct tocsin_draft){
		.kind = "close", .thread = id, .resolution = "False-Positive"
	};
	post(t, &d, later);
	is_int(tocsin_get(t, later, &m), TOCSIN_OK, "a close is kept");
	ok(strstr(m->json, "\"resolution\":\"false-positive\"") != NULL,
	    "with its resolution as the list has it");
	tocsin_message_free(m);
	d = (struct tocsin_draft){ .kind = "reopen", .thread = id };
	post(t, &d, later);
	tocsin_close(la);
	end();
}

/* ---- several at once ---- */

static void *
post_many(void *arg)
{
	struct tocsin_draft d = right();
	char id[TOCSIN_ID_TEXT];
	int i;

	(void)arg;
	for (i = 0; i < 20; i++)
		if (tocsin_post(t, &d, id) != TOCSIN_OK)
			abort();
	return NULL;
}

static void *
take_many(void *arg)
{
	struct msg_entries *m = calloc(1, sizeof(*m));
	struct intake in = { .parts = &t->parts, .now = f.now };
	uint64_t cursor = 0;
	size_t i;

	(void)arg;
	for (i = 0; i < 40; i++) {
		m->n = 1;
		m->entry[0] = (struct msg_entry){ .seq = i + 1,
			.time = f.now,
			.kind = 3,
			.note = buf_span(&f.keys_file[1]) };
		if (intake_entries(&in, m, &cursor) != TOCSIN_OK)
			abort();
	}
	free(m);
	return NULL;
}

/* Posting and taking need the belief and the desk: in one order. */
static void
test_threads(void)
{
	pthread_t p[3];
	size_t i;

	begin("singcert@sg/desk1");
	for (i = 0; i < 3; i++)
		if (pthread_create(
			&p[i], NULL, i < 2 ? post_many : take_many, NULL) != 0)
			abort();
	for (i = 0; i < 3; i++)
		pthread_join(p[i], NULL);
	ok(trace_of(t).queued == 40 && trace_of(t).self == 40,
	    "two threads post while a third takes what comes");
	end();
}

/* ---- a full disk ---- */

/* No file may grow beyond this any more. */
static void
limit_files(rlim_t n)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_FSIZE, &r) != 0)
		abort();
	r.rlim_cur = n;
	if (setrlimit(RLIMIT_FSIZE, &r) != 0)
		abort();
}

static void
test_full(void)
{
	struct tocsin_attachment a = { .path = file };
	struct tocsin_draft d = right();
	char id[TOCSIN_ID_TEXT], path[600];
	struct trace before;
	enum tocsin_err err = TOCSIN_OK;
	struct stat st;
	size_t sent = 0;

	begin("singcert@sg/desk1");
	signal(SIGXFSZ, SIG_IGN);
	write_file(300000);
	snprintf(path, sizeof(path), "%s/desk/data.mdb", dir);
	if (stat(path, &st) != 0)
		abort();
	limit_files((rlim_t)st.st_size);
	d.attachments = &a;
	d.nattachments = 1;
	refused(&d, TOCSIN_ENOSPACE, "evidence.bin",
	    "an attachment for which there is no room");
	d.nattachments = 0;
	while (err == TOCSIN_OK && sent < 1000) {
		before = trace_of(t);
		err = tocsin_post(t, &d, id);
		sent += err == TOCSIN_OK;
	}
	is_int(err, TOCSIN_ENOSPACE, "a message for which there is no room");
	ok(same(before, trace_of(t)) && before.messages == sent,
	    "leaves no trace");
	limit_files(RLIM_INFINITY);
	post(t, &d, id);
	ok(trace_of(t).messages == sent + 1 &&
		trace_of(t).self == (uint8_t)(sent + 1),
	    "with room again all goes on");
	end();
}

int
main(void)
{
	test_words();
	test_large();
	test_who();
	test_roles();
	test_attachments();
	test_opens();
	test_chain();
	test_theirs();
	test_smuggled();
	test_refused_thread();
	test_ack();
	test_share();
	test_threads();
	test_full();
	return tap_done();
}

/* SPDX-License-Identifier: ISC */
/*
 * What is remembered of threads says what opening them all would say, in any
 * history; it is sealed, and gone when what it was made of is.
 */
#include "client/glance.h"
#include "client/cli/rows.h"
#include "client/gist.h"
#include "client/glance_bytes.h"
#include "client/intake.h"
#include "crypto/receipt.h"
#include "tests/lib/home.h"
#include "tests/lib/nth.h"
#include "tests/lib/tap.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KNOWN 64
#define MUST(x)                                                    \
	do {                                                       \
		if (!(x)) {                                        \
			diag("%s:%d: %s", __FILE__, __LINE__, #x); \
			abort();                                   \
		}                                                  \
	} while (0)

static struct fixture f;
static struct {
	struct tocsin *t;
	char dir[512];
	uint64_t cursor;
	char id[KNOWN][TOCSIN_ID_TEXT]; /* messages that it has */
	size_t n;
} desks[3];
static const char *const members[] = { "singcert@sg", "mycert@my",
	"lacert@la" };
#define SG (desks[0].t)

/* A message on its way to a desk; the desk may get it again and again. */
static struct {
	struct fx_ticket m;
	size_t to;
	char id[TOCSIN_ID_TEXT];
} way[1024];
static size_t nway;

static uint64_t dice;

static uint32_t
roll(uint32_t n)
{
	dice = dice * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(dice >> 33) % n;
}

static void
begin(void)
{
	char device[64];
	size_t i;

	fixture_init(&f, "sg my la");
	for (i = 0; i < 3; i++) {
		snprintf(device, sizeof(device), "%s/desk1", members[i]);
		home_make(desks[i].dir, &f, device, HOME_NOBODY);
		MUST(tocsin_open(&desks[i].t, desks[i].dir, NULL) == TOCSIN_OK);
		desks[i].cursor = desks[i].n = 0;
	}
	nway = 0;
}

static void
end(void)
{
	size_t i;

	for (i = 0; i < 3; i++)
		tocsin_close(desks[i].t);
	for (i = 0; i < nway; i++)
		fx_ticket_release(&way[i].m);
	fixture_release(&f);
}

static void
give(size_t to, uint8_t kind, struct span note, struct span body)
{
	home_give(&desks[to].t->parts, &f, &desks[to].cursor, kind, note, body);
}

static uint64_t
row_of(
    size_t desk, struct desk_tx *tx, const char *id, struct desk_message *row)
{
	uint8_t raw[ID_LEN];
	uint64_t n = 0;

	(void)desk;
	MUST(id_parse(span_of(id), raw));
	MUST(desk_find(tx, raw, &n) == TOCSIN_OK);
	MUST(desk_get(tx, n, row) == TOCSIN_OK);
	return n;
}

static void
remember(size_t desk, const char *id)
{
	if (desks[desk].n < KNOWN)
		memcpy(desks[desk].id[desks[desk].n++], id, TOCSIN_ID_TEXT);
}

static const char *
any_id(size_t desk)
{
	return desks[desk].n > 0 ? desks[desk].id[roll((uint32_t)desks[desk].n)]
				 : NULL;
}

/* It goes to all others; who is not meant cannot open it. */
static void
send(size_t from, const char *id)
{
	struct desk_message row;
	struct desk_tx *tx;
	size_t i;

	MUST(desk_read(desks[from].t->parts.desk, &tx) == TOCSIN_OK);
	row_of(from, tx, id, &row);
	for (i = 0; i < 3; i++) {
		if (i == from || nway == sizeof(way) / sizeof(way[0]))
			continue;
		memset(&way[nway], 0, sizeof(way[nway]));
		way[nway].to = i;
		buf_add(&way[nway].m.note, row.note);
		buf_add(&way[nway].m.body, row.body);
		memcpy(way[nway++].id, id, TOCSIN_ID_TEXT);
	}
	desk_end(tx);
	remember(from, id);
}

/* ---- a history ---- */

static const char *const to_all[] = { "singcert@sg", "mycert@my", "lacert@la",
	NULL };

static const char *
evidence(void)
{
	static char path[300];
	FILE *file;

	snprintf(path, sizeof(path), "%s/evidence.txt", scratch());
	file = fopen(path, "w");
	MUST(file != NULL && fputs("a log", file) >= 0 && fclose(file) == 0);
	return path;
}

static void
say_new(size_t who)
{
	static const char *const kinds[] = { "report", "request", "query" };
	static const char *const labels[] = { "AMBER", "GREEN", "CLEAR" };
	char subject[64], id[TOCSIN_ID_TEXT];
	const struct tocsin_attachment file = { evidence(), "evidence.txt",
		"text/plain" };
	const struct tocsin_draft d = { .kind = kinds[roll(3)],
		.attachments = &file,
		.nattachments = roll(3) == 0,
		.to = to_all + roll(3),
		.tlp = labels[roll(3)],
		.precedence = roll(2) ? "flash" : "routine",
		.subject = subject,
		.text = roll(2) ? "beacons seen" : NULL,
		.severity = roll(2) ? "GB/T 20986:II" : NULL,
		.outlook = roll(2) ? "worsening" : NULL,
		.occurred = roll(2) ? f.now - 600 : 0,
		.ackby = roll(2) ? f.now + 600 : 0 };

	snprintf(subject, sizeof(subject), "Ticket %u", roll(1000));
	if (tocsin_post(desks[who].t, &d, id) == TOCSIN_OK)
		send(who, id);
}

static void
say_more(size_t who)
{
	static const char *const kinds[] = { "update", "result", "escalate",
		"close", "reopen", "recall", "ack", "ack", "share" };
	static const char *const answers[] = { "opened", "accepted", "deferred",
		"in-progress" };
	static const char *const parts[] = { "evidence.txt", NULL };
	struct tocsin_draft d = { .kind = kinds[roll(9)],
		.thread = any_id(who),
		.text = "more of it" };
	char id[TOCSIN_ID_TEXT];

	if (d.thread == NULL)
		return;
	if (strcmp(d.kind, "ack") == 0)
		d.answer = answers[roll(4)];
	if (strcmp(d.kind, "recall") == 0 && roll(2))
		d.recall = parts;
	if (strcmp(d.kind, "escalate") == 0 || strcmp(d.kind, "share") == 0) {
		d.to = to_all + roll(3);
		d.ackby = f.now + 60 * roll(20);
	}
	if (tocsin_post(desks[who].t, &d, id) == TOCSIN_OK)
		send(who, id);
}

static void
say_clock(void)
{
	static const char *const own[] = { "singcert@sg", NULL };
	struct tocsin_draft d = {
		.kind = "update", .thread = any_id(0), .to = own
	};
	char id[TOCSIN_ID_TEXT];

	if (roll(2))
		d.clock_start = "nis2";
	else
		d.clock_done = "nis2/early-warning";
	if (d.thread != NULL && tocsin_post(SG, &d, id) == TOCSIN_OK)
		send(0, id);
}

static void
deliver(void)
{
	size_t i = nway > 0 ? roll((uint32_t)nway) : 0;

	if (nway == 0)
		return;
	give(way[i].to, 1, buf_span(&way[i].m.note), buf_span(&way[i].m.body));
	remember(way[i].to, way[i].id);
}

static void
attest(void)
{
	static const char *const brokers[] = { "sg", "my", "la" };
	struct receipt *r = calloc(1, sizeof(*r));
	struct buf out = { 0 };
	uint8_t raw[ID_LEN], sk[64];
	size_t by = roll(3);
	char name[64];
	const char *id = any_id(0);

	MUST(r != NULL);
	if (id != NULL && id_parse(span_of(id), raw)) {
		receipt_init(r, FX_FEDERATION, brokers[by], f.now);
		switch (roll(3)) {
		case 0:
			MUST(receipt_stored(r, raw, 5));
			break;
		case 1:
			MUST(receipt_delivered(r, raw, members[by], "night"));
			break;
		default:
			MUST(receipt_refused(r, raw, TOCSIN_EPOLICYDENIED));
		}
		snprintf(name, sizeof(name), "%s/sign", brokers[by]);
		fixture_sign_key(sk, name);
		MUST(receipt_sign(&out, r, sk) == TOCSIN_OK);
		give(0, 4, buf_span(&out), (struct span){ 0 });
	}
	buf_release(&out);
	free(r);
}

/* The broker's answer to a post of ours. */
static void
mark_posted(void)
{
	const char *id = any_id(0);
	struct desk_message row;
	struct desk_tx *tx;
	uint8_t *note, *body;

	if (id == NULL)
		return;
	MUST(desk_write(SG->parts.desk, &tx) == TOCSIN_OK);
	row_of(0, tx, id, &row);
	note = xcopy(row.note.p, row.note.n);
	body = xcopy(row.body.p, row.body.n);
	row.note.p = note;
	row.body.p = body;
	row.posted = f.now;
	if (row.own && roll(4) == 0)
		row.refused = TOCSIN_EPOLICYDENIED;
	MUST(desk_update(tx, &row) == TOCSIN_OK);
	MUST(desk_commit(tx) == TOCSIN_OK);
	free(note);
	free(body);
}

static void
happen(void)
{
	f.now += roll(300);
	switch (roll(8)) {
	case 0:
		say_new(roll(3));
		break;
	case 1:
	case 2:
		say_more(roll(3));
		break;
	case 3:
		say_clock();
		break;
	case 4:
		attest();
		break;
	case 5:
		mark_posted();
		break;
	default:
		deliver();
	}
}

/* ---- what a desk shows, in words ---- */

static void
add_message(struct buf *b, const struct tocsin_message *m)
{
	size_t i;

	buf_addf(b, "%llu %s %s %s %s %s %s %s t%lld r%lld a%lld %d %s \"%s\"",
	    (unsigned long long)m->number, m->id, m->thread, m->from, m->kind,
	    m->tlp, m->precedence, m->exercise ? m->exercise : "-",
	    (long long)m->time, (long long)m->received, (long long)m->ackby,
	    m->own, tocsin_err_name(m->refused), m->subject ? m->subject : "");
	for (i = 0; m->to[i] != NULL; i++)
		buf_addf(b, " >%s", m->to[i]);
	for (i = 0; i < m->nparts; i++)
		buf_addf(b, " +%s %s %llu %llu %d", m->parts[i].name,
		    m->parts[i].media, (unsigned long long)m->parts[i].size,
		    (unsigned long long)m->parts[i].sealed,
		    m->parts[i].recalled);
}

static const char *
or_none(const char *s)
{
	return s != NULL ? s : "-";
}

static void
add_place(struct buf *b, const struct tocsin_place *p)
{
	buf_addf(b, " [%s %s %lld %s %s %lld %d %d %s %lld %lld]", p->member,
	    tocsin_rung_name(p->rung), (long long)p->since, or_none(p->by),
	    or_none(p->reason), (long long)p->ackby, p->overdue, p->recalled,
	    or_none(p->message), (long long)p->asked, (long long)p->heard);
}

/* Opening everything, by the calls of tocsin.h. */
static void
opened(struct buf *b, int64_t now)
{
	struct tocsin_list *all = NULL;
	struct tocsin_status *s;
	size_t i, k;

	MUST(tocsin_tickets(SG, &all) == TOCSIN_OK);
	for (i = 0; i < all->n; i++) {
		add_message(b, all->message[i]);
		s = NULL;
		if (tocsin_status_of(SG, all->message[i], now, &s) ==
		    TOCSIN_OK) {
			buf_addf(b, " closed %d escalated %u", s->closed,
			    s->escalated);
			for (k = 0; k < s->n; k++)
				add_place(b, &s->place[k]);
			for (k = 0; k < s->ndeadline; k++)
				if (s->deadline[k].done == 0)
					break;
			if (k < s->ndeadline)
				buf_addf(b, " %s %lld", s->deadline[k].clock,
				    (long long)s->deadline[k].due);
		}
		tocsin_status_free(s);
		buf_addz(b, "\n");
	}
	tocsin_list_free(all);
	buf_u8(b, 0);
}

static void
tell(struct buf *b, const struct rows *rows, bool all)
{
	size_t i, k;

	for (i = 0; i < rows->n; i++) {
		const struct row *r = &rows->row[i];

		add_message(b, r->m);
		buf_addf(b, " closed %d escalated %u", r->closed, r->escalated);
		for (k = 0; k < r->nplace; k++)
			add_place(b, &r->place[k].p);
		if (r->clock != NULL)
			buf_addf(b, " %s %lld", r->clock, (long long)r->due);
		if (all)
			buf_addf(b, " %s %d %d %zu %lld %s %s", r->state,
			    r->late, r->unacked, r->messages,
			    (long long)r->latest, or_none(r->severity),
			    or_none(r->outlook));
		for (k = 0; all && k < r->nplace; k++)
			buf_addf(b, " %lld", (long long)r->place[k].answered);
		buf_addz(b, "\n");
	}
	buf_u8(b, 0);
}

/* What a list shows. */
static void
listed(struct buf *b, int64_t now, bool all)
{
	struct rows *rows = NULL;

	MUST(rows_load(SG, NULL, now, &rows) == TOCSIN_OK);
	tell(b, rows, all);
	rows_free(rows);
}

static void
worded(struct buf *b)
{
	struct rows *rows = NULL;
	struct gists *g = NULL;
	struct span words;
	size_t i;

	MUST(rows_load(SG, NULL, 1, &rows) == TOCSIN_OK);
	MUST(gists_begin(&g, SG) == TOCSIN_OK);
	for (i = 0; i < rows->n; i++) {
		MUST(gists_of(g, rows->row[i].m->thread, &words) == TOCSIN_OK);
		buf_addf(b, "%s ", rows->row[i].m->thread);
		buf_add(b, words);
	}
	gists_end(g);
	rows_free(rows);
}

static void
forget_all(void)
{
	uint8_t thread[ID_LEN];
	const uint8_t *after = NULL;
	struct desk_tx *tx;

	MUST(desk_write(SG->parts.desk, &tx) == TOCSIN_OK);
	while (desk_thread_after(tx, after, thread) == TOCSIN_OK) {
		MUST(desk_forget(tx, thread) == TOCSIN_OK);
		after = thread;
	}
	MUST(desk_commit(tx) == TOCSIN_OK);
}

static size_t
kept(void)
{
	uint8_t thread[ID_LEN];
	const uint8_t *after = NULL;
	struct desk_tx *tx;
	struct span s;
	size_t n = 0;

	MUST(desk_read(SG->parts.desk, &tx) == TOCSIN_OK);
	while (desk_thread_after(tx, after, thread) == TOCSIN_OK) {
		n += desk_fold_get(tx, thread, &s) == TOCSIN_OK;
		after = thread;
	}
	desk_end(tx);
	return n;
}

static bool
same(const struct buf *a, const struct buf *b, const char *what)
{
	bool good = span_eq(buf_span(a), buf_span(b));

	if (!good)
		diag("%s:\n%.*s\nbut\n%.*s", what, (int)a->n,
		    (const char *)a->p, (int)b->n, (const char *)b->p);
	return good;
}

/* Remembered, then opened, then remembered anew: all the same. */
static bool
agrees(void)
{
	int64_t now = f.now + roll(1200);
	struct buf a = { 0 }, b = { 0 }, c = { 0 }, d = { 0 }, w = { 0 },
		   v = { 0 };
	bool good;

	listed(&a, now, false);
	opened(&b, now);
	listed(&c, now, true);
	worded(&w);
	forget_all();
	listed(&d, now, true);
	worded(&v);
	good = same(&a, &b, "the list says") && same(&c, &d, "it is kept as") &&
	       same(&w, &v, "the words are kept as");
	buf_release(&a);
	buf_release(&b);
	buf_release(&c);
	buf_release(&d);
	buf_release(&w);
	buf_release(&v);
	return good;
}

static void
test_histories(void)
{
	const char *given = getenv("SEED"), *count = getenv("N");
	uint64_t seed = given ? strtoull(given, NULL, 10) : 20261121;
	size_t i, k, n = count ? strtoull(count, NULL, 10) : 12, bad = 0;
	size_t rows = 0;

	diag("seed %llu", (unsigned long long)seed);
	for (i = 0; i < n && bad == 0; i++) {
		dice = (seed + i) * 2862933555777941757u;
		begin();
		for (k = 0; k < 60 && bad == 0; k++) {
			happen();
			if (roll(3) == 0 && !agrees())
				bad++;
		}
		bad += !agrees();
		rows += kept();
		end();
	}
	ok(bad == 0, "in %zu histories a list says what opening all says", n);
	if (bad > 0)
		diag("rerun with SEED=%llu N=1",
		    (unsigned long long)(seed + i - 1));
	ok(rows > n, "and they had tickets, %zu of them remembered", rows);
}

/* ---- one by one ---- */

static void
post(size_t who, char id[TOCSIN_ID_TEXT], const char *subject)
{
	const struct tocsin_draft d = { .kind = "report",
		.to = to_all,
		.tlp = "AMBER",
		.subject = subject,
		.text = "the quick kingfisher" };

	MUST(tocsin_post(desks[who].t, &d, id) == TOCSIN_OK);
	send(who, id);
}

static void
deliver_all(size_t to)
{
	size_t i;

	for (i = 0; i < nway; i++)
		if (way[i].to == to)
			give(to, 1, buf_span(&way[i].m.note),
			    buf_span(&way[i].m.body));
}

static void
list_once(void)
{
	struct rows *rows = NULL;

	MUST(rows_load(SG, NULL, f.now, &rows) == TOCSIN_OK);
	rows_free(rows);
}

/* Every value of the desk's own file, and what LMDB left behind. */
static bool
on_disk(const char *word)
{
	char path[600];
	uint8_t *bytes;
	size_t n;
	bool found;

	snprintf(path, sizeof(path), "%s/desk/data.mdb", desks[0].dir);
	bytes = slurp(path, &n);
	found = memmem(bytes, n, word, strlen(word)) != NULL;
	free(bytes);
	return found;
}

static bool
has_word(const char *id, const char *word)
{
	struct gists *g = NULL;
	struct span words;
	bool found;

	MUST(gists_begin(&g, SG) == TOCSIN_OK);
	MUST(gists_of(g, id, &words) == TOCSIN_OK);
	found =
	    words.n > 0 && memmem(words.p, words.n, word, strlen(word)) != NULL;
	gists_end(g);
	return found;
}

static void
test_sealed(void)
{
	char id[TOCSIN_ID_TEXT];

	begin();
	post(1, id, "Heron over the bank");
	deliver_all(0);
	list_once();
	is_int((long long)kept(), 1, "a list remembers what it folded");
	ok(has_word(id, "kingfisher"), "and its words");
	ok(!on_disk("Heron") && !on_disk("kingfisher"),
	    "none of which lies open on the disk");
	end();
}

struct told {
	size_t calls, done, of;
	bool back; /* it went back, or beyond */
};

static void
tell_me(void *arg, size_t done, size_t of)
{
	struct told *told = arg;

	told->back |= (told->of == of && done < told->done) || done > of;
	told->calls++;
	told->done = done;
	told->of = of;
}

/* So many at a time, and who waits is told. */
static void
test_some(void)
{
	const struct rows_filter two = { .most = 2 };
	struct rows *rows = NULL;
	struct told told = { 0 };
	char id[TOCSIN_ID_TEXT];
	size_t i;

	begin();
	for (i = 0; i < 5; i++)
		post(1, id, "One of five");
	deliver_all(0);
	SG->opening = tell_me;
	SG->opening_arg = &told;
	for (i = 0; i < 3; i++) {
		told = (struct told){ 0 };
		MUST(rows_load(SG, &two, f.now, &rows) == TOCSIN_OK);
		ok(rows->n == (i < 2 ? 2 * i + 2 : 5) &&
			rows->left == 5 - rows->n,
		    "%zu of five tickets, and how many are left", rows->n);
		rows_free(rows);
	}
	ok(told.done == told.of && told.of == 1 && !told.back,
	    "who waits is told how many of how many, to the end");
	told = (struct told){ 0 };
	list_once();
	is_int((long long)told.calls, 0, "of what is remembered nothing");
	forget_all();
	list_once();
	ok(told.of == 5 && told.done == 5, "without a limit it is all at once");
	SG->opening = NULL;
	end();
}

static void
test_recall(void)
{
	char id[TOCSIN_ID_TEXT], recall[TOCSIN_ID_TEXT];
	const struct tocsin_draft d = { .kind = "recall", .thread = id };
	struct rows *rows = NULL;

	begin();
	post(1, id, "Heron");
	deliver_all(0);
	list_once();
	MUST(tocsin_post(desks[1].t, &d, recall) == TOCSIN_OK);
	send(1, recall);
	deliver_all(0);
	is_int((long long)kept(), 0, "a recall makes the desk forget");
	ok(!has_word(id, "kingfisher"), "the words of what was recalled");
	MUST(rows_load(SG, NULL, f.now, &rows) == TOCSIN_OK);
	ok(rows->n == 1 && rows->row[0].m->subject == NULL &&
		strcmp(rows->row[0].state, "recalled") == 0,
	    "and its subject");
	rows_free(rows);
	is_int((long long)kept(), 1, "what is left is remembered");
	ok(!has_word(id, "kingfisher"), "without them");
	end();
}

static void
test_own_recall(void)
{
	char id[TOCSIN_ID_TEXT], recall[TOCSIN_ID_TEXT];
	const struct tocsin_draft d = { .kind = "recall", .thread = id };

	begin();
	post(0, id, "Heron");
	list_once();
	ok(has_word(id, "kingfisher"), "our own words are found");
	MUST(tocsin_post(SG, &d, recall) == TOCSIN_OK);
	list_once();
	ok(!has_word(id, "kingfisher"), "until we have recalled them");
	end();
}

/* Any byte of what is kept. */
static void
test_damage(void)
{
	char id[TOCSIN_ID_TEXT];
	uint8_t thread[ID_LEN], *bytes;
	struct desk_tx *tx;
	struct span fold, words;
	size_t i, n, bad = 0;

	begin();
	post(1, id, "Heron");
	deliver_all(0);
	list_once();
	MUST(id_parse(span_of(id), thread));
	MUST(desk_read(SG->parts.desk, &tx) == TOCSIN_OK);
	MUST(desk_fold_get(tx, thread, &fold) == TOCSIN_OK);
	MUST(desk_words_get(tx, thread, &words) == TOCSIN_OK);
	n = fold.n;
	bytes = xcopy(fold.p, n);
	desk_end(tx);
	for (i = 0; i < n; i += 7) {
		uint64_t seen;

		bytes[i] ^= 0x20;
		MUST(desk_write(SG->parts.desk, &tx) == TOCSIN_OK);
		seen = desk_snapshot(tx);
		MUST(desk_fold_put(tx, thread, seen,
			 (struct span){ bytes, i % 2 ? n : i },
			 (struct span){ bytes, n }) == TOCSIN_OK);
		MUST(desk_commit(tx) == TOCSIN_OK);
		bytes[i] ^= 0x20;
		bad += !has_word(id, "kingfisher");
		bad += !agrees();
	}
	is_int((long long)bad, 0, "what is damaged or cut is made anew");
	free(bytes);
	end();
}

/* Every copy of those bytes that the disk has, by one byte. */
static void
harm(struct span bytes)
{
	char path[600];
	uint8_t *data, *at;
	size_t n, from = 0;
	FILE *file;

	snprintf(path, sizeof(path), "%s/desk/data.mdb", desks[0].dir);
	data = slurp(path, &n);
	file = fopen(path, "r+");
	MUST(file != NULL);
	while ((at = memmem(data + from, n - from, bytes.p, bytes.n)) != NULL) {
		from = (size_t)(at - data) + 1;
		MUST(fseek(file, at - data, SEEK_SET) == 0);
		MUST(putc('!', file) != EOF);
	}
	MUST(from > 0 && fclose(file) == 0);
	free(data);
}

/* The places in the list where the desk has a damaged message. */
static const char *
harmed(void)
{
	static char said[64];
	struct rows *rows = NULL;
	size_t i, n = 0;

	MUST(rows_load(SG, NULL, f.now, &rows) == TOCSIN_OK);
	for (i = 0; i < rows->n; i++)
		n += (size_t)snprintf(said + n, sizeof(said) - n, "%s ",
		    rows->row[i].m->refused == TOCSIN_EBODYMISMATCH
			? "damaged"
			: rows->row[i].state);
	rows_free(rows);
	return said;
}

static void
test_damaged_message(void)
{
	char first[TOCSIN_ID_TEXT], other[TOCSIN_ID_TEXT], id[TOCSIN_ID_TEXT];
	const struct tocsin_draft d = {
		.kind = "update", .thread = first, .text = "a kestrel"
	};
	size_t i;

	begin();
	post(1, first, "Heron");
	MUST(tocsin_post(desks[1].t, &d, id) == TOCSIN_OK);
	send(1, id);
	post(1, other, "Egret");
	deliver_all(0);
	list_once();
	is_str(harmed(), "delivered delivered ", "two tickets are whole");
	for (i = 0; i < 2; i++) { /* the update, then what opened it */
		size_t k = nway;

		while (strcmp(way[--k].id, i == 0 ? id : first) != 0 ||
		       way[k].to != 0)
			;
		tocsin_close(SG);
		harm(span_cut(buf_span(&way[k].m.body), 300, 64));
		MUST(tocsin_open(&desks[0].t, desks[0].dir, NULL) == TOCSIN_OK);
		forget_all();
		is_str(harmed(),
		    i == 0 ? "delivered damaged delivered "
			   : "damaged damaged delivered ",
		    "a damaged message has a row of its own");
		is_int((long long)kept(), 1, "its thread is not remembered");
		ok(!has_word(first, "kestrel") &&
			has_word(first, "Heron") == (i == 0) &&
			has_word(other, "Egret"),
		    "what it said is not found, the rest is");
	}
	end();
}

/* What a device of an older epoch could read, nobody can without its key. */
static void
test_epoch(void)
{
	char id[TOCSIN_ID_TEXT];
	struct keystore *k;
	struct rows *rows = NULL;

	begin();
	post(1, id, "Heron");
	deliver_all(0);
	list_once();
	k = SG->parts.keys;
	snprintf(k->epoch[0], sizeof(k->epoch[0]), "2026-10");
	MUST(rows_load(SG, NULL, f.now, &rows) == TOCSIN_OK);
	ok(rows->n == 1 && rows->row[0].m->subject == NULL,
	    "without the key of its epoch a subject is not remembered");
	rows_free(rows);
	ok(!has_word(id, "kingfisher"), "nor a word");
	snprintf(k->epoch[0], sizeof(k->epoch[0]), FX_EPOCH);
	MUST(rows_load(SG, NULL, f.now, &rows) == TOCSIN_OK);
	ok(rows->n == 1 && rows->row[0].m->subject != NULL,
	    "and with it, it is there again");
	rows_free(rows);
	end();
}

/* A message comes between the snapshot and the change that keeps its fold. */
static void
test_race(void)
{
	char id[TOCSIN_ID_TEXT];
	uint8_t thread[ID_LEN];
	struct desk_tx *tx;
	struct span s, x = { (const uint8_t *)"x", 1 };
	uint64_t seen;

	begin();
	post(0, id, "Heron");
	MUST(id_parse(span_of(id), thread));
	MUST(desk_read(SG->parts.desk, &tx) == TOCSIN_OK);
	seen = desk_snapshot(tx);
	desk_end(tx);
	MUST(desk_write(SG->parts.desk, &tx) == TOCSIN_OK);
	MUST(desk_forget(tx, thread) == TOCSIN_OK);
	MUST(desk_commit(tx) == TOCSIN_OK);
	MUST(desk_write(SG->parts.desk, &tx) == TOCSIN_OK);
	is_int(desk_fold_put(tx, thread, seen, x, x), TOCSIN_EDUPLICATE,
	    "a fold of what was before a change is not kept");
	is_int(desk_fold_get(tx, thread, &s), TOCSIN_ENOTFOUND,
	    "and nothing is there of it");
	seen = desk_snapshot(tx);
	is_int(desk_fold_put(tx, thread, seen, x, x), TOCSIN_OK,
	    "one of what is now is");
	ok(desk_fold_get(tx, thread, &s) == TOCSIN_OK && span_is(s, "x"),
	    "and it is there");
	desk_end(tx);
	end();
}

/* Whichever call fails: a list that is not given, or one that is right. */
static void
test_failing(bool fresh)
{
	char id[TOCSIN_ID_TEXT];
	struct buf want = { 0 }, got = { 0 };
	size_t bad = 0, given = 0;
	unsigned n;
	bool met = true;

	begin();
	post(1, id, "Heron");
	post(0, id, "Egret");
	deliver_all(0);
	listed(&want, f.now, true);
	for (n = 1; met && n < 5000; n++) {
		struct rows *rows = NULL;
		struct gists *g = NULL;
		struct span words;
		enum tocsin_err err;

		if (fresh)
			forget_all();
		nth_set_mine(n);
		err = rows_load(SG, NULL, f.now, &rows);
		if (err == TOCSIN_OK)
			err = gists_begin(&g, SG);
		if (err == TOCSIN_OK)
			err = gists_of(g, id, &words);
		gists_end(g);
		met = nth_clear();
		given += met && err == TOCSIN_OK;
		bad += !met && err != TOCSIN_OK;
		buf_cut(&got, 0);
		if (err == TOCSIN_OK)
			tell(&got, rows, true);
		bad += err == TOCSIN_OK && !same(&want, &got, "it was");
		rows_free(rows);
		buf_cut(&got, 0);
		listed(&got, f.now, true);
		bad += !same(&want, &got, "it was");
	}
	diag(
	    "%u calls can fail, %zu of them and nothing is lost", n - 1, given);
	is_int((long long)bad, 0, "%s fails whole or is right",
	    fresh ? "folding" : "remembering");
	buf_release(&want);
	buf_release(&got);
	end();
}

/* ---- as bytes ---- */

static void
is_here(void *arg, const uint8_t hash[32], struct tocsin_part *part)
{
	const uint8_t *want = arg;

	part->here = memcmp(hash, want, 32) == 0 ? 7 : 0;
}

/* One with something in each of its fields. */
static void
put_whole(struct buf *b, const struct incident_attachment *part)
{
	static const char *const to[] = { "mycert@my", "phcert@ph", NULL };
	static const char *const words[] = { "personal-data", NULL };
	struct tocsin_part parts[] = {
		{ .name = "mail.eml", .media = "message/rfc822", .size = 3 }
	};
	struct tocsin_message m = { .number = 4,
		.from = "singcert@sg/desk1",
		.to = to,
		.kind = "report",
		.tlp = "AMBER",
		.precedence = "flash",
		.exercise = "acid",
		.subject = "Beacons",
		.time = 1,
		.received = 2,
		.ackby = 3,
		.refused = TOCSIN_ERECALLED,
		.parts = parts,
		.nparts = 1 };
	struct glance_place place[] = {
		{ { .member = "mycert@my",
		      .rung = TOCSIN_RUNG_ACCEPTED,
		      .by = "mycert@my/night",
		      .message = "m" },
		    5, 6 },
	};
	struct tocsin_deadline deadline[] = { { .clock = "nis2", .due = 9 } };
	struct glance_record record[] = { { .id = "a/1",
	    .by = "singcert@sg/bot",
	    .member = "singcert@sg",
	    .message = "r",
	    .claim = true,
	    .until = 8 } };
	struct glance g = { .m = &m,
		.closed = true,
		.escalated = 2,
		.clock = "nis2",
		.due = 9,
		.nplace = 1,
		.place = place,
		.messages = 3,
		.latest = 4,
		.severity = "NCISS:high",
		.classification = "malicious-code",
		.labels = words,
		.sectors = words,
		.precedence = "flash",
		.turned = 5,
		.ndeadline = 1,
		.deadline = deadline,
		.nrecord = 1,
		.record = record,
		.resolution = "resolved" };

	glance_print(b, &g, part);
}

static void
test_bytes(void)
{
	const uint8_t thread[32] = { 1 };
	struct incident_attachment part = { .part = { 2 } };
	const struct glance_here here = { is_here, part.part };
	struct buf b = { 0 }, again = { 0 };
	struct arena a = { 0 };
	struct glance g;
	uint8_t *cut;
	size_t n, taken = 0;

	put_whole(&b, &part);
	MUST(buf_ok(&b));
	MUST(glance_parse(&g, &a, &here, buf_span(&b), thread));
	is_int((long long)g.m->parts[0].here, 7,
	    "how much of a part is here is asked for");
	glance_print(&again, &g, &part);
	ok(span_eq(buf_span(&b), buf_span(&again)),
	    "what was written is read back, and gives the same bytes");
	for (n = 0; n < b.n; n++) {
		cut = xcopy(b.p, n);
		taken += glance_parse(
		    &g, &a, &here, (struct span){ cut, n }, thread);
		free(cut);
	}
	is_int((long long)taken, 0, "no part of it is a glance");
	buf_u8(&b, 0);
	ok(!glance_parse(&g, &a, &here, buf_span(&b), thread),
	    "nor is one with a byte more");
	arena_release(&a);
	buf_release(&b);
	buf_release(&again);
}

int
main(void)
{
	if (sodium_init() < 0)
		return 1;
	test_bytes();
	test_sealed();
	test_some();
	test_recall();
	test_own_recall();
	test_damage();
	test_damaged_message();
	test_epoch();
	test_race();
	test_failing(false);
	test_failing(true);
	test_histories();
	return tap_done();
}

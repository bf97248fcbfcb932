/* SPDX-License-Identifier: ISC */
/*
 * What a broker does when a recall comes: at once, late, twice, of a part, of
 * another's. SEED chooses the order of the last test.
 */
#include "broker/recall.h"
#include "broker/intake.h"
#include "crypto/receipt.h"
#include "crypto/relay_frame.h"
#include "tests/lib/rig.h"
#include "tests/lib/tap.h"

#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PARTS 3

static struct fixture fed;
static struct broker *my;

/* A device of mycert@my, its link, and where its chain ends. */
static struct hand {
	const char *label;
	const char *exercise;
	struct desk desk;
	uint64_t chain;
	uint8_t last[ID_LEN];
} live = { .label = "desk1", .exercise = "" },
  player = { .label = "play1", .exercise = "Acid.2026" }, *by = &live;

static uint8_t bytes[64][300]; /* of parts; each has a number */
static uint8_t hash[64][32];

/* What a draft gets: parts by their numbers, refs by their bytes. */
struct draft {
	enum ticket_kind kind;
	const char *exercise; /* NULL: that of who writes it */
	unsigned part[PARTS];
	size_t npart;
	const uint8_t *ref[8];
	size_t nref;
};

static void
fill_draft(struct ticket *t, void *arg)
{
	const struct draft *d = arg;
	size_t i;

	t->kind = d->kind;
	t->exercise = span_of(d->exercise ? d->exercise : by->exercise);
	t->npart = d->npart;
	for (i = 0; i < d->npart; i++) {
		t->part[i].size = sizeof(bytes[0]);
		memcpy(t->part[i].hash, hash[d->part[i]], 32);
	}
	t->nref = d->nref;
	for (i = 0; i < d->nref; i++)
		memcpy(t->ref[i], d->ref[i], ID_LEN);
	if (t->kind == TICKET_RECALL) {
		t->has_thread = true;
		memcpy(t->thread, d->ref[0], ID_LEN);
	}
}

static void
write_to(struct fx_ticket *t, const struct draft *d, const char *to)
{
	char device[64];

	snprintf(device, sizeof(device), "mycert@my/%s", by->label);
	by->chain++;
	fixture_ticket(t, &fed, device, to, by->chain,
	    by->chain == 1 ? NULL : by->last, fill_draft, (void *)(uintptr_t)d);
	memcpy(by->last, t->id, ID_LEN);
}

/* The next of the hand that writes. */
static void
write_one(struct fx_ticket *t, const struct draft *d)
{
	write_to(t, d, "mycert@my");
}

static void
write_recall(struct fx_ticket *t, const uint8_t *one, const uint8_t *two)
{
	const struct draft d = {
		.kind = TICKET_RECALL, .ref = { one, two }, .nref = two ? 2 : 1
	};

	write_one(t, &d);
}

static enum tocsin_err
post(const struct fx_ticket *t)
{
	return desk_post(&by->desk, t, NULL);
}

static enum tocsin_err
put(unsigned n)
{
	struct msg_put m = { .total = sizeof(bytes[0]),
		.bytes = SPAN(bytes[n]) };
	struct buf request = { 0 }, rest = { 0 };
	enum tocsin_err err;

	memcpy(m.hash, hash[n], 32);
	msg_put_encode(&request, &m);
	err = desk_ask(&by->desk, buf_span(&request), &rest);
	buf_release(&request);
	buf_release(&rest);
	return err;
}

/* OK only if all of it is there. */
static enum tocsin_err
get(const struct fx_ticket *t, const uint8_t what[32])
{
	struct msg_get m = { .max = 60000 };
	struct buf request = { 0 }, rest = { 0 };
	struct msg_range range;
	enum tocsin_err err;

	memcpy(m.id, t->id, sizeof(m.id));
	memcpy(m.hash, what, sizeof(m.hash));
	msg_get_encode(&request, &m);
	err = desk_ask(&by->desk, buf_span(&request), &rest);
	if (!err)
		err = msg_range_decode(&range, buf_span(&rest));
	if (!err && (range.bytes.n == 0 || range.have != range.total))
		err = TOCSIN_EBUSY;
	buf_release(&request);
	buf_release(&rest);
	return err;
}

static enum tocsin_err
get_body(const struct fx_ticket *t)
{
	uint8_t h[32];

	crypto_hash_sha256(h, t->body.p, t->body.n);
	return get(t, h);
}

/* How often a fetch of everything brings that entry. */
static unsigned
fetched(const struct fx_ticket *t)
{
	struct msg_fetch m = { .max_bytes = 60000 };
	struct msg_entries *got = xmalloc(sizeof(*got));
	struct buf rest = { 0 };
	unsigned found = 0;
	size_t i;

	do {
		if (desk_fetch(&by->desk, &m, &rest, got) != TOCSIN_OK)
			abort();
		for (i = 0; i < got->n; i++) {
			found +=
			    span_eq(got->entry[i].note, buf_span(&t->note));
			m.after = got->entry[i].seq;
		}
	} while (got->more);
	buf_release(&rest);
	free(got);
	return found;
}

/* How many receipts here say that of the message, or of that part of it. */
static unsigned
told(const struct fx_ticket *t, enum receipt_kind kind, const uint8_t *part)
{
	struct receipt *r = xmalloc(sizeof(*r));
	struct store_entry e;
	struct store_rx *rx;
	unsigned found = 0;
	uint64_t seq;
	size_t i;

	if (store_read(my->store, &rx) != TOCSIN_OK)
		abort();
	for (seq = 1; seq <= store_head(rx); seq++) {
		if (store_get(rx, seq, &e) != TOCSIN_OK ||
		    e.kind != STORE_RECEIPT ||
		    receipt_open(r, fed.roster, e.note) != TOCSIN_OK)
			continue;
		for (i = 0; i < r->nline; i++)
			found +=
			    r->line[i].kind == kind &&
			    memcmp(r->line[i].id, t->id, 32) == 0 &&
			    r->line[i].one == (part != NULL) &&
			    (!part || memcmp(r->line[i].part, part, 32) == 0);
	}
	store_read_end(rx);
	free(r);
	return found;
}

static enum tocsin_err
proof(const struct fx_ticket *t)
{
	struct buf request = { 0 }, rest = { 0 };
	enum tocsin_err err;

	buf_u8(&request, MSG_PROOF);
	buf_add(&request, SPAN(t->id));
	err = desk_ask(&by->desk, buf_span(&request), &rest);
	buf_release(&request);
	buf_release(&rest);
	return err;
}

/* Whether the file of the store has those bytes anywhere in it. */
static bool
part_here(unsigned n)
{
	struct store_part part;
	struct store_rx *rx;
	bool here;

	if (store_read(my->store, &rx) != TOCSIN_OK)
		abort();
	here = store_part_stat(rx, hash[n], &part) == TOCSIN_OK;
	store_read_end(rx);
	return here;
}

static void
test_whole(void)
{
	const struct draft d = {
		.kind = TICKET_REPORT, .part = { 0, 1 }, .npart = 2
	};
	struct fx_ticket t, r, again;

	write_one(&t, &d);
	ok(post(&t) == TOCSIN_OK && put(0) == TOCSIN_OK,
	    "a ticket is posted, and one of its two attachments");
	ok(get_body(&t) == TOCSIN_OK && get(&t, hash[0]) == TOCSIN_OK,
	    "both are to be had");
	write_recall(&r, t.id, NULL);
	is_int(post(&r), TOCSIN_OK, "it is recalled");
	is_int(get_body(&t), TOCSIN_ERECALLED, "its body is: recalled");
	is_int(get(&t, hash[0]), TOCSIN_ERECALLED, "its attachment: recalled");
	ok(!part_here(0) && !part_here(1), "the broker has nothing of them");
	is_int(put(1), TOCSIN_ERECALLED, "and does not take the other one");
	is_int((long long)fetched(&t), 0, "a fetch passes over it");
	is_int((long long)fetched(&r), 1, "and brings the recall");
	is_int((long long)told(&t, RECEIPT_ERASED, NULL), 1,
	    "a receipt says that the broker has erased it");
	is_int(proof(&t), TOCSIN_OK, "that it was there is still proved");
	is_int(post(&t), TOCSIN_EDUPLICATE, "posted again, it is a duplicate");
	is_int(get_body(&t), TOCSIN_ERECALLED, "which brings nothing back");
	write_recall(&again, t.id, NULL);
	is_int(post(&again), TOCSIN_OK, "it may be recalled once more");
	is_int((long long)told(&t, RECEIPT_ERASED, NULL), 1,
	    "but is erased only once");
	is_int(store_verify(my->store, NULL, NULL, NULL), TOCSIN_OK,
	    "the store verifies");
	fx_ticket_release(&t);
	fx_ticket_release(&r);
	fx_ticket_release(&again);
}

/* ---- damaged when it was recalled ---- */

/* A bit of the body in the file of the store, in each copy of its page. */
static void
damage(const struct fx_ticket *t)
{
	const uint8_t *what = t->body.p + 200;
	uint8_t *map, *at;
	char path[512];
	struct stat st;
	size_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/store/log.mdb", rig_dir("my"));
	fd = open(path, O_RDWR);
	if (fd < 0 || fstat(fd, &st) != 0)
		abort();
	n = (size_t)st.st_size;
	map = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		abort();
	while ((at = memmem(map, n, what, 64)) != NULL)
		*at ^= 1;
	munmap(map, n);
	close(fd);
}

/* As mend.c puts an entry back that a peer still had. */
struct patch {
	struct job job;
	struct store_entry e;
	bool gone;
};

static enum tocsin_err
put_back(struct job *job, struct batch *batch)
{
	struct patch *p = (struct patch *)job;
	struct ticket *t = xmalloc(sizeof(*t));
	struct note n;
	enum tocsin_err err = ticket_parse(t, &n, p->e.note);

	p->e.time = batch->now;
	p->e.member = t->from;
	if (!err)
		err = store_mend(batch->tx, &p->e);
	if (!err)
		err = recall_mended(batch, &p->e, t, &p->gone);
	free(t);
	return err;
}

static bool
mend(const struct fx_ticket *t)
{
	struct patch p = { .job = { .posts = 1, .apply = put_back },
		.e = { .kind = STORE_TICKET,
		    .note = buf_span(&t->note),
		    .body = buf_span(&t->body) } };
	struct store_rx *rx;

	memcpy(p.e.id, t->id, ID_LEN);
	if (store_read(my->store, &rx) != TOCSIN_OK ||
	    store_find(rx, t->id, &p.e.seq) != TOCSIN_OK)
		abort();
	store_read_end(rx);
	if (writer_call(my->writer, &p.job) != TOCSIN_OK)
		abort();
	return p.gone;
}

/* By a device of an exercise as by a live one. */
static void
test_damaged(struct hand *writer, unsigned first)
{
	const struct draft d = {
		.kind = TICKET_REPORT, .part = { first, first + 1 }, .npart = 2
	};
	const struct draft plain = { .kind = TICKET_REPORT };
	struct fx_ticket t, r, other;

	by = writer;
	write_one(&t, &d);
	ok(post(&t) == TOCSIN_OK && put(first) == TOCSIN_OK,
	    "%s posts a ticket with an attachment", by->label);
	damage(&t);
	write_recall(&r, t.id, NULL);
	is_int(post(&r), TOCSIN_OK, "it is recalled while it is damaged");
	ok(get_body(&t) != TOCSIN_OK, "it is not to be had");
	is_int((long long)told(&t, RECEIPT_ERASED, NULL), 0,
	    "that it is erased is not said yet");
	ok(mend(&t), "what a peer still had is erased when it comes back");
	is_int(get_body(&t), TOCSIN_ERECALLED, "its body is: recalled");
	ok(!part_here(first) && put(first + 1) == TOCSIN_ERECALLED,
	    "and its attachments are gone");
	is_int(
	    (long long)told(&t, RECEIPT_ERASED, NULL), 1, "which is said now");

	write_one(&other, &plain);
	is_int(post(&other), TOCSIN_OK, "another one");
	damage(&other);
	ok(get_body(&other) != TOCSIN_OK && !mend(&other) &&
		get_body(&other) == TOCSIN_OK,
	    "that nobody recalled comes back and stays");
	fx_ticket_release(&t);
	fx_ticket_release(&r);
	fx_ticket_release(&other);
	by = &live;
}

/*
 * What one of an exercise takes back of what is live, or the other way round:
 * by its id and its attachment's hash, at once and before it comes.
 */
static void
test_across(struct hand *writer, struct hand *other, unsigned part)
{
	const struct draft d = {
		.kind = TICKET_REPORT, .part = { part }, .npart = 1
	};
	struct fx_ticket t, r, late, early;

	by = writer;
	write_one(&t, &d);
	write_one(&late, &d);
	ok(post(&t) == TOCSIN_OK && put(part) == TOCSIN_OK, "%s has posted",
	    by->label);
	by = other;
	write_recall(&r, t.id, hash[part]);
	write_recall(&early, late.id, NULL);
	ok(post(&r) == TOCSIN_OK && post(&early) == TOCSIN_OK,
	    "%s recalls that, and what is still to come", by->label);
	is_int(get_body(&t), TOCSIN_ENOTFOUND, "which it cannot see");
	by = writer;
	ok(get_body(&t) == TOCSIN_OK && get(&t, hash[part]) == TOCSIN_OK,
	    "nothing of it is gone");
	is_int(post(&late), TOCSIN_OK, "what comes later is taken");
	is_int(get_body(&late), TOCSIN_OK, "and stays");
	ok(told(&t, RECEIPT_ERASED, NULL) == 0 &&
		told(&t, RECEIPT_ERASED, hash[part]) == 0,
	    "and no receipt says that it went");
	fx_ticket_release(&t);
	fx_ticket_release(&r);
	fx_ticket_release(&late);
	fx_ticket_release(&early);
	by = &live;
}

static void
test_of_exercise(void)
{
	test_across(&live, &player, 57);
	test_across(&player, &live, 56);
}

static void
test_late(void)
{
	const struct draft d = { .kind = TICKET_REPORT };
	struct fx_ticket t, r;

	write_one(&t, &d);
	write_recall(&r, t.id, NULL);
	is_int(post(&r), TOCSIN_OK, "a recall may overtake");
	is_int(post(&t), TOCSIN_ERECALLED, "what comes late is refused");
	is_int(get_body(&t), TOCSIN_ENOTFOUND, "and not here");
	fx_ticket_release(&t);
	fx_ticket_release(&r);
}

static void
test_part(void)
{
	const struct draft d = {
		.kind = TICKET_REPORT, .part = { 2, 3 }, .npart = 2
	};
	struct fx_ticket t, r, all;

	write_one(&t, &d);
	ok(post(&t) == TOCSIN_OK && put(2) == TOCSIN_OK && put(3) == TOCSIN_OK,
	    "a ticket with two attachments is here");
	write_recall(&r, t.id, hash[2]);
	is_int(post(&r), TOCSIN_OK, "one of them is recalled");
	is_int(get(&t, hash[2]), TOCSIN_ERECALLED, "it is: recalled");
	ok(get(&t, hash[3]) == TOCSIN_OK && get_body(&t) == TOCSIN_OK,
	    "the other one and the ticket stay");
	ok(!part_here(2) && part_here(3), "and so it is on the disk");
	is_int(put(2), TOCSIN_ERECALLED, "it is not taken again");
	ok(told(&t, RECEIPT_ERASED, hash[2]) == 1 &&
		told(&t, RECEIPT_ERASED, hash[3]) == 0 &&
		told(&t, RECEIPT_ERASED, NULL) == 0,
	    "a receipt says so of that one");
	write_recall(&all, t.id, NULL);
	ok(post(&all) == TOCSIN_OK && get_body(&t) == TOCSIN_ERECALLED &&
		get(&t, hash[3]) == TOCSIN_ERECALLED && !part_here(3),
	    "then all of it is");
	is_int(
	    (long long)told(&t, RECEIPT_ERASED, NULL), 1, "which is said, too");
	fx_ticket_release(&t);
	fx_ticket_release(&r);
	fx_ticket_release(&all);
}

static void
test_late_part(void)
{
	const struct draft d = {
		.kind = TICKET_REPORT, .part = { 4, 5 }, .npart = 2
	};
	struct fx_ticket t, r;

	write_one(&t, &d);
	write_recall(&r, t.id, hash[4]);
	ok(post(&r) == TOCSIN_OK && post(&t) == TOCSIN_OK,
	    "a ticket comes after the recall of its attachment");
	ok(put(4) == TOCSIN_ERECALLED && put(5) == TOCSIN_OK,
	    "that one is not taken, the other one is");
	ok(get(&t, hash[4]) == TOCSIN_ERECALLED &&
		get(&t, hash[5]) == TOCSIN_OK,
	    "nor given");
	is_int((long long)told(&t, RECEIPT_ERASED, hash[4]), 1,
	    "and a receipt says so");
	fx_ticket_release(&t);
	fx_ticket_release(&r);
}

/* The recall and what it names in one transaction. */
static void
test_together(void)
{
	const struct draft d = { .kind = TICKET_REPORT };
	struct buf request = { 0 }, rest = { 0 };
	struct msg_envelope env[3];
	struct fx_ticket t, r, after;
	struct msg_posted *posted = xmalloc(sizeof(*posted));

	write_one(&t, &d);
	write_recall(&r, t.id, NULL);
	write_one(&after, &d);
	env[0] = (struct msg_envelope){ buf_span(&t.note), buf_span(&t.body) };
	env[1] = (struct msg_envelope){ buf_span(&r.note), buf_span(&r.body) };
	env[2] = (struct msg_envelope){ buf_span(&after.note),
		buf_span(&after.body) };
	msg_post_encode(&request, env, 3);
	ok(desk_ask(&by->desk, buf_span(&request), &rest) == TOCSIN_OK &&
		msg_posted_decode(posted, buf_span(&rest)) == TOCSIN_OK &&
		posted->item[0].code == TOCSIN_OK &&
		posted->item[1].code == TOCSIN_OK &&
		posted->item[2].code == TOCSIN_OK,
	    "a ticket, its recall and another ticket are posted together");
	is_int(get_body(&t), TOCSIN_ERECALLED, "the first is gone");
	ok(get_body(&r) == TOCSIN_OK && get_body(&after) == TOCSIN_OK,
	    "the others are not");
	is_int(store_verify(my->store, NULL, NULL, NULL), TOCSIN_OK,
	    "and the store verifies");
	buf_release(&request);
	buf_release(&rest);
	free(posted);
	fx_ticket_release(&t);
	fx_ticket_release(&r);
	fx_ticket_release(&after);
}

/* Another member knows the id and the hash, and says that they are his. */
static void
test_anothers(void)
{
	const struct draft d = {
		.kind = TICKET_REPORT, .part = { 6 }, .npart = 1
	};
	struct draft back = { .kind = TICKET_RECALL };
	struct fx_ticket t, share, r, own;
	struct desk other;

	write_one(&t, &d);
	ok(post(&t) == TOCSIN_OK && put(6) == TOCSIN_OK, "a ticket is here");
	desk_open(&other, &fed, "my", "fincert@my/desk1");
	fixture_ticket(&share, &fed, "fincert@my/desk1", "mycert@my", 1, NULL,
	    fill_draft, (void *)(uintptr_t)&d);
	is_int(desk_post(&other, &share, NULL), TOCSIN_OK,
	    "another member hands its attachment on");
	back.ref[0] = t.id;
	back.ref[1] = hash[6];
	back.ref[2] = share.id;
	back.nref = 3;
	fixture_ticket(&r, &fed, "fincert@my/desk1", "mycert@my", 2, share.id,
	    fill_draft, &back);
	is_int(desk_post(&other, &r, NULL), TOCSIN_OK,
	    "and recalls the ticket and the attachment in both");
	ok(get_body(&t) == TOCSIN_OK && get(&t, hash[6]) == TOCSIN_OK,
	    "they stay where they are not that member's");
	is_int(get(&share, hash[6]), TOCSIN_ERECALLED,
	    "in its own message the attachment is recalled");
	write_recall(&own, t.id, NULL);
	ok(post(&own) == TOCSIN_OK && get(&t, hash[6]) == TOCSIN_ERECALLED &&
		!part_here(6),
	    "with the last message that names it, it is gone");
	desk_close(&other);
	fx_ticket_release(&t);
	fx_ticket_release(&share);
	fx_ticket_release(&r);
	fx_ticket_release(&own);
}

/* In which of our tickets that part waits to be sent to Singapore. */
static bool
is_queued(unsigned part, const struct fx_ticket *t)
{
	struct store_out out = { 0 };
	struct store_rx *rx;
	bool found = false;
	uint64_t seq;

	if (store_read(my->store, &rx) != TOCSIN_OK ||
	    store_find(rx, t->id, &seq) != TOCSIN_OK)
		abort();
	while (!found && store_out_next(rx, span_of("sg"), LANE_BULK, out.n,
			     &out) == TOCSIN_OK)
		found =
		    out.ticket == seq && memcmp(out.part, hash[part], 32) == 0;
	store_read_end(rx);
	return found;
}

/* One ticket's part is another's, too: neither is sent for both. */
static void
test_shared(void)
{
	const struct draft d = {
		.kind = TICKET_REPORT, .part = { 7 }, .npart = 1
	};
	struct fx_ticket t[2], r;
	unsigned i;

	for (i = 0; i < 2; i++) {
		write_to(&t[i], &d, "mycert@my singcert@sg");
		is_int(post(&t[i]), TOCSIN_OK, "a ticket goes abroad");
	}
	is_int(put(7), TOCSIN_OK, "then the attachment of both is put");
	ok(is_queued(7, &t[0]) && is_queued(7, &t[1]),
	    "it is to be sent for each of them");
	write_recall(&r, t[0].id, NULL);
	ok(post(&r) == TOCSIN_OK && part_here(7) && is_queued(7, &t[1]),
	    "and still is for the second when the first is recalled");
	fx_ticket_release(&t[0]);
	fx_ticket_release(&t[1]);
	fx_ticket_release(&r);
}

static void
test_of_recall(void)
{
	const struct draft d = { .kind = TICKET_REPORT };
	struct fx_ticket t, r, rr;

	write_one(&t, &d);
	write_recall(&r, t.id, NULL);
	write_recall(&rr, r.id, NULL);
	ok(post(&t) == TOCSIN_OK && post(&r) == TOCSIN_OK &&
		post(&rr) == TOCSIN_OK,
	    "a recall is recalled");
	is_int(get_body(&r), TOCSIN_OK, "which does nothing");
	fx_ticket_release(&t);
	fx_ticket_release(&r);
	fx_ticket_release(&rr);
}

static void
test_restart(void)
{
	const struct draft d = {
		.kind = TICKET_REPORT, .part = { 7, 8 }, .npart = 2
	};
	struct fx_ticket t, r, late, soon;

	write_one(&t, &d);
	write_one(&late, &d);
	write_recall(&r, t.id, hash[7]);
	write_recall(&soon, late.id, NULL);
	ok(post(&t) == TOCSIN_OK && put(8) == TOCSIN_OK &&
		post(&r) == TOCSIN_OK && post(&soon) == TOCSIN_OK,
	    "some is recalled, some is to come");
	desk_close(&live.desk);
	desk_close(&player.desk);
	broker_free(my);
	my = rig_broker(&fed, "my", NULL, NULL);
	desk_open(&live.desk, &fed, "my", "mycert@my/desk1");
	desk_open(&player.desk, &fed, "my", "mycert@my/play1");
	ok(get(&t, hash[7]) == TOCSIN_ERECALLED &&
		get(&t, hash[8]) == TOCSIN_OK,
	    "after a restart it is as it was");
	is_int(post(&late), TOCSIN_ERECALLED, "also for what comes late");
	fx_ticket_release(&t);
	fx_ticket_release(&r);
	fx_ticket_release(&late);
	fx_ticket_release(&soon);
}

/* ---- any order ---- */

#define MESSAGES 4
#define RECALLS 5
#define ALL (MESSAGES + RECALLS)

static uint64_t dice;

static unsigned
below(unsigned n)
{
	dice ^= dice << 13;
	dice ^= dice >> 7;
	dice ^= dice << 17;
	return (unsigned)(dice % n);
}

struct round {
	struct fx_ticket t[ALL];
	unsigned part[MESSAGES][PARTS];
	bool whole[MESSAGES], one[MESSAGES][PARTS];
	bool stored[MESSAGES];
};

/* What the recall's refs come to, by 8.8, in the words of this test. */
static void
expect(struct round *w, const struct draft *d)
{
	unsigned m, p;
	size_t i;

	for (m = 0; m < MESSAGES; m++) {
		bool named = false, some = false;

		for (i = 0; i < d->nref; i++)
			named |= memcmp(d->ref[i], w->t[m].id, 32) == 0;
		for (p = 0; named && p < PARTS; p++)
			for (i = 0; i < d->nref; i++)
				if (memcmp(d->ref[i], hash[w->part[m][p]],
					32) == 0)
					some = w->one[m][p] = true;
		w->whole[m] |= named && !some;
	}
}

static void
add_ref(struct draft *d, const uint8_t *ref)
{
	size_t i;

	for (i = 0; i < d->nref; i++)
		if (memcmp(d->ref[i], ref, 32) == 0)
			return;
	d->ref[d->nref++] = ref;
}

static void
make_recall(struct round *w, unsigned i)
{
	struct draft d = { .kind = TICKET_RECALL };
	unsigned n = 1 + below(2), m;

	while (n-- > 0) {
		m = below(MESSAGES);
		add_ref(&d, w->t[m].id);
		if (below(4) > 0)
			add_ref(&d, hash[w->part[m][below(PARTS)]]);
		if (below(4) == 0)
			add_ref(&d, hash[w->part[m][below(PARTS)]]);
	}
	write_one(&w->t[i], &d);
	expect(w, &d);
}

/* The parts of two messages overlap. */
static void
make_round(struct round *w)
{
	unsigned i, p;

	for (i = 0; i < MESSAGES; i++) {
		struct draft d = { .kind = TICKET_REPORT, .npart = PARTS };

		for (p = 0; p < PARTS; p++)
			d.part[p] = w->part[i][p] = 20 + 2 * i + p;
		write_one(&w->t[i], &d);
	}
	for (; i < ALL; i++)
		make_recall(w, i);
}

static unsigned
play(struct round *w)
{
	unsigned order[ALL], i, k, bad = 0;
	enum tocsin_err err;

	for (i = 0; i < ALL; i++)
		order[i] = i;
	for (i = ALL; i > 1; i--) {
		unsigned at = below(i), was = order[i - 1];

		order[i - 1] = order[at];
		order[at] = was;
	}
	for (k = 0; k < ALL; k++) {
		i = order[k];
		err = post(&w->t[i]);
		if (i < MESSAGES)
			w->stored[i] = err == TOCSIN_OK;
		bad += err != TOCSIN_OK &&
		       !(i < MESSAGES && err == TOCSIN_ERECALLED);
		i = below(MESSAGES);
		if (w->stored[i]) /* what none names would stay, staged */
			(void)put(w->part[i][below(PARTS)]);
	}
	return bad;
}

static unsigned
judge(const struct round *w)
{
	unsigned i, p, bad = 0;

	for (i = 0; i < MESSAGES; i++) {
		enum tocsin_err gone =
		    w->stored[i] ? TOCSIN_ERECALLED : TOCSIN_ENOTFOUND;

		if (!w->stored[i] && !w->whole[i])
			bad++;
		bad += get_body(&w->t[i]) != (w->whole[i] ? gone : TOCSIN_OK);
		for (p = 0; p < PARTS; p++) {
			enum tocsin_err err =
			    get(&w->t[i], hash[w->part[i][p]]);

			if (w->whole[i])
				bad += err != gone;
			else if (w->one[i][p])
				bad += err != TOCSIN_ERECALLED;
			else if (err != TOCSIN_OK)
				bad += put(w->part[i][p]) != TOCSIN_OK ||
				       get(&w->t[i], hash[w->part[i][p]]) !=
					   TOCSIN_OK;
		}
	}
	return bad;
}

/* Then everything is recalled, and no part may be left behind. */
static unsigned
clear(struct round *w)
{
	struct fx_ticket r;
	unsigned i, p, bad = 0;

	for (i = 0; i < MESSAGES; i++) {
		write_recall(&r, w->t[i].id, NULL);
		bad += post(&r) != TOCSIN_OK;
		fx_ticket_release(&r);
	}
	for (i = 0; i < MESSAGES; i++)
		for (p = 0; p < PARTS; p++)
			bad += part_here(w->part[i][p]);
	return bad;
}

static void
test_orders(void)
{
	const char *seed = getenv("SEED");
	unsigned i, k, rounds = 40, bad = 0;
	struct round *w;

	dice = seed ? strtoull(seed, NULL, 10) : 20261121;
	diag("SEED=%llu", (unsigned long long)dice);
	dice = dice * 2 + 1;
	for (k = 0; k < rounds && bad == 0; k++) {
		w = memset(xmalloc(sizeof(*w)), 0, sizeof(*w));
		make_round(w);
		bad += play(w);
		bad += judge(w);
		bad += clear(w);
		for (i = 0; i < ALL; i++)
			fx_ticket_release(&w->t[i]);
		free(w);
		if (bad > 0)
			diag("in round %u", k);
	}
	is_int(bad, 0,
	    "in any order what is recalled is gone, and the rest is there");
	is_int(store_verify(my->store, NULL, NULL, NULL), TOCSIN_OK,
	    "the store verifies");
}

static void
add_player(struct keys *k, void *arg)
{
	(void)arg;
	fixture_add_device(k, player.label, KEYS_OFFICER, player.exercise);
}

/* With the roster that has it, which its keys alone would not do. */
static void
enrol(char *name)
{
	fixture_next_roster(&fed, fixture_add_member, name);
	if (intake_install(my, STORE_ROSTER, buf_span(&fed.file)) != TOCSIN_OK)
		abort();
	fixture_enrol(&fed, name);
	if (intake_install(my, STORE_KEYS,
		buf_span(&fed.keys_file[fed.n - 1])) != TOCSIN_OK)
		abort();
}

int
main(void)
{
	char fincert[] = "fincert@my";
	size_t i;

	if (sodium_init() < 0)
		return 1;
	for (i = 0; i < sizeof(bytes) / sizeof(bytes[0]); i++) {
		memset(bytes[i], (int)i, sizeof(bytes[i]));
		crypto_hash_sha256(hash[i], bytes[i], sizeof(bytes[i]));
	}
	fixture_init(&fed, "sg my la");
	fixture_next_keys(&fed, 1, add_player, NULL);
	my = rig_broker(&fed, "my", NULL, NULL);
	desk_open(&live.desk, &fed, "my", "mycert@my/desk1");
	desk_open(&player.desk, &fed, "my", "mycert@my/play1");
	enrol(fincert);
	test_whole();
	test_damaged(&live, 60);
	test_damaged(&player, 58);
	test_of_exercise();
	test_late();
	test_part();
	test_late_part();
	test_together();
	test_shared();
	test_of_recall();
	test_restart();
	test_anothers();
	test_orders();
	desk_close(&live.desk);
	desk_close(&player.desk);
	broker_free(my);
	fixture_release(&fed);
	return tap_done();
}

/* SPDX-License-Identifier: ISC */
/* What is counted against whom, kept over a restart, and given back. */
#include "broker/quota.h"

#include "broker/log.h"
#include "broker/receipts.h"
#include "tests/lib/rig.h"
#include "tests/lib/tap.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LIMIT 65536

static struct fixture fed;
static struct broker *sg;
static uint64_t seqs[3]; /* of each sender's chain */
static struct trust_who desk = { .kind = TRUST_DEVICE,
	.member = "singcert@sg",
	.device = "desk1",
	.nation = "sg" };
static struct trust_who peer = {
	.kind = TRUST_BROKER, .broker = "my", .nation = "my"
};
static struct trust_who twin = {
	.kind = TRUST_BROKER, .broker = "la", .nation = "sg"
};

/* ---- taking in ---- */

struct take {
	struct job job;
	struct intake *in;
	struct span member;
	uint64_t seq;
	bool played, tell;
};

static enum tocsin_err
take_apply(struct job *job, struct batch *batch)
{
	struct take *t = (struct take *)job;

	return intake_apply(t->in, batch, &t->seq);
}

static enum tocsin_err
tell_apply(struct job *job, struct batch *batch)
{
	struct take *t = (struct take *)job;

	return quota_tell(batch, t->member, t->played, &t->tell);
}

static enum tocsin_err
take(struct trust_who *who, enum store_kind kind, struct span note,
    struct span body)
{
	struct intake_source src = {
		who->kind == TRUST_DEVICE ? INTAKE_DEVICE : INTAKE_PEER, who
	};
	struct take t = { .job = { .apply = take_apply } };
	struct trust *trust = trust_get(sg->trust);
	enum tocsin_err err = intake_judge(
	    &t.in, sg, trust, &src, kind, note, body, fed.now, NULL);

	if (!err)
		err = writer_call(sg->writer, &t.job);
	intake_free(t.in);
	trust_put(trust);
	return err;
}

static void
edit(struct ticket *t, void *arg)
{
	uint64_t *part = arg;

	if (*part == 0)
		return;
	t->npart = 1;
	t->part[0].size = *part;
	randombytes_buf(t->part[0].hash, 32);
}

/* A ticket to singcert@sg, with a part that is never here; *size is its cost.
 */
static enum tocsin_err
send_one(struct trust_who *who, const char *from, unsigned chain, uint64_t part,
    uint64_t *size)
{
	static const uint8_t some[ID_LEN] = { 7 };
	struct fx_ticket t;
	enum tocsin_err err;

	/* Every other number: each is a gap, whatever became of the last. */
	seqs[chain] += 2;
	fixture_ticket(
	    &t, &fed, from, "singcert@sg", seqs[chain], some, edit, &part);
	err = take(who, STORE_TICKET, buf_span(&t.note), buf_span(&t.body));
	*size = t.note.n + t.body.n + part;
	fx_ticket_release(&t);
	return err;
}

/* Until one is refused; returns what all before it cost. */
static uint64_t
fill(struct trust_who *who, const char *from, unsigned chain, uint64_t part,
    enum tocsin_err *err)
{
	uint64_t sum = 0, size = 0;
	int i;

	for (i = 0; i < 1000; i++) {
		*err = send_one(who, from, chain, part, &size);
		if (*err)
			break;
		sum += size;
	}
	return sum;
}

/* ---- looking ---- */

static uint64_t
kept(const char *of)
{
	struct store_rx *rx;
	uint64_t n;

	if (store_read(sg->store, &rx))
		abort();
	n = quota_kept(rx, of);
	store_read_end(rx);
	return n;
}

/* How many are near a limit; *last is one of them. */
static unsigned
near(struct quota_near *last, char member[MEMBER_MAX + 1])
{
	struct span name = { 0 };
	struct store_rx *rx;
	struct quota_near n;
	unsigned count = 0;

	if (store_read(sg->store, &rx))
		abort();
	while (quota_next_near(rx, sg, fed.now, &name, &n)) {
		*last = n;
		memcpy(member, n.member.p, n.member.n);
		member[n.member.n] = '\0';
		count++;
	}
	store_read_end(rx);
	return count;
}

static void
limits(struct broker_config *c, void *arg)
{
	(void)arg;
	c->member_day = LIMIT;
	c->peer_quota = 4 * LIMIT;
	c->member_quota = LIMIT;
}

/* ---- tests ---- */

static void
test_day(void)
{
	struct quota_near n;
	char member[MEMBER_MAX + 1];
	enum tocsin_err err;
	uint64_t sum, size;

	sum = fill(&desk, "singcert@sg/desk1", 0, 0, &err);
	is_int(err, TOCSIN_EQUOTA, "a member of ours has so many bytes a day");
	ok(sum <= LIMIT && sum > LIMIT - 8192, "as many as were said");
	is_int((long long)sg->count[BROKER_quota_refused], 1, "it is counted");
	is_int(near(&n, member), 1, "status tells of one member");
	ok(n.day && n.bytes == sum && n.limit == LIMIT &&
		strcmp(member, "singcert@sg") == 0,
	    "of whom, and how much of what");
	is_int(send_one(&peer, "mycert@my/desk1", 1, 0, &size), TOCSIN_OK,
	    "another may go on");
	broker_free(sg);
	sg = rig_broker(&fed, "sg", limits, NULL);
	is_int(send_one(&desk, "singcert@sg/desk1", 0, 0, &size), TOCSIN_EQUOTA,
	    "a restart forgets nothing");
}

static void
test_abroad(void)
{
	enum tocsin_err err;
	uint64_t before = kept("my"), sum, size;

	is_int(send_one(&peer, "mycert@my/desk1", 1, LIMIT, &size),
	    TOCSIN_EQUOTA, "parts count before they are here");
	is_int((long long)kept("my"), (long long)before,
	    "and what is refused costs nothing");
	(void)fill(&peer, "mycert@my/desk1", 1, 8192, &err);
	is_int(err, TOCSIN_EQUOTA, "tickets with parts fill a member's share");
	ok(kept("my") <= LIMIT / 8 * 6, "up to three quarters of it");
	sum = fill(&peer, "mycert@my/desk1", 1, 0, &err);
	ok(sum > 0 && err == TOCSIN_EQUOTA && kept("my") <= LIMIT / 8 * 7,
	    "those without go on, up to seven eighths");
	is_int(send_one(&twin, "singcert@sg/desk1", 0, 0, &size), TOCSIN_OK,
	    "what a broker of our nation brings is not counted again");
	is_int((long long)kept("la"), 0, "nor against that broker");
}

/* ---- what is left at the border ---- */

struct seen {
	unsigned without, others; /* lines of receipts for it */
	bool mixed;		  /* in one of them */
	enum tocsin_err why;
};

static void
look_at(struct seen *s, const struct store_entry *e, const uint8_t id[ID_LEN])
{
	static struct receipt r;
	unsigned without = s->without, others = s->others;
	struct note n;
	size_t i;

	if (note_parse(&n, e->note, TEXT_MAX) || receipt_parse(&r, n.text))
		abort();
	for (i = 0; i < r.nline; i++) {
		if (memcmp(r.line[i].id, id, ID_LEN) != 0)
			continue;
		if (r.line[i].kind == RECEIPT_WITHOUT) {
			s->without++;
			s->why = receipt_reason(&r.line[i]);
		} else {
			s->others++;
		}
	}
	s->mixed |= s->without > without && s->others > others;
}

static struct seen
receipts_for(const uint8_t id[ID_LEN])
{
	struct seen s = { .why = TOCSIN_OK };
	struct store_entry e;
	struct store_rx *rx;
	uint64_t seq;

	if (store_read(sg->store, &rx))
		abort();
	for (seq = 1; store_get(rx, seq, &e) == TOCSIN_OK; seq++)
		if (e.kind == STORE_RECEIPT)
			look_at(&s, &e, id);
	store_read_end(rx);
	return s;
}

struct back {
	struct job job;
	const uint8_t *id;
};

static enum tocsin_err
back_apply(struct job *job, struct batch *batch)
{
	const struct back *b = (const struct back *)job;
	struct store_entry e;
	struct ticket t;
	struct note n;
	uint64_t seq;

	if (store_find(batch->view, b->id, &seq) ||
	    store_get(batch->view, seq, &e) || ticket_parse(&t, &n, e.note))
		abort();
	return quota_give_back(batch, &e, &t);
}

static void
edit_two(struct ticket *t, void *arg)
{
	uint64_t small = 1000, *large = arg;
	unsigned i, second;

	edit(t, large);
	t->npart = 2;
	randombytes_buf(t->part[1].hash, 32);
	second = memcmp(t->part[0].hash, t->part[1].hash, 32) > 0;
	for (i = 0; i < 2; i++)
		t->part[i].size = i == second ? small : *large;
}

/* A part that we do not take is not charged, and its sender is told. */
static void
test_border(void)
{
	static const uint8_t some[ID_LEN] = { 7 };
	uint64_t before = kept("my"), large = 4 * LIMIT, cost;
	struct back back = { .job = { .apply = back_apply } };
	struct fx_ticket t;
	struct seen s;

	sg->conf.accept.part = 4096;
	seqs[1] += 2;
	fixture_ticket(&t, &fed, "mycert@my/desk1", "singcert@sg", seqs[1],
	    some, edit_two, &large);
	is_int(take(&peer, STORE_TICKET, buf_span(&t.note), buf_span(&t.body)),
	    TOCSIN_OK, "a ticket with a part that is not taken is");
	cost = t.note.n + t.body.n + 1000;
	is_int((long long)(kept("my") - before), (long long)cost,
	    "and costs what it costs without");
	s = receipts_for(t.id);
	ok(s.without == 1 && s.why == TOCSIN_ETOOLARGE,
	    "its sender is told of that part, and why");
	ok(s.others == 1 && !s.mixed, "apart from that the ticket is stored");
	is_int(take(&peer, STORE_TICKET, buf_span(&t.note), buf_span(&t.body)),
	    TOCSIN_EDUPLICATE, "once more, it is a duplicate");
	is_int(receipts_for(t.id).without, 1, "which tells nothing anew");
	sg->conf.accept.part = UINT64_MAX;
	back.id = t.id;
	is_int(writer_call(sg->writer, &back.job), TOCSIN_OK,
	    "it is erased under another limit");
	is_int((long long)kept("my"), (long long)before,
	    "and gives back what it took");
	fx_ticket_release(&t);
}

static unsigned
told(bool played)
{
	struct take t = { .job = { .apply = tell_apply },
		.member = span_of("mycert@my"),
		.played = played };
	unsigned told = 0;

	while (told < 10000 && writer_call(sg->writer, &t.job) == TOCSIN_OK &&
	       t.tell) {
		t.job = (struct job){ .apply = tell_apply };
		told++;
	}
	return told;
}

static void
test_tell(void)
{
	is_int(told(false) + 1, QUOTA_REFUSALS,
	    "so many refusals are told in a day, "
	    "a ticket without a part among them");
	is_int(told(true), QUOTA_REFUSALS,
	    "and as many of all exercises together");
}

static void
test_announcements(void)
{
	unsigned taken = 0;
	enum tocsin_err err = TOCSIN_OK;

	while (!err && taken < 1000) {
		fixture_next_keys(&fed, 0, NULL, NULL);
		err = take(&desk, STORE_KEYS, buf_span(&fed.keys_file[0]),
		    (struct span){ 0 });
		taken += err == TOCSIN_OK;
	}
	is_int(err, TOCSIN_EQUOTA, "a member has so many announcements a day");
	is_int(taken, QUOTA_ANNOUNCEMENTS, "as many as are said");
}

/* ---- many words ---- */

static const uint8_t told_of[ID_LEN] = { 9, 9 };

static enum tocsin_err
words_apply(struct job *job, struct batch *batch)
{
	char device[LABEL_MAX + 1], member[MEMBER_MAX + 1];
	enum tocsin_err err = TOCSIN_OK;
	unsigned i;

	(void)job;
	memset(member, 'm', MEMBER_MAX);
	member[LABEL_MAX] = '@';
	member[MEMBER_MAX] = '\0';
	memset(device, 'd', LABEL_MAX);
	device[LABEL_MAX] = '\0';
	for (i = 0; i < RECEIPT_LINES && !err; i++) {
		device[0] = (char)('a' + i / 26);
		device[1] = (char)('a' + i % 26);
		err = receipts_delivered(batch->receipts,
		    receipts_to(span_of("singcert@sg"), (struct span){ 0 }),
		    told_of, member, device);
	}
	return err;
}

/* Lines with the longest names are more bytes than a text may have. */
static void
test_words(void)
{
	struct job job = { .apply = words_apply };

	is_int(writer_call(sg->writer, &job), TOCSIN_OK,
	    "one commit tells much with the longest names");
	is_int(receipts_for(told_of).others, RECEIPT_LINES,
	    "all of it, in receipts that can be read");
}

/* ---- giving back ---- */

static void
keep_nothing(struct broker_config *c, void *arg)
{
	limits(c, arg);
	c->keep[0] = (struct retain_rule){ .seconds = 0 };
	c->nkeep = 1;
	c->keep_unread = 0;
}

static void
test_give_back(void)
{
	const struct timespec pause = { 0, 20000000 };
	uint64_t size;
	int times = 500;

	broker_free(sg);
	sg = rig_broker(&fed, "sg", keep_nothing, NULL);
	ok(kept("my") > LIMIT / 2, "much is kept of a peer");
	while (kept("my") > 0 && times-- > 0) {
		retain_sweep(sg);
		nanosleep(&pause, NULL); /* the writer's turn */
	}
	is_int((long long)kept("my"), 0, "what is erased is given back");
	is_int(send_one(&peer, "mycert@my/desk1", 1, 0, &size), TOCSIN_OK,
	    "and its member may send again");
}

int
main(void)
{
	if (sodium_init() < 0)
		return 1;
	log_open(-1, LOG_ERROR);
	fixture_init(&fed, "sg my la");
	sg = rig_broker(&fed, "sg", limits, NULL);
	is_int(take(&peer, STORE_KEYS, buf_span(&fed.keys_file[1]),
		   (struct span){ 0 }),
	    TOCSIN_OK, "a peer's member is known");
	test_day();
	test_border();
	test_abroad();
	test_tell();
	test_words();
	test_announcements();
	test_give_back();
	broker_free(sg);
	fixture_release(&fed);
	return tap_done();
}

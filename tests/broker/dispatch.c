/* SPDX-License-Identifier: ISC */
/* Each request of PROTOCOL.md 5 over a real link, and where it ends. */
#include "broker/dispatch.h"

#include "broker/log.h"
#include "crypto/checkpoint.h"
#include "crypto/ticket.h"
#include "tests/lib/rig.h"
#include "tests/lib/tap.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static struct fixture fed;
static struct broker *sg;

#define POSTED 40
static uint8_t posted[POSTED][ID_LEN];
static uint64_t posted_seq[POSTED];

/* Two of them are urgent. */
static void
hurry(struct ticket *t, void *arg)
{
	const int i = *(int *)arg;

	if (i == 30)
		t->precedence = TICKET_FLASH;
	if (i == 35)
		t->precedence = TICKET_IMMEDIATE;
}

static void
post_some(struct desk *d)
{
	struct fx_ticket t;
	int i, good = 0;

	for (i = 0; i < POSTED; i++) {
		fixture_ticket(&t, &fed, "singcert@sg/desk1", "mycert@my",
		    (uint64_t)i + 1, i ? posted[i - 1] : NULL, hurry, &i);
		memcpy(posted[i], t.id, ID_LEN);
		good += desk_post(d, &t, &posted_seq[i]) == TOCSIN_OK;
		fx_ticket_release(&t);
	}
	is_int(good, POSTED, "%d tickets are posted", POSTED);
}

/* ---- hello ---- */

static void
test_hello(struct desk *d)
{
	static const uint8_t hello[] = { MSG_HELLO };
	struct buf rest = { 0 };
	struct msg_hello m;

	ok(desk_ask(d, SPAN(hello), &rest) == TOCSIN_OK &&
		msg_hello_decode(&m, buf_span(&rest)) == TOCSIN_OK,
	    "hello is answered");
	ok(m.version > 0 && m.roster == 1 && m.part_max == sg->conf.part_max &&
		m.time >= fed.now && m.time < fed.now + 600,
	    "with version, clock, largest part and roster");
	buf_release(&rest);
}

/* ---- fetch ---- */

/* Everything from the start in pages of that size: how many tickets. */
static int
read_pages(struct desk *d, uint32_t bytes, int *pages, int *detached)
{
	struct msg_fetch m = { 0, 0, 0, bytes };
	struct msg_entries *e = xmalloc(sizeof(*e));
	struct buf rest = { 0 };
	uint64_t from = 0;
	int n = 0;
	size_t i;

	*pages = *detached = 0;
	do {
		if (desk_fetch(d, &m, &rest, e) != TOCSIN_OK ||
		    e->from != from) {
			n = -1;
			break;
		}
		for (i = 0; i < e->n; i++) {
			from = e->entry[i].seq;
			n += e->entry[i].kind == STORE_TICKET;
			*detached += e->entry[i].detached;
		}
		++*pages;
		m.after = MSG_AFTER_CONTINUE;
	} while (e->more);
	buf_release(&rest);
	free(e);
	return n;
}

static void
test_fetch(struct desk *d)
{
	int pages, detached;

	is_int(read_pages(d, MSG_MAX, &pages, &detached), POSTED,
	    "fetch gives every ticket once, each page from the last");
	ok(pages > 2 && detached == 0, "in pages that fit (%d)", pages);
	is_int(read_pages(d, 10000, &pages, &detached), POSTED,
	    "in small pages as well");
	ok(pages >= POSTED / 2 && detached == 0, "more of them (%d)", pages);
	is_int(read_pages(d, 1, &pages, &detached), POSTED,
	    "whoever asks for less than fits one");
	is_int(detached, POSTED, "gets them without their bodies");
}

/* What is urgent in all of it: how many tickets, or -1. */
static int
read_urgent(struct desk *d, uint32_t bytes, int *pages, uint64_t *to)
{
	struct msg_urgent m = { 0, bytes };
	struct msg_entries *e = xmalloc(sizeof(*e));
	struct buf request = { 0 }, rest = { 0 };
	bool more = true;
	int n = 0;
	size_t i;

	for (*pages = 0; n >= 0 && more && *pages < 100; ++*pages) {
		buf_cut(&request, 0);
		buf_cut(&rest, 0);
		msg_urgent_encode(&request, &m);
		if (desk_ask(d, buf_span(&request), &rest) != TOCSIN_OK ||
		    msg_urgents_decode(e, to, buf_span(&rest)) != TOCSIN_OK) {
			n = -1;
			break;
		}
		for (i = 0; i < e->n; i++)
			n += e->entry[i].kind == STORE_TICKET;
		more = e->more;
		m.after = *to;
	}
	buf_release(&request);
	buf_release(&rest);
	free(e);
	return n;
}

static void
test_urgent(struct desk *d)
{
	uint64_t to = 0, again = 0;
	int pages = 0;

	is_int(read_urgent(d, MSG_MAX, &pages, &to), 2,
	    "urgent gives flash and immediate, and no other ticket");
	ok(pages == 1 && to >= posted_seq[POSTED - 1],
	    "and says that it looked to the end");
	is_int(read_urgent(d, 1, &pages, &again), 2,
	    "the same in small pages (%d)", pages);
	is_int((long long)again, (long long)to, "that come to the same end");
}

/* The body that was left out comes by get. */
static void
test_detached(struct desk *d)
{
	struct msg_fetch m = { 0, posted_seq[0] - 1, 0, 1 };
	struct msg_entries *e = xmalloc(sizeof(*e));
	struct buf rest = { 0 }, request = { 0 };
	struct msg_get g = { .max = MSG_MAX };
	struct msg_range range;
	struct ticket *t = xmalloc(sizeof(*t));
	struct note n;

	ok(desk_fetch(d, &m, &rest, e) == TOCSIN_OK && e->n == 1 &&
		e->entry[0].detached && e->entry[0].body.n == 0 &&
		ticket_parse(t, &n, e->entry[0].note) == TOCSIN_OK,
	    "an entry without its body has its note");
	memcpy(g.id, t->id, 32);
	memcpy(g.hash, t->body_hash, 32);
	msg_get_encode(&request, &g);
	buf_cut(&rest, 0);
	ok(desk_ask(d, buf_span(&request), &rest) == TOCSIN_OK &&
		msg_range_decode(&range, buf_span(&rest)) == TOCSIN_OK &&
		range.total == range.bytes.n,
	    "and get brings the body");
	crypto_hash_sha256(g.hash, range.bytes.p, range.bytes.n);
	ok(memcmp(g.hash, t->body_hash, 32) == 0, "which is the right one");
	buf_release(&rest);
	buf_release(&request);
	free(t);
	free(e);
}

/* ---- roster ---- */

static enum tocsin_err
roster(struct desk *d, uint64_t serial, uint32_t offset, struct buf *rest,
    struct msg_roster_range *out)
{
	struct msg_roster m = { serial, offset };
	struct buf request = { 0 };
	enum tocsin_err err;

	msg_roster_encode(&request, &m);
	buf_cut(rest, 0);
	err = desk_ask(d, buf_span(&request), rest);
	if (!err)
		err = msg_roster_range_decode(out, buf_span(rest));
	buf_release(&request);
	return err;
}

static void
test_roster(struct desk *d)
{
	struct msg_roster_range r;
	struct buf rest = { 0 };

	ok(roster(d, 0, 0, &rest, &r) == TOCSIN_OK && r.serial == 1 &&
		r.current == 1 && span_eq(r.bytes, buf_span(&fed.file)),
	    "the current roster is given whole");
	ok(roster(d, 1, 100, &rest, &r) == TOCSIN_OK && r.total == fed.file.n &&
		span_eq(r.bytes, span_cut(buf_span(&fed.file), 100, SIZE_MAX)),
	    "or from where one is");
	ok(roster(d, 1, UINT32_MAX, &rest, &r) == TOCSIN_OK && r.bytes.n == 0,
	    "or nothing, beyond its end");
	is_int(roster(d, 2, 0, &rest, &r), TOCSIN_ENOTFOUND,
	    "one that is not there is not found");
	buf_release(&rest);
}

/* ---- the log tree ---- */

static enum tocsin_err
proof(struct desk *d, struct span request, struct buf *rest,
    struct msg_proof *m, struct checkpoint *c)
{
	const struct roster_broker *b =
	    roster_broker(fed.roster, span_of("sg"));
	enum tocsin_err err;

	buf_cut(rest, 0);
	err = desk_ask(d, request, rest);
	if (!err)
		err = msg_proof_decode(m, buf_span(rest));
	if (!err)
		err = checkpoint_open(c, m->checkpoint, &b->log);
	return err;
}

static void
test_tree(struct desk *d)
{
	struct buf request = { 0 }, rest = { 0 };
	struct checkpoint c, old;
	struct msg_proof m;
	struct fx_ticket t;
	uint8_t leaf[32];

	buf_u8(&request, MSG_PROOF);
	buf_add(&request, SPAN(posted[7]));
	is_int(proof(d, buf_span(&request), &rest, &m, &old), TOCSIN_OK,
	    "a proof comes with a checkpoint that the log signed");
	merkle_leaf(leaf, SPAN(posted[7]));
	ok(m.index == posted_seq[7] - 1 &&
		merkle_verify_inclusion(
		    m.index, old.size, leaf, m.hashes, old.root) == TOCSIN_OK,
	    "and shows that the ticket is in it");
	fixture_ticket(&t, &fed, "singcert@sg/desk1", "mycert@my", POSTED + 1,
	    posted[POSTED - 1], NULL, NULL);
	if (desk_post(d, &t, NULL))
		abort();
	fx_ticket_release(&t);
	buf_cut(&request, 0);
	buf_u8(&request, MSG_CHECKPOINT);
	buf_u64(&request, old.size);
	is_int(proof(d, buf_span(&request), &rest, &m, &c), TOCSIN_OK,
	    "a checkpoint comes when the log has grown");
	ok(c.size > old.size && merkle_verify_consistency(old.size, c.size,
				    m.hashes, old.root, c.root) == TOCSIN_OK,
	    "and shows that nothing was changed");
	buf_cut(&request, 1);
	buf_u64(&request, c.size + 1);
	is_int(proof(d, buf_span(&request), &rest, &m, &c), TOCSIN_ENOTFOUND,
	    "a larger log than ours is not ours");
	buf_cut(&request, 0);
	buf_u8(&request, MSG_PROOF);
	buf_add(&request, SPAN(fed.genesis));
	is_int(proof(d, buf_span(&request), &rest, &m, &c), TOCSIN_OK,
	    "what everybody finds can be proved to everybody");
	request.p[5] ^= 1;
	is_int(proof(d, buf_span(&request), &rest, &m, &c), TOCSIN_ENOTFOUND,
	    "and what isn't there to nobody");
	buf_release(&request);
	buf_release(&rest);
}

/* ---- where it ends ---- */

static void
small(struct broker_config *c, void *arg)
{
	(void)arg;
	c->post_rate = 1;
	c->post_burst = 3;
	c->net.contexts = 24;
	c->net.reserve = 16;
	c->store.map_size = 2 << 20;
}

static void
no_rate(struct broker_config *c, void *arg)
{
	small(c, arg);
	c->post_rate = 0;
}

static void
test_rate(struct desk *d)
{
	uint8_t prev[ID_LEN];
	struct fx_ticket t;
	enum tocsin_err err = TOCSIN_OK;
	int i;

	for (i = 0; i < 10 && !err; i++) {
		fixture_ticket(&t, &fed, "mycert@my/desk1", "singcert@sg",
		    (uint64_t)i + 1, i ? prev : NULL, NULL, NULL);
		memcpy(prev, t.id, ID_LEN);
		err = desk_post(d, &t, NULL);
		fx_ticket_release(&t);
	}
	is_int(err, TOCSIN_EBUSY, "a member that posts too fast is told so");
	ok(i >= 4 && i < 10, "after its burst (%d)", i);
}

/* More parked fetches than there is room for; others go on. */
static void
test_contexts(void)
{
	static const char *const device[] = { "mycert@my/desk1",
		"mycert@my/escalator", "mycert@my/screen" };
	struct msg_fetch m = { 0, 1000000, MSG_WAIT_MAX, MSG_MAX };
	uint64_t parks = atomic_load(&sg->count[BROKER_parks]);
	uint64_t displaced = atomic_load(&sg->count[BROKER_parks_displaced]);
	struct flight a[12];
	struct desk d[3];
	struct buf request = { 0 }, rest = { 0 };
	unsigned i;

	msg_fetch_encode(&request, &m);
	for (i = 0; i < 3; i++)
		desk_open(&d[i], &fed, "my", device[i]);
	for (i = 0; i < 12; i++) {
		desk_begin(&d[i / 4], &a[i], buf_span(&request));
		if (!rig_reaches(sg, BROKER_parks, parks + i + 1))
			break;
	}
	is_int(
	    i, 12, "twelve fetches are parked where there is room for eight");
	ok(rig_reaches(sg, BROKER_parks_displaced, displaced + 4),
	    "four have been ended for it");
	is_int(desk_end(&d[0], &a[0], &rest), TOCSIN_OK,
	    "the oldest of all among them");
	test_hello(&d[2]);
	for (i = 0; i < 3; i++)
		desk_close(&d[i]);
	for (i = 1; i < 12; i++)
		(void)desk_end(&d[i / 4], &a[i], &rest);
	buf_release(&request);
	buf_release(&rest);
}

static void
answering(struct ticket *t, void *arg)
{
	t->kind = *(const enum ticket_kind *)arg;
}

/* As one request, the second of them an ack. */
static void
post_two(struct desk *d, const struct fx_ticket t[2], struct msg_posted *took)
{
	struct msg_envelope env[2];
	struct buf request = { 0 }, rest = { 0 };
	int i;

	for (i = 0; i < 2; i++)
		env[i] = (struct msg_envelope){ buf_span(&t[i].note),
			buf_span(&t[i].body) };
	took->n = 0;
	msg_post_encode(&request, env, 2);
	if (desk_ask(d, buf_span(&request), &rest) == TOCSIN_OK &&
	    msg_posted_decode(took, buf_span(&rest)) != TOCSIN_OK)
		took->n = 0;
	buf_release(&request);
	buf_release(&rest);
}

/* `n` were posted by the device, the last of them is `prev`. */
static void
test_answers(struct desk *d, uint64_t n, const uint8_t refused[ID_LEN])
{
	enum ticket_kind kind[2] = { TICKET_REPORT, TICKET_ACK };
	struct fx_ticket t[2];
	struct msg_posted took;
	enum tocsin_err err = TOCSIN_OK;
	uint8_t prev[ID_LEN];
	uint64_t i;

	for (i = 0; i < 2; i++)
		fixture_ticket(&t[i], &fed, "mycert@my/escalator",
		    "singcert@sg", n + i, i ? t[0].id : refused, answering,
		    &kind[i]);
	post_two(d, t, &took);
	ok(took.n == 2 && took.item[0].code == TOCSIN_ENOSPACE &&
		took.item[1].code == TOCSIN_OK,
	    "of two in one request the answer is taken, which has a reserve");
	memcpy(prev, t[1].id, ID_LEN);
	for (i = 0; i < 2; i++)
		fx_ticket_release(&t[i]);
	for (i = 0; i < 200 && !err; i++) {
		fixture_ticket(&t[0], &fed, "mycert@my/escalator",
		    "singcert@sg", n + 2 + i, prev, answering, &kind[1]);
		memcpy(prev, t[0].id, ID_LEN);
		err = desk_post(d, &t[0], NULL);
		fx_ticket_release(&t[0]);
	}
	is_int(err, TOCSIN_ENOSPACE, "there is an end to answers, too (%d)",
	    (int)i);
	ok(sg->full, "the broker says that it is full");
}

/* A store that is full refuses, and serves what it has. */
static void
test_full(void)
{
	enum tocsin_err err = TOCSIN_OK;
	uint8_t prev[ID_LEN] = { 0 }, last[ID_LEN] = { 0 };
	struct fx_ticket t;
	struct desk d;
	int i, pages, detached;

	desk_open(&d, &fed, "my", "mycert@my/escalator");
	for (i = 0; i < 2000 && !err; i++) {
		fixture_ticket(&t, &fed, "mycert@my/escalator", "singcert@sg",
		    (uint64_t)i + 1, i ? prev : NULL, NULL, NULL);
		memcpy(last, prev, ID_LEN); /* of the one before */
		memcpy(prev, t.id, ID_LEN);
		err = desk_post(&d, &t, NULL);
		fx_ticket_release(&t);
	}
	is_int(err, TOCSIN_ENOSPACE, "a full store says so");
	ok(read_pages(&d, MSG_MAX, &pages, &detached) >= i - 1,
	    "and still gives what it took");
	test_answers(&d, (uint64_t)i, last);
	desk_close(&d);
}

int
main(void)
{
	struct desk d;

	log_open(-1, LOG_ERROR);
	fixture_init(&fed, "sg my");
	sg = rig_broker(&fed, "sg", NULL, NULL);
	desk_open(&d, &fed, "sg", "singcert@sg/desk1");
	post_some(&d);
	test_hello(&d);
	test_fetch(&d);
	test_urgent(&d);
	test_detached(&d);
	test_roster(&d);
	test_tree(&d);
	desk_close(&d);
	broker_free(sg);

	sg = rig_broker(&fed, "my", small, NULL);
	desk_open(&d, &fed, "my", "mycert@my/desk1");
	test_rate(&d);
	test_contexts();
	desk_close(&d);
	broker_free(sg);
	sg = rig_broker(&fed, "my", no_rate, NULL);
	test_full();
	broker_free(sg);
	fixture_release(&fed);
	nng_fini();
	return tap_done();
}

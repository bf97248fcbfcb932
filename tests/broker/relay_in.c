/* SPDX-License-Identifier: ISC */
/*
 * A broker in this process, and a peer whose every frame is made by hand: what
 * is believed at once, later, or never, and what the peer is told.
 */
#include "broker/relay_in.h"
#include "broker/intake.h"
#include "broker/item.h"
#include "broker/lane.h"
#include "crypto/receipt.h"
#include "crypto/relay_frame.h"
#include "tests/lib/rig.h"
#include "tests/lib/tap.h"

#include <nng/protocol/pubsub0/pub.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MUST(x)                                                              \
	do {                                                                 \
		if (!(x)) {                                                  \
			diag("relay_in: %s:%d: %s", __FILE__, __LINE__, #x); \
			abort();                                             \
		}                                                            \
	} while (0)

static struct fixture fed;
static struct broker *my;

/* Singapore, by hand; or another. */
struct peer {
	const char *name;
	struct desk desk;
	nng_socket pub;
	struct msg_relay relay;
	uint64_t counter;
	uint64_t item[LANE_COUNT]; /* sent so far */
};

static void
peer_link(struct peer *p)
{
	static const uint8_t open[] = { MSG_RELAY_OPEN };
	struct buf reply = { 0 };
	struct msg_reply m;

	MUST(desk_link(&p->desk, &fed, "my", p->name, SPAN(open), &reply) ==
	     TOCSIN_OK);
	MUST(msg_reply_decode(&m, buf_span(&reply)) == TOCSIN_OK);
	MUST(m.code == TOCSIN_OK);
	MUST(msg_relay_decode(&p->relay, m.rest) == TOCSIN_OK);
	p->counter = 0;
	buf_release(&reply);
}

static void
peer_open(struct peer *p, const char *name)
{
	char url[4200];

	memset(p, 0, sizeof(*p));
	p->name = name;
	desk_dial(&p->desk, "my");
	peer_link(p);
	snprintf(url, sizeof(url), "ipc://%s/run/relay.ipc", rig_dir("my"));
	MUST(nng_pub0_open(&p->pub) == 0);
	/* Nothing is sent again here, so nothing may be dropped: not 16. */
	MUST(nng_socket_set_int(p->pub, NNG_OPT_SENDBUF, 1024) == 0);
	MUST(nng_dial(p->pub, url, NULL, 0) == 0);
}

static void
peer_close(struct peer *p)
{
	desk_close(&p->desk);
	nng_close(p->pub);
}

static void
publish(struct peer *p, struct span frame)
{
	nng_msg *msg;

	MUST(nng_msg_alloc(&msg, frame.n) == 0);
	memcpy(nng_msg_body(msg), frame.p, frame.n);
	MUST(nng_sendmsg(p->pub, msg, 0) == 0);
}

static void
frame_of(struct buf *out, struct peer *p, const struct relay_piece *piece)
{
	buf_cut(out, 0);
	MUST(relay_frame_seal(out, p->relay.link, p->counter++, p->relay.key,
		 piece) == TOCSIN_OK);
}

/* Bytes [from, to) of an item, in frames. */
static void
send_range(struct peer *p, unsigned lane, uint64_t item, uint8_t kind,
    struct span bytes, size_t from, size_t to)
{
	struct buf frame = { 0 };

	while (from < to) {
		size_t n =
		    to - from < RELAY_BYTES_MAX ? to - from : RELAY_BYTES_MAX;
		struct relay_piece piece = { (uint8_t)lane, item, kind, bytes.n,
			from, span_cut(bytes, from, n), 0 };

		frame_of(&frame, p, &piece);
		publish(p, buf_span(&frame));
		from += n;
	}
	buf_release(&frame);
}

static void
send_entry(struct peer *p, unsigned lane, uint8_t kind, struct span note,
    struct span body)
{
	struct buf item = { 0 };

	item_head_entry(&item, note, body.n);
	buf_add(&item, body);
	send_range(p, lane, ++p->item[lane], kind, buf_span(&item), 0, item.n);
	buf_release(&item);
}

static void
send_ticket(struct peer *p, unsigned lane, const struct fx_ticket *t)
{
	send_entry(
	    p, lane, RELAY_TICKET, buf_span(&t->note), buf_span(&t->body));
}

/* One relay.wait; what it tells is kept in p->relay.at. */
static enum tocsin_err
ask_wait(struct peer *p, uint32_t ms, struct msg_relay_at *at)
{
	struct msg_relay_wait m = { .wait_ms = ms, .bytes = 1 };
	struct buf request = { 0 }, rest = { 0 };
	enum tocsin_err err;
	unsigned i;

	memcpy(m.link, p->relay.link, sizeof(m.link));
	msg_relay_wait_encode(&request, &m);
	err = desk_ask(&p->desk, buf_span(&request), &rest);
	if (!err)
		err = msg_relay_at_decode(at, buf_span(&rest));
	for (i = 0; !err && i < LANE_COUNT; i++)
		if (at->moved & 1u << i) {
			p->relay.at.item[i] = at->at.item[i];
			p->relay.at.offset[i] = at->at.offset[i];
		}
	buf_release(&request);
	buf_release(&rest);
	return err;
}

/* Until the lane is at (item, offset), or nothing happens for 10 s. */
static bool
comes_to(struct peer *p, unsigned lane, uint64_t item, uint64_t offset)
{
	struct msg_relay_at at;
	unsigned tries;

	for (tries = 0; tries < 50; tries++) {
		if (ask_wait(p, tries == 0 ? 0 : 10000, &at))
			return false;
		if (p->relay.at.item[lane] == item &&
		    p->relay.at.offset[lane] == offset)
			return true;
	}
	return false;
}

/* ---- what the broker has then ---- */

static bool
stored(const uint8_t id[ID_LEN])
{
	struct store_rx *rx;
	uint64_t seq;
	bool is;

	MUST(store_read(my->store, &rx) == TOCSIN_OK);
	is = store_find(rx, id, &seq) == TOCSIN_OK &&
	     store_mail_has(rx, span_of("mycert@my"), seq);
	store_read_end(rx);
	return is;
}

/* The line about a ticket in the receipts for Singapore. */
static bool
receipt_line(const uint8_t id[ID_LEN], struct receipt_line *line)
{
	struct receipt *r = xmalloc(sizeof(*r));
	struct store_out out = { 0 };
	struct store_entry e;
	struct store_rx *rx;
	bool found = false;
	size_t i;

	MUST(store_read(my->store, &rx) == TOCSIN_OK);
	while (!found && store_out_next(rx, span_of("sg"), LANE_IMMEDIATE,
			     out.n, &out) == TOCSIN_OK) {
		MUST(store_get(rx, out.seq, &e) == TOCSIN_OK);
		MUST(e.kind == STORE_RECEIPT);
		MUST(receipt_open(r, fed.roster, e.note) == TOCSIN_OK);
		for (i = 0; i < r->nline && !found; i++) {
			found = memcmp(r->line[i].id, id, ID_LEN) == 0;
			*line = r->line[i];
		}
	}
	store_read_end(rx);
	free(r);
	return found;
}

static size_t
member_index(const char *name)
{
	size_t i;

	for (i = 0; i < fed.n; i++)
		if (strcmp(fed.member[i], name) == 0)
			return i;
	abort();
}

static uint64_t
place_of(const uint8_t id[ID_LEN])
{
	struct store_rx *rx;
	uint64_t seq = 0;

	MUST(store_read(my->store, &rx) == TOCSIN_OK);
	if (store_find(rx, id, &seq) != TOCSIN_OK)
		seq = 0;
	store_read_end(rx);
	return seq;
}

/* ---- the tests ---- */

/* Without its sender's keys a signature cannot be checked; it is told even so.
 */
static void
test_given_up(struct peer *p)
{
	struct receipt_line line = { 0 };
	struct fx_ticket t;

	my->conf.hold_ms = 200;
	fixture_ticket(
	    &t, &fed, "singcert@sg/desk1", "mycert@my", 1, NULL, NULL, NULL);
	send_ticket(p, LANE_ROUTINE, &t);
	ok(comes_to(p, LANE_ROUTINE, 1, 0),
	    "a ticket whose sender announced nothing is passed over in the "
	    "end");
	ok(!stored(t.id), "and not stored");
	ok(receipt_line(t.id, &line) && line.kind == RECEIPT_REFUSED &&
		receipt_reason(&line) == TOCSIN_EKEYSEXPIRED,
	    "its sender is told: keys-expired");
	fx_ticket_release(&t);
	fixture_ticket(
	    &t, &fed, "lacert@la/desk1", "mycert@my", 1, NULL, NULL, NULL);
	send_ticket(p, LANE_ROUTINE, &t);
	ok(comes_to(p, LANE_ROUTINE, 2, 0) && !receipt_line(t.id, &line),
	    "but nothing is told of one that says to be of another nation");
	fx_ticket_release(&t);
	my->conf.hold_ms = 0;
}

static void
test_hold(struct peer *p)
{
	struct fx_ticket t;
	struct receipt_line line;
	struct msg_relay_at at;

	fixture_ticket(
	    &t, &fed, "singcert@sg/desk1", "mycert@my", 1, NULL, NULL, NULL);
	send_ticket(p, LANE_ROUTINE, &t);
	ok(rig_reaches(my, BROKER_relay_frames_in, 3), "a frame has come");
	ok(ask_wait(p, 300, &at) == TOCSIN_OK &&
		p->relay.at.item[LANE_ROUTINE] + 1 == p->item[LANE_ROUTINE] &&
		!at.missing,
	    "a ticket whose sender announced nothing waits");
	ok(!stored(t.id), "and is not stored");
	send_entry(p, LANE_FLASH, RELAY_KEYS,
	    buf_span(&fed.keys_file[member_index("singcert@sg")]),
	    (struct span){ 0 });
	ok(comes_to(p, LANE_ROUTINE, p->item[LANE_ROUTINE], 0),
	    "with the announcement, it is taken");
	ok(stored(t.id), "and in the mailbox");
	ok(receipt_line(t.id, &line) && line.kind == RECEIPT_STORED,
	    "a receipt says so to its sender's nation");
	fx_ticket_release(&t);
}

static void
refused(struct peer *p, const struct fx_ticket *t, enum tocsin_err why,
    const char *what)
{
	struct receipt_line line = { 0 };

	send_ticket(p, LANE_ROUTINE, t);
	ok(comes_to(p, LANE_ROUTINE, p->item[LANE_ROUTINE], 0),
	    "%s is passed over", what);
	ok(!stored(t->id), "and not stored");
	ok(receipt_line(t->id, &line) && line.kind == RECEIPT_REFUSED &&
		receipt_reason(&line) == why,
	    "which its sender is told: %s", tocsin_err_name(why));
}

static void
test_refusals(struct peer *p)
{
	struct fx_ticket t, u;
	struct buf junk = { 0 };

	fixture_ticket(&t, &fed, "singcert@sg/desk1", "lacert@la", 2,
	    fed.genesis, NULL, NULL);
	refused(p, &t, TOCSIN_ENOTRECIPIENT, "a ticket to others");
	fx_ticket_release(&t);

	fixture_ticket(&t, &fed, "singcert@sg/desk1", "mycert@my", 3,
	    fed.genesis, NULL, NULL);
	t.body.p[t.body.n - 1] ^= 1;
	refused(p, &t, TOCSIN_EBODYMISMATCH, "one with another body");
	fx_ticket_release(&t);

	buf_addz(&junk, "no note at all\n");
	send_entry(
	    p, LANE_ROUTINE, RELAY_TICKET, buf_span(&junk), buf_span(&junk));
	send_entry(
	    p, LANE_ROUTINE, RELAY_ROSTER, buf_span(&junk), buf_span(&junk));
	send_entry(p, LANE_ROUTINE, RELAY_RECEIPT, buf_span(&junk),
	    (struct span){ 0 });
	send_entry(p, LANE_ROUTINE, RELAY_TICKET, (struct span){ 0 },
	    (struct span){ 0 });
	send_range(p, LANE_ROUTINE, ++p->item[LANE_ROUTINE], RELAY_TICKET,
	    (struct span){ junk.p, LANE_ITEM_MAX + 1 }, 0, 1);
	fixture_ticket(&u, &fed, "singcert@sg/desk1", "mycert@my", 4,
	    fed.genesis, NULL, NULL);
	send_ticket(p, LANE_ROUTINE, &u);
	ok(comes_to(p, LANE_ROUTINE, p->item[LANE_ROUTINE], 0),
	    "garbage, a roster that is none, a forged receipt, what is gone "
	    "and what is too "
	    "large are passed over");
	ok(stored(u.id), "and the good ticket behind them is taken");
	fx_ticket_release(&u);
	buf_release(&junk);
}

static void
recall_of(struct ticket *t, void *arg)
{
	t->kind = TICKET_RECALL;
	t->has_thread = true;
	memcpy(t->thread, arg, ID_LEN);
	t->nref = 1;
	memcpy(t->ref[0], arg, ID_LEN);
}

/* It is in another lane than what it takes back. */
static void
test_recall(struct peer *p)
{
	struct fx_ticket t, late, r;
	struct receipt_line line = { 0 };
	struct store_entry e = { 0 };
	struct store_rx *rx;
	uint64_t seq = 0;

	fixture_ticket(&t, &fed, "singcert@sg/desk1", "mycert@my", 30,
	    fed.genesis, NULL, NULL);
	send_ticket(p, LANE_ROUTINE, &t);
	ok(comes_to(p, LANE_ROUTINE, p->item[LANE_ROUTINE], 0) && stored(t.id),
	    "a ticket is here");
	fixture_ticket(&r, &fed, "singcert@sg/desk1", "mycert@my", 31,
	    fed.genesis, recall_of, t.id);
	send_ticket(p, LANE_FLASH, &r);
	ok(comes_to(p, LANE_FLASH, p->item[LANE_FLASH], 0) && stored(r.id),
	    "its recall comes");
	MUST(store_read(my->store, &rx) == TOCSIN_OK);
	ok(store_find(rx, t.id, &seq) == TOCSIN_OK &&
		store_get(rx, seq, &e) == TOCSIN_OK && e.erased,
	    "the ticket is erased");
	store_read_end(rx);
	fx_ticket_release(&r);
	fx_ticket_release(&t);

	fixture_ticket(&late, &fed, "singcert@sg/desk1", "mycert@my", 32,
	    fed.genesis, NULL, NULL);
	fixture_ticket(&r, &fed, "singcert@sg/desk1", "mycert@my", 33,
	    fed.genesis, recall_of, late.id);
	send_ticket(p, LANE_FLASH, &r);
	ok(comes_to(p, LANE_FLASH, p->item[LANE_FLASH], 0) &&
		!receipt_line(late.id, &line),
	    "a recall overtakes");
	refused(p, &late, TOCSIN_ERECALLED, "what it takes back");
	fx_ticket_release(&r);
	fx_ticket_release(&late);
}

static void
test_gap(struct peer *p)
{
	struct fx_ticket a, b;
	struct msg_relay_at at;
	unsigned i;

	fixture_ticket(&a, &fed, "singcert@sg/desk1", "mycert@my", 5,
	    fed.genesis, NULL, NULL);
	fixture_ticket(&b, &fed, "singcert@sg/desk1", "mycert@my", 6,
	    fed.genesis, NULL, NULL);
	p->item[LANE_ROUTINE]++;
	send_ticket(p, LANE_ROUTINE, &b); /* a is lost */
	ok(ask_wait(p, 10000, &at) == TOCSIN_OK &&
		at.missing == 1 << LANE_ROUTINE,
	    "a loss is told at once");
	ok(at.from.item[LANE_ROUTINE] == p->item[LANE_ROUTINE] - 2,
	    "with the place where it is");
	p->item[LANE_ROUTINE] -= 2;
	for (i = 0; i < 2; i++) { /* each twice */
		send_ticket(p, LANE_ROUTINE, &a);
		p->item[LANE_ROUTINE]--;
	}
	p->item[LANE_ROUTINE]++;
	send_ticket(p, LANE_ROUTINE, &b);
	ok(comes_to(p, LANE_ROUTINE, p->item[LANE_ROUTINE], 0),
	    "and what is sent again is taken");
	ok(stored(a.id) && stored(b.id), "both are there");
	fx_ticket_release(&a);
	fx_ticket_release(&b);
}

static void
test_forged(struct peer *p)
{
	uint64_t bad = atomic_load(&my->count[BROKER_relay_bad_frames]);
	uint64_t items = atomic_load(&my->count[BROKER_relay_items_in]);
	struct relay_piece piece = { LANE_ROUTINE, p->item[LANE_ROUTINE] + 1,
		RELAY_TICKET, 4, 0, { (const uint8_t *)"junk", 4 }, 0 };
	struct buf frame = { 0 };

	frame_of(&frame, p, &piece);
	frame.p[frame.n - 1] ^= 1;
	publish(p, buf_span(&frame));
	frame.p[frame.n - 1] ^= 1;
	frame.p[RELAY_LINK + 7] ^= 64; /* the counter */
	publish(p, buf_span(&frame));
	publish(p, (struct span){ frame.p, RELAY_HEAD });
	ok(rig_reaches(my, BROKER_relay_bad_frames, bad + 3),
	    "frames that are altered or cut are counted");
	ok(atomic_load(&my->count[BROKER_relay_items_in]) == items,
	    "and bring nothing");
	frame.p[RELAY_LINK + 7] ^= 64;
	publish(p, buf_span(&frame));
	publish(p, buf_span(&frame));
	ok(rig_reaches(my, BROKER_relay_bad_frames, bad + 4),
	    "a frame counts once");
	p->item[LANE_ROUTINE]++;
	ok(comes_to(p, LANE_ROUTINE, p->item[LANE_ROUTINE], 0),
	    "the link goes on");
	buf_release(&frame);
}

/* ---- parts ---- */

static uint8_t part_bytes[100000];

static void
add_part(struct ticket *t, void *arg)
{
	(void)arg;
	t->npart = 1;
	t->part[0].size = sizeof(part_bytes);
	crypto_hash_sha256(t->part[0].hash, part_bytes, sizeof(part_bytes));
}

static void
restart_as(struct peer *p, void (*edit)(struct broker_config *c, void *arg))
{
	struct peer was = *p;

	peer_close(p);
	broker_free(my);
	my = rig_broker(&fed, "my", edit, NULL);
	peer_open(p, was.name);
	memcpy(p->item, was.item, sizeof(p->item));
}

static void
restart(struct peer *p)
{
	restart_as(p, NULL);
}

static void
test_part(struct peer *p)
{
	struct fx_ticket t;
	struct buf item = { 0 };
	struct store_part part;
	struct store_rx *rx;
	uint8_t hash[32];
	uint64_t have;

	randombytes_buf_deterministic(
	    part_bytes, sizeof(part_bytes), (uint8_t[32]){ 7 });
	crypto_hash_sha256(hash, part_bytes, sizeof(part_bytes));
	item_head_part(&item, hash);
	buf_add(&item, SPAN(part_bytes));
	send_range(p, LANE_BULK, 1, RELAY_PART, buf_span(&item), 0, 40000);
	fixture_ticket(&t, &fed, "singcert@sg/desk1", "mycert@my", 7,
	    fed.genesis, add_part, NULL);
	send_ticket(p, LANE_ROUTINE, &t);
	ok(comes_to(p, LANE_BULK, 0, 40000),
	    "a part that came before its ticket waits for it");
	restart(p);
	have = p->relay.at.offset[LANE_BULK];
	is_int((long long)have, 40000, "the place in it outlives the broker");
	ok(p->relay.at.item[LANE_ROUTINE] == p->item[LANE_ROUTINE],
	    "as do the cursors of the other lanes");
	send_range(
	    p, LANE_BULK, 1, RELAY_PART, buf_span(&item), (size_t)have, item.n);
	ok(comes_to(p, LANE_BULK, 1, 0), "and the rest makes it whole");
	MUST(store_read(my->store, &rx) == TOCSIN_OK);
	ok(store_part_stat(rx, hash, &part) == TOCSIN_OK && part.complete,
	    "with the right hash");
	store_read_end(rx);
	send_range(p, LANE_BULK, 2, RELAY_PART, buf_span(&item), 0, 5000);
	ok(comes_to(p, LANE_BULK, 2, 0),
	    "of a part that is here, the first bytes are enough");
	fx_ticket_release(&t);
	buf_release(&item);
}

static uint8_t unwanted_bytes[3000];

static void
add_unwanted(struct ticket *t, void *arg)
{
	(void)arg;
	t->npart = 1;
	t->part[0].size = sizeof(unwanted_bytes);
	crypto_hash_sha256(
	    t->part[0].hash, unwanted_bytes, sizeof(unwanted_bytes));
}

/* The hold is far longer than the test waits. */
static void
test_unwanted(struct peer *p)
{
	struct fx_ticket t;
	struct buf item = { 0 };
	uint8_t hash[32];
	int64_t hold = my->conf.hold_ms;
	uint64_t n = 2; /* test_part() */

	memset(unwanted_bytes, 3, sizeof(unwanted_bytes));
	crypto_hash_sha256(hash, unwanted_bytes, sizeof(unwanted_bytes));
	item_head_part(&item, hash);
	buf_add(&item, SPAN(unwanted_bytes));
	fixture_ticket(&t, &fed, "singcert@sg/desk1", "mycert@my", 40,
	    fed.genesis, add_unwanted, NULL);
	my->conf.hold_ms = 600000;
	my->conf.accept.kinds_refused = 1u << TICKET_REPORT;
	send_range(p, LANE_BULK, n + 1, RELAY_PART, buf_span(&item), 0, item.n);
	refused(p, &t, TOCSIN_EKINDNOTALLOWED, "one with a part");
	ok(comes_to(p, LANE_BULK, n + 1, 0),
	    "a part that came before it waits for it no longer");
	send_range(p, LANE_BULK, n + 2, RELAY_PART, buf_span(&item), 0, item.n);
	ok(comes_to(p, LANE_BULK, n + 2, 0), "nor does one behind it");
	my->conf.accept.kinds_refused = 0;
	my->conf.hold_ms = hold;
	fx_ticket_release(&t);
	buf_release(&item);
}

/* ---- one part, two sources ---- */

static void
finding(void *arg, const struct store_finding *f)
{
	(void)arg;
	diag("%s", f->what);
}

static size_t
parts_in_store(void)
{
	struct store_walked walked;

	MUST(store_verify(my->store, finding, NULL, &walked) == TOCSIN_OK);
	return walked.parts;
}

static uint8_t shared[60000], wrong_bytes[60000];

struct claim {
	uint8_t hash[32];
	uint64_t size;
};

static void
add_claim(struct ticket *t, void *arg)
{
	const struct claim *c = arg;

	t->npart = 1;
	t->part[0].size = c->size;
	memcpy(t->part[0].hash, c->hash, 32);
}

/* A ticket that names it; it is taken. */
static bool
names(struct peer *p, const char *from, uint64_t seq, const struct claim *c)
{
	struct fx_ticket t;
	bool is;

	fixture_ticket(&t, &fed, from, "mycert@my", seq, fed.genesis, add_claim,
	    (void *)(uintptr_t)c);
	send_ticket(p, LANE_ROUTINE, &t);
	is =
	    comes_to(p, LANE_ROUTINE, p->item[LANE_ROUTINE], 0) && stored(t.id);
	fx_ticket_release(&t);
	return is;
}

/* Bytes of that, said to be the part; until the lane is at (item, offset). */
static bool
brings(struct peer *p, const struct claim *c, struct span bytes, size_t from,
    size_t to, uint64_t item, uint64_t offset)
{
	struct buf b = { 0 };
	bool is;

	item_head_part(&b, c->hash);
	buf_add(&b, bytes);
	send_range(p, LANE_BULK, p->item[LANE_BULK], RELAY_PART, buf_span(&b),
	    from, to < b.n ? to : b.n);
	is = comes_to(p, LANE_BULK, item, offset);
	buf_release(&b);
	return is;
}

static bool
is_whole(const uint8_t hash[32], struct span bytes)
{
	struct buf got = { 0 };
	struct store_part part;
	struct store_rx *rx;
	bool is;

	MUST(store_read(my->store, &rx) == TOCSIN_OK);
	is = store_part_stat(rx, hash, &part) == TOCSIN_OK && part.complete &&
	     part.total == bytes.n &&
	     store_part_read(rx, hash, 0, bytes.n, &got) == TOCSIN_OK &&
	     span_eq(buf_span(&got), bytes);
	store_read_end(rx);
	buf_release(&got);
	return is;
}

static struct claim
claim_of(uint8_t fill)
{
	struct claim c = { .size = sizeof(shared) };

	memset(shared, fill, sizeof(shared));
	crypto_hash_sha256(c.hash, shared, sizeof(shared));
	return c;
}

/* What one nation sends of a part does not spoil what another does. */
static void
test_two_sources(struct peer *sg)
{
	struct span good = SPAN(shared), bad = SPAN(wrong_bytes);
	size_t parts = parts_in_store();
	struct claim c = claim_of(1), lie;
	struct peer la;
	uint64_t n = sg->item[LANE_BULK] = 4; /* the tests before */

	peer_open(&la, "la");
	send_entry(&la, LANE_FLASH, RELAY_KEYS,
	    buf_span(&fed.keys_file[member_index("lacert@la")]),
	    (struct span){ 0 });
	MUST(comes_to(&la, LANE_FLASH, 1, 0));
	ok(names(&la, "lacert@la/desk1", 11, &c), "a nation names a part");
	la.item[LANE_BULK] = 1;
	ok(brings(&la, &c, bad, 0, 20000, 0, 20000), "and sends other bytes");
	ok(names(sg, "singcert@sg/desk1", 60, &c), "another names it too");
	sg->item[LANE_BULK]++;
	ok(brings(sg, &c, good, 0, 30000, n, 30000),
	    "and sends the right ones");
	restart(sg);
	sg->item[LANE_BULK] = n + 1;
	ok(sg->relay.at.offset[LANE_BULK] == 30000 &&
		brings(sg, &c, good, 30000, SIZE_MAX, n + 1, 0) &&
		is_whole(c.hash, good),
	    "in two goes, and it is whole");
	peer_close(&la);
	peer_open(&la, "la");
	la.item[LANE_ROUTINE] = la.item[LANE_BULK] = 1;
	ok(brings(&la, &c, bad, 20000, SIZE_MAX, 1, 0), "the first is past it");
	is_int((long long)parts_in_store(), (long long)parts + 1,
	    "nothing else is left of it");

	lie = c = claim_of(2);
	lie.size++;
	ok(names(&la, "lacert@la/desk1", 12, &lie), "one says a wrong size");
	ok(names(sg, "singcert@sg/desk1", 61, &c),
	    "a ticket that says another is taken all the same");
	sg->item[LANE_BULK]++;
	ok(brings(sg, &c, good, 0, SIZE_MAX, n + 2, 0) &&
		is_whole(c.hash, good),
	    "and its part comes");
	c = claim_of(3);
	ok(names(sg, "singcert@sg/desk1", 62, &c) &&
		names(&la, "lacert@la/desk1", 13, &c),
	    "again two");
	la.item[LANE_BULK]++;
	ok(brings(&la, &c, bad, 0, SIZE_MAX, 2, 0),
	    "who sends other bytes is passed over");
	sg->item[LANE_BULK]++;
	ok(brings(sg, &c, good, 0, SIZE_MAX, n + 3, 0) &&
		is_whole(c.hash, good),
	    "and spoils nothing");
	is_int((long long)parts_in_store(), (long long)parts + 3,
	    "there are three parts then");
	peer_close(&la);
}

/* A body that is stored as a part, named before by somebody else. */
static void
test_body_named(struct peer *sg)
{
	struct claim c;
	struct fx_ticket t;
	struct peer la;

	fed.text_bytes = 300000;
	fixture_ticket(&t, &fed, "singcert@sg/desk1", "mycert@my", 63,
	    fed.genesis, NULL, NULL);
	fed.text_bytes = 0;
	c.size = t.body.n + 5;
	crypto_hash_sha256(c.hash, t.body.p, t.body.n);
	peer_open(&la, "la");
	la.item[LANE_ROUTINE] = 3;
	la.item[LANE_BULK] = 3;
	ok(names(&la, "lacert@la/desk1", 14, &c) &&
		brings(&la, &c, SPAN(wrong_bytes), 0, 20000, 2, 20000),
	    "what is said to be a part is another's body");
	send_ticket(sg, LANE_ROUTINE, &t);
	ok(comes_to(sg, LANE_ROUTINE, sg->item[LANE_ROUTINE], 0) &&
		stored(t.id) && is_whole(c.hash, buf_span(&t.body)),
	    "which comes whole");
	fx_ticket_release(&t);
	peer_close(&la);
}

/* ---- entries in two halves ---- */

static void
test_beginning(struct peer *p)
{
	struct fx_ticket t;
	struct buf item = { 0 };
	uint64_t n = ++p->item[LANE_PRIORITY], have;
	size_t parts = parts_in_store();

	fed.text_bytes = 300000;
	fixture_ticket(&t, &fed, "singcert@sg/desk1", "mycert@my", 8,
	    fed.genesis, NULL, NULL);
	fed.text_bytes = 0;
	item_head_entry(&item, buf_span(&t.note), t.body.n);
	buf_add(&item, buf_span(&t.body));
	send_range(
	    p, LANE_PRIORITY, n, RELAY_TICKET, buf_span(&item), 0, 150000);
	ok(comes_to(p, LANE_PRIORITY, n - 1, 150000),
	    "the first half of a large ticket has come");
	while (parts_in_store() == parts)
		usleep(1000);
	restart(p);
	have = p->relay.at.offset[LANE_PRIORITY];
	ok(have >= LANE_KEEP && have <= 150000,
	    "of which %llu bytes outlive the broker", (unsigned long long)have);
	send_range(p, LANE_PRIORITY, n, RELAY_TICKET, buf_span(&item),
	    (size_t)have, item.n);
	ok(comes_to(p, LANE_PRIORITY, n, 0) && stored(t.id),
	    "so that the rest makes it whole");
	is_int((long long)parts_in_store(), (long long)parts + 1,
	    "its body is a part, and the beginning is none any more");
	fx_ticket_release(&t);
	buf_release(&item);
}

/* The sender has put an old store back: its item is another. */
static void
test_other_item(struct peer *p)
{
	struct fx_ticket t;
	static uint8_t junk[200000];
	uint64_t n = ++p->item[LANE_PRIORITY];
	struct msg_relay_at at;
	struct buf item = { 0 };
	size_t parts = parts_in_store();

	send_range(p, LANE_PRIORITY, n, RELAY_TICKET, SPAN(junk), 0, 100000);
	ok(comes_to(p, LANE_PRIORITY, n - 1, 100000), "an item has begun");
	while (parts_in_store() == parts)
		usleep(1000);
	restart(p);
	fixture_ticket(&t, &fed, "singcert@sg/desk1", "mycert@my", 9,
	    fed.genesis, NULL, NULL);
	item_head_entry(&item, buf_span(&t.note), t.body.n);
	buf_add(&item, buf_span(&t.body));
	send_range(
	    p, LANE_PRIORITY, n, RELAY_TICKET, buf_span(&item), 100, item.n);
	ok(ask_wait(p, 10000, &at) == TOCSIN_OK && at.missing &&
		at.from.item[LANE_PRIORITY] == n - 1 &&
		at.from.offset[LANE_PRIORITY] == 0,
	    "when another comes in its place, it has to come whole");
	send_range(
	    p, LANE_PRIORITY, n, RELAY_TICKET, buf_span(&item), 0, item.n);
	ok(comes_to(p, LANE_PRIORITY, n, 0) && stored(t.id), "and it is taken");
	is_int((long long)parts_in_store(), (long long)parts,
	    "nothing is left of the other");
	fx_ticket_release(&t);
	buf_release(&item);
}

/* ---- no room ---- */

static void
small_map(struct broker_config *c, void *arg)
{
	(void)arg;
	c->store.map_size = 8 << 20;
	c->store.prealloc = 1 << 20;
}

static void
acknowledging(struct ticket *t, void *arg)
{
	(void)arg;
	t->kind = TICKET_ACK;
}

/* Tickets until one finds no room: it is in *out, and stops its lane. */
static void
fill_store(struct peer *p, struct fx_ticket *out)
{
	struct msg_relay_at at;
	uint64_t seq;

	fed.text_bytes = 30000;
	for (seq = 100; seq < 1000; seq++) {
		fixture_ticket(out, &fed, "singcert@sg/desk1", "mycert@my", seq,
		    fed.genesis, NULL, NULL);
		send_ticket(p, LANE_ROUTINE, out);
		while (!my->full &&
		       p->relay.at.item[LANE_ROUTINE] < p->item[LANE_ROUTINE])
			MUST(ask_wait(p, 100, &at) == TOCSIN_OK);
		if (my->full)
			break;
		fx_ticket_release(out);
	}
	fed.text_bytes = 0;
	MUST(my->full);
}

static void
an_hour_ahead(struct ticket *t, void *arg)
{
	(void)arg;
	t->time += 3600;
}

/*
 * A member's clock is wrong, and its broker's, which took the ticket. That of
 * all other members of its nation must not be late for that.
 */
static void
test_held_alone(struct peer *p)
{
	struct fx_ticket ahead, now;
	struct receipt_line line = { 0 };
	struct msg_relay_at at;
	int64_t hold = my->conf.hold_ms;
	unsigned tries;
	uint64_t early;

	my->conf.hold_ms = 600000;
	fixture_ticket(&ahead, &fed, "singcert@sg/desk1", "mycert@my", 60,
	    fed.genesis, an_hour_ahead, NULL);
	fixture_ticket(&now, &fed, "singcert@sg/desk1", "mycert@my", 61,
	    fed.genesis, NULL, NULL);
	send_ticket(p, LANE_ROUTINE, &ahead);
	send_ticket(p, LANE_ROUTINE, &now);
	for (tries = 0; tries < 200 && !stored(now.id); tries++)
		MUST(ask_wait(p, 50, &at) == TOCSIN_OK);
	ok(stored(now.id), "a ticket passes one whose time is still to come");
	ok(!stored(ahead.id) &&
		p->relay.at.item[LANE_ROUTINE] + 2 == p->item[LANE_ROUTINE],
	    "which is held, and with it the cursor");
	early = place_of(now.id);
	my->conf.hold_ms = hold;
	restart(p);
	p->item[LANE_ROUTINE] -= 2;
	my->conf.hold_ms = 200;
	send_ticket(p, LANE_ROUTINE, &ahead);
	send_ticket(p, LANE_ROUTINE, &now);
	ok(comes_to(p, LANE_ROUTINE, p->item[LANE_ROUTINE], 0) &&
		place_of(now.id) == early,
	    "when its time is up, the lane goes on, and what passed is there "
	    "once");
	ok(!stored(ahead.id) && receipt_line(ahead.id, &line) &&
		receipt_reason(&line) == TOCSIN_ECLOCKSKEW,
	    "its sender is told: clock-skew");
	my->conf.hold_ms = hold;
	fx_ticket_release(&ahead);
	fx_ticket_release(&now);
}

static void
test_no_room(struct peer *p)
{
	struct fx_ticket big, ack, more;
	struct msg_relay_at at;
	unsigned tries;
	uint64_t early;

	restart_as(p, small_map);
	fill_store(p, &big);
	ok(ask_wait(p, 0, &at) == TOCSIN_OK && at.full,
	    "a peer is told that there is no room");
	fixture_ticket(&more, &fed, "singcert@sg/desk1", "mycert@my", 1001,
	    fed.genesis, NULL, NULL);
	fixture_ticket(&ack, &fed, "singcert@sg/desk1", "mycert@my", 1002,
	    fed.genesis, acknowledging, NULL);
	send_ticket(p, LANE_ROUTINE, &more);
	send_ticket(p, LANE_ROUTINE, &ack);
	for (tries = 0; tries < 200 && !stored(ack.id); tries++)
		MUST(ask_wait(p, 50, &at) == TOCSIN_OK);
	ok(stored(ack.id), "an answer passes those that have no room");
	ok(!stored(big.id) && !stored(more.id), "which wait");
	is_int((long long)p->relay.at.item[LANE_ROUTINE],
	    (long long)p->item[LANE_ROUTINE] - 3, "and so does the cursor");
	early = place_of(ack.id);
	restart(p);
	p->item[LANE_ROUTINE] -= 3;
	send_ticket(p, LANE_ROUTINE, &big);
	send_ticket(p, LANE_ROUTINE, &more);
	send_ticket(p, LANE_ROUTINE, &ack);
	ok(comes_to(p, LANE_ROUTINE, p->item[LANE_ROUTINE], 0) &&
		stored(big.id) && stored(more.id),
	    "with room all of it is taken");
	ok(place_of(ack.id) == early && early > 0,
	    "and the answer is there once");
	ok(ask_wait(p, 0, &at) == TOCSIN_OK && !at.full,
	    "the peer is told of the room");
	fx_ticket_release(&big);
	fx_ticket_release(&more);
	fx_ticket_release(&ack);
}

/* ---- links ---- */

static void
test_links(struct peer *p)
{
	struct peer old = *p;
	struct msg_relay_at at;
	struct buf request = { 0 }, rest = { 0 };
	struct msg_relay_wait m = { .wait_ms = 20000, .bytes = 1 };
	uint64_t parks = atomic_load(&my->count[BROKER_parks]);
	struct flight parked;
	struct desk second;
	struct link link;

	MUST(ask_wait(p, 0, &at) == TOCSIN_OK);
	memcpy(m.link, p->relay.link, sizeof(m.link));
	msg_relay_wait_encode(&request, &m);
	desk_begin(&p->desk, &parked, buf_span(&request));
	ok(rig_reaches(my, BROKER_parks, parks + 1),
	    "a wait without news is parked");
	link = p->desk.link;
	second = p->desk;
	peer_link(p); /* a second one, over the same socket */
	second.link = link;
	is_int(desk_end(&second, &parked, &rest), TOCSIN_ENOTFOUND,
	    "a new link ends the wait of the old one");
	old.desk = p->desk;
	is_int(ask_wait(&old, 0, &at), TOCSIN_ENOTFOUND,
	    "which is not known any more");
	p->desk = old.desk; /* its numbers went on */
	is_int(ask_wait(p, 0, &at), TOCSIN_OK, "the new one is");
	link_wipe(&link);
	buf_release(&request);
	buf_release(&rest);
}

static void
to_la(struct roster *r, void *arg)
{
	struct roster_broker b = fixture_broker("sg", "la");

	(void)arg;
	MUST(roster_put_broker(r, &b) == TOCSIN_OK);
}

/* The broker sg is Laos's from the next roster on. */
static void
test_moved(struct peer *p)
{
	struct fx_ticket t;

	fixture_next_roster(&fed, to_la, NULL);
	MUST(
	    intake_install(my, STORE_ROSTER, buf_span(&fed.file)) == TOCSIN_OK);
	desk_close(&p->desk);
	desk_dial(&p->desk, "my");
	peer_link(p);
	ok(true, "a broker that moved to another nation is let in");
	send_entry(p, LANE_FLASH, RELAY_KEYS,
	    buf_span(&fed.keys_file[member_index("lacert@la")]),
	    (struct span){ 0 });
	MUST(comes_to(p, LANE_FLASH, p->item[LANE_FLASH], 0));
	fixture_ticket(
	    &t, &fed, "lacert@la/desk1", "mycert@my", 1, NULL, NULL, NULL);
	send_ticket(p, LANE_ROUTINE, &t);
	ok(comes_to(p, LANE_ROUTINE, p->item[LANE_ROUTINE], 0) && stored(t.id),
	    "what it brings of its new nation is taken");
	fx_ticket_release(&t);
}

int
main(void)
{
	struct peer p;

	fixture_init(&fed, "sg my la");
	my = rig_broker(&fed, "my", NULL, NULL);
	peer_open(&p, "sg");
	test_given_up(&p);
	test_hold(&p);
	test_refusals(&p);
	test_gap(&p);
	test_forged(&p);
	test_recall(&p);
	test_part(&p);
	test_unwanted(&p);
	test_two_sources(&p);
	test_body_named(&p);
	test_beginning(&p);
	test_other_item(&p);
	test_held_alone(&p);
	test_no_room(&p);
	test_links(&p);
	test_moved(&p);
	peer_close(&p);
	broker_free(my);
	fixture_release(&fed);
	return tap_done();
}

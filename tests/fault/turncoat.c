/* SPDX-License-Identifier: ISC */
/*
 * turncoat - a broker on the roster that keeps to no rule
 *
 *	turncoat HOME KEYS PORT OTHER KIND COUNT
 *
 * KEYS is the folder of the keys of a broker that does not run, HOME a device
 * of a member of its nation, OTHER a member of the broker at PORT of 127.0.0.1.
 * One KIND of misbehaviour (kinds[] says which there are) over a link and
 * frames made by hand (rawlink.h); COUNT is how much, where that means
 * something. What it prints is as of rogue.c.
 *
 * It sees what became of an item by its cursor, which relay.wait tells, and by
 * asking with relay.have for what would be its own.
 */
#include "broker/sp.h"
#include "crypto/receipt.h"
#include "crypto/relay_frame.h"
#include "tests/fault/posing.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE_S 20

static struct {
	struct forger f;
	const char *other;
	unsigned long count;
	struct posing as;
	struct rawlink link;
	struct msg_relay relay;
	int pub;
	uint64_t counter;
	uint32_t round[LANE_COUNT];
	uint64_t item[LANE_COUNT]; /* sent last */
	bool wrong;
} me = { .pub = -1, .link = { .fd = -1 } };

static void
expect(const char *what, bool is)
{
	me.wrong |= !is;
	printf("%s %s\n", is ? "right" : "wrong", what);
}

/* ---- asking ---- */

static enum tocsin_err
ask(struct buf *request, struct buf *fields)
{
	enum tocsin_err err = rawlink_ask(&me.link, buf_span(request), fields);

	buf_release(request);
	return err;
}

/* A new relay link; where it goes on is what the other says. */
static void
relink(void)
{
	struct buf request = { 0 }, fields = { 0 };
	enum tocsin_err err;
	unsigned i;

	buf_u8(&request, MSG_RELAY_OPEN);
	err = ask(&request, &fields);
	if (!err)
		err = msg_relay_decode(&me.relay, buf_span(&fields));
	if (err)
		die("relay.open: %s", tocsin_err_name(err));
	buf_release(&fields);
	me.counter = 0;
	memset(me.round, 0, sizeof(me.round));
	for (i = 0; i < LANE_COUNT; i++)
		me.item[i] = me.relay.from.item[i];
}

static void
dial_frames(void)
{
	if (me.pub >= 0)
		close(me.pub);
	me.pub = rawlink_dial(me.as.who.port, SP_PUB);
	if (me.pub < 0)
		die("no connection for frames");
}

static void
begin(void)
{
	enum tocsin_err err = rawlink_open(&me.link, &me.as.who);

	if (err)
		die("no link: %s", tocsin_err_name(err));
	relink();
	dial_frames();
}

/* What relay.wait says; *at holds what moved. */
static enum tocsin_err
wait_once(struct msg_relay_at *at)
{
	struct msg_relay_wait m = { .wait_ms = 500, .bytes = 1 };
	struct buf request = { 0 }, fields = { 0 };
	enum tocsin_err err;
	unsigned i;

	memcpy(m.link, me.relay.link, sizeof(m.link));
	msg_relay_wait_encode(&request, &m);
	err = ask(&request, &fields);
	if (!err)
		err = msg_relay_at_decode(at, buf_span(&fields));
	for (i = 0; !err && i < LANE_COUNT; i++) /* told once */
		if (at->moved >> i & 1)
			me.relay.at.item[i] = at->at.item[i];
	buf_release(&fields);
	return err;
}

/* Until the cursor has passed what was sent last in the lane. */
static bool
passed(unsigned lane)
{
	int64_t end = forge_now() + PATIENCE_S;
	struct msg_relay_at at;

	while (me.relay.at.item[lane] < me.item[lane] && forge_now() < end)
		if (wait_once(&at) != TOCSIN_OK)
			return false;
	return me.relay.at.item[lane] == me.item[lane];
}

static bool
has(const uint8_t id[32])
{
	struct buf request = { 0 }, fields = { 0 };
	bool is;

	buf_u8(&request, MSG_RELAY_HAVE);
	buf_add(&request, (struct span){ id, 32 });
	is = ask(&request, &fields) == TOCSIN_OK && fields.n == 1 &&
	     (fields.p[0] & 1) == 0;
	buf_release(&fields);
	return is;
}

/* ---- frames ---- */

static void
put_bytes(struct span frame)
{
	struct buf b = { 0 };

	buf_u64(&b, frame.n);
	buf_add(&b, frame);
	if (!rawlink_put(me.pub, buf_span(&b))) {
		dial_frames();
		(void)rawlink_put(me.pub, buf_span(&b));
	}
	buf_release(&b);
}

/* By relay_frame.c's own format, also of what it would not seal. */
static void
publish_as(uint64_t counter, const struct relay_piece *p)
{
	struct buf plain = { 0 }, frame = { 0 };
	uint8_t nonce[12] = { 0 };
	unsigned long long n;
	uint8_t *room;
	int i;

	buf_u8(&plain, p->lane);
	buf_u32(&plain, p->round);
	buf_u64(&plain, p->item);
	buf_u8(&plain, p->kind);
	buf_u64(&plain, p->total);
	buf_u64(&plain, p->offset);
	buf_add(&plain, p->bytes);
	buf_add(&frame, SPAN(me.relay.link));
	buf_u64(&frame, counter);
	for (i = 0; i < 8; i++)
		nonce[4 + i] = (uint8_t)(counter >> 8 * i);
	room = buf_grow(&frame, plain.n + NOISE_TAG);
	crypto_aead_chacha20poly1305_ietf_encrypt(room, &n, plain.p, plain.n,
	    frame.p, RELAY_HEAD, NULL, nonce, me.relay.key);
	put_bytes(buf_span(&frame));
	buf_release(&plain);
	buf_release(&frame);
}

static void
publish(const struct relay_piece *p)
{
	publish_as(me.counter++, p);
}

/* The n-th of the pieces of an item; false: there are no more. */
static bool
piece_of(struct relay_piece *p, unsigned lane, uint8_t kind, uint64_t item,
    struct span bytes, size_t n)
{
	size_t size = 1000, at = n * size;

	if (at >= bytes.n)
		return false;
	*p = (struct relay_piece){ .lane = (uint8_t)lane,
		.round = me.round[lane],
		.item = item,
		.kind = kind,
		.total = bytes.n,
		.offset = at,
		.bytes = span_cut(bytes, at, size) };
	return true;
}

static void
send_item(unsigned lane, uint8_t kind, struct span bytes)
{
	struct relay_piece p;
	size_t n;

	me.item[lane]++;
	for (n = 0; piece_of(&p, lane, kind, me.item[lane], bytes, n); n++)
		publish(&p);
}

static struct buf
entry(struct span note, struct span body)
{
	struct buf b = { 0 };

	buf_u32(&b, (uint32_t)note.n);
	buf_add(&b, note);
	buf_u32(&b, (uint32_t)body.n);
	buf_add(&b, body);
	return b;
}

static struct buf
ticket_item(const struct made *m)
{
	return entry(buf_span(&m->note), buf_span(&m->body));
}

/* ---- tickets ---- */

/* Of our member to theirs; nothing wrong yet. */
static struct made *
good(void)
{
	struct made *m = made_draft(&me.f);
	const char *own = me.f.keys->member;
	bool first = strcmp(me.other, own) < 0;

	m->t.precedence = TICKET_FLASH;
	made_to(m, &me.f, first ? me.other : own);
	made_to(m, &me.f, first ? own : me.other);
	made_make(m);
	return m;
}

/* What follows is another ticket. */
static void
counts(const struct made *m)
{
	struct buf b = { 0 };

	me.f.chain.seq = m->t.seq;
	memcpy(me.f.chain.id, m->id, ID_LEN);
	forger_save(&me.f);
	buf_base64(&b, SPAN(m->id));
	printf("%s %.*s\n", me.f.keys->exercise[0] ? "played" : "taken",
	    (int)b.n, (const char *)b.p);
	buf_release(&b);
}

static void
never(const struct made *m)
{
	struct buf b = { 0 };

	buf_base64(&b, SPAN(m->id));
	printf("never %.*s\n", (int)b.n, (const char *)b.p);
	buf_release(&b);
}

/* Sends it in the flash lane; whether it is stored there, or passed over. */
static void
offer(const char *what, struct made *m, bool want)
{
	struct buf b = ticket_item(m);

	send_item(LANE_FLASH, RELAY_TICKET, buf_span(&b));
	expect(what, passed(LANE_FLASH) && has(m->id) == want);
	if (want)
		counts(m);
	else
		never(m);
	made_free(m);
	buf_release(&b);
}

static void
still_good(void)
{
	offer("a-good-one-is-taken", good(), true);
}

/* ---- order ---- */

/* All pieces of three items, the last first; then as they should be. */
static void
do_reorder(void)
{
	struct made *m[3];
	struct buf b[3];
	struct relay_piece p;
	struct msg_relay_at at = { 0 };
	size_t i, n;
	bool told = false;
	int tries = 50;

	for (i = 0; i < 3; i++) {
		m[i] = good();
		counts(m[i]);
		b[i] = ticket_item(m[i]);
	}
	for (i = 3; i-- > 0;)
		for (n = 10; n-- > 0;)
			if (piece_of(&p, LANE_FLASH, RELAY_TICKET,
				me.item[LANE_FLASH] + 1 + i, buf_span(&b[i]),
				n))
				publish(&p);
	while (!told && tries-- > 0 && wait_once(&at) == TOCSIN_OK)
		told = at.missing & 1;
	expect("what-is-missing-is-told", told);
	expect("none-is-taken", !has(m[1]->id) && !has(m[2]->id));
	me.round[LANE_FLASH]++;
	for (i = 0; i < 3; i++)
		send_item(LANE_FLASH, RELAY_TICKET, buf_span(&b[i]));
	expect("then-they-pass", passed(LANE_FLASH));
	for (i = 0; i < 3; i++) {
		expect("and-are-there", has(m[i]->id));
		made_free(m[i]);
		buf_release(&b[i]);
	}
}

/* Each frame three times, and the same item under further numbers. */
static void
do_repeat(void)
{
	struct made *m = good();
	struct buf b = ticket_item(m);
	struct relay_piece p;
	size_t n, i;

	me.item[LANE_FLASH]++;
	for (n = 0; piece_of(
		 &p, LANE_FLASH, RELAY_TICKET, me.item[0], buf_span(&b), n);
	     n++)
		for (i = 0; i < 3; i++)
			publish(&p);
	publish_as(me.counter - 1, &p); /* a number that was used */
	expect("it-passes", passed(LANE_FLASH) && has(m->id));
	counts(m);
	for (i = 0; i < 20; i++)
		send_item(i % 4, RELAY_TICKET, buf_span(&b));
	for (i = 0; i < 4; i++)
		expect("again-it-passes", passed((unsigned)i));
	made_free(m);
	buf_release(&b);
	still_good();
}

/* An item that is left out keeps what follows from being taken. */
static void
do_omit(void)
{
	struct made *m = good();
	struct buf b = ticket_item(m);
	struct msg_relay_at at = { 0 };
	int tries = 20;

	me.item[LANE_FLASH]++;
	send_item(LANE_FLASH, RELAY_TICKET, buf_span(&b));
	while (!(at.missing & 1) && tries-- > 0)
		if (wait_once(&at) != TOCSIN_OK)
			break;
	expect("the-gap-is-told", at.missing & 1);
	expect("nothing-is-taken", !has(m->id));
	made_free(m);
	buf_release(&b);
	relink();
	still_good();
}

/* ---- what is in them ---- */

static void
do_alter(void)
{
	struct made *m = good();

	memcpy(
	    memmem(m->note.p, m->note.n, "kind report", 11), "kind result", 11);
	offer("another-kind", m, false);
	m = good();
	m->body.p[m->body.n - 1] ^= 1;
	offer("another-body", m, false);
	m = good();
	buf_cut(&m->body, 0);
	offer("no-body", m, false);
	m = good();
	m->t.tlp = TICKET_CLEAR;
	crypto_sign_keypair(m->sk + 32, m->sk);
	made_sign(m);
	offer("another-signature", m, false);
	m = made_draft(&me.f);
	made_to(m, &me.f, me.f.keys->member);
	made_make(m);
	offer("to-nobody-there", m, false);
	still_good();
}

/* A receipt in our name, or another's, of a ticket of theirs. */
static struct buf
receipt_of(const char *broker, const uint8_t id[32], const char *to)
{
	struct receipt *r = malloc(sizeof(*r));
	struct buf note = { 0 }, item;

	if (r == NULL)
		die("no memory");
	receipt_init(r, me.f.keys->federation, broker, forge_now());
	if (to ? !receipt_delivered(r, id, to, "desk1")
	       : !receipt_stored(r, id, 1))
		die("no receipt");
	if (receipt_sign(&note, r, me.as.sign) != TOCSIN_OK)
		die("no receipt");
	item = entry(buf_span(&note), (struct span){ 0 });
	buf_release(&note);
	free(r);
	return item;
}

/* Each of them is held for a while, in a lane of its own: nobody waits. */
static void
do_invent(void)
{
	struct made *m = good();
	uint8_t id[32];
	struct buf b;

	m->t.from = span_of(me.other);
	snprintf(
	    m->signer, sizeof(m->signer), "%s/%s", me.other, me.f.keys->label);
	made_make(m);
	b = ticket_item(m);
	send_item(LANE_PRIORITY, RELAY_TICKET, buf_span(&b));
	never(m);
	memcpy(id, m->id, 32);
	buf_release(&b);
	b = receipt_of("my", id, NULL);
	send_item(LANE_IMMEDIATE, RELAY_RECEIPT, buf_span(&b));
	buf_release(&b);
	b = entry(me.f.belief.roster->whole, (struct span){ 0 });
	send_item(LANE_ROUTINE, RELAY_ROSTER, buf_span(&b));
	buf_release(&b);
	expect("a-roster-that-is-known", passed(LANE_ROUTINE));
	b = receipt_of(me.as.self->name, id, NULL);
	send_item(LANE_ROUTINE, RELAY_RECEIPT, buf_span(&b));
	buf_release(&b);
	expect("a-receipt-of-nothing", passed(LANE_ROUTINE));
	expect("nothing-is-theirs", !has(id));
	made_free(m);
	still_good();
}

/* ---- numbers ---- */

static void
absurd(unsigned lane, uint64_t item, uint8_t kind, uint64_t total,
    uint64_t offset, size_t n, uint32_t round)
{
	static const uint8_t bytes[1000];
	struct relay_piece p = { .lane = (uint8_t)lane,
		.round = round,
		.item = item,
		.kind = kind,
		.total = total,
		.offset = offset,
		.bytes = { bytes, n } };

	publish(&p);
}

static void
do_absurd(void)
{
	static const uint64_t odd[] = { 0, 1, 2, 1000, UINT64_C(3) << 20,
		(UINT64_C(3) << 20) + 1, UINT64_C(1) << 32, UINT64_C(1) << 63,
		UINT64_MAX - 1, UINT64_MAX };
	size_t n = sizeof(odd) / sizeof(odd[0]), i, j, k;
	unsigned lane;
	struct relay_piece p = { .kind = RELAY_TICKET, .item = 1, .total = 1 };

	for (lane = 0; lane < 7; lane++)
		for (i = 0; i < n; i++)
			for (j = 0; j < n; j++)
				for (k = 0; k < n; k += 3)
					absurd(lane, odd[i],
					    (uint8_t)((i + j) % 8), odd[j],
					    odd[k], i == j ? 0 : 500,
					    k > 6 ? UINT32_MAX : 0);
	publish_as(UINT64_MAX, &p);
	relink();
	still_good();
}

/* The beginning of the largest there may be, in each lane, and no end. */
static void
do_begin(void)
{
	unsigned lane, i, k;

	for (k = 0; k < 5; k++) {
		for (lane = 0; lane < LANE_COUNT; lane++)
			for (i = 0; i < 200; i++)
				absurd(lane, me.item[lane] + 1,
				    lane == LANE_BULK ? RELAY_PART
						      : RELAY_TICKET,
				    (3 << 20) - k, i * 1000, 1000, 0);
		relink();
	}
	still_good();
}

static void
do_flood(void)
{
	struct made *m = good();
	struct buf b = ticket_item(m), junk = { 0 };
	unsigned long i;

	randombytes_buf(buf_grow(&junk, 1000), 1000);
	memcpy(junk.p, me.relay.link, RELAY_LINK);
	for (i = 0; i < me.count; i++) {
		put_bytes(buf_span(&junk));
		absurd(i % 4, me.item[i % 4] + 2 + i, RELAY_TICKET, 5000, 0,
		    100, 0);
	}
	made_free(m);
	buf_release(&b);
	buf_release(&junk);
	relink();
	still_good();
}

static void
do_relink(void)
{
	unsigned long i;

	for (i = 0; i < me.count / 20 + 1; i++)
		relink();
	expect("links", true);
	still_good();
}

/* ---- what is not for it ---- */

static void
op_of(const char *what, uint8_t op, size_t n, enum tocsin_err want)
{
	struct buf request = { 0 };

	buf_u8(&request, op);
	memset(buf_grow(&request, n), 0xff, n);
	expect(what, ask(&request, NULL) == want);
}

static enum tocsin_err
entry_get(const uint8_t id[32], const uint8_t part[32])
{
	struct msg_get get = { .max = 1000 };
	struct buf request = { 0 };

	memcpy(get.id, id, 32);
	if (part)
		memcpy(get.hash, part, 32);
	msg_get_encode(&request, &get);
	request.p[0] = MSG_ENTRY_GET;
	return ask(&request, NULL);
}

/* By its id, as a part of itself, and as one of a ticket that is ours. */
static void
snoop(const uint8_t id[32])
{
	expect("anothers-ticket", entry_get(id, NULL) == TOCSIN_ENOTFOUND);
	expect("anothers-part",
	    entry_get(id, id) == TOCSIN_ENOTFOUND &&
		entry_get(me.f.chain.id, id) == TOCSIN_ENOTFOUND);
	expect("is-not-even-there", !has(id));
}

static void
do_snoop(void)
{
	char line[128];
	uint8_t id[32];

	still_good();
	expect("ones-own-ticket", entry_get(me.f.chain.id, NULL) == TOCSIN_OK);
	while (fgets(line, sizeof(line), stdin) != NULL)
		if (sodium_base642bin(id, 32, line, strlen(line), "\n", NULL,
			NULL, sodium_base64_VARIANT_ORIGINAL) == 0)
			snoop(id);
	op_of("post", MSG_POST, 10, TOCSIN_EKINDNOTALLOWED);
	op_of("fetch", MSG_FETCH, 24, TOCSIN_EKINDNOTALLOWED);
	op_of("put", MSG_PUT, 60, TOCSIN_EKINDNOTALLOWED);
	op_of("get", MSG_GET, 76, TOCSIN_EKINDNOTALLOWED);
	op_of("announce", MSG_ANNOUNCE, 60, TOCSIN_EKINDNOTALLOWED);
	op_of("wait-for-nonsense", MSG_RELAY_WAIT, 24, TOCSIN_EMALFORMED);
	op_of("have-of-nonsense", MSG_RELAY_HAVE, 33, TOCSIN_EMALFORMED);
	op_of("keys-of-nonsense", MSG_RELAY_KEYS, 40, TOCSIN_EMALFORMED);
	still_good();
}

/* ---- an exercise, and what is live ---- */

/* A base64 id of the next line; false: there is none. */
static bool
next_id(uint8_t id[32])
{
	char line[128];

	return fgets(line, sizeof(line), stdin) != NULL &&
	       sodium_base642bin(id, 32, line, strlen(line), "\n", NULL, NULL,
		   sodium_base64_VARIANT_ORIGINAL) == 0;
}

static struct made *
across(void)
{
	struct made *m = made_draft(&me.f);
	const char *own = me.f.keys->member;
	bool first = strcmp(me.other, own) < 0;

	m->t.exercise = forger_other_side(&me.f);
	made_to(m, &me.f, first ? me.other : own);
	made_to(m, &me.f, first ? own : me.other);
	return m;
}

/* Names without end: each is refused, and told as one of all. */
static void
many_names(void)
{
	char name[32];
	struct made *m;
	int i;

	for (i = 0; i < 20; i++) {
		m = across();
		snprintf(name, sizeof(name), "Made.up-%d", i);
		m->t.exercise = span_of(name);
		made_make(m);
		offer("an-exercise-made-up", m, false);
	}
}

/* Another's ticket of one side, and of the other, in one receipt. */
static void
mixed_receipt(const uint8_t *a, const uint8_t *b)
{
	struct receipt *r = malloc(sizeof(*r));
	struct buf note = { 0 }, item;

	if (r == NULL)
		die("no memory");
	receipt_init(r, me.f.keys->federation, me.as.self->name, forge_now());
	if (!receipt_stored(r, a, 1) || !receipt_stored(r, b, 2) ||
	    receipt_sign(&note, r, me.as.sign) != TOCSIN_OK)
		die("no receipt");
	item = entry(buf_span(&note), (struct span){ 0 });
	send_item(LANE_ROUTINE, RELAY_RECEIPT, buf_span(&item));
	expect("a-receipt-of-both", passed(LANE_ROUTINE));
	buf_release(&note);
	buf_release(&item);
	free(r);
}

/*
 * From stdin: two of their tickets, a live one and one of the exercise, and
 * then what was taken from our other side.
 */
static void
do_sides(void)
{
	struct made *m;
	uint8_t live[32], played[32], id[32];
	struct buf b;

	if (!next_id(live) || !next_id(played))
		die("no tickets of theirs");
	m = across();
	made_make(m);
	offer("signed-by-the-other-side", m, false);
	m = good();
	made_cross(m, &me.f);
	offer("its-exercise-changed", m, false);
	many_names();
	mixed_receipt(live, played);
	b = receipt_of(
	    me.as.self->name, me.f.keys->exercise[0] ? played : live, NULL);
	send_item(LANE_ROUTINE, RELAY_RECEIPT, buf_span(&b));
	expect("a-receipt-of-one", passed(LANE_ROUTINE));
	buf_release(&b);
	while (next_id(id)) {
		m = good();
		m->t.kind = TICKET_RECALL;
		m->t.has_thread = true;
		memcpy(m->t.thread, id, 32);
		memcpy(m->t.ref[m->t.nref++], id, 32);
		made_make(m);
		offer("a-recall-of-the-other-side", m, true);
		expect("does-nothing", entry_get(id, NULL) == TOCSIN_OK);
	}
	still_good();
}

/* ---- filling a disk ---- */

/* Parts that are named and never sent, then tickets; how many were taken. */
static void
do_fill(void)
{
	unsigned long i, taken = 0;

	for (i = 0; i < me.count; i++) {
		struct made *m = good();
		struct buf b;

		if (i == 0) {
			m->t.npart = 1;
			m->t.part[0].size = UINT64_C(1) << 32;
			randombytes_buf(m->t.part[0].hash, 32);
			made_make(m);
		}
		b = ticket_item(m);
		send_item(LANE_FLASH, RELAY_TICKET, buf_span(&b));
		if (!passed(LANE_FLASH))
			die("it stands still");
		if (has(m->id)) {
			counts(m);
			taken++;
		} else {
			never(m);
			/* Of what was refused the chain knows nothing. */
		}
		if (i == 0)
			expect("4-gib-by-a-word", taken == 0);
		made_free(m);
		buf_release(&b);
	}
	expect("not-all-are-taken", taken > 0 && taken < me.count - 1);
}

/* clang-format off */
static const struct kind {
	const char *name;
	void (*run)(void);
} kinds[] = {
	{ "reorder", do_reorder },
	{ "repeat",  do_repeat },
	{ "omit",    do_omit },
	{ "alter",   do_alter },
	{ "absurd",  do_absurd },
	{ "begin",   do_begin },
	{ "flood",   do_flood },
	{ "relink",  do_relink },
	{ "snoop",   do_snoop },
	{ "fill",    do_fill },
	{ "invent",  do_invent },
	{ "sides",   do_sides },
};
/* clang-format on */

int
main(int argc, char **argv)
{
	size_t i, n = sizeof(kinds) / sizeof(kinds[0]);

	for (i = 0; argc == 7 && i < n; i++)
		if (strcmp(kinds[i].name, argv[5]) == 0)
			break;
	if (argc != 7 || i == n) {
		fputs("usage: turncoat HOME KEYS PORT OTHER KIND COUNT\n",
		    stderr);
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (sodium_init() < 0)
		die("no libsodium");
	me.other = argv[4];
	me.count = strtoul(argv[6], NULL, 10);
	forger_open(&me.f, argv[1]);
	posing_begin(&me.as, &me.f, argv[2], me.other,
	    (uint16_t)strtoul(argv[3], NULL, 10));
	begin();
	kinds[i].run();
	rawlink_close(&me.link);
	close(me.pub);
	posing_end(&me.as);
	forger_close(&me.f);
	return me.wrong;
}

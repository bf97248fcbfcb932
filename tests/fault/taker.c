/* SPDX-License-Identifier: ISC */
/*
 * taker - a broker on the roster that takes what it is sent, and lies about it
 *
 *	taker HOME KEYS PORT OTHER STATE KIND MILLISECONDS
 *
 * As turncoat.c, but the other side of the relay: the broker at PORT sends to
 * this one, which nobody can dial and which fetches (rawpull.h). What it tells
 * of how far it has come, of what it lacks and of what it accepts is one KIND
 * of lie (kinds[] says which there are), for so long. STATE is a file that
 * keeps where it stands from one run to the next.
 *
 * stdin has what it must never see, one a line: ids of tickets to others, and
 * hashes of their parts. Whatever it is sent is opened and looked through.
 */
#include "crypto/relay_frame.h"
#include "tests/fault/posing.h"
#include "tests/fault/rawpull.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TURN_MS 40
#define WAITS 4
#define SIGN_MS 3000
#define ITEM_MOST (3u << 20)
#define SECRETS 64

struct kind {
	const char *name;
	bool silent; /* it brings nothing about that is sent to it */
	void (*open)(struct msg_relay *m);
	/* What a wait is told; false: it is not answered now. */
	bool (*tell)(struct msg_relay_at *m, int64_t waited);
	/* Any request, instead of what is usual; false: the usual. */
	bool (*request)(
	    const struct rawpull_call *c, uint8_t op, struct span body);
	void (*turn)(void); /* instead of a pull */
	void (*judge)(void);
};

static struct {
	struct forger f;
	struct posing as;
	struct rawlink link;
	struct rawpull pull;
	const struct kind *kind;
	int64_t began, end;
	char *secret[SECRETS];
	size_t nsecret;

	uint8_t id[RELAY_LINK], key[32];
	struct msg_cursors at; /* what it has, or said so */
	uint8_t tally[MSG_LANES][16];
	struct msg_cursors told;
	uint32_t round[MSG_LANES];
	struct buf item[MSG_LANES]; /* that is coming */
	struct {
		struct rawpull_call call;
		int64_t since;
	} wait[WAITS];
	unsigned nwait;

	unsigned long opens, haves, rosters, items, frames, leaks, lists, gets;
	uint64_t bytes;
	bool wrong;
} me = { .link = { .fd = -1 } };

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void
expect(const char *what, bool is)
{
	me.wrong |= !is;
	printf("%s %s\n", is ? "right" : "wrong", what);
}

/* ---- what it must not see ---- */

static void
secrets_read(void)
{
	char line[128];

	while (me.nsecret < SECRETS && fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0] != '\0')
			me.secret[me.nsecret++] = strdup(line);
	}
}

static bool
has_secret(struct span bytes)
{
	size_t i;

	for (i = 0; i < me.nsecret; i++)
		if (memmem(bytes.p, bytes.n, me.secret[i],
			strlen(me.secret[i])) != NULL)
			return true;
	return false;
}

static bool
is_ours(const struct ticket *t)
{
	size_t i;

	for (i = 0; i < t->nto; i++)
		if (span_is(member_nation(t->to[i].member), me.as.self->nation))
			return true;
	return false;
}

static void
look_at(uint8_t kind, struct span item)
{
	struct rd r = rd_init(item);
	struct buf hash = { 0 };
	struct ticket t;
	struct note note;
	struct span text;

	me.items++;
	me.leaks += has_secret(item);
	if (kind == RELAY_PART) {
		buf_base64(&hash, rd_span(&r, 32));
		me.leaks += has_secret(buf_span(&hash));
		buf_release(&hash);
	}
	text = rd_span(&r, rd_u32(&r));
	if (kind == RELAY_TICKET && text.n > 0 && !r.bad)
		me.leaks +=
		    ticket_parse(&t, &note, text) != TOCSIN_OK || !is_ours(&t);
}

/* ---- frames ---- */

/* As tally.h counts. */
static void
count(unsigned lane, uint8_t kind, struct span item)
{
	struct rd r = rd_init(item);
	uint8_t both[16 + 32] = { 0 }, sum[32];
	struct span text;

	memcpy(both, me.tally[lane], 16);
	if (kind == RELAY_PART) {
		rd_copy(&r, both + 16, 32);
	} else {
		text = rd_span(&r, rd_u32(&r));
		if (text.n > 0)
			crypto_hash_sha256(both + 16, text.p, text.n);
	}
	crypto_hash_sha256(sum, both, sizeof(both));
	memcpy(me.tally[lane], sum, 16);
}

static void
take_piece(const struct relay_piece *p)
{
	struct buf *b = &me.item[p->lane];

	me.leaks += has_secret(p->bytes);
	me.round[p->lane] = p->round;
	if (p->kind == RELAY_HEARTBEAT || p->total > ITEM_MOST ||
	    p->item != me.at.item[p->lane] + 1 || p->offset > b->n)
		return;
	if (p->offset == 0)
		buf_cut(b, 0);
	if (p->offset < b->n)
		return;
	buf_add(b, p->bytes);
	if (b->n < p->total)
		return;
	look_at(p->kind, buf_span(b));
	count(p->lane, p->kind, buf_span(b));
	me.at.item[p->lane]++;
	buf_cut(b, 0);
}

static void
on_frame(struct span bytes)
{
	struct relay_frame f;
	struct relay_piece p;
	struct buf plain = { 0 };

	me.frames++;
	me.bytes += bytes.n;
	if (relay_frame_parse(&f, bytes) == TOCSIN_OK &&
	    memcmp(f.link, me.id, sizeof(me.id)) == 0 &&
	    relay_frame_open(&p, &plain, &f, me.key) == TOCSIN_OK)
		take_piece(&p);
	buf_release(&plain);
}

/* ---- requests ---- */

static void
answer(const struct rawpull_call *c, const struct buf *fields)
{
	struct buf reply = { 0 };

	msg_accept(&reply);
	buf_add(&reply, buf_span(fields));
	rawpull_answer(&me.pull, c, buf_span(&reply));
	buf_release(&reply);
}

static void
refuse(const struct rawpull_call *c, enum tocsin_err why)
{
	struct buf reply = { 0 };

	msg_refuse(&reply, why, 0, "no");
	rawpull_answer(&me.pull, c, buf_span(&reply));
	buf_release(&reply);
}

static void
on_open(const struct rawpull_call *c)
{
	struct msg_relay m = { .window = 1 << 20, .waits = 3 };
	struct buf fields = { 0 };
	unsigned i;

	me.opens++;
	me.nwait = 0;
	m.accept.part = UINT64_MAX;
	m.accept.body = UINT32_MAX;
	m.at = m.from = me.at;
	memcpy(m.tally, me.tally, sizeof(m.tally));
	randombytes_buf(m.link, sizeof(m.link));
	randombytes_buf(m.key, sizeof(m.key));
	if (me.kind->open)
		me.kind->open(&m);
	memcpy(me.id, m.link, sizeof(me.id));
	memcpy(me.key, m.key, sizeof(me.key));
	me.told = me.at;
	for (i = 0; i < MSG_LANES; i++)
		buf_cut(&me.item[i], 0);
	msg_relay_encode(&fields, &m);
	answer(c, &fields);
	buf_release(&fields);
}

/* That it has all, or nothing. */
static void
on_have(const struct rawpull_call *c, struct span ids, uint8_t lacks)
{
	struct buf fields = { 0 };
	size_t i;

	me.haves++;
	for (i = 0; i < (ids.n / 32 + 7) / 8; i++)
		buf_u8(&fields, lacks);
	answer(c, &fields);
	buf_release(&fields);
}

static void
on_wait(const struct rawpull_call *c)
{
	if (me.nwait == WAITS)
		return;
	me.wait[me.nwait].call = *c;
	me.wait[me.nwait++].since = now_ms();
}

static void
on_request(const struct rawpull_call *c, struct span request)
{
	struct span body;
	uint8_t op = msg_op(request, &body);

	me.rosters += op == MSG_ROSTER;
	if (me.kind->request && me.kind->request(c, op, body))
		return;
	if (op == MSG_RELAY_OPEN)
		on_open(c);
	else if (op == MSG_RELAY_WAIT)
		on_wait(c);
	else if (op == MSG_RELAY_HAVE)
		on_have(c, body, 0);
	else
		refuse(c, TOCSIN_ENOTFOUND);
}

/* ---- telling ---- */

static struct msg_relay_at
truth(void)
{
	struct msg_relay_at m = { .at = me.at };
	unsigned i;

	memcpy(m.tally, me.tally, sizeof(m.tally));
	for (i = 0; i < MSG_LANES; i++)
		if (me.at.item[i] > me.told.item[i])
			m.moved |= (uint8_t)(1u << i);
	return m;
}

static bool
tell_truth(struct msg_relay_at *m, int64_t waited)
{
	return m->moved != 0 || waited > SIGN_MS;
}

static void
tell(void)
{
	struct msg_relay_at m = truth();
	struct buf fields = { 0 };

	if (me.nwait == 0 || !(me.kind->tell ? me.kind->tell : tell_truth)(
				 &m, now_ms() - me.wait[0].since))
		return;
	msg_relay_at_encode(&fields, &m);
	answer(&me.wait[0].call, &fields);
	buf_release(&fields);
	me.told = me.at;
	memmove(me.wait, me.wait + 1, (size_t)--me.nwait * sizeof(me.wait[0]));
}

/* ---- where it stands ---- */

static void
state_load(const char *path)
{
	FILE *f = fopen(path, "rb");

	if (f && (fread(&me.at, sizeof(me.at), 1, f) != 1 ||
		     fread(me.tally, sizeof(me.tally), 1, f) != 1))
		die("%s: torn", path);
	if (f)
		fclose(f);
}

static void
state_save(const char *path)
{
	FILE *f = fopen(path, "wb");

	if (!f || fwrite(&me.at, sizeof(me.at), 1, f) != 1 ||
	    fwrite(me.tally, sizeof(me.tally), 1, f) != 1 || fclose(f) != 0)
		die("%s: cannot be written", path);
}

/* ---- kinds: what it has ---- */

static void
judge_took(void)
{
	expect("it-is-served", me.items > 0);
}

/* A tally that is none: what was sent is said to be something else. */
static bool
tell_other(struct msg_relay_at *m, int64_t waited)
{
	unsigned i;

	for (i = 0; i < MSG_LANES; i++)
		if (m->moved >> i & 1) {
			randombytes_buf(me.tally[i], sizeof(me.tally[i]));
			memcpy(m->tally[i], me.tally[i], sizeof(m->tally[i]));
		}
	return tell_truth(m, waited);
}

static void
judge_asked(void)
{
	expect("it-is-asked-what-it-lacks", me.haves > 0);
}

/* A broker begins that eight times, and then once in 30 s (patience.h). */
static bool
is_awaited(void)
{
	return me.kind->judge == judge_asked && me.haves == 0 &&
	       now_ms() < me.end + 60000;
}

/* It lacks all, always. */
static bool
lacks_all(const struct rawpull_call *c, uint8_t op, struct span body)
{
	if (op != MSG_RELAY_HAVE)
		return false;
	on_have(c, body, 0xff);
	return true;
}

/* Further than it ever was sent, at first and later. */
static void
open_ahead(struct msg_relay *m)
{
	if (me.opens % 4 != 1)
		return;
	me.at.item[me.opens / 4 % MSG_LANES] += 1000;
	m->at = m->from = me.at;
}

static bool
tell_ahead(struct msg_relay_at *m, int64_t waited)
{
	static const uint64_t odd[] = { 1, 2, 1000, UINT64_C(1) << 32,
		UINT64_C(1) << 56, UINT64_C(1) << 63, UINT64_MAX };
	static unsigned n;
	unsigned lane = n % MSG_LANES;
	uint64_t by = odd[n % (sizeof(odd) / sizeof(odd[0]))];

	if (m->moved == 0 && waited < 100)
		return false;
	n++;
	m->moved = (uint8_t)(1u << lane);
	m->at.item[lane] =
	    by > UINT64_MAX - m->at.item[lane] ? by : m->at.item[lane] + by;
	return true;
}

static void
judge_relinked(void)
{
	expect("its-links-are-ended", me.opens > 1);
}

/* Numbers that leave none for what is to come. */
static void
open_absurd(struct msg_relay *m)
{
	static const uint64_t odd[] = { UINT64_C(1) << 56, UINT64_C(1) << 63,
		UINT64_MAX - 1, UINT64_MAX };
	unsigned lane = me.opens % MSG_LANES;

	if (me.opens % 3 == 0)
		m->from.item[lane] = odd[me.opens / 3 % 4];
	else if (me.opens % 3 == 1)
		m->at.item[lane] = odd[me.opens / 3 % 4];
	else
		m->at.offset[lane] = m->from.offset[lane] = UINT64_MAX;
}

/* Less than it had, at first and later. */
static void
open_back(struct msg_relay *m)
{
	if (me.opens % 4 != 1)
		return;
	memset(&me.at, 0, sizeof(me.at));
	memset(me.tally, 0, sizeof(me.tally));
	m->at = m->from = me.at;
	memset(m->tally, 0, sizeof(m->tally));
}

static bool
tell_back(struct msg_relay_at *m, int64_t waited)
{
	static unsigned n;
	unsigned i;

	if (m->moved == 0 && waited < 100)
		return false;
	if (n++ % 2 == 0)
		return true;
	m->moved = (1u << MSG_LANES) - 1;
	for (i = 0; i < MSG_LANES; i++)
		m->at.item[i] /= 2;
	return true;
}

/* It has what waits for it, which was never sent. */
static void
open_unsent(struct msg_relay *m)
{
	m->window = 8;
}

static bool
tell_unsent(struct msg_relay_at *m, int64_t waited)
{
	unsigned i;

	if (waited < 200)
		return false;
	m->moved = (1u << LANE_BULK) - 1;
	for (i = 0; i < LANE_BULK; i++)
		m->at.item[i]++;
	return true;
}

/* ---- kinds: what it says of it ---- */

static bool
tell_nothing(struct msg_relay_at *m, int64_t waited)
{
	m->moved = 0;
	return waited > SIGN_MS;
}

static void
judge_window(void)
{
	expect("no-more-than-a-window", me.bytes <= (2u << 20) * me.opens);
}

/* All of it is missing, again and again. */
static bool
tell_missing(struct msg_relay_at *m, int64_t waited)
{
	unsigned i;

	(void)waited;
	m->moved = 0;
	m->missing = (1u << MSG_LANES) - 1;
	m->full = true;
	for (i = 0; i < MSG_LANES; i++) {
		m->round[i] = me.round[i];
		m->from.item[i] = me.told.item[i];
		m->from.offset[i] = i % 2 ? UINT64_MAX : 0;
	}
	return true;
}

static void
open_accept(struct msg_relay *m)
{
	static const uint64_t size[] = { 0, 1, UINT32_MAX, UINT64_MAX };
	unsigned n = (unsigned)me.opens;

	m->accept.part = size[n % 4];
	m->accept.body = (uint32_t)size[n / 2 % 4];
	m->accept.kinds_refused = n % 3 ? UINT16_MAX : 0;
	m->window = (uint32_t)size[n % 3];
	m->waits = n % 2 ? 0 : 255;
	for (m->accept.nlabel = 0; m->accept.nlabel < MSG_LABELS;)
		memset(m->accept.label[m->accept.nlabel++], 'a', TOKEN_MAX);
}

/* A new link each half a second: other words in each. */
static bool
tell_briefly(struct msg_relay_at *m, int64_t waited)
{
	if (waited > 500)
		m->missing = 0x60; /* lanes that there are not */
	return m->moved != 0 || waited > 500;
}

static bool
refuse_waits(const struct rawpull_call *c, uint8_t op, struct span body)
{
	(void)body;
	if (op == MSG_RELAY_WAIT)
		refuse(c, TOCSIN_EBUSY);
	me.pull.fresh = true; /* a sign of life each time */
	return op == MSG_RELAY_WAIT;
}

static void
judge_paced(void)
{
	unsigned long most = (unsigned long)(now_ms() - me.began) / 80 + 5;

	expect("attempts-are-paced", me.pull.handshakes <= most);
}

/* ---- kinds: other answers ---- */

/* The same old roster, as the one that is wanted, for ever. */
static void
give_roster(const struct rawpull_call *c, struct span body)
{
	struct span file = me.f.belief.roster->whole;
	struct msg_roster_range m = { .current = UINT64_MAX,
		.bytes = span_cut(file, 0, 50000) };
	struct msg_roster asked;
	struct buf fields = { 0 };

	if (msg_roster_decode(&asked, body) != TOCSIN_OK)
		die("it asks for no roster");
	m.serial = asked.serial;
	m.total = (uint32_t)m.bytes.n;
	msg_roster_range_encode(&fields, &m);
	answer(c, &fields);
	buf_release(&fields);
}

static bool
give_junk(const struct rawpull_call *c, uint8_t op, struct span body)
{
	struct buf junk = { 0 };
	size_t n = 1 + randombytes_uniform(30000);

	if (op == MSG_RELAY_OPEN || op == MSG_RELAY_WAIT)
		return false;
	if (op == MSG_ROSTER) {
		give_roster(c, body);
		return true;
	}
	me.haves += op == MSG_RELAY_HAVE;
	randombytes_buf(buf_grow(&junk, n), n);
	answer(c, &junk);
	buf_release(&junk);
	return true;
}

static void
judge_rosters(void)
{
	expect("a-roster-is-asked-for", me.rosters > 0);
	expect("and-not-for-ever", me.rosters <= 2 * me.opens);
}

/* ---- kinds: what it has, for who lost it ---- */

/* Another page behind each, of what nobody has. */
static void
give_list(const struct rawpull_call *c, struct span body)
{
	struct rd r = rd_init(body);
	uint64_t after = rd_u64(&r);
	struct buf fields = { 0 };

	buf_u64(&fields, after + 1);
	randombytes_buf(buf_grow(&fields, 1024 * 32), 1024 * 32);
	answer(c, &fields);
	buf_release(&fields);
	if (me.lists++ == 0)
		puts("a list is asked for");
}

/* It is not there; or a byte at a time, of much; or any bytes. */
static void
give_entry(const struct rawpull_call *c)
{
	static const size_t size[] = { 1, 1, MSG_RANGE_MAX };
	static const uint64_t total[] = { UINT64_C(1) << 40, 3u << 20,
		MSG_RANGE_MAX };
	static uint8_t junk[MSG_RANGE_MAX];
	unsigned n = me.gets++ % 4;
	struct msg_range m = { 0 };
	struct buf fields = { 0 };

	if (n == 3) {
		refuse(c, TOCSIN_ENOTFOUND);
		return;
	}
	randombytes_buf(junk, sizeof(junk));
	m.total = m.have = total[n];
	m.bytes = (struct span){ junk, size[n] };
	msg_range_encode(&fields, &m);
	answer(c, &fields);
	buf_release(&fields);
}

static bool
give_lists(const struct rawpull_call *c, uint8_t op, struct span body)
{
	if (op == MSG_ENTRY_LIST)
		give_list(c, body);
	else if (op == MSG_ENTRY_GET)
		give_entry(c);
	return op == MSG_ENTRY_LIST || op == MSG_ENTRY_GET;
}

/* ---- kinds: pulls ---- */

/*
 * So much at once may be too much; and of thousands that are under way one may
 * be overtaken by more than the broker keeps in mind, and is told that its time
 * is over (PROTOCOL.md 4.3). That is said at once: silence is not.
 */
static bool
may_be_said(enum tocsin_err err, int64_t took)
{
	return err == TOCSIN_EBUSY || (err == TOCSIN_ETIMEOUT && took < 10000);
}

static void
turn_flood(void)
{
	struct buf request = { 0 };
	uint8_t junk[300];
	struct msg_parcel parcel = { .bytes = SPAN(junk) };
	struct buf parcels = { 0 };
	uint64_t number;
	unsigned i;

	/* Of pulls that are on the way together another may come first. */
	if (me.pull.fresh && rawpull_turn(&me.pull, 0) != TOCSIN_OK)
		die("the first pull is refused");
	randombytes_buf(junk, sizeof(junk));
	for (i = 0; i < 20; i++) {
		parcel.call = randombytes_random();
		msg_parcel_encode(&parcels, &parcel);
	}
	for (i = 0; i < 16; i++) {
		struct msg_pull m = { .bytes = i % 2 ? UINT32_MAX : 0,
			.wait_ms = i % 3 ? 0 : MSG_WAIT_MAX,
			.fresh = i % 4 != 1,
			.parcels = buf_span(&parcels) };

		buf_cut(&request, 0);
		msg_pull_encode(&request, &m);
		if (rawlink_send(&me.link, buf_span(&request), &number))
			die("it is cut off");
	}
	for (i = 0; i < 16 - 4; i++) { /* some may stay parked */
		int64_t began = now_ms();
		enum tocsin_err err = rawlink_next(&me.link, &number, NULL);

		if (may_be_said(err, now_ms() - began))
			err = TOCSIN_OK;
		if (err)
			die("a pull, after %lu: %s", me.frames,
			    tocsin_err_name(err));
		me.frames++;
	}
	buf_release(&parcels);
	buf_release(&request);
}

static void
judge_answered(void)
{
	expect("pulls-are-answered", me.frames > 0);
}

/* clang-format off */
static const struct kind kinds[] = {
	{ .name = "take", .judge = judge_took },
	{ .name = "mute", .tell = tell_nothing, .judge = judge_window },
	{ .name = "missing", .tell = tell_missing },
	{ .name = "tally", .tell = tell_other, .judge = judge_asked },
	{ .name = "lacking", .tell = tell_other, .request = lacks_all,
	  .judge = judge_asked },
	{ .name = "accept", .open = open_accept, .tell = tell_briefly,
	  .judge = judge_relinked },
	{ .name = "junk", .request = give_junk, .judge = judge_rosters },
	{ .name = "lists", .request = give_lists },
	{ .name = "refuse", .silent = true, .request = refuse_waits,
	  .judge = judge_paced },
	{ .name = "pulls", .silent = true, .turn = turn_flood,
	  .judge = judge_answered },
	{ .name = "unsent", .open = open_unsent, .tell = tell_unsent,
	  .judge = judge_relinked },
	{ .name = "behind", .open = open_back, .tell = tell_back,
	  .judge = judge_took },
	{ .name = "ahead", .open = open_ahead, .tell = tell_ahead,
	  .judge = judge_relinked },
	{ .name = "beyond", .open = open_absurd, .tell = tell_briefly,
	  .judge = judge_paced },
};
/* clang-format on */

static void
turn(void)
{
	enum tocsin_err err = rawpull_turn(&me.pull, TURN_MS);

	if (err && err != TOCSIN_EBUSY)
		die("a pull: %s", tocsin_err_name(err));
	tell();
}

static void
choose(const char *name)
{
	size_t i, n = sizeof(kinds) / sizeof(kinds[0]);

	for (i = 0; i < n && strcmp(kinds[i].name, name) != 0; i++)
		;
	if (i == n)
		die("no such kind: %s", name);
	me.kind = &kinds[i];
}

static void
begin(char **argv)
{
	enum tocsin_err err;

	forger_open(&me.f, argv[1]);
	posing_begin(&me.as, &me.f, argv[2], argv[4],
	    (uint16_t)strtoul(argv[3], NULL, 10));
	state_load(argv[5]);
	err = rawlink_open(&me.link, &me.as.who);
	if (err)
		die("no link: %s", tocsin_err_name(err));
	me.pull = (struct rawpull){ .link = &me.link,
		.sk = me.as.noise,
		.prologue = buf_span(&me.as.here),
		.request = on_request,
		.frame = on_frame,
		.fresh = true };
	me.began = now_ms();
	me.end = me.began + strtol(argv[7], NULL, 10);
}

static void
finish(const char *state)
{
	unsigned i;

	state_save(state);
	rawpull_close(&me.pull);
	rawlink_close(&me.link);
	posing_end(&me.as);
	forger_close(&me.f);
	for (i = 0; i < MSG_LANES; i++)
		buf_release(&me.item[i]);
	for (i = 0; i < me.nsecret; i++)
		free(me.secret[i]);
}

int
main(int argc, char **argv)
{
	if (argc != 8) {
		fputs("usage: taker HOME KEYS PORT OTHER STATE KIND "
		      "MILLISECONDS\n",
		    stderr);
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (sodium_init() < 0)
		die("no libsodium");
	choose(argv[6]);
	secrets_read();
	begin(argv);
	while (now_ms() < me.end || is_awaited())
		(me.kind->turn ? me.kind->turn : turn)();
	expect("its-own-and-no-more", me.leaks == 0);
	if (!me.kind->silent)
		expect("it-is-linked", me.opens > 0);
	if (me.kind->judge)
		me.kind->judge();
	printf("opens %lu items %lu frames %lu haves %lu rosters %lu\n",
	    me.opens, me.items, me.frames, me.haves, me.rosters);
	finish(argv[5]);
	return me.wrong;
}

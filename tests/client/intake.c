/* SPDX-License-Identifier: ISC */
#include "client/intake.h"
#include "client/coming.h"
#include "crypto/receipt.h"
#include "tests/lib/home.h"
#include "tests/lib/tap.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* We are singcert@sg/desk1; tickets come from mycert@my/desk1. */
static struct fixture f;
static struct home h;
static struct msg_entries *in;
static uint64_t cursor;

/* What ask() gives: bytes of a body or roster, or a refusal. */
static struct span asked_bytes;
static enum tocsin_err asked_err;
static unsigned asked;

static void
answer_roster(const struct msg_roster *m, struct buf *fields)
{
	struct msg_roster_range r = { .current = 9, .serial = m->serial };

	r.total = (uint32_t)asked_bytes.n;
	r.bytes = span_cut(asked_bytes, m->offset, MSG_RANGE_MAX);
	msg_roster_range_encode(fields, &r);
}

static enum tocsin_err
ask(void *arg, struct span request, struct buf *fields)
{
	struct span body;
	uint8_t op = msg_op(request, &body);
	struct msg_roster roster;

	(void)arg;
	asked++;
	if (asked_err != TOCSIN_OK)
		return asked_err;
	if (op == MSG_ROSTER && msg_roster_decode(&roster, body) == TOCSIN_OK)
		answer_roster(&roster, fields);
	else
		return TOCSIN_EMALFORMED;
	return TOCSIN_OK;
}

static enum tocsin_err
body(void *arg, const struct ticket *t, struct buf *out)
{
	(void)arg;
	(void)t;
	asked++;
	if (asked_err == TOCSIN_OK)
		buf_add(out, asked_bytes);
	return asked_err;
}

static unsigned given, put_away; /* bodies */

static void
done(void *arg, const uint8_t hash[32], bool kept)
{
	(void)arg;
	(void)hash;
	given++;
	put_away += kept;
}

static void
begin(void)
{
	char dir[512];

	if (f.n > 0) {
		home_close(&h);
		fixture_release(&f);
	}
	fixture_init(&f, "sg my la");
	home_make(dir, &f, "singcert@sg/desk1", HOME_NOBODY);
	home_open(&h, dir);
	if (in == NULL)
		in = xmalloc(sizeof(*in));
	memset(in, 0, sizeof(*in));
	cursor = 0;
	asked = given = put_away = 0;
	asked_err = TOCSIN_OK;
}

/* The next entry of the answer; its seq is the number of its kind's order. */
static struct msg_entry *
add(uint8_t kind, struct span note, struct span body)
{
	struct msg_entry *e = &in->entry[in->n++];

	*e = (struct msg_entry){ .seq = cursor + in->n,
		.time = f.now,
		.kind = kind,
		.note = note,
		.body = body };
	return e;
}

static enum tocsin_err
deliver_at(int64_t now)
{
	const struct intake i = { .parts = &h.parts,
		.ask = ask,
		.body = body,
		.now = now,
		.done = done };
	enum tocsin_err err = intake_entries(&i, in, &cursor);

	in->n = 0;
	return err;
}

static enum tocsin_err
deliver(void)
{
	return deliver_at(f.now);
}

static void
again(int64_t now, bool all)
{
	const struct intake i = { .parts = &h.parts,
		.ask = ask,
		.body = body,
		.now = now,
		.done = done };

	if (intake_again(&i, all) != TOCSIN_OK)
		abort();
}

/* ---- what the desk has ---- */

static struct desk_tx *
look(void)
{
	struct desk_tx *tx;

	if (desk_read(h.desk, &tx) != TOCSIN_OK)
		abort();
	return tx;
}

static size_t
messages(void)
{
	struct desk_tx *tx = look();
	uint64_t n = 0;
	size_t count = 0;

	while (desk_next(tx, n, &n) == TOCSIN_OK)
		count++;
	desk_end(tx);
	return count;
}

/* The reason that a message was kept with; its number, or 0: not here. */
static enum tocsin_err
kept(const uint8_t id[ID_LEN], uint64_t *number)
{
	struct desk_tx *tx = look();
	struct desk_message m = { 0 };

	*number = 0;
	if (desk_find(tx, id, number) == TOCSIN_OK &&
	    desk_get(tx, *number, &m) != TOCSIN_OK)
		abort();
	desk_end(tx);
	return m.refused;
}

static enum tocsin_err
refused(const struct fx_ticket *t)
{
	uint64_t number;
	enum tocsin_err err = kept(t->id, &number);

	return number > 0 ? err : TOCSIN_ENOTFOUND;
}

static uint64_t
number_of(const struct fx_ticket *t)
{
	uint64_t number;

	(void)kept(t->id, &number);
	return number;
}

static uint64_t
stored_cursor(void)
{
	struct desk_tx *tx = look();
	uint64_t c = desk_u64_get(tx, "cursor");

	desk_end(tx);
	return c;
}

/* ---- tickets ---- */

static struct fx_ticket
ticket(const char *from, const char *to, uint64_t seq, const uint8_t *prev,
    void (*edit)(struct ticket *, void *), void *arg)
{
	struct fx_ticket t;

	fixture_ticket(&t, &f, from, to, seq, prev, edit, arg);
	return t;
}

static enum tocsin_err
deliver_ticket(const struct fx_ticket *t)
{
	add(1, buf_span(&t->note), buf_span(&t->body));
	if (deliver() != TOCSIN_OK)
		abort();
	return refused(t);
}

static void
test_good(void)
{
	struct fx_ticket t;
	struct desk_message m;
	struct desk_tx *tx;

	begin();
	t = ticket("mycert@my/desk1", "singcert@sg", 1, NULL, NULL, NULL);
	add(1, buf_span(&t.note), buf_span(&t.body))->seq = 41;
	is_int(deliver(), TOCSIN_OK, "a ticket to us is taken");
	ok(cursor == 41 && stored_cursor() == 41, "and the cursor with it");
	tx = look();
	ok(desk_get(tx, 1, &m) == TOCSIN_OK && m.refused == TOCSIN_OK &&
		m.seq == 41 && m.posted == f.now && !m.own &&
		span_eq(m.note, buf_span(&t.note)) &&
		span_eq(m.body, buf_span(&t.body)) &&
		memcmp(m.id, t.id, ID_LEN) == 0 &&
		memcmp(m.thread, t.id, ID_LEN) == 0,
	    "as it came, with the broker's place and time");
	desk_end(tx);
	add(1, buf_span(&t.note), buf_span(&t.body))->seq = 50;
	ok(deliver() == TOCSIN_OK && messages() == 1 && cursor == 50,
	    "a second time it is nothing new");
	add(1, buf_span(&t.note), buf_span(&t.body))->seq = 7;
	ok(deliver() == TOCSIN_OK && cursor == 50,
	    "entries behind the cursor are not looked at");
	fx_ticket_release(&t);
}

static void
thread_of(struct ticket *t, void *arg)
{
	t->has_thread = true;
	memcpy(t->thread, arg, ID_LEN);
	t->kind = TICKET_UPDATE;
}

static void
in_exercise(struct ticket *t, void *arg)
{
	thread_of(t, arg);
	t->exercise = span_of("Tabletop.2026");
}

static void
played_first(struct ticket *t, void *arg)
{
	(void)arg;
	t->exercise = span_of("Tabletop.2026");
}

static void
future(struct ticket *t, void *arg)
{
	t->time += *(const int64_t *)arg;
}

static void
test_refused(void)
{
	struct fx_ticket a, b, c, d;
	struct buf forged = { 0 };
	uint64_t number;
	uint8_t id[32];

	begin();
	a = ticket("mycert@my/desk1", "singcert@sg", 1, NULL, NULL, NULL);
	b = ticket("mycert@my/desk1", "lacert@la", 2, a.id, NULL, NULL);
	c = ticket("mycert@my/desk1", "singcert@sg", 3, b.id, NULL, NULL);
	d = ticket("mycert@my/desk1", "singcert@sg", 4, c.id, NULL, NULL);
	is_int(deliver_ticket(&b), TOCSIN_ENOTRECIPIENT,
	    "a ticket to others is kept, and why it is not opened");
	c.body.p[c.body.n - 1] ^= 1;
	is_int(deliver_ticket(&c), TOCSIN_EBODYMISMATCH, "an altered body");
	d.note.p[d.note.n - 20] = d.note.p[d.note.n - 20] == 'A' ? 'B' : 'A';
	is_int(
	    deliver_ticket(&d), TOCSIN_EBADSIGNATURE, "an altered signature");

	buf_add(&forged, buf_span(&a.note));
	forged.p[forged.n / 2] = '\n';
	add(1, buf_span(&forged), buf_span(&a.body));
	crypto_hash_sha256(id, forged.p, forged.n);
	ok(deliver() == TOCSIN_OK && kept(id, &number) == TOCSIN_EMALFORMED &&
		number > 0,
	    "what is no ticket at all is kept under the hash of its bytes");
	is_int(deliver_ticket(&a), TOCSIN_OK, "none of it harms the next one");
	is_int((long long)messages(), 5, "all of them can be shown");
	ok(asked == 0, "and nothing was asked for");
	buf_release(&forged);
	fx_ticket_release(&a);
	fx_ticket_release(&b);
	fx_ticket_release(&c);
	fx_ticket_release(&d);
}

/* An id covers neither body nor signature: a bad copy must not shut it out. */
static void
test_better_bytes(void)
{
	struct fx_ticket t, bad;
	uint64_t first;

	begin();
	t = ticket("mycert@my/desk1", "singcert@sg", 1, NULL, NULL, NULL);
	bad = t;
	bad.body = (struct buf){ 0 };
	buf_add(&bad.body, buf_span(&t.body));
	bad.body.p[9] ^= 1;
	ok(deliver_ticket(&bad) == TOCSIN_EBODYMISMATCH,
	    "a ticket comes with a wrong body");
	first = number_of(&t);
	is_int(deliver_ticket(&t), TOCSIN_OK,
	    "the right one takes its place when it comes");
	ok(number_of(&t) > first && messages() == 1,
	    "with a new number, for readers that were beyond it");
	is_int(deliver_ticket(&bad), TOCSIN_OK,
	    "a bad copy of a good one changes nothing");
	buf_release(&bad.body);
	fx_ticket_release(&t);
}

static void
test_exercise(void)
{
	struct fx_ticket first, live, played, opening;

	begin();
	first = ticket("mycert@my/desk1", "singcert@sg", 1, NULL, NULL, NULL);
	played = ticket("mycert@my/desk1", "singcert@sg", 2, first.id,
	    in_exercise, first.id);
	live = ticket("mycert@my/desk1", "singcert@sg", 3, played.id, thread_of,
	    first.id);
	is_int(deliver_ticket(&first), TOCSIN_OK, "a live ticket");
	is_int(deliver_ticket(&played), TOCSIN_EEXERCISEMISMATCH,
	    "gets no message from an exercise");
	is_int(deliver_ticket(&live), TOCSIN_OK, "and gets live ones");
	opening = ticket(
	    "mycert@my/desk1", "singcert@sg", 4, live.id, played_first, NULL);
	is_int(deliver_ticket(&opening), TOCSIN_EEXERCISEMISMATCH,
	    "a ticket of an exercise is none of a live home");
	fx_ticket_release(&opening);
	fx_ticket_release(&first);
	fx_ticket_release(&live);
	fx_ticket_release(&played);
}

static void
test_chain(void)
{
	struct fx_ticket a, b, c, fork, wrong, bot;
	uint8_t other[ID_LEN] = { 7 };

	begin();
	a = ticket("mycert@my/desk1", "singcert@sg", 1, NULL, NULL, NULL);
	b = ticket("mycert@my/desk1", "singcert@sg", 2, a.id, NULL, NULL);
	c = ticket("mycert@my/desk1", "singcert@sg", 3, b.id, NULL, NULL);
	fork = ticket("mycert@my/desk1", "singcert@sg", 3, other, NULL, NULL);
	wrong = ticket("mycert@my/desk1", "singcert@sg", 4, other, NULL, NULL);
	bot = ticket("mycert@my/escalator", "singcert@sg", 1, NULL, NULL, NULL);
	is_int(deliver_ticket(&c), TOCSIN_OK,
	    "we see our share of a device's messages only");
	is_int(deliver_ticket(&a), TOCSIN_OK, "a flash overtakes others");
	is_int(deliver_ticket(&b), TOCSIN_OK, "what fits between is good");
	is_int(deliver_ticket(&fork), TOCSIN_ECHAINCONFLICT,
	    "a second message in one place is a conflict, and evidence");
	is_int(deliver_ticket(&wrong), TOCSIN_ECHAINCONFLICT,
	    "and so is one that follows another than we have");
	is_int(
	    deliver_ticket(&bot), TOCSIN_OK, "each device has its own chain");
	fx_ticket_release(&a);
	fx_ticket_release(&b);
	fx_ticket_release(&c);
	fx_ticket_release(&fork);
	fx_ticket_release(&wrong);
	fx_ticket_release(&bot);
}

/* What comes late, and does not fit what came after it. */
static void
test_late_conflict(void)
{
	struct fx_ticket b, late;
	uint8_t other[ID_LEN] = { 7 };

	begin();
	b = ticket("mycert@my/desk1", "singcert@sg", 2, other, NULL, NULL);
	late = ticket("mycert@my/desk1", "singcert@sg", 1, NULL, NULL, NULL);
	is_int(deliver_ticket(&b), TOCSIN_OK, "the second comes first");
	is_int(deliver_ticket(&late), TOCSIN_ECHAINCONFLICT,
	    "a first that it does not name is a conflict");
	fx_ticket_release(&b);
	fx_ticket_release(&late);
}

static void
test_own(void)
{
	struct fx_ticket t, colleague;
	struct desk_message m;
	struct desk_tx *tx;
	struct span self;
	bool good;

	begin();
	t = ticket("singcert@sg/desk1", "mycert@my", 5, f.genesis, NULL, NULL);
	colleague =
	    ticket("singcert@sg/escalator", "mycert@my", 1, NULL, NULL, NULL);
	if (deliver_ticket(&t) != TOCSIN_OK ||
	    deliver_ticket(&colleague) != TOCSIN_OK)
		abort();
	tx = look();
	good = desk_get(tx, 1, &m) == TOCSIN_OK && m.own;
	ok(good, "what this device sent is its own, also on a new desk");
	good = desk_value_get(tx, DESK_SELF, &self) == TOCSIN_OK &&
	       self.n == 8 + ID_LEN && self.p[7] == 5 &&
	       memcmp(self.p + 8, t.id, ID_LEN) == 0;
	ok(good, "which goes on in the chain after it");
	good = desk_get(tx, 2, &m) == TOCSIN_OK && !m.own;
	ok(good, "what another device of the member sent is not its own");
	desk_end(tx);
	fx_ticket_release(&t);
	fx_ticket_release(&colleague);
}

/* ---- held ---- */

static void
test_clock(void)
{
	struct fx_ticket t;
	int64_t ahead = 7200;
	uint64_t first;

	begin();
	t = ticket("mycert@my/desk1", "singcert@sg", 1, NULL, future, &ahead);
	is_int(deliver_ticket(&t), TOCSIN_ECLOCKSKEW,
	    "a ticket from the future is kept apart");
	first = number_of(&t);
	again(f.now + 3600, false);
	is_int(refused(&t), TOCSIN_ECLOCKSKEW, "until its time has come");
	again(f.now + 7200 - 600, false);
	is_int(refused(&t), TOCSIN_OK, "then it is good");
	ok(number_of(&t) > first && messages() == 1,
	    "and comes to readers as a new message");
	again(f.now + 9000, true);
	ok(number_of(&t) == first + 1, "once");
	fx_ticket_release(&t);
}

static void
add_kh(struct roster *r, void *arg)
{
	struct roster_broker b = fixture_broker("kh", "kh");
	struct roster_member m = fixture_member("khcert@kh");

	(void)arg;
	if (roster_put_broker(r, &b) != TOCSIN_OK ||
	    roster_put_member(r, &m) != TOCSIN_OK)
		abort();
}

static void
test_roster_later(void)
{
	struct fx_ticket t;

	begin();
	fixture_next_roster(&f, add_kh, NULL);
	t = ticket("mycert@my/desk1", "singcert@sg", 1, NULL, NULL, NULL);
	is_int(deliver_ticket(&t), TOCSIN_EROSTERUNKNOWN,
	    "a ticket under a roster that we don't have yet is kept apart");
	add(2, buf_span(&f.file), (struct span){ 0 });
	ok(deliver() == TOCSIN_OK && h.belief.roster->serial == 2,
	    "the roster comes");
	again(f.now, true);
	is_int(refused(&t), TOCSIN_OK, "and the ticket is good");
	fx_ticket_release(&t);
}

static void
later_keys(struct keys *k, void *arg)
{
	k->issued = *(const int64_t *)arg;
}

static void
test_clock_of_keys(void)
{
	int64_t when;
	const struct keys *k;

	begin();
	when = f.now + 3600;
	fixture_next_keys(&f, 1, later_keys, &when);
	add(3, buf_span(&f.keys_file[1]), (struct span){ 0 });
	ok(deliver() == TOCSIN_OK &&
		belief_keys(&h.belief, span_of("mycert@my"))->serial == 1,
	    "an announcement from the future is not believed yet");
	again(f.now + 60, false);
	again(f.now + 3600, false);
	k = belief_keys(&h.belief, span_of("mycert@my"));
	ok(k != NULL && k->serial == 2, "and is when its time has come");
}

/* An announcement in entry 1 and message 1, both until the same second. */
static void
test_held_together(void)
{
	struct fx_ticket t;
	int64_t ahead = 600 + 60;
	int64_t when;
	const struct keys *k;

	begin();
	when = f.now + 660;
	fixture_next_keys(&f, 1, later_keys, &when);
	t = ticket("lacert@la/desk1", "singcert@sg", 1, NULL, future, &ahead);
	add(3, buf_span(&f.keys_file[1]), (struct span){ 0 });
	add(1, buf_span(&t.note), buf_span(&t.body));
	is_int(deliver(), TOCSIN_OK, "an announcement and a ticket come early");
	is_int((long long)number_of(&t), 1,
	    "whose number is that of the announcement's entry");
	again(f.now + 60, false);
	is_int(refused(&t), TOCSIN_OK, "when it is time the ticket is there");
	k = belief_keys(&h.belief, span_of("mycert@my"));
	ok(k != NULL && k->serial == 2, "and the announcement");
	fx_ticket_release(&t);
}

/* ---- rosters and announcements ---- */

static void
test_texts(void)
{
	struct fixture other;
	struct fx_ticket t;

	begin();
	fixture_init(&other, "sg my la kh");
	fixture_next_roster(&f, add_kh, NULL);
	fixture_next_keys(&f, 1, NULL, NULL);
	t = ticket("mycert@my/desk1", "singcert@sg", 1, NULL, NULL, NULL);
	add(2, buf_span(&other.file), (struct span){ 0 });
	add(2, buf_span(&f.file), (struct span){ 0 });
	add(3, buf_span(&f.keys_file[1]), (struct span){ 0 });
	add(3, buf_span(&other.keys_file[3]), (struct span){ 0 });
	add(9, span_of("news"), (struct span){ 0 });
	add(1, buf_span(&t.note), buf_span(&t.body));
	is_int(deliver(), TOCSIN_OK, "one answer brings all kinds");
	ok(h.belief.roster->serial == 2 &&
		belief_keys(&h.belief, span_of("mycert@my"))->serial == 2,
	    "what follows is believed");
	ok(belief_keys(&h.belief, span_of("khcert@kh")) != NULL,
	    "each in the light of those before it");
	is_int(refused(&t), TOCSIN_OK, "and the ticket after them is good");
	ok(cursor == 6 && stored_cursor() == 6,
	    "what is of no use is passed over");
	fixture_release(&other);
	fx_ticket_release(&t);
}

static void
longer(struct roster *r, void *arg)
{
	(void)arg;
	r->expires++;
}

static void
test_fork(void)
{
	struct fixture other;
	struct desk_tx *tx;
	struct span name = { 0 };
	struct conflict c;

	begin();
	fixture_init(&other, "sg my la");
	fixture_next_roster(&f, NULL, NULL);
	fixture_next_roster(&other, longer, NULL);
	add(2, buf_span(&f.file), (struct span){ 0 });
	add(2, buf_span(&other.file), (struct span){ 0 });
	add(2, buf_span(&other.file), (struct span){ 0 });
	if (deliver() != TOCSIN_OK)
		abort();
	tx = look();
	ok(belief_next_conflict(tx, &name, &c) == TOCSIN_OK &&
		span_eq(c.note, buf_span(&other.file)) && c.serial == 2 &&
		c.member[0] == '\0' &&
		belief_next_conflict(tx, &name, &c) == TOCSIN_ENOTFOUND,
	    "a second roster for one place is kept as evidence, once");
	desk_end(tx);
	ok(memcmp(h.belief.roster->id, f.roster->id, ID_LEN) == 0,
	    "and not believed");
	fixture_release(&other);
}

/* The desk is three rosters further when the other second one comes. */
static void
test_old_fork(void)
{
	struct fixture other;
	struct desk_tx *tx;
	struct span name = { 0 };
	struct conflict c;
	int i;

	begin();
	fixture_init(&other, "sg my la");
	fixture_next_roster(&other, longer, NULL);
	for (i = 0; i < 3; i++) {
		fixture_next_roster(&f, NULL, NULL);
		add(2, buf_span(&f.file), (struct span){ 0 });
		if (deliver() != TOCSIN_OK)
			abort();
	}
	add(2, buf_span(&other.file), (struct span){ 0 });
	if (deliver() != TOCSIN_OK)
		abort();
	tx = look();
	ok(belief_next_conflict(tx, &name, &c) == TOCSIN_OK &&
		span_eq(c.note, buf_span(&other.file)) && c.serial == 2,
	    "so is a second one for a place long passed");
	desk_end(tx);
	ok(memcmp(h.belief.roster->id, f.roster->id, ID_LEN) == 0,
	    "which is not believed either");
	fixture_release(&other);
}

/* ---- receipts ---- */

static struct receipt r;

static struct buf
signed_by(const char *broker)
{
	struct buf out = { 0 };
	char name[64];
	uint8_t sk[64];

	snprintf(name, sizeof(name), "%s/sign", broker);
	fixture_sign_key(sk, name);
	if (receipt_sign(&out, &r, sk) != TOCSIN_OK)
		abort();
	return out;
}

/* How many places a message has after a receipt of that broker. */
static size_t
places(const struct fx_ticket *t, struct buf file, struct desk_place *last)
{
	struct desk_tx *tx;
	struct desk_place p;
	size_t n = 0;

	add(4, buf_span(&file), (struct span){ 0 });
	if (deliver() != TOCSIN_OK)
		abort();
	buf_release(&file);
	tx = look();
	while (desk_place_get(tx, t->id, n, &p) == TOCSIN_OK) {
		if (last != NULL)
			*last = p;
		n++;
	}
	if (last != NULL && n > 0) { /* dies with tx: compare it here */
		ok(span_is(last->who, "my") && span_is(last->by, "my") &&
			last->kind == RECEIPT_STORED && last->time == f.now,
		    "it says whose word it is, and of when");
	}
	desk_end(tx);
	return n;
}

static struct receipt *
receipt(const char *broker)
{
	receipt_init(&r, FX_FEDERATION, broker, f.now);
	return &r;
}

static void
test_receipts(void)
{
	struct fx_ticket sent, got;
	struct desk_place p;

	begin();
	sent = ticket("singcert@sg/desk1", "mycert@my", 1, NULL, NULL, NULL);
	got = ticket("mycert@my/desk1", "singcert@sg", 1, NULL, NULL, NULL);
	if (deliver_ticket(&sent) != TOCSIN_OK ||
	    deliver_ticket(&got) != TOCSIN_OK)
		abort();
	if (!receipt_stored(receipt("la"), sent.id, 3))
		abort();
	is_int((long long)places(&sent, signed_by("la"), NULL), 0,
	    "a broker of a nation that it was not sent to has no say");
	if (!receipt_stored(receipt("my"), sent.id, 3))
		abort();
	is_int((long long)places(&sent, signed_by("la"), NULL), 0,
	    "nor has a receipt that another broker signed");
	if (!receipt_stored(receipt("my"), got.id, 3))
		abort();
	is_int((long long)places(&got, signed_by("my"), NULL), 0,
	    "nor is one wanted for what others sent");
	if (!receipt_delivered(receipt("my"), sent.id, "lacert@la", "desk1"))
		abort();
	is_int((long long)places(&sent, signed_by("my"), NULL), 0,
	    "a broker does not speak for another nation's members");
	if (!receipt_delivered(receipt("my"), sent.id, "other@my", "desk1"))
		abort();
	is_int((long long)places(&sent, signed_by("my"), NULL), 0,
	    "nor of members that it was not sent to");
	if (!receipt_stored(receipt("my"), sent.id, 3))
		abort();
	is_int((long long)places(&sent, signed_by("my"), &p), 1,
	    "the recipients' broker has it");
	if (!receipt_delivered(receipt("my"), sent.id, "mycert@my", "night"))
		abort();
	is_int((long long)places(&sent, signed_by("my"), NULL), 2,
	    "and has handed it over");
	fx_ticket_release(&sent);
	fx_ticket_release(&got);
}

/* ---- what did not fit ---- */

static void
test_detached(void)
{
	struct fx_ticket t, lost, next;

	begin();
	t = ticket("mycert@my/desk1", "singcert@sg", 1, NULL, NULL, NULL);
	lost = ticket("mycert@my/desk1", "singcert@sg", 2, t.id, NULL, NULL);
	next = ticket("mycert@my/desk1", "singcert@sg", 3, lost.id, NULL, NULL);
	asked_bytes = buf_span(&t.body);
	add(1, buf_span(&t.note), (struct span){ 0 })->detached = true;
	is_int(deliver(), TOCSIN_OK, "a body that did not fit is fetched");
	is_int(refused(&t), TOCSIN_OK, "and judged like all others");

	asked_err = TOCSIN_EUNAVAILABLE;
	add(1, buf_span(&next.note), buf_span(&next.body));
	add(1, buf_span(&lost.note), (struct span){ 0 })->detached = true;
	is_int(deliver(), TOCSIN_EUNAVAILABLE,
	    "without it the answer is not taken to its end");
	ok(refused(&next) == TOCSIN_OK && cursor == 2 && stored_cursor() == 2,
	    "what comes before is");

	asked_err = TOCSIN_ENOTFOUND;
	add(1, buf_span(&lost.note), (struct span){ 0 })->detached = true;
	is_int(deliver(), TOCSIN_OK, "a body that the broker has not");
	is_int(refused(&lost), TOCSIN_EBODYMISMATCH,
	    "does not keep all others away");
	fx_ticket_release(&t);
	fx_ticket_release(&lost);
	fx_ticket_release(&next);
}

/* How many are to come, and what is thought of the first's header. */
static size_t
to_come(enum tocsin_err *verdict)
{
	struct desk_tx *tx = look();
	struct coming c = { 0 };
	size_t n = 0;

	*verdict = TOCSIN_OK;
	while (coming_next(tx, c.seq, &c) == TOCSIN_OK)
		if (n++ == 0)
			*verdict = c.verdict;
	desk_end(tx);
	return n;
}

static bool
is_to_come(const struct fx_ticket *t)
{
	struct desk_tx *tx = look();
	struct coming c;
	bool found = coming_find(tx, t->id, &c) == TOCSIN_OK &&
		     memcmp(c.id, t->id, ID_LEN) == 0 &&
		     span_eq(c.note, buf_span(&t->note));

	desk_end(tx);
	return found;
}

static struct msg_entry *
add_header(const struct fx_ticket *t)
{
	struct msg_entry *e = add(1, buf_span(&t->note), (struct span){ 0 });

	e->detached = true;
	return e;
}

static void
test_coming(void)
{
	struct fx_ticket a, b, c, d;
	enum tocsin_err verdict;

	begin();
	a = ticket("mycert@my/desk1", "singcert@sg", 1, NULL, NULL, NULL);
	b = ticket("mycert@my/desk1", "singcert@sg", 2, a.id, NULL, NULL);
	c = ticket("mycert@my/desk1", "singcert@sg", 3, b.id, NULL, NULL);
	d = ticket("mycert@my/desk1", "singcert@sg", 4, c.id, NULL, NULL);
	asked_err = TOCSIN_EUNAVAILABLE;
	add(1, buf_span(&a.note), buf_span(&a.body));
	add_header(&b);
	add(1, buf_span(&c.note), buf_span(&c.body));
	add_header(&d);
	is_int(deliver(), TOCSIN_EUNAVAILABLE, "a body does not come");
	ok(refused(&a) == TOCSIN_OK && cursor == 1,
	    "what stands before it is a message");
	ok(to_come(&verdict) == 2 && is_to_come(&b) && is_to_come(&d),
	    "all that are to come are noted by their headers");
	is_int(verdict, TOCSIN_OK, "which were verified");
	ok(messages() == 1 && given == 0, "none of them is a message");

	asked_err = TOCSIN_OK;
	asked_bytes = buf_span(&b.body);
	add_header(&b);
	is_int(deliver(), TOCSIN_OK, "the body comes");
	ok(refused(&b) == TOCSIN_OK && !is_to_come(&b) && is_to_come(&d),
	    "and in one change it is a message and not to come");
	ok(given == 1 && put_away == 1, "whoever fetched it is told");
	add_header(&b)->seq = 9;
	is_int(deliver(), TOCSIN_OK, "the next that is taken");
	is_int((long long)to_come(&verdict), 0,
	    "has left behind what the broker gives no more");
	ok(given == 1, "what is here is not fetched again");
	fx_ticket_release(&a);
	fx_ticket_release(&b);
	fx_ticket_release(&c);
	fx_ticket_release(&d);
}

static void
test_coming_forged(void)
{
	struct fx_ticket t;
	enum tocsin_err verdict;
	uint8_t *at;

	begin();
	t = ticket("mycert@my/desk1", "singcert@sg", 1, NULL, NULL, NULL);
	at = &t.note.p[t.note.n - 20]; /* in the signature's base64 */
	*at = *at == 'A' ? 'B' : 'A';
	asked_err = TOCSIN_EUNAVAILABLE;
	add_header(&t);
	is_int(deliver(), TOCSIN_EUNAVAILABLE, "a header that is forged");
	is_int((long long)to_come(&verdict), 1, "is noted");
	is_int(verdict, TOCSIN_EBADSIGNATURE, "as what it is");
	fx_ticket_release(&t);
}

/* One body at a time: another that is urgent does not keep back what is not. */
static void
test_coming_apart(void)
{
	const struct intake i = { .parts = &h.parts,
		.ask = ask,
		.body = body,
		.now = f.now,
		.done = done };
	struct fx_ticket a, b;
	enum tocsin_err verdict;

	begin();
	a = ticket("mycert@my/desk1", "singcert@sg", 1, NULL, NULL, NULL);
	b = ticket("mycert@my/desk1", "singcert@sg", 2, a.id, NULL, NULL);
	asked_err = TOCSIN_EBUSY;
	add_header(&a);
	add(1, buf_span(&b.note), buf_span(&b.body));
	is_int(
	    intake_apart(&i, in), TOCSIN_OK, "what is urgent is taken apart");
	in->n = 0;
	ok(refused(&b) == TOCSIN_OK && stored_cursor() == 0,
	    "also what stands behind a body that is not to be had now");
	ok(to_come(&verdict) == 1 && is_to_come(&a), "which is noted");
	fx_ticket_release(&a);
	fx_ticket_release(&b);
}

static void
test_detached_roster(void)
{
	const struct intake i = { .parts = &h.parts, .ask = ask, .body = body };
	struct intake now;

	begin();
	fixture_next_roster(&f, NULL, NULL);
	asked_bytes = buf_span(&f.file);
	add(2, (struct span){ 0 }, (struct span){ 0 })->detached = true;
	ok(deliver() == TOCSIN_OK && h.belief.roster->serial == 2,
	    "a roster that did not fit is fetched");
	asked_err = TOCSIN_ENOTFOUND;
	add(2, (struct span){ 0 }, (struct span){ 0 })->detached = true;
	ok(deliver() == TOCSIN_OK && cursor == 2,
	    "one that we have already is passed over");
	asked_err = TOCSIN_OK;
	fixture_next_roster(&f, NULL, NULL);
	asked_bytes = buf_span(&f.file);
	now = i;
	now.now = f.now;
	ok(intake_rosters(&now, 3) == TOCSIN_OK && h.belief.roster->serial == 3,
	    "what was passed over can be fetched apart");
	asked = 0;
	ok(intake_rosters(&now, 4) != TOCSIN_OK && asked == 1,
	    "a broker that gives another one is not asked for ever");
}

/* ---- two processes ---- */

static void
test_two(void)
{
	struct fx_ticket a, b;
	uint64_t theirs = 0, ours;

	begin();
	a = ticket("mycert@my/desk1", "singcert@sg", 1, NULL, NULL, NULL);
	b = ticket("mycert@my/desk1", "singcert@sg", 2, a.id, NULL, NULL);
	add(1, buf_span(&a.note), buf_span(&a.body))->seq = 10;
	add(1, buf_span(&b.note), buf_span(&b.body))->seq = 20;
	if (deliver() != TOCSIN_OK)
		abort();
	ours = cursor;
	cursor = theirs; /* another one, which began at the same time */
	add(1, buf_span(&a.note), buf_span(&a.body))->seq = 10;
	ok(deliver() == TOCSIN_OK && cursor == ours && stored_cursor() == ours,
	    "a process that is behind does not move the desk's cursor back");
	is_int((long long)messages(), 2, "and doubles nothing");
	fx_ticket_release(&a);
	fx_ticket_release(&b);
}

int
main(void)
{
	test_good();
	test_refused();
	test_better_bytes();
	test_exercise();
	test_chain();
	test_late_conflict();
	test_own();
	test_clock();
	test_roster_later();
	test_clock_of_keys();
	test_held_together();
	test_texts();
	test_fork();
	test_old_fork();
	test_receipts();
	test_detached();
	test_coming();
	test_coming_forged();
	test_coming_apart();
	test_detached_roster();
	test_two();
	home_close(&h);
	fixture_release(&f);
	free(in);
	return tap_done();
}

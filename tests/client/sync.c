/* SPDX-License-Identifier: ISC */
#include "client/sync.h"

#include "client/attempt.h"
#include "client/backoff.h"
#include "client/term.h"
#include "tests/lib/fakebroker.h"
#include "tests/lib/home.h"
#include "tests/lib/tap.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SHORT_MS 400 /* for an answer, where it will not come */
#define PATIENCE_MS 20000

/* We are singcert@sg/desk1, at broker sg. */
static struct fixture f;
static struct fakebroker *b;
static struct home h;
static char dir[512];
static struct sync *s;
static uint64_t seq; /* of our chain */
static uint8_t prev[ID_LEN];

static void
begin(void)
{
	fixture_init(&f, "sg my");
	b = fb_new(&f, "sg");
	home_make(dir, &f, "singcert@sg/desk1", fb_url(b));
	home_open(&h, dir);
	s = NULL;
	seq = 0;
}

static void
start(void)
{
	if (sync_start(&s, &h.parts) != TOCSIN_OK)
		abort();
}

static void
end(void)
{
	sync_stop(s);
	fb_free(b);
	home_close(&h);
	fixture_release(&f);
}

/* ---- what the desk has ---- */

static struct desk_tx *
writing(void)
{
	struct desk_tx *tx;

	if (desk_write(h.desk, &tx) != TOCSIN_OK)
		abort();
	return tx;
}

static void
commit(struct desk_tx *tx)
{
	if (desk_commit(tx) != TOCSIN_OK)
		abort();
}

struct state {
	uint64_t cursor, messages, queued, uploads;
};

static struct state
state(void)
{
	struct state st = { 0 };
	uint8_t hash[32] = { 0 };
	struct desk_tx *tx;
	uint64_t n, size;

	if (desk_read(h.desk, &tx) != TOCSIN_OK)
		abort();
	st.cursor = desk_u64_get(tx, "cursor");
	for (n = 0; desk_next(tx, n, &n) == TOCSIN_OK;)
		st.messages++;
	for (n = 0; desk_outbox_next(tx, n, &n) == TOCSIN_OK;)
		st.queued++;
	while (desk_upload_next(tx, hash, hash, &size) == TOCSIN_OK)
		st.uploads++;
	desk_end(tx);
	return st;
}

/* Waits for a state of the desk; false after a while. */
static bool
until(bool (*is)(const struct state *st, uint64_t arg), uint64_t arg)
{
	int64_t end_ms = backoff_now() + PATIENCE_MS;

	for (;;) {
		uint64_t seen = desk_changes(h.desk);
		struct state st = state();

		if (is(&st, arg))
			return true;
		if (backoff_now() > end_ms)
			return false;
		desk_wait(h.desk, seen, 1000);
	}
}

/* What sync_wait() says in vain; earlier reasons may go before it. */
static enum tocsin_err
waits_in_vain(enum tocsin_err want)
{
	int64_t end_ms = backoff_now() + PATIENCE_MS;
	enum tocsin_err err;

	do
		err = sync_wait(s, 200);
	while (err != want && err != TOCSIN_OK && backoff_now() < end_ms);
	return err;
}

static bool
queue_is(const struct state *st, uint64_t n)
{
	return st->queued == n;
}

static bool
messages_are(const struct state *st, uint64_t n)
{
	return st->messages == n;
}

static bool
cursor_is(const struct state *st, uint64_t n)
{
	return st->cursor == n;
}

/* What came goes from the spool after it is in the desk. */
static bool
spool_is(const struct state *st, uint64_t n)
{
	(void)st;
	return home_files(dir, "spool") == n;
}

static bool
uploads_are(const struct state *st, uint64_t n)
{
	return st->uploads == n;
}

/* ---- what we send ---- */

struct sent {
	uint8_t id[ID_LEN];
	uint64_t number;
};

static struct sent
queue_ticket(void (*edit)(struct ticket *, void *), void *arg)
{
	struct desk_message m = { .own = true, .arrived = f.now };
	struct desk_tx *tx = writing();
	struct fx_ticket t;
	struct sent out;

	fixture_ticket(&t, &f, "singcert@sg/desk1", "mycert@my", seq + 1,
	    seq > 0 ? prev : NULL, edit, arg);
	m.note = buf_span(&t.note);
	m.body = buf_span(&t.body);
	memcpy(m.id, t.id, ID_LEN);
	memcpy(m.thread, t.id, ID_LEN);
	if (desk_put(tx, &m) != TOCSIN_OK ||
	    desk_outbox_add(tx, m.number) != TOCSIN_OK)
		abort();
	commit(tx);
	seq++;
	memcpy(prev, t.id, ID_LEN);
	memcpy(out.id, t.id, ID_LEN);
	out.number = m.number;
	fx_ticket_release(&t);
	return out;
}

static struct sent
queue(void)
{
	return queue_ticket(NULL, NULL);
}

static struct desk_message
row(const struct sent *t)
{
	struct desk_message m;
	struct desk_tx *tx;

	if (desk_read(h.desk, &tx) != TOCSIN_OK ||
	    desk_get(tx, t->number, &m) != TOCSIN_OK)
		abort();
	desk_end(tx);
	return m; /* but for its spans */
}

/* A sealed part of that many bytes in the spool, to be uploaded. */
static struct buf
queue_part(size_t n, uint8_t tag)
{
	struct desk_tx *tx = writing();
	struct buf bytes = { 0 };
	uint8_t hash[32], *at = buf_grow(&bytes, n);
	char path[768];
	size_t i;

	for (i = 0; i < n; i++)
		at[i] = (uint8_t)(i * 7 + tag);
	crypto_hash_sha256(hash, bytes.p, n);
	snprintf(path, sizeof(path), "%s/spool", dir);
	mkdir(path, 0700);
	sync_spool(path, dir, hash);
	if (file_write(path, buf_span(&bytes), true) != TOCSIN_OK ||
	    desk_upload_add(tx, hash, n) != TOCSIN_OK)
		abort();
	commit(tx);
	return bytes;
}

/* ---- what comes ---- */

static struct fx_ticket
incoming(uint64_t n)
{
	struct fx_ticket t;
	uint8_t before[ID_LEN];

	memset(before, (int)n, sizeof(before));
	/* A gap before each: we see our share. */
	fixture_ticket(&t, &f, "mycert@my/desk1", "singcert@sg", 2 * n + 1,
	    n > 0 ? before : NULL, NULL, NULL);
	return t;
}

static uint64_t
mail(uint64_t n)
{
	struct fx_ticket t = incoming(n);
	uint64_t at =
	    fb_mail(b, 1, buf_span(&t.note), buf_span(&t.body), false);

	fx_ticket_release(&t);
	return at;
}

/* ---- tests ---- */

static void
test_post(void)
{
	struct sent t[40];
	size_t i;
	bool all = true;

	begin();
	for (i = 0; i < 20; i++)
		t[i] = queue();
	start();
	ok(until(queue_is, 0), "what waited is posted when there is a link");
	for (; i < 40; i++)
		t[i] = queue();
	is_int(sync_wait(s, PATIENCE_MS), TOCSIN_OK,
	    "what comes after it is, too");
	for (i = 0; i < 40; i++)
		all = all && fb_has(b, t[i].id) && row(&t[i]).posted != 0 &&
		      row(&t[i]).seq >= 1000;
	ok(all && fb_count(b, FB_TAKEN) == 40 &&
		fb_count(b, FB_DUPLICATES) == 0,
	    "each of them once, and it is written down");
	ok(fb_count(b, FB_POSTS) < 30, "several go in one request");
	end();
}

static bool
was_tried(const struct sent *sent, struct attempt *out)
{
	struct desk_tx *tx = NULL;
	uint64_t n;
	bool was;

	was = desk_read(h.desk, &tx) == TOCSIN_OK &&
	      desk_find(tx, sent->id, &n) == TOCSIN_OK &&
	      attempt_get(tx, n, out);
	desk_end(tx);
	return was;
}

static void
test_codes(void)
{
	struct sent bad, later, good, last;
	struct attempt last_try;

	begin();
	bad = queue();
	later = queue();
	good = queue();
	fb_code(b, bad.id, TOCSIN_EKINDNOTALLOWED);
	fb_code(b, later.id, TOCSIN_EKEYSEXPIRED);
	start();
	ok(until(queue_is, 1), "two of three leave the outbox");
	is_int(row(&bad).refused, TOCSIN_EKINDNOTALLOWED,
	    "one is refused for good, and says why");
	ok(row(&good).posted != 0, "one is taken");
	last = queue();
	ok(until(queue_is, 1) && fb_has(b, last.id),
	    "what is refused for now keeps nothing else back");
	is_int(waits_in_vain(TOCSIN_EKEYSEXPIRED), TOCSIN_EKEYSEXPIRED,
	    "who waits for it hears the reason");
	ok(was_tried(&later, &last_try) &&
		last_try.reason == TOCSIN_EKEYSEXPIRED && last_try.at > 0 &&
		last_try.next > last_try.at,
	    "and anybody may ask for it, and for the time of the next try");
	fb_code(b, later.id, TOCSIN_OK);
	is_int(sync_wait(s, PATIENCE_MS), TOCSIN_OK,
	    "it is taken when the reason is gone");
	ok(row(&later).refused == TOCSIN_OK && row(&later).posted != 0 &&
		fb_count(b, FB_TAKEN) == 3,
	    "and nothing was doubled");
	ok(!was_tried(&later, &last_try), "nothing is said of it any more");
	end();
}

static void
set_term(const struct sent *sent, int64_t from, int64_t end)
{
	struct desk_tx *tx = writing();

	if (term_put(tx, sent->number, from, end) != TOCSIN_OK)
		abort();
	commit(tx);
}

static void
test_term(void)
{
	const int64_t now = (int64_t)time(NULL);
	struct sent first, over, ahead, open, last;

	begin();
	first = queue();
	over = queue();
	ahead = queue();
	open = queue();
	last = queue();
	set_term(&over, now - 60, now - 1);
	set_term(&ahead, now + 3600, now + 7200);
	set_term(&open, now - 60, now + 3600);
	start();
	is_int(sync_wait(s, PATIENCE_MS), TOCSIN_OK,
	    "what is not worth sending any more keeps nothing back");
	ok(fb_has(b, first.id) && fb_has(b, open.id) && fb_has(b, last.id),
	    "what is, and what has no end, is sent");
	ok(!fb_has(b, over.id) && row(&over).refused == TOCSIN_ETIMEOUT,
	    "what is not says so");
	ok(!fb_has(b, ahead.id) && row(&ahead).refused == TOCSIN_ETIMEOUT,
	    "nor is what was written by a clock that was set back since");
	end();
}

/* So that a line that loses the end of a post is found out. */
static void
test_tail(void)
{
	uint64_t hellos;
	struct sent t;

	begin();
	start();
	if (!fb_reaches(b, FB_PARKED, 4))
		abort();
	hellos = fb_count(b, FB_HELLOS);
	fb_fault(b, MSG_POST, FB_HOLD, TOCSIN_OK, 1);
	t = queue();
	ok(fb_reaches(b, FB_HELLOS, hellos + 1) && fb_has(b, t.id),
	    "something small follows a post that is not answered at once");
	fb_release(b);
	ok(until(queue_is, 0) && fb_count(b, FB_DUPLICATES) == 0,
	    "and the post is not repeated");
	end();
}

/* The whole request is turned away. */
static void
test_busy(void)
{
	begin();
	queue();
	fb_fault(b, MSG_POST, FB_REFUSE, TOCSIN_EBUSY, 2);
	fb_fault(b, MSG_POST, FB_REFUSE, TOCSIN_ENOSPACE, 1);
	fb_fault(b, MSG_POST, FB_REFUSE, TOCSIN_EMALFORMED, 1);
	start();
	ok(until(queue_is, 0) && fb_count(b, FB_FAULTS) == 4,
	    "a request that is turned away is made again");
	end();
}

static void
test_lost(enum fb_fault fault, const char *what)
{
	struct sent t;

	begin();
	h.parts.answer_ms = SHORT_MS;
	t = queue();
	fb_fault(b, MSG_POST, fault, TOCSIN_OK, 1);
	start();
	ok(until(queue_is, 0) && fb_has(b, t.id) && row(&t).posted != 0,
	    "%s: the message is posted again", what);
	ok(fb_count(b, FB_TAKEN) == 1 && fb_count(b, FB_DUPLICATES) == 1,
	    "%s: and the broker says duplicate", what);
	end();
}

/* Anybody on the way can make error frames: they end a link and no more. */
static void
test_hints(void)
{
	struct desk_tx *tx;
	struct sent t;

	begin();
	h.parts.answer_ms = SHORT_MS;
	tx = writing();
	if (desk_value_put(tx, "announce", buf_span(&f.keys_file[0])) !=
	    TOCSIN_OK)
		abort();
	commit(tx);
	t = queue();
	fb_fault(b, MSG_ANNOUNCE, FB_HINT, TOCSIN_EDUPLICATE, 1);
	fb_fault(b, MSG_POST, FB_HINT, TOCSIN_EKINDNOTALLOWED, 1);
	fb_fault(b, MSG_POST, FB_HINT, TOCSIN_ENOTENROLLED, 1);
	fb_fault(b, MSG_FETCH, FB_HINT, TOCSIN_ENOTENROLLED, 1);
	fb_fault(b, FB_HELLO, FB_HINT, TOCSIN_EREVOKED, 1);
	start();
	ok(until(queue_is, 0) && row(&t).refused == TOCSIN_OK,
	    "a forged refusal does not mark a message");
	ok(fb_reaches(b, FB_ANNOUNCED, 1),
	    "nor does a forged duplicate end an announcement");
	is_int(sync_wait(s, PATIENCE_MS), TOCSIN_OK, "and all goes on");
	end();
}

static void
test_stranger(void)
{
	begin();
	fb_strange(b);
	queue();
	start();
	is_int(sync_wait(s, PATIENCE_MS), TOCSIN_OK,
	    "a broker that does not know us is told our announcement");
	ok(fb_count(b, FB_ANNOUNCED) == 1 && fb_count(b, FB_TAKEN) == 1,
	    "once, and then takes our messages, once");
	end();
}

static void
test_fetch(void)
{
	uint64_t last = 0;
	size_t i;

	begin();
	for (i = 0; i < 10; i++)
		last = mail(i);
	start();
	ok(until(cursor_is, last) && state().messages == 10,
	    "what waited in the mailbox comes");
	ok(fb_reaches(b, FB_PARKED, 4), "then four fetches are parked");
	for (; i < 20; i++)
		last = mail(i);
	ok(until(cursor_is, last) && state().messages == 20,
	    "and bring what comes later");
	ok(fb_reaches(b, FB_ACKED, last),
	    "the broker hears up to where all is on our disk");
	end();
}

static void
flash(struct ticket *t, void *arg)
{
	(void)arg;
	t->precedence = TICKET_FLASH;
}

/* A flash is behind much else, and comes before it; and once. */
static void
test_urgent(void)
{
	struct fx_ticket t;
	uint8_t before[ID_LEN] = { 77 };
	struct desk_tx *tx;
	uint64_t last, number = 0;
	size_t i;

	begin();
	for (i = 0; i < 20; i++)
		mail(i);
	fixture_ticket(
	    &t, &f, "mycert@my/desk1", "singcert@sg", 99, before, flash, NULL);
	fb_mail(b, 1, buf_span(&t.note), buf_span(&t.body), false);
	last = mail(20);
	start();
	ok(until(cursor_is, last) && state().messages == 22,
	    "a mailbox with a flash in it comes");
	if (desk_read(h.desk, &tx) != TOCSIN_OK ||
	    desk_find(tx, t.id, &number) != TOCSIN_OK)
		number = 0;
	desk_end(tx);
	ok(number > 0 && number <= 6,
	    "the flash with the second page, before what was first (%llu)",
	    (unsigned long long)number);
	fx_ticket_release(&t);
	end();
}

/* The first answer stays away, and the second has come. */
static void
test_order(void)
{
	uint64_t last;

	begin();
	start();
	if (!fb_reaches(b, FB_PARKED, 4))
		abort();
	fb_fault(b, MSG_FETCH, FB_HOLD, TOCSIN_OK, 1);
	mail(0);
	if (!fb_reaches(b, FB_HELD, 1))
		abort();
	last = mail(1);
	ok(until(cursor_is, last) && state().messages == 2,
	    "an answer that overtakes another leaves nothing behind");
	fb_release(b);
	last = mail(2);
	ok(until(cursor_is, last) && state().messages == 3,
	    "and the late one doubles nothing");
	end();
}

/* A command that ends as soon as it has what it wanted. */
static void
test_goodbye(void)
{
	uint64_t last;

	begin();
	start();
	if (!fb_reaches(b, FB_PARKED, 4))
		abort();
	fb_fault(b, MSG_FETCH, FB_LOSE, TOCSIN_OK, 1);
	last = mail(0);
	if (!fb_reaches(b, FB_FAULTS, 1) ||
	    sync_wait(s, PATIENCE_MS) != TOCSIN_OK || state().cursor != last)
		abort();
	sync_stop(s);
	s = NULL;
	ok(fb_reaches(b, FB_ACKED, last),
	    "who stops tells the broker what has come");
	end();
}

/* Nobody listens, and then somebody does. */
static void
test_refused(void)
{
	int64_t end_ms = backoff_now() + PATIENCE_MS;

	begin();
	fb_down(b);
	start();
	while (!sync_refused(s) && backoff_now() < end_ms)
		desk_wait(h.desk, desk_changes(h.desk), 20);
	ok(sync_refused(s), "that nobody listens is known at once");
	fb_up(b);
	ok(sync_wait(s, PATIENCE_MS) == TOCSIN_OK && !sync_refused(s),
	    "and is over when somebody does");
	end();
}

static void
test_lost_fetch(enum fb_fault fault, const char *what)
{
	uint64_t last;

	begin();
	h.parts.answer_ms = SHORT_MS;
	h.parts.park_ms = 800;
	start();
	if (!fb_reaches(b, FB_PARKED, 4))
		abort();
	fb_fault(b, MSG_FETCH, fault, TOCSIN_OK, 2);
	last = mail(0);
	ok(until(cursor_is, last) && state().messages == 1,
	    "%s: what a fetch should have brought comes in the end", what);
	last = mail(1);
	ok(until(cursor_is, last) && state().messages == 2,
	    "%s: and all after it", what);
	end();
}

static void
test_detached(void)
{
	struct fx_ticket t;
	uint64_t last;

	begin();
	t = incoming(0);
	fb_part(b, buf_span(&t.body));
	last = fb_mail(b, 1, buf_span(&t.note), (struct span){ 0 }, true);
	start();
	ok(until(cursor_is, last) && state().messages == 1,
	    "a body that did not fit is fetched for itself");
	fx_ticket_release(&t);
	end();
}

/* What an earlier try left is gone on with, or, if it is of no use, replaced.
 */
static void
test_resumed(void)
{
	struct span left;
	struct fx_ticket t;
	char path[768], part[800];
	uint8_t hash[32];
	uint64_t last = 0, got;
	int i;

	begin();
	snprintf(path, sizeof(path), "%s/spool", dir);
	mkdir(path, 0700);
	for (i = 0; i < 2; i++) {
		t = incoming((uint64_t)i);
		fb_part(b, buf_span(&t.body));
		crypto_hash_sha256(hash, t.body.p, t.body.n);
		sync_spool(path, dir, hash);
		snprintf(part, sizeof(part), "%s.part", path);
		left = span_cut(
		    i == 0 ? buf_span(&t.body) : buf_span(&t.note), 0, 300);
		if (file_write(part, left, true) != TOCSIN_OK)
			abort();
		last =
		    fb_mail(b, 1, buf_span(&t.note), (struct span){ 0 }, true);
		if (i == 0) {
			start();
			ok(until(cursor_is, last) && state().messages == 1,
			    "a body goes on behind what is here of it");
			got = fb_count(b, FB_GOT);
			ok(got == t.body.n - 300,
			    "and no byte comes again (%llu)",
			    (unsigned long long)got);
		}
		fx_ticket_release(&t);
	}
	ok(until(cursor_is, last) && state().messages == 2,
	    "what is damaged of it is fetched anew");
	ok(until(spool_is, 0), "and nothing is left");
	end();
}

static void
large(struct ticket *t, void *arg)
{
	size_t i;

	(void)arg;
	t->npart = 64;
	for (i = 0; i < t->npart; i++) {
		t->part[i].size = 200 + i;
		memset(t->part[i].hash, (int)i, 32);
	}
}

static void
test_uploads(void)
{
	struct buf one, two, gone;
	uint8_t hash[32];
	char path[768];

	begin();
	queue_ticket(large, NULL);
	one = queue_part(200000, 1);
	two = queue_part(70, 2);
	gone = queue_part(300, 3);
	crypto_hash_sha256(hash, gone.p, gone.n);
	sync_spool(path, dir, hash);
	unlink(path);
	fb_fault(b, MSG_PUT, FB_CUT, TOCSIN_OK, 1);
	fb_fault(b, MSG_PUT, FB_REFUSE, TOCSIN_EQUOTA, 1);
	start();
	ok(until(uploads_are, 1) && fb_has_part(b, buf_span(&one)) &&
		fb_has_part(b, buf_span(&two)),
	    "parts are uploaded, through cuts and refusals");
	ok(waits_in_vain(TOCSIN_ENOTFOUND) == TOCSIN_ENOTFOUND,
	    "a part that is missing here is told of, and stops no other");
	is_int((long long)home_files(dir, "spool"), 0,
	    "what is there leaves the spool");
	buf_release(&one);
	buf_release(&two);
	buf_release(&gone);
	end();
}

static bool
uploaded_not_posted(const struct state *st, uint64_t n)
{
	return st->uploads == 0 && st->queued == n;
}

/* The thread that posts waits for an answer which does not come. */
static void
test_uploads_beside(void)
{
	struct buf part;

	begin();
	part = queue_part(300000, 1);
	fb_fault(b, MSG_PUT, FB_REFUSE, TOCSIN_EBUSY, 4);
	start();
	if (!fb_reaches(b, FB_FAULTS, 1))
		abort();
	fb_fault(b, MSG_POST, FB_LOSE, TOCSIN_OK, 1);
	queue();
	ok(until(uploaded_not_posted, 1) && fb_has_part(b, buf_span(&part)),
	    "a part is uploaded while the answer to a post stays away");
	buf_release(&part);
	end();
}

/* What the broker refuses for good takes its parts along. */
static void
one_part(struct ticket *t, void *arg)
{
	const struct buf *bytes = arg;

	t->npart = 1;
	t->part[0].size = bytes->n;
	crypto_hash_sha256(t->part[0].hash, bytes->p, bytes->n);
}

static void
test_refused_parts(void)
{
	struct buf part;
	struct sent t;

	begin();
	part = queue_part(5000, 1);
	t = queue_ticket(one_part, &part);
	fb_code(b, t.id, TOCSIN_EPOLICYDENIED);
	fb_fault(b, MSG_PUT, FB_REFUSE, TOCSIN_EPOLICYDENIED, 50);
	start();
	ok(until(queue_is, 0) && until(uploads_are, 0),
	    "the parts of a ticket that was refused don't wait for ever");
	is_int(row(&t).refused, TOCSIN_EPOLICYDENIED, "the ticket says why");
	buf_release(&part);
	end();
}

/* Until its message is there the broker does not know what a part is for. */
static void
test_early_parts(void)
{
	struct buf part;
	struct sent t;

	begin();
	part = queue_part(5000, 1);
	t = queue_ticket(one_part, &part);
	fb_code(b, t.id, TOCSIN_EKEYSEXPIRED);
	fb_fault(b, MSG_PUT, FB_REFUSE, TOCSIN_EPOLICYDENIED, 2);
	start();
	ok(fb_reaches(b, FB_FAULTS, 2), "a part that is refused before its "
					"ticket is posted is tried again");
	fb_code(b, t.id, TOCSIN_OK);
	ok(sync_wait(s, PATIENCE_MS) == TOCSIN_OK &&
		fb_has_part(b, buf_span(&part)) && row(&t).posted != 0,
	    "and is there in the end, with the ticket");
	buf_release(&part);
	end();
}

/* ---- when the broker is not well ---- */

static void
test_restart(void)
{
	struct sent t;

	begin();
	start();
	if (!fb_reaches(b, FB_PARKED, 4))
		abort();
	fb_down(b);
	t = queue();
	is_int(waits_in_vain(TOCSIN_EUNAVAILABLE), TOCSIN_EUNAVAILABLE,
	    "without a broker a message waits");
	mail(0);
	fb_up(b);
	ok(until(queue_is, 0) && fb_has(b, t.id),
	    "and is posted when there is one again");
	ok(until(messages_are, 2), "what came meanwhile is fetched");
	end();
}

static void
test_forgotten(void)
{
	uint64_t last;

	begin();
	h.parts.park_ms = 1000;
	start();
	if (!fb_reaches(b, FB_PARKED, 4))
		abort();
	fb_forget(b);
	queue();
	ok(until(queue_is, 0) && fb_count(b, FB_LINKS) == 2,
	    "a broker that forgot the link gets another one");
	last = mail(0);
	ok(until(cursor_is, last), "over which mail comes, too");
	end();
}

static void
test_silence(void)
{
	uint64_t connections;

	begin();
	h.parts.answer_ms = SHORT_MS;
	start();
	if (!fb_reaches(b, FB_PARKED, 4))
		abort();
	connections = fb_count(b, FB_CONNECTIONS);
	fb_silence(b, true);
	queue();
	ok(fb_reaches(b, FB_CONNECTIONS, connections + 2),
	    "where nothing answers, another connection is tried");
	fb_silence(b, false);
	ok(until(queue_is, 0), "and all goes on when somebody does");
	end();
}

static void
test_wrong_broker(void)
{
	struct fakebroker *other;
	char url[64];

	begin();
	snprintf(url, sizeof(url), "%s", fb_url(b));
	other = fb_new(&f, "my"); /* another key, and another name */
	snprintf(h.keys->broker, sizeof(h.keys->broker), "%s", fb_url(other));
	h.parts.answer_ms = SHORT_MS;
	queue();
	start();
	if (!fb_reaches(other, FB_CONNECTIONS, 1))
		abort();
	is_int(waits_in_vain(TOCSIN_EBADSIGNATURE), TOCSIN_EBADSIGNATURE,
	    "who is not the broker of the roster gets no link");
	ok(fb_count(other, FB_LINKS) == 0 && state().queued == 1,
	    "and no message");
	end();
	fb_free(other);
}

static void
test_roster(void)
{
	bool taken = false;
	int64_t end_ms = backoff_now() + PATIENCE_MS;

	begin();
	fixture_next_roster(&f, NULL, NULL);
	fb_roster(b, 2, buf_span(&f.file));
	start();
	while (!taken && backoff_now() < end_ms) {
		uint64_t seen = desk_changes(h.desk);

		pthread_mutex_lock(&h.lock);
		taken = h.belief.roster != NULL && h.belief.nchain == 2;
		pthread_mutex_unlock(&h.lock);
		if (!taken)
			desk_wait(h.desk, seen, 1000);
	}
	ok(taken, "a roster that the log did not bring is asked for");
	end();
}

/* ---- more than one ---- */

/*
 * Two processes of one home take each other's places at the broker. Both go on,
 * and neither asks in a loop.
 */
static void
test_two(void)
{
	struct home h2;
	struct sync *s2;
	uint64_t last = 0;
	size_t i;
	bool all = true;

	begin();
	home_open(&h2, dir);
	start();
	if (sync_start(&s2, &h2.parts) != TOCSIN_OK ||
	    !fb_reaches(b, FB_LINKS, 2))
		abort();
	for (i = 0; i < 20; i++) {
		queue();
		last = mail(i);
		all = all && until(cursor_is, last) && until(queue_is, 0);
	}
	ok(all && state().messages == 40, "each message comes and goes");
	ok(fb_count(b, FB_TAKEN) == 20, "and is there once");
	ok(fb_count(b, FB_FETCHES) < 1000,
	    "no loop of fetches that end each other (%llu)",
	    (unsigned long long)fb_count(b, FB_FETCHES));
	sync_stop(s2);
	home_close(&h2);
	end();
}

/* One that was there first uploads, and does not get on. */
static void
test_others_upload(void)
{
	struct buf part;
	struct home h2;
	struct sync *s2;
	struct sent t;
	uint8_t hash[32];

	begin();
	home_open(&h2, dir);
	part = queue_part(5000, 1);
	crypto_hash_sha256(hash, part.p, part.n);
	fb_fault(b, MSG_PUT, FB_REFUSE, TOCSIN_EQUOTA, 1000);
	start();
	if (!fb_reaches(b, FB_FAULTS, 1) ||
	    sync_start(&s2, &h2.parts) != TOCSIN_OK)
		abort();
	t = queue();
	is_int(sync_wait(s2, PATIENCE_MS), TOCSIN_OK,
	    "who has a message to send does not wait for another's part");
	ok(fb_has(b, t.id) && state().uploads == 1, "which is not there yet");
	if (sync_own_part(s2, hash) != TOCSIN_OK)
		abort();
	ok(sync_wait(s2, 300) != TOCSIN_OK, "but for its own it does");
	sync_stop(s2);
	home_close(&h2);
	buf_release(&part);
	end();
}

static void *
ask_often(void *arg)
{
	static const uint8_t hello[] = { MSG_HELLO };
	unsigned *good = arg, i;

	for (i = 0; i < 50; i++) {
		struct buf fields = { 0 };

		if (sync_ask(s, SPAN(hello), PATIENCE_MS, &fields) == TOCSIN_OK)
			++*good;
		buf_release(&fields);
	}
	return NULL;
}

static void
test_threads(void)
{
	unsigned good[3] = { 0 };
	pthread_t t[3];
	size_t i;

	begin();
	start();
	for (i = 0; i < 3; i++)
		if (pthread_create(&t[i], NULL, ask_often, &good[i]) != 0)
			abort();
	for (i = 0; i < 20; i++) {
		queue();
		mail(i);
	}
	for (i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	ok(good[0] + good[1] + good[2] == 150,
	    "any thread asks over the one link");
	ok(until(queue_is, 0) && until(messages_are, 40),
	    "while it brings and takes");
	end();
}

/* Closing waits for nothing that the network owes. */
static void
test_close(void)
{
	static const enum fb_fault faults[] = { FB_LOSE, FB_HOLD, FB_CUT,
		FB_HALF };
	static const uint8_t ops[] = { FB_HELLO, MSG_HELLO, MSG_FETCH, MSG_POST,
		MSG_PUT };
	size_t i, k, left = 0;
	struct buf part;

	for (i = 0; i < sizeof(ops); i++)
		for (k = 0; k < sizeof(faults) / sizeof(faults[0]); k++) {
			begin();
			queue();
			part = queue_part(9000, (uint8_t)k);
			fb_fault(b, ops[i], faults[k], TOCSIN_OK, 1);
			start();
			if (!fb_reaches(b, FB_FAULTS, 1))
				left++;
			buf_release(&part);
			end();
		}
	ok(left == 0, "a handle closes whatever is on its way");
	begin();
	fb_silence(b, true);
	start();
	if (!fb_reaches(b, FB_CONNECTIONS, 1))
		abort();
	end();
	begin();
	start();
	end();
	ok(true, "also at once, and before anything was answered");
}

int
main(void)
{
	test_post();
	test_codes();
	test_term();
	test_tail();
	test_busy();
	test_lost(FB_LOSE, "a lost answer");
	test_lost(FB_CUT, "a connection that is cut");
	test_lost(FB_HALF, "half an answer");
	test_hints();
	test_stranger();
	test_fetch();
	test_urgent();
	test_goodbye();
	test_refused();
	test_order();
	test_lost_fetch(FB_LOSE, "a lost answer");
	test_lost_fetch(FB_CUT, "a connection that is cut");
	test_lost_fetch(FB_HALF, "half an answer");
	test_detached();
	test_resumed();
	test_uploads();
	test_uploads_beside();
	test_refused_parts();
	test_early_parts();
	test_restart();
	test_forgotten();
	test_silence();
	test_wrong_broker();
	test_roster();
	test_two();
	test_others_upload();
	test_threads();
	test_close();
	return tap_done();
}

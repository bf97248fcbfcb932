/* SPDX-License-Identifier: ISC */
/*
 * What is live and what is of an exercise, in one broker, by hands that do not
 * keep to it: a device that moves from one to the other with its link open,
 * bodies put for exercises without number, the longest names there are, and
 * receipts that are sent once more.
 */
#include "broker/exercise.h"
#include "broker/intake.h"
#include "broker/relay_impl.h"
#include "broker/value.h"
#include "tests/lib/rig.h"
#include "tests/lib/tap.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXERCISE "Acid.2026"

static struct fixture fed;
static struct broker *sg;
static struct desk live;
static uint64_t chain;
static uint8_t last[ID_LEN];

/* A device to come, or what becomes of one that is. */
struct move {
	const char *label;
	const char *exercise;
};

static void
change(struct keys *k, void *arg)
{
	const struct move *m = arg;
	size_t i;

	for (i = 0; i < k->ndevice; i++)
		if (strcmp(k->device[i].name, m->label) == 0)
			break;
	if (i == k->ndevice)
		fixture_add_device(k, m->label, KEYS_OFFICER, m->exercise);
	else
		snprintf(k->device[i].exercise, sizeof(k->device[i].exercise),
		    "%s", m->exercise);
}

static void
move(const char *label, const char *exercise)
{
	struct move m = { label, exercise };

	fixture_next_keys(&fed, 0, change, &m);
	if (intake_install(sg, STORE_KEYS, buf_span(&fed.keys_file[0])) !=
	    TOCSIN_OK)
		abort();
}

static void
post_live(struct fx_ticket *t)
{
	chain++;
	fixture_ticket(t, &fed, "singcert@sg/desk1", "singcert@sg", chain,
	    chain == 1 ? NULL : last, NULL, NULL);
	memcpy(last, t->id, ID_LEN);
	if (desk_post(&live, t, NULL) != TOCSIN_OK)
		abort();
}

/* ---- a device that moves ---- */

static size_t
tickets(struct desk *d, enum tocsin_err *err)
{
	struct msg_fetch m = { .max_bytes = 60000 };
	struct msg_entries *e = xmalloc(sizeof(*e));
	struct buf rest = { 0 };
	size_t n, found = 0;

	*err = desk_fetch(d, &m, &rest, e);
	for (n = 0; !*err && n < e->n; n++)
		found += e->entry[n].kind == STORE_TICKET;
	buf_release(&rest);
	free(e);
	return found;
}

/* Waits for what comes next in the link's mailbox. */
static void
park(struct desk *d, struct flight *a)
{
	struct msg_fetch wait = { 0, UINT64_MAX, MSG_WAIT_MAX, MSG_MAX };
	struct buf request = { 0 };

	msg_fetch_encode(&request, &wait);
	desk_begin(d, a, buf_span(&request));
	buf_release(&request);
}

static void
test_moved(const char *from, const char *to)
{
	struct buf rest = { 0 };
	struct fx_ticket t;
	struct flight a;
	struct desk d;
	enum tocsin_err err;

	move("mover", from);
	desk_open(&d, &fed, "sg", "singcert@sg/mover");
	(void)tickets(&d, &err);
	is_int(err, TOCSIN_OK, "a device reads, %s",
	    *from ? "of an exercise" : "live");
	park(&d, &a);
	move("mover", to);
	post_live(&t);
	err = desk_end(&d, &a, &rest);
	ok(err != TOCSIN_OK || memmem(rest.p, rest.n, t.note.p, t.note.n) == 0,
	    "it moves, and what it waits for does not bring it what is live");
	(void)tickets(&d, &err);
	is_int(err, TOCSIN_ENOTFOUND, "its link has ended");
	desk_close(&d);
	desk_open(&d, &fed, "sg", "singcert@sg/mover");
	is_int((long long)tickets(&d, &err), *to ? 0 : (long long)chain,
	    "over a new one it sees what it may");
	desk_close(&d);
	buf_release(&rest);
	fx_ticket_release(&t);
}

/* ---- bodies that no ticket names ---- */

static enum tocsin_err
stage(struct desk *d, const char *text)
{
	struct msg_put m = { .total = strlen(text), .bytes = span_of(text) };
	struct buf request = { 0 }, rest = { 0 };
	enum tocsin_err err;

	crypto_hash_sha256(m.hash, m.bytes.p, m.bytes.n);
	msg_put_encode(&request, &m);
	err = desk_ask(d, buf_span(&request), &rest);
	buf_release(&request);
	buf_release(&rest);
	return err;
}

static unsigned
staged_in(const char *exercise, unsigned tries)
{
	char text[64];
	unsigned i, n = 0;
	struct desk d;

	move("mover", exercise);
	desk_open(&d, &fed, "sg", "singcert@sg/mover");
	for (i = 0; i < tries; i++) {
		snprintf(text, sizeof(text), "%s %u", exercise, i);
		n += stage(&d, text) == TOCSIN_OK;
	}
	desk_close(&d);
	return n;
}

static void
test_staged(void)
{
	unsigned most = sg->conf.staged_max;

	is_int(staged_in(EXERCISE, most + 1), most,
	    "so many bodies are put in an exercise before any is named");
	is_int(staged_in("Another.1", 3), 0, "and none in another one");
	is_int(staged_in("", 3), 3, "which takes nothing from what is live");
}

/* ---- long names ---- */

static void
test_long_names(void)
{
	char label[LABEL_MAX + 1], exercise[EXERCISE_MAX + 1];
	char device[MEMBER_MAX + LABEL_MAX + 2];
	struct store_rx *rx;
	struct span value;
	struct desk d;

	memset(label, 'l', LABEL_MAX);
	label[LABEL_MAX] = '\0';
	memset(exercise, 'E', EXERCISE_MAX);
	exercise[EXERCISE_MAX] = '\0';
	snprintf(device, sizeof(device), "singcert@sg/%s", label);
	move(label, exercise);
	desk_open(&d, &fed, "sg", device);
	is_int(stage(&d, "with the longest names"), TOCSIN_EQUOTA,
	    "a device with the longest names is answered");
	desk_close(&d);
	/* The member's could be longer, too. */
	if (store_read(sg->store, &rx) != TOCSIN_OK)
		abort();
	memset(device, 'm', MEMBER_MAX);
	device[MEMBER_MAX] = '\0';
	is_int(
	    value_get(rx, &value, "cursor/%s/%s/%s", device, exercise, label),
	    TOCSIN_ENOTFOUND, "and its cursor would have a name");
	store_read_end(rx);
}

/* ---- receipts, once more ---- */

static void
in_exercise(struct ticket *t, void *arg)
{
	t->exercise = span_of(arg);
}

/* Receipts are made for what others sent: here for a recall of one's own. */
static void
recall_of_one(struct ticket *t, void *arg)
{
	t->kind = TICKET_RECALL;
	t->exercise = span_of(EXERCISE);
	t->has_thread = true;
	memcpy(t->thread, arg, ID_LEN);
	memcpy(t->ref[t->nref++], arg, ID_LEN);
}

static void
test_lanes(void)
{
	char exercise[EXERCISE_MAX + 1];
	struct fx_ticket t, r;
	struct store_entry e;
	struct store_rx *rx = NULL;
	struct desk d;
	uint64_t seq;

	move("play1", EXERCISE);
	desk_open(&d, &fed, "sg", "singcert@sg/play1");
	fixture_ticket(&t, &fed, "singcert@sg/play1", "singcert@sg", 1, NULL,
	    in_exercise, EXERCISE);
	fixture_ticket(&r, &fed, "singcert@sg/play1", "singcert@sg", 2, t.id,
	    recall_of_one, t.id);
	ok(desk_post(&d, &t, NULL) == TOCSIN_OK &&
		desk_post(&d, &r, NULL) == TOCSIN_OK &&
		store_read(sg->store, &rx) == TOCSIN_OK,
	    "a ticket of an exercise is recalled");
	seq = store_head(rx);
	ok(store_get(rx, seq, &e) == TOCSIN_OK && e.kind == STORE_RECEIPT &&
		exercise_of(exercise, rx, seq) == TOCSIN_OK &&
		strcmp(exercise, EXERCISE) == 0,
	    "the receipt for that is of the exercise");
	is_int(heal_lane(rx, seq), LANE_ROUTINE,
	    "sent once more it goes behind all that is live");
	ok(store_find(rx, t.id, &seq) == TOCSIN_OK &&
		store_mail_has(rx, span_of("singcert@sg/" EXERCISE), seq) &&
		!store_mail_has(rx, span_of("singcert@sg"), seq),
	    "none of it is in the live mailbox");
	store_read_end(rx);
	desk_close(&d);
	fx_ticket_release(&t);
	fx_ticket_release(&r);
}

/* ---- one part on both sides ---- */

struct with_part {
	const char *exercise;
	uint8_t hash[32];
};

static void
name_part(struct ticket *t, void *arg)
{
	const struct with_part *p = arg;

	t->exercise = span_of(p->exercise);
	t->npart = 1;
	t->part[0].size = 300;
	memcpy(t->part[0].hash, p->hash, 32);
}

/* Posted by the device whose chain is so long; its code. */
static enum tocsin_err
post_part(struct desk *d, const char *label, uint64_t *seq, uint8_t prev[32],
    struct with_part *p)
{
	char device[64];
	struct fx_ticket t;
	enum tocsin_err err;

	snprintf(device, sizeof(device), "singcert@sg/%s", label);
	fixture_ticket(&t, &fed, device, "singcert@sg", *seq + 1,
	    *seq > 0 ? prev : NULL, name_part, p);
	err = desk_post(d, &t, NULL);
	if (!err) {
		++*seq;
		memcpy(prev, t.id, 32);
	}
	fx_ticket_release(&t);
	return err;
}

static void
test_parts(void)
{
	struct with_part p = { "", { 1 } }, q = { "Part.1", { 2 } },
			 other = { "Part.2", { 2 } };
	uint8_t prev[2][32];
	uint64_t seq[2] = { 0 };
	struct desk one, two;

	move("one", "Part.1");
	move("two", "Part.2");
	desk_open(&one, &fed, "sg", "singcert@sg/one");
	desk_open(&two, &fed, "sg", "singcert@sg/two");
	is_int(post_part(&live, "desk1", &chain, last, &p), TOCSIN_OK,
	    "a live ticket names a part");
	p.exercise = "Part.1";
	is_int(post_part(&one, "one", &seq[0], prev[0], &p),
	    TOCSIN_EEXERCISEMISMATCH, "no exercise names it after that");
	is_int(post_part(&one, "one", &seq[0], prev[0], &q), TOCSIN_OK,
	    "an exercise names one of its own");
	is_int(post_part(&one, "one", &seq[0], prev[0], &q), TOCSIN_OK,
	    "and hands it on");
	is_int(post_part(&two, "two", &seq[1], prev[1], &other),
	    TOCSIN_EEXERCISEMISMATCH, "another exercise does not");
	q.exercise = "";
	is_int(post_part(&live, "desk1", &chain, last, &q), TOCSIN_OK,
	    "what is live is kept out by nobody");
	desk_close(&one);
	desk_close(&two);
}

int
main(void)
{
	if (sodium_init() < 0)
		return 1;
	fixture_init(&fed, "sg my");
	sg = rig_broker(&fed, "sg", NULL, NULL);
	desk_open(&live, &fed, "sg", "singcert@sg/desk1");
	test_moved(EXERCISE, "");
	test_moved("", EXERCISE);
	test_staged();
	test_long_names();
	test_lanes();
	test_parts();
	desk_close(&live);
	broker_free(sg);
	fixture_release(&fed);
	return tap_done();
}

/* SPDX-License-Identifier: ISC */
/* What is erased, when, and what is said about it then. */
#include "broker/retain.h"
#include "broker/intake.h"
#include "tests/lib/rig.h"
#include "tests/lib/tap.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct fixture fed;

/* The time of everything is over at once; *arg is keep_unread. */
static void
keep_nothing(struct broker_config *c, void *arg)
{
	c->keep[0] = (struct retain_rule){ .seconds = 0 };
	c->nkeep = 1;
	c->keep_unread = *(int64_t *)arg;
}

static enum tocsin_err
get_body(struct desk *d, const struct fx_ticket *t)
{
	struct msg_get m = { .max = 100 };
	struct buf request = { 0 }, rest = { 0 };
	enum tocsin_err err;

	memcpy(m.id, t->id, sizeof(m.id));
	crypto_hash_sha256(m.hash, t->body.p, t->body.n);
	msg_get_encode(&request, &m);
	err = desk_ask(d, buf_span(&request), &rest);
	buf_release(&request);
	buf_release(&rest);
	return err;
}

static enum tocsin_err
proof(struct desk *d, const struct fx_ticket *t)
{
	struct buf request = { 0 }, rest = { 0 };
	enum tocsin_err err;

	buf_u8(&request, MSG_PROOF);
	buf_add(&request, SPAN(t->id));
	err = desk_ask(d, buf_span(&request), &rest);
	buf_release(&request);
	buf_release(&rest);
	return err;
}

/* All that there is, and that all up to `acked` is safe here. */
static size_t
fetch(struct desk *d, uint64_t acked)
{
	struct msg_fetch m = { .acked = acked, .max_bytes = 60000 };
	struct msg_entries got;
	struct buf rest = { 0 };
	size_t n, tickets = 0;

	if (desk_fetch(d, &m, &rest, &got) != TOCSIN_OK)
		abort();
	for (n = 0; n < got.n; n++)
		tickets += got.entry[n].kind == STORE_TICKET;
	buf_release(&rest);
	return tickets;
}

/* Sweeps until the ticket is erased, or often enough to see that it is not. */
static bool
erases(struct broker *b, struct desk *d, const struct fx_ticket *t, int times)
{
	const struct timespec pause = { 0, 20000000 };

	while (get_body(d, t) != TOCSIN_EERASED) {
		if (times-- == 0)
			return false;
		retain_sweep(b);
		nanosleep(&pause, NULL); /* the writer's turn */
	}
	return true;
}

static void
test_read(void)
{
	int64_t for_ever = INT64_C(1) << 40;
	struct broker *my = rig_broker(&fed, "my", keep_nothing, &for_ever);
	struct fx_ticket t;
	struct desk d;
	uint64_t seq;

	desk_open(&d, &fed, "my", "mycert@my/desk1");
	fixture_ticket(
	    &t, &fed, "mycert@my/desk1", "mycert@my", 1, NULL, NULL, NULL);
	is_int(desk_post(&d, &t, &seq), TOCSIN_OK, "a ticket is posted");
	ok(!erases(my, &d, &t, 20), "it stays while nobody has fetched it");
	is_int((long long)fetch(&d, 0), 1, "it is fetched");
	(void)fetch(&d, seq);
	ok(erases(my, &d, &t, 1000),
	    "when that is acknowledged it goes, and get says why");
	is_int((long long)fetch(&d, 0), 0, "a fetch passes over it");
	is_int(proof(&d, &t), TOCSIN_OK, "that it was there is still proved");
	is_int(desk_post(&d, &t, &seq), TOCSIN_EDUPLICATE,
	    "posted again, it is a duplicate");
	is_int(store_verify(my->store, NULL, NULL, NULL), TOCSIN_OK,
	    "the store verifies");
	desk_close(&d);
	broker_free(my);
	fx_ticket_release(&t);
}

static void
test_unread(void)
{
	int64_t no_time = 0;
	struct broker *la = rig_broker(&fed, "la", keep_nothing, &no_time);
	struct fx_ticket t;
	struct desk d;
	uint64_t seq;

	desk_open(&d, &fed, "la", "lacert@la/desk1");
	fixture_ticket(
	    &t, &fed, "lacert@la/desk1", "singcert@sg", 1, NULL, NULL, NULL);
	is_int(desk_post(&d, &t, &seq), TOCSIN_OK,
	    "a ticket is posted that no peer takes");
	ok(erases(la, &d, &t, 1000),
	    "even so it goes when its last time is over");
	desk_close(&d);
	broker_free(la);
	fx_ticket_release(&t);
}

/* ---- two mailboxes of a member ---- */

#define EXERCISE "Acid.2026"

static void
add_player(struct keys *k, void *arg)
{
	(void)arg;
	fixture_add_device(k, "play1", KEYS_OFFICER, EXERCISE);
}

/* What was of the exercise is live from now on, under its old name. */
static void
make_live(struct keys *k, void *arg)
{
	size_t i;

	(void)arg;
	for (i = 0; i < k->ndevice; i++)
		k->device[i].exercise[0] = '\0';
}

static void
in_exercise(struct ticket *t, void *arg)
{
	t->exercise = span_of(arg);
}

/* A ticket of `whose` stays while only the other device reads. */
static void
test_past(struct broker *sg, struct desk *whose, struct desk *other,
    const struct fx_ticket *t, const char *what)
{
	uint64_t seq;

	is_int(desk_post(whose, t, &seq), TOCSIN_OK, "%s is posted", what);
	(void)fetch(other, 0);
	(void)fetch(other, seq);
	ok(!erases(sg, whose, t, 20), "%s stays while others get past it",
	    what);
	(void)fetch(whose, seq);
	ok(erases(sg, whose, t, 1000), "%s goes when its own have read it",
	    what);
}

static void
announce(struct broker *b)
{
	if (intake_install(b, STORE_KEYS, buf_span(&fed.keys_file[0])) !=
	    TOCSIN_OK)
		abort();
}

static void
test_exercise(void)
{
	int64_t for_ever = INT64_C(1) << 40;
	struct broker *sg = rig_broker(&fed, "sg", keep_nothing, &for_ever);
	struct fx_ticket t[3];
	struct desk live, play;
	uint64_t seq;
	unsigned i;

	fixture_next_keys(&fed, 0, add_player, NULL);
	announce(sg);
	for (i = 0; i < 3; i++)
		fixture_ticket(&t[i], &fed,
		    i == 1 ? "singcert@sg/play1" : "singcert@sg/desk1",
		    "singcert@sg", i == 2 ? 2 : 1, i == 2 ? t[0].id : NULL,
		    in_exercise, i == 1 ? EXERCISE : "");
	desk_open(&live, &fed, "sg", "singcert@sg/desk1");
	desk_open(&play, &fed, "sg", "singcert@sg/play1");
	test_past(sg, &live, &play, &t[0], "what is live");
	test_past(sg, &play, &live, &t[1], "what is of an exercise");

	is_int(desk_post(&live, &t[2], &seq), TOCSIN_OK, "one more is posted");
	(void)fetch(&play, seq);
	fixture_next_keys(&fed, 0, make_live, NULL);
	announce(sg);
	ok(!erases(sg, &live, &t[2], 20),
	    "a device that becomes live has not read what it got past before");
	desk_close(&play);
	desk_open(&play, &fed, "sg", "singcert@sg/play1");
	is_int((long long)fetch(&play, 0), 1, "it reads that");
	(void)fetch(&play, seq);
	ok(erases(sg, &live, &t[2], 1000), "and then it has");
	desk_close(&live);
	desk_close(&play);
	broker_free(sg);
	for (i = 0; i < 3; i++)
		fx_ticket_release(&t[i]);
}

int
main(void)
{
	if (sodium_init() < 0)
		return 1;
	fixture_init(&fed, "sg my la");
	test_read();
	test_unread();
	test_exercise();
	fixture_release(&fed);
	return tap_done();
}

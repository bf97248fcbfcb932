/* SPDX-License-Identifier: ISC */
/* Two brokers that count the items of a lane otherwise, and what is done. */
#include "broker/relay_impl.h"

#include "broker/log.h"
#include "tests/lib/rig.h"
#include "tests/lib/tap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct fixture fed;
static struct broker *sg;
static struct relay relay;
static struct relay_peer my = { .name = "my" };

struct change {
	struct job job;
	unsigned lane;
	unsigned add;  /* rows, of entry 1 */
	uint64_t trim; /* up to */
};

static enum tocsin_err
change_apply(struct job *job, struct batch *batch)
{
	struct change *c = (struct change *)job;
	enum tocsin_err err = TOCSIN_OK;
	unsigned i;

	for (i = 0; i < c->add && !err; i++) {
		struct store_out out = { .seq = 1 + i % 2 };

		err = store_out_add(batch->tx, span_of("my"), c->lane, &out);
	}
	if (!err && c->trim > 0)
		err =
		    store_out_trim(batch->tx, span_of("my"), c->lane, c->trim);
	return err;
}

/* Also waits for what was submitted before. */
static void
change(unsigned lane, unsigned add, uint64_t trim)
{
	struct change c = { .job = { .apply = change_apply },
		.lane = lane,
		.add = add,
		.trim = trim };

	if (writer_call(sg->writer, &c.job))
		abort();
}

/* The rows of a lane as text: "4:1 5:2", number and entry. */
static const char *
rows(unsigned lane)
{
	static char text[512];
	struct store_out out = { 0 };
	struct store_rx *rx;
	size_t n = 0;

	text[0] = '\0';
	if (store_read(sg->store, &rx))
		abort();
	while (
	    store_out_next(rx, span_of("my"), lane, out.n, &out) == TOCSIN_OK &&
	    n < sizeof(text) - 32)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%d:%d",
		    n > 0 ? " " : "", (int)out.n, (int)out.seq);
	store_read_end(rx);
	return text;
}

static enum tocsin_err
agree(unsigned lane, uint64_t item, uint64_t offset)
{
	struct msg_cursors at = { 0 };

	at.item[lane] = item;
	at.offset[lane] = offset;
	return count_agree(&relay, &my, &at, &at);
}

static void
test_behind(void)
{
	is_int(agree(3, 0, 0), TOCSIN_OK, "a peer that has nothing, at first");
	change(3, 5, 0);
	is_int(agree(3, 0, 0), TOCSIN_OK, "nor when five wait");
	is_int(agree(3, 5, 0), TOCSIN_OK, "and one that has all");
	change(3, 0, 3);
	is_int(agree(3, 3, 0), TOCSIN_OK, "what it has is forgotten");
	is_int(agree(3, 1, 0), TOCSIN_EBUSY, "it wants some of that again");
	change(3, 0, 0);
	is_str(rows(3), "2:2 3:1", "the rest has the numbers that it expects");
	is_int(agree(3, 1, 0), TOCSIN_OK, "and then we count alike");
	change(3, 0, 9);
	is_int(agree(3, 2, 0), TOCSIN_EBUSY, "so too when nothing waits");
	change(3, 0, 0);
	is_int(agree(3, 2, 0), TOCSIN_OK, "after that, too");
	change(3, 1, 0);
	is_str(rows(3), "3:1", "what comes next has the next number");
	change(3, 0, 9);
}

static void
test_ahead(void)
{
	change(0, 2, 0);
	is_int(agree(0, 10, 100), TOCSIN_EBUSY,
	    "a peer has what was never queued for it");
	change(0, 12, 0);
	is_str(rows(0),
	    "11:0 12:1 13:2 14:1 15:2 16:1 17:2 18:1 19:2 20:1 21:2 22:1 23:2 "
	    "24:1 25:2",
	    "all that waits comes after what it has, in order, and first one "
	    "that is no more");
	is_int(agree(0, 10, 100), TOCSIN_OK, "then we count alike");
}

/* One that says another number each time. */
static void
test_liar(void)
{
	struct msg_cursors at = { { 25 }, { 0 } }, from = { { 26 }, { 0 } };
	unsigned i, anew = 0;

	is_int(count_agree(&relay, &my, &at, &from), TOCSIN_EMALFORMED,
	    "a peer has in hand what was never queued for it");
	is_int(agree(0, UINT64_MAX, 0), TOCSIN_EMALFORMED,
	    "a number after which none would be left");
	is_int(agree(0, LANE_NUMBER_MAX, 0), TOCSIN_EMALFORMED,
	    "and the first such number");
	change(0, 0, 0);
	is_int(
	    agree(0, 25, 0), TOCSIN_OK, "for that, nothing is numbered anew");
	memset(&my.renumbered, 0, sizeof(my.renumbered));
	for (i = 0; i < 3 * PATIENCE_BURST; i++) {
		uint64_t to = 1000 * (uint64_t)(i + 1);

		if (agree(0, to, 0) != TOCSIN_EBUSY)
			break;
		change(0, 0, 0);
		anew += agree(0, to, 0) == TOCSIN_OK;
	}
	is_int((int)i, 3 * PATIENCE_BURST, "each lie is seen");
	is_int((int)anew, PATIENCE_BURST, "and few of them are followed");
}

int
main(void)
{
	log_open(-1, LOG_ERROR);
	fixture_init(&fed, "sg my");
	sg = rig_broker(&fed, "sg", NULL, NULL);
	relay.b = sg;
	change(0, 0, UINT64_MAX); /* our announcement; as if never queued */
	if (agree(0, 0, 0) == TOCSIN_OK)
		abort();
	change(0, 0, 0);
	test_behind();
	test_ahead();
	test_liar();
	broker_free(sg);
	fixture_release(&fed);
	nng_fini();
	return tap_done();
}

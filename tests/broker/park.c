/* SPDX-License-Identifier: ISC */
/* How many requests of one owner stay parked, whatever happens meanwhile. */
#include "broker/park.h"
#include "broker/dispatch.h"
#include "broker/log.h"
#include "tests/lib/rig.h"
#include "tests/lib/tap.h"

#include <sodium.h>
#include <stdatomic.h>
#include <unistd.h>

#define MOST 4
#define COUNT 10

static struct fixture fed;
static struct broker *sg;
static struct request request[COUNT];
static atomic_uint answered, looked;

static bool wait_on(struct request *r, enum park_why why);

static void
park(unsigned i, park_fn *answer)
{
	struct parks *p = sg->parks;

	request[i].b = sg;
	request_park(&request[i], span_of("an owner"), span_of("a key"), 600000,
	    parks_seen(p), answer);
}

static bool
wait_on(struct request *r, enum park_why why)
{
	(void)r;
	if (why == PARK_WOKEN)
		return false;
	answered++;
	return true;
}

/* While it is looked at, others come; then it stays. */
static bool
crowded(struct request *r, enum park_why why)
{
	unsigned i;

	if (why == PARK_WOKEN && looked++ == 0)
		for (i = MOST; i < 2 * MOST; i++)
			park(i, wait_on);
	return wait_on(r, why);
}

static bool
comes_to(atomic_uint *n, unsigned want)
{
	unsigned tries = 0;

	while (atomic_load(n) < want && tries++ < 20000)
		usleep(1000);
	return atomic_load(n) == want;
}

int
main(void)
{
	unsigned i;

	if (sodium_init() < 0)
		return 1;
	log_open(-1, LOG_ERROR);
	fixture_init(&fed, "sg my");
	sg = rig_broker(&fed, "sg", NULL, NULL);
	park(0, crowded);
	for (i = 1; i < MOST; i++)
		park(i, wait_on);
	is_int(parks_count(sg->parks), MOST, "as many are parked as may be");
	parks_wake_one(sg->parks, span_of("a key"));
	ok(comes_to(&answered, MOST),
	    "of those that come while one is looked at, each ends another");
	is_int(parks_count(sg->parks), MOST, "and no more stay");
	park(2 * MOST, wait_on);
	ok(comes_to(&answered, MOST + 1) && parks_count(sg->parks) == MOST,
	    "nor with another one");
	broker_free(sg);
	is_int(answered, 2 * MOST + 1, "at the end each has had its answer");
	fixture_release(&fed);
	return tap_done();
}

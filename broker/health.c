/* SPDX-License-Identifier: ISC */
#include "broker/health.h"

#include "broker/clock.h"
#include "broker/door.h"
#include "broker/log.h"
#include "broker/net_canary.h"
#include "broker/sp.h"

#include <stdlib.h>

#define PROBE_MS 2000

static _Noreturn void
give_up(const char *what)
{
	log_event(LOG_ERROR, "transport-stuck", LOG_Z("what", what), LOG_END);
	abort();
}

void
health_canary(struct health *h, unsigned tick)
{
	if (h->canary_ticks > 0 && net_canary_back())
		h->canary_ticks = 0;
	if (h->canary_ticks > 0 && ++h->canary_ticks > HEALTH_STUCK)
		give_up("reaper");
	if (tick % HEALTH_EVERY == 0 && h->canary_ticks == 0 &&
	    net_canary_send())
		h->canary_ticks = 1;
}

/* The ticks since the last one took a quarter longer than they should. */
static bool
is_late(const struct health *h)
{
	return h->looked != 0 &&
	       clock_ms() - h->looked > HEALTH_EVERY * HEALTH_TICK_MS * 5 / 4;
}

void
health_probe(struct health *h, const char *rpc, const char *relay)
{
	unsigned weight = is_late(h) ? 1 : HEALTH_ON_TIME;
	enum tocsin_err at_rpc = door_probe(rpc, SP_REQ, PROBE_MS);
	enum tocsin_err at_relay = door_probe(relay, SP_PUB, PROBE_MS);

	h->looked = clock_ms();
	if (!at_rpc && !at_relay)
		h->deaf = 0;
	else if ((h->deaf += weight) >= HEALTH_DEAF)
		give_up(at_rpc ? "rpc.ipc" : "relay.ipc");
	else
		log_event(LOG_WARN, "transport-deaf",
		    LOG_ERR(at_rpc ? at_rpc : at_relay), LOG_END);
}

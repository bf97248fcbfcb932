/* SPDX-License-Identifier: ISC */
/* How peers fare: what waits for each, from the store, beside what the thread
 * shows of itself. */
#include "broker/clock.h"
#include "broker/relay_impl.h"

#include <stdlib.h>
#include <string.h>

#define ITEMS_MAX 100000 /* counted */
#define SIZES_MAX 10000	 /* of which the bytes are */

static uint64_t
entry_of(struct store_rx *rx, const struct store_out *row)
{
	struct store_part part;

	if (row->seq > 0)
		return row->seq;
	return store_part_stat(rx, row->part, &part) == TOCSIN_OK
		   ? part.first_seq
		   : 0;
}

static uint64_t
bytes_of(struct store_rx *rx, const struct store_out *row)
{
	struct store_part part;
	struct store_entry e;

	if (row->seq == 0)
		return store_part_stat(rx, row->part, &part) == TOCSIN_OK
			   ? part.total
			   : 0;
	return store_get(rx, row->seq, &e) == TOCSIN_OK ? e.note.n + e.body.n
							: 0;
}

/* The first of a lane has waited longest in it. */
static void
first_of_lane(
    struct relay_status *s, struct store_rx *rx, const struct store_out *row)
{
	struct store_entry e;
	uint64_t seq = entry_of(rx, row);
	int64_t age;

	if (seq == 0 || store_get(rx, seq, &e) != TOCSIN_OK)
		return;
	age = clock_now() - e.time;
	if (age > s->oldest_s)
		s->oldest_s = age;
}

static void
look_lane(struct relay_status *s, struct store_rx *rx, unsigned lane)
{
	struct store_out row = { 0 };
	bool first = true;

	while (s->waiting < ITEMS_MAX && store_out_next(rx, span_of(s->peer),
					     lane, row.n, &row) == TOCSIN_OK) {
		if (first)
			first_of_lane(s, rx, &row);
		first = false;
		if (s->waiting++ < SIZES_MAX)
			s->waiting_bytes += bytes_of(rx, &row);
	}
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(((const struct relay_status *)a)->peer,
	    ((const struct relay_status *)b)->peer);
}

size_t
relay_status(struct relay *r, struct relay_status *out, size_t max)
{
	struct store_rx *rx;
	struct relay_peer *p;
	size_t n = 0, i;
	unsigned lane;

	pthread_mutex_lock(&r->lock);
	for (p = r->peers; p; p = p->next)
		if (p->shown.peer[0] != '\0' && n < max)
			out[n++] = p->shown;
	pthread_mutex_unlock(&r->lock);
	if (n > 0)
		qsort(out, n, sizeof(*out), by_name);
	for (i = 0; i < n; i++)
		relay_in_waste(
		    r->in, out[i].peer, &out[i].repeated, &out[i].unused);
	if (store_read(r->b->store, &rx) != TOCSIN_OK)
		return n;
	for (i = 0; i < n; i++)
		for (lane = 0; lane < LANE_COUNT; lane++)
			look_lane(&out[i], rx, lane);
	store_read_end(rx);
	return n;
}

/* SPDX-License-Identifier: ISC */
/* Pieces of a body, over a line that is this file. */
#include "client/ranges.h"
#include "tests/lib/tap.h"

#include <stdlib.h>
#include <string.h>

#define PIECE 1000

struct call {
	uint64_t offset;
	size_t n;
};

static struct world {
	uint8_t body[10 * PIECE];
	size_t have;	    /* of the body, at the broker */
	bool full;	    /* others have all of the line's room */
	unsigned out, most; /* calls, now and at a time */
	unsigned begun;
	unsigned down_after; /* 0: never */
} world;

bool
line_room(struct line *l, enum line_way way, size_t bytes)
{
	(void)l;
	(void)way;
	(void)bytes;
	return !world.full && world.out < 4;
}

size_t
line_piece(struct line *l, enum line_way way, size_t max)
{
	(void)l;
	(void)way;
	return max < PIECE ? max : PIECE;
}

struct call *
line_begin(struct line *l, struct span request, int timeout_ms)
{
	struct call *c;
	struct span body;
	struct msg_get m;

	(void)l;
	(void)timeout_ms;
	if (world.down_after > 0 && world.begun == world.down_after)
		return NULL;
	if (msg_op(request, &body) != MSG_GET ||
	    msg_get_decode(&m, body) != TOCSIN_OK)
		abort();
	c = calloc(1, sizeof(*c));
	if (c == NULL)
		abort();
	c->offset = m.offset;
	c->n = m.max;
	world.begun++;
	if (++world.out > world.most)
		world.most = world.out;
	return c;
}

enum tocsin_err
line_end(struct line *l, struct call *c, struct buf *fields, uint32_t *retry_ms)
{
	struct msg_range m = { .total = sizeof(world.body),
		.have = world.have };
	size_t end = (size_t)c->offset + c->n;

	*retry_ms = 0;
	if (end > world.have)
		end = world.have;
	if (end > c->offset)
		m.bytes = (struct span){ world.body + c->offset,
			end - (size_t)c->offset };
	msg_range_encode(fields, &m);
	line_drop(l, c);
	return TOCSIN_OK;
}

void
line_drop(struct line *l, struct call *c)
{
	(void)l;
	if (c == NULL)
		return;
	world.out--;
	free(c);
}

/* ---- what is got ---- */

static uint8_t got[sizeof(world.body)];
static size_t ngot;

static enum tocsin_err
take(void *arg, struct span bytes)
{
	(void)arg;
	memcpy(got + ngot, bytes.p, bytes.n);
	ngot += bytes.n;
	return TOCSIN_OK;
}

static enum tocsin_err
get(struct sync_range *r)
{
	*r = (struct sync_range){ .total = sizeof(world.body), .take = take };
	ngot = 0;
	world.begun = world.most = 0;
	return ranges_get(NULL, r, 1000);
}

static bool
all_is_here(void)
{
	return ngot == sizeof(world.body) && memcmp(got, world.body, ngot) == 0;
}

int
main(void)
{
	struct sync_range r;
	size_t i;

	for (i = 0; i < sizeof(world.body); i++)
		world.body[i] = (uint8_t)(i * 7 >> 3);
	world.have = sizeof(world.body);
	ok(get(&r) == TOCSIN_OK && all_is_here(), "a body is got in pieces");
	is_int(world.most, 4, "of which several are on the way");
	world.full = true;
	ok(get(&r) == TOCSIN_OK && all_is_here(),
	    "also while others have all of the line's room");
	is_int(world.most, 1, "with one of ours on the way");
	world.full = false;
	world.have = 3 * PIECE + 10;
	is_int(get(&r), TOCSIN_ENOTFOUND, "what is not there yet ends it");
	is_int((long long)r.offset, 3 * PIECE + 10, "behind what is");
	world.have = sizeof(world.body);
	world.down_after = 2;
	is_int(get(&r), TOCSIN_EUNAVAILABLE, "so does the end of the link");
	is_int((long long)r.offset, 2 * PIECE, "behind what came");
	is_int(world.out, 0, "nothing is left out");
	return tap_done();
}

/* SPDX-License-Identifier: ISC */
#include "client/order.h"

#include <stdlib.h>
#include <string.h>

/* More at one time is a forged circle, which must come to an end as well. */
#define DEPTH_MAX 1000

/* Message `to` comes after message `from`. */
struct edge {
	size_t from, to;
};

struct ordering {
	const struct ladder_message *m;
	size_t n;
	const struct ladder_message **by_id, **by_device; /* sorted */
	struct edge *edge;
	size_t nedge;
	struct moment *moment;
};

static int
compare_ids(const void *a, const void *b)
{
	return strcmp((*(const struct ladder_message *const *)a)->id,
	    (*(const struct ladder_message *const *)b)->id);
}

static int
compare_chain(const void *a, const void *b)
{
	const struct ladder_message *x =
	    *(const struct ladder_message *const *)a;
	const struct ladder_message *y =
	    *(const struct ladder_message *const *)b;
	int way = strcmp(x->device, y->device);

	if (way != 0)
		return way;
	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

static void
add_edge(struct ordering *o, const struct ladder_message *from,
    const struct ladder_message *to)
{
	o->edge[o->nedge++] =
	    (struct edge){ (size_t)(from - o->m), (size_t)(to - o->m) };
}

static size_t
count_references(const struct ladder_message *m)
{
	size_t n = 0;

	while (m->ref != NULL && m->ref[n] != NULL)
		n++;
	return n;
}

/* What it refers to, as far as it is here. */
static void
add_references(struct ordering *o, const struct ladder_message *to)
{
	size_t i, n = count_references(to);

	for (i = 0; i < n; i++) {
		const struct ladder_message want = { .id = to->ref[i] };
		const struct ladder_message *key = &want, **from;

		from = bsearch(
		    &key, o->by_id, o->n, sizeof(*o->by_id), compare_ids);
		if (from != NULL && strcmp((*from)->id, to->id) != 0)
			add_edge(o, *from, to);
	}
}

/* The one before it of its device; i counts in by_device. */
static void
add_chain(struct ordering *o, size_t i)
{
	const struct ladder_message *to = o->by_device[i], *from;

	while (to->seq > 0 && i-- > 0) {
		from = o->by_device[i];
		if (strcmp(from->device, to->device) != 0 || from->seq == 0)
			return;
		if (from->seq < to->seq) { /* else the same, once more */
			add_edge(o, from, to);
			return;
		}
	}
}

static bool
is_before(const struct moment *a, const struct moment *b)
{
	return a->time != b->time ? a->time < b->time : a->depth < b->depth;
}

/* The least moments that agree with all edges: they are the same whatever the
 * order in which edges are looked at. */
static void
settle(struct ordering *o)
{
	bool moved;
	size_t i;

	do {
		moved = false;
		for (i = 0; i < o->nedge; i++) {
			struct moment least = o->moment[o->edge[i].from];
			struct moment *to = &o->moment[o->edge[i].to];

			if (least.depth < DEPTH_MAX)
				least.depth++;
			if (is_before(to, &least)) {
				*to = least;
				moved = true;
			}
		}
	} while (moved);
}

enum tocsin_err
order_moments(struct moment **out, const struct ladder_message *m, size_t n)
{
	struct ordering o = { .m = m, .n = n };
	enum tocsin_err err = TOCSIN_EINTERNAL;
	size_t i, most = n + 1;

	for (i = 0; i < n; i++)
		most += count_references(&m[i]);
	o.by_id = calloc(n + 1, sizeof(*o.by_id));
	o.by_device = calloc(n + 1, sizeof(*o.by_device));
	o.edge = calloc(most, sizeof(*o.edge));
	o.moment = calloc(n + 1, sizeof(*o.moment));
	if (o.by_id == NULL || o.by_device == NULL || o.edge == NULL ||
	    o.moment == NULL)
		goto out;
	for (i = 0; i < n; i++) {
		o.by_id[i] = o.by_device[i] = &m[i];
		o.moment[i].time = m[i].time;
	}
	qsort(o.by_id, n, sizeof(*o.by_id), compare_ids);
	qsort(o.by_device, n, sizeof(*o.by_device), compare_chain);
	for (i = 0; i < n; i++) {
		add_references(&o, &m[i]);
		add_chain(&o, i);
	}
	settle(&o);
	*out = o.moment;
	o.moment = NULL;
	err = TOCSIN_OK;
out:
	free(o.by_id);
	free(o.by_device);
	free(o.edge);
	free(o.moment);
	return err;
}

/* What asks comes before what answers, and a close last. */
static size_t
rank(const char *kind)
{
	static const char *const kinds[] = { "report", "request", "query",
		"share", "escalate", "update", "ack", "result", "recall",
		"close", "reopen" };
	size_t i, n = sizeof(kinds) / sizeof(kinds[0]);

	for (i = 0; i < n && strcmp(kinds[i], kind) != 0; i++)
		;
	return i;
}

bool
order_after(const struct ladder_message *a, const struct moment *at,
    const struct ladder_message *b, const struct moment *bt)
{
	size_t ra = rank(a->kind), rb = rank(b->kind);

	if (is_before(at, bt) || is_before(bt, at))
		return is_before(bt, at);
	return ra != rb ? ra > rb : strcmp(a->id, b->id) > 0;
}

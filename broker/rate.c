/* SPDX-License-Identifier: ISC */
#include "broker/rate.h"

#include "broker/store.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 1024

struct rate {
	struct rate *next;
	int64_t at_ms; /* when `tokens` was right */
	double tokens;
	size_t n;
	uint8_t member[];
};

struct rates {
	unsigned rate;
	unsigned burst;
	pthread_mutex_t lock;
	struct rate *bucket[BUCKETS];
};

struct rates *
rates_new(unsigned rate, unsigned burst)
{
	struct rates *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->rate = rate;
	r->burst = burst > 0 ? burst : 1;
	pthread_mutex_init(&r->lock, NULL);
	return r;
}

void
rates_free(struct rates *r)
{
	struct rate *next;
	size_t i;

	if (!r)
		return;
	for (i = 0; i < BUCKETS; i++) {
		for (; r->bucket[i]; r->bucket[i] = next) {
			next = r->bucket[i]->next;
			free(r->bucket[i]);
		}
	}
	pthread_mutex_destroy(&r->lock);
	free(r);
}

static struct rate **
find(struct rates *r, struct span member)
{
	uint32_t h = 2166136261;
	struct rate **at;
	size_t i;

	for (i = 0; i < member.n; i++)
		h = (h ^ member.p[i]) * 16777619;
	at = &r->bucket[(h ^ h >> 16) % BUCKETS];
	while (
	    *at && !span_eq((struct span){ (*at)->member, (*at)->n }, member))
		at = &(*at)->next;
	return at;
}

static struct rate *
rate_new(const struct rates *r, struct span member, int64_t now_ms)
{
	struct rate *x = calloc(1, sizeof(*x) + member.n);

	if (!x)
		return NULL;
	x->at_ms = now_ms;
	x->tokens = r->burst;
	x->n = member.n;
	memcpy(x->member, member.p, member.n);
	return x;
}

static bool
take(const struct rates *r, struct rate *x, size_t n, int64_t now_ms,
    uint32_t *retry_ms)
{
	double want = n < r->burst ? (double)n : r->burst;

	x->tokens += (double)(now_ms - x->at_ms) * r->rate / 1000;
	x->at_ms = now_ms;
	if (x->tokens > r->burst)
		x->tokens = r->burst;
	if (x->tokens < want) {
		*retry_ms = (uint32_t)((want - x->tokens) * 1000 / r->rate) + 1;
		return false;
	}
	x->tokens -= want;
	return true;
}

bool
rate_take(struct rates *r, struct span member, size_t n, int64_t now_ms,
    uint32_t *retry_ms)
{
	struct rate **at;
	bool good = true;

	*retry_ms = 0;
	if (r->rate == 0 || member.n == 0)
		return true;
	pthread_mutex_lock(&r->lock);
	at = find(r, member);
	if (!*at)
		*at = rate_new(r, member, now_ms);
	if (*at)
		good = take(r, *at, n, now_ms, retry_ms);
	pthread_mutex_unlock(&r->lock);
	return good;
}

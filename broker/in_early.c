/* SPDX-License-Identifier: ISC */
#include "broker/in_early.h"

#include "broker/answers.h"
#include "broker/clock.h"
#include "broker/in_judge.h"
#include "broker/item.h"
#include "broker/relay.h"

/* From its header; whether it is good is judged afterwards. */
static bool
uses_reserve(const struct in_item *it)
{
	struct item_entry e;
	struct ticket t;
	struct note n;

	if (item_entry_parse(&e, buf_span(&it->bytes)) != TOCSIN_OK)
		return false;
	if (it->kind != STORE_TICKET)
		return !e.gone;
	return ticket_parse(&t, &n, e.note) == TOCSIN_OK && t.exercise.n == 0 &&
	       answers_is(&t, e.note.n + e.body.n);
}

/* Without the cursor. */
static enum tocsin_err
early_apply(struct job *job, struct batch *batch)
{
	struct in_item *it = (struct in_item *)job;
	uint64_t seq;

	return intake_apply(it->in, batch, &seq);
}

#define AGAIN_MS 1000

/* Its turn may have come meanwhile; then it is tried at once. */
static void
early_done(struct job *job, enum tocsin_err err)
{
	struct in_item *it = (struct in_item *)job;
	struct in_peer *p = it->peer;

	pthread_mutex_lock(&p->lock);
	it->early = err == TOCSIN_OK || err == TOCSIN_EDUPLICATE;
	it->state = ITEM_WAITS;
	it->retry_at = it->early ? 0 : clock_ms() + AGAIN_MS;
	pthread_mutex_unlock(&p->lock);
	relay_poke(p->in->b->relay);
}

/* Under the lock: the next behind `at` that was not looked at, taken. */
static struct in_item *
next_early(struct in_item *at, int64_t now_ms)
{
	for (; at; at = at->next)
		if (at->state == ITEM_WAITS && !at->early && !at->ordinary &&
		    at->retry_at <= now_ms) {
			at->state = ITEM_JUDGED;
			return at;
		}
	return NULL;
}

/* False: it is as it was. */
static bool
send_early(struct in_item *it, bool no_room)
{
	it->ordinary = no_room && !uses_reserve(it);
	if (it->pass || it->ordinary || in_judge_early(it) != TOCSIN_OK)
		return false;
	it->job = (struct job){ .weight = it->bytes.n + 256,
		.posts = 1,
		.apply = early_apply,
		.done = early_done };
	pthread_mutex_lock(&it->peer->lock);
	it->state = ITEM_SENT;
	pthread_mutex_unlock(&it->peer->lock);
	return writer_submit(it->peer->in->b->writer, &it->job) == TOCSIN_OK;
}

void
in_early_run(struct in_peer *p, unsigned lane)
{
	struct in_item *it, *next;
	bool sent, no_room;

	if (lane == LANE_BULK)
		return;
	pthread_mutex_lock(&p->lock);
	it = p->lane[lane].first;
	no_room = it && it->no_room;
	it = no_room || (it && it->held) ? next_early(it->next, clock_ms())
					 : NULL;
	while (it) {
		/* Nobody takes it off the list while it is ours. */
		next = it->next;
		pthread_mutex_unlock(&p->lock);
		sent = send_early(it, no_room);
		pthread_mutex_lock(&p->lock);
		if (!sent) {
			it->state = ITEM_WAITS;
			it->retry_at = clock_ms() + AGAIN_MS;
		}
		it = next_early(next, clock_ms());
	}
	pthread_mutex_unlock(&p->lock);
}

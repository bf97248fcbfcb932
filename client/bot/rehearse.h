/* SPDX-License-Identifier: ISC */
/*
 * rehearse.h - what rules would have done
 *
 * Each ticket of the desk is lived through once more, from `since` to now, with
 * the time that the rules see going from one event or timer to the next. What
 * they would have done is noted as if it had been done; a member to whom they
 * would have escalated never answers. Nothing is written, run or sent.
 */
#ifndef TOCSIN_CLIENT_BOT_REHEARSE_H
#define TOCSIN_CLIENT_BOT_REHEARSE_H

#include "client/bot/plan.h"
#include "client/handle.h"

struct rehearsed {
	int64_t at;
	const struct facts *f;
	const struct plan_timer *t;
};

struct rehearsal {
	struct tocsin *t;
	const struct rules *rules;
	struct plan_self self;
	int64_t since, now;
	void (*did)(void *arg, const struct rehearsed *r);
	void *arg;
	size_t tickets; /* that were looked at */
};

enum tocsin_err MUST_USE rehearse(struct rehearsal *r);

#endif

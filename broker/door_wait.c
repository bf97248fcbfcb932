/* SPDX-License-Identifier: ISC */
/* What connections wait for, in lists by the time of the beginning. */
#include "broker/door_impl.h"

#include <assert.h>
#include <stddef.h>

static void
list_init(struct list *l)
{
	l->prev = l->next = l;
}

static void
list_remove(struct list *l)
{
	l->prev->next = l->next;
	l->next->prev = l->prev;
	list_init(l);
}

static void
list_append(struct list *head, struct list *l)
{
	l->prev = head->prev;
	l->next = head;
	head->prev->next = l;
	head->prev = l;
}

void
timer_stop(struct door *d, struct timer *t)
{
	if (t->on) {
		list_remove(&t->at);
		d->waiting[t->wait]--;
	}
	t->on = false;
}

void
timer_start(struct door *d, struct timer *t, enum wait wait)
{
	timer_stop(d, t);
	t->wait = wait;
	t->since = d->now;
	t->on = true;
	d->waiting[wait]++;
	list_append(&d->waits[wait], &t->at);
}

struct timer *
timer_oldest(struct door *d, enum wait wait)
{
	struct list *head = &d->waits[wait];

	static_assert(offsetof(struct timer, at) == 0, "a cast finds it");
	return head->next == head ? NULL : (struct timer *)head->next;
}

void
timer_lists(struct door *d)
{
	int w;

	for (w = 0; w < W_COUNT; w++)
		list_init(&d->waits[w]);
}

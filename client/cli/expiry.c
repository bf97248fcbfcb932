/* SPDX-License-Identifier: ISC */
#include "client/cli/expiry.h"

#include "client/cli/cli.h"
#include "client/handle.h"

#define AHEAD 30 /* days */
#define LOUDER 7
#define DAY 86400

/* How many are left, counted up; 31 for more than 30, 0 when it is over. */
static unsigned
days_left(int64_t end, int64_t now)
{
	int64_t left = end - now;

	if (left <= 0)
		return 0;
	return left > (int64_t)AHEAD * DAY ? AHEAD + 1
					   : (unsigned)((left + DAY - 1) / DAY);
}

static void
warn(const char *what, int64_t end, int64_t now, const char *remedy)
{
	unsigned days = days_left(end, now);

	if (days > AHEAD)
		return;
	if (days == 0)
		cli_note("WARNING: %s has ended, and nothing can be sent; %s",
		    what, remedy);
	else if (days == 1)
		cli_note("WARNING: %s ends within a day, and then nothing can "
			 "be sent; %s",
		    what, remedy);
	else
		cli_note("%s%s ends within %u days; %s",
		    days <= LOUDER ? "WARNING: " : "", what, days, remedy);
}

/* Nobody can seal to us without a recipient that is in force. */
static int64_t
end_of(const struct keys *k)
{
	int64_t last = 0;
	size_t i;

	if (k == NULL)
		return 0;
	for (i = 0; i < k->nrecipient; i++)
		if (k->recipient[i].notafter > last)
			last = k->recipient[i].notafter;
	return last < k->expires ? last : k->expires;
}

void
expiry_warn(struct tocsin *t, int64_t now)
{
	int64_t roster = 0, keys = 0;

	pthread_mutex_lock(&t->lock);
	if (t->belief.roster != NULL) {
		roster = t->belief.roster->expires;
		keys = end_of(
		    belief_keys(&t->belief, span_of(t->parts.keys->member)));
	}
	pthread_mutex_unlock(&t->lock);
	if (roster != 0)
		warn("the roster", roster, now,
		    "the authorities must sign the next one, which comes by "
		    "itself");
	if (keys != 0)
		warn("the announcement of your team's keys", keys, now,
		    "whoever has its root key runs `tocsin keys publish`");
}

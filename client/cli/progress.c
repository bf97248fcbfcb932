/* SPDX-License-Identifier: ISC */
#include "client/cli/progress.h"

#include "client/backoff.h"
#include "client/cli/print.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SECOND 1000
#define AGAIN_MS 500
#define WIDTH 79

void
progress_begin(struct progress *p)
{
	*p = (struct progress){ .tty = isatty(STDERR_FILENO) };
}

static struct progress_mark *
newest(struct progress *p)
{
	return &p->mark[(p->first + p->n - 1) % PROGRESS_MARKS];
}

/* One mark a second; the newest is moved within it. */
void
progress_note(struct progress *p, int64_t now, uint64_t done, uint64_t total)
{
	struct progress_mark *last = newest(p);

	/* Another transfer, or one that began again. */
	if (p->n > 0 && (total != p->total || done < last->done))
		p->n = 0;
	p->total = total;
	if (p->n > 1 &&
	    now - p->mark[(p->first + p->n - 2) % PROGRESS_MARKS].at < SECOND) {
		*last = (struct progress_mark){ now, done };
		return;
	}
	if (p->n == PROGRESS_MARKS)
		p->first = (p->first + 1) % PROGRESS_MARKS;
	else
		p->n++;
	*newest(p) = (struct progress_mark){ now, done };
}

static void
time_left(char out[32], uint64_t seconds)
{
	if (seconds < 120)
		snprintf(out, 32, "%llu s", (unsigned long long)seconds);
	else if (seconds < 7200)
		snprintf(out, 32, "%llu min",
		    (unsigned long long)(seconds + 59) / 60);
	else if (seconds < 48 * 3600)
		snprintf(out, 32, "%llu h %llu min",
		    (unsigned long long)seconds / 3600,
		    (unsigned long long)(seconds % 3600 + 59) / 60);
	else
		snprintf(out, 32, "%llu days",
		    (unsigned long long)(seconds / 86400 + 1));
}

/* What is not yet a KiB is no KiB; what is begun of the whole counts. */
void
progress_text(char out[96], const struct progress *p)
{
	const struct progress_mark *from = &p->mark[p->first];
	const struct progress_mark *to =
	    &p->mark[(p->first + p->n + PROGRESS_MARKS - 1) % PROGRESS_MARKS];
	int64_t ms = to->at - from->at;
	uint64_t rate = 0;
	char left[32];
	int n;

	n = p->things ? snprintf(out, 96, "%llu of %llu",
			    (unsigned long long)to->done,
			    (unsigned long long)p->total)
		      : snprintf(out, 96, "%llu of %llu KiB",
			    (unsigned long long)(to->done >> 10),
			    (unsigned long long)((p->total + 1023) >> 10));
	if (ms < SECOND || to->done >= p->total)
		return;
	rate = (to->done - from->done) * SECOND / (uint64_t)ms;
	if (rate == 0) {
		snprintf(out + n, 96 - (size_t)n, ", nothing comes now");
		return;
	}
	time_left(left, (p->total - to->done + rate - 1) / rate);
	if (p->things)
		snprintf(out + n, 96 - (size_t)n, ", %s left", left);
	else
		snprintf(out + n, 96 - (size_t)n, ", %llu KiB/s, %s left",
		    (unsigned long long)((rate + 1023) >> 10), left);
}

void
progress_show(
    struct progress *p, const char *what, uint64_t done, uint64_t total)
{
	int64_t now = backoff_now();
	char text[96];

	if (!p->tty)
		return;
	progress_note(p, now, done, total);
	if (p->shown && now - p->printed < AGAIN_MS && done < total)
		return;
	progress_text(text, p);
	fprintf(stderr, "\r%*s\r  ", WIDTH, "");
	safe_title(stderr, what, 36);
	fprintf(stderr, "  %s", text);
	fflush(stderr);
	p->printed = now;
	p->shown = true;
}

void
progress_wipe(struct progress *p)
{
	if (!p->shown)
		return;
	fprintf(stderr, "\r%*s\r", WIDTH, "");
	fflush(stderr);
	p->shown = false;
}

/* SPDX-License-Identifier: ISC */
#include "client/cli/flight.h"

#include "client/cli/commit.h"
#include "client/cli/lines.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define WANTED                                                                \
	"stdin: a line is {\"commit\":N}, or {\"aside\":N,\"why\":\"...\"}, " \
	"of a "                                                               \
	"number that was printed"

struct flight {
	struct tocsin *t;
	const char *reader;
	struct lines in;
	int stop;
	pthread_t thread;

	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t changed;
	uint64_t given[FLIGHT_MAX]; /* in the order in which they were */
	unsigned n, window;
	uint64_t done; /* the highest that was committed */
	bool over;
	enum tocsin_err err;
	char why[512];
};

static void
end_with(struct flight *f, enum tocsin_err err, const char *why)
{
	pthread_mutex_lock(&f->lock);
	f->over = true;
	f->err = err;
	snprintf(f->why, sizeof(f->why), "%s", why);
	pthread_cond_broadcast(&f->changed);
	pthread_mutex_unlock(&f->lock);
}

/* How many are committed by it; 0: it was before, or was never given. */
static unsigned
covers(struct flight *f, uint64_t number, uint64_t *first, bool *known)
{
	unsigned i;

	pthread_mutex_lock(&f->lock);
	for (i = 0; i < f->n && f->given[i] != number; i++)
		;
	i = i < f->n ? i + 1 : 0;
	*known = i > 0 || number <= f->done;
	/* One that was aside is given alone, and has an older number. */
	*first = f->n > 0 && f->given[0] <= f->done ? f->given[0] : number;
	pthread_mutex_unlock(&f->lock);
	return i;
}

static void
land(struct flight *f, unsigned n, uint64_t number)
{
	pthread_mutex_lock(&f->lock);
	f->n -= n;
	memmove(f->given, f->given + n, f->n * sizeof(f->given[0]));
	if (f->done < number)
		f->done = number;
	pthread_cond_broadcast(&f->changed);
	pthread_mutex_unlock(&f->lock);
}

/* All before it are done with, and this one is, or is set aside. */
static enum tocsin_err
step(struct flight *f, const struct commit_line *w, uint64_t first)
{
	enum tocsin_err err = TOCSIN_OK;

	if (first != w->number)
		err = tocsin_commit(f->t, f->reader, first);
	if (err == TOCSIN_OK && w->why != NULL)
		return tocsin_set_aside(f->t, f->reader, w->number, w->why);
	return err == TOCSIN_OK ? tocsin_commit(f->t, f->reader, w->number)
				: err;
}

static bool
commit(struct flight *f, const struct commit_line *w)
{
	enum tocsin_err err = TOCSIN_OK;
	uint64_t first;
	char why[128];
	bool known;
	unsigned n = covers(f, w->number, &first, &known);

	if (!known) {
		snprintf(why, sizeof(why),
		    "stdin: message %llu was not given, so it is not %s",
		    (unsigned long long)w->number,
		    w->why != NULL ? "set aside" : "committed");
		end_with(f, TOCSIN_EUSAGE, why);
		return false;
	}
	if (n > 0)
		err = step(f, w, first);
	if (err != TOCSIN_OK) {
		end_with(f, err, tocsin_error(f->t));
		return false;
	}
	land(f, n, w->number);
	return true;
}

static bool
take(struct flight *f, enum lines_got got, struct span line)
{
	struct commit_line w;
	bool good;

	switch (got) {
	case LINES_ONE:
		if (line.n == 0)
			return true;
		good = commit_line_parse(&w, line);
		if (good)
			good = commit(f, &w);
		else if (f->in.taken == line.n) /* its writer died within */
			end_with(f, TOCSIN_OK, "");
		else
			end_with(f, TOCSIN_EUSAGE, WANTED);
		commit_line_release(&w);
		return good;
	case LINES_LONG:
		break;
	case LINES_FAILED:
		end_with(f, TOCSIN_EINTERNAL, "stdin cannot be read");
		return false;
	case LINES_END:
	case LINES_STOP:
		end_with(f, TOCSIN_OK, "");
		return false;
	}
	end_with(f, TOCSIN_EUSAGE, WANTED);
	return false;
}

static void *
run(void *arg)
{
	struct flight *f = arg;
	struct span line = { 0 };
	enum lines_got got;

	do /* in this order, which arguments of one call need not have */
		got = lines_next(&f->in, &line);
	while (take(f, got, line));
	return NULL;
}

struct flight *
flight_start(struct tocsin *t, const char *reader, unsigned window)
{
	struct flight *f = calloc(1, sizeof(*f));
	pthread_condattr_t attr;

	if (f == NULL)
		return NULL;
	f->t = t;
	f->reader = reader;
	f->window = window < FLIGHT_MAX ? window : FLIGHT_MAX;
	f->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	f->in = (struct lines){
		.fd = STDIN_FILENO, .stop = f->stop, .max = COMMIT_LINE
	};
	pthread_mutex_init(&f->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&f->changed, &attr);
	pthread_condattr_destroy(&attr);
	if (f->stop >= 0 && tocsin_place_of(t, reader, &f->done) == TOCSIN_OK &&
	    pthread_create(&f->thread, NULL, run, f) == 0)
		return f;
	if (f->stop >= 0)
		close(f->stop);
	pthread_cond_destroy(&f->changed);
	pthread_mutex_destroy(&f->lock);
	free(f);
	return NULL;
}

void
flight_stop(struct flight *f)
{
	const uint64_t one = 1;

	if (f == NULL)
		return;
	(void)!write(f->stop, &one, sizeof(one));
	pthread_join(f->thread, NULL);
	lines_release(&f->in);
	close(f->stop);
	pthread_cond_destroy(&f->changed);
	pthread_mutex_destroy(&f->lock);
	free(f);
}

unsigned
flight_count(struct flight *f)
{
	unsigned n;

	pthread_mutex_lock(&f->lock);
	n = f->n;
	pthread_mutex_unlock(&f->lock);
	return n;
}

bool
flight_room(struct flight *f)
{
	return flight_count(f) < f->window;
}

uint64_t
flight_last(struct flight *f)
{
	uint64_t last = 0;

	pthread_mutex_lock(&f->lock);
	if (f->n > 0)
		last = f->given[f->n - 1];
	pthread_mutex_unlock(&f->lock);
	return last;
}

void
flight_give(struct flight *f, uint64_t number)
{
	pthread_mutex_lock(&f->lock);
	if (f->n < FLIGHT_MAX)
		f->given[f->n++] = number;
	pthread_mutex_unlock(&f->lock);
}

void
flight_wait(struct flight *f, int ms)
{
	struct timespec end;
	unsigned n;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += ms / 1000;
	end.tv_nsec += (long)(ms % 1000) * 1000000;
	if (end.tv_nsec >= 1000000000) {
		end.tv_sec++;
		end.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&f->lock);
	n = f->n;
	while (f->n == n && !f->over &&
	       pthread_cond_timedwait(&f->changed, &f->lock, &end) == 0)
		;
	pthread_mutex_unlock(&f->lock);
}

bool
flight_over(struct flight *f, enum tocsin_err *err, char why[512])
{
	bool over;

	pthread_mutex_lock(&f->lock);
	over = f->over;
	*err = f->err;
	memcpy(why, f->why, sizeof(f->why));
	pthread_mutex_unlock(&f->lock);
	return over;
}

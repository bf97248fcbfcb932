/* SPDX-License-Identifier: ISC */
#include "tests/sim/sim.h"

#include "broker/log.h"

#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LINES 48
#define LINE 200
#define MONO_BASE (1000 * SECOND)
#define WALL_BASE (INT64_C(1795230000) * SECOND) /* 2026-11-21 */

struct node *sim_node;
int64_t sim_us;
uint64_t sim_events;
bool sim_verbose;

void
sim_broken(const char *file, int line, const char *what)
{
	printf("Bail out! sim: %s:%d: %s\n", file, line, what);
	fflush(stdout);
	sim_tell();
	abort();
}

/* ---- dice ---- */

static uint64_t dice, secrets;

static uint64_t
splitmix(uint64_t *s)
{
	uint64_t z = (*s += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

uint64_t
rnd(uint64_t n)
{
	return n > 0 ? splitmix(&dice) % n : 0;
}

bool
chance(unsigned per_mille)
{
	return per_mille > 0 && rnd(1000) < per_mille;
}

static const char *
sodium_name(void)
{
	return "simulation";
}

static uint32_t
sodium_random(void)
{
	return (uint32_t)splitmix(&secrets);
}

static void
sodium_buf(void *out, const size_t n)
{
	uint8_t *p = out;
	uint64_t v = 0;
	size_t i;

	for (i = 0; i < n; i++, v >>= 8) {
		if (i % 8 == 0)
			v = splitmix(&secrets);
		p[i] = (uint8_t)v;
	}
}

static struct randombytes_implementation from_seed = {
	.implementation_name = sodium_name,
	.random = sodium_random,
	.buf = sodium_buf,
};

/* ---- what the linker puts in the place of the system's ---- */

int __wrap_clock_gettime(clockid_t id, struct timespec *t);
int __real_clock_gettime(clockid_t id, struct timespec *t);
time_t __wrap_time(time_t *t);
int __wrap_pthread_create(
    pthread_t *t, const pthread_attr_t *attr, void *(*fn)(void *), void *arg);
int __wrap_pthread_join(pthread_t t, void **out);
int __wrap_fallocate(int fd, int mode, off_t from, off_t n);
bool __wrap_log_allow(struct log_limit *limit, uint64_t *missed);
void __wrap_log_fields(enum log_level level, const char *event, size_t n,
    const struct log_field *f);

int
__wrap_clock_gettime(clockid_t id, struct timespec *t)
{
	int64_t us = MONO_BASE + sim_us;

	if (id == CLOCK_REALTIME)
		us = WALL_BASE + sim_us +
		     (sim_node ? sim_node->skew * SECOND : 0);
	t->tv_sec = us / SECOND;
	t->tv_nsec = us % SECOND * 1000;
	return 0;
}

time_t
__wrap_time(time_t *t)
{
	(void)t;
	return wall_now();
}

int64_t
wall_now(void)
{
	return (WALL_BASE + sim_us) / SECOND;
}

double
real_seconds(void)
{
	struct timespec t;

	__real_clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Nobody is started; who would run is called by events. */
int
__wrap_pthread_create(
    pthread_t *t, const pthread_attr_t *attr, void *(*fn)(void *), void *arg)
{
	(void)attr;
	(void)fn;
	(void)arg;
	*t = pthread_self();
	return 0;
}

int
__wrap_pthread_join(pthread_t t, void **out)
{
	(void)t;
	(void)out;
	return 0;
}

/* Files with holes: memory for what is written alone. */
int
__wrap_fallocate(int fd, int mode, off_t from, off_t n)
{
	(void)fd;
	(void)mode;
	(void)from;
	(void)n;
	errno = EOPNOTSUPP;
	return -1;
}

/* ---- trace ---- */

static char lines[LINES][LINE];
static uint64_t nlines;
static char failure[400];

static void
add_line(const char *text)
{
	char *at = lines[nlines++ % LINES];

	snprintf(at, LINE, "%12.6f %-4s %s", (double)sim_us / 1e6,
	    sim_node ? sim_node->name : "-", text);
	if (sim_verbose)
		puts(at);
}

void
trace(const char *fmt, ...)
{
	char text[LINE];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	add_line(text);
}

void
broke(const char *fmt, ...)
{
	va_list ap;

	if (failure[0] != '\0')
		return;
	va_start(ap, fmt);
	vsnprintf(failure, sizeof(failure), fmt, ap);
	va_end(ap);
	trace("BROKEN: %s", failure);
}

const char *
sim_failure(void)
{
	return failure[0] != '\0' ? failure : NULL;
}

void
sim_tell(void)
{
	uint64_t i = nlines > LINES ? nlines - LINES : 0;

	printf("# SEED=%llu at %.6f s: %s\n", (unsigned long long)w.seed,
	    (double)sim_us / 1e6, failure);
	for (; !sim_verbose && i < nlines; i++)
		printf("# %s\n", lines[i % LINES]);
	printf("# again: SEED=%llu SEEDS=1 TRACE=1 simulate%s%s\n",
	    (unsigned long long)w.seed, mutant ? " --mutation " : "",
	    mutant ? mutant_text(mutant) : "");
	fflush(stdout);
}

bool
__wrap_log_allow(struct log_limit *limit, uint64_t *missed)
{
	(void)limit;
	*missed = 0;
	return true;
}

static int
put_field(char *out, size_t n, const struct log_field *f)
{
	switch (f->type) {
	case LOG_T_TEXT:
	case LOG_T_OWN:
		return snprintf(out, n, " %s=%.*s", f->key, (int)f->v.span.n,
		    f->v.span.n > 0 ? (const char *)f->v.span.p : "");
	case LOG_T_UINT:
		return snprintf(
		    out, n, " %s=%llu", f->key, (unsigned long long)f->v.u);
	case LOG_T_INT:
		return snprintf(out, n, " %s=%lld", f->key, (long long)f->v.i);
	case LOG_T_ERR:
		return snprintf(out, n, " %s=%s", f->key,
		    tocsin_err_name((enum tocsin_err)f->v.i));
	default:
		return 0;
	}
}

/* The brokers' log is the best of traces. */
void
__wrap_log_fields(enum log_level level, const char *event, size_t n,
    const struct log_field *f)
{
	char text[LINE];
	size_t i, at;

	(void)level;
	at = (size_t)snprintf(text, sizeof(text), "%s", event);
	for (i = 0; i < n && at < sizeof(text); i++)
		at += (size_t)put_field(text + at, sizeof(text) - at, &f[i]);
	add_line(text);
}

/* ---- events: a heap ---- */

struct event {
	int64_t at;
	uint64_t order;
	struct node *node;
	unsigned life;
	sim_fn *fn;
	sim_fn *drop;
	void *arg;
};

static struct event *heap;
static size_t nheap, room;
static uint64_t order;

static bool
before(const struct event *a, const struct event *b)
{
	return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void
push(struct event e)
{
	size_t i = nheap++, up;

	if (nheap > room) {
		room = room ? 2 * room : 256;
		heap = realloc(heap, room * sizeof(*heap));
		MUST(heap);
	}
	for (; i > 0; i = up) {
		up = (i - 1) / 2;
		if (!before(&e, &heap[up]))
			break;
		heap[i] = heap[up];
	}
	heap[i] = e;
}

static struct event
pop(void)
{
	struct event first = heap[0], last = heap[--nheap];
	size_t i = 0, down;

	while ((down = 2 * i + 1) < nheap) {
		if (down + 1 < nheap && before(&heap[down + 1], &heap[down]))
			down++;
		if (!before(&heap[down], &last))
			break;
		heap[i] = heap[down];
		i = down;
	}
	heap[i] = last;
	return first;
}

void
sim_at(int64_t us, struct node *n, sim_fn *fn, sim_fn *drop, void *arg)
{
	push((struct event){ us < sim_us ? sim_us : us, order++, n,
	    n ? n->life : 0, fn, drop, arg });
}

void
sim_soon(struct node *n, sim_fn *fn, void *arg)
{
	sim_at(sim_us + (int64_t)rnd(MS), n, fn, NULL, arg);
}

bool
sim_step(void)
{
	struct event e;

	if (nheap == 0 || failure[0] != '\0')
		return false;
	e = pop();
	sim_us = e.at;
	if (e.node && (e.node->life != e.life || !e.node->b)) {
		if (e.drop)
			e.drop(e.arg);
		return true;
	}
	sim_events++;
	sim_node = e.node;
	e.fn(e.arg);
	if (e.node)
		node_settle(e.node);
	sim_node = NULL;
	return true;
}

void
sim_begin(uint64_t seed)
{
	static bool once;

	if (!once) {
		randombytes_set_implementation(&from_seed);
		MUST(sodium_init() >= 0);
		once = true;
	}
	dice = seed * UINT64_C(0xd1342543de82ef95) + 1;
	secrets = ~dice;
	sim_us = 0;
	sim_node = NULL;
	order = 0;
	nlines = 0;
	failure[0] = '\0';
}

void
sim_end(void)
{
	size_t i;

	for (i = 0; i < nheap; i++)
		if (heap[i].drop)
			heap[i].drop(heap[i].arg);
	nheap = 0;
	free(heap);
	heap = NULL;
	room = 0;
}

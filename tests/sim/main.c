/* SPDX-License-Identifier: ISC */
/*
 * simulate: brokers under virtual time. SEEDS says how many worlds, SEED which
 * is the first (any, if it is not given), TRACE=1 shows everything of them,
 * SECONDS_MOST stops after so many, JOBS processes share them. --mutation NAME
 * plants a defect, and succeeds if it is found within SEEDS; --mutations lists
 * them.
 */
#include "tests/sim/sim.h"

#include "broker/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static uint64_t
number(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text && *text ? strtoull(text, NULL, 10) : otherwise;
}

static int
list(void)
{
	int m;

	for (m = 1; m < MUTANTS; m++)
		puts(mutant_text((enum mutant)m));
	return 0;
}

static bool
choose(const char *name)
{
	int m;

	for (m = 1; m < MUTANTS; m++)
		if (strcmp(mutant_text((enum mutant)m), name) == 0)
			mutant = (enum mutant)m;
	return mutant != NO_MUTANT;
}

/* What a process has done; the others' are seen in shared memory. */
struct done {
	uint64_t seeds, events;
	int64_t virtual_us;
	struct stats stats;
	bool failed;
};

struct run {
	uint64_t seeds, first, seconds;
	unsigned jobs;
	double began;
	struct done *done; /* of each job */
};

static bool
any_failed(const struct run *r)
{
	unsigned i;

	for (i = 0; i < r->jobs; i++)
		if (r->done[i].failed)
			return true;
	return false;
}

/* Each n-th of the worlds. */
static void
do_share(const struct run *r, unsigned job)
{
	struct done *d = &r->done[job];
	uint64_t i;

	for (i = job; i < r->seeds && !any_failed(r); i += r->jobs) {
		if (r->seconds &&
		    real_seconds() - r->began > (double)r->seconds)
			return;
		world_run(r->first + i);
		d->virtual_us += sim_us;
		d->failed = sim_failure() != NULL;
		d->seeds++;
		d->events = sim_events;
		d->stats = stats;
	}
}

/* False: a job died. */
static bool
do_all(const struct run *r)
{
	unsigned i;
	int status;
	bool good = true;

	fflush(stdout);
	for (i = 1; i < r->jobs; i++) {
		pid_t pid = fork();

		MUST(pid >= 0);
		if (pid > 0)
			continue;
		do_share(r, i);
		exit(0);
	}
	do_share(r, 0);
	for (i = 1; i < r->jobs; i++)
		if (wait(&status) < 0 || status != 0)
			good = false;
	return good;
}

static struct done
sum(const struct run *r)
{
	struct done all = { 0 };
	unsigned i;

	for (i = 0; i < r->jobs; i++) {
		const struct done *d = &r->done[i];

		all.seeds += d->seeds;
		all.events += d->events;
		all.virtual_us += d->virtual_us;
		all.failed |= d->failed;
		all.stats.posts += d->stats.posts;
		all.stats.crashes += d->stats.crashes;
		all.stats.cuts += d->stats.cuts;
		all.stats.commits += d->stats.commits;
		all.stats.frames += d->stats.frames;
		all.stats.fetched += d->stats.fetched;
		all.stats.lost += d->stats.lost;
		if (d->stats.slowest > all.stats.slowest)
			all.stats.slowest = d->stats.slowest;
	}
	return all;
}

static void
print_figures(const struct done *d, double took)
{
	const struct stats *s = &d->stats;

	printf("simulate: %llu seeds, %.1f virtual hours, %llu events, %llu "
	       "posts, %llu crashes, %llu cuts, %llu commits, %llu frames "
	       "(%llu lost) and %llu fetched, at rest after %lld s at most, "
	       "%.0f s, %.0f x "
	       "real time%s\n",
	    (unsigned long long)d->seeds, (double)d->virtual_us / 3.6e9,
	    (unsigned long long)d->events, (unsigned long long)s->posts,
	    (unsigned long long)s->crashes, (unsigned long long)s->cuts,
	    (unsigned long long)s->commits, (unsigned long long)s->frames,
	    (unsigned long long)s->lost, (unsigned long long)s->fetched,
	    (long long)(s->slowest / SECOND), took,
	    (double)d->virtual_us / 1e6 / took,
	    !d->failed ? ""
	    : mutant   ? ": found"
		       : ": BROKEN");
}

int
main(int argc, char **argv)
{
	struct run r = { .began = real_seconds() };
	struct done all;
	bool good;

	if (argc == 2 && strcmp(argv[1], "--mutations") == 0)
		return list();
	if (argc > 1 && (argc != 3 || strcmp(argv[1], "--mutation") != 0 ||
			    !choose(argv[2]))) {
		fputs("usage: simulate [--mutation name | --mutations]\n",
		    stderr);
		return 2;
	}
	r.seeds = number("SEEDS", 100);
	r.seconds = number("SECONDS_MOST", 0);
	r.jobs = (unsigned)number("JOBS", 1);
	r.first = number("SEED",
	    (uint64_t)(r.began * 1e6) % 1000000000 + (uint64_t)getpid());
	r.done = mmap(NULL, r.jobs * sizeof(*r.done), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	MUST(r.jobs > 0 && r.done != MAP_FAILED);
	sim_verbose = number("TRACE", 0) != 0;
	printf("# simulate: SEED=%llu SEEDS=%llu%s%s\n",
	    (unsigned long long)r.first, (unsigned long long)r.seeds,
	    mutant ? " mutation " : "", mutant ? mutant_text(mutant) : "");
	good = do_all(&r);
	all = sum(&r);
	print_figures(&all, real_seconds() - r.began);
	if (mutant)
		return good && all.failed ? 0 : 1;
	return !good || all.failed;
}

/* SPDX-License-Identifier: ISC */
/*
 * simulate: brokers under virtual time. SEEDS says how many worlds, SEED which
 * is the first (any, if it is not given), TRACE=1 shows everything of them,
 * SECONDS stops after so many. --mutation NAME plants a defect, and succeeds if
 * it is found within SEEDS; --mutations lists them.
 */
#include "tests/sim/sim.h"

#include "broker/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
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

int
main(int argc, char **argv)
{
	uint64_t seeds = number("SEEDS", 100), first, i;
	uint64_t seconds = number("SECONDS_MOST", 0), virtual_us = 0;
	double began = real_seconds(), took;
	bool failed = false;

	if (argc == 2 && strcmp(argv[1], "--mutations") == 0)
		return list();
	if (argc > 1 && (argc != 3 || strcmp(argv[1], "--mutation") != 0 ||
			    !choose(argv[2]))) {
		fputs("usage: simulate [--mutation name | --mutations]\n",
		    stderr);
		return 2;
	}
	first = number(
	    "SEED", (uint64_t)(began * 1e6) % 1000000000 + (uint64_t)getpid());
	sim_verbose = number("TRACE", 0) != 0;
	printf("# simulate: SEED=%llu SEEDS=%llu%s%s\n",
	    (unsigned long long)first, (unsigned long long)seeds,
	    mutant ? " mutation " : "", mutant ? mutant_text(mutant) : "");
	fflush(stdout);
	for (i = 0; i < seeds && !failed; i++) {
		if (seconds && real_seconds() - began > (double)seconds)
			break;
		world_run(first + i);
		virtual_us += (uint64_t)sim_us;
		failed = sim_failure() != NULL;
	}
	took = real_seconds() - began;
	printf("simulate: %llu seeds, %.1f virtual hours, %llu events, %llu "
	       "posts, %llu crashes, %llu cuts, %llu commits, %llu frames "
	       "(%llu lost), at rest after %lld s at most, %.0f s, %.0f x "
	       "real time%s\n",
	    (unsigned long long)i, (double)virtual_us / 3.6e9,
	    (unsigned long long)sim_events, (unsigned long long)stats.posts,
	    (unsigned long long)stats.crashes, (unsigned long long)stats.cuts,
	    (unsigned long long)stats.commits, (unsigned long long)stats.frames,
	    (unsigned long long)stats.lost, (long long)(stats.slowest / SECOND),
	    took, (double)virtual_us / 1e6 / took,
	    !failed  ? ""
	    : mutant ? ": found"
		     : ": BROKEN");
	if (mutant)
		return failed ? 0 : 1;
	return failed;
}

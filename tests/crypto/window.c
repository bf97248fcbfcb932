/* SPDX-License-Identifier: ISC */
#include "crypto/window.h"
#include "tests/lib/tap.h"

#include <stdlib.h>
#include <string.h>

#define SPACE 20000

/* What a window says, said slowly: a list of all numbers below SPACE. */
struct model {
	bool seen[SPACE];
	uint64_t next;
};

static enum window_state
model_mark(struct model *m, uint64_t n)
{
	if (n < m->next && m->next - n > WINDOW_SIZE)
		return WINDOW_OLD;
	if (m->seen[n])
		return WINDOW_SEEN;
	m->seen[n] = true;
	if (n >= m->next)
		m->next = n + 1;
	return WINDOW_NEW;
}

static uint64_t seed = 1;

static uint64_t
draw(uint64_t below)
{
	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (seed >> 33) % below;
}

/* Near the newest number, on both sides, and sometimes far ahead. */
static uint64_t
pick(const struct model *m)
{
	uint64_t n = m->next + draw(80);
	uint64_t back = draw(WINDOW_SIZE + 200);

	if (draw(200) == 0)
		n += draw(3000);
	else if (draw(3) > 0)
		n = n > back ? n - back : 0;
	return n;
}

static void
test_model(void)
{
	struct model *m = xmalloc(sizeof(*m));
	size_t round, i, answers[3] = { 0 };

	for (round = 0; round < 50; round++) {
		struct window w = { 0 };

		memset(m, 0, sizeof(*m));
		for (i = 0; i < 5000; i++) {
			uint64_t n = pick(m);
			enum window_state said, want;

			if (n >= SPACE)
				break;
			said = window_check(&w, n);
			want = model_mark(m, n);
			answers[want]++;
			if (said != want || window_mark(&w, n) != want) {
				ok(false, "number %llu after %llu",
				    (unsigned long long)n,
				    (unsigned long long)m->next);
				free(m);
				return;
			}
		}
	}
	ok(true, "a window answers as a full list does");
	ok(answers[WINDOW_NEW] > 1000 && answers[WINDOW_SEEN] > 1000 &&
		answers[WINDOW_OLD] > 1000,
	    "and all three answers came up (%zu, %zu, %zu)", answers[0],
	    answers[1], answers[2]);
	free(m);
}

static void
test_edges(void)
{
	struct window w = { 0 };

	ok(window_check(&w, 0) == WINDOW_NEW &&
		window_check(&w, 0) == WINDOW_NEW,
	    "asking changes nothing");
	ok(window_mark(&w, 0) == WINDOW_NEW &&
		window_mark(&w, 0) == WINDOW_SEEN,
	    "0 is a number like others");
	ok(window_mark(&w, WINDOW_SIZE) == WINDOW_NEW &&
		window_check(&w, 0) == WINDOW_OLD &&
		window_check(&w, 1) == WINDOW_NEW,
	    "exactly %d numbers are remembered", WINDOW_SIZE);
	ok(window_mark(&w, UINT64_MAX - 1) == WINDOW_NEW &&
		window_mark(&w, UINT64_MAX - 1) == WINDOW_SEEN &&
		window_mark(&w, UINT64_MAX - 2) == WINDOW_NEW &&
		window_check(&w, 1) == WINDOW_OLD,
	    "the far end is no different");
	ok(window_mark(&w, UINT64_MAX) == WINDOW_OLD,
	    "but the last number of all is never new");
}

int
main(void)
{
	test_model();
	test_edges();
	return tap_done();
}

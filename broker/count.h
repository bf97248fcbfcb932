/* SPDX-License-Identifier: ISC */
/*
 * count.h - what a broker counts since its start
 *
 * A row of the list is a counter: its enumerator, and its name in metrics. They
 * only grow; any thread counts and reads, without an order among them. A part
 * of the broker that has nothing to do with the rest but to count takes the
 * array, not the broker.
 */
#ifndef TOCSIN_BROKER_COUNT_H
#define TOCSIN_BROKER_COUNT_H

#include <stdatomic.h>
#include <stdint.h>

/* clang-format off */
#define BROKER_COUNTERS(X) \
	X(frames)	     /* taken from the wire */ \
	X(frames_malformed)  /* no frame at all */ \
	X(frames_forged)     /* did not open */ \
	X(frames_repeated)   /* answered from the cache, or busy */ \
	X(sessions_begun) X(sessions_ended) X(sessions_refused) \
	X(requests) X(requests_refused) \
	X(posts)	     /* envelopes taken */ \
	X(posts_duplicate) X(posts_refused) \
	X(exercise_posts)    /* of these: of exercises */ \
	X(exercise_refused) \
	X(entries_sent)	     /* in answers to fetch */ \
	X(put_bytes)	     /* of bodies and parts, from devices */ \
	X(got_bytes)	     /* of bodies and parts, to devices */ \
	X(parks) X(parks_displaced) X(parks_gone) \
	X(commits) \
	X(relay_frames_out) X(relay_frames_in) X(relay_bad_frames) \
	X(relay_items_in) X(relay_items_refused) \
	X(quota_refused)     /* tickets and announcements over a quota */ \
	X(relay_repeats) X(relay_differs) X(relay_healed) \
	X(relay_repeated_bytes) /* came and were here already */ \
	X(relay_unused_bytes)	/* came behind something that is missing */
/* clang-format on */

enum broker_counter {
#define BROKER_ENUM(name) BROKER_##name,
	BROKER_COUNTERS(BROKER_ENUM)
#undef BROKER_ENUM
	    BROKER_COUNTER_COUNT
};

static inline void
count_more(atomic_uint_fast64_t *of, enum broker_counter c, uint64_t n)
{
	atomic_fetch_add_explicit(&of[c], n, memory_order_relaxed);
}

/* "relay_frames_in"; empty for a value out of range. */
const char *broker_counter_name(enum broker_counter c);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * broker.h - what ties the parts of a broker together
 *
 * broker_start() opens the store, loads what we believe, starts the writer and
 * the parks, opens the sockets and starts the relay. Two brokers may live in
 * one process (tests do that); nothing here is global.
 */
#ifndef TOCSIN_BROKER_BROKER_H
#define TOCSIN_BROKER_BROKER_H

#include "broker/epochs.h"
#include "broker/net.h"
#include "broker/park.h"
#include "broker/retain.h"
#include "broker/session.h"
#include "broker/store.h"
#include "broker/trust.h"
#include "broker/writer.h"

#include <stdatomic.h>

struct relay;

/* What is said about one peer. */
#define BROKER_PEERS 64
struct peer_config {
	char name[LABEL_MAX + 1];
	uint64_t rate; /* bytes per second to it; 0: no limit */
};

struct broker_config {
	char federation[FEDERATION_MAX + 1];
	char name[LABEL_MAX + 1];
	char nation[NATION_MAX + 1];
	const char *store_dir;
	const char *mark; /* file of mark.h; NULL: none */

	/* Secrets; not copied, since they lie in memory of their own. */
	const uint8_t *noise_sk; /* 32, X25519, of the link */
	const uint8_t *sign_sk;	 /* 64, Ed25519 of NAME/sign: receipts */
	const uint8_t *log_sk;	 /* 64, Ed25519 of NAME/log: checkpoints */

	struct store_options store;
	struct writer_options writer;
	struct session_limits session;
	struct net_options net;
	unsigned parks_per_device; /* 4 */
	uint64_t part_max;	   /* bytes of one part */
	unsigned post_rate;	   /* per member and second, 0: no limit */
	unsigned post_burst;
	unsigned staged_max;	 /* bodies put before their post; 16 */
	uint64_t staged_bytes;	 /* of one of them; 1 MiB */
	unsigned staged_seconds; /* then they are dropped; a day */
	struct retain_rule keep[RETAIN_RULES]; /* the first is for all */
	unsigned nkeep;			       /* 0: nothing is erased */
	int64_t keep_unread;		       /* seconds */
	uint32_t relay_window; /* bytes on the way to us, per peer */
	size_t npeer;
	struct peer_config peer[BROKER_PEERS];
};

/* Everything but names, folders and keys. */
void broker_defaults(struct broker_config *c);

/* What is counted since the start; `broker_counter_name()` names them. */
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
	X(entries_sent)	     /* in answers to fetch */ \
	X(parks) X(parks_displaced) X(parks_gone) \
	X(commits) \
	X(relay_frames_out) X(relay_frames_in) X(relay_bad_frames) \
	X(relay_items_in) X(relay_items_refused) X(relay_repeats) X(relay_differs) X(relay_healed) \
	X(relay_repeated_bytes) /* came and were here already */ \
	X(relay_unused_bytes)	/* came behind something that is missing */
/* clang-format on */

enum broker_counter {
#define BROKER_ENUM(name) BROKER_##name,
	BROKER_COUNTERS(BROKER_ENUM)
#undef BROKER_ENUM
	    BROKER_COUNTER_COUNT
};

struct rates; /* token buckets of the members */

struct broker {
	struct broker_config conf;
	uint8_t noise_pk[32];
	struct store *store;
	struct epochs epochs;
	struct trust_box *trust;
	struct writer *writer;
	struct sessions *sessions;
	struct parks *parks;
	struct net *net;
	struct relay *relay;
	struct mend *mend;
	struct rates *rates;	 /* posts, by member */
	struct rates *announces; /* of strangers, all together */
	struct signer *signer;	 /* the newest checkpoint, signed once */
	struct retain retain;
	int64_t retain_ms; /* when to look for what is old next */
	int64_t mark_ms;   /* when the mark is written next */
	int64_t sweep_ms;  /* when old staged bodies are dropped next */
	atomic_uint_fast64_t count[BROKER_COUNTER_COUNT];
};

static inline void
broker_count(struct broker *b, enum broker_counter c)
{
	atomic_fetch_add_explicit(&b->count[c], 1, memory_order_relaxed);
}

const char *broker_counter_name(enum broker_counter c);

/*
 * Start and take requests. *why, if not NULL, is a sentence for the operator
 * when it fails. Signals must be blocked before. The config is copied, but for
 * what it points to: strings and secrets outlive the broker.
 */
MUST_USE enum tocsin_err broker_start(
    struct broker **out, const struct broker_config *c, const char **why);

/* About once a second, from the thread of the parks: what gets old. */
void broker_tick(struct broker *b, int64_t now_ms);

/*
 * The end of a daemon: refuse what comes and finish the commit that is under
 * way. The process is left with _exit() then; nothing is closed or freed, since
 * other threads may still be reading.
 */
void broker_halt(struct broker *b);

/* The end of a test: everything is closed and freed. */
void broker_free(struct broker *b);

#endif

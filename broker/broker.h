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

#include "broker/accept.h"
#include "broker/count.h"
#include "broker/epochs.h"
#include "broker/net.h"
#include "broker/park.h"
#include "broker/retain.h"
#include "broker/session.h"
#include "broker/store.h"
#include "broker/trust.h"
#include "broker/writer.h"

struct patrol;
struct relay;

/* What is said about one peer. */
#define BROKER_PEERS 64
struct peer_config {
	char name[LABEL_MAX + 1];
	uint64_t rate;	/* bytes per second to it; 0: no limit */
	uint64_t quota; /* bytes kept of it; 0: as of others */
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
	uint64_t member_day;	 /* bytes of a member of ours, 0: no limit */
	uint64_t peer_quota;	 /* kept of a peer, 0: no limit */
	uint64_t member_quota;	 /* and of a member abroad */
	unsigned staged_max;	 /* bodies put before their post; 16 */
	uint64_t staged_bytes;	 /* of one of them; 1 MiB */
	unsigned staged_seconds; /* then they are dropped; a day */
	struct retain_rule keep[RETAIN_RULES]; /* the first is for all */
	unsigned nkeep;			       /* 0: nothing is erased */
	int64_t keep_unread;		       /* seconds */
	int64_t check;	       /* seconds to a round of patrol.h; 0: none */
	uint32_t relay_window; /* bytes on the way to us, per peer */
	int64_t hold_ms; /* for what is on its way to cure an item; 0: 30 s */
	struct msg_accept accept;
	struct exercise_rules exercise; /* which are carried */
	uint64_t exercise_quota; /* bytes kept of them all, 0: no limit */
	unsigned exercise_rate;	 /* per member and second, 0: no limit */
	unsigned exercise_burst;
	size_t npeer;
	struct peer_config peer[BROKER_PEERS];
};

/* Everything but names, folders and keys. */
void broker_defaults(struct broker_config *c);

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
	struct patrol *patrol;
	struct rates *rates;	 /* posts, by member */
	struct rates *played;	 /* those of exercises, by member */
	struct rates *announces; /* of strangers, all together */
	struct signer *signer;	 /* the newest checkpoint, signed once */
	struct retain retain;
	int64_t retain_ms; /* when to look for what is old next */
	int64_t mark_ms;   /* when the mark is written next */
	int64_t sweep_ms;  /* when old staged bodies are dropped next */
	atomic_bool full;  /* no room for tickets; the writer's word */
	atomic_uint_fast64_t count[BROKER_COUNTER_COUNT];
};

static inline void
broker_count(struct broker *b, enum broker_counter c)
{
	count_more(b->count, c, 1);
}

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

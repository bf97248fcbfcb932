/* SPDX-License-Identifier: ISC */
/*
 * relay_impl.h - what relay.c, relay_link.c and relay_send.c share
 *
 * Everything of a peer belongs to the relay thread, but for what says
 * otherwise. Others leave word in the relay's post box, under its lock: names
 * that were kicked, answers that came in.
 */
#ifndef TOCSIN_BROKER_RELAY_IMPL_H
#define TOCSIN_BROKER_RELAY_IMPL_H

#include "broker/cap.h"
#include "broker/item.h"
#include "broker/lane.h"
#include "broker/log.h"
#include "broker/patience.h"
#include "broker/pull.h"
#include "broker/relay.h"
#include "broker/relay_in.h"
#include "broker/tally.h"
#include "crypto/link.h"
#include "crypto/ticket.h"

#include <pthread.h>

enum peer_state {
	PEER_DOWN,    /* until retry_at */
	PEER_HELLO,   /* a hello is out */
	PEER_OPENING, /* the finish with relay.open is out */
	PEER_UP,      /* relay.waits are parked there */
};

/* A request that is out; its answer is known by the call. */
#define PEER_WAITS 3
#define PEER_HEAL PEER_WAITS /* its slot */
#define PEER_PULL (PEER_HEAL + 1)
#define PEER_PULLS 5
#define PEER_ASKED (PEER_PULL + PEER_PULLS)
struct asked {
	uint64_t call;	 /* 0: none */
	uint64_t number; /* within the link */
};

/* The item that a lane is sending. */
struct source {
	uint64_t n; /* 0: none */
	uint8_t kind;
	bool none;	 /* it is no more, or not for the peer */
	bool detached;	 /* the rest is a part of the store: `hash` */
	uint64_t seq;	 /* of the entry that the rest is in */
	struct buf head; /* see item.h */
	uint64_t rest;	 /* bytes after the head */
	uint8_t hash[32];
};

/* What an item that was sent is, until the peer has said that it has it. */
#define TALLY_MARKS 2048
struct sent_mark {
	uint64_t n;
	uint8_t mark[TALLY_MARK];
};

/* Looking for what the peer lacks, once through our log. */
#define HEAL_MAX 256
struct heal_item {
	uint64_t seq; /* the entry, or the ticket that names the part */
	bool part;
	uint8_t id[32];
};
struct heal {
	bool want;
	uint64_t at, end; /* entries that were looked at, and all of them */
	uint64_t missing; /* so far */
	int64_t again;	  /* not before */
	struct patience begun;
	size_t n; /* what the peer is asked for */
	struct heal_item item[HEAL_MAX];
	atomic_bool queueing; /* a job has some */
	atomic_bool failed;   /* to be begun anew */
};

/* Forgetting acknowledged rows: one job at a time. */
struct trim {
	struct job job;
	char peer[LABEL_MAX + 1];
	struct tally upto[LANE_COUNT];
	bool heal;
	atomic_bool busy;
	atomic_bool failed; /* what it should forget is there */
};

/* Asking a peer for the rosters after ours, then for announcements. */
struct roster_fetch {
	bool want;
	bool asking;	 /* a request is out */
	uint64_t call;	 /* which call's answer counts */
	uint64_t number; /* of the request */
	uint64_t serial; /* of the roster that `file` is the beginning of */
	uint64_t whole;	 /* what came for this serial was judged */
	struct buf file;
	size_t member; /* 0: at the rosters; else place in ours, plus 1 */
	atomic_bool storing;
	atomic_bool failed; /* to store it */
};

/* Fetching from a peer, because we can't be dialled: relay_fetch.c. */
struct reply;
struct held {		 /* an answer that overtook another */
	uint32_t number; /* 0: none */
	struct buf parcels;
};
struct fetch {
	uint32_t number; /* of the last answer that was taken */
	struct held held[PEER_PULLS];
	bool fresh;	     /* nothing was asked over this link yet */
	unsigned pulls;	     /* how many the peer lets us park; 0: not known */
	int64_t again;	     /* it does not want it: not before */
	unsigned nreplies;   /* due, or not on their way yet; under the lock */
	struct reply *first; /* what it asked, answered; under the lock */
	struct reply **last;
};

struct relay_peer {
	struct relay_peer *next;
	char name[LABEL_MAX + 1];
	char nation[NATION_MAX + 1];
	uint8_t noise[32];
	char rpc[URL_MAX + 1];
	char relay[URL_MAX + 1];
	bool listed; /* in the current roster, and to be had */
	bool pulled; /* it has no address, and fetches: pull.h */

	enum peer_state state;
	unsigned failures; /* in a row */
	int64_t begun_at;  /* the last attempt */
	int64_t retry_at;
	int64_t redial_at; /* of sockets that find no connection */
	struct link link;
	struct asked asked[PEER_ASKED]; /* the first alone, until it is up */
	unsigned waits;			/* how many the peer lets us park */
	uint64_t calls;			/* numbers them */

	uint8_t id[RELAY_LINK];
	uint8_t key[32];
	uint64_t counter;	  /* of the next frame */
	struct msg_accept accept; /* what it takes */
	bool full;		  /* no tickets, for want of room */
	struct lane_tx tx;
	struct cap cap;	  /* what the operator allows */
	unsigned quantum; /* frames that it may still have in this round */
	struct source source[LANE_COUNT];
	int64_t pump_at; /* reading failed: try again then */
	int64_t heal_at; /* when to go on looking for what it lacks */
	/* when to say something on each way, if there is nothing */
	int64_t beat_at[NET_WAYS];

	struct tally tally[LANE_COUNT]; /* what the peer has, as it says */
	bool tallied;			/* that is known */
	bool tally_dirty;		/* and not on disk */
	bool said_complete;
	struct patience renumbered;
	int64_t agreed_at;
	struct sent_mark *marks[LANE_COUNT]; /* by number; NULL: none yet */
	struct heal heal;

	uint64_t trimmed[LANE_COUNT];
	int64_t trim_at;
	struct trim trim;

	struct roster_fetch roster;
	struct fetch fetch;

	/* a peer can cause them at will, and silence no other's */
	struct log_limit comings, counts, differs;

	struct relay_status shown; /* under the relay's lock */
	uint64_t frames_out, bytes_out;
	int64_t heard; /* clock_ms(); 0: never */
};

/* An answer to net_call(). */
struct answer {
	struct answer *next;
	struct relay *r;
	struct relay_peer *peer;
	bool roster;   /* to roster_ask(), else to ... */
	unsigned slot; /* ... the request of the link that was asked there */
	uint64_t call;
	enum tocsin_err err;
	struct buf frame;
};

/* What others left in the post box, taken out for one turn. */
struct relay_mail {
	struct names kicked, alive, connected, behind;
	struct answer *answers;
	bool trust_changed;
};

struct relay {
	struct broker *b;
	struct relay_in *in;
	struct pulls *pulls;
	pthread_t thread;
	bool running;

	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool stop;
	bool poked;
	bool tries_often; /* tcp_tune.h; does not change */
	bool trust_changed;
	struct names kicked;
	struct names alive;
	struct names connected;
	struct names behind;
	struct answer *answers; /* newest first */
	bool replied;		/* a peer's request that was fetched */

	/* the thread's; peers are added at the front and never freed, and the
	 * list is changed under the lock */
	struct relay_peer *peers;
	unsigned turn; /* who is first in the next round */
	bool outbound; /* nobody can dial us: we fetch */
	struct trust *trust;
	struct relay_mail mail;
};

/*
 * relay.c: one turn of the thread, which serves everybody; returns when to do
 * so again, or at once if there is a call, which is asked under the lock. A
 * simulation makes the turns in the thread's stead.
 */
int64_t relay_turn(struct relay *r, bool first);
bool relay_called(const struct relay *r);

/* relay_link.c: from an address to an open relay link, and keeping it. */
void link_begin(struct relay *r, struct relay_peer *p, int64_t now);
void link_answered(
    struct relay *r, struct relay_peer *p, struct answer *a, int64_t now);
/* Nothing has come for long: its connections are dead, whatever TCP thinks. */
bool link_is_dead(
    const struct relay *r, const struct relay_peer *p, int64_t now);

void link_down(struct relay_peer *p, enum tocsin_err why, int64_t now);

/* A call whose answer comes to the thread; false: no memory. */
bool link_call(struct relay *r, struct relay_peer *p, uint64_t call,
    bool roster, unsigned slot, const struct buf *frame);

/* The fields of the answer to a request; they alias *plain. */
MUST_USE enum tocsin_err link_read(const struct relay_peer *p, uint64_t number,
    const struct answer *a, struct buf *plain, struct span *fields);

/* Ask over the open link, in that slot; on failure the link is down. */
void link_ask_in(struct relay *r, struct relay_peer *p, unsigned slot,
    struct span request, int64_t now);

/* relay_fetch.c: as many pulls as are wanted are out. */
void fetch_open(struct relay_peer *p);
void fetch_step(struct relay *r, struct relay_peer *p, int64_t now);
int64_t fetch_at(const struct relay *r, const struct relay_peer *p);
void fetch_answered(struct relay *r, struct relay_peer *p, enum tocsin_err err,
    struct span fields, int64_t now);
void fetch_release(struct relay_peer *p);

/*
 * relay_count.c: whether the peer counts as we do. If not, nothing may be sent,
 * EBUSY, until we do; EMALFORMED if nobody could count so.
 */
MUST_USE enum tocsin_err count_agree(struct relay *r, struct relay_peer *p,
    const struct msg_cursors *at, const struct msg_cursors *from);

/* relay_tally.c: has the peer what it should have? */
MUST_USE enum tocsin_err tally_open(struct relay *r, struct relay_peer *p,
    const struct msg_relay *m, int64_t now);
MUST_USE enum tocsin_err tally_answer(struct relay *r, struct relay_peer *p,
    const struct msg_relay_at *m, int64_t now);
void tally_note(struct relay_peer *p, unsigned lane, uint64_t n,
    const uint8_t mark[TALLY_MARK]);
MUST_USE enum tocsin_err tally_save(struct store_tx *tx, const char *peer,
    const struct tally t[LANE_COUNT], bool heal);

/* The mark of an item that is queued. */
MUST_USE enum tocsin_err send_mark(uint8_t mark[TALLY_MARK],
    const struct relay_peer *p, struct store_rx *rx, unsigned lane, uint64_t n);

/* relay_heal.c: when to call again; and the lane of what is sent again. */
int64_t heal_step(struct relay *r, struct relay_peer *p, int64_t now);
unsigned heal_lane(struct store_rx *rx, uint64_t seq);
void heal_answered(struct relay *r, struct relay_peer *p, enum tocsin_err err,
    struct span lacks, int64_t now);

/* Is the ticket for a member of the nation? */
bool send_names(const struct ticket *t, struct span nation);

/* relay_roster.c: the rosters after ours, and announcements, if wanted. */
void roster_ask(struct relay *r, struct relay_peer *p);
void roster_answered(
    struct relay *r, struct relay_peer *p, const struct answer *a);
void roster_forget(struct relay_peer *p);

/*
 * relay_send.c: publish what may be sent in lanes up to that, within the
 * peer's quantum; true if there is more.
 */
#define SEND_QUANTUM 32
bool send_pump(
    struct relay *r, struct relay_peer *p, unsigned lane, int64_t now);

/* A loss at the end shows by nothing else, before the time-out. */
void send_probe(struct relay *r, struct relay_peer *p, int64_t now);

/* The peer's door shows out who is silent for too long. */
void send_beat(struct relay *r, struct relay_peer *p, int64_t now);
int64_t send_beat_at(const struct relay_peer *p);
void send_forget(struct relay_peer *p); /* the items at hand */

#endif

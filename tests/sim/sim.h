/* SPDX-License-Identifier: ISC */
/*
 * sim.h - several brokers in one thread, under virtual time
 *
 * The brokers are the real ones, linked from broker.a. What they have around
 * them is replaced when the program is linked: the clock (the linker's --wrap),
 * threads (none are started), net.h (a virtual network), writer.h (a virtual
 * disk below the real store), park.h, and randomness. So everything that
 * happens follows from one number, the seed, and happens again.
 *
 *	sim.c	  time, events, dice, trace, the first failure
 *	net.c	  broker/net.h: connections, delay, loss
 *	writer.c  broker/writer.h: commits that take time, and may not happen
 *	parks.c	  broker/park.h
 *	world.c	  a federation, what befalls it, and when it is quiet
 *	desk.c	  devices that post and fetch over links of their own
 *	check.c	  what must hold at every commit, frame and answer, and at the
 *		  end: DESIGN.md's invariants
 *	mutate.c  planted defects, to see that the checks find them
 *
 * An event belongs to a node, a place where a broker runs, or to nobody. While
 * one runs, sim_node is its node: what the broker calls is done on its behalf.
 * When a broker dies, its events die with it.
 *
 * What can't go on for lack of memory or by a fault of the simulation aborts.
 */
#ifndef TOCSIN_TESTS_SIM_H
#define TOCSIN_TESTS_SIM_H

#include "broker/broker.h"
#include "broker/relay_impl.h"
#include "crypto/link.h"
#include "crypto/receipt.h"
#include "tests/lib/fixture.h"

#define NODES 5
#define MEMBERS 8
#define TICKETS 64
#define PARTS 3
#define DESKS 16

#define MS INT64_C(1000)
#define SECOND INT64_C(1000000)

#define MUST(x) ((x) ? (void)0 : sim_broken(__FILE__, __LINE__, #x))
_Noreturn void sim_broken(const char *file, int line, const char *what);

/* ---- sim.c ---- */

struct node;
extern struct node *sim_node; /* on whose behalf, or NULL */
extern int64_t sim_us;	      /* virtual, from 0 */
extern uint64_t sim_events;
extern bool sim_verbose;

void sim_begin(uint64_t seed);
void sim_end(void); /* drops what is left of events */

uint64_t rnd(uint64_t n); /* below n; 0 if n is 0 */
bool chance(unsigned per_mille);

typedef void sim_fn(void *arg);

/*
 * Call fn(arg) at that time. If the node (may be NULL) has died by then, `drop`
 * is called instead, if there is one.
 */
void sim_at(int64_t us, struct node *n, sim_fn *fn, sim_fn *drop, void *arg);
void sim_soon(struct node *n, sim_fn *fn, void *arg); /* in 0 to 1 ms */

/* The next event; false: there is none, or something has failed. */
bool sim_step(void);

void trace(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Something does not hold. The first is kept, and ends the seed. */
void broke(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
const char *sim_failure(void); /* NULL: none */
void sim_tell(void);	       /* the failure and what was before it */

double real_seconds(void);
int64_t wall_now(void); /* true time of the world, seconds */

/* ---- nodes: world.c ---- */

struct place { /* a cursor as committed */
	uint64_t item;
	uint64_t offset;
};

struct node {
	unsigned i;
	char name[LABEL_MAX + 1];
	char nation[NATION_MAX + 1];
	unsigned bit;	  /* of the nation, in ticket.nations */
	struct broker *b; /* NULL: down */
	unsigned life;	  /* counts deaths; events of an earlier one are void */
	bool dying;
	bool fresh; /* the relay's first turn is to come */
	bool wipe;  /* it comes back without its store */
	bool wiped; /* it did */
	int64_t turn_at;
	unsigned turn;
	int64_t skew; /* seconds, of its wall clock */
	int64_t full_until;
	int64_t slow_until;
	int64_t up_at; /* when it is started again */
	char dir[256];
	uint8_t noise[32], sign[64], log[64];

	/* what is committed, as the checks have seen it */
	uint64_t head;
	struct place cursor[NODES][LANE_COUNT];
	uint64_t queued[NODES][LANE_COUNT];
	struct {
		uint64_t *of; /* by item: what it was published as */
		size_t n;
	} numbered[NODES][LANE_COUNT];
};

/* After anything that the node did: its relay may have been called. */
void node_settle(struct node *n);

/* It dies: at once for all others, and is freed before the next event. */
void node_crash(struct node *n, const char *when);

struct stats {
	uint64_t posts, crashes, cuts, commits, frames, lost, fetched;
	int64_t slowest; /* from all healed to rest */
};
extern struct stats stats;

/* ---- the world: world.c ---- */

struct part {
	uint8_t hash[32];
	struct buf bytes;
};

struct post {
	struct fx_ticket t;
	char id64[48];
	unsigned from;	  /* a member */
	unsigned members; /* bits: to whom */
	unsigned nations; /* bits */
	bool apart;	  /* the body is put before */
	bool parts_first;
	struct part part[PARTS];
	unsigned nparts;
	uint64_t body_size;
	uint8_t body_hash[32];
	bool answered;
	bool done;	      /* parts and all */
	uint64_t at[NODES];   /* seq, as committed; 0: not there */
	bool got[DESKS];      /* fetched */
	unsigned told[NODES]; /* bits: whose receipt is there */
	bool lost; /* with the store that it was posted at, perhaps */
};

struct world {
	uint64_t seed;
	struct fixture f;
	struct node node[NODES];
	unsigned nnodes;
	const struct node *hidden; /* nobody can dial it, or NULL */
	unsigned nmembers; /* as in f.member[] */
	struct post post[TICKETS];
	unsigned nposts;
	bool healed;

	/* the network of this seed */
	int64_t delay, jitter;		    /* us */
	unsigned lose, twice, damage, late; /* per mille */
	uint64_t rate;			    /* bytes a second */
	bool cut[NODES][NODES];
	bool silent[NODES][NODES]; /* and nobody notices */
	/* the disks */
	int64_t disk;		    /* us a commit */
	unsigned crash_at_commit;   /* per mille */
	struct buf genesis, second; /* the first two rosters */

	/* rosters: tickets name the one that their broker has */
	struct {
		uint64_t serial;
		uint8_t id[ID_LEN];
	} roster[16];
	unsigned nrosters;
	unsigned known[MEMBERS]; /* which of them a member has */
};
extern struct world w;

void world_run(uint64_t seed);

struct post *post_by_id(const uint8_t id[ID_LEN]);
struct node *node_by_name(const char *name);
unsigned nation_bit(struct span nation);
int member_index(struct span name);
struct node *home_of(unsigned member); /* where its desk posts */

/* ---- net.c ---- */

struct vcall;
void vnet_cut(struct node *a, struct node *b, bool silent);
void vnet_heal(struct node *a, struct node *b);
void vnet_died(struct node *n); /* others notice */
void vnet_forget(void);

/* A device's request to a node; fn is called once, with arg. */
void vnet_ask(struct node *to, uint32_t pipe, struct span frame,
    int64_t timeout_us, net_reply_fn *fn, void *arg);
uint32_t vnet_pipe(void);

/* Of net.h of some version. */
void net_redial(struct net *n, const char *peer, bool all);

/* ---- writer.c ---- */

bool vwriter_idle(struct writer *w);

/* ---- desk.c ---- */

struct desk;
void desks_begin(void);
void desks_end(void);
void desk_wake(unsigned member);	   /* there is something to post */
void desks_of_wiped(const struct node *n); /* they begin anew there */
bool desks_quiet(void);
const char *desks_why(void);

/* The highest seq that a device has ever said to have safe. */
uint64_t desk_acked(const struct node *n, const char *member, const char *dev);

/* ---- check.c ---- */

void check_commit(struct node *n);
void check_start(struct node *n);
void check_wiped(struct node *n); /* nothing of it counts any more */
void check_sealed(const struct relay_piece *piece);
void check_publish(struct node *n, const char *peer, struct span frame);
void check_wire(struct span frame);
bool check_quiet(char *why, size_t size);
void check_end(void);

/* ---- mutate.c ---- */

enum mutant {
	NO_MUTANT,
	ANSWER_EARLY,
	LYING_DISK,
	CURSOR_PLUS_ONE,
	CURSOR_FORGOTTEN,
	ACK_PLUS_ONE,
	ENTRY_DROPPED,
	PART_ROWS_FORGOTTEN,
	PART_NOT_PASSED_ON,
	WRONG_PEER,
	WRONG_BYTES,
	TRIM_PLUS_ONE,
	MAIL_FORGOTTEN,
	MAIL_ASTRAY,
	OUTBOX_FORGOTTEN,
	NATION_FORGOTTEN,
	RECEIPT_EARLY,
	RECEIPT_WRONG,
	WAKE_IGNORED,
	GAP_NEVER_TOLD,
	HEARTBEAT_IGNORED,
	BEGINNING_WRONG,
	NUMBER_TWICE,
	DEVICE_CURSOR_BACK,
	MUTANTS
};
extern enum mutant mutant;
const char *mutant_text(enum mutant m);

#endif

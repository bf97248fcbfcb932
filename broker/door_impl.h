/* SPDX-License-Identifier: ISC */
/*
 * door_impl.h - what the files of the door share
 *
 *	door.c		the loop: accepting, time, the end
 *	door_conn.c	the life of a connection: greetings, closing
 *	door_flow.c	whole messages from one end to the other
 *	door_end.c	one end: its descriptor and what waits to be written
 *	door_wait.c	who waits for what, and since when
 *	door_speed.c	how fast the line of a source is
 *
 * Three rules keep nng alive behind it:
 *
 *   - who connects to nng greets it and reads its greeting, come what may: nng
 *     ends a listener whose peer is gone in the middle of that. So a greeting
 *     that nng owes us is waited for without a deadline, and at most
 *     GREETING_MAX of them are open at once;
 *   - nng gets whole messages. What it was given the beginning of, it gets the
 *     end of, whether or not the sender is still there;
 *   - what nng has begun to send is read to its end before we leave it, and
 *     we leave it only when it has read all that we gave it: nng 1.5 that
 *     closes a pipe between two pieces of a message waits for the rest for
 *     ever, in the one thread that frees pipes.
 */
#ifndef TOCSIN_BROKER_DOOR_IMPL_H
#define TOCSIN_BROKER_DOOR_IMPL_H

#include "broker/door.h"
#include "broker/guests.h"
#include "broker/sp.h"
#include "broker/tcp_line.h"

enum {
	READ_MAX = 128 * 1024, /* bytes of one read */
	GREETING_MAX = 64,     /* below nng's backlog of 128 */
	ASKING_MAX = 64,       /* strangers whose requests nng has */
	ASKING_MS = 100, /* so long: one that is parked keeps nobody out */
	OWED_MAX = 8,	 /* answers to one stranger */
	SOON_MAX = 4,	 /* requests of one who is new: a handshake */
};

struct list {
	struct list *prev;
	struct list *next;
};

/*
 * What a connection waits for. Every kind has one duration, so a list in the
 * order of beginning is in the order of ending, too: no heap.
 */
enum wait {
	W_HEADER,   /* the client's greeting */
	W_GREETING, /* nng's, so that it is we who keep the client waiting */
	W_FIRST,
	W_QUIET,  /* W_FIRST of a relay, which may have nothing to say */
	W_ASKED,  /* W_IDLE of one that nobody vouches for */
	W_ANSWER, /* the same, and nng has not answered: we keep it waiting */
	W_IDLE,
	W_FRAME,
	W_CLOSE,
	W_OWED,	 /* nng's greeting, the client being gone: for ever */
	W_STALL, /* this and the next beside one of the above */
	W_RETRY,
	W_CHECK,
	W_SOON, /* W_TURN of one who has hardly asked yet */
	W_TURN, /* a stranger's request, until others are answered: for ever */
	W_ASKING, /* one that nng has, for its answer */
	W_COUNT
};

struct timer {
	struct list at; /* in the list of `wait`; first, so it is the timer */
	uint64_t since;
	enum wait wait;
	bool on;
	struct conn *conn;
};

enum phase {
	P_GREET_CLIENT,
	P_CONNECT, /* waiting for a turn at nng */
	P_GREET_BROKER,
	P_OPEN,
	P_CLOSING, /* one end is gone, the other is served to its end */
	P_DEAD	   /* freed at the end of the turn */
};

/* Bytes that the kernel did not take yet. */
struct queue {
	uint8_t *p;
	size_t n;
	size_t off;
};

struct end {
	struct conn *conn;
	int fd;		/* -1: gone */
	uint32_t armed; /* what epoll watches, if it does */
	bool watched;
	struct sp_reader in;
	struct queue out;
};

struct conn {
	struct end client;
	struct end broker;
	struct timer life;
	struct timer beside;
	struct timer ask; /* W_SOON, W_TURN or W_ASKING */
	uint8_t asked;	  /* requests of a stranger, up to SOON_MAX */
	enum phase phase;
	bool known;   /* has sent a whole message */
	bool vouched; /* the broker has answered it under a session's key */
	uint8_t greeting_n;
	uint8_t greeting[SP_HEADER_LEN];
	uint16_t proto; /* of the client */
	uint32_t owed;	/* requests that nng has not answered */
	uint64_t quiet; /* closing: when nng was last heard */
	struct guest *guest;
	size_t sent;	 /* bytes, to the client, since we looked at */
	uint64_t looked; /* and when that was */
	struct tcp_line line;
	size_t held;	   /* as counted in the door's sum */
	struct conn *dead; /* the next to be freed */
};

struct door {
	const struct door_config *cfg;
	int epoll;
	int listen;
	int control;
	bool leaving;
	uint64_t now;
	uint64_t paused_until; /* 0: accepting */
	unsigned conns;	       /* with either end */
	unsigned greetings;    /* that nng owes us */
	unsigned asking;       /* connections in W_ASKING */
	struct list waits[W_COUNT];
	unsigned waiting[W_COUNT]; /* how many are in each */
	uint64_t limit[W_COUNT];
	struct conn *dead;
	struct guests *guests;
	struct door_counters count;
	uint8_t scratch[READ_MAX];
};

#define COUNT(d, name) ((d)->count.n[DOOR_##name])

/* ---- door_wait.c ---- */

void timer_stop(struct door *d, struct timer *t);
void timer_start(struct door *d, struct timer *t, enum wait wait);
struct timer *timer_oldest(struct door *d, enum wait wait); /* or NULL */
void timer_lists(struct door *d);			    /* all empty */

/* ---- door_end.c ---- */

struct end *end_other(struct end *e);
bool end_is_client(const struct end *e);
size_t end_queued(const struct end *e);	  /* bytes to be written */
uint32_t end_wanted(const struct end *e); /* events */
void end_arm(struct door *d, struct end *e);
void end_close(struct end *e, bool reset);

/* To the kernel, or behind what waits; false: it is gone. */
bool end_write(struct end *e, struct iovec *iov, int n);
bool end_flush(struct end *e);

/* Into the door's scratch, READ_MAX at most. */
ssize_t end_read(struct door *d, struct end *e, size_t max);

/* ---- door_flow.c ---- */

enum flow { FLOW_ON, FLOW_ENDED, FLOW_REFUSED };

/* All whole frames of *in; counts them. */
enum flow flow_pass(
    struct end *from, struct end *to, struct span *in, uint64_t *frames);

/* `frames` went to nng, or came from there. */
void flow_owed(struct conn *c, const struct end *from, uint64_t frames);

/* Something of the client's has moved: which deadline runs now? */
void flow_timer(struct door *d, struct conn *c, uint64_t frames);

/*
 * One read from one end, what is whole of it to the other. Strangers take
 * turns: nng has a request of ASKING_MAX of them at once, since otherwise those
 * who ask without pause would have all of its threads, and it would neither
 * greet nor answer anybody else.
 */
void flow_pump(struct door *d, struct end *from);
bool flow_may_read(const struct conn *c); /* it is not waiting for its turn */
void flow_turns(struct door *d);	  /* whose turn it is now */
void flow_asked(struct door *d, struct conn *c); /* its turn is over */

/* ---- door_speed.c ---- */

void speed_begin(struct door *d, struct conn *c);
void speed_sent(struct door *d, struct conn *c, size_t n);

/* ---- door_conn.c ---- */

/* Events that strangers can cause, and what is wrong behind us. */
void door_log_refusal(struct conn *c, const char *reason);
void door_log_broker(const char *event, const char *path, int error);

void conn_account(struct door *d, struct conn *c);
void conn_bury(struct door *d, struct conn *c); /* freed by: */
void conn_bury_all(struct door *d);

/* An end is gone, or is shown out; the other gets what it must get. */
void conn_client_gone(struct door *d, struct conn *c, bool reset);
void conn_broker_gone(struct door *d, struct conn *c);
void conn_end_gone(struct door *d, struct end *e);
void conn_refuse(
    struct door *d, struct conn *c, uint64_t *counter, const char *reason);

/* The deadlines, the sums and the watch, after something has moved. */
void conn_settle(struct door *d, struct conn *c);

/* Without its client. */
void conn_step(struct door *d, struct conn *c);

/* Greetings, in their order. */
void conn_greet_client(struct door *d, struct conn *c);
void conn_connect(struct door *d, struct conn *c);
void conn_greet_broker(struct door *d, struct conn *c);

const char *conn_broker_path(const struct door *d, const struct conn *c);
void conn_broker_down(struct door *d, struct conn *c, int error);

/* One without a voucher among those that have waited longest, or NULL. */
struct conn *conn_unvouched(struct door *d, enum wait wait);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * fakebroker_impl.h - what fakebroker.c, its link and its serve share
 *
 * All of it under the broker's lock, which the thread gives up only while it
 * waits for bytes. fakebroker.c is the test's side: it changes what is here and
 * looks at it.
 */
#ifndef TOCSIN_TESTS_LIB_FAKEBROKER_IMPL_H
#define TOCSIN_TESTS_LIB_FAKEBROKER_IMPL_H

#include "crypto/frame.h"
#include "crypto/noise.h"
#include "tests/lib/fakebroker.h"
#include "tests/lib/tap.h"

#include <pthread.h>

#define CONNS 32
#define SESSIONS 256
#define ENTRIES 512
#define TICKETS 2048
#define FAULTS 64
#define PENDING 64 /* parked or held */
#define PARKS 4
#define PARTS 16
#define STRANGERS 16
#define PATIENCE_S 20

#define MUST(x)                                                                \
	do {                                                                   \
		if (!(x)) {                                                    \
			diag("fakebroker: %s:%d: %s", __FILE__, __LINE__, #x); \
			abort();                                               \
		}                                                              \
	} while (0)

struct conn {
	int fd; /* -1: free */
	unsigned life;
	bool greeted, mute;
	struct buf in;
};

struct session {
	uint8_t id[FRAME_SESSION];
	struct noise noise;
	uint8_t tx[32], rx[32];
	uint8_t who[32];
	bool done;
	uint64_t sent;
};

/* A request that is served, or waits for its answer. */
struct req {
	bool used, parked;
	size_t conn;
	unsigned life; /* of the connection it came over */
	uint32_t rid;
	uint8_t session[FRAME_SESSION];
	uint64_t nonce;
	uint8_t op;
	uint64_t order;
	int64_t until;
	struct buf frame; /* held */
};

struct part {
	uint8_t hash[32];
	uint64_t total;
	struct buf bytes;
	bool whole;
};

struct fakebroker {
	const struct fixture *f;
	char name[LABEL_MAX + 1];
	char url[64];
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int listener, wake[2];
	uint16_t port;
	bool stop, silent;
	uint64_t count[FB_COUNTS];
	uint64_t order;

	struct conn conn[CONNS];
	struct session session[SESSIONS];
	size_t nsession;
	struct req pending[PENDING];

	struct msg_entry entry[ENTRIES];
	size_t nentry;
	struct {
		uint8_t id[ID_LEN];
		enum tocsin_err code;
		bool taken;
		uint64_t seq;
	} ticket[TICKETS];
	size_t nticket;
	struct part part[PARTS];
	size_t npart;
	struct {
		uint8_t op;
		enum fb_fault fault;
		enum tocsin_err code;
		unsigned left;
	} fault[FAULTS];
	size_t nfault;
	bool strange;
	uint8_t known[STRANGERS][32];
	size_t nknown;
	uint64_t roster;
	struct buf roster_file;
};

int64_t fb_now_ms(void);
void fb_counted(struct fakebroker *b, enum fb_count c, int64_t by);

/* ---- link: the thread, and what goes out ---- */

void *fb_run(void *b);
void fb_listen_on(struct fakebroker *b);
void fb_hang_up(struct fakebroker *b, size_t conn);
void fb_send_frame(
    struct fakebroker *b, const struct req *r, struct span frame, bool half);
struct session *fb_find_session(
    struct fakebroker *b, const uint8_t id[FRAME_SESSION]);

/* Parked or held, until it is answered. */
struct req *fb_keep_pending(struct fakebroker *b, const struct req *r);

/* An answer meets what was ordered for its op; a hint needs no session. */
void fb_answer(struct fakebroker *b, const struct req *r, struct span reply);
void fb_refuse(struct fakebroker *b, const struct req *r, enum tocsin_err code);
void fb_hint(struct fakebroker *b, const struct req *r, enum tocsin_err code);

/* The fault that a request of this op meets now, if `before` fits. */
bool fb_meets(struct fakebroker *b, uint8_t op, bool before,
    enum fb_fault *fault, enum tocsin_err *code);

/* ---- serve: requests ---- */

void fb_serve(struct fakebroker *b, struct req *r, struct session *s,
    struct span request);
void fb_wake_parks(struct fakebroker *b); /* there is mail */
void fb_expire_parks(struct fakebroker *b);

/* Made if there is none. */
size_t fb_ticket_row(struct fakebroker *b, const uint8_t id[ID_LEN]);
struct part *fb_part_row(struct fakebroker *b, const uint8_t hash[32]);

#endif

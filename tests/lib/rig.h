/* SPDX-License-Identifier: ISC */
/*
 * rig.h - brokers in this process, and devices that talk to them
 *
 * A broker of a fixture's nation runs with its store and its sockets in a
 * folder of scratch(), without a door before it. A desk is one link of a device
 * over nng, as a client would have it, but with every frame in the test's
 * hands. What can't go on ends the test.
 */
#ifndef TOCSIN_TESTS_RIG_H
#define TOCSIN_TESTS_RIG_H

#include "broker/broker.h"
#include "crypto/link.h"
#include "crypto/msg.h"
#include "tests/lib/fixture.h"

#include <nng/nng.h>

/*
 * The broker of that name, which is its nation's, with the fixture's roster and
 * announcements. An existing folder is opened again. `edit` changes its config.
 */
struct broker *rig_broker(const struct fixture *f, const char *name,
    void (*edit)(struct broker_config *c, void *arg), void *arg);

/* The folder of its sockets; static. */
const char *rig_dir(const char *name);

struct desk {
	nng_socket s;
	struct link link;
};

/* A link of "singcert@sg/desk1" to that broker, opened with a hello. */
void desk_open(struct desk *d, const struct fixture *f, const char *broker,
    const char *device);
void desk_close(struct desk *d);

/* A socket without a link yet. */
void desk_dial(struct desk *d, const char *broker);

/* Opens the link with `request`; the reply is appended. */
enum tocsin_err desk_link(struct desk *d, const struct fixture *f,
    const char *broker, const char *device, struct span request,
    struct buf *reply);

/* A frame under way, in a context of its own. */
struct flight {
	nng_ctx ctx;
	nng_aio *aio;
	uint64_t number;
	bool sent;
};
void flight_begin(struct flight *a, struct desk *d, struct span frame);

/* Waits for the answer, a frame, which is appended; ETIMEDOUT after 20 s. */
enum tocsin_err flight_end(struct flight *a, struct buf *answer);

/* Sends any bytes and appends what comes back. */
enum tocsin_err desk_frame(
    struct desk *d, struct span frame, struct buf *answer);

/* A request: its reply code, and what follows it appended to *rest. */
enum tocsin_err desk_ask(struct desk *d, struct span request, struct buf *rest);

/* The same in two halves. */
void desk_begin(struct desk *d, struct flight *a, struct span request);
enum tocsin_err desk_end(struct desk *d, struct flight *a, struct buf *rest);

/* Posts one ticket: its code, and its seq. */
enum tocsin_err desk_post(
    struct desk *d, const struct fx_ticket *t, uint64_t *seq);

/* A fetch; the entries alias *rest. The request is 0, 0, ... of msg_fetch. */
enum tocsin_err desk_fetch(struct desk *d, const struct msg_fetch *m,
    struct buf *rest, struct msg_entries *out);

/* Waits until the counter of the broker is at least n; false after 20 s. */
bool rig_reaches(struct broker *b, enum broker_counter c, uint64_t n);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * door.h - the one public port
 *
 * nng 1.5 listeners don't survive strangers: a single connection that is reset
 * at the wrong moment ends one for good. So nng listens on local sockets in a
 * folder of mode 0700, and this small process without keys stands before it. It
 * takes TCP connections, lets whole, bounded messages pass, and sees to it that
 * nng meets only complete greetings, complete messages and orderly ends.
 *
 *     stranger --TCP--> door --+-- REQ --> rpc.ipc    (nng, REP)
 *                              +-- PUB --> relay.ipc  (nng, SUB)
 *
 * A connection goes through these, and has a deadline in each:
 *
 *     greeting  the client's header				  header_ms
 *     waiting   for nng, which is connected to and greeted with it; its own
 *               header is the answer to the client		  header_ms
 *     stranger  has greeted but not sent a whole message	  first_ms
 *     idle      between two messages				  idle_ms
 *     message   from its first byte to its last		  frame_ms
 *     stalled   we have something for a client who doesn't read   stall_ms
 *     closing   what is whole is delivered, and nng is left only when
 *               nothing is under way to it or from it	  close_ms
 *
 * There are limits for connections in all and from one source (an IPv4 address
 * or an IPv6 /64), for new ones from one source per second, and for the bytes
 * in hand. When the house is full, the stranger who has said nothing for
 * longest is shown out for the new guest, and one who waits for nng's greeting
 * or answer only if half of the house does. A stranger is one whom the broker
 * has not answered under a session's key: the door has no keys, but it sees the
 * type of an answer's frame. One thread; an idle connection costs under 400
 * bytes and two descriptors.
 *
 * Strangers ask one request at a time each, and 64 of them at once: nng answers
 * and greets nobody else while it has as many as they can send. Who has hardly
 * asked yet goes first.
 *
 * An honest client stays by sending. A relay link may be quiet for idle_ms; an
 * empty message, which SUB discards, keeps it longer.
 *
 * The limits of messages must not be above nng's RECVMAXSZ behind the door, or
 * a stranger makes nng itself end a pipe; the broker's answers must keep to
 * max_rpc, too. A request has 4 bytes of nng's before its frame.
 *
 * The parent binds the port and keeps it, so that a door that ends can be
 * replaced without a refused connection in between. A door ends when its
 * parent does, because then its control socket does. It logs with log.h on the
 * inherited stderr: addresses and numbers, never contents.
 */
#ifndef TOCSIN_BROKER_DOOR_H
#define TOCSIN_BROKER_DOOR_H

#include "crypto/frame.h"
#include "crypto/relay_frame.h"
#include "crypto/tocsin_err.h"
#include "crypto/wire.h"

#include <sys/types.h>

#define DOOR_PATH_MAX 108 /* of a local socket, with its NUL */

struct door_config {
	const char *listen; /* "192.0.2.1:7401", "[::]:7401", port 0: any */
	const char *rpc;    /* path of nng's REP socket */
	const char *relay;  /* path of nng's SUB socket */
	uint32_t max_rpc;   /* bytes of a message, either way */
	uint32_t max_relay;
	uint32_t header_ms;
	uint32_t first_ms;
	uint32_t frame_ms;
	uint32_t idle_ms;
	uint32_t stall_ms;
	uint32_t close_ms;
	uint32_t max_conns;  /* lowered to what RLIMIT_NOFILE allows */
	uint32_t max_source; /* connections from one source */
	uint32_t rate;	     /* new ones from one source per second ... */
	uint32_t burst;	     /* ... after this many at once */
	uint32_t max_held;   /* bytes in hand for all connections */
};

/* clang-format off */
#define DOOR_DEFAULTS { \
	.listen = "0.0.0.0:7401", .rpc = "", .relay = "", \
	.max_rpc = 4 + FRAME_MAX, .max_relay = RELAY_FRAME_MAX, \
	.header_ms = 5000, .first_ms = 30000, .frame_ms = 30000, \
	.idle_ms = 600000, .stall_ms = 30000, .close_ms = 30000, \
	.max_conns = 8192, .max_source = 512, .rate = 200, .burst = 800, \
	.max_held = 64 << 20 }

/* What a door counts since its start; `open` and `held` are as of now. */
#define DOOR_COUNTERS(X) \
	X(accepted)       /* connections taken from the kernel */ \
	X(open)           /* of these still there */ \
	X(greeted)        /* headers exchanged on both sides */ \
	X(refused_full)   /* the house is full */ \
	X(refused_source) /* too many from one source */ \
	X(refused_rate)   /* too fast from one source */ \
	X(refused_header) /* not SP, or not REQ or PUB */ \
	X(refused_frame)  /* too large, or no plain request */ \
	X(evicted)        /* strangers that made room */ \
	X(late_header) X(late_first) X(late_frame) X(late_idle) \
	X(late_stall) X(late_close) \
	X(broker_down)    /* nng's socket could not be reached */ \
	X(broker_deaf)    /* it accepts, but does not greet: nng is stuck */ \
	X(no_fds)         /* accepting paused for lack of descriptors */ \
	X(held)           /* bytes of unfinished or unread messages */ \
	X(frames_in) X(frames_out) X(bytes_in) X(bytes_out)
/* clang-format on */

enum door_counter {
#define DOOR_ENUM(name) DOOR_##name,
	DOOR_COUNTERS(DOOR_ENUM)
#undef DOOR_ENUM
	    DOOR_COUNTER_COUNT
};

struct door_counters {
	uint64_t n[DOOR_COUNTER_COUNT];
};

const char *door_counter_name(enum door_counter c);

/* For the parent. */

/* Binds and listens. TOCSIN_EUNAVAILABLE with errno if that fails. */
MUST_USE enum tocsin_err door_listen(const char *address, int *listen_fd);

/* The port that it got. */
uint16_t door_port(int listen_fd);

/*
 * Starts a door: /proc/self/exe with argv "tocsind door ...", whose main()
 * calls door_main(). May be called with nng running. The kernel ends the door
 * with the *thread* that called this: call it from one that lives as long as
 * the broker. The caller keeps listen_fd, closes *control_fd to end the door,
 * and waits for *pid. TOCSIN_EUNAVAILABLE with errno on failure.
 */
MUST_USE enum tocsin_err door_spawn(
    const struct door_config *cfg, int listen_fd, pid_t *pid, int *control_fd);

/* Asks a door for its counters; TOCSIN_EUNAVAILABLE if none within 1 s. */
MUST_USE enum tocsin_err door_ask(int control_fd, struct door_counters *out);

/*
 * Does nng still listen at this path? Greets it as the door does (SP_REQ for
 * rpc, SP_PUB for relay), sees whether it reads, and leaves in order. A lost
 * listener goes on to accept and to greet, so only reading tells. Blocks, 2 x
 * timeout_ms at worst. TOCSIN_ETIMEOUT: it is stuck or lost; end the broker, to
 * be restarted. TOCSIN_EUNAVAILABLE: nobody listens. Ask from time to time, and
 * always after a door was killed, since one that dies between connect and
 * greeting loses the listener.
 */
MUST_USE enum tocsin_err door_probe(
    const char *path, uint16_t proto, unsigned timeout_ms);

/* For the child. */

/* argv[0] is "door". Returns an exit status. */
int door_main(int argc, char **argv);

/*
 * The loop itself, on two descriptors that it takes over. Returns an exit
 * status when control_fd ends or after SIGTERM.
 */
int door_run(const struct door_config *cfg, int listen_fd, int control_fd);

#endif

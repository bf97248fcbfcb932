/* SPDX-License-Identifier: ISC */
/*
 * lane.h - what to send next to a peer, and what to take from one
 *
 * Items (entries, parts) flow to a peer in five lanes; in each they are
 * numbered from 1 and arrive in order. An item is cut into pieces that nng
 * publishes and may lose. The receiver has a cursor per lane, which says what
 * it has for good; the sender sends from the cursor on, so many bytes ahead as
 * the window allows, and goes back when the receiver misses
 * something and says so. What was lost at the end shows by heartbeats, which
 * are sent when nothing is acknowledged for a while. So nothing depends on a
 * piece arriving, and none is sent twice that was not lost: the connection
 * below repeats by itself what a bad line loses. PROTOCOL.md 6.
 *
 * Two state machines, one for each end. They are pure: no clock, no network,
 * no store. Time comes as an argument, in milliseconds of any clock that does
 * not go back; bytes come and go by the caller, who serialises his calls.
 *
 * A position (item, offset) means: all items up to `item` and `offset` bytes of
 * the one after it.
 */
#ifndef TOCSIN_BROKER_LANE_H
#define TOCSIN_BROKER_LANE_H

#include "broker/pace.h"
#include "crypto/msg.h"
#include "crypto/relay_frame.h"

struct lane_pos {
	uint64_t item;
	uint64_t offset;
};

/* < 0, 0, > 0 as memcmp */
int lane_cmp(struct lane_pos a, struct lane_pos b);

/*
 * ---- the sender ----
 *
 * The caller pumps:
 *
 *	while (lane_tx_pick(&tx, &want))
 *		if (there is an item want.item in want.lane)
 *			publish up to want.max bytes of it from want.offset,
 *			lane_tx_sent(&tx, ...);
 *		else
 *			lane_tx_empty(&tx, want.lane);
 *
 * and pumps again after lane_tx_wake() (something was queued), an
 * acknowledgement, or lane_tx_timer().
 */
#define LANE_FLIGHTS 1024     /* pieces on the way at once */
#define LANE_WINDOW (1 << 20) /* bytes, unless the peer grants less */
#define LANE_PROBE_MIN 50     /* ms without progress until we ask */
#define LANE_PROBE_MAX 10000  /* and until we ask again, at most */
#define LANE_NEWS_MIN 2048    /* bytes that are worth an acknowledgement */
#define LANE_NEWS_MAX 65536
#define LANE_NUMBER_MAX (UINT64_C(1) << 56) /* of an item, exclusive */

/* A piece on the way; a list per lane, by index, oldest first. */
struct lane_flight {
	struct lane_pos end; /* acknowledged by a cursor at or beyond it */
	struct pace_stamp stamp;
	uint32_t bytes;
	uint16_t next;
};

struct lane_tx_lane {
	struct lane_pos acked; /* the receiver's cursor */
	struct lane_pos next;  /* the first byte to send */
	struct lane_pos most;  /* as far as was sent on this link, ever */
	uint32_t round;	       /* how often we went back */
	uint16_t first, last;  /* flights; LANE_FLIGHTS: none */
	uint64_t bytes;	       /* on the way */
	bool idle;	       /* nothing there at `next` when we last looked */
};

struct lane_tx {
	struct lane_tx_lane lane[LANE_COUNT];
	struct pace pace;
	uint64_t bytes; /* on the way */
	unsigned pieces;
	int64_t progress; /* when the last byte was acknowledged, or the first
			     one sent after nothing was on the way */
	unsigned probes;  /* since then */
	bool suspect;	  /* the connection is a new one: ask at once */
	int64_t srtt;	  /* 0: not measured */
	uint64_t repeats; /* how often a lane went back; for the log */
	uint16_t spare;	  /* flights that are free */
	struct lane_flight flight[LANE_FLIGHTS];
};

struct lane_want {
	unsigned lane;
	uint64_t item;
	uint64_t offset;
	size_t max; /* at least 1, at most RELAY_BYTES_MAX */
};

/*
 * A new link: `at` is what is safe at the receiver, `from` what it has in hand:
 * sending goes on there.
 */
void lane_tx_open(struct lane_tx *tx, const struct msg_cursors *at,
    const struct msg_cursors *from, uint32_t window, int64_t now);

/*
 * The most urgent lane that may send now; false: none. A higher lane may fill
 * more than the window, so that it need not wait for what bulk has on the way;
 * and as long as nothing of it or of a higher one is on the way, it has room for
 * a piece. What stands below may be held at the peer until this lane's next item
 * is there, so to wait for it might be to wait for oneself.
 */
bool lane_tx_pick(const struct lane_tx *tx, struct lane_want *want);

/*
 * n bytes at the lane's position were published, of an item of `total` bytes.
 * An item that has shrunk below our offset is begun anew: n may be 0, and the
 * position goes to its beginning.
 */
void lane_tx_sent(
    struct lane_tx *tx, unsigned lane, size_t n, uint64_t total, int64_t now);

/* There is no item at the lane's position; until lane_tx_wake(). */
void lane_tx_empty(struct lane_tx *tx, unsigned lane);
void lane_tx_wake(struct lane_tx *tx);

/*
 * Can the receiver be where it says? It had `from` in hand when the link
 * began, and may have got what was sent since; and it passes over a part, of
 * which the first piece was sent, or finds that it has it. No: it lies, and
 * *lane is where.
 */
bool lane_tx_believes(
    const struct lane_tx *tx, const struct msg_relay_at *at, unsigned *lane);

/* The receiver's word, which is believed. */
void lane_tx_ack(
    struct lane_tx *tx, const struct msg_relay_at *at, int64_t now);

/* How many bytes more the receiver should have before it says so. */
uint32_t lane_tx_news(const struct lane_tx *tx);

/*
 * The connection is a new one: what was on the way may be lost. We ask, and
 * send again what the receiver misses then.
 */
void lane_tx_suspect(struct lane_tx *tx);

/* True: publish a heartbeat for each lane with something on the way. */
bool lane_tx_timer(struct lane_tx *tx, int64_t now);

/* When lane_tx_timer() has something to say; INT64_MAX: never. */
int64_t lane_tx_deadline(const struct lane_tx *tx);

/* The place of the next byte of a lane: what a heartbeat says. */
struct lane_pos lane_tx_place(const struct lane_tx *tx, unsigned lane);

/*
 * ---- the receiver ----
 *
 * Lanes 0 to 3 carry entries, which are assembled in memory and given to the
 * caller whole. Lane 4 carries parts, whose pieces are given out as they come,
 * to be written at once. In both the caller makes durable what it got, in
 * order, and says so with lane_rx_durable(); or drops it with lane_rx_reset().
 */
#define LANE_ITEM_MAX (3u << 20) /* bytes of an item that is assembled */
#define LANE_DELAY 50		 /* ms from one word to the next, unless it */
				 /* is about many bytes, or a loss */
#define LANE_KEEP (64u << 10)	 /* bytes of an entry worth a write */
#define LANE_HOLD 4		 /* windows that are given out at most */

enum lane_got {
	LANE_DROPPED, /* was here before, or does not follow what is here */
	LANE_TAKEN,   /* of an item that is not whole yet */
	LANE_ITEM,    /* `whole` is the item; the caller releases it */
	LANE_RANGE,   /* lane 4: `bytes` at `offset` of an item of `total` */
	LANE_TOOBIG,  /* the item is not to be had: pass it over */
};

enum lane_gap { LANE_GAP_NONE, LANE_GAP_SEEN, LANE_GAP_TOLD };

struct lane_rx_lane {
	struct lane_pos durable; /* the cursor */
	uint8_t tally[16];	 /* of its items; the caller's, told with it */
	struct lane_pos head;	 /* what is here, in memory or on disk */
	struct lane_pos told;	 /* on this link */
	uint32_t round;		 /* of the last piece */
	enum lane_gap gap;	 /* in this round */
	uint8_t kind;		 /* of the item that head.offset is in */
	uint64_t total;
	struct buf part; /* its bytes, lanes 0 to 3 */
};

struct lane_rx {
	struct lane_rx_lane lane[LANE_COUNT];
	uint64_t bytes; /* given out as items and not durable yet */
	uint64_t
	    limit; /* of that; what is assembled has LANE_ITEM_MAX a lane */
	uint64_t fresh; /* bytes since we told how far we are */
	int64_t told_at;
	uint64_t repeated; /* bytes that came and were here already */
	uint64_t unused;   /* bytes that came behind a gap */
};

/* What a piece has led to. */
struct lane_take {
	unsigned lane;
	uint64_t item;
	uint8_t kind;
	uint64_t total;
	uint64_t offset;   /* of a range */
	struct span bytes; /* of a range; they alias the piece */
	struct buf whole;
};

/* From durable cursors; `window` is what the sender was told. */
void lane_rx_open(
    struct lane_rx *rx, const struct msg_cursors *durable, uint32_t window);
void lane_rx_release(struct lane_rx *rx);

/*
 * Of the item after the lane's cursor, of that kind and size, the beginning is
 * on disk; of an entry these are its bytes, which are moved. Right after
 * lane_rx_open(), which takes the bytes of an entry for lost.
 */
void lane_rx_resume(struct lane_rx *rx, unsigned lane, uint8_t kind,
    uint64_t total, uint64_t offset, struct buf *bytes);

/* A new link: what is safe, and what is in hand. No gap is open. */
void lane_rx_relink(
    struct lane_rx *rx, struct msg_cursors *at, struct msg_cursors *from);

/* A piece that was authentic. *out is set for ITEM, RANGE and TOOBIG. */
enum lane_got lane_rx_piece(
    struct lane_rx *rx, const struct relay_piece *p, struct lane_take *out);

/*
 * The position of the lane that is on disk now; never goes back. `bytes` of
 * items given out are no longer in memory.
 */
void lane_rx_durable(
    struct lane_rx *rx, unsigned lane, struct lane_pos pos, uint64_t bytes);

/*
 * What was given out of this lane and is not durable was dropped by the caller:
 * ask for it again. `bytes` as above.
 */
void lane_rx_reset(struct lane_rx *rx, unsigned lane, uint64_t bytes);

/*
 * Is there something to tell a sender who wants a word for each `bytes`? If
 * not, then at the time that lane_rx_due() gives; INT64_MAX: all is told.
 */
bool lane_rx_news(const struct lane_rx *rx, uint32_t bytes, int64_t now);
int64_t lane_rx_due(const struct lane_rx *rx);

/* Something of this lane was sent, and is not here, or not all of it. */
bool lane_rx_lacks(const struct lane_rx *rx, unsigned lane);

/*
 * Of the entry that is coming in this lane so much more is here than on disk
 * that it is worth to be kept: from durable.offset to head.offset of .part.
 */
bool lane_rx_keep(const struct lane_rx *rx, unsigned lane);

/* Tell it. A gap is told once a round. */
struct msg_relay_at lane_rx_tell(struct lane_rx *rx, int64_t now);

#endif

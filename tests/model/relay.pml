/* SPDX-License-Identifier: ISC */
/*
 * relay.pml - one lane of a relay link, for spin(1); run.sh runs it
 *
 * What PROTOCOL.md 6 says of a lane, with items in place of bytes: a sender with
 * a durable outbox, a receiver with a durable cursor, frames that are lost,
 * doubled, late and out of order between them, words about the cursor that are
 * lost, and a crash of either end at any moment, all within the budgets below.
 *
 * Held: an item is stored once, in its place, and none is left out, as hand[]
 * says; the sender forgets only what the receiver has for good; and, whatever happened, all N
 * items arrive in the end: there is no cycle in which nothing is stored, and no
 * state in which nothing can happen before all is.
 *
 * BROKEN is a mistake that must be found:
 *	1  the receiver tells what it has in hand, before it is durable
 *	2  the receiver takes what lies beyond a gap
 *	3  the sender asks nothing when nothing happens
 *	4  a gap is told once and for all, though what was sent again was lost
 *	5  the receiver takes again what it has
 */
#ifndef N
#define N 4 /* items */
#endif
#ifndef LOSSES
#define LOSSES 2
#endif
#ifndef TWICE
#define TWICE 1
#endif
#ifndef MIXED
#define MIXED 2
#endif
#ifndef CRASHES
#define CRASHES 2
#endif
#ifndef BROKEN
#define BROKEN 0
#endif
#define WINDOW 3

mtype = { PIECE, BEAT };

/* link, what, item; of a heartbeat the last item that was begun */
chan net = [WINDOW] of { byte, mtype, byte };
/* link, cursor, whether something is missing */
chan word = [2] of { byte, byte, bool };

/* durable */
byte queued;  /* items in the sender's outbox */
byte trimmed; /* of them, those it has forgotten */
byte cursor;  /* items that the receiver has stored */

/* of a process, and lost with it */
byte link;	   /* the sender's; 0: none */
byte acked, next;
byte known;	   /* the link that the receiver knows; 0: none */
byte head;	   /* what the receiver has in hand: */
byte hand[N + 1];  /* in each place, which item */
byte told;	   /* the cursor that the sender knows */
byte last;	   /* item of the last piece that came */
byte gap;	   /* 0: none, 1: seen, 2: told */

byte links; /* ids given out */
byte losses, twice, mixed, crashes;

/* The answer of relay.open: one request, which may be repeated at will. */
inline open()
{
	links++;
	link = links;
	known = links;
	acked = cursor;
	gap = 0;
	last = 0;
	told = cursor;
	next = head
}

inline publish(what, item)
{
	if
	:: nfull(net) -> net!link, what, item
	:: full(net) && losses < LOSSES -> losses++
	:: nfull(net) && losses < LOSSES -> losses++
	fi
}

active proctype sender()
{
	byte l, c;
	bool repeat;

end:
	do
	:: atomic { queued < N -> queued++ }
	:: atomic { link == 0 && (queued > trimmed || cursor < queued) ->
		open() }
	:: atomic { link != 0 && next < queued && next - acked < WINDOW &&
		(nfull(net) || losses < LOSSES) ->
		next++;
		publish(PIECE, next) }
	:: atomic { word?[l, c, repeat] -> word?l, c, repeat;
		if
		:: l == link && link != 0 ->
			assert(c <= cursor);
			if
			:: c > acked -> acked = c
			:: else -> skip
			fi;
			if
			:: next < acked -> next = acked
			:: else -> skip
			fi;
			if
			:: repeat -> next = acked
			:: else -> skip
			fi
		:: else -> skip
		fi;
		l = 0; c = 0; repeat = false }
	:: atomic { trimmed < acked -> trimmed = acked;
		assert(trimmed <= cursor) }
	/* Nothing has happened for a while: ask, over a new link if the
	 * receiver has forgotten this one. */
	:: atomic { timeout && BROKEN != 3 && link != 0 && link == known &&
		cursor < queued ->
		told = acked;
		publish(BEAT, next) }
	:: atomic { timeout && link != 0 && link != known -> link = 0 }
	:: atomic { crashes < CRASHES -> crashes++;
		link = 0; acked = 0; next = 0 }
	od
}

inline take(item)
{
	if
	:: item == head + 1 || (BROKEN == 2 && item > head) ||
		(BROKEN == 5 && head < N) ->
		head++; hand[head] = item; gap = 0
	:: item > head + 1 && BROKEN != 2 && BROKEN != 5 ->
		if
		:: gap == 0 -> gap = 1
		:: gap != 0 && item < last && BROKEN != 4 -> gap = 1
		:: else -> skip
		fi
	:: else -> skip
	fi;
	last = item
}

active proctype receiver()
{
	byte l, item;
	mtype what;

end:
	do
	:: atomic { nempty(net) -> net?l, what, item;
		if
		:: l == known && what == PIECE -> take(item)
		:: l == known && what == BEAT && item > head ->
			if
			:: BROKEN == 4 && gap == 2 -> skip
			:: else -> gap = 1
			fi
		:: else -> skip
		fi;
		l = 0; item = 0 }
	/* The commit: an item, its cursor and its receipt in one. */
	:: atomic { cursor < head -> cursor++;
		assert(hand[cursor] == cursor && cursor <= queued) };
progress:	skip
	:: atomic { known != 0 && nfull(word) &&
		((BROKEN == 1 && head > told) || (BROKEN != 1 && cursor > told)
		|| gap == 1) ->
		if
		:: BROKEN == 1 -> told = head
		:: else -> told = cursor
		fi;
		if
		:: true -> word!known, told, gap == 1
		:: losses < LOSSES -> losses++
		fi;
		if
		:: gap == 1 -> gap = 2
		:: else -> skip
		fi }
	:: atomic { crashes < CRASHES -> crashes++;
		known = 0; head = cursor; told = cursor; gap = 0; last = 0 }
	od
}

/* What lies between: frames doubled, and late. */
active proctype between()
{
	byte l, item;
	mtype what;

end:
	do
	:: atomic { nempty(net) && nfull(net) && twice < TWICE -> twice++;
		net?<l, what, item>; net!l, what, item; l = 0; item = 0 }
	:: atomic { len(net) > 1 && mixed < MIXED -> mixed++;
		net?l, what, item; net!l, what, item; l = 0; item = 0 }
	od
}

/* It ends when all has arrived: a state that is stuck before is an error. */
active proctype judge()
{
	timeout && cursor == N -> skip
}

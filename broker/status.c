/* SPDX-License-Identifier: ISC */
#include "broker/status.h"

#include "broker/clock.h"
#include "broker/patrol.h"
#include "broker/quota.h"
#include "broker/relay.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Names, numbers and times alone are shown: nothing needs to be escaped. */
struct status {
	struct store_rx *rx; /* NULL: the store cannot be read */
	size_t damaged;	     /* entries that readers found so */
	size_t parts_damaged;
	struct patrol_status check;
	uint64_t entries;
	uint64_t used, limit;
	struct session_stats sessions;
	struct writer_stats writer;
	unsigned parked;
	struct trust *trust;
	struct relay_status *peer;
	size_t npeer;
};

enum { PEERS_MAX = 1024 };

static void
gather_peers(struct status *st, struct relay *relay)
{
	st->peer = relay ? calloc(PEERS_MAX, sizeof(*st->peer)) : NULL;
	if (!st->peer)
		return;
	st->npeer = relay_status(relay, st->peer, PEERS_MAX);
	if (st->npeer > PEERS_MAX)
		st->npeer = PEERS_MAX;
}

static void
gather(struct status *st, struct broker *b)
{
	uint64_t seqs[STORE_DAMAGED_MAX];
	uint8_t hashes[STORE_DAMAGED_MAX][32];

	*st = (struct status){ 0 };
	if (store_read(b->store, &st->rx) == TOCSIN_OK)
		st->entries = store_head(st->rx);
	else
		st->rx = NULL;
	store_usage(b->store, &st->used, &st->limit);
	st->damaged = store_damaged(b->store, seqs);
	st->parts_damaged = store_parts_damaged(b->store, hashes);
	patrol_status(b->patrol, &st->check);
	sessions_stats(b->sessions, &st->sessions);
	writer_stats(b->writer, &st->writer);
	st->parked = parks_count(b->parks);
	st->trust = trust_get(b->trust);
	gather_peers(st, b->relay);
}

static void
release(struct status *st)
{
	if (st->rx)
		store_read_end(st->rx);
	trust_put(st->trust);
	free(st->peer);
}

/* What is kept of a broker abroad; false: it is of our nation. */
static bool
kept_of(const struct status *st, const struct broker *b,
    const struct relay_status *p, uint64_t *kept, uint64_t *limit)
{
	*kept = st->rx ? quota_kept(st->rx, p->peer) : 0;
	*limit = quota_limit(b, p->peer);
	return st->rx && strcmp(p->nation, b->conf.nation) != 0;
}

static bool
listed(const struct broker *b, const struct roster *r)
{
	const struct roster_broker *me =
	    roster_broker(r, span_of(b->conf.name));

	return me && memcmp(me->noise, b->noise_pk, 32) == 0;
}

/* ---- JSON ---- */

static void
json_peers(struct buf *out, const struct status *st, const struct broker *b)
{
	uint64_t kept, limit;
	size_t i;

	buf_addz(out, ",\"peers\":[");
	for (i = 0; i < st->npeer; i++) {
		const struct relay_status *p = &st->peer[i];

		buf_addf(out,
		    "%s{\"peer\":\"%s\",\"nation\":\"%s\",\"up\":%s,"
		    "\"full\":%s,"
		    "\"waiting\":%" PRIu64 ",\"waiting_bytes\":%" PRIu64
		    ",\"oldest_s\":%" PRId64 ",\"in_flight\":%" PRIu64
		    ",\"agreed\":%" PRIu64 ",\"agreed_ms\":%" PRId64
		    ",\"window\":%" PRIu64 ",\"rate\":%" PRIu64
		    ",\"rtt_ms\":%" PRIu64 ",\"repeats\":%" PRIu64
		    ",\"frames_out\":%" PRIu64 ",\"bytes_out\":%" PRIu64
		    ",\"repeated_bytes\":%" PRIu64 ",\"unused_bytes\":%" PRIu64
		    ",\"heard_ms\":%" PRId64,
		    i ? "," : "", p->peer, p->nation, p->up ? "true" : "false",
		    p->full ? "true" : "false", p->waiting, p->waiting_bytes,
		    p->oldest_s, p->in_flight, p->agreed, p->agreed_ms,
		    p->window, p->rate, p->rtt_ms, p->repeats, p->frames_out,
		    p->bytes_out, p->repeated, p->unused, p->heard_ms);
		if (kept_of(st, b, p, &kept, &limit))
			buf_addf(out,
			    ",\"kept_bytes\":%" PRIu64 ",\"quota\":%" PRIu64,
			    kept, limit);
		buf_addz(out, "}");
	}
	buf_addz(out, "]");
}

static void
json_near(struct buf *out, const struct status *st, const struct broker *b)
{
	struct span name = { 0 };
	struct quota_near n;
	const char *before = "";

	buf_addz(out, ",\"near_quota\":[");
	while (st->rx && quota_next_near(st->rx, b, clock_now(), &name, &n)) {
		buf_addf(out,
		    "%s{\"member\":\"%.*s\",\"bytes\":%" PRIu64
		    ",\"quota\":%" PRIu64 ",\"day\":%s}",
		    before, (int)n.member.n, (const char *)n.member.p, n.bytes,
		    n.limit, n.day ? "true" : "false");
		before = ",";
	}
	buf_addz(out, "]");
}

/* As [exercise] carry and live have it. */
static void
carried_names(struct buf *out, const struct exercise_rules *r)
{
	size_t i;

	if (r->n == 0)
		buf_addz(out, r->only_named ? "none" : "all");
	for (i = 0; i < r->n; i++)
		buf_addf(out, "%s%s", i ? " " : "", r->name[i]);
}

static void
json_exercise(struct buf *out, const struct status *st, const struct broker *b)
{
	const struct exercise_rules *r = &b->conf.exercise;

	buf_addz(out, ",\"exercise\":{\"carry\":\"");
	carried_names(out, r);
	buf_addf(out,
	    "\",\"live\":%s,\"kept_bytes\":%" PRIu64 ",\"quota\":%" PRIu64 "}",
	    r->no_live ? "false" : "true", st->rx ? quota_exercises(st->rx) : 0,
	    b->conf.exercise_quota);
}

static void
json_counters(struct buf *out, struct broker *b)
{
	unsigned i;

	buf_addz(out, ",\"counters\":{");
	for (i = 0; i < BROKER_COUNTER_COUNT; i++)
		buf_addf(out, "%s\"%s\":%" PRIu64, i ? "," : "",
		    broker_counter_name(i), (uint64_t)b->count[i]);
	buf_addz(out, "}");
}

static void
json_door(struct buf *out, const struct door_counters *d)
{
	unsigned i;

	if (!d)
		return;
	buf_addz(out, ",\"door\":{");
	for (i = 0; i < DOOR_COUNTER_COUNT; i++)
		buf_addf(out, "%s\"%s\":%" PRIu64, i ? "," : "",
		    door_counter_name(i), d->n[i]);
	buf_addz(out, "}");
}

static void
json_roster(struct buf *out, const struct broker *b, const struct roster *r)
{
	char expires[TIME_TEXT + 1];

	time_print(expires, r->expires);
	buf_addf(out,
	    ",\"roster\":%" PRIu64 ",\"roster_expires\":\"%s\","
	    "\"roster_expired\":%s,\"roster_listed\":%s",
	    r->serial, expires,
	    roster_expired(r, clock_now()) ? "true" : "false",
	    listed(b, r) ? "true" : "false");
}

/* "" or "-": no whole round was made. */
static void
checked_when(
    char text[TIME_TEXT + 1], const struct patrol_status *c, const char *never)
{
	if (c->done > 0)
		time_print(text, c->done);
	else
		memcpy(text, never, strlen(never) + 1);
}

static void
json_check(struct buf *out, const struct patrol_status *c)
{
	char done[TIME_TEXT + 1];

	checked_when(done, c, "");
	buf_addf(out,
	    ",\"checking\":%s,\"check_bytes\":%" PRIu64
	    ",\"check_found\":%" PRIu64
	    ",\"check_done\":\"%s\",\"check_done_found\":%" PRIu64,
	    c->walking ? "true" : "false", c->bytes, c->found, done,
	    c->done_found);
}

static void
json_broker(struct buf *out, struct broker *b)
{
	struct status st;

	gather(&st, b);
	json_roster(out, b, trust_roster(st.trust));
	buf_addf(out,
	    ",\"entries\":%" PRIu64 ",\"full\":%s,\"damaged\":%zu,\"parts_"
	    "damaged\":%zu,\"store_used\":%" PRIu64 ",\"store_limit\":%" PRIu64
	    ",\"sessions\":%" PRIu64 ",\"half_open\":%" PRIu64
	    ",\"parked\":%u,\"queued\":%" PRIu64 ",\"commits\":%" PRIu64,
	    st.entries, b->full ? "true" : "false", st.damaged,
	    st.parts_damaged, st.used, st.limit, st.sessions.open,
	    st.sessions.half_open, st.parked, st.writer.queued,
	    st.writer.commits);
	json_check(out, &st.check);
	json_peers(out, &st, b);
	json_near(out, &st, b);
	json_exercise(out, &st, b);
	json_counters(out, b);
	release(&st);
}

void
status_json(struct buf *out, const struct status_source *s)
{
	buf_addf(out,
	    "{\"ready\":%s,\"version\":\"" TOCSIN_VERSION
	    "\",\"federation\":\"%s\",\"broker\":\"%s\",\"nation\":\"%s\","
	    "\"pid\":%d,\"up_ms\":%" PRId64,
	    s->broker ? "true" : "false", s->conf->federation, s->conf->name,
	    s->conf->nation, (int)getpid(), s->up_ms);
	if (s->broker)
		json_broker(out, s->broker);
	json_door(out, s->door);
	buf_addz(out, "}\n");
}

/* ---- text ---- */

/* Bytes with a unit that leaves few digits. */
static void
text_bytes(struct buf *out, uint64_t n)
{
	if (n < 10 << 10)
		buf_addf(out, "%" PRIu64 " bytes", n);
	else if (n < 10 << 20)
		buf_addf(out, "%" PRIu64 " KiB", n >> 10);
	else
		buf_addf(out, "%" PRIu64 " MiB", n >> 20);
}

/* How far behind it is, and how fast it could catch up. */
static void
text_lag(struct buf *out, const struct relay_status *p)
{
	if (p->waiting > 0) {
		buf_addz(out, " (");
		text_bytes(out, p->waiting_bytes);
		buf_addf(out, ", the oldest for %" PRId64 " s)", p->oldest_s);
	}
	if (p->agreed_ms >= 0)
		buf_addf(out, ", the same %" PRIu64 " items %" PRId64 " s ago",
		    p->agreed, p->agreed_ms / 1000);
	if (p->up && p->rate > 0) {
		buf_addf(out, ", %" PRIu64 " kbit/s, %" PRIu64 " ms, ",
		    p->rate / 125, p->rtt_ms);
		text_bytes(out, p->in_flight);
		buf_addz(out, " of ");
		text_bytes(out, p->window);
		buf_addz(out, " on the way");
	}
	if (p->repeated > 0) {
		buf_addz(out, ", ");
		text_bytes(out, p->repeated);
		buf_addz(out, " came twice");
	}
}

static void
text_kept(struct buf *out, uint64_t kept, uint64_t limit)
{
	buf_addz(out, ", keeps ");
	text_bytes(out, kept);
	if (limit > 0) {
		buf_addz(out, " of ");
		text_bytes(out, limit);
	}
	buf_addz(out, " from it");
}

static void
text_near(struct buf *out, const struct status *st, const struct broker *b)
{
	struct span name = { 0 };
	struct quota_near n;

	while (st->rx && quota_next_near(st->rx, b, clock_now(), &name, &n)) {
		buf_addf(out, "quota               %.*s: ", (int)n.member.n,
		    (const char *)n.member.p);
		text_bytes(out, n.bytes);
		buf_addz(out, " of ");
		text_bytes(out, n.limit);
		buf_addz(out, n.day ? " today\n" : " kept\n");
	}
}

/* Said where there is something to say: of a broker for exercises first. */
static void
text_exercise(struct buf *out, const struct status *st, const struct broker *b)
{
	const struct exercise_rules *r = &b->conf.exercise;
	uint64_t kept = st->rx ? quota_exercises(st->rx) : 0;

	if (r->no_live)
		buf_addz(out, "EXERCISES ONLY      nothing live is carried\n");
	buf_addz(out, "exercises           ");
	carried_names(out, r);
	buf_addz(out, ", keeps ");
	text_bytes(out, kept);
	if (b->conf.exercise_quota > 0) {
		buf_addz(out, " of ");
		text_bytes(out, b->conf.exercise_quota);
	}
	buf_addz(out, "\n");
}

static void
text_peers(struct buf *out, const struct status *st, const struct broker *b)
{
	uint64_t kept, limit;
	size_t i;

	for (i = 0; i < st->npeer; i++) {
		const struct relay_status *p = &st->peer[i];

		buf_addf(out, "peer %-14s %s, %s%" PRIu64 " waiting", p->peer,
		    p->up ? "up" : "down",
		    p->full ? "their disk is full, " : "", p->waiting);
		text_lag(out, p);
		if (p->heard_ms >= 0)
			buf_addf(out, ", heard %" PRId64 " s ago",
			    p->heard_ms / 1000);
		if (kept_of(st, b, p, &kept, &limit))
			text_kept(out, kept, limit);
		buf_addz(out, "\n");
	}
}

static void
text_checked(struct buf *out, const struct status *st)
{
	const struct patrol_status *c = &st->check;
	char done[TIME_TEXT + 1];

	checked_when(done, c, "never");
	buf_addf(out, "checked             %s", done);
	if (c->done_found > 0)
		buf_addf(
		    out, ", %" PRIu64 " found damaged then", c->done_found);
	if (c->walking)
		buf_addf(out, "; at %" PRIu64 " of about %" PRIu64 " MiB again",
		    c->bytes >> 20, st->used >> 20);
	buf_addz(out, "\n");
}

static void
text_broker(struct buf *out, struct broker *b)
{
	char expires[TIME_TEXT + 1];
	const struct roster *r;
	struct status st;

	gather(&st, b);
	r = trust_roster(st.trust);
	time_print(expires, r->expires);
	buf_addf(out, "roster              %" PRIu64 ", %s %s%s\n", r->serial,
	    roster_expired(r, clock_now()) ? "EXPIRED" : "until", expires,
	    listed(b, r) ? "" : ", does not list this broker");
	buf_addf(out, "entries             %" PRIu64 "\n", st.entries);
	if (st.damaged + st.parts_damaged > 0)
		buf_addf(out,
		    "damaged             %zu entries, %zu parts; see tocsind "
		    "verify\n",
		    st.damaged, st.parts_damaged);
	buf_addf(out, "store               %" PRIu64 " of %" PRIu64 " MiB%s\n",
	    st.used >> 20, st.limit >> 20,
	    b->full ? ", FULL: tickets are refused" : "");
	text_checked(out, &st);
	buf_addf(out,
	    "sessions            %" PRIu64 ", %u requests parked, %" PRIu64
	    " posts queued\n",
	    st.sessions.open, st.parked, st.writer.queued);
	text_peers(out, &st, b);
	text_near(out, &st, b);
	text_exercise(out, &st, b);
	release(&st);
}

void
status_text(struct buf *out, const struct status_source *s)
{
	buf_addf(out, "broker              %s of %s in %s, %s\n", s->conf->name,
	    s->conf->nation, s->conf->federation,
	    s->broker ? "ready" : "waits for its first roster");
	buf_addf(out, "up                  %" PRId64 " s\n", s->up_ms / 1000);
	if (s->broker)
		text_broker(out, s->broker);
	if (s->door)
		buf_addf(out, "connections         %" PRIu64 "\n",
		    s->door->n[DOOR_open]);
}

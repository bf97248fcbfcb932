/* SPDX-License-Identifier: ISC */
/*
 * Three brokers, each a process behind its own door, as they would run; what
 * crosses the border between them, and what is left after a SIGKILL.
 *
 * nng does not survive a fork, so a process that never touches it is made first
 * and forks the brokers when asked. Brokers tell what they count in shared
 * memory and take orders there.
 */
#include "broker/relay.h"
#include "broker/clock.h"
#include "broker/door.h"
#include "broker/intake.h"
#include "broker/lane.h"
#include "broker/value.h"
#include "crypto/receipt.h"
#include "tests/lib/port.h"
#include "tests/lib/rig.h"
#include "tests/lib/tap.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_MS 30000
#define BROKERS 3
#define HEARTBEAT (RELAY_HEAD + RELAY_PIECE_HEAD + NOISE_TAG)

#define MUST(x)                                                           \
	do {                                                              \
		if (!(x)) {                                               \
			diag("relay: %s:%d: %s", __FILE__, __LINE__, #x); \
			abort();                                          \
		}                                                         \
	} while (0)

enum { SG, MY, LA };
#ifndef HIDDEN /* the one that nobody can dial; see relay_fetch.c */
#define HIDDEN BROKERS
#endif
static const char *const names[BROKERS] = { "sg", "my", "la" };

/* What a broker process shows, and what it is told. */
struct slot {
	atomic_int pid; /* 0: not up */
	uint16_t port;
	atomic_int order;
	atomic_int result;
	atomic_uint_fast64_t roster; /* its serial */
	atomic_uint_fast64_t keys;   /* that of singcert's announcement */
	char path[4096];
	atomic_uint_fast64_t count[BROKER_COUNTER_COUNT];
	pthread_mutex_t lock;
	struct relay_status status[BROKERS];
	size_t nstatus;
};

enum { NONE, INSTALL, MISQUEUE, FORGET, ANNOUNCE, LOSE, SPOIL };

static struct fixture fed;
static struct slot *slot;
static int zygote;

/* The condition, as soon as it holds; false if it does not. */
#define WAIT_FOR(x)                                      \
	__extension__({                                  \
		int64_t end_ = clock_ms() + PATIENCE_MS; \
		bool came_ = (x);                        \
		while (!came_ && clock_ms() < end_) {    \
			usleep(1000);                    \
			came_ = (x);                     \
		}                                        \
		came_;                                   \
	})

/* ---- the broker's process ---- */

/* Whoever had it may have been killed. */
static void
slot_lock(struct slot *s)
{
	if (pthread_mutex_lock(&s->lock) == EOWNERDEAD)
		pthread_mutex_consistent(&s->lock);
}

static void
show(struct slot *s, struct broker *b)
{
	struct relay_status st[BROKERS];
	size_t n = relay_status(b->relay, st, BROKERS);
	int i;

	struct trust *t = trust_get(b->trust);
	const struct keys *k = trust_keys(t, span_of("singcert@sg"));

	atomic_store(&s->keys, k ? k->serial : 0);
	atomic_store(&s->roster, trust_roster(t)->serial);
	trust_put(t);
	for (i = 0; i < BROKER_COUNTER_COUNT; i++)
		atomic_store(&s->count[i], atomic_load(&b->count[i]));
	slot_lock(s);
	memcpy(s->status, st, sizeof(st));
	s->nstatus = n;
	pthread_mutex_unlock(&s->lock);
}

static enum tocsin_err
install_file(struct broker *b, enum store_kind kind, const char *path)
{
	size_t n;
	uint8_t *file = slurp(path, &n);
	enum tocsin_err err = intake_install(b, kind, (struct span){ file, n });

	free(file);
	return err;
}

/* The same in each process. */
static uint8_t attachment[6 << 20];

static void
attachment_fill(void)
{
	randombytes_buf_deterministic(
	    attachment, sizeof(attachment), (uint8_t[32]){ 9 });
}

/* A fault: the newest ticket is queued for a nation that it is not for. */
static enum tocsin_err
misqueue_apply(struct job *job, struct batch *batch)
{
	uint64_t seq = store_head(batch->view);
	struct store_out out = { 0 }, part = { 0 };
	struct store_entry e;

	(void)job;
	do {
		out.seq = seq;
		MUST(store_get(batch->view, seq--, &e) == TOCSIN_OK);
	} while (e.kind != STORE_TICKET);
	names_add(&batch->peers, span_of("la"));
	MUST(store_out_add(batch->tx, span_of("la"), LANE_FLASH, &out) ==
	     TOCSIN_OK);
	/* And the part that is for Malaysia alone, under the same ticket. */
	attachment_fill();
	crypto_hash_sha256(part.part, attachment, sizeof(attachment));
	part.ticket = out.seq;
	return store_out_add(batch->tx, span_of("la"), LANE_BULK, &part);
}

/* Another: what was queued for Laos is forgotten. */
static enum tocsin_err
forget_apply(struct job *job, struct batch *batch)
{
	(void)job;
	return store_out_trim(batch->tx, span_of("la"), LANE_FLASH, UINT64_MAX);
}

/* All that was queued for Malaysia is lost. */
static enum tocsin_err
lose_apply(struct job *job, struct batch *batch)
{
	enum tocsin_err err = TOCSIN_OK;
	unsigned lane;

	(void)job;
	for (lane = 0; lane < LANE_COUNT && !err; lane++)
		err =
		    store_out_trim(batch->tx, span_of("my"), lane, UINT64_MAX);
	return err;
}

/* A bit of what Malaysia has is another than what was counted. */
static enum tocsin_err
spoil_apply(struct job *job, struct batch *batch)
{
	struct span value;
	uint8_t bytes[121];

	(void)job;
	MUST(value_get(batch->view, &value, "tally/my") == TOCSIN_OK);
	MUST(value.n == sizeof(bytes));
	memcpy(bytes, value.p, sizeof(bytes));
	bytes[8] ^= 1;
	return value_put(batch->tx, SPAN(bytes), "tally/my");
}

static void
obey(struct slot *s, struct broker *b)
{
	struct job lose = { .apply = lose_apply };
	struct job spoil = { .apply = spoil_apply };
	struct job forget = { .apply = forget_apply };
	struct job misqueue = { .apply = misqueue_apply };
	enum tocsin_err err = TOCSIN_OK;

	switch (atomic_load(&s->order)) {
	case INSTALL:
		err = install_file(b, STORE_ROSTER, s->path);
		break;
	case ANNOUNCE:
		err = install_file(b, STORE_KEYS, s->path);
		break;
	case MISQUEUE:
		err = writer_call(b->writer, &misqueue);
		break;
	case LOSE:
		err = writer_call(b->writer, &lose);
		break;
	case SPOIL:
		err = writer_call(b->writer, &spoil);
		break;
	case FORGET:
		err = writer_call(b->writer, &forget);
		break;
	default:
		return;
	}
	atomic_store(&s->result, (int)err);
	atomic_store(&s->order, NONE);
}

static void
open_door(const char *name, int fd)
{
	struct door_config c = DOOR_DEFAULTS;
	char rpc[4200], relay[4200];
	pid_t pid;
	int control;

	snprintf(rpc, sizeof(rpc), "%s/run/rpc.ipc", rig_dir(name));
	snprintf(relay, sizeof(relay), "%s/run/relay.ipc", rig_dir(name));
	c.rpc = rpc;
	c.relay = relay;
	MUST(door_spawn(&c, fd, &pid, &control) == TOCSIN_OK);
}

static _Noreturn void
broker_process(int i)
{
	struct slot *s = &slot[i];
	char address[32];
	struct broker *b;
	sigset_t all;
	int fd;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	if (s->port == 0)
		s->port = port_of_ours();
	snprintf(address, sizeof(address), "127.0.0.1:%u", s->port);
	/* The door of one that was killed takes a moment to follow it. */
	MUST(WAIT_FOR(door_listen(address, &fd) == TOCSIN_OK));
	b = rig_broker(&fed, names[i], NULL, NULL);
	open_door(names[i], fd);
	atomic_store(&s->pid, getpid());
	for (;;) {
		obey(s, b);
		show(s, b);
		usleep(1000);
	}
}

/* Forks a broker for each byte that comes. */
static _Noreturn void
zygote_process(int fd)
{
	uint8_t i;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGCHLD, SIG_IGN); /* nobody waits for them */
	while (read(fd, &i, 1) == 1 && i < BROKERS) {
		pid_t pid = fork();

		if (pid == 0) {
			signal(SIGCHLD, SIG_DFL);
			close(fd);
			broker_process(i);
		}
	}
	_exit(0);
}

/* ---- the test's side of it ---- */

static void
start(int i)
{
	uint8_t c = (uint8_t)i;

	MUST(write(zygote, &c, 1) == 1);
	MUST(WAIT_FOR(atomic_load(&slot[i].pid) != 0));
}

static void
kill_broker(int i)
{
	pid_t pid = atomic_load(&slot[i].pid);

	atomic_store(&slot[i].pid, 0);
	MUST(pid > 0 && kill(pid, SIGKILL) == 0);
	MUST(WAIT_FOR(kill(pid, 0) != 0 && errno == ESRCH));
}

static struct relay_status
status_of(int of, int about)
{
	struct slot *s = &slot[of];
	struct relay_status st = { .up = false };
	size_t i;

	slot_lock(s);
	for (i = 0; i < s->nstatus; i++)
		if (strcmp(s->status[i].peer, names[about]) == 0)
			st = s->status[i];
	pthread_mutex_unlock(&s->lock);
	return st;
}

static void
order(int i, int what)
{
	atomic_store(&slot[i].order, what);
	MUST(WAIT_FOR(atomic_load(&slot[i].order) == NONE));
}

static void
install_as(int i, const struct buf *roster, int what)
{
	struct slot *s = &slot[i];
	FILE *f;

	snprintf(s->path, sizeof(s->path), "%s/roster", rig_dir("."));
	f = fopen(s->path, "wb");
	MUST(f && fwrite(roster->p, 1, roster->n, f) == roster->n);
	MUST(fclose(f) == 0);
	order(i, what);
}

static void
install(int i, const struct buf *roster)
{
	install_as(i, roster, INSTALL);
}

static void
set_addresses(struct roster *r, void *arg)
{
	size_t i, k;

	(void)arg;
	for (i = 0; i < r->nbroker; i++)
		for (k = 0; k < BROKERS; k++)
			if (strcmp(r->broker[i].name, names[k]) == 0 &&
			    k != HIDDEN) {
				snprintf(r->broker[i].rpc, URL_MAX,
				    "tcp://127.0.0.1:%u", slot[k].port);
				memcpy(r->broker[i].relay, r->broker[i].rpc,
				    sizeof(r->broker[i].relay));
			}
}

static struct buf rosters[8]; /* after the first */
static size_t nrosters;

static void
next_roster(void (*change)(struct roster *, void *))
{
	fixture_next_roster(&fed, change, NULL);
	buf_add(&rosters[nrosters++], buf_span(&fed.file));
}

/* ---- tickets ---- */

struct sender {
	struct desk desk;
	const char *device;
	uint64_t seq;
	uint8_t prev[ID_LEN];
};

static uint8_t ids[1000][ID_LEN];

static bool
post(struct sender *s, const char *to, uint8_t id[ID_LEN])
{
	struct fx_ticket t;
	enum tocsin_err err;

	s->seq++;
	fixture_ticket(&t, &fed, s->device, to, s->seq,
	    s->seq > 1 ? s->prev : NULL, NULL, NULL);
	err = desk_post(&s->desk, &t, NULL);
	memcpy(s->prev, t.id, ID_LEN);
	memcpy(id, t.id, ID_LEN);
	fx_ticket_release(&t);
	return err == TOCSIN_OK || err == TOCSIN_EDUPLICATE;
}

struct reader {
	struct desk desk;
	uint64_t at;
	struct msg_entries *e;
	struct buf rest;
};

static void
reader_open(struct reader *r, const char *broker, const char *device)
{
	memset(r, 0, sizeof(*r));
	r->e = xmalloc(sizeof(*r->e));
	desk_open(&r->desk, &fed, broker, device);
}

static void
reader_close(struct reader *r)
{
	desk_close(&r->desk);
	buf_release(&r->rest);
	free(r->e);
}

/* The next entries; none if nothing came in time. */
static size_t
read_on(struct reader *r, uint32_t wait_ms)
{
	struct msg_fetch m = { r->at, r->at, wait_ms, MSG_MAX };

	if (desk_fetch(&r->desk, &m, &r->rest, r->e) != TOCSIN_OK)
		return 0;
	if (r->e->n > 0)
		r->at = r->e->entry[r->e->n - 1].seq;
	return r->e->n;
}

static bool
next_ticket(struct reader *r, uint8_t id[ID_LEN])
{
	int64_t end = clock_ms() + PATIENCE_MS;
	size_t i, n;

	while (clock_ms() < end) {
		n = read_on(r, 5000);
		for (i = 0; i < n; i++) {
			struct ticket t;
			struct note note;

			if (r->e->entry[i].kind != STORE_TICKET)
				continue;
			MUST(ticket_parse(&t, &note, r->e->entry[i].note) ==
			     TOCSIN_OK);
			memcpy(id, t.id, ID_LEN);
			return true;
		}
	}
	return false;
}

/* Reads until the first n of ids[] were seen; how often, and in order? */
static bool
all_once(struct reader *r, size_t n, bool *ordered)
{
	static unsigned seen[1000];
	int64_t end = clock_ms() + PATIENCE_MS;
	size_t i, k, have = 0, next = 0;
	struct ticket t;
	struct note note;

	memset(seen, 0, sizeof(seen));
	*ordered = true;
	while (have < n && clock_ms() < end)
		for (i = 0, k = read_on(r, 1000); i < k; i++) {
			size_t x = 0;

			if (r->e->entry[i].kind != STORE_TICKET)
				continue;
			MUST(ticket_parse(&t, &note, r->e->entry[i].note) ==
			     TOCSIN_OK);
			while (x < n && memcmp(ids[x], t.id, ID_LEN) != 0)
				x++;
			if (x == n)
				continue;
			have += seen[x]++ == 0;
			if (x != next++)
				*ordered = false;
		}
	read_on(r, 200); /* what comes twice comes soon */
	for (i = 0; i < n; i++)
		if (seen[i] != 1)
			diag("ticket %zu of %zu was seen %u times", i, n,
			    seen[i]);
	for (i = 0; i < n && seen[i] == 1; i++)
		;
	return i == n;
}

/* A line of this kind about the ticket in what the reader gets. */
static bool
comes_receipt(struct reader *r, const uint8_t id[ID_LEN],
    enum receipt_kind kind, struct receipt_line *line)
{
	struct receipt *rc = xmalloc(sizeof(*rc));
	int64_t end = clock_ms() + PATIENCE_MS;
	bool found = false;
	size_t i, k, j;

	while (!found && clock_ms() < end)
		for (i = 0, k = read_on(r, 5000); i < k; i++) {
			if (r->e->entry[i].kind != STORE_RECEIPT)
				continue;
			MUST(receipt_open(rc, fed.roster,
				 r->e->entry[i].note) == TOCSIN_OK);
			for (j = 0; j < rc->nline; j++) {
				if (memcmp(rc->line[j].id, id, ID_LEN) != 0 ||
				    rc->line[j].kind != kind)
					continue;
				*line = rc->line[j];
				found = true;
			}
		}
	free(rc);
	return found;
}

static bool
note_is(struct span bytes, const uint8_t id[ID_LEN])
{
	struct ticket t;
	struct note note;

	return ticket_parse(&t, &note, bytes) == TOCSIN_OK &&
	       memcmp(t.id, id, ID_LEN) == 0;
}

/* ---- the tests ---- */

static int
by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The reader parks, then a ticket is posted abroad. */
static bool
one_live(struct sender *from, struct reader *to, double *ms)
{
	struct msg_fetch m = { to->at, to->at, MSG_WAIT_MAX, MSG_MAX };
	uint64_t parks = atomic_load(&slot[MY].count[BROKER_parks]);
	struct buf request = { 0 };
	struct flight parked;
	uint8_t id[ID_LEN];
	enum tocsin_err err;
	double begin;
	bool good;

	msg_fetch_encode(&request, &m);
	desk_begin(&to->desk, &parked, buf_span(&request));
	good = WAIT_FOR(atomic_load(&slot[MY].count[BROKER_parks]) > parks);
	begin = seconds();
	good = good && post(from, "mycert@my", id);
	buf_cut(&to->rest, 0);
	err = desk_end(&to->desk, &parked, &to->rest);
	*ms = (seconds() - begin) * 1000;
	if (err || msg_entries_decode(to->e, buf_span(&to->rest)))
		good = false;
	if (good && to->e->n > 0)
		to->at = to->e->entry[to->e->n - 1].seq;
	buf_release(&request);
	return good && to->e->n > 0;
}

static void
test_crossing(struct sender *sg)
{
	struct relay_status before, after;
	struct receipt_line line;
	struct reader my, back;
	uint64_t la_items;
	uint8_t id[ID_LEN], got[ID_LEN];
	double ms[50];
	size_t i, live = 0;

	before = status_of(SG, LA);
	la_items = atomic_load(&slot[LA].count[BROKER_relay_items_in]);
	reader_open(&my, "my", "mycert@my/desk1");
	reader_open(&back, "sg", "singcert@sg/screen");
	ok(post(sg, "mycert@my", id), "a ticket is posted in Singapore");
	ok(next_ticket(&my, got) && memcmp(got, id, ID_LEN) == 0,
	    "and read in Malaysia");
	ok(comes_receipt(&back, id, RECEIPT_STORED, &line),
	    "the receipt comes back: stored");
	read_on(&my, 0); /* says that it has it */
	back.at = 0;
	ok(comes_receipt(&back, id, RECEIPT_DELIVERED, &line) &&
		strcmp(line.member, "mycert@my") == 0 &&
		strcmp(line.device, "desk1") == 0,
	    "and after the reader's acknowledgement: delivered, to whom");
	for (i = 0; i < sizeof(ms) / sizeof(ms[0]); i++)
		live += one_live(sg, &my, &ms[i]);
	is_int((long long)live, (long long)i,
	    "a reader that waits gets each ticket as it is posted");
	qsort(ms, i, sizeof(ms[0]), by_size);
	diag("post to remote reader over two brokers: p50 %.2f ms, max %.2f",
	    ms[i / 2], ms[i - 1]);
	after = status_of(SG, LA);
	ok(after.bytes_out - before.bytes_out ==
		(after.frames_out - before.frames_out) * HEARTBEAT,
	    "not a byte but heartbeats went to the third nation");
	ok(atomic_load(&slot[LA].count[BROKER_relay_items_in]) == la_items,
	    "where nothing arrived");
	reader_close(&my);
	reader_close(&back);
}

static void
test_receiver_killed(struct sender *sg)
{
	struct relay_status lag = { .waiting = 0 };
	struct reader my;
	size_t i, good = 0;
	bool ordered;

	for (i = 0; i < 200; i++) {
		good += post(sg, "mycert@my", ids[i]);
		if (i == 60)
			kill_broker(MY);
		if (i != 150)
			continue;
		lag = status_of(SG, MY);
		start(MY);
	}
	is_int((long long)good, 200,
	    "with Malaysia down, all 200 tickets are taken");
	ok(lag.waiting > 50 && lag.waiting_bytes > lag.waiting * 1000,
	    "status told how much waited for it: %llu items, %llu bytes",
	    (unsigned long long)lag.waiting,
	    (unsigned long long)lag.waiting_bytes);
	reader_open(&my, "my", "mycert@my/desk1");
	ok(all_once(&my, 200, &ordered),
	    "and when it is back, each is there once");
	ok(ordered, "in their order");
	ok(WAIT_FOR(status_of(SG, MY).waiting == 0),
	    "then nothing waits for it any more");
	reader_close(&my);
}

static void
test_sender_killed(struct sender *sg)
{
	struct reader my;
	size_t i, good = 0;
	bool ordered;

	for (i = 0; i < 200; i++) {
		good += post(sg, "mycert@my", ids[i]);
		if (i != 60 && i != 130)
			continue;
		kill_broker(SG);
		desk_close(&sg->desk);
		start(SG);
		desk_open(&sg->desk, &fed, "sg", sg->device);
	}
	is_int((long long)good, 200, "with Singapore killed twice between");
	reader_open(&my, "my", "mycert@my/desk1");
	ok(all_once(&my, 200, &ordered), "each of 200 tickets arrives once");
	ok(ordered, "in their order");
	reader_close(&my);
}

/* Both, at any moment, while tickets are posted. */
static void
test_both_killed(struct sender *sg)
{
	struct reader my;
	size_t i, good = 0;
	bool ordered;

	for (i = 0; i < 200; i++) {
		good += post(sg, "mycert@my", ids[i]);
		if (i % 40 == 20) {
			kill_broker(MY);
			start(MY);
		}
		if (i % 70 == 50) {
			kill_broker(SG);
			desk_close(&sg->desk);
			start(SG);
			desk_open(&sg->desk, &fed, "sg", sg->device);
		}
	}
	is_int((long long)good, 200, "with both killed again and again");
	reader_open(&my, "my", "mycert@my/desk1");
	ok(all_once(&my, 200, &ordered), "each of 200 tickets arrives once");
	ok(ordered, "in their order");
	reader_close(&my);
}

static void
reissue(struct roster *r, void *arg)
{
	(void)arg;
	r->issued++;
}

/* A roster that only Singapore has, and a ticket under it. */
static void
test_late_roster(struct sender *sg)
{
	struct reader my;
	uint8_t id[ID_LEN];
	bool ordered;

	next_roster(reissue);
	install(SG, &fed.file);
	ok(post(sg, "mycert@my lacert@la", id),
	    "a ticket under a roster that nobody else has yet");
	memcpy(ids[0], id, ID_LEN);
	reader_open(&my, "my", "mycert@my/desk1");
	ok(all_once(&my, 1, &ordered), "arrives, after the roster did");
	reader_close(&my);
}

/* Nobody will ever send it again: it has to be asked for. */
static void
test_missed_roster(void)
{
	kill_broker(LA);
	next_roster(reissue);
	install(SG, &fed.file);
	fixture_next_keys(&fed, 0, NULL, NULL);
	install_as(SG, &fed.keys_file[0], ANNOUNCE);
	ok(WAIT_FOR(atomic_load(&slot[MY].roster) == fed.roster->serial),
	    "a roster is installed in one nation and comes to the other");
	order(SG, FORGET);
	order(MY, FORGET);
	start(LA);
	ok(WAIT_FOR(atomic_load(&slot[LA].roster) == fed.roster->serial),
	    "one to which nobody sends it asks for it");
	ok(WAIT_FOR(atomic_load(&slot[LA].keys) == fed.keys[0]->serial),
	    "and then for the announcements that it does not have");
}

/* ---- what does not fit into a message ---- */

static bool
put(struct desk *d, struct span bytes)
{
	struct msg_put m = { .total = bytes.n };
	struct msg_have have = { 0 };
	struct buf request = { 0 }, rest = { 0 };
	bool good = true;

	crypto_hash_sha256(m.hash, bytes.p, bytes.n);
	while (good && m.offset < bytes.n) {
		m.bytes = span_cut(bytes, (size_t)m.offset, MSG_RANGE_MAX);
		buf_cut(&request, 0);
		buf_cut(&rest, 0);
		msg_put_encode(&request, &m);
		good = desk_ask(d, buf_span(&request), &rest) == TOCSIN_OK &&
		       msg_have_decode(&have, buf_span(&rest)) == TOCSIN_OK &&
		       have.have == m.offset + m.bytes.n;
		m.offset = have.have;
	}
	buf_release(&request);
	buf_release(&rest);
	return good && have.complete;
}

/* How much of it the broker has; its bytes so far are appended to *out. */
static bool
get(struct desk *d, const uint8_t id[ID_LEN], const uint8_t hash[32],
    struct buf *out, uint64_t *have)
{
	struct msg_get m = { .offset = out->n, .max = MSG_RANGE_MAX };
	struct buf request = { 0 }, rest = { 0 };
	struct msg_range range;
	bool good;

	memcpy(m.id, id, sizeof(m.id));
	memcpy(m.hash, hash, sizeof(m.hash));
	msg_get_encode(&request, &m);
	good = desk_ask(d, buf_span(&request), &rest) == TOCSIN_OK &&
	       msg_range_decode(&range, buf_span(&rest)) == TOCSIN_OK;
	if (good) {
		*have = range.have;
		buf_add(out, range.bytes);
	}
	buf_release(&request);
	buf_release(&rest);
	return good;
}

static bool
get_all(struct desk *d, const uint8_t id[ID_LEN], struct span want)
{
	int64_t end = clock_ms() + PATIENCE_MS;
	struct buf got = { 0 };
	uint8_t hash[32];
	uint64_t have;
	bool same;

	crypto_hash_sha256(hash, want.p, want.n);
	while (got.n < want.n && clock_ms() < end)
		if (!get(d, id, hash, &got, &have))
			break;
	same = span_eq(buf_span(&got), want);
	buf_release(&got);
	return same;
}

static enum tocsin_err
post_detached(struct sender *s, const struct fx_ticket *t)
{
	struct fx_ticket bare = { .note = t->note };

	return desk_post(&s->desk, &bare, NULL);
}

static void
test_large_body(struct sender *sg)
{
	struct fx_ticket t;
	struct reader my;
	uint8_t id[ID_LEN];

	fed.text_bytes = 300000;
	fixture_ticket(
	    &t, &fed, sg->device, "mycert@my", ++sg->seq, sg->prev, NULL, NULL);
	fed.text_bytes = 0;
	memcpy(sg->prev, t.id, ID_LEN);
	ok(put(&sg->desk, buf_span(&t.body)) &&
		post_detached(sg, &t) == TOCSIN_OK,
	    "a body of %zu bytes is put, and its ticket posted", t.body.n);
	reader_open(&my, "my", "mycert@my/desk1");
	while (next_ticket(&my, id) && memcmp(id, t.id, ID_LEN) != 0)
		;
	ok(get_all(&my.desk, t.id, buf_span(&t.body)),
	    "and is there whole, with the ticket");
	reader_close(&my);
	fx_ticket_release(&t);
}

static void
add_attachment(struct ticket *t, void *arg)
{
	(void)arg;
	t->npart = 1;
	t->part[0].size = sizeof(attachment);
	crypto_hash_sha256(t->part[0].hash, attachment, sizeof(attachment));
}

static void
test_part(struct sender *sg)
{
	struct relay_status before, after;
	struct fx_ticket t;
	struct reader my;
	struct buf some = { 0 };
	uint8_t hash[32];
	uint64_t have = 0;

	attachment_fill();
	crypto_hash_sha256(hash, attachment, sizeof(attachment));
	fixture_ticket(&t, &fed, sg->device, "mycert@my", ++sg->seq, sg->prev,
	    add_attachment, NULL);
	memcpy(sg->prev, t.id, ID_LEN);
	before = status_of(SG, MY);
	ok(desk_post(&sg->desk, &t, NULL) == TOCSIN_OK &&
		put(&sg->desk, SPAN(attachment)),
	    "a ticket is posted, then its attachment of 6 MiB put");
	reader_open(&my, "my", "mycert@my/desk1");
	ok(WAIT_FOR(get(&my.desk, t.id, hash, &some, &have) && have > 0),
	    "the ticket is there while the attachment still comes");
	kill_broker(MY);
	reader_close(&my);
	start(MY);
	reader_open(&my, "my", "mycert@my/desk1");
	ok(get_all(&my.desk, t.id, SPAN(attachment)),
	    "which is whole after a SIGKILL between");
	ok(WAIT_FOR(status_of(SG, MY).waiting == 0), "and acknowledged");
	after = status_of(SG, MY);
	diag("attachment of %zu bytes, had %llu at the kill: %llu sent",
	    sizeof(attachment), (unsigned long long)have,
	    (unsigned long long)(after.bytes_out - before.bytes_out));
	ok(after.bytes_out - before.bytes_out < sizeof(attachment) + (1 << 20),
	    "of what was there, at most a window was sent again");
	reader_close(&my);
	buf_release(&some);
	fx_ticket_release(&t);
}

/* Should intake be wrong about who gets what, the relay still is not. */
static void
test_misqueued(struct sender *sg)
{
	struct relay_status before, after;
	uint64_t items, refused;
	uint8_t id[ID_LEN];

	ok(post(sg, "mycert@my", id), "a ticket for Malaysia");
	before = status_of(SG, LA);
	items = atomic_load(&slot[LA].count[BROKER_relay_items_in]);
	refused = atomic_load(&slot[LA].count[BROKER_relay_items_refused]);
	order(SG, MISQUEUE);
	ok(WAIT_FOR(atomic_load(&slot[LA].count[BROKER_relay_items_in]) ==
		    items + 1),
	    "that is queued for Laos by a fault");
	ok(WAIT_FOR(atomic_load(&slot[LA].count[BROKER_relay_items_refused]) ==
		    refused + 2),
	    "is an item that is no more for Laos, and so is a part");
	ok(WAIT_FOR(status_of(SG, LA).waiting == 0), "and not sent again");
	after = status_of(SG, LA);
	ok(after.bytes_out - before.bytes_out <
		(after.frames_out - before.frames_out) * HEARTBEAT + 64,
	    "of it, not a byte has gone there");
}

/* Neither has noticed anything, but the counts tell. */
static void
test_differs(struct sender *sg)
{
	/* What is acknowledged now would write the count anew. */
	MUST(WAIT_FOR(status_of(SG, MY).waiting == 0));
	order(SG, SPOIL);
	kill_broker(SG);
	desk_close(&sg->desk);
	start(SG);
	desk_open(&sg->desk, &fed, "sg", sg->device);
	ok(WAIT_FOR(atomic_load(&slot[SG].count[BROKER_relay_differs]) >= 1),
	    "a count that differs from the peer's is noticed");
	ok(WAIT_FOR(atomic_load(&slot[SG].count[BROKER_relay_healed]) >= 1),
	    "and what the peer may lack looked for");
	ok(WAIT_FOR(status_of(SG, MY).waiting == 0), "which is nothing");
}

/* What was taken is in the log, whatever became of the queue. */
static void
test_lost_queue(struct sender *sg)
{
	struct reader my;
	size_t i, good = 0;
	bool ordered;

	kill_broker(MY);
	for (i = 0; i < 5; i++)
		good += post(sg, "mycert@my", ids[i]);
	is_int((long long)good, 5, "5 tickets are taken");
	order(SG, LOSE);
	start(MY);
	reader_open(&my, "my", "mycert@my/desk1");
	ok(all_once(&my, 5, &ordered),
	    "and come once, though what was queued is lost");
	ok(ordered, "in their order");
	ok(WAIT_FOR(
	       status_of(SG, MY).waiting == 0 && status_of(SG, MY).agreed > 0),
	    "then both agree");
	reader_close(&my);
}

/*
 * A store that was lost, or put back from an old backup, would use numbers
 * again that the peer has seen.
 */
static void
test_lost_store(struct sender *sg)
{
	char cmd[4300];
	struct reader my;
	uint8_t id[ID_LEN];
	size_t i, n, seen = 0;

	kill_broker(SG);
	desk_close(&sg->desk);
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", rig_dir("sg"));
	MUST(system(cmd) == 0);
	start(SG);
	for (i = 0; i < nrosters; i++)
		install(SG, &rosters[i]);
	desk_open(&sg->desk, &fed, "sg", sg->device);
	ok(post(sg, "mycert@my", id),
	    "a broker that lost its store takes a ticket");
	ok(WAIT_FOR(status_of(SG, MY).up && status_of(SG, MY).waiting == 0),
	    "which is sent, numbered from where the peer is");
	reader_open(&my, "my", "mycert@my/desk1");
	while ((n = read_on(&my, 1000)) > 0)
		for (i = 0; i < n; i++)
			seen += my.e->entry[i].kind == STORE_TICKET &&
				note_is(my.e->entry[i].note, id);
	is_int((long long)seen, 1, "and comes, once");
	ok(WAIT_FOR(status_of(SG, LA).up && status_of(SG, LA).waiting == 0),
	    "to the other peer, too, it is up");
	reader_close(&my);
}

/* ---- the federation ---- */

static void
init_shared(void)
{
	pthread_mutexattr_t attr;
	int i;

	slot = mmap(NULL, BROKERS * sizeof(*slot), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	MUST(slot != MAP_FAILED);
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	for (i = 0; i < BROKERS; i++)
		pthread_mutex_init(&slot[i].lock, &attr);
	pthread_mutexattr_destroy(&attr);
}

static void
begin(void)
{
	int fd[2];

	fixture_init(&fed, "sg my la");
	init_shared();
	(void)scratch(); /* one for all */
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == 0);
	if (fork() == 0) {
		close(fd[0]);
		zygote_process(fd[1]);
	}
	close(fd[1]);
	zygote = fd[0];
}

int
main(int argc, char **argv)
{
	struct sender sg = { .device = "singcert@sg/desk1" };
	int i, k, up = 0;

	if (argc > 1 && strcmp(argv[1], "door") == 0)
		return door_main(argc - 1, argv + 1);
	begin();
	for (i = 0; i < BROKERS; i++)
		start(i);
	next_roster(set_addresses);
	for (i = 0; i < BROKERS; i++)
		install(i, &fed.file);
	for (i = 0; i < BROKERS; i++)
		for (k = 0; k < BROKERS; k++)
			up += i != k && WAIT_FOR(status_of(i, k).up);
	is_int(up, 6, "each broker has a link to each other one");
	for (i = 0, up = 0; i < BROKERS; i++)
		for (k = 0; k < BROKERS; k++)
			up += i != k && WAIT_FOR(status_of(i, k).waiting == 0);
	is_int(up, 6, "over which it told what its members announced");
	desk_open(&sg.desk, &fed, "sg", sg.device);
	test_crossing(&sg);
	test_receiver_killed(&sg);
	test_sender_killed(&sg);
	test_both_killed(&sg);
	test_late_roster(&sg);
	test_large_body(&sg);
	test_part(&sg);
	test_misqueued(&sg);
	test_missed_roster();
	test_differs(&sg);
	test_lost_queue(&sg);
	test_lost_store(&sg);
	desk_close(&sg.desk);
	for (i = 0; i < BROKERS; i++)
		kill_broker(i);
	close(zygote);
	while (wait(NULL) > 0)
		;
	while (nrosters > 0)
		buf_release(&rosters[--nrosters]);
	fixture_release(&fed);
	return tap_done();
}

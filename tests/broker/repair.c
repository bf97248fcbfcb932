/* SPDX-License-Identifier: ISC */
/*
 * A store with what is live and what is of an exercise, from members of ours
 * and from abroad, read and not, some of it taken back: after what a disk does
 * to its small rows, a repair, a backup and a compacting, each is on its own
 * side again, and costs what it did.
 */
#include "broker/repair.h"
#include "broker/intake.h"
#include "broker/log.h"
#include "broker/value.h"
#include "broker/verify.h"
#include "tests/lib/rig.h"
#include "tests/lib/tap.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define EXERCISE "Acid.2026"

static struct fixture fed;
static struct broker *my;

/* ---- what it has ---- */

static struct hand {
	const char *device;
	const char *exercise;
	uint64_t seq;
	uint8_t last[ID_LEN];
	struct desk desk;
} hand[] = { { .device = "mycert@my/desk1", .exercise = "" },
	{ .device = "mycert@my/play1", .exercise = EXERCISE },
	{ .device = "fincert@my/desk1", .exercise = "" },
	{ .device = "fincert@my/play1", .exercise = EXERCISE },
	{ .device = "singcert@sg/desk1", .exercise = "" },
	{ .device = "singcert@sg/play1", .exercise = EXERCISE } };

struct draft {
	const struct hand *by;
	const uint8_t *back; /* what is taken back, or NULL */
};

static void
fill(struct ticket *t, void *arg)
{
	const struct draft *d = arg;

	t->exercise = span_of(d->by->exercise);
	if (!d->back) {
		t->npart = 1;
		t->part[0].size = 777;
		randombytes_buf(t->part[0].hash, 32);
		return;
	}
	t->kind = TICKET_RECALL;
	t->has_thread = true;
	memcpy(t->thread, d->back, ID_LEN);
	memcpy(t->ref[t->nref++], d->back, ID_LEN);
}

static void
write_next(
    struct fx_ticket *t, struct hand *h, const char *to, const uint8_t *back)
{
	struct draft d = { h, back };

	h->seq++;
	fixture_ticket(t, &fed, h->device, to, h->seq,
	    h->seq == 1 ? NULL : h->last, fill, &d);
	memcpy(h->last, t->id, ID_LEN);
}

struct arrival {
	struct job job;
	struct intake *in;
	uint64_t seq;
};

static enum tocsin_err
arrive(struct job *job, struct batch *batch)
{
	struct arrival *a = (struct arrival *)job;

	return intake_apply(a->in, batch, &a->seq);
}

/* As the broker sg relays it. */
static void
relay(enum store_kind kind, struct span note, struct span body)
{
	struct trust_who who = {
		.kind = TRUST_BROKER, .broker = "sg", .nation = "sg"
	};
	struct intake_source src = { INTAKE_PEER, &who };
	struct arrival a = { .job = { .posts = 1, .apply = arrive } };
	struct trust *trust = trust_get(my->trust);

	if (intake_judge(&a.in, my, trust, &src, kind, note, body, fed.now,
		NULL) != TOCSIN_OK ||
	    writer_call(my->writer, &a.job) != TOCSIN_OK)
		abort();
	intake_free(a.in);
	trust_put(trust);
}

static uint64_t
cursor_of(const char *mailbox_device)
{
	struct store_rx *rx;
	uint64_t at;

	if (store_read(my->store, &rx) != TOCSIN_OK ||
	    value_get_u64(rx, &at, "cursor/%s", mailbox_device) != TOCSIN_OK)
		abort();
	store_read_end(rx);
	return at;
}

/* Goes on to the last ticket for it, and says that it has that. */
static void
read_all(struct desk *d, const char *mailbox_device)
{
	struct msg_fetch m = { .max_bytes = 60000 };
	struct msg_entries *e = xmalloc(sizeof(*e));
	struct buf rest = { 0 };
	size_t i;

	if (desk_fetch(d, &m, &rest, e) != TOCSIN_OK || e->more)
		abort();
	for (i = 0; i < e->n; i++)
		if (e->entry[i].kind == STORE_TICKET)
			m.acked = e->entry[i].seq;
	do
		if (desk_fetch(d, &m, &rest, e) != TOCSIN_OK)
			abort();
	while (cursor_of(mailbox_device) < m.acked);
	buf_release(&rest);
	free(e);
}

static void
add_player(struct keys *k, void *arg)
{
	(void)arg;
	fixture_add_device(k, "play1", KEYS_OFFICER, EXERCISE);
}

static void
install(enum store_kind kind, const struct buf *file)
{
	if (intake_install(my, kind, buf_span(file)) != TOCSIN_OK)
		abort();
}

static void
believe(void)
{
	char fincert[] = "fincert@my";
	size_t i;

	fixture_next_roster(&fed, fixture_add_member, fincert);
	install(STORE_ROSTER, &fed.file);
	fixture_enrol(&fed, fincert);
	for (i = 0; i < fed.n; i++)
		fixture_next_keys(&fed, i, add_player, NULL);
	install(STORE_KEYS, &fed.keys_file[1]);
	install(STORE_KEYS, &fed.keys_file[2]);
	relay(STORE_KEYS, buf_span(&fed.keys_file[0]), (struct span){ 0 });
}

/* Of each hand two tickets, one of which is taken back, from here or abroad. */
static void
write_all(void)
{
	struct fx_ticket t[3];
	size_t i, k;

	for (i = 0; i < sizeof(hand) / sizeof(hand[0]); i++) {
		struct hand *h = &hand[i];

		write_next(&t[0], h, "mycert@my fincert@my", NULL);
		write_next(&t[1], h, "mycert@my fincert@my", NULL);
		write_next(&t[2], h, "mycert@my fincert@my", t[0].id);
		if (i < 4)
			desk_open(&h->desk, &fed, "my", h->device);
		for (k = 0; k < 3; k++) {
			if (i >= 4)
				relay(STORE_TICKET, buf_span(&t[k].note),
				    buf_span(&t[k].body));
			else if (desk_post(&h->desk, &t[k], NULL) != TOCSIN_OK)
				abort();
			fx_ticket_release(&t[k]);
		}
	}
	read_all(&hand[0].desk, "mycert@my/desk1");
	read_all(&hand[1].desk, "mycert@my/" EXERCISE "/play1");
	for (i = 0; i < 4; i++)
		desk_close(&hand[i].desk);
}

/* ---- looking ---- */

static const char *const boxes[] = { "*", "mycert@my", "mycert@my/" EXERCISE,
	"fincert@my", "fincert@my/" EXERCISE, "singcert@sg",
	"singcert@sg/" EXERCISE };
static const char *const prefixes[] = { "exercise/", "quota/", "cursor/",
	"chain/", "keys/", "roster/" };

static void
dump_values(struct buf *b, struct store_rx *rx, const char *prefix)
{
	struct span name = span_of(prefix), value;
	size_t n = strlen(prefix), i;

	while (store_value_next(rx, name, &name, &value) == TOCSIN_OK &&
	       span_is(span_cut(name, 0, n), prefix)) {
		buf_addf(b, "%.*s ", (int)name.n, (const char *)name.p);
		for (i = 0; i < value.n; i++)
			buf_addf(b, "%02x", value.p[i]);
		buf_addz(b, "\n");
	}
}

static void
dump_entries(struct buf *b, struct store_rx *rx)
{
	struct store_entry e;
	uint64_t seq;
	size_t i;

	for (seq = 1; seq <= store_head(rx); seq++) {
		if (store_get(rx, seq, &e) != TOCSIN_OK)
			abort();
		buf_addf(b, "%" PRIu64 " kind %d%s, %zu %zu bytes:", seq,
		    e.kind, e.erased ? " erased" : "", e.note.n, e.body.n);
		/* What is erased is given to nobody any more. */
		for (i = 0; !e.erased && i < sizeof(boxes) / sizeof(boxes[0]);
		     i++)
			if (i == 0
				? e.kind == STORE_ROSTER || e.kind == STORE_KEYS
				: store_mail_has(rx, span_of(boxes[i]), seq))
				buf_addf(b, " %s", boxes[i]);
		buf_addz(b, "\n");
	}
}

static const struct store_options opts = { .map_size = (uint64_t)1 << 30,
	.readers = 4 };

static struct store *
open_store(const char *dir)
{
	struct store *s = NULL;
	const char *why = "";

	if (store_open(&s, dir, &opts, &why) != TOCSIN_OK) {
		diag("%s: %s", dir, why);
		abort();
	}
	return s;
}

/* All that must be as before, as text; the caller frees it. */
static char *
dump(const char *dir)
{
	struct store *s = open_store(dir);
	struct buf b = { 0 };
	struct store_rx *rx;
	size_t i;

	if (store_read(s, &rx) != TOCSIN_OK)
		abort();
	dump_entries(&b, rx);
	for (i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		dump_values(&b, rx, prefixes[i]);
	store_read_end(rx);
	store_close(s);
	buf_u8(&b, '\0');
	return (char *)b.p;
}

static bool
same(const char *dir, const char *was, const char *what)
{
	char *now = dump(dir), *copied, *line, *rest;
	bool is = strcmp(now, was) == 0;

	ok(is, "%s: entries, mailboxes, cursors and counts are as before",
	    what);
	for (line = strtok_r(now, "\n", &rest); !is && line;
	     line = strtok_r(NULL, "\n", &rest))
		if (strstr(was, line) == NULL)
			diag("now: %s", line);
	free(now);
	now = dump(dir);
	copied = strdup(was);
	for (line = strtok_r(copied, "\n", &rest); !is && line;
	     line = strtok_r(NULL, "\n", &rest))
		if (strstr(now, line) == NULL)
			diag("was: %s", line);
	free(copied);
	free(now);
	return is;
}

/* ---- harm ---- */

static const char *
copy(const char *name)
{
	static char dir[4200];
	char from[4200];
	const char *why = "";
	struct store *s;

	snprintf(from, sizeof(from), "%s/store", rig_dir("my"));
	snprintf(dir, sizeof(dir), "%s/%s", scratch(), name);
	s = open_store(from);
	if (store_copy(s, dir, &why) != TOCSIN_OK) {
		diag("%s", why);
		abort();
	}
	store_close(s);
	return dir;
}

/* Small values whose names begin so are gone, as a damaged one is. */
static void
drop(const char *dir, const char *prefix)
{
	struct store *s = open_store(dir);
	struct store_tx *tx;
	struct span name, value;
	char at[STORE_NAME_MAX + 1];

	if (store_begin(s, &tx) != TOCSIN_OK)
		abort();
	name = span_of(prefix);
	while (store_value_next(store_tx_view(tx), name, &name, &value) ==
		   TOCSIN_OK &&
	       span_is(span_cut(name, 0, strlen(prefix)), prefix)) {
		snprintf(
		    at, sizeof(at), "%.*s", (int)name.n, (const char *)name.p);
		name = span_of(at);
		if (store_value_drop(tx, name) != TOCSIN_OK)
			abort();
	}
	if (store_commit(tx) != TOCSIN_OK)
		abort();
	store_close(s);
}

/*
 * A bit of each row of that mailbox, in its key: name, NUL, and u64. Before it
 * stands its size.
 */
static void
flip_rows(const char *dir, const char *box)
{
	size_t n, size = strlen(box) + 1; /* and its NUL */
	uint8_t *map, *at;
	char path[4300];
	struct stat st;
	int fd;

	snprintf(path, sizeof(path), "%s/log.mdb", dir);
	fd = open(path, O_RDWR);
	if (fd < 0 || fstat(fd, &st) != 0)
		abort();
	n = (size_t)st.st_size;
	map = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		abort();
	for (at = map; (at = memmem(at, n - (size_t)(at - map), box, size));
	     at += size)
		if (at > map + 1 && at[-2] == size + 8 && at[-1] == 0)
			at[size + 7] ^= 0x40;
	munmap(map, n);
	close(fd);
}

static unsigned
repair(const char *dir)
{
	struct broker_config c;
	unsigned done = 0;
	const char *why = NULL;
	enum tocsin_err err;

	memset(&c, 0, sizeof(c));
	broker_defaults(&c);
	snprintf(c.federation, sizeof(c.federation), FX_FEDERATION);
	snprintf(c.name, sizeof(c.name), "my");
	snprintf(c.nation, sizeof(c.nation), "my");
	c.store = opts;
	c.store_dir = dir;
	fflush(stdout);
	err = repair_store(&c, &done, &why);
	is_int(err, TOCSIN_OK, "it is repaired (%s)", why ? why : "");
	return done;
}

/* ---- tests ---- */

static void
test_values(const char *was)
{
	static const char *const lost[] = { "exercise/", "quota/", "cursor/",
		"keys/" };
	char name[32];
	const char *dir;
	size_t i;

	for (i = 0; i < sizeof(lost) / sizeof(lost[0]); i++) {
		snprintf(name, sizeof(name), "lost-%zu", i);
		dir = copy(name);
		drop(dir, lost[i]);
		(void)repair(dir);
		same(dir, was, lost[i]);
	}
	dir = copy("lost-all");
	for (i = 0; i < sizeof(lost) / sizeof(lost[0]); i++)
		drop(dir, lost[i]);
	(void)repair(dir);
	same(dir, was, "all of these");
}

static void
note_side(const char *dir, const char *name, const char *exercise)
{
	struct store *s = open_store(dir);
	struct store_tx *tx;

	if (store_begin(s, &tx) != TOCSIN_OK ||
	    store_value_put(tx, span_of(name), span_of(exercise)) !=
		TOCSIN_OK ||
	    store_commit(tx) != TOCSIN_OK)
		abort();
	store_close(s);
}

/* A live ticket that is noted as one of an exercise, and the other way round.
 */
static void
test_sides(const char *was)
{
	const char *dir = copy("sides");
	struct store_walked walked;
	char live[32], played[32];
	uint64_t seq = strtoull(strstr(was, "exercise/") + 9, NULL, 10);

	/* The first of each hand is erased, the second is here. */
	snprintf(played, sizeof(played), "exercise/%" PRIu64, seq + 1);
	snprintf(live, sizeof(live), "exercise/%" PRIu64, seq - 3);
	fflush(stdout);
	is_int(verify_store(dir, &walked), 0, "the store is clean");
	note_side(dir, live, EXERCISE);
	note_side(dir, played, "Another.1");
	fflush(stdout);
	is_int(verify_store(dir, &walked), 2,
	    "two that are noted as of another side are found");
	is_int(repair(dir), 2, "both");
	fflush(stdout);
	is_int(verify_store(dir, &walked), 0, "and it is clean again");
	same(dir, was, "sides");
}

static void
test_rows(const char *was)
{
	const char *dir;
	char name[32];
	size_t i;

	for (i = 1; i < 5; i++) {
		snprintf(name, sizeof(name), "rows-%zu", i);
		dir = copy(name);
		flip_rows(dir, boxes[i]);
		ok(repair(dir) > 0, "rows of %s were damaged", boxes[i]);
		same(dir, was, boxes[i]);
	}
}

static void
test_copies(const char *was)
{
	const char *dir = copy("backup"), *why = "";
	struct store *s;

	same(dir, was, "a backup");
	s = open_store(dir);
	is_int(store_compact(s, &why), TOCSIN_OK, "it is compacted");
	store_close(s);
	same(dir, was, "after that");
}

int
main(void)
{
	char store[4200], *was;

	if (sodium_init() < 0)
		return 1;
	log_open(-1, LOG_ERROR);
	fixture_init(&fed, "sg my");
	my = rig_broker(&fed, "my", NULL, NULL);
	believe();
	write_all();
	broker_free(my);
	snprintf(store, sizeof(store), "%s/store", rig_dir("my"));
	was = dump(store);
	ok(strstr(was, "quota/exercise ") && strstr(was, "quota/peer/sg ") &&
		strstr(was, " mycert@my/" EXERCISE) &&
		strstr(was, "cursor/mycert@my/" EXERCISE "/play1 "),
	    "there is some of all");
	test_copies(was);
	test_values(was);
	test_sides(was);
	test_rows(was);
	free(was);
	fixture_release(&fed);
	return tap_done();
}

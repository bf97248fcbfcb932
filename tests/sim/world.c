/* SPDX-License-Identifier: ISC */
#include "tests/sim/sim.h"

#include "broker/intake.h"
#include "broker/relay.h"
#include "tests/lib/tap.h"

#include <ftw.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATIENCE (300 * SECOND) /* after all is healed */
#define REST (15 * SECOND)	/* nothing may change any more */

struct world w;
struct stats stats;

static char base[256];

/* ---- who is who ---- */

struct node *
node_by_name(const char *name)
{
	unsigned i;

	for (i = 0; i < w.nnodes; i++)
		if (strcmp(w.node[i].name, name) == 0)
			return &w.node[i];
	return NULL;
}

unsigned
nation_bit(struct span nation)
{
	unsigned i;

	for (i = 0; i < w.nnodes; i++)
		if (span_is(nation, w.node[i].nation))
			return w.node[i].bit;
	return 0;
}

int
member_index(struct span name)
{
	unsigned i;

	for (i = 0; i < w.nmembers; i++)
		if (span_is(name, w.f.member[i]))
			return (int)i;
	return -1;
}

struct post *
post_by_id(const uint8_t id[ID_LEN])
{
	unsigned i;

	for (i = 0; i < w.nposts; i++)
		if (memcmp(w.post[i].t.id, id, ID_LEN) == 0)
			return &w.post[i];
	return NULL;
}

/* ---- brokers ---- */

static int
drop(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

static void
turn(void *arg)
{
	struct node *n = sim_node;
	int64_t at;

	if ((uintptr_t)arg != n->turn)
		return;
	n->turn_at = INT64_MAX;
	at = relay_turn(n->b->relay, n->fresh);
	n->fresh = false;
	if (at < INT64_MAX / 2) {
		struct timespec t;
		int64_t now_ms;

		clock_gettime(CLOCK_MONOTONIC, &t);
		now_ms = (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
		n->turn_at = sim_us + (at > now_ms ? at - now_ms : 0) * MS;
		sim_at(n->turn_at, n, turn, NULL, (void *)(uintptr_t)++n->turn);
	}
}

void
node_settle(struct node *n)
{
	int64_t soon;

	if (!n->b || n->dying || !n->b->relay ||
	    (!n->fresh && !relay_called(n->b->relay)))
		return;
	if (n->turn_at <= sim_us + MS)
		return;
	soon = sim_us + (int64_t)rnd(MS);
	n->turn_at = soon;
	sim_at(soon, n, turn, NULL, (void *)(uintptr_t)++n->turn);
}

static void
configure(struct broker_config *c, struct node *n)
{
	static char store[300];

	memset(c, 0, sizeof(*c));
	broker_defaults(c);
	snprintf(c->federation, sizeof(c->federation), FX_FEDERATION);
	snprintf(c->name, sizeof(c->name), "%s", n->name);
	snprintf(c->nation, sizeof(c->nation), "%s", n->nation);
	snprintf(store, sizeof(store), "%s/store", n->dir);
	c->store_dir = store;
	c->noise_sk = n->noise;
	c->sign_sk = n->sign;
	c->log_sk = n->log;
	c->store.map_size = (uint64_t)256 << 20;
	c->relay_window = 64u << 10;
	if (w.seed % 3 > 0)
		c->relay_window <<= w.seed % 3;
	c->net.pub_buffer = w.seed % 5 == 0 ? 32 : 4096;
}

static void
node_start(struct node *n)
{
	struct broker_config c;
	const char *why = "";
	enum tocsin_err err;

	configure(&c, n);
	sim_node = n;
	n->dying = false;
	n->fresh = true;
	n->turn_at = INT64_MAX;
	trace("starts");
	err = broker_start(&n->b, &c, &why);
	if (err) {
		broke("%s does not start: %s", n->name, why);
	} else {
		check_start(n);
		node_settle(n);
	}
	sim_node = NULL;
}

static void node_make(struct node *n);
static void do_keys(void *arg);
static void do_roster(void *arg);

/* A new machine: the operator has the rosters and announcements. */
static void
begin_anew(struct node *n)
{
	unsigned i;

	n->wipe = false;
	n->wiped = true;
	n->full_until = n->slow_until = 0; /* a new disk, too */
	check_wiped(n);
	desks_of_wiped(n);
	nftw(n->dir, drop, 16, FTW_DEPTH | FTW_PHYS);
	node_make(n);
	do_roster(&w);
	for (i = 0; i < w.nmembers; i++)
		if (home_of(i) == n)
			do_keys((void *)(uintptr_t)i);
}

static void
start_again(void *arg)
{
	struct node *n = arg;

	if (n->b)
		return;
	if (n->wipe)
		begin_anew(n);
	else
		node_start(n);
}

static void
bury(void *arg)
{
	struct node *n = arg;

	sim_node = n;
	broker_free(n->b);
	sim_node = NULL;
	n->b = NULL;
	n->life++; /* what was scheduled while it died */
	if (n->up_at < INT64_MAX)
		sim_at(n->up_at, NULL, start_again, NULL, n);
}

void
node_crash(struct node *n, const char *when)
{
	if (!n->b || n->dying)
		return;
	trace("%s dies %s", n->name, when);
	stats.crashes++;
	n->dying = true;
	n->life++;
	n->up_at = sim_us + 100 * MS + (int64_t)rnd(8 * SECOND);
	vnet_died(n);
	sim_at(sim_us, NULL, bury, NULL, n);
}

/* ---- the beginning ---- */

static void
put_urls(struct roster_broker *b)
{
	if (w.hidden && strcmp(b->name, w.hidden->name) == 0) {
		strcpy(b->rpc, "-");
		strcpy(b->relay, "-");
		return;
	}
	snprintf(b->rpc, sizeof(b->rpc), "tcp://%.32s.example:1", b->name);
	snprintf(b->relay, sizeof(b->relay), "tcp://%.32s.example:2", b->name);
}

/* The second roster has addresses, and what the first one lacks. */
static void
edit_roster(struct roster *r, void *arg)
{
	unsigned i;

	(void)arg;
	for (i = 0; i < r->nbroker; i++)
		put_urls(&r->broker[i]);
	for (i = 0; i < w.nnodes; i++)
		if (!roster_broker(r, span_of(w.node[i].name))) {
			struct roster_broker b =
			    fixture_broker(w.node[i].name, w.node[i].nation);

			put_urls(&b);
			MUST(roster_put_broker(r, &b) == TOCSIN_OK);
		}
	for (i = 0; i < w.nmembers; i++)
		if (!roster_member(r, span_of(w.f.member[i]))) {
			struct roster_member m = fixture_member(w.f.member[i]);

			MUST(roster_put_member(r, &m) == TOCSIN_OK);
		}
}

static void
note_roster(void)
{
	MUST(w.nrosters < sizeof(w.roster) / sizeof(w.roster[0]));
	w.roster[w.nrosters].serial = w.f.roster->serial;
	memcpy(w.roster[w.nrosters++].id, w.f.roster->id, ID_LEN);
}

static void
add_node(const char *name, const char *nation, unsigned bit)
{
	struct node *n = &w.node[w.nnodes];
	char key[KEYNAME_MAX + 1];

	memset(n, 0, sizeof(*n));
	n->i = w.nnodes++;
	n->bit = bit;
	snprintf(n->name, sizeof(n->name), "%s", name);
	snprintf(n->nation, sizeof(n->nation), "%s", nation);
	snprintf(n->dir, sizeof(n->dir), "%.200s/%.32s", base, name);
	fixture_noise_key(n->noise, name);
	snprintf(key, sizeof(key), "%s/sign", name);
	fixture_sign_key(n->sign, key);
	snprintf(key, sizeof(key), "%s/log", name);
	fixture_sign_key(n->log, key);
}

static void
make_federation(void)
{
	static const char *const name[] = { "sg", "my", "la", "th" };
	unsigned nations = 2 + (unsigned)rnd(3), i;
	char list[32] = "";

	for (i = 0; i < nations; i++) {
		strcat(list, i > 0 ? " " : "");
		strcat(list, name[i]);
		add_node(name[i], name[i], 1u << i);
	}
	fixture_init(&w.f, list);
	if (rnd(3) == 0)
		add_node("sg2", "sg", 1);
	/* Not two: they would have no way to one another. */
	w.hidden = rnd(3) == 0 ? &w.node[rnd(w.nnodes)] : NULL;
	if (rnd(2) == 0)
		fixture_enrol(&w.f, "opscert@my");
	if (rnd(3) == 0)
		fixture_enrol(&w.f, "telcert@sg");
	w.nmembers = (unsigned)w.f.n;
}

/* Its folder with the first roster; then the second. */
static void
node_make(struct node *n)
{
	struct broker_config c;
	struct store *s = NULL;
	const char *why = "";

	MUST(mkdir(n->dir, 0700) == 0);
	configure(&c, n);
	MUST(store_open(&s, c.store_dir, &c.store, &why) == TOCSIN_OK);
	MUST(trust_install_genesis(s, buf_span(&w.genesis), wall_now()) ==
	     TOCSIN_OK);
	store_close(s);
	node_start(n);
	sim_node = n;
	MUST(intake_install(n->b, STORE_ROSTER, buf_span(&w.second)) ==
	     TOCSIN_OK);
	sim_node = NULL;
}

static void
node_first(struct node *n)
{
	unsigned i;

	node_make(n);
	sim_node = n;
	for (i = 0; i < w.nmembers; i++)
		if (strcmp(w.f.nation[i], n->nation) == 0)
			MUST(intake_install(n->b, STORE_KEYS,
				 buf_span(&w.f.keys_file[i])) == TOCSIN_OK);
	sim_node = NULL;
}

static void
make_network(void)
{
	bool rough = rnd(4) > 0;

	w.delay = 200 + (int64_t)rnd(rnd(2) ? 5 * MS : 150 * MS);
	w.jitter = (int64_t)rnd((uint64_t)w.delay);
	w.rate = (uint64_t)60000 << rnd(8);
	w.disk = 200 + (int64_t)rnd(rnd(3) ? 3 * MS : 40 * MS);
	if (!rough)
		return;
	w.lose = (unsigned)rnd(30);
	w.twice = (unsigned)rnd(30);
	w.damage = (unsigned)rnd(10);
	w.late = (unsigned)rnd(20);
	w.crash_at_commit = rnd(2) ? (unsigned)rnd(8) : 0;
}

/* ---- what befalls it ---- */

static struct node *
any_node(void)
{
	return &w.node[rnd(w.nnodes)];
}

static void
do_heal(void *arg)
{
	unsigned pair = (unsigned)(uintptr_t)arg;
	struct node *a = &w.node[pair / NODES], *b = &w.node[pair % NODES];

	trace("%s and %s find one another", a->name, b->name);
	vnet_heal(a, b);
}

static void
do_cut(void *arg)
{
	struct node *a = any_node(), *b = any_node();
	bool silent = rnd(3) == 0;

	(void)arg;
	if (a == b || w.healed)
		return;
	stats.cuts++;
	trace("%s and %s lose one another%s", a->name, b->name,
	    silent ? ", silently" : "");
	vnet_cut(a, b, silent);
	sim_at(sim_us + (int64_t)rnd(rnd(3) ? 3 * SECOND : 40 * SECOND), NULL,
	    do_heal, NULL, (void *)(uintptr_t)(a->i * NODES + b->i));
}

static void
do_crash(void *arg)
{
	(void)arg;
	if (!w.healed)
		node_crash(any_node(), "somewhere");
}

/* One store of a world at most: two that lose theirs have nobody to ask. */
static void
do_wipe(void *arg)
{
	struct node *n = any_node();
	unsigned i;

	(void)arg;
	for (i = 0; i < w.nnodes; i++)
		if (w.node[i].wipe || w.node[i].wiped)
			return;
	if (w.healed || !n->b || n->dying)
		return;
	n->wipe = true;
	node_crash(n, "and its store is lost");
}

static void
do_disk(void *arg)
{
	struct node *n = any_node();
	int64_t until = sim_us + (int64_t)rnd(10 * SECOND);

	(void)arg;
	if (w.healed)
		return;
	if (rnd(2)) {
		trace("the disk of %s is full for a while", n->name);
		n->full_until = until;
	} else {
		trace("the disk of %s is slow for a while", n->name);
		n->slow_until = until;
	}
}

static void
do_skew(void *arg)
{
	struct node *n = any_node();

	(void)arg;
	n->skew = (int64_t)rnd(480) - 240;
	trace("the clock of %s jumps to %+lld s", n->name, (long long)n->skew);
}

static bool
operator_can(const struct node *n)
{
	return n->b && !n->dying && vwriter_idle(n->b->writer);
}

static uint64_t
serial_of(const struct node *n)
{
	struct trust *t = trust_get(n->b->trust);
	uint64_t serial = trust_roster(t)->serial;

	trust_put(t);
	return serial;
}

static enum tocsin_err
install(struct node *n, enum store_kind kind, struct span file)
{
	enum tocsin_err err;

	sim_node = n;
	err = intake_install(n->b, kind, file);
	trace("the operator installs a %s: %s",
	    kind == STORE_ROSTER ? "roster" : "announcement",
	    tocsin_err_name(err));
	node_settle(n);
	sim_node = NULL;
	return err;
}

/* Signed once, and installed where the one before it is known. */
static void
do_roster(void *arg)
{
	struct node *n = any_node();

	if (!arg) {
		if (w.nrosters == sizeof(w.roster) / sizeof(w.roster[0]) ||
		    !operator_can(n) || serial_of(n) != w.f.roster->serial)
			return;
		fixture_next_roster(&w.f, NULL, NULL);
		note_roster();
	}
	if (operator_can(n) && serial_of(n) == w.f.roster->serial)
		return;
	if (!operator_can(n) || serial_of(n) + 1 != w.f.roster->serial ||
	    install(n, STORE_ROSTER, buf_span(&w.f.file)) != TOCSIN_OK)
		sim_at(sim_us + 50 * MS, NULL, do_roster, NULL, &w);
}

struct node *
home_of(unsigned member)
{
	unsigned i = 0;

	while (strcmp(w.node[i].nation, w.f.nation[member]) != 0)
		i++;
	return &w.node[i];
}

/* The newest of that member, until it is in. */
static void
do_keys(void *arg)
{
	unsigned i = (unsigned)(uintptr_t)arg;
	struct node *n = home_of(i);
	enum tocsin_err err = TOCSIN_EBUSY;

	if (operator_can(n))
		err = install(n, STORE_KEYS, buf_span(&w.f.keys_file[i]));
	if (err && err != TOCSIN_EDUPLICATE)
		sim_at(sim_us + 50 * MS, NULL, do_keys, NULL, arg);
}

static bool renewing[MEMBERS];

static void
do_renew(void *arg)
{
	unsigned i = (unsigned)rnd(w.nmembers);

	(void)arg;
	if (renewing[i])
		return; /* once a seed: they have to come in order */
	renewing[i] = true;
	fixture_next_keys(&w.f, i, NULL, NULL);
	do_keys((void *)(uintptr_t)i);
}

/* ---- posts ---- */

static void
edit_post(struct ticket *t, void *arg)
{
	struct post *p = arg;
	unsigned i;

	t->time = wall_now();
	t->precedence = (enum ticket_precedence)rnd(TICKET_PRECEDENCES);
	t->roster_serial = w.roster[w.known[p->from]].serial;
	memcpy(t->roster_id, w.roster[w.known[p->from]].id, ID_LEN);
	for (i = 0; i < p->nparts; i++) {
		t->part[i].size = p->part[i].bytes.n;
		memcpy(t->part[i].hash, p->part[i].hash, 32);
	}
	t->npart = p->nparts;
}

static size_t
random_size(void)
{
	switch (rnd(8)) {
	case 0:
	case 1:
		return (size_t)rnd(400000);
	case 2:
		return (size_t)rnd(60000);
	default:
		return (size_t)rnd(3000);
	}
}

static void
make_parts(struct post *p)
{
	unsigned i;

	if (rnd(4) > 0)
		return;
	p->nparts = 1 + (unsigned)rnd(PARTS);
	p->parts_first = rnd(2);
	for (i = 0; i < p->nparts; i++) {
		size_t n = 1000 + (size_t)rnd(rnd(4) || w.rate < 200000
						  ? 40000
						  : (uint64_t)1000000);

		randombytes_buf(buf_grow(&p->part[i].bytes, n), n);
		crypto_hash_sha256(p->part[i].hash, p->part[i].bytes.p, n);
	}
}

static void
address(struct post *p, char *to, size_t size)
{
	unsigned i;

	p->members = 1u << p->from;
	for (i = 0; i < w.nmembers; i++)
		if (rnd(2))
			p->members |= 1u << i;
	for (i = 0; i < w.nmembers; i++) {
		if (!(p->members & 1u << i))
			continue;
		p->nations |= nation_bit(span_of(w.f.nation[i]));
		if (i != p->from)
			snprintf(to + strlen(to), size - strlen(to), "%s%s",
			    to[0] ? " " : "", w.f.member[i]);
	}
}

static void
learn_roster(unsigned member)
{
	struct node *n = home_of(member);
	unsigned i;

	for (i = 0; n->b && !n->dying && i < w.nrosters; i++)
		if (w.roster[i].serial == serial_of(n))
			w.known[member] = i;
}

static void
do_post(void *arg)
{
	struct post *p = &w.post[w.nposts];
	char to[MEMBERS * (MEMBER_MAX + 2)] = "", device[DEVICE_MAX + 1];
	static uint64_t seq[MEMBERS];
	static uint8_t prev[MEMBERS][ID_LEN];
	struct ticket t;
	struct note note;
	struct buf id = { 0 };
	unsigned from;

	if (arg) { /* a new world */
		memset(seq, 0, sizeof(seq));
		return;
	}
	if (w.nposts == TICKETS)
		return;
	memset(p, 0, sizeof(*p));
	from = p->from = (unsigned)rnd(w.nmembers);
	address(p, to, sizeof(to));
	make_parts(p);
	learn_roster(from);
	w.f.text_bytes = random_size();
	snprintf(device, sizeof(device), "%s/desk1", w.f.member[from]);
	fixture_ticket(&p->t, &w.f, device, to, seq[from] + 1,
	    seq[from] ? prev[from] : NULL, edit_post, p);
	seq[from]++;
	memcpy(prev[from], p->t.id, ID_LEN);
	MUST(ticket_parse(&t, &note, buf_span(&p->t.note)) == TOCSIN_OK);
	p->body_size = t.body_size;
	memcpy(p->body_hash, t.body_hash, 32);
	p->apart = p->t.note.n + p->t.body.n > MSG_ENVELOPE_MAX;
	buf_base64(&id, SPAN(p->t.id));
	snprintf(p->id64, sizeof(p->id64), "%.*s", (int)id.n, (char *)id.p);
	buf_release(&id);
	trace("%s composes %.8s to '%s', %zu bytes, %u parts", device, p->id64,
	    to, p->t.body.n, p->nparts);
	w.nposts++;
	stats.posts++;
	desk_wake(from);
}

/* ---- the course of a seed ---- */

static void
strew(sim_fn *fn, unsigned most, int64_t span)
{
	unsigned n = (unsigned)rnd(most + 1);

	while (n-- > 0)
		sim_at(SECOND + (int64_t)rnd((uint64_t)span), NULL, fn, NULL,
		    NULL);
}

static void
make_fate(int64_t span)
{
	bool calm = rnd(5) == 0;
	unsigned posts = 2 + (unsigned)rnd(14);

	while (posts-- > 0)
		sim_at(SECOND + (int64_t)rnd((uint64_t)span), NULL, do_post,
		    NULL, NULL);
	strew(do_skew, 3, span);
	strew(do_roster, 2, span);
	strew(do_renew, 2, span);
	if (calm)
		return;
	strew(do_cut, 8, span);
	strew(do_crash, 5, span);
	strew(do_disk, 3, span);
	if (rnd(6) == 0)
		strew(do_wipe, 1, span);
}

static void
heal_all(void)
{
	unsigned i, k;

	w.healed = true;
	trace("all is healed");
	for (i = 0; i < w.nnodes; i++) {
		struct node *n = &w.node[i];

		n->full_until = n->slow_until = 0;
		for (k = 0; k < i; k++)
			vnet_heal(n, &w.node[k]);
	}
}

static void
run_until(int64_t us)
{
	while (sim_us < us && sim_step())
		;
}

static void
nothing(void *arg)
{
	(void)arg;
}

/* Until it is quiet; false: not by `end`. */
static bool
wait_for_quiet(int64_t end, char *why, size_t n)
{
	while (sim_us < end && !sim_failure()) {
		sim_at(sim_us + SECOND, NULL, nothing, NULL, NULL);
		run_until(sim_us + SECOND);
		if (check_quiet(why, n))
			return true;
	}
	return false;
}

/*
 * Liveness: all of it comes to rest, in bounded time, and stays so. A broker
 * that finds by its count that a peer lacks something begins once more.
 */
static void
come_to_rest(void)
{
	int64_t began = sim_us, end = began + PATIENCE, quiet;
	char why[200] = "";

	do {
		if (!wait_for_quiet(end, why, sizeof(why))) {
			broke("it does not come to rest: %s", why);
			return;
		}
		quiet = sim_us;
		sim_at(quiet + REST, NULL, nothing, NULL, NULL);
		run_until(quiet + REST);
	} while (!sim_failure() && !check_quiet(why, sizeof(why)));
	if (quiet - began > stats.slowest)
		stats.slowest = quiet - began;
}

static void
make_base(void)
{
	const char *dir = getenv("TMPDIR");

	if (access("/dev/shm", W_OK) == 0)
		dir = "/dev/shm";
	snprintf(
	    base, sizeof(base), "%.200s/tocsin-sim.XXXXXX", dir ? dir : "/tmp");
	MUST(mkdtemp(base));
}

static void
clean_up(void)
{
	unsigned i, k;

	for (i = 0; i < w.nnodes; i++) {
		struct node *n = &w.node[i];

		if (n->b) {
			n->dying = true;
			n->life++;
			sim_node = n;
			broker_free(n->b);
			sim_node = NULL;
			n->b = NULL;
		}
		for (k = 0; k < NODES * LANE_COUNT; k++)
			free(n->numbered[k / LANE_COUNT][k % LANE_COUNT].of);
	}
	sim_end();
	desks_end();
	vnet_forget();
	for (i = 0; i < w.nposts; i++) {
		fx_ticket_release(&w.post[i].t);
		for (k = 0; k < PARTS; k++)
			buf_release(&w.post[i].part[k].bytes);
	}
	buf_release(&w.genesis);
	buf_release(&w.second);
	fixture_release(&w.f);
	nftw(base, drop, 16, FTW_DEPTH | FTW_PHYS);
}

void
world_run(uint64_t seed)
{
	int64_t span;
	unsigned i;

	memset(&w, 0, sizeof(w));
	memset(renewing, 0, sizeof(renewing));
	w.seed = seed;
	sim_begin(seed);
	do_post(&w);
	make_base();
	make_federation();
	buf_add(&w.genesis, buf_span(&w.f.file));
	fixture_next_roster(&w.f, edit_roster, NULL);
	buf_add(&w.second, buf_span(&w.f.file));
	note_roster();
	make_network();
	for (i = 0; i < w.nnodes; i++)
		node_first(&w.node[i]);
	desks_begin();
	span = 5 * SECOND + (int64_t)rnd(rnd(3) ? 20 * SECOND : 100 * SECOND);
	make_fate(span);
	sim_at(span + 2 * SECOND, NULL, nothing, NULL, NULL);
	run_until(span + 2 * SECOND);
	if (!sim_failure()) {
		heal_all();
		come_to_rest();
	}
	if (!sim_failure())
		check_end();
	if (sim_failure())
		sim_tell();
	clean_up();
}

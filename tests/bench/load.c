/* SPDX-License-Identifier: ISC */
/*
 * load - ask a running broker as much as it can answer, and count
 *
 *	load post HOME TO POSTS WIDTH BATCH	durable posts
 *	load live HOME TO READER-HOME POSTS	post to reader, one at a time
 *	load replay HOME WIDTH			everything from the start
 *
 * Tickets are the smallest there are and sealed before the clock starts; a
 * BATCH is what one request holds, or as much of it as fits. HOME is a home
 * that nobody else posts from: where its chain is stands in HOME/bench-chain.
 * Prints one JSON object.
 */
#include "tests/bench/asker.h"

#include "crypto/ticket.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct envelope {
	struct buf note, body;
};

static int
by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
percentile(double *v, size_t n, double p)
{
	size_t i = (size_t)((double)n * p);

	return n == 0 ? 0 : v[i < n ? i : n - 1];
}

/* ---- the device's chain ---- */

struct chain {
	uint64_t seq; /* of the last ticket that was posted */
	uint8_t id[ID_LEN];
};

static FILE *
chain_file(const char *home, const char *mode)
{
	char path[640];

	keystore_path(path, home, "bench-chain");
	return fopen(path, mode);
}

static struct chain
chain_read(const char *home)
{
	struct chain c = { 0 };
	FILE *f = chain_file(home, "r");

	if (f == NULL)
		return c;
	if (fread(&c, sizeof(c), 1, f) != 1)
		die("%s: bench-chain cannot be read", home);
	fclose(f);
	return c;
}

static void
chain_write(const char *home, const struct chain *c)
{
	FILE *f = chain_file(home, "w");

	if (f == NULL || fwrite(c, sizeof(*c), 1, f) != 1 || fclose(f) != 0)
		die("%s: bench-chain cannot be written", home);
}

/* ---- sealing ---- */

static void
address(
    struct ticket *t, uint8_t (*pk)[32], const struct asker *a, const char *to)
{
	const struct keystore *k = asker_keys(a);
	const char *member[2] = { to, k->member };
	size_t i, n = strcmp(to, k->member) == 0 ? 1 : 2;

	if (n == 2 && strcmp(to, k->member) > 0) {
		member[0] = k->member;
		member[1] = to;
	}
	for (i = 0; i < n; i++) {
		const struct keys *keys =
		    belief_keys(asker_belief(a), span_of(member[i]));
		const struct keys_recipient *r =
		    keys == NULL ? NULL
				 : keys_recipient(keys, (struct span){ 0 },
				       (int64_t)time(NULL));

		if (r == NULL)
			die("%s has no keys here", member[i]);
		t->to[i].member = span_of(keys->member);
		t->to[i].epoch = span_of(r->epoch);
		memcpy(pk[i], r->pk, 32);
	}
	t->nto = n;
}

/* The next n of the chain. */
static struct envelope *
seal(const struct asker *a, const char *to, size_t n, struct chain *chain)
{
	const struct keystore *k = asker_keys(a);
	const struct roster *r = asker_belief(a)->roster;
	struct envelope *e = calloc(n + 1, sizeof(*e));
	struct ticket *t = calloc(1, sizeof(*t)), *made = malloc(sizeof(*made));
	struct note note;
	uint8_t pk[2][32];
	size_t i;

	if (e == NULL || t == NULL || made == NULL)
		die("no memory");
	snprintf(t->federation, sizeof(t->federation), "%s", r->federation);
	t->roster_serial = r->serial;
	memcpy(t->roster_id, r->id, ID_LEN);
	t->from = span_of(k->member);
	t->device = span_of(k->label);
	t->kind = TICKET_REPORT;
	t->precedence = TICKET_FLASH;
	t->tlp = TICKET_AMBER;
	t->time = (int64_t)time(NULL);
	address(t, pk, a, to);
	for (i = 0; i < n; i++) {
		t->seq = ++chain->seq;
		t->has_prev = t->seq > 1;
		memcpy(t->prev, chain->id, ID_LEN);
		if (ticket_seal(&e[i].note, &e[i].body, t,
			(const uint8_t(*)[32])pk,
			span_of("{\"subject\":\"bench\"}"), (struct span){ 0 },
			secret_span(k->sign).p) != TOCSIN_OK ||
		    ticket_parse(made, &note, buf_span(&e[i].note)) !=
			TOCSIN_OK)
			die("cannot seal");
		memcpy(chain->id, made->id, ID_LEN);
	}
	free(t);
	free(made);
	return e;
}

/* ---- posting ---- */

struct posting {
	struct envelope *e;
	size_t n, batch;
	pthread_mutex_t lock;
	size_t next, done;
	double start[256];
	double *took;
	size_t ntook;
};

static bool
next_post(void *arg, unsigned i, struct buf *request)
{
	struct msg_envelope env[MSG_POSTS_MAX];
	struct posting *p = arg;
	size_t from, n, j;

	pthread_mutex_lock(&p->lock);
	from = p->next;
	n = p->n - from < p->batch ? p->n - from : p->batch;
	p->next += n;
	pthread_mutex_unlock(&p->lock);
	for (j = 0; j < n; j++) {
		env[j].note = buf_span(&p->e[from + j].note);
		env[j].body = buf_span(&p->e[from + j].body);
	}
	p->start[i] = now_us();
	msg_post_encode(request, env, n);
	return n > 0;
}

static void
posted(void *arg, unsigned i, struct span fields)
{
	struct msg_posted m;
	struct posting *p = arg;
	size_t j;

	if (msg_posted_decode(&m, fields) != TOCSIN_OK)
		die("no answer to a post");
	for (j = 0; j < m.n; j++)
		if (m.item[j].code != TOCSIN_OK)
			die("refused: %s", tocsin_err_name(m.item[j].code));
	pthread_mutex_lock(&p->lock);
	p->took[p->ntook++] = now_us() - p->start[i];
	p->done += m.n;
	pthread_mutex_unlock(&p->lock);
}

/* How many envelopes of that size one request holds. */
static size_t
fitting(size_t batch, size_t envelope)
{
	size_t n = (MSG_MAX - 16) / (envelope + 16);

	return batch < n ? batch : n;
}

static void
cmd_post(char **argv)
{
	struct asker *a = asker_open(argv[0], (unsigned)atoi(argv[3]));
	struct posting p = { .n = strtoul(argv[2], NULL, 10),
		.batch = strtoul(argv[4], NULL, 10) };
	struct asker_work w = { next_post, posted, &p };
	struct chain chain = chain_read(argv[0]);
	double start, seconds;

	if (p.n == 0 || p.batch == 0 || p.batch > MSG_POSTS_MAX)
		die("a batch is 1 to %d", MSG_POSTS_MAX);
	pthread_mutex_init(&p.lock, NULL);
	p.e = seal(a, argv[1], p.n, &chain);
	p.batch = fitting(p.batch, p.e[p.n - 1].note.n + p.e[p.n - 1].body.n);
	p.took = calloc(p.n, sizeof(*p.took));
	start = now_us();
	asker_run(a, &w);
	seconds = (now_us() - start) / 1e6;
	chain_write(argv[0], &chain);
	qsort(p.took, p.ntook, sizeof(*p.took), by_size);
	printf("{\"what\":\"post\",\"width\":%s,\"batch\":%zu,\"posts\":%zu,"
	       "\"envelope\":%zu,\"per_s\":%.0f,\"p50_us\":%.0f,"
	       "\"p99_us\":%.0f}\n",
	    argv[3], p.batch, p.done, p.e[p.n - 1].note.n + p.e[p.n - 1].body.n,
	    (double)p.done / seconds, percentile(p.took, p.ntook, 0.5),
	    percentile(p.took, p.ntook, 0.99));
}

/* ---- replay, and waiting for what comes ---- */

struct reading {
	pthread_mutex_t lock;
	pthread_cond_t came;
	uint64_t newest;
	size_t tickets, bytes;
	bool live, end;
};

static bool
next_fetch(void *arg, unsigned i, struct buf *request)
{
	struct reading *r = arg;
	struct msg_fetch m = { .max_bytes = MSG_MAX };
	bool more;

	(void)i;
	pthread_mutex_lock(&r->lock);
	m.acked = r->live ? r->newest : 0;
	m.after = MSG_AFTER_CONTINUE; /* a new link begins at the start */
	m.wait_ms = r->live ? 20000 : 0;
	more = !r->end;
	pthread_mutex_unlock(&r->lock);
	msg_fetch_encode(request, &m);
	return more;
}

static void
fetched(void *arg, unsigned i, struct span fields)
{
	struct msg_entries *m = malloc(sizeof(*m));
	struct reading *r = arg;
	size_t j;

	(void)i;
	if (m == NULL || msg_entries_decode(m, fields) != TOCSIN_OK)
		die("no answer to a fetch");
	pthread_mutex_lock(&r->lock);
	for (j = 0; j < m->n; j++) {
		r->tickets += m->entry[j].kind == 1;
		r->bytes += m->entry[j].note.n + m->entry[j].body.n;
		if (m->entry[j].seq > r->newest)
			r->newest = m->entry[j].seq;
	}
	if (!r->live && m->n == 0)
		r->end = true;
	pthread_cond_signal(&r->came);
	pthread_mutex_unlock(&r->lock);
	free(m);
}

static void
cmd_replay(char **argv)
{
	struct asker *a = asker_open(argv[0], (unsigned)atoi(argv[1]));
	struct reading r = { 0 };
	struct asker_work w = { next_fetch, fetched, &r };
	double start, seconds;

	pthread_mutex_init(&r.lock, NULL);
	pthread_cond_init(&r.came, NULL);
	start = now_us();
	asker_run(a, &w);
	seconds = (now_us() - start) / 1e6;
	printf("{\"what\":\"replay\",\"entries\":%zu,\"bytes\":%zu,"
	       "\"per_s\":%.0f}\n",
	    r.tickets, r.bytes, (double)r.tickets / seconds);
}

struct reader {
	struct asker *a;
	struct reading r;
};

static void *
read_live(void *arg)
{
	struct reader *x = arg;
	struct asker_work w = { next_fetch, fetched, &x->r };

	asker_run(x->a, &w);
	return NULL;
}

/* What is there already is read first. */
static void
catch_up(struct reader *x)
{
	struct asker_work w = { next_fetch, fetched, &x->r };

	asker_run(x->a, &w);
	x->r.tickets = 0;
	x->r.end = false;
	x->r.live = true;
}

static void
cmd_live(char **argv)
{
	struct asker *a = asker_open(argv[0], 1);
	struct reader x = { .a = asker_open(argv[2], 4) };
	size_t n = strtoul(argv[3], NULL, 10), i;
	struct chain chain = chain_read(argv[0]);
	struct envelope *e = seal(a, argv[1], n, &chain);
	double *took = calloc(n, sizeof(*took));
	double *acked = calloc(n, sizeof(*acked));
	pthread_t thread;

	if (took == NULL || acked == NULL)
		die("no memory");
	pthread_mutex_init(&x.r.lock, NULL);
	pthread_cond_init(&x.r.came, NULL);
	catch_up(&x);
	pthread_create(&thread, NULL, read_live, &x);
	for (i = 0; i < n; i++) {
		struct posting p = {
			.e = &e[i], .n = 1, .batch = 1, .took = &acked[i]
		};
		struct asker_work w = { next_post, posted, &p };
		double start = now_us();

		pthread_mutex_init(&p.lock, NULL);
		asker_run(a, &w);
		pthread_mutex_lock(&x.r.lock);
		while (x.r.tickets <= i)
			pthread_cond_wait(&x.r.came, &x.r.lock);
		pthread_mutex_unlock(&x.r.lock);
		took[i] = now_us() - start;
	}
	chain_write(argv[0], &chain);
	qsort(took, n, sizeof(*took), by_size);
	qsort(acked, n, sizeof(*acked), by_size);
	printf("{\"what\":\"live\",\"posts\":%zu,\"ack_p50_us\":%.0f,"
	       "\"p50_us\":%.0f,\"p99_us\":%.0f}\n",
	    n, percentile(acked, n, 0.5), percentile(took, n, 0.5),
	    percentile(took, n, 0.99));
}

static const struct {
	const char *name;
	int args;
	void (*run)(char **argv);
} cmds[] = {
	{ "post", 5, cmd_post },
	{ "live", 4, cmd_live },
	{ "replay", 2, cmd_replay },
};

int
main(int argc, char **argv)
{
	size_t i;

	for (i = 0; i < sizeof(cmds) / sizeof(cmds[0]); i++)
		if (argc == cmds[i].args + 2 &&
		    strcmp(argv[1], cmds[i].name) == 0) {
			cmds[i].run(argv + 2);
			fflush(stdout);
			_Exit(0); /* nng may hang when it is closed */
		}
	die("usage: see the head of tests/bench/load.c");
}

/* SPDX-License-Identifier: ISC */
/*
 * broker/net.h over a virtual network. Between two nodes there are, for each
 * that dials, a connection for requests and one for each way of frames, as nng
 * has them: they come up a while after both ends are there, and what is on the
 * way is lost when one breaks. A request that was on the way is sent again on
 * the next connection, byte for byte, as nng's REQ does. Frames keep their
 * order and wait for bandwidth; beyond the buffer they are dropped without a
 * word.
 *
 * On top of that, and worse than nng: frames are lost, come twice, come late
 * or damaged.
 */
#include "broker/dispatch.h"
#include "broker/pull.h"
#include "broker/relay.h"
#include "broker/relay_in.h"
#include "tests/sim/sim.h"

#include <stdlib.h>
#include <string.h>

/* A way of net.h's is FRAMES and its number. */
enum { RPC, FRAMES, KINDS = FRAMES + NET_WAYS };

struct conn {
	struct node *from, *to;
	int kind;
	bool dialled, polling;
	bool up;
	unsigned gen;
	uint32_t pipe;
	int64_t last; /* when what was sent last arrives */
	unsigned queued;
};

static struct conn conns[NODES][NODES][KINDS];
static uint32_t pipes;

struct link_id {
	struct link_id *next;
	uint8_t id[16];
};

struct net {
	struct broker *b;
	struct node *node;
	struct net_options opt;
	struct link_id *links;
	struct vcall *calls;
	bool listening;
};

/* A request under way; freed when nobody refers to it. */
struct vcall {
	struct vcall *next; /* of the net that asked */
	unsigned refs;
	struct net *net;   /* NULL: a device asks, or the net is no more */
	struct node *from; /* NULL: a device */
	struct node *to;
	struct conn *conn;
	unsigned gen; /* of the connection */
	uint32_t pipe;
	struct buf frame;
	struct buf answer;
	net_reply_fn *fn;
	void *arg;
	bool told;
};

static void
call_put(void *arg)
{
	struct vcall *v = arg;

	if (--v->refs > 0)
		return;
	buf_drop(&v->frame);
	buf_drop(&v->answer);
	free(v);
}

static void
call_later(struct vcall *v, int64_t at, struct node *n, sim_fn *fn)
{
	v->refs++;
	sim_at(at, n, fn, call_put, v);
}

static void
call_unlist(struct vcall *v)
{
	struct vcall **at;

	if (!v->net)
		return;
	for (at = &v->net->calls; *at != v; at = &(*at)->next)
		;
	*at = v->next;
	v->net = NULL;
	call_put(v);
}

static void
call_tell(struct vcall *v, enum tocsin_err err, struct span answer)
{
	if (v->told)
		return;
	v->told = true;
	v->refs++;
	call_unlist(v);
	v->fn(v->arg, err, answer);
	call_put(v);
}

/* ---- time on the way ---- */

static bool
passes(const struct node *a, const struct node *b)
{
	return !w.cut[a->i][b->i] && !w.silent[a->i][b->i];
}

static int64_t
delay(void)
{
	return w.delay + (int64_t)rnd((uint64_t)w.jitter + 1);
}

/* In order, and as fast as the line takes bytes. */
static int64_t
arrival(struct conn *c, size_t n)
{
	int64_t at = sim_us + delay();

	if (at < c->last)
		at = c->last;
	c->last = at + (int64_t)((uint64_t)n * SECOND / w.rate);
	return c->last;
}

/* ---- connections ---- */

static void poll(void *arg);

static void
poll_later(struct conn *c)
{
	if (c->polling)
		return;
	c->polling = true;
	sim_at(sim_us + 300 * MS + (int64_t)rnd(700 * MS), NULL, poll, NULL, c);
}

static void send_call(struct vcall *v);

static void
come_up(struct conn *c)
{
	struct node *was = sim_node;
	struct vcall *v;

	c->up = true;
	c->gen++;
	c->pipe = ++pipes;
	c->last = sim_us;
	c->queued = 0;
	sim_node = c->from;
	if (c->from->b->relay)
		relay_alive(c->from->b->relay, c->to->name, c->kind != RPC);
	for (v = c->from->b->net->calls; c->kind == RPC && v; v = v->next)
		if (v->conn == c)
			send_call(v);
	node_settle(c->from);
	sim_node = was;
}

static void
poll(void *arg)
{
	struct conn *c = arg;

	c->polling = false;
	if (!c->dialled || c->up || !c->from->b)
		return;
	if (c->to->b && c->to->b->net && c->to->b->net->listening &&
	    passes(c->from, c->to))
		come_up(c);
	else
		poll_later(c);
}

static void
go_down(struct conn *c)
{
	struct node *was = sim_node;

	if (!c->up)
		return;
	c->up = false;
	c->gen++;
	if (c->kind == RPC && c->to->b && !c->to->dying) {
		sim_node = c->to;
		parks_pipe_closed(c->to->b->parks, c->pipe);
		node_settle(c->to);
		sim_node = was;
	}
	if (c->from->b && !c->from->dying)
		poll_later(c);
}

static void
pair_down(struct node *a, struct node *b)
{
	int k;

	for (k = RPC; k < KINDS; k++) {
		go_down(&conns[a->i][b->i][k]);
		go_down(&conns[b->i][a->i][k]);
	}
}

void
vnet_cut(struct node *a, struct node *b, bool silent)
{
	(silent ? w.silent : w.cut)[a->i][b->i] = true;
	(silent ? w.silent : w.cut)[b->i][a->i] = true;
	if (!silent)
		pair_down(a, b);
}

void
vnet_heal(struct node *a, struct node *b)
{
	bool *flag[] = { &w.cut[a->i][b->i], &w.cut[b->i][a->i],
		&w.silent[a->i][b->i], &w.silent[b->i][a->i] };
	bool lost = w.silent[a->i][b->i];
	size_t i;

	for (i = 0; i < 4; i++)
		*flag[i] = false;
	if (lost)
		pair_down(a, b);
}

void
vnet_died(struct node *n)
{
	unsigned i, k;

	for (i = 0; i < w.nnodes; i++) {
		pair_down(n, &w.node[i]);
		for (k = RPC; k < KINDS; k++)
			conns[n->i][i][k].dialled = false;
	}
}

void
vnet_forget(void)
{
	memset(conns, 0, sizeof(conns));
	pipes = 0;
}

/* ---- requests ---- */

struct served {
	struct request r; /* first */
	struct vcall *call;
};

static void
answer_arrives(void *arg)
{
	struct vcall *v = arg;

	if (v->answer.n > 0 && (!v->conn || v->conn->gen == v->gen))
		call_tell(v, TOCSIN_OK, buf_span(&v->answer));
	call_put(v);
}

static void
served_send(struct request *r, struct span frame)
{
	struct served *s = (struct served *)r;
	struct vcall *v = s->call;
	struct node *to = v->to;

	check_wire(frame);
	if (frame.n > 0 && !to->dying && !v->told && v->answer.n == 0 &&
	    !(v->from && !passes(v->from, to)) &&
	    !(v->from == NULL && !w.healed && chance(w.lose))) {
		buf_add(&v->answer, frame);
		call_later(v,
		    v->conn ? sim_us + delay() : sim_us + MS + (int64_t)rnd(MS),
		    v->from, answer_arrives);
	}
	free(s);
	call_put(v);
}

static void
request_arrives(void *arg)
{
	struct vcall *v = arg;
	struct served *s;

	if (v->told || (v->conn && v->conn->gen != v->gen) ||
	    !v->to->b->net->listening) {
		call_put(v);
		return;
	}
	s = calloc(1, sizeof(*s));
	MUST(s);
	s->r.b = v->to->b;
	s->r.pipe = v->pipe;
	s->r.send = served_send;
	s->call = v; /* the event's reference */
	dispatch_frame(&s->r, buf_span(&v->frame));
}

static void
call_timeout(void *arg)
{
	struct vcall *v = arg;

	call_tell(v, TOCSIN_ETIMEOUT, (struct span){ 0 });
	call_put(v);
}

static void
send_call(struct vcall *v)
{
	buf_drop(&v->answer); /* of another connection */
	v->gen = v->conn->gen;
	v->pipe = v->conn->pipe;
	check_wire(buf_span(&v->frame));
	if (passes(v->from, v->to))
		call_later(
		    v, arrival(v->conn, v->frame.n), v->to, request_arrives);
}

static struct vcall *
call_new(struct span frame, net_reply_fn *fn, void *arg)
{
	struct vcall *v = calloc(1, sizeof(*v));

	MUST(v);
	v->refs = 1;
	buf_add(&v->frame, frame);
	v->fn = fn;
	v->arg = arg;
	return v;
}

void
net_call(struct net *n, const char *peer, struct span frame,
    unsigned timeout_ms, net_reply_fn *fn, void *arg)
{
	struct node *to = node_by_name(peer);
	struct conn *c = to ? &conns[n->node->i][to->i][RPC] : NULL;
	struct vcall *v;

	if (!c || !c->up || n->node->dying) {
		fn(arg, TOCSIN_EUNAVAILABLE, (struct span){ 0 });
		return;
	}
	v = call_new(frame, fn, arg);
	v->net = n;
	v->from = n->node;
	v->to = to;
	v->conn = c;
	v->next = n->calls;
	n->calls = v;
	call_later(v, sim_us + (int64_t)timeout_ms * MS, n->node, call_timeout);
	send_call(v);
}

uint32_t
vnet_pipe(void)
{
	return ++pipes;
}

/* A device is near its broker; at times its request comes twice, or never. */
void
vnet_ask(struct node *to, uint32_t pipe, struct span frame, int64_t timeout_us,
    net_reply_fn *fn, void *arg)
{
	struct vcall *v = call_new(frame, fn, arg);
	int64_t at = sim_us + MS + (int64_t)rnd(5 * MS);

	v->to = to;
	v->pipe = pipe;
	call_later(v, sim_us + timeout_us, NULL, call_timeout);
	check_wire(frame);
	if (w.healed || !chance(w.lose))
		call_later(v, at, to, request_arrives);
	if (!w.healed && chance(w.twice))
		call_later(v, at + (int64_t)rnd(20 * MS), to, request_arrives);
	call_put(v);
}

/* ---- frames ---- */

struct flying {
	struct conn *conn;
	unsigned gen;
	size_t n;
	uint8_t bytes[];
};

static bool
subscribed(const struct net *n, const uint8_t *id)
{
	const struct link_id *l = n->links;

	while (l && memcmp(l->id, id, sizeof(l->id)) != 0)
		l = l->next;
	return l != NULL;
}

static void
frame_arrives(void *arg)
{
	struct flying *f = arg;
	struct broker *b = f->conn->to->b;

	if (f->conn->gen == f->gen)
		f->conn->queued--;
	if (f->conn->gen == f->gen && f->n >= 16 && b->net->listening &&
	    subscribed(b->net, f->bytes)) {
		broker_count(b, BROKER_relay_frames_in);
		relay_frame(b, (struct span){ f->bytes, f->n });
	}
	free(f);
}

static void
fly(struct conn *c, struct span frame, int64_t at)
{
	struct flying *f = malloc(sizeof(*f) + frame.n);

	MUST(f);
	f->conn = c;
	f->gen = c->gen;
	f->n = frame.n;
	memcpy(f->bytes, frame.p, frame.n);
	if (!w.healed && chance(w.damage))
		f->bytes[rnd(f->n)] ^= (uint8_t)(1 + rnd(255));
	c->queued++;
	sim_at(at, c->to, frame_arrives, free, f);
}

void
net_publish(
    struct net *n, const char *peer, enum net_way way, struct span frame)
{
	struct node *to = node_by_name(peer);
	struct conn *c;
	int64_t at;

	if (n->node->dying)
		return;
	if (mutant == WRONG_PEER && chance(20))
		to = &w.node[rnd(w.nnodes)];
	if (!to || to == n->node)
		return;
	check_wire(frame);
	check_publish(n->node, to->name, frame);
	c = &conns[n->node->i][to->i][FRAMES + (int)way];
	stats.frames++;
	broker_count(n->b, BROKER_relay_frames_out);
	if (!c->up || !passes(n->node, to) || c->queued >= n->opt.pub_buffer ||
	    (!w.healed && chance(w.lose))) {
		stats.lost++;
		return;
	}
	at = arrival(c, frame.n);
	if (!w.healed && chance(w.late))
		at += (int64_t)rnd(2 * SECOND);
	fly(c, frame, at);
	if (!w.healed && chance(w.twice))
		fly(c, frame, at + (int64_t)rnd(SECOND));
}

enum tocsin_err
net_subscribe(struct net *n, const uint8_t link[16])
{
	struct link_id *l = calloc(1, sizeof(*l));

	MUST(l);
	memcpy(l->id, link, 16);
	l->next = n->links;
	n->links = l;
	return TOCSIN_OK;
}

void
net_unsubscribe(struct net *n, const uint8_t link[16])
{
	struct link_id **at = &n->links, *l;

	while (*at && memcmp((*at)->id, link, 16) != 0)
		at = &(*at)->next;
	l = *at;
	if (l)
		*at = l->next;
	free(l);
}

/* What a node that nobody can dial is to fetch. */
void __real_pulls_publish(
    struct pulls *p, const char *peer, enum net_way way, struct span frame);
void __wrap_pulls_publish(
    struct pulls *p, const char *peer, enum net_way way, struct span frame);

void
__wrap_pulls_publish(
    struct pulls *p, const char *peer, enum net_way way, struct span frame)
{
	check_wire(frame);
	check_publish(sim_node, peer, frame);
	stats.fetched++;
	__real_pulls_publish(p, peer, way, frame);
}

/* ---- life ---- */

enum tocsin_err
net_open(struct net **out, struct broker *b, const struct net_options *opt)
{
	struct net *n = calloc(1, sizeof(*n));

	MUST(n && sim_node);
	n->b = b;
	n->node = sim_node;
	n->opt = *opt;
	*out = n;
	return TOCSIN_OK;
}

enum tocsin_err
net_listen(struct net *n)
{
	n->listening = true;
	return TOCSIN_OK;
}

void
net_tick(struct net *n, int64_t now_ms) /* its calls have events */
{
	(void)n;
	(void)now_ms;
}

void
net_pause(struct net *n)
{
	n->listening = false;
}

void
net_close(struct net *n)
{
	if (!n)
		return;
	while (n->calls)
		call_tell(n->calls, TOCSIN_EUNAVAILABLE, (struct span){ 0 });
	while (n->links)
		net_unsubscribe(n, n->links->id);
	free(n);
}

enum tocsin_err
net_peer(
    struct net *n, const char *peer, const char *rpc_url, const char *relay_url)
{
	struct node *to = node_by_name(peer);
	int k;

	for (k = RPC; to && k < KINDS; k++) {
		struct conn *c = &conns[n->node->i][to->i][k];
		const char *url = k == RPC ? rpc_url : relay_url;

		c->from = n->node;
		c->to = to;
		c->kind = k;
		c->dialled = url[0] != '\0' && strcmp(url, "-") != 0;
		if (!c->dialled)
			go_down(c);
		else if (!c->up)
			poll_later(c);
	}
	return TOCSIN_OK;
}

void
net_redial(struct net *n, const char *peer, bool all)
{
	struct node *to = node_by_name(peer);
	int k;

	for (k = RPC; to && all && k < KINDS; k++)
		go_down(&conns[n->node->i][to->i][k]);
}

const char *
net_version(void)
{
	return "simulated";
}

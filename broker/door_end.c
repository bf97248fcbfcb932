/* SPDX-License-Identifier: ISC */
/* One end of a connection: its descriptor, and what the kernel did not take. */
#include "broker/door_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

struct end *
end_other(struct end *e)
{
	return e == &e->conn->client ? &e->conn->broker : &e->conn->client;
}

bool
end_is_client(const struct end *e)
{
	return e == &e->conn->client;
}

size_t
end_queued(const struct end *e)
{
	return e->out.n - e->out.off;
}

static void
queue_release(struct queue *q)
{
	free(q->p);
	*q = (struct queue){ 0 };
}

static bool
queue_add(struct queue *q, struct span s)
{
	uint8_t *p = realloc(q->p, q->n + s.n);

	if (p == NULL)
		return false;
	memcpy(p + q->n, s.p, s.n);
	q->p = p;
	q->n += s.n;
	return true;
}

uint32_t
end_wanted(const struct end *e)
{
	const struct conn *c = e->conn;
	uint32_t out = end_queued(e) > 0 ? EPOLLOUT : 0;
	bool in = false;

	switch (c->phase) {
	case P_GREET_CLIENT:
		in = end_is_client(e);
		break;
	case P_GREET_BROKER:
		in = !end_is_client(e);
		break;
	case P_OPEN: /* who doesn't take answers isn't asked for more */
		in =
		    end_queued(end_is_client(e) ? &c->broker : &c->client) == 0;
		in = in && (!end_is_client(e) || flow_may_read(c));
		break;
	case P_CLOSING:
		in = !end_is_client(e);
		break;
	case P_CONNECT:
	case P_DEAD:
		break;
	}
	return out | (in ? EPOLLIN : 0);
}

/*
 * A client of whom we want nothing is still watched, since the kernel tells of
 * a reset in any case. nng is not: its hang-up would be told again and again
 * while we are not ready to read what stands before it.
 */
void
end_arm(struct door *d, struct end *e)
{
	struct epoll_event ev = { .events = end_wanted(e), .data.ptr = e };
	bool watch = e->fd >= 0 && (ev.events != 0 || end_is_client(e));

	if (e->fd < 0 || (watch == e->watched && ev.events == e->armed))
		return;
	epoll_ctl(d->epoll,
	    !watch	 ? EPOLL_CTL_DEL
	    : e->watched ? EPOLL_CTL_MOD
			 : EPOLL_CTL_ADD,
	    e->fd, &ev);
	e->watched = watch;
	e->armed = ev.events;
}

void
end_close(struct end *e, bool reset)
{
	struct linger now = { .l_onoff = 1, .l_linger = 0 };

	if (e->fd >= 0) {
		if (reset)
			setsockopt(
			    e->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
		close(e->fd);
	}
	e->fd = -1;
	e->watched = false;
	e->armed = 0;
	sp_release(&e->in);
	queue_release(&e->out);
}

/* ---- writing and reading ---- */

/* Skips what was written; returns the number of pieces that are left. */
static int
pieces_skip(struct iovec **iov, int n, size_t written)
{
	while (n > 0 && written >= (*iov)->iov_len) {
		written -= (*iov)->iov_len;
		++*iov;
		n--;
	}
	if (n > 0) {
		(*iov)->iov_base = (uint8_t *)(*iov)->iov_base + written;
		(*iov)->iov_len -= written;
	}
	return n;
}

/* To the kernel at once, if it takes it, or else behind what is queued. */
bool
end_write(struct end *e, struct iovec *iov, int n)
{
	ssize_t written = 0;

	if (end_queued(e) == 0) {
		do
			written = writev(e->fd, iov, n);
		while (written < 0 && errno == EINTR);
		if (written < 0 && errno != EAGAIN)
			return false;
	}
	n = pieces_skip(&iov, n, written > 0 ? (size_t)written : 0);
	for (; n > 0; n--, iov++)
		if (!queue_add(
			&e->out, (struct span){ iov->iov_base, iov->iov_len }))
			return false;
	return true;
}

bool
end_flush(struct end *e)
{
	struct queue *q = &e->out;
	ssize_t n;

	do
		n = write(e->fd, q->p + q->off, q->n - q->off);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN;
	q->off += (size_t)n;
	if (q->off == q->n)
		queue_release(q);
	return true;
}

ssize_t
end_read(struct door *d, struct end *e, size_t max)
{
	ssize_t n;

	do
		n = read(e->fd, d->scratch, max);
	while (n < 0 && errno == EINTR);
	return n;
}

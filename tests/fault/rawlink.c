/* SPDX-License-Identifier: ISC */
#include "tests/fault/rawlink.h"

#include "broker/sp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUEST UINT32_C(0x80000000)
#define HELLO_ID (REQUEST | UINT32_C(0x7fffffff))
#define PREFIX 12 /* length and id */

/* ---- bytes ---- */

bool
rawlink_put(int fd, struct span s)
{
	while (s.n > 0) {
		ssize_t n = send(fd, s.p, s.n, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		s = span_cut(s, (size_t)n, s.n);
	}
	return true;
}

static enum tocsin_err
get(int fd, uint8_t *p, size_t n)
{
	while (n > 0) {
		ssize_t got = recv(fd, p, n, 0);

		if (got <= 0)
			return got < 0 && errno == EAGAIN ? TOCSIN_ETIMEOUT
							  : TOCSIN_EUNAVAILABLE;
		p += got;
		n -= (size_t)got;
	}
	return TOCSIN_OK;
}

/*
 * A source that dials too fast is turned away for a while, and everybody at it:
 * it must not be that of honest ones.
 */
static void
be_elsewhere(int fd)
{
	struct sockaddr_in from = { .sin_family = AF_INET };

	from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1);
	(void)bind(fd, (struct sockaddr *)&from, sizeof(from));
}

int
rawlink_dial(uint16_t port, uint8_t proto)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_port = htons(port) };
	struct timeval patience = { .tv_sec = RAWLINK_PATIENCE_MS / 1000 };
	const uint8_t head[8] = { 0, 'S', 'P', 0, 0, proto, 0, 0 };
	uint8_t theirs[8];
	const int on = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	be_elsewhere(fd);
	if (connect(fd, (struct sockaddr *)&at, sizeof(at)) != 0 ||
	    !rawlink_put(fd, SPAN(head)) ||
	    get(fd, theirs, sizeof(theirs)) != TOCSIN_OK) {
		close(fd);
		return -1;
	}
	return fd;
}

/* ---- frames ---- */

static enum tocsin_err
put_frame(struct rawlink *l, uint32_t id, struct span frame)
{
	buf_cut(&l->last, 0);
	buf_u64(&l->last, 4 + frame.n);
	buf_u32(&l->last, id);
	buf_add(&l->last, frame);
	return rawlink_put(l->fd, buf_span(&l->last)) ? TOCSIN_OK
						      : TOCSIN_EUNAVAILABLE;
}

static enum tocsin_err
get_frame(struct rawlink *l, uint32_t *id, struct buf *frame)
{
	uint8_t head[PREFIX];
	struct rd r = rd_init(SPAN(head));
	uint64_t n;
	uint8_t *room;
	enum tocsin_err err = get(l->fd, head, sizeof(head));

	if (err)
		return err;
	n = rd_u64(&r);
	*id = rd_u32(&r);
	if (n < 4 || n > 4 + FRAME_MAX)
		return TOCSIN_EMALFORMED;
	buf_cut(frame, 0);
	room = buf_grow(frame, (size_t)n - 4);
	return room ? get(l->fd, room, (size_t)n - 4) : TOCSIN_EINTERNAL;
}

/* ---- a link ---- */

static enum tocsin_err
read_reply(
    struct rawlink *l, uint64_t number, struct span frame, struct buf *fields)
{
	struct buf reply = { 0 };
	struct msg_reply m;
	uint32_t retry;
	enum tocsin_err err =
	    link_answer(&l->link, number, frame, &reply, &retry);

	if (!err)
		err = msg_reply_decode(&m, buf_span(&reply));
	if (!err)
		err = m.code;
	if (!err && fields)
		buf_add(fields, m.rest);
	buf_release(&reply);
	return err;
}

static enum tocsin_err
shake_hands(struct rawlink *l, const struct rawlink_who *who)
{
	const uint8_t hello = MSG_HELLO;
	struct buf frame = { 0 }, answer = { 0 };
	uint32_t id;
	enum tocsin_err err =
	    link_hello(&l->link, who->sk, who->peer, who->prologue, &frame);

	if (!err)
		err = put_frame(l, HELLO_ID, buf_span(&frame));
	if (!err)
		err = get_frame(l, &id, &answer);
	buf_cut(&frame, 0);
	if (!err)
		err = link_finish(&l->link, buf_span(&answer),
		    (struct span){ &hello, 1 }, &frame);
	if (!err)
		err = put_frame(l, REQUEST, buf_span(&frame));
	if (!err)
		err = get_frame(l, &id, &answer);
	if (!err)
		err = read_reply(l, 0, buf_span(&answer), NULL);
	buf_release(&frame);
	buf_release(&answer);
	return err;
}

enum tocsin_err
rawlink_open(struct rawlink *l, const struct rawlink_who *who)
{
	enum tocsin_err err;

	l->fd = rawlink_dial(who->port, SP_REQ);
	err = l->fd < 0 ? TOCSIN_EUNAVAILABLE : shake_hands(l, who);
	if (err)
		rawlink_close(l);
	return err;
}

void
rawlink_close(struct rawlink *l)
{
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
	link_wipe(&l->link);
	buf_release(&l->last);
}

enum tocsin_err
rawlink_send(struct rawlink *l, struct span request, uint64_t *number)
{
	struct buf frame = { 0 };
	enum tocsin_err err = l->fd < 0 ? TOCSIN_EUNAVAILABLE : TOCSIN_OK;

	if (!err)
		err = link_ask(&l->link, request, &frame, number);
	if (!err)
		err =
		    put_frame(l, REQUEST | (uint32_t)*number, buf_span(&frame));
	buf_release(&frame);
	return err;
}

enum tocsin_err
rawlink_next(struct rawlink *l, uint64_t *number, struct buf *fields)
{
	struct buf frame = { 0 };
	uint32_t id = 0;
	enum tocsin_err err = get_frame(l, &id, &frame);

	*number = id & ~REQUEST;
	if (!err)
		err = read_reply(l, *number, buf_span(&frame), fields);
	buf_release(&frame);
	return err;
}

enum tocsin_err
rawlink_ask(struct rawlink *l, struct span request, struct buf *fields)
{
	uint64_t asked, answered = 0;
	enum tocsin_err err = rawlink_send(l, request, &asked);

	if (fields)
		buf_cut(fields, 0);
	if (!err)
		err = rawlink_next(l, &answered, fields);
	return err;
}

enum tocsin_err
rawlink_again(struct rawlink *l)
{
	return rawlink_put(l->fd, buf_span(&l->last)) ? TOCSIN_OK
						      : TOCSIN_EUNAVAILABLE;
}

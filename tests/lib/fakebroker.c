/* SPDX-License-Identifier: ISC */
#include "tests/lib/fakebroker.h"

#include "tests/lib/fakebroker_impl.h"
#include "tests/lib/port.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static void
wake(struct fakebroker *b)
{
	MUST(write(b->wake[1], "x", 1) == 1);
	pthread_mutex_unlock(&b->lock);
}

void
fb_fault(struct fakebroker *b, uint8_t op, enum fb_fault fault,
    enum tocsin_err code, unsigned n)
{
	pthread_mutex_lock(&b->lock);
	MUST(b->nfault < FAULTS);
	b->fault[b->nfault].op = op;
	b->fault[b->nfault].fault = fault;
	b->fault[b->nfault].code = code;
	b->fault[b->nfault++].left = n;
	pthread_mutex_unlock(&b->lock);
}

void
fb_release(struct fakebroker *b)
{
	struct req *last;
	size_t i;

	pthread_mutex_lock(&b->lock);
	do {
		last = NULL;
		for (i = 0; i < PENDING; i++)
			if (b->pending[i].used && !b->pending[i].parked &&
			    (last == NULL || b->pending[i].order > last->order))
				last = &b->pending[i];
		if (last != NULL) {
			fb_send_frame(b, last, buf_span(&last->frame), false);
			buf_release(&last->frame);
			last->used = false;
			fb_counted(b, FB_HELD, -1);
		}
	} while (last != NULL);
	pthread_mutex_unlock(&b->lock);
}

void
fb_code(struct fakebroker *b, const uint8_t id[ID_LEN], enum tocsin_err code)
{
	pthread_mutex_lock(&b->lock);
	b->ticket[fb_ticket_row(b, id)].code = code;
	pthread_mutex_unlock(&b->lock);
}

void
fb_silence(struct fakebroker *b, bool silent)
{
	pthread_mutex_lock(&b->lock);
	b->silent = silent;
	pthread_mutex_unlock(&b->lock);
}

void
fb_forget(struct fakebroker *b)
{
	pthread_mutex_lock(&b->lock);
	b->nsession = 0;
	pthread_mutex_unlock(&b->lock);
}

void
fb_down(struct fakebroker *b)
{
	size_t i;

	pthread_mutex_lock(&b->lock);
	/* Closed alone, it would listen until the thread leaves poll(). */
	shutdown(b->listener, SHUT_RDWR);
	close(b->listener);
	b->listener = -1;
	for (i = 0; i < CONNS; i++)
		if (b->conn[i].fd >= 0)
			fb_hang_up(b, i);
	b->nsession = 0;
	wake(b);
}

void
fb_up(struct fakebroker *b)
{
	pthread_mutex_lock(&b->lock);
	fb_listen_on(b);
	wake(b);
}

void
fb_strange(struct fakebroker *b)
{
	pthread_mutex_lock(&b->lock);
	b->strange = true;
	pthread_mutex_unlock(&b->lock);
}

void
fb_roster(struct fakebroker *b, uint64_t serial, struct span file)
{
	pthread_mutex_lock(&b->lock);
	b->roster = serial;
	buf_release(&b->roster_file);
	buf_add(&b->roster_file, file);
	pthread_mutex_unlock(&b->lock);
}

uint64_t
fb_mail(struct fakebroker *b, uint8_t kind, struct span note, struct span body,
    bool detached)
{
	struct msg_entry *e;
	uint64_t seq;

	pthread_mutex_lock(&b->lock);
	MUST(b->nentry < ENTRIES);
	e = &b->entry[b->nentry++];
	*e = (struct msg_entry){ .seq = 10 * b->nentry,
		.time = time(NULL),
		.kind = kind,
		.detached = detached,
		.note = { xcopy(note.p, note.n), note.n },
		.body = { xcopy(body.p, body.n), body.n } };
	seq = e->seq;
	fb_wake_parks(b);
	wake(b);
	return seq;
}

void
fb_part(struct fakebroker *b, struct span bytes)
{
	uint8_t hash[32];
	struct part *p;

	crypto_hash_sha256(hash, bytes.p, bytes.n);
	pthread_mutex_lock(&b->lock);
	p = fb_part_row(b, hash);
	buf_cut(&p->bytes, 0);
	buf_add(&p->bytes, bytes);
	p->total = bytes.n;
	p->whole = true;
	pthread_mutex_unlock(&b->lock);
}

uint64_t
fb_count(struct fakebroker *b, enum fb_count c)
{
	uint64_t n;

	pthread_mutex_lock(&b->lock);
	n = b->count[c];
	pthread_mutex_unlock(&b->lock);
	return n;
}

bool
fb_reaches(struct fakebroker *b, enum fb_count c, uint64_t n)
{
	struct timespec end;
	bool good;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += PATIENCE_S;
	pthread_mutex_lock(&b->lock);
	while (b->count[c] < n &&
	       pthread_cond_timedwait(&b->changed, &b->lock, &end) == 0)
		;
	good = b->count[c] >= n;
	pthread_mutex_unlock(&b->lock);
	return good;
}

bool
fb_has(struct fakebroker *b, const uint8_t id[ID_LEN])
{
	bool has;

	pthread_mutex_lock(&b->lock);
	has = b->ticket[fb_ticket_row(b, id)].taken;
	pthread_mutex_unlock(&b->lock);
	return has;
}

bool
fb_has_part(struct fakebroker *b, struct span bytes)
{
	uint8_t hash[32];
	struct part *p;
	bool has;

	crypto_hash_sha256(hash, bytes.p, bytes.n);
	pthread_mutex_lock(&b->lock);
	p = fb_part_row(b, hash);
	has = p->whole && span_eq(buf_span(&p->bytes), bytes);
	pthread_mutex_unlock(&b->lock);
	return has;
}

const char *
fb_url(const struct fakebroker *b)
{
	return b->url;
}

struct fakebroker *
fb_new(const struct fixture *f, const char *name)
{
	struct fakebroker *b = calloc(1, sizeof(*b));
	size_t i;

	MUST(b != NULL && pipe2(b->wake, O_CLOEXEC) == 0);
	b->f = f;
	b->roster = 1;
	snprintf(b->name, sizeof(b->name), "%s", name);
	pthread_mutex_init(&b->lock, NULL);
	pthread_cond_init(&b->changed, NULL);
	for (i = 0; i < CONNS; i++)
		b->conn[i].fd = -1;
	b->port = port_of_ours();
	fb_listen_on(b);
	snprintf(b->url, sizeof(b->url), "tcp://127.0.0.1:%u", b->port);
	MUST(pthread_create(&b->thread, NULL, fb_run, b) == 0);
	return b;
}

void
fb_free(struct fakebroker *b)
{
	size_t i;

	pthread_mutex_lock(&b->lock);
	b->stop = true;
	wake(b);
	pthread_join(b->thread, NULL);
	if (b->listener >= 0)
		close(b->listener);
	for (i = 0; i < CONNS; i++)
		if (b->conn[i].fd >= 0)
			fb_hang_up(b, i);
	for (i = 0; i < PENDING; i++)
		buf_release(&b->pending[i].frame);
	for (i = 0; i < b->nentry; i++) {
		free((void *)(uintptr_t)b->entry[i].note.p);
		free((void *)(uintptr_t)b->entry[i].body.p);
	}
	for (i = 0; i < b->npart; i++)
		buf_release(&b->part[i].bytes);
	buf_release(&b->roster_file);
	close(b->wake[0]);
	close(b->wake[1]);
	pthread_cond_destroy(&b->changed);
	pthread_mutex_destroy(&b->lock);
	free(b);
}

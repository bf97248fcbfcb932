/* SPDX-License-Identifier: ISC */
/*
 * A broker of our own behind the door, which looks at every byte that nng would
 * see.
 */
#include "tests/lib/house.h"
#include "tests/lib/tap.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* A broker of our own: every byte that nng would see. */

static int
fake_listen(char path[DOOR_PATH_MAX])
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(path, DOOR_PATH_MAX, "%s/fake.ipc", scratch());
	unlink(path);
	memcpy(sun.sun_path, path, strlen(path) + 1);
	house_must(fd >= 0 &&
		       bind(fd, (struct sockaddr *)&sun, sizeof(sun)) == 0 &&
		       listen(fd, 8) == 0,
	    path);
	return fd;
}

static int
fake_accept(int listener)
{
	struct timeval tv = { .tv_sec = HOUSE_PATIENCE_MS / 1000 };
	struct pollfd p = { listener, POLLIN, 0 };
	int fd = -1;

	if (poll(&p, 1, HOUSE_PATIENCE_MS) == 1)
		fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	house_must(fd >= 0, "the door's connection");
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	return fd;
}

static bool
is_silent(int fd)
{
	struct pollfd p = { fd, POLLIN, 0 };

	return poll(&p, 1, 0) == 0;
}

/* A client and, through the door, our end of its connection. */
static int
fake_greet(const struct house *h, int listener, int *broker)
{
	int fd = guest_dial(h->port);

	house_must(guest_put_header(fd, SP_REQ), "header");
	*broker = fake_accept(listener);
	house_must(guest_get_header(*broker, SP_REQ) &&
		       guest_put_header(*broker, SP_REP) &&
		       guest_get_header(fd, SP_REP),
	    "greetings");
	return fd;
}

static void
test_greeting_owed(struct house *h, int listener)
{
	uint64_t late;
	int fd, broker;

	late = house_counter(h, DOOR_accepted);
	fd = guest_dial(h->port);
	guest_put(fd, "\0SP\0\0\x30\0", 7);
	close(fd);
	house_counter_reaches(h, DOOR_accepted, late + 1);
	ok(house_is_empty(h) && is_silent(listener),
	    "without a whole header nng hears nothing");

	fd = guest_dial(h->port);
	guest_put_header(fd, SP_REQ);
	broker = fake_accept(listener);
	ok(guest_get_header(broker, SP_REQ), "the door greets as the client");
	ok(is_silent(fd), "the client must wait until nng has greeted");
	guest_reset(fd);
	ok(is_silent(broker), "the client goes; nng's greeting is waited for");

	fd = guest_dial(h->port);
	guest_put_header(fd, SP_REQ);
	late = house_counter(h, DOOR_broker_deaf);
	ok(guest_is_gone(fd) && house_counter(h, DOOR_broker_deaf) == late + 1,
	    "a client of a deaf broker is let go in time");
	close(fd);
	ok(is_silent(broker), "nng's greeting is waited for even then");
	ok(guest_put_header(broker, SP_REP) && guest_is_gone(broker),
	    "when it has come, the door leaves");
	close(broker);
	broker = fake_accept(listener);
	ok(guest_get_header(broker, SP_REQ) &&
		guest_put_header(broker, SP_REP) && guest_is_gone(broker),
	    "in order, from the other connection too");
	close(broker);
	ok(house_is_empty(h), "and nothing is left");
}

/* Who greets, and the door's greeting of nng for it. */
static int
fake_wait(const struct house *h, int listener, int *broker)
{
	int fd = guest_dial(h->port);

	house_must(guest_put_header(fd, SP_REQ), "header");
	*broker = fake_accept(listener);
	house_must(guest_get_header(*broker, SP_REQ), "greeting of nng");
	return fd;
}

/* A full house, and nng greets nobody. */
static void
test_full_meanwhile(int listener, const char *path)
{
	struct door_config cfg = house_config();
	int waits[3], broker[3], silent[5], i;
	uint8_t bytes[64];
	struct house h;
	size_t n;

	cfg.rpc = path;
	cfg.max_conns = 4;
	h = house_open(cfg);
	for (i = 0; i < 2; i++)
		waits[i] = fake_wait(&h, listener, &broker[i]);
	for (i = 0; i < 3; i++)
		silent[i] = guest_dial(h.port);
	ok(guest_is_gone(silent[0]) && is_silent(waits[0]),
	    "who waits for nng outlasts a later one who says nothing");
	waits[2] = fake_wait(&h, listener, &broker[2]);
	ok(guest_is_gone(silent[1]) && is_silent(waits[0]) &&
		is_silent(waits[1]),
	    "as long as no more than half of the house waits");
	silent[3] = guest_dial(h.port);
	ok(guest_is_gone(waits[0]) && is_silent(silent[2]),
	    "when more do, the first of these goes");
	ok(guest_put_header(broker[1], SP_REP) &&
		guest_get_header(waits[1], SP_REP),
	    "the others are greeted when nng is ready");
	n = guest_request(bytes, 10);
	house_must(
	    guest_put(waits[1], bytes, n) && guest_get(broker[1], bytes, 1),
	    "a request");
	silent[4] = guest_dial(h.port);
	ok(guest_is_gone(silent[2]) && is_silent(waits[1]),
	    "who waits for an answer stays, too");
	for (i = 0; i < 3; i++) {
		close(waits[i]);
		if (i != 1)
			guest_put_header(broker[i], SP_REP);
		close(broker[i]);
	}
	for (i = 0; i < 5; i++)
		close(silent[i]);
	ok(house_is_empty(&h), "they leave");
	house_close(&h);
}

static void
test_whole_frames(struct house *h, int listener)
{
	uint8_t bytes[8 + 100], got[9 + 100], want[9 + 100];
	size_t n = guest_request(bytes, 100);
	int fd, broker;

	fd = fake_greet(h, listener, &broker);
	guest_put(fd, bytes, n - 1);
	house_counter_reaches(h, DOOR_held, 1);
	ok(is_silent(broker), "of an unfinished message nng sees no byte");
	guest_put(fd, bytes + n - 1, 1);
	want[0] = 1;
	memcpy(want + 1, bytes, n);
	ok(guest_get(broker, got, n + 1) && memcmp(got, want, n + 1) == 0,
	    "a whole one comes in nng's framing");
	guest_put(broker, want, 50);
	house_counter_reaches(h, DOOR_held, 50);
	ok(is_silent(fd), "of an unfinished answer the client sees no byte");
	guest_put(broker, want + 50, n + 1 - 50);
	ok(guest_get(fd, got, n) && memcmp(got, bytes, n) == 0,
	    "a whole one comes in the client's");

	guest_put(fd, bytes, n / 2);
	house_counter_reaches(h, DOOR_held, 1);
	guest_reset(fd);
	ok(guest_is_gone(broker), "half a message is dropped with its sender");
	close(broker);
}

/* nng has begun an answer when the client goes. */
static void
test_drain(struct house *h, int listener)
{
	static uint8_t bytes[9 + HOUSE_BIG];
	size_t n;
	int fd, broker;

	bytes[0] = 1;
	n = guest_request(bytes + 1, HOUSE_BIG) + 1;
	fd = fake_greet(h, listener, &broker);
	guest_put(broker, bytes, 1000);
	house_counter_reaches(h, DOOR_held, 1000);
	guest_reset(fd);
	ok(is_silent(broker), "the door stays while nng is sending");
	ok(guest_put(broker, bytes + 1000, n - 1000) && guest_is_gone(broker),
	    "it takes the answer to its end, and leaves");
	close(broker);

	fd = fake_greet(h, listener, &broker);
	guest_put(fd, bytes + 1, n - 1);
	house_counter_reaches(
	    h, DOOR_frames_in, house_counter(h, DOOR_frames_in));
	guest_put(broker, bytes, n);
	close(broker);
	ok(guest_get(fd, bytes, n - 1) && guest_is_gone(fd),
	    "when nng goes, the client gets what was whole");
	close(fd);

	fd = fake_greet(h, listener, &broker);
	guest_put(broker, "\2", 1);
	ok(guest_is_gone(fd) && guest_is_gone(broker),
	    "what isn't SP ends both ends");
	close(fd);
	close(broker);
	ok(house_is_empty(h), "and nothing is left");
}

/* nng doesn't read: the client is held back, and nothing is lost. */
static void
test_backpressure(struct house *h, int listener)
{
	static uint8_t bytes[8 + HOUSE_BIG], got[9 + HOUSE_BIG];
	struct timeval tv = { .tv_usec = 100000 };
	size_t n = guest_request(bytes, HOUSE_BIG), sent = 0, whole, left;
	int fd, broker, good = 0;
	ssize_t k;

	fd = fake_greet(h, listener, &broker);
	/* It is answered under a key: of a stranger nng gets a few requests. */
	k = (ssize_t)guest_request(got, 20);
	ok(guest_put(fd, got, (size_t)k) &&
		guest_get(broker, got, (size_t)k + 1),
	    "a client asks");
	got[13] = FRAME_VERSION;
	got[14] = FRAME_TRANSPORT;
	ok(guest_put(broker, got, (size_t)k + 1) &&
		guest_get(fd, got, (size_t)k),
	    "and is answered");
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	while ((k = send(fd, bytes + sent % n, n - sent % n, MSG_NOSIGNAL)) > 0)
		sent += (size_t)k;
	ok(sent < (64 << 20) && house_counter(h, DOOR_held) < (1 << 20),
	    "a client is held back when nng is (after %zu KiB)", sent >> 10);
	/* The frame under way is completed when there is room again. */
	fcntl(fd, F_SETFL, O_NONBLOCK);
	whole = (sent + n - 1) / n;
	for (left = whole; left > 0; left--) {
		while (
		    sent < whole * n && (k = send(fd, bytes + sent % n,
					     n - sent % n, MSG_NOSIGNAL)) > 0)
			sent += (size_t)k;
		good += guest_get(broker, got, n + 1) && got[0] == 1 &&
			memcmp(got + 1, bytes, n) == 0;
	}
	is_int(good, (long long)whole, "and then nothing is missing");
	close(fd);
	ok(guest_is_gone(broker), "the client goes");
	close(broker);
}

struct mute {
	pthread_t thread;
	int listener;
	int fd;
};

/* What a dead nng listener still does. */
static void *
greet_only(void *arg)
{
	struct mute *m = arg;

	m->fd = fake_accept(m->listener);
	guest_put_header(m->fd, SP_REP);
	return NULL;
}

static void
test_probe_unread(const char *path, int listener)
{
	struct mute m = { .listener = listener };

	pthread_create(&m.thread, NULL, greet_only, &m);
	ok(door_probe(path, SP_REQ, 500) == TOCSIN_ETIMEOUT,
	    "and one that greets, but reads nothing then");
	pthread_join(m.thread, NULL);
	close(m.fd);
}

static void
test_fake_broker(void)
{
	struct door_config cfg = house_config();
	char path[DOOR_PATH_MAX];
	int listener = fake_listen(path);
	struct house h;

	cfg.rpc = path;
	cfg.header_ms = 500;
	h = house_open(cfg);
	test_greeting_owed(&h, listener);
	test_whole_frames(&h, listener);
	test_drain(&h, listener);
	test_backpressure(&h, listener);
	house_close(&h);
	test_full_meanwhile(listener, path);

	ok(door_probe(path, SP_REQ, 50) == TOCSIN_ETIMEOUT,
	    "a probe tells a deaf broker");
	close(fake_accept(listener));
	test_probe_unread(path, listener);
	close(listener);
	ok(door_probe(path, SP_REQ, 50) == TOCSIN_EUNAVAILABLE,
	    "from one that is not there");
	ok(door_probe(house_rpc, SP_REQ, HOUSE_PATIENCE_MS) == TOCSIN_OK &&
		door_probe(house_relay, SP_PUB, HOUSE_PATIENCE_MS) == TOCSIN_OK,
	    "and from one that lives");
}

int
main(int argc, char **argv)
{
	house_begin(argc, argv);
	test_fake_broker();
	return house_end();
}

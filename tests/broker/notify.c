/* SPDX-License-Identifier: ISC */
/* What a service manager hears, and when it must hear nothing. */
#include "broker/notify.h"

#include "broker/log.h"
#include "tests/lib/rig.h"
#include "tests/lib/tap.h"

#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* ---- the manager ---- */

static int
listen_at(const char *name)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	size_t n = strlen(name);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	memcpy(sun.sun_path, name, n);
	if (name[0] == '@')
		sun.sun_path[0] = '\0';
	if (fd < 0 ||
	    bind(fd, (struct sockaddr *)&sun,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)) != 0)
		abort();
	setenv("NOTIFY_SOCKET", name, 1);
	return fd;
}

/* What was said and not heard yet; "" for nothing. */
static const char *
heard(int fd)
{
	static char text[64];
	ssize_t n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

static void
test_words(void)
{
	char name[128];
	int fd;

	unsetenv("NOTIFY_SOCKET");
	notify("READY=1");
	setenv("NOTIFY_SOCKET", "", 1);
	notify("READY=1");
	ok(true, "where nobody listens, nothing is said");
	snprintf(name, sizeof(name), "%s/notify", scratch());
	fd = listen_at(name);
	notify("READY=1");
	is_str(heard(fd), "READY=1", "a manager at a path hears it");
	close(fd);
	notify("READY=1");
	ok(true, "one that is gone does not matter");
	snprintf(name, sizeof(name), "@tocsin-notify-%d", (int)getpid());
	fd = listen_at(name);
	notify("STOPPING=1");
	is_str(heard(fd), "STOPPING=1", "nor at an abstract name");
	close(fd);
}

static int64_t
period(const char *usec, const char *pid)
{
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	if (usec)
		setenv("WATCHDOG_USEC", usec, 1);
	if (pid)
		setenv("WATCHDOG_PID", pid, 1);
	return notify_period();
}

static void
test_period(void)
{
	char me[32];

	snprintf(me, sizeof(me), "%d", (int)getpid());
	is_int(period(NULL, NULL), 0, "nobody wants signs of life");
	is_int(period("60000000", NULL), 30000, "one wants them every minute");
	is_int(period("60000000", me), 30000, "from us");
	is_int(period("60000000", "1"), 0, "and not from another");
	is_int(period("60000000", "x"), 0, "nor from who knows");
	is_int(period("soon", NULL), 0, "a time that is none");
}

/* ---- the pulse ---- */

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static atomic_bool inside;

static enum tocsin_err
stuck_apply(struct job *job, struct batch *batch)
{
	(void)job;
	(void)batch;
	atomic_store(&inside, true);
	pthread_mutex_lock(&gate);
	pthread_mutex_unlock(&gate);
	return TOCSIN_OK;
}

static void
stuck_done(struct job *job, enum tocsin_err err)
{
	(void)job;
	(void)err;
}

static bool
comes_back(struct pulse *p)
{
	int tries = 20000;
	bool back = false;

	while (!back && --tries > 0) {
		back = pulse_back(p);
		if (!back)
			usleep(1000);
	}
	return back;
}

static void
test_pulse(void)
{
	static struct job stuck = { .apply = stuck_apply, .done = stuck_done };
	static struct pulse p;
	struct fixture fed;
	struct broker *sg;

	fixture_init(&fed, "sg");
	sg = rig_broker(&fed, "sg", NULL, NULL);
	ok(!pulse_back(&p), "none is out");
	pulse_send(&p, sg->writer);
	ok(comes_back(&p), "one comes back");
	ok(!pulse_back(&p), "once");
	pthread_mutex_lock(&gate);
	if (writer_submit(sg->writer, &stuck))
		abort();
	while (!atomic_load(&inside))
		usleep(1000);
	pulse_send(&p, sg->writer);
	pulse_send(&p, sg->writer);
	ok(atomic_load(&p.out) && !pulse_back(&p),
	    "while the writer is stuck, none does");
	pthread_mutex_unlock(&gate);
	ok(comes_back(&p), "afterwards it does");
	ok(!pulse_back(&p), "the one that was sent");
	broker_free(sg);
	fixture_release(&fed);
}

int
main(void)
{
	log_open(-1, LOG_ERROR);
	test_words();
	test_period();
	test_pulse();
	nng_fini();
	return tap_done();
}

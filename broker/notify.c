/* SPDX-License-Identifier: ISC */
#include "broker/notify.h"

#include "broker/value.h"
#include "crypto/text.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

void
notify(const char *what)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd;

	if (!path || path[0] == '\0' || strlen(path) >= sizeof(sun.sun_path))
		return;
	memcpy(sun.sun_path, path, strlen(path));
	if (sun.sun_path[0] == '@')
		sun.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	/* Never waits: a manager that does not read is not to stop us. */
	(void)sendto(fd, what, strlen(what), MSG_NOSIGNAL | MSG_DONTWAIT,
	    (struct sockaddr *)&sun,
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path)));
	close(fd);
}

static bool
get_number(const char *name, uint64_t *out)
{
	const char *text = getenv(name);

	return text && num_parse(span_of(text), out);
}

int64_t
notify_period(void)
{
	uint64_t usec, pid;

	if (!get_number("WATCHDOG_USEC", &usec) || usec > INT64_MAX)
		return 0;
	if (getenv("WATCHDOG_PID") &&
	    (!get_number("WATCHDOG_PID", &pid) || pid != (uint64_t)getpid()))
		return 0;
	return (int64_t)(usec / 2000);
}

/* ---- the pulse ---- */

static enum tocsin_err
pulse_apply(struct job *job, struct batch *batch)
{
	(void)job;
	return value_put_u64(batch->tx, (uint64_t)batch->now, "pulse");
}

static void
pulse_done(struct job *job, enum tocsin_err err)
{
	struct pulse *p = (struct pulse *)job;

	atomic_store(&p->back, err == TOCSIN_OK || err == TOCSIN_ENOSPACE);
	atomic_store(&p->out, false);
}

void
pulse_send(struct pulse *p, struct writer *w)
{
	if (atomic_load(&p->out))
		return;
	p->job = (struct job){
		.weight = 64, .apply = pulse_apply, .done = pulse_done
	};
	atomic_store(&p->out, true);
	if (writer_submit(w, &p->job) != TOCSIN_OK)
		atomic_store(&p->out, false);
}

bool
pulse_back(struct pulse *p)
{
	return atomic_exchange(&p->back, false);
}

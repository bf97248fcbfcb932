/* SPDX-License-Identifier: ISC */
#include "client/turn.h"

#include "client/backoff.h"
#include "client/keystore.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define OTHERS_MS 5000 /* that who has the lock gets to send something */

void
turn_open(struct turn *t, const char *home)
{
	char path[640];

	keystore_path(path, home, "outbox.lock");
	t->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
}

void
turn_close(struct turn *t)
{
	if (t->fd >= 0)
		close(t->fd);
	t->fd = -1;
}

bool
turn_has_lock(struct turn *t)
{
	if (!t->ours && (t->fd < 0 || flock(t->fd, LOCK_EX | LOCK_NB) == 0))
		t->ours = true;
	return t->ours;
}

void
turn_got_on(struct turn *t)
{
	if (t->ours && t->fd >= 0)
		(void)futimens(t->fd, NULL);
}

static bool
others_get_on(const struct turn *t)
{
	struct timespec now;
	struct stat st;

	if (fstat(t->fd, &st) != 0)
		return false;
	clock_gettime(CLOCK_REALTIME, &now);
	return llabs((long long)(now.tv_sec - st.st_mtim.tv_sec)) <
	       OTHERS_MS / 1000;
}

bool
turn_is_ours(struct turn *t, struct turn_wait *w)
{
	if (turn_has_lock(t)) {
		w->since = 0;
		return true;
	}
	if (w->since == 0)
		w->since = backoff_now();
	return backoff_now() - w->since >= OTHERS_MS && !others_get_on(t);
}

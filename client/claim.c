/* SPDX-License-Identifier: ISC */
#include "client/claim.h"

#include "client/backoff.h"
#include "client/keystore.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FILE_NAME "fetch.lock"

void
claim_open(struct claim *c, const char *home, int64_t patience_ms)
{
	char path[640];

	keystore_path(path, home, FILE_NAME);
	*c = (struct claim){ .patience_ms = patience_ms };
	c->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
}

void
claim_close(struct claim *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

/* By the clock of the day, which may jump: a sign from the future is old. */
static bool
signs_of_life(const struct claim *c)
{
	struct timespec now;
	struct stat st;

	if (fstat(c->fd, &st) != 0)
		return false;
	clock_gettime(CLOCK_REALTIME, &now);
	return llabs((long long)(now.tv_sec - st.st_mtim.tv_sec)) * 1000 <
	       c->patience_ms;
}

bool
claim_take(struct claim *c)
{
	if (!c->ours)
		c->ours = c->fd < 0 || flock(c->fd, LOCK_EX | LOCK_NB) == 0;
	if (c->ours) {
		c->since = 0;
		claim_sign(c);
		return true;
	}
	if (c->since == 0)
		c->since = backoff_now();
	return backoff_now() - c->since >= c->patience_ms && !signs_of_life(c);
}

void
claim_sign(const struct claim *c)
{
	if (c->ours && c->fd >= 0)
		(void)futimens(c->fd, NULL);
}

void
claim_drop(struct claim *c)
{
	if (c->ours && c->fd >= 0)
		(void)flock(c->fd, LOCK_UN);
	c->ours = false;
	c->since = 0;
}

bool
claim_held(const char *home)
{
	char path[640];
	bool held;
	int fd;

	keystore_path(path, home, FILE_NAME);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return false;
	held = flock(fd, LOCK_SH | LOCK_NB) != 0;
	close(fd);
	return held;
}

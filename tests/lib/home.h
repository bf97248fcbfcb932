/* SPDX-License-Identifier: ISC */
/*
 * home.h - homes of a fixture's devices
 *
 * A home with the keys that the fixture derives from names, and a desk that
 * believes its roster and announcements; and the parts of a handle over it,
 * without the thread that a handle has. What can't go on ends the test.
 */
#ifndef TOCSIN_TESTS_HOME_H
#define TOCSIN_TESTS_HOME_H

#include "client/sync.h"
#include "tests/lib/fixture.h"

/* A broker's address where nobody listens. */
#define HOME_NOBODY "tcp://127.0.0.1:9"

/*
 * The home of "singcert@sg/desk1", in a new folder of scratch(). Roles are the
 * fixture's: desk1 an officer, escalator a bot, screen a reader.
 */
void home_make(char dir[512], const struct fixture *f, const char *device,
    const char *url);

/* Keys and an empty desk. */
void home_make_bare(char dir[512], const char *device, const char *url);

struct home {
	struct keystore *keys;
	struct desk *desk;
	struct belief belief;
	pthread_mutex_t lock;
	struct sync_parts parts; /* of the above */
};
void home_open(struct home *h, const char *dir);
void home_close(struct home *h);

/* Believe the fixture's newest roster, and the announcement of member i. */
void home_take_roster(struct home *h, const struct fixture *f);
void home_take_keys(struct home *h, const struct fixture *f, size_t i);

/*
 * An entry comes from the broker to whoever has these parts, as the next after
 * *cursor, which goes on.
 */
void home_give(struct sync_parts *to, const struct fixture *f, uint64_t *cursor,
    uint8_t kind, struct span note, struct span body);

/* Files in a folder of the home, "spool"; 0 if there is no such folder. */
size_t home_files(const char *dir, const char *folder);

#endif

/* SPDX-License-Identifier: ISC */
#include "client/cli/desk_save.h"

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct saver {
	struct tocsin *t;
	pthread_t thread;
	char id[TOCSIN_ID_TEXT];
	char *name;
	char folder[PATH_MAX];
	atomic_bool stop, ended;
	_Atomic uint64_t done, total;
	enum tocsin_err err; /* once it has ended */
	char why[768];
};

static bool
progress(void *arg, uint64_t done, uint64_t total)
{
	struct saver *s = arg;

	s->total = total;
	s->done = done;
	return !s->stop;
}

static void *
run(void *arg)
{
	struct saver *s = arg;

	s->err =
	    tocsin_save(s->t, s->id, s->name, s->folder, NULL, progress, s);
	if (s->err != TOCSIN_OK) /* the sentence is this thread's */
		snprintf(s->why, sizeof(s->why), "%s", tocsin_error(s->t));
	s->ended = true;
	return NULL;
}

/* As a shell would have it. */
static bool
name_folder(char out[PATH_MAX], const char *typed)
{
	const char *home = getenv("HOME");
	bool own = typed[0] == '~' && (typed[1] == '/' || typed[1] == '\0');
	struct stat st;
	int n = snprintf(out, PATH_MAX, "%s%s", own && home != NULL ? home : "",
	    own && home != NULL ? typed + 1 : typed);

	return n < PATH_MAX && stat(out, &st) == 0 && S_ISDIR(st.st_mode);
}

bool
saver_start(struct saver **out, struct tocsin *t, const char *id,
    const char *name, const char *folder, char why[1024])
{
	struct saver *s = calloc(1, sizeof(*s));
	bool begun;

	if (s != NULL && !name_folder(s->folder, folder)) {
		snprintf(why, 1024, "nothing was saved: %.512s: no such folder",
		    folder);
		free(s);
		return false;
	}
	if (s != NULL) {
		s->t = t;
		s->name = strdup(name);
		snprintf(s->id, sizeof(s->id), "%s", id);
	}
	begun = s != NULL && s->name != NULL &&
		pthread_create(&s->thread, NULL, run, s) == 0;
	if (begun) {
		*out = s;
		return true;
	}
	snprintf(
	    why, 1024, "nothing was saved: no memory, or too many threads");
	if (s != NULL)
		free(s->name);
	free(s);
	return false;
}

bool
saver_ended(struct saver *s, char said[1024], bool *bad)
{
	if (!s->ended)
		return false;
	*bad = s->err != TOCSIN_OK;
	if (*bad)
		snprintf(said, 1024, "%.200s was not saved: %s [%s]", s->name,
		    s->why, tocsin_err_name(s->err));
	else
		snprintf(said, 1024, "%.200s is saved in %.700s", s->name,
		    s->folder);
	return true;
}

void
saver_stop(struct saver *s)
{
	if (s == NULL)
		return;
	s->stop = true;
	pthread_join(s->thread, NULL);
	free(s->name);
	free(s);
}

void
saver_text(const struct saver *s, struct buf *out)
{
	if (s == NULL)
		return;
	buf_addf(out, ", saving %.60s", s->name);
	if (s->total > 0)
		buf_addf(out, ": %llu of %llu KiB",
		    (unsigned long long)(s->done >> 10),
		    (unsigned long long)((s->total + 1023) >> 10));
}

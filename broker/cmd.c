/* SPDX-License-Identifier: ISC */
#include "broker/cmd.h"

#include <errno.h>
#include <grp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* "Nothing was done twice" is no failure elsewhere; here it is. */
static int
exit_of(enum tocsin_err err)
{
	return tocsin_err_exit(err) > 0 ? tocsin_err_exit(err) : 1;
}

int
cmd_fail(enum tocsin_err err, const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fputs("tocsind: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, " [%s]\n", tocsin_err_name(err));
	return exit_of(err);
}

int
cmd_fail_at(enum tocsin_err err, const char *what)
{
	const char *why = errno ? strerror(errno) : tocsin_err_text(err);

	return cmd_fail(err, "%s: %s", what, why);
}

int
cmd_config(struct config *c, const char *path)
{
	struct config_fault f;
	enum tocsin_err err;

	if (!path)
		path = CONFIG_DEFAULT_FILE;
	errno = 0;
	err = config_read(c, path, &f);
	if (err == TOCSIN_EMALFORMED && f.line > 0)
		return cmd_fail(err, "%s:%u: %s", path, f.line, f.text);
	if (err == TOCSIN_EMALFORMED)
		return cmd_fail(err, "%s: %s", path, f.text);
	return err ? cmd_fail_at(err, path) : 0;
}

bool
cmd_become_owner(const struct config *c)
{
	struct stat st;

	if (geteuid() != 0 || stat(c->state, &st) != 0 || st.st_uid == 0)
		return true;
	return setgroups(0, NULL) == 0 && setgid(st.st_gid) == 0 &&
	       setuid(st.st_uid) == 0;
}

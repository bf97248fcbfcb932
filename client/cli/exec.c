/* SPDX-License-Identifier: ISC */
#include "client/cli/exec.h"

#include "client/cli/print.h"
#include "client/cli/run.h"
#include "client/cli/view.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const char *const passed[] = { "PATH", "HOME", "LANG", "LC_ALL", "TZ",
	"TMPDIR", "TOCSIN_PASSPHRASE_FILE" };

static void
env_init(struct run_env *e, const struct exec *x,
    const struct tocsin_message *m, unsigned attempt)
{
	char number[16];
	size_t i;

	memset(e, 0, sizeof(*e));
	for (i = 0; i < sizeof(passed) / sizeof(passed[0]); i++)
		run_set(e, passed[i], getenv(passed[i]));
	snprintf(number, sizeof(number), "%u", attempt);
	run_set(e, "TOCSIN_HOME", x->home);
	run_set(e, "TOCSIN_READER", x->reader);
	run_set(e, "TOCSIN_ID", m->id);
	run_set(e, "TOCSIN_THREAD", m->thread);
	run_set(e, "TOCSIN_KIND", m->kind);
	run_set(e, "TOCSIN_PRECEDENCE", m->precedence);
	run_set(e, "TOCSIN_ATTEMPT", number);
}

/* A line of JSON, as `watch --json` prints it; NULL: no memory. */
static char *
line_of(const struct exec *x, const struct tocsin_message *m, size_t *n)
{
	json_t *o = view_message_json(m, x->status);
	char *text = json_dumps(o, JSON_COMPACT | JSON_ENSURE_ASCII);
	char *line = NULL;
	FILE *f = text != NULL ? open_memstream(&line, n) : NULL;
	bool good = false;

	if (f != NULL) {
		safe_json(f, span_of(text));
		putc('\n', f);
		good = !ferror(f);
		good = fclose(f) == 0 && good;
	}
	if (!good) {
		free(line);
		line = NULL;
	}
	free(text);
	json_decref(o);
	return line;
}

void
exec_run(const struct exec *x, const struct tocsin_message *m, unsigned attempt,
    struct exec_end *out)
{
	struct run r = { .argv = x->argv,
		.by_path = true,
		.seconds = x->seconds,
		.output = x->keep ? RUN_KEEP : RUN_PASS,
		.max = EXEC_KEPT_MAX,
		.held = x->held };
	struct run_end end = { .why = "it was not started: no memory" };
	struct run_env e;
	size_t n = 0;
	char *line = line_of(x, m, &n);

	env_init(&e, x, m, attempt);
	r.env = e.var;
	r.input = (struct span){ (const uint8_t *)line, n };
	if (line != NULL && !e.failed)
		run_program(&r, &end);
	free(line);
	run_env_release(&e);
	out->handled = end.good;
	memcpy(out->why, end.why, sizeof(out->why));
	out->kept = end.kept;
}

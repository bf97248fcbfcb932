/* SPDX-License-Identifier: ISC */
/* An exercise: its script looked at, its clock held, and what others do. */
#include "client/cli/cmds.h"
#include "client/cli/drill.h"
#include "client/cli/print.h"
#include "client/cli/view.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* ---- scripts ---- */

int
drill_load(struct cli *c, const char *path, struct script *out)
{
	struct script_fault f;
	struct buf b = { 0 };
	enum tocsin_err err;
	int status = cli_read(path, SCRIPT_FILE_MAX, &b);

	(void)c;
	*out = (struct script){ .start = 0 };
	if (status != 0)
		return status;
	err = script_parse(out, buf_span(&b), &f);
	buf_drop(&b);
	if (err == TOCSIN_OK)
		return 0;
	if (f.line > 0)
		return cli_fail(err, "%s, line %u: %s", path, f.line, f.what);
	return cli_fail(err, "%s: %s", path, f.what);
}

void
drill_file(char out[1024], const char *script, const char *file)
{
	const char *slash = strrchr(script, '/');

	if (file[0] == '/' || slash == NULL)
		snprintf(out, 1024, "%s", file);
	else
		snprintf(out, 1024, "%.*s%s", (int)(slash - script + 1), script,
		    file);
}

int
drill_files(const char *path, const struct script *s)
{
	char file[1024];
	size_t i, k;

	for (i = 0; i < s->ninject; i++)
		for (k = 0; k < s->inject[i].nfile; k++) {
			drill_file(file, path, s->inject[i].file[k]);
			if (access(file, R_OK) != 0)
				return cli_fail(TOCSIN_ENOTFOUND,
				    "inject %s: the attachment %s: %s",
				    s->inject[i].name, file, strerror(errno));
		}
	return 0;
}

/* ---- check ---- */

static json_t *
members_json(const struct script *s, const size_t *at, size_t n)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < n; i++)
		json_array_append_new(
		    list, json_string(s->player[at[i]].member));
	return list;
}

static json_t *
expect_json(const struct script *s, const struct script_expect *e)
{
	return json_pack("{s:s, s:o, s:b, s:o}", "what",
	    drill_mark_name[e->mark], "within",
	    e->within > 0 ? json_integer(e->within) : json_null(), "any",
	    e->any, "by", members_json(s, e->by, e->n));
}

static json_t *
inject_json(const struct script *s, const struct script_inject *i)
{
	json_t *files = json_array(), *expect = json_array();
	size_t k;

	for (k = 0; k < i->nfile; k++)
		json_array_append_new(files, json_string(i->file[k]));
	for (k = 0; k < i->nexpect; k++)
		json_array_append_new(expect, expect_json(s, &i->expect[k]));
	return json_pack("{s:s, s:I, s:o, s:s, s:o, s:o, s:o, s:s, s:o, s:o, "
			 "s:o, s:o, s:o, s:o, s:o}",
	    "inject", i->name, "at", (json_int_t)i->at, "time",
	    view_time(s->start > 0 ? s->start + i->at : 0), "kind", i->kind,
	    "in", view_string(i->in != NULL ? i->in->name : NULL), "to",
	    members_json(s, i->to, i->n), "tlp", view_string(i->tlp),
	    "precedence", i->precedence, "ackby",
	    i->ackby > 0 ? json_integer(i->ackby) : json_null(), "severity",
	    view_string(i->severity), "classification",
	    view_string(i->classification), "subject", view_string(i->subject),
	    "attachments", files, "expect", expect, "note",
	    view_string(i->note));
}

static json_t *
script_json(const struct script *s)
{
	json_t *players = json_array(), *injects = json_array();
	char hash[ID_TEXT + 1];
	size_t i;

	for (i = 0; i < s->nplayer; i++)
		json_array_append_new(players,
		    json_pack("{s:s, s:o, s:o}", "member", s->player[i].member,
			"name", view_string(s->player[i].name), "contact",
			view_string(s->player[i].contact)));
	for (i = 0; i < s->ninject; i++)
		json_array_append_new(injects, inject_json(s, &s->inject[i]));
	id_print(hash, s->hash);
	return json_pack("{s:s, s:s, s:s, s:o, s:I, s:o, s:o}", "title",
	    s->title, "exercise", s->exercise, "script", hash, "start",
	    view_time(s->start), "length", (json_int_t)s->length, "players",
	    players, "injects", injects);
}

/* "all", or so many names as fit. */
static void
print_to(const struct script *s, const struct script_inject *i)
{
	size_t k;

	if (i->n == s->nplayer && i->n > 1) {
		printf("all %zu", i->n);
		return;
	}
	for (k = 0; k < i->n; k++) {
		fputs(k > 0 ? ", " : "", stdout);
		safe_print(stdout, s->player[i->to[k]].member);
	}
}

static void
print_expect(const struct script *s, const struct script_expect *e)
{
	char at[24];
	size_t k;

	printf("          expected  %s", drill_mark_name[e->mark]);
	if (e->within > 0) {
		script_at(at, e->within);
		printf(" within %s", at + 2);
	}
	if (e->any)
		printf(" by any");
	for (k = 0; !e->any && k < e->n && e->n < s->nplayer; k++) {
		fputs(k > 0 ? ", " : " by ", stdout);
		safe_print(stdout, s->player[e->by[k]].member);
	}
	putchar('\n');
}

static void
print_inject(const struct script *s, const struct script_inject *i)
{
	char at[24], until[24];
	size_t k;

	script_at(at, i->at);
	printf("\n%s%-9s %s%s", colour(BOLD), at, i->name, colour(PLAIN));
	if (s->start > 0) {
		printf("  ");
		print_time(stdout, s->start + i->at);
	}
	printf("\n          ");
	safe_title(stdout, i->subject != NULL ? i->subject : i->in->subject,
	    title_width(10, SIZE_MAX));
	printf("\n          %s%s%s%s%s, %s", i->kind,
	    i->in != NULL ? " in " : "", i->in != NULL ? i->in->name : "",
	    i->tlp != NULL ? ", TLP:" : "", i->tlp != NULL ? i->tlp : "",
	    i->precedence);
	if (i->ackby > 0) {
		script_at(until, i->at + i->ackby);
		printf(", an answer by %s", until);
	}
	printf("\n          to        ");
	print_to(s, i);
	putchar('\n');
	for (k = 0; k < i->nfile; k++) {
		printf("          with      ");
		safe_print(stdout, i->file[k]);
		putchar('\n');
	}
	for (k = 0; k < i->nexpect; k++)
		print_expect(s, &i->expect[k]);
	if (i->note != NULL) {
		printf("          note      ");
		safe_field(stdout, i->note, 20);
		putchar('\n');
	}
}

static void
print_script(const struct script *s)
{
	char length[24];
	size_t i;

	script_at(length, s->length);
	printf("EXERCISE %s: ", s->exercise);
	safe_print(stdout, s->title);
	printf("\n%zu player%s, %zu inject%s in %s", s->nplayer,
	    s->nplayer == 1 ? "" : "s", s->ninject, s->ninject == 1 ? "" : "s",
	    length + 2);
	if (s->start > 0) {
		printf(", from ");
		print_time(stdout, s->start);
	}
	printf("\n\n");
	for (i = 0; i < s->nplayer; i++) {
		printf("  ");
		safe_cell(stdout, s->player[i].member, 20);
		printf("  ");
		if (s->player[i].contact != NULL)
			safe_field(stdout, s->player[i].contact, 24);
		else
			printf("no contact is given");
		putchar('\n');
	}
	for (i = 0; i < s->ninject; i++)
		print_inject(s, &s->inject[i]);
}

static int
check(struct cli *c, int argc, char **argv)
{
	const struct opt none[] = { { NULL, OPT_FLAG, NULL } };
	struct script s;
	int status;

	if (!cli_options(c, argc, argv, none, 1, 1))
		return 2;
	status = drill_load(c, c->words[0], &s);
	if (status != 0)
		return status;
	if (c->json)
		print_json(script_json(&s));
	else
		print_script(&s);
	fflush(stdout);
	status = drill_files(c->words[0], &s);
	script_release(&s);
	return status;
}

/* ---- the clock ---- */

int64_t
drill_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void
drill_value(char out[128], const char *exercise)
{
	snprintf(out, 128, DRILL_VALUE "%.*s", EXERCISE_MAX, exercise);
}

enum tocsin_err
drill_clock_load(
    struct desk *desk, const char *exercise, struct drill_clock *out)
{
	struct desk_tx *tx = NULL;
	struct span value;
	char name[128];
	enum tocsin_err err = desk_read(desk, &tx);

	drill_value(name, exercise);
	if (err == TOCSIN_OK)
		err = desk_value_get(tx, name, &value);
	if (err == TOCSIN_OK)
		err = drill_clock_parse(out, value);
	desk_end(tx);
	return err;
}

enum tocsin_err
drill_keep(struct desk *desk, const char *name, const struct buf *b)
{
	struct desk_tx *tx = NULL;
	enum tocsin_err err =
	    buf_ok(b) ? desk_write(desk, &tx) : TOCSIN_EINTERNAL;

	if (err == TOCSIN_OK)
		err = desk_value_put(tx, name, buf_span(b));
	if (err == TOCSIN_OK) {
		err = desk_commit(tx);
		tx = NULL;
	}
	desk_end(tx);
	return err;
}

enum tocsin_err
drill_clock_save(
    struct desk *desk, const char *exercise, const struct drill_clock *c)
{
	struct buf b = { 0 };
	char name[128];
	enum tocsin_err err;

	drill_value(name, exercise);
	drill_clock_print(&b, c);
	err = drill_keep(desk, name, &b);
	buf_drop(&b);
	return err;
}

/* ---- pause, resume, status ---- */

struct holding {
	struct cli *c;
	struct keystore config;
	struct desk *desk;
	struct belief belief;
	struct drill_clock clock;
};

static int
load_clock(struct holding *h)
{
	enum tocsin_err err =
	    drill_clock_load(h->desk, h->config.exercise, &h->clock);

	if (err == TOCSIN_ENOTFOUND)
		return cli_fail(err,
		    "%s has not begun in this home: `tocsin "
		    "drill run SCRIPT` begins it",
		    h->config.exercise[0] != '\0' ? h->config.exercise
						  : "an exercise");
	return err == TOCSIN_OK
		   ? 0
		   : cli_fail(err, "the desk: %s", tocsin_err_text(err));
}

enum word { PAUSE, RESUME, STATUS };

static int
turn(struct holding *h, enum word word)
{
	bool changed;
	enum tocsin_err err;
	int status = cli_desk(h->c, &h->config, &h->desk, &h->belief);

	if (status == 0)
		status = load_clock(h);
	if (status != 0)
		return status;
	changed = word == PAUSE ? drill_clock_hold(&h->clock, drill_now_ms())
		  : word == RESUME
		      ? drill_clock_go_on(&h->clock, drill_now_ms())
		      : false;
	if (word != STATUS && !changed)
		cli_note("%s is %s already", h->config.exercise,
		    word == PAUSE ? "paused" : "going on");
	err = changed ? drill_clock_save(h->desk, h->config.exercise, &h->clock)
		      : TOCSIN_OK;
	if (err != TOCSIN_OK)
		return cli_fail(err, "the desk: %s", tocsin_err_text(err));
	drill_standing(h->c, &h->config, h->desk, &h->clock);
	return 0;
}

static int
turn_with(struct cli *c, int argc, char **argv, enum word word)
{
	const struct opt none[] = { { NULL, OPT_FLAG, NULL } };
	struct holding h = { .c = c };
	int status;

	if (!cli_options(c, argc, argv, none, 0, 0))
		return 2;
	status = turn(&h, word);
	belief_release(&h.belief);
	desk_close(h.desk);
	return status;
}

static int
pause_it(struct cli *c, int argc, char **argv)
{
	return turn_with(c, argc, argv, PAUSE);
}

static int
resume_it(struct cli *c, int argc, char **argv)
{
	return turn_with(c, argc, argv, RESUME);
}

static int
status_of_it(struct cli *c, int argc, char **argv)
{
	return turn_with(c, argc, argv, STATUS);
}

int
cmd_drill(struct cli *c, int argc, char **argv)
{
	static const struct sub subs[] = {
		{ "check", check },
		{ "run", drill_run },
		{ "pause", pause_it },
		{ "resume", resume_it },
		{ "status", status_of_it },
		{ "report", drill_report },
		{ NULL, NULL },
	};

	return cli_sub(c, argc, argv, subs);
}

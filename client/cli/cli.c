/* SPDX-License-Identifier: ISC */
#include "client/cli/cli.h"

#include "client/cli/print.h"
#include "client/cli/progress.h"
#include "client/cli/shift.h"
#include "client/handle.h"
#include "client/vocab.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

int64_t
cli_now(void)
{
	return (int64_t)time(NULL);
}

/* ---- failing ---- */

static void
say(const char *reason, const char *fmt, va_list ap)
{
	char text[2048];

	vsnprintf(text, sizeof(text), fmt, ap);
	fflush(stdout); /* so that the two come in order */
	fputs("tocsin: ", stderr);
	safe_print(stderr, text);
	if (reason != NULL)
		fprintf(stderr, " [%s]", reason);
	putc('\n', stderr);
}

int
cli_fail(enum tocsin_err err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(tocsin_err_name(err), fmt, ap);
	va_end(ap);
	return tocsin_err_exit(err);
}

int
cli_usage(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(tocsin_err_name(TOCSIN_EUSAGE), fmt, ap);
	va_end(ap);
	return tocsin_err_exit(TOCSIN_EUSAGE);
}

static unsigned notes;

unsigned
cli_noted(void)
{
	return notes;
}

void
cli_note(const char *fmt, ...)
{
	va_list ap;

	notes++;
	va_start(ap, fmt);
	say(NULL, fmt, ap);
	va_end(ap);
}

int
cli_error(const struct tocsin *t, enum tocsin_err err)
{
	return cli_fail(err, "%s", tocsin_error(t));
}

/* ---- options ---- */

/*
 * Memory of the program's length. Ends the program if there is none: words that
 * are missing would make it another command, or one that is called wrongly.
 */
static void *
own(struct cli *c, size_t n, size_t size)
{
	void **grown = realloc(c->owned, (c->nowned + 1) * sizeof(*grown));
	void *p = grown != NULL ? calloc(n, size) : NULL;

	if (grown != NULL)
		c->owned = grown;
	if (p == NULL)
		exit(cli_fail(TOCSIN_EINTERNAL, "no memory"));
	c->owned[c->nowned++] = p;
	return p;
}

void
cli_release(struct cli *c)
{
	while (c->nowned > 0)
		free(c->owned[--c->nowned]);
	free(c->owned);
	sodium_memzero(c, sizeof(*c));
}

struct reading {
	struct cli *c;
	const char *cmd;
	const struct opt *own;
	const struct opt *common;
	int argc, i;
	char **argv;
	const char *value; /* of --name=value */
};

static const struct opt *
find_in(const struct opt *o, const char *name, size_t n)
{
	for (; o->name != NULL; o++)
		if (strlen(o->name) == n && strncmp(o->name, name, n) == 0)
			return o;
	return NULL;
}

static void
unknown_option(const struct reading *r, const char *typed)
{
	struct guess g = guess_of(typed);
	const struct opt *o;

	for (o = r->own; o->name != NULL; o++)
		guess_at(&g, o->name);
	for (o = r->common; o->name != NULL; o++)
		guess_at(&g, o->name);
	cli_usage(
	    "%s has no option %s; the nearest is %s", r->cmd, typed, g.best);
}

static void
list_add(struct reading *r, struct list *l, const char *word)
{
	if (l->word == NULL)
		l->word = own(r->c, (size_t)r->argc + 1, sizeof(*l->word));
	l->word[l->n++] = word;
}

static bool
take_value(struct reading *r, const struct opt *o)
{
	const char *v = r->value;

	if (v == NULL && r->i + 1 < r->argc)
		v = r->argv[++r->i];
	if (v == NULL) {
		cli_usage("%s needs a value", o->name);
		return false;
	}
	if (o->kind == OPT_WORD) {
		const char **out = o->out;

		if (*out != NULL) {
			cli_usage("%s is given twice", o->name);
			return false;
		}
		*out = v;
		return true;
	}
	list_add(r, o->out, v);
	while (o->kind == OPT_MANY && r->value == NULL && r->i + 1 < r->argc &&
	       r->argv[r->i + 1][0] != '-')
		list_add(r, o->out, r->argv[++r->i]);
	return true;
}

static bool
take_option(struct reading *r)
{
	const char *typed = r->argv[r->i];
	const char *eq = strncmp(typed, "--", 2) == 0 ? strchr(typed, '=') : 0;
	size_t n = eq != NULL ? (size_t)(eq - typed) : strlen(typed);
	const struct opt *o = find_in(r->own, typed, n);

	if (o == NULL)
		o = find_in(r->common, typed, n);
	if (o == NULL) {
		unknown_option(r, typed);
		return false;
	}
	r->value = eq != NULL ? eq + 1 : NULL;
	if (o->kind != OPT_FLAG)
		return take_value(r, o);
	if (r->value != NULL) {
		cli_usage("%s takes no value", o->name);
		return false;
	}
	*(bool *)o->out = true;
	return true;
}

static bool
enough_words(const struct cli *c, const char *cmd, size_t min, size_t max)
{
	if (c->nword < min)
		cli_usage("%s needs more; `tocsin help %.*s` says what", cmd,
		    (int)strcspn(cmd, " "), cmd);
	else if (c->nword > max)
		cli_usage("%s: %s is one word too many", cmd, c->words[max]);
	return c->nword >= min && c->nword <= max;
}

int
cli_sub(struct cli *c, int argc, char **argv, const struct sub *subs)
{
	static char name[64];
	struct guess g = guess_of(argc > 1 ? argv[1] : "");
	const struct sub *s;

	if (argc < 2)
		return cli_usage("%s needs more; `tocsin help %s` says what",
		    argv[0], argv[0]);
	for (s = subs; s->name != NULL; s++) {
		guess_at(&g, s->name);
		if (g.least == 0)
			break;
	}
	if (s->name == NULL)
		return cli_usage("there is no %s %s; the nearest is %s %s",
		    argv[0], argv[1], argv[0], g.best);
	snprintf(name, sizeof(name), "%s %s", argv[0], s->name);
	argv[1] = name;
	return s->run(c, argc - 1, argv + 1);
}

bool
cli_number(const char *option, const char *typed, unsigned least, unsigned most,
    unsigned *out)
{
	uint64_t n;

	if (num_parse(span_of(typed), &n) && n >= least && n <= most) {
		*out = (unsigned)n;
		return true;
	}
	cli_usage(
	    "%s: %s is no number from %u to %u", option, typed, least, most);
	return false;
}

bool
cli_options(struct cli *c, int argc, char **argv, const struct opt *opts,
    size_t min, size_t max)
{
	const char *wait = NULL;
	const struct opt common[] = {
		{ "--home", OPT_WORD, &c->home },
		{ "--json", OPT_FLAG, &c->json },
		{ "--wait", OPT_WORD, &wait },
		{ "--passphrase-file", OPT_WORD, &c->passphrase_file },
		{ NULL, OPT_FLAG, NULL },
	};
	struct reading r = { c, argv[0], opts, common, argc, 1, argv, NULL };
	bool words_only = false;

	c->words = own(c, (size_t)argc + 1, sizeof(*c->words));
	for (; r.i < argc; r.i++) {
		char *word = argv[r.i];

		if (!words_only && strcmp(word, "--") == 0)
			words_only = true;
		else if (words_only || word[0] != '-' || word[1] == '\0')
			c->words[c->nword++] = word;
		else if (!take_option(&r))
			return false;
	}
	c->wait = CLI_WAIT;
	c->wait_given = wait != NULL;
	if (wait != NULL && !cli_number("--wait", wait, 0, 86400, &c->wait))
		return false;
	return enough_words(c, argv[0], min, max);
}

/* ---- passphrases ---- */

static volatile sig_atomic_t interrupted;

static void
on_interrupt(int number)
{
	interrupted = number;
}

static const int interrupts[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP };
#define INTERRUPTS (sizeof(interrupts) / sizeof(interrupts[0]))

/* fgets() that a signal ends, so that the terminal gets its echo back. */
static char *
read_unseen(FILE *tty, char *out, size_t size)
{
	struct sigaction act = { .sa_handler = on_interrupt };
	struct sigaction was[INTERRUPTS];
	struct termios shown, quiet;
	char *got;
	size_t i;

	if (tcgetattr(fileno(tty), &shown) != 0)
		return NULL;
	quiet = shown;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	quiet.c_lflag |= ECHONL;
	interrupted = 0;
	for (i = 0; i < INTERRUPTS; i++)
		sigaction(interrupts[i], &act, &was[i]);
	tcsetattr(fileno(tty), TCSAFLUSH, &quiet);
	got = fgets(out, (int)size, tty);
	tcsetattr(fileno(tty), TCSAFLUSH, &shown);
	for (i = 0; i < INTERRUPTS; i++)
		sigaction(interrupts[i], &was[i], NULL);
	if (interrupted != 0) {
		sodium_memzero(out, size);
		raise(interrupted); /* as if nobody had caught it */
		return NULL;
	}
	return got;
}

/* One line from the terminal, unseen; false at its end. */
static bool
ask_terminal(const char *prompt, char *out, size_t size)
{
	FILE *tty = fopen("/dev/tty", "r+");
	bool got;

	if (tty == NULL)
		return false;
	fprintf(tty, "%s: ", prompt);
	fflush(tty);
	setvbuf(tty, NULL, _IONBF, 0); /* no copy in a buffer */
	got = read_unseen(tty, out, size) != NULL;
	fclose(tty);
	if (got)
		out[strcspn(out, "\n")] = '\0';
	return got;
}

static int
read_passphrase(struct cli *c, const char *path)
{
	struct buf b = { 0 };
	enum tocsin_err err = keyfile_read(path, NULL, &b);
	size_t n;

	if (err != TOCSIN_OK) {
		buf_release(&b);
		return cli_fail(err, "%s: %s", path, tocsin_err_text(err));
	}
	for (n = 0; n < b.n && b.p[n] != '\n' && b.p[n] != '\0'; n++)
		;
	if (n == 0 || n >= sizeof(c->passphrase)) {
		buf_release(&b);
		return cli_fail(TOCSIN_EPASSPHRASE,
		    "%s: its first line is no passphrase", path);
	}
	memcpy(c->passphrase, b.p, n);
	c->passphrase[n] = '\0';
	c->has_passphrase = true;
	buf_release(&b);
	return 0;
}

static int
ask_passphrase(struct cli *c, const char *what, bool fresh)
{
	char prompt[256], again[sizeof(c->passphrase)];
	bool same = true;

	snprintf(prompt, sizeof(prompt), "%s for %.200s",
	    fresh ? "New passphrase" : "Passphrase", what);
	if (!ask_terminal(prompt, c->passphrase, sizeof(c->passphrase)))
		return cli_fail(TOCSIN_EPASSPHRASE,
		    "%s: there is no terminal to ask on; name a file with "
		    "--passphrase-file%s",
		    what, fresh ? ", or say --no-passphrase" : "");
	if (fresh) {
		same = ask_terminal("Once more", again, sizeof(again)) &&
		       strcmp(again, c->passphrase) == 0;
		sodium_memzero(again, sizeof(again));
	}
	if (!same || c->passphrase[0] == '\0') {
		sodium_memzero(c->passphrase, sizeof(c->passphrase));
		return cli_fail(TOCSIN_EPASSPHRASE,
		    same ? "an empty passphrase protects nothing"
			 : "the two differ; nothing was made");
	}
	c->has_passphrase = true;
	return 0;
}

/* As an option, in the environment, or a credential that systemd gave us. */
static const char *
passphrase_file(const struct cli *c, char path[PATH_MAX])
{
	const char *file = c->passphrase_file, *folder;

	if (file == NULL)
		file = getenv("TOCSIN_PASSPHRASE_FILE");
	if (file != NULL && file[0] != '\0')
		return file;
	folder = getenv("CREDENTIALS_DIRECTORY");
	if (folder == NULL || folder[0] == '\0')
		return NULL;
	snprintf(path, PATH_MAX, "%s/tocsin.passphrase", folder);
	return access(path, R_OK) == 0 ? path : NULL;
}

int
cli_passphrase(struct cli *c, const char *what, bool fresh, const char **out)
{
	char path[PATH_MAX];
	const char *file = passphrase_file(c, path);
	int status = 0;

	*out = NULL;
	if (!c->has_passphrase) {
		if (file != NULL)
			status = read_passphrase(c, file);
		else
			status = ask_passphrase(c, what, fresh);
	}
	if (status == 0)
		*out = c->passphrase;
	return status;
}

int
cli_new_passphrase(
    struct cli *c, const char *what, bool without, const char **out)
{
	*out = NULL;
	if (without && c->passphrase_file != NULL)
		return cli_usage(
		    "--passphrase-file and --no-passphrase exclude each other");
	return without ? 0 : cli_passphrase(c, what, true, out);
}

/* ---- homes ---- */

bool
cli_home(const struct cli *c, char out[512])
{
	if (keystore_home(out, c->home) == TOCSIN_OK)
		return true;
	cli_usage("there is no home: give --home, or set TOCSIN_HOME or HOME");
	return false;
}

static void
warn_of(const struct conflict *k)
{
	unsigned long long serial = (unsigned long long)k->serial;

	if (k->member[0] != '\0')
		cli_note("WARNING: %s signed two announcements with the number "
			 "%llu: its root key may be stolen. Call the team "
			 "before you send it anything; `tocsin roster show` "
			 "prints the other text [chain-conflict]",
		    k->member, serial);
	else
		cli_note("WARNING: authorities signed two rosters with the "
			 "number %llu: keys may be stolen, or somebody is not "
			 "honest. Call the authorities and the other teams; "
			 "`tocsin roster show` prints the other text "
			 "[chain-conflict]",
		    serial);
}

/* The texts that prove that keys were misused, if there are any. */
static void
say_conflicts(struct cli *c, struct desk *desk)
{
	struct desk_tx *tx = NULL;
	struct span name = { 0 };
	struct conflict k;

	if (!c->warned && desk_read(desk, &tx) == TOCSIN_OK)
		while (belief_next_conflict(tx, &name, &k) == TOCSIN_OK)
			warn_of(&k);
	desk_end(tx);
	c->warned = true;
}

/* What `tocsin unlock` left; one that no longer fits is taken away. */
static bool
open_unlocked(struct cli *c, struct tocsin **out, const char *home)
{
	enum tocsin_err err;

	if (c->has_passphrase ||
	    !shift_passphrase(home, c->passphrase, sizeof(c->passphrase)))
		return false;
	err = tocsin_open(out, home, c->passphrase);
	if (err == TOCSIN_EPASSPHRASE)
		(void)shift_forget(home);
	c->has_passphrase = err != TOCSIN_EPASSPHRASE;
	return err == TOCSIN_OK;
}

#define OPENING_LEAST 200 /* fewer take no time that anybody notices */

/* A list for which much is to be opened; the line is gone at its end. */
static void
show_opening(void *arg, size_t done, size_t of)
{
	struct progress *p = arg;

	if (of < OPENING_LEAST)
		return;
	if (done < of)
		progress_show(p, "opening messages", done, of);
	else
		progress_wipe(p);
}

/* One for the program, since that has one terminal. */
static void
tell_of_opening(struct tocsin *t)
{
	static struct progress shown;

	progress_begin(&shown);
	shown.things = true;
	t->opening = shown.tty ? show_opening : NULL;
	t->opening_arg = &shown;
}

static int
open_home(struct cli *c, struct tocsin **out, const char *home)
{
	const char *pass = NULL;
	char path[PATH_MAX];
	enum tocsin_err err;
	int status;

	if (keystore_locked(home)) {
		if (passphrase_file(c, path) == NULL &&
		    open_unlocked(c, out, home))
			return 0;
		status = cli_passphrase(c, home, false, &pass);
		if (status != 0)
			return status;
	}
	err = tocsin_open(out, home, pass);
	return err == TOCSIN_OK ? 0 : cli_error(NULL, err);
}

/*
 * In a home of an exercise nothing is real: each screen begins with that, and
 * what is no screen, data for a file or a program, says it beside.
 */
static void
say_exercise(struct cli *c, const char *exercise)
{
	static const char *const screens[] = { "inbox", "find", "desk", "show",
		"watch", "status", "due", "why", "keys" };
	size_t i, n = sizeof(screens) / sizeof(*screens);

	if (exercise[0] == '\0' || c->marked || c->json)
		return;
	c->marked = true;
	for (i = 0; i < n && strcmp(screens[i], c->command) != 0; i++)
		;
	if (i == n)
		cli_note("EXERCISE %s: nothing in this home is real", exercise);
	else
		printf("%sEXERCISE EXERCISE EXERCISE%s %s\n", colour(AMBER),
		    colour(PLAIN), exercise);
}

int
cli_open(struct cli *c, struct tocsin **out)
{
	char home[512];
	int status;

	if (!cli_home(c, home))
		return tocsin_err_exit(TOCSIN_EUSAGE);
	status = open_home(c, out, home);
	if (status == 0) {
		say_conflicts(c, (*out)->parts.desk);
		tell_of_opening(*out);
		say_exercise(c, (*out)->parts.keys->exercise);
	}
	return status;
}

bool
cli_unlocked(struct cli *c)
{
	char home[512], path[PATH_MAX], kept[sizeof(c->passphrase)];
	bool good;

	if (keystore_home(home, c->home) != TOCSIN_OK)
		return false;
	if (c->has_passphrase || !keystore_locked(home) ||
	    passphrase_file(c, path) != NULL)
		return true;
	good = shift_passphrase(home, kept, sizeof(kept));
	sodium_memzero(kept, sizeof(kept));
	return good;
}

int
cli_desk(struct cli *c, struct keystore *config, struct desk **desk,
    struct belief *belief)
{
	char home[512], path[640];
	struct desk_tx *tx = NULL;
	struct keystore k;
	enum tocsin_err err;

	if (!cli_home(c, home))
		return tocsin_err_exit(TOCSIN_EUSAGE);
	err = keystore_config(home, &k);
	if (err != TOCSIN_OK)
		return cli_fail(
		    err, "%s is no home; make one with `tocsin init`", home);
	if (config != NULL)
		*config = k;
	keystore_path(path, home, "desk");
	err = desk_open(desk, path);
	if (err == TOCSIN_OK)
		err = desk_read(*desk, &tx);
	if (err == TOCSIN_OK)
		err = belief_load(belief, tx);
	desk_end(tx);
	if (err != TOCSIN_OK)
		return cli_fail(err, "%s: the desk does not open: %s", path,
		    tocsin_err_text(err));
	say_conflicts(c, *desk);
	say_exercise(c, k.exercise);
	return 0;
}

/* ---- files ---- */

int
cli_read(const char *path, size_t max, struct buf *out)
{
	enum tocsin_err err = file_read(path, max, out);

	if (err == TOCSIN_OK)
		return 0;
	buf_release(out);
	return cli_fail(err, "%s: %s", path, file_text(err));
}

int
cli_write(const char *path, struct span bytes, bool replace)
{
	enum tocsin_err err;

	if (path == NULL) {
		fwrite(bytes.p, 1, bytes.n, stdout);
		return 0;
	}
	err = file_write(path, bytes, replace);
	if (err == TOCSIN_EDUPLICATE)
		return cli_usage(
		    "%s is there already; it is not replaced", path);
	if (err != TOCSIN_OK)
		return cli_fail(
		    err, "%s: it cannot be written: %s", path, file_text(err));
	return 0;
}

/* ---- the broker ---- */

#define SLICE_MS 1000

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* What a person at a terminal is told while it lasts. */
struct patience {
	struct progress progress;
	bool said;
};

/* Of bodies one comes at a time, the first. */
static void
show_coming(struct patience *p, struct tocsin *t)
{
	const struct tocsin_message *m;
	struct tocsin_list *l = NULL;
	char what[128];

	if (tocsin_coming(t, &l) == TOCSIN_OK && l->n > 0) {
		m = l->message[0];
		snprintf(what, sizeof(what), "a ticket of %s", m->from);
		progress_show(&p->progress, what, m->body_here, m->body_size);
	}
	tocsin_list_free(l);
}

static void
show_waiting(struct patience *p, struct tocsin *t, enum tocsin_err err)
{
	uint64_t have, size;

	if (!p->progress.tty || t->sync == NULL)
		return;
	if (sync_uploading(t->sync, &have, &size)) {
		progress_show(
		    &p->progress, "sending an attachment", have, size);
	} else if (err != TOCSIN_EUNAVAILABLE) {
		show_coming(p, t);
	} else if (!p->said) {
		p->said = true;
		progress_wipe(&p->progress);
		cli_note("%s: %s; trying again", t->parts.keys->broker,
		    sync_refused(t->sync) ? "nobody listens there"
					  : "no connection yet");
	}
}

/* Nobody listens, and we have nothing to hand over: no use to wait. */
static bool
is_hopeless(
    const struct cli *c, struct tocsin *t, enum tocsin_err err, unsigned busy)
{
	return err == TOCSIN_EUNAVAILABLE && busy == 0 && !c->wait_given &&
	       t->sync != NULL && sync_refused(t->sync);
}

enum tocsin_err
cli_sync(struct cli *c, struct tocsin *t, unsigned busy)
{
	const int64_t start = now_ms(), end = start + (int64_t)c->wait * 1000;
	const int64_t last = c->wait_given ? end : start + (int64_t)busy * 1000;
	struct patience p = { 0 };
	enum tocsin_err err;
	int64_t left;

	progress_begin(&p.progress);
	do {
		left = end - now_ms();
		if (left < 0 && last > end)
			left = SLICE_MS;
		err = tocsin_sync(t, left > SLICE_MS ? SLICE_MS
				     : left > 0	     ? (int)left
						     : 0);
		if (err == TOCSIN_OK || err == TOCSIN_EROSTERUNKNOWN ||
		    is_hopeless(c, t, err, busy))
			break;
		show_waiting(&p, t, err);
	} while (now_ms() < end || (err == TOCSIN_ETIMEOUT && now_ms() < last));
	progress_wipe(&p.progress);
	return err;
}

/* SPDX-License-Identifier: ISC */
#include "broker/verify.h"

#include "broker/exercise.h"
#include "broker/value.h"
#include "crypto/ticket.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* A store in good order is walked at 100,000 entries a second and more. */
#define QUIET_S 300 /* the child is stuck after so long without an entry */

#define RESTORE "restore the newest backup: tocsind restore"
#define REPAIR "end the broker, then tocsind verify --repair"

struct walk {
	struct store_rx *rx;
	uint64_t head;
	struct store_walked walked;
	unsigned findings;
};

static void
print(void *arg, const struct store_finding *f)
{
	struct walk *w = arg;

	w->findings++;
	if (f->seq > 0)
		printf("problem: entry %" PRIu64 ": %s; %s\n", f->seq, f->what,
		    f->todo);
	else
		printf("problem: %s; %s\n", f->what, f->todo);
}

static void
found(struct walk *w, uint64_t seq, const char *what)
{
	print(w, &(struct store_finding){
		     .seq = seq, .what = what, .todo = RESTORE });
}

/* A value: it follows from the log. */
static void
found_value(struct walk *w, const char *what)
{
	print(w, &(struct store_finding){ .what = what, .todo = REPAIR });
}

/* ---- tickets ---- */

static void
check_detached(struct walk *w, uint64_t seq, const struct ticket *t)
{
	struct store_part part;
	enum tocsin_err err = store_part_stat(w->rx, t->body_hash, &part);

	if (err || !part.complete || part.total != t->body_size)
		found(w, seq, "the body of the ticket is not there");
}

/* Live, or of which exercise: receipts and readers go by the value. */
static void
check_side(struct walk *w, uint64_t seq, const struct ticket *t)
{
	char of[EXERCISE_MAX + 1];

	if (exercise_of(of, w->rx, seq) != TOCSIN_OK ||
	    !span_is(t->exercise, of))
		print(w, &(struct store_finding){ .seq = seq,
			     .what = "the ticket is of another exercise than "
				     "is noted",
			     .todo = REPAIR });
}

/* Damaged ones were told by the store. */
static void
check_ticket(struct walk *w, const struct store_entry *e)
{
	struct ticket t;
	struct note n;

	if (ticket_parse(&t, &n, e->note) != TOCSIN_OK) {
		found(w, e->seq, "the entry is not a ticket");
		return;
	}
	check_side(w, e->seq, &t);
	if (!span_eq(t.from, e->member))
		found(w, e->seq, "the ticket is not from whom the log says");
	else if (e->detached)
		check_detached(w, e->seq, &t);
	else if (ticket_check_body(&t, e->body) != TOCSIN_OK)
		found(w, e->seq, "the body is not the one that was signed");
}

static void
check_tickets(struct walk *w)
{
	struct store_entry e;
	uint64_t seq;

	for (seq = 1; seq <= w->head; seq++) {
		if (store_get(w->rx, seq, &e) == TOCSIN_OK &&
		    e.kind == STORE_TICKET && !e.erased)
			check_ticket(w, &e);
		if (seq % 1024 == 0)
			alarm(QUIET_S);
	}
}

/* ---- values ---- */

static bool
read_u64(struct span value, uint64_t *v)
{
	struct rd r = rd_init(value);

	*v = rd_u64(&r);
	return rd_done(&r);
}

static void
check_place(
    struct walk *w, struct span value, enum store_kind kind, const char *what)
{
	struct store_entry e;
	uint64_t seq;

	if (!read_u64(value, &seq) || store_get(w->rx, seq, &e) != TOCSIN_OK ||
	    e.kind != kind)
		found_value(w, what);
}

static void
check_current(struct walk *w, struct span value)
{
	uint64_t serial, seq;

	if (!read_u64(value, &serial) ||
	    value_get_u64(w->rx, &seq, "roster/%" PRIu64, serial) || seq == 0 ||
	    seq > w->head)
		found_value(w, "the current roster is not in the log");
}

static void
check_roster(struct walk *w, struct span name, struct span value)
{
	if (span_is(name, "roster/current"))
		check_current(w, value);
	else
		check_place(w, value, STORE_ROSTER,
		    "a roster is not where it should be");
}

static void
check_keys(struct walk *w, struct span name, struct span value)
{
	(void)name;
	check_place(
	    w, value, STORE_KEYS, "an announcement is not where it should be");
}

static void
check_cursor(struct walk *w, struct span name, struct span value)
{
	uint64_t seq;

	(void)name;
	if (!read_u64(value, &seq) || seq > w->head)
		found_value(w, "the cursor of a device is beyond the log");
}

/* The head of a chain is an entry with the number that it says. */
static void
check_chain(struct walk *w, struct span name, struct span value)
{
	struct rd r = rd_init(value);
	uint64_t last = rd_u64(&r), seq;
	struct span id = rd_span(&r, ID_LEN);
	struct store_entry e;
	struct ticket t;
	struct note n;
	enum tocsin_err err;

	(void)name;
	err = r.bad ? TOCSIN_EMALFORMED : store_find(w->rx, id.p, &seq);
	if (!err)
		err = store_get(w->rx, seq, &e);
	if (err == TOCSIN_EBODYMISMATCH || (!err && e.erased))
		return; /* it was told, or can't be */
	if (err || ticket_parse(&t, &n, e.note) != TOCSIN_OK || t.seq != last)
		found_value(
		    w, "the head of a device's chain is not in the log");
}

static const struct {
	const char *prefix;
	void (*check)(struct walk *w, struct span name, struct span value);
} values[] = {
	{ "roster/", check_roster },
	{ "keys/", check_keys },
	{ "cursor/", check_cursor },
	{ "chain/", check_chain },
};

static void
check_value(struct walk *w, struct span name, struct span value)
{
	size_t i;

	for (i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		if (span_is(span_cut(name, 0, strlen(values[i].prefix)),
			values[i].prefix))
			values[i].check(w, name, value);
}

/* A row that is damaged was told by the store, and ends this walk. */
static void
check_values(struct walk *w)
{
	struct span name = { 0 }, value;
	enum tocsin_err err;

	while (!(err = store_value_next(w->rx, name, &name, &value)))
		check_value(w, name, value);
	if (err != TOCSIN_ENOTFOUND && w->findings == 0)
		found(w, 0, "the values cannot be walked");
}

/* ---- all, in a child ---- */

static void
look(struct walk *w, const char *dir)
{
	const char *why = NULL;
	struct store *s = NULL;
	enum tocsin_err err = store_open_beside(&s, dir, &why);

	if (err) {
		found(w, 0, why ? why : tocsin_err_text(err));
		return;
	}
	alarm(10 * QUIET_S);
	if (store_verify(s, print, w, &w->walked) && w->findings == 0)
		found(w, 0, "the store cannot be walked");
	if (store_read(s, &w->rx) == TOCSIN_OK) {
		w->head = store_head(w->rx);
		check_tickets(w);
		check_values(w);
		store_read_end(w->rx);
	} else if (w->findings == 0) {
		found(w, 0, "the store cannot be read");
	}
	store_close(s);
}

struct report {
	unsigned findings;
	struct store_walked walked;
};

static _Noreturn void
child(const char *dir, int to)
{
	struct walk w = { 0 };
	struct report r;
	int null = open("/dev/null", O_WRONLY);

	if (null >= 0) /* what the engine says when it falls */
		(void)dup2(null, STDERR_FILENO);
	look(&w, dir);
	r = (struct report){ w.findings, w.walked };
	if (fflush(stdout) != 0 || write(to, &r, sizeof(r)) != sizeof(r))
		_exit(1);
	_exit(0);
}

unsigned
verify_store(const char *dir, struct store_walked *walked)
{
	struct report r = { 0 };
	ssize_t n = -1;
	int fd[2];
	pid_t pid;

	fflush(stdout);
	if (pipe2(fd, O_CLOEXEC) != 0)
		return 1;
	pid = fork();
	if (pid == 0)
		child(dir, fd[1]);
	close(fd[1]);
	if (pid > 0) {
		n = read(fd[0], &r, sizeof(r));
		(void)waitpid(pid, NULL, 0);
	}
	close(fd[0]);
	*walked = r.walked;
	if (n == sizeof(r))
		return r.findings;
	printf("problem: the engine's own pages are damaged: it fell over "
	       "them; " RESTORE "\n");
	return 1;
}

/* SPDX-License-Identifier: ISC */
/*
 * reorder - what a disk may hold after a power cut, as many times as one likes
 *
 *	reorder_store LOG BASE FOLDER COUNT SEED
 *	reorder_desk  LOG BASE FOLDER COUNT SEED
 *
 * BASE is the file before its program began, LOG what recorder.so saw of it,
 * with the ids that were promised meanwhile. COUNT times the log is cut at
 * random. What was synced by then is on the disk. Of what was not, any part is:
 * each write whole, not at all, or torn at multiples of 512 bytes, which is
 * what a disk writes in one piece; the file's length may have changed or not.
 * Such an image is put into FOLDER, and image_check() of the side that is
 * linked opens it in a process of its own, and looks for all that was promised
 * before the cut.
 *
 * With IGNORE_SYNCS in the environment a sync does nothing, as for a program
 * that forgot it; then failures must be found.
 *
 * Overlapping writes that were both not synced are applied in their order or
 * the later one is missing: a page's older state doesn't come after its newer.
 */
#include "tests/fault/reorder.h"

#include "tests/fault/record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECTOR 512
#define SHOWN 5 /* failures that are described */

/* A record, or a line if `id` is set. */
struct step {
	struct record r;
	const uint8_t *bytes;
	bool line;
};

/* The bytes of a file; all up to `room` are there, those from n on are zeros.
 */
struct image {
	uint8_t *p;
	size_t n, room;
};

static struct step *step;
static size_t nstep;
static uint8_t (*promised)[ID_LEN];
static uint64_t state;
static bool ignore_syncs;

static void
die(const char *what, const char *why)
{
	fprintf(stderr, "reorder: %s: %s\n", what, why);
	exit(2);
}

static void *
room(void *p, size_t n)
{
	p = realloc(p, n ? n : 1);
	if (p == NULL)
		die("memory", "none left");
	return p;
}

/* splitmix64 */
static uint32_t
draw(uint32_t below)
{
	uint64_t z = state += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return (uint32_t)((z ^ (z >> 31)) >> 33) % below;
}

static struct span
slurp(const char *path)
{
	struct stat st;
	uint8_t *p;
	size_t n = 0;
	ssize_t got = 1;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) != 0)
		die(path, strerror(errno));
	p = room(NULL, (size_t)st.st_size);
	while (n < (size_t)st.st_size && got > 0) {
		got = read(fd, p + n, (size_t)st.st_size - n);
		n += got > 0 ? (size_t)got : 0;
	}
	close(fd);
	return (struct span){ p, n };
}

/* ---- the log ---- */

/* The id of a step that is a line goes to promised[its index]. */
static size_t
take_line(struct span left)
{
	const uint8_t *end = memchr(left.p, '\n', left.n);
	struct span line = { left.p, end ? (size_t)(end - left.p) : 0 };

	if (end == NULL)
		return left.n; /* its writer was killed over it */
	step[nstep].line = true;
	if (!id_parse(line, promised[nstep]))
		die("log", "a line that is no id");
	nstep++;
	return line.n + 1;
}

static size_t
take_record(struct span left)
{
	struct step *s = &step[nstep];

	if (left.n < sizeof(s->r))
		die("log", "half a header");
	memcpy(&s->r, left.p, sizeof(s->r));
	s->bytes = left.p + sizeof(s->r);
	if (s->r.len > left.n - sizeof(s->r))
		die("log", "half a record");
	nstep++;
	return sizeof(s->r) + s->r.len;
}

static void
read_log(const char *path)
{
	struct span left = slurp(path);
	size_t n, max = 0;

	while (left.n > 0) {
		if (nstep == max) {
			max = max * 2 + 1024;
			step = room(step, max * sizeof(*step));
			promised = room(promised, max * sizeof(*promised));
		}
		step[nstep] = (struct step){ 0 };
		n = left.p[0] < ' ' ? take_record(left) : take_line(left);
		left.p += n;
		left.n -= n;
	}
}

/* ---- images ---- */

static void
reach(struct image *m, size_t n)
{
	if (n > m->room) {
		m->p = room(m->p, n * 2);
		memset(m->p + m->room, 0, n * 2 - m->room);
		m->room = n * 2;
	}
	if (n > m->n)
		m->n = n;
}

static void
set_size(struct image *m, size_t n)
{
	reach(m, n);
	if (m->n > n)
		memset(m->p + n, 0, m->n - n);
	m->n = n;
}

static void
put(struct image *m, uint64_t at, const uint8_t *p, size_t n)
{
	reach(m, at + n);
	if (n > 0)
		memcpy(m->p + at, p, n);
}

static void
apply(struct image *m, const struct step *s)
{
	if (s->r.op == RECORD_WRITE)
		put(m, s->r.at, s->bytes, s->r.len);
	else if (s->r.op == RECORD_SIZE)
		set_size(m, s->r.at);
	else if (s->r.op == RECORD_REACH)
		reach(m, s->r.at);
}

/* Each sector of a write, or not. */
static void
apply_torn(struct image *m, const struct step *s)
{
	uint64_t at = s->r.at, end = at + s->r.len, next;

	for (; at < end; at = next) {
		next = at / SECTOR * SECTOR + SECTOR;
		if (next > end)
			next = end;
		if (draw(2) == 0)
			put(m, at, s->bytes + (at - s->r.at), next - at);
	}
}

static void
apply_perhaps(struct image *m, const struct step *s)
{
	switch (draw(5)) {
	case 0:
	case 1:
		break;
	case 2:
		if (s->r.op == RECORD_WRITE) {
			apply_torn(m, s);
			break;
		}
		/* fall through */
	default:
		apply(m, s);
	}
}

/*
 * What is durable after the steps before `cut`, and which of these steps are
 * not: their indexes, ascending. Goes on from where it was.
 */
struct disk {
	struct image durable;
	size_t at;
	size_t *open, nopen;
};

static void
advance(struct disk *d, size_t cut)
{
	size_t i;

	for (; d->at < cut; d->at++) {
		const struct step *s = &step[d->at];

		if (s->line || (ignore_syncs && s->r.op == RECORD_SYNC))
			continue;
		if (s->r.op == RECORD_SYNC) {
			for (i = 0; i < d->nopen; i++)
				apply(&d->durable, &step[d->open[i]]);
			d->nopen = 0;
		} else if (s->r.op == RECORD_WRITE && s->r.synced) {
			apply(&d->durable, s);
		} else {
			d->open[d->nopen++] = d->at;
		}
	}
}

/* The next step is under way when the power fails. */
static void
make_image(struct image *m, const struct disk *d, size_t cut)
{
	size_t i;

	set_size(m, 0);
	put(m, 0, d->durable.p, d->durable.n);
	for (i = 0; i < d->nopen; i++)
		apply_perhaps(m, &step[d->open[i]]);
	if (cut < nstep && !step[cut].line)
		apply_perhaps(m, &step[cut]);
}

static bool
empty(const uint8_t *p, size_t n)
{
	return n == 0 || (p[0] == 0 && memcmp(p, p + 1, n - 1) == 0);
}

static void
save_image(const struct image *m, const char *path)
{
	enum { BLOCK = 65536 };
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	size_t at, n;

	if (fd < 0 || ftruncate(fd, (off_t)m->n) != 0)
		die(path, strerror(errno));
	for (at = 0; at < m->n; at += n) {
		n = m->n - at < BLOCK ? m->n - at : BLOCK;
		if (!empty(m->p + at, n) &&
		    pwrite(fd, m->p + at, n, (off_t)at) != (ssize_t)n)
			die(path, strerror(errno));
	}
	close(fd);
}

/* ---- judging ---- */

enum verdict { GOOD, NOT_OPENED, MISSING, BROKEN, CRASHED, VERDICTS };

static const char *const verdicts[VERDICTS] = { "good", "did not open",
	"lacked what was promised", "were not clean", "crashed" };

static enum verdict
judge(const char *folder, size_t cut)
{
	static const struct image_promise none;
	struct image_promise p = none;
	int status;
	pid_t pid = fork();

	if (pid < 0)
		die("fork", strerror(errno));
	if (pid == 0) {
		size_t i;

		p.id = room(NULL, (cut + 1) * sizeof(*p.id));
		for (i = 0; i < cut; i++)
			if (step[i].line)
				memcpy(p.id[p.n++], promised[i], ID_LEN);
		_exit(image_check(folder, &p));
	}
	if (waitpid(pid, &status, 0) != pid)
		die("wait", strerror(errno));
	if (!WIFEXITED(status) || WEXITSTATUS(status) >= CRASHED)
		return CRASHED;
	return (enum verdict)WEXITSTATUS(status);
}

static int
by_size(const void *a, const void *b)
{
	size_t x = *(const size_t *)a, y = *(const size_t *)b;

	return (x > y) - (x < y);
}

/* Cuts come after the first promise, so that there is something to lose. */
static size_t *
choose_cuts(size_t count)
{
	size_t *cut = room(NULL, count * sizeof(*cut)), first = 0, i;

	while (first < nstep && !step[first].line)
		first++;
	if (first == nstep)
		die("log", "nothing was promised");
	for (i = 0; i < count; i++)
		cut[i] = first + 1 + draw((uint32_t)(nstep - first));
	qsort(cut, count, sizeof(*cut), by_size);
	return cut;
}

static unsigned
count_steps(bool line, enum record_op op)
{
	unsigned n = 0;
	size_t i;

	for (i = 0; i < nstep; i++)
		n += line ? step[i].line : !step[i].line && step[i].r.op == op;
	return n;
}

int
main(int argc, char **argv)
{
	/* static: what is kept to the end is no leak */
	static struct disk d;
	static struct image m;
	static struct span base;
	static size_t *cut;
	unsigned seen[VERDICTS] = { 0 }, bad = 0, opened = 0;
	char path[4096];
	size_t i, count;

	if (argc != 6) {
		fputs("usage: reorder LOG BASE FOLDER COUNT SEED\n", stderr);
		return 2;
	}
	count = strtoul(argv[4], NULL, 10);
	state = strtoull(argv[5], NULL, 10);
	ignore_syncs = getenv("IGNORE_SYNCS") != NULL;
	read_log(argv[1]);
	base = slurp(argv[2]);
	put(&d.durable, 0, base.p, base.n);
	d.open = room(NULL, nstep * sizeof(*d.open));
	cut = choose_cuts(count);
	snprintf(path, sizeof(path), "%s/%s", argv[3], image_name);
	for (i = 0; i < count; i++) {
		enum verdict v;

		advance(&d, cut[i]);
		make_image(&m, &d, cut[i]);
		save_image(&m, path);
		v = judge(argv[3], cut[i]);
		seen[v]++;
		bad += v != GOOD;
		opened += (unsigned)d.nopen;
		if (v != GOOD && bad <= SHOWN)
			printf("# image %zu, cut at step %zu with %zu not "
			       "synced: %s\n",
			    i, cut[i], d.nopen, verdicts[v]);
	}
	printf("%zu images of %u writes, %u syncs and %u promises, ", count,
	    count_steps(false, RECORD_WRITE), count_steps(false, RECORD_SYNC),
	    count_steps(true, 0));
	printf("%u writes open at a cut: %u did not open, %u lacked what was "
	       "promised, %u were not clean, %u crashed\n",
	    count ? (unsigned)(opened / count) : 0, seen[NOT_OPENED],
	    seen[MISSING], seen[BROKEN], seen[CRASHED]);
	return bad > 0;
}

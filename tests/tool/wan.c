/* SPDX-License-Identifier: ISC */
/*
 * wan - a wide area network between network namespaces, on one machine
 *
 *	wan SEED FIFO NAMESPACE...	until it is killed
 *
 * Each namespace, in the order given, gets an interface `wan0` with the address
 * 10.77.0.1, 10.77.0.2 and so on; what one sends to another goes through here.
 * There is a path from each to each other, with a rate, a queue, a delay and a
 * loss of its own. It says "ready" when all interfaces are up, and then obeys
 * lines from FIFO, I and J being numbers from 1, or * for all:
 *
 *	set I J NAME VALUE...	rate (bit/s, 0: none), delay, jitter, queue
 *				(ms), loss (in 10,000), for both directions
 *	cut I J			nothing passes any more; what is on the way
 *	heal I J		is lost. And it passes again.
 *	show FILE		a line for each path into FILE: I J, bytes and
 *				packets that came through, that were lost, that
 *				found the queue full, that came while it was cut
 *	trace FILE		from now on a line every half second: ms since
 *				then, and of each path that something was sent
 *				on I J, the bytes that came through, were lost,
 *				found the queue full, were cut
 *
 * A packet waits until those before it have left at the path's rate, then takes
 * the delay; packets of a path stay in order. A queue that is full drops what
 * comes. Losses come from the seed.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <time.h>
#include <unistd.h>

#define NODES 32
#define MTU 1500
#define HELD 65536 /* packets on the way in all */
#define TRACE_US 500000
#define NET UINT32_C(0x0a4d0000)

enum setting { RATE, DELAY, JITTER, QUEUE, LOSS, SETTINGS };
static const char *const setting_name[] = { "rate", "delay", "jitter", "queue",
	"loss" };

enum fate { PASSED, LOST, FULL, CUT, FATES };

struct path {
	uint64_t set[SETTINGS];
	bool cut;
	int64_t idle_at; /* when the last packet has left the queue, in us */
	int64_t last_at; /* when it arrives */
	uint64_t bytes[FATES], packets[FATES];
};

struct packet {
	int64_t due;
	uint64_t order;
	unsigned from, to;
	int n;
	uint8_t bytes[MTU];
};

static int tun[NODES];
static unsigned nodes;
static struct path paths[NODES][NODES];
static struct packet *heap[HELD];
static size_t held;
static uint64_t random_state, arrivals;
static FILE *trace;
static uint64_t traced[NODES][NODES][FATES];
static int64_t trace_began, trace_at;

static void
die(const char *what)
{
	fprintf(stderr, "wan: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int64_t
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* splitmix64: enough to choose packets by. */
static uint64_t
draw(uint64_t below)
{
	uint64_t z = random_state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (z ^ (z >> 31)) % below;
}

/* ---- interfaces ---- */

static void
address(struct ifreq *r, uint32_t ip)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };

	sa.sin_addr.s_addr = htonl(ip);
	memcpy(&r->ifr_addr, &sa, sizeof(sa));
}

static void
bring_up(const char *name, unsigned node)
{
	struct ifreq r = { 0 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die("socket");
	strcpy(r.ifr_name, name);
	if (node > 0) {
		address(&r, NET | node);
		if (ioctl(fd, SIOCSIFADDR, &r) != 0)
			die("address");
		address(&r, UINT32_C(0xffffff00));
		if (ioctl(fd, SIOCSIFNETMASK, &r) != 0)
			die("netmask");
	}
	r.ifr_flags = IFF_UP | IFF_RUNNING;
	if (ioctl(fd, SIOCSIFFLAGS, &r) != 0)
		die("interface up");
	close(fd);
}

/* The end of a namespace's interface; the interface lasts as long as it does.
 */
static int
attach(const char *name, unsigned node)
{
	struct ifreq r = { .ifr_flags = IFF_TUN | IFF_NO_PI };
	char path[256];
	int ns, fd;

	snprintf(path, sizeof(path), "/run/netns/%s", name);
	ns = open(path, O_RDONLY | O_CLOEXEC);
	if (ns < 0 || setns(ns, CLONE_NEWNET) != 0)
		die(path);
	close(ns);
	fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		die("/dev/net/tun");
	strcpy(r.ifr_name, "wan0");
	if (ioctl(fd, TUNSETIFF, &r) != 0)
		die("tun");
	bring_up("lo", 0);
	bring_up("wan0", node);
	return fd;
}

/* ---- what is on the way: a heap by the time it is due ---- */

static bool
sooner(const struct packet *a, const struct packet *b)
{
	return a->due != b->due ? a->due < b->due : a->order < b->order;
}

static void
swap(size_t i, size_t j)
{
	struct packet *p = heap[i];

	heap[i] = heap[j];
	heap[j] = p;
}

static void
push(struct packet *p)
{
	size_t i = held++;

	heap[i] = p;
	for (; i > 0 && sooner(heap[i], heap[(i - 1) / 2]); i = (i - 1) / 2)
		swap(i, (i - 1) / 2);
}

static struct packet *
pop(void)
{
	struct packet *first = heap[0];
	size_t i = 0, least;

	heap[0] = heap[--held];
	for (;;) {
		least = i;
		for (size_t c = 2 * i + 1; c <= 2 * i + 2 && c < held; c++)
			if (sooner(heap[c], heap[least]))
				least = c;
		if (least == i)
			return first;
		swap(i, least);
		i = least;
	}
}

/* ---- paths ---- */

static void
count(struct path *w, enum fate fate, int n)
{
	w->bytes[fate] += (uint64_t)n;
	w->packets[fate]++;
}

/* When it arrives; or why it does not. */
static enum fate
travel(struct path *w, int n, int64_t now, int64_t *due)
{
	int64_t leaves = w->idle_at > now ? w->idle_at : now;

	if (w->cut)
		return CUT;
	if (held == HELD ||
	    (w->set[QUEUE] > 0 && leaves - now > (int64_t)w->set[QUEUE] * 1000))
		return FULL;
	if (w->set[RATE] > 0)
		leaves += (int64_t)((uint64_t)n * 8000000 / w->set[RATE]);
	w->idle_at = leaves;
	if (draw(10000) < w->set[LOSS])
		return LOST;
	*due = leaves + (int64_t)w->set[DELAY] * 1000;
	if (w->set[JITTER] > 0)
		*due += (int64_t)draw(w->set[JITTER] * 1000);
	if (*due < w->last_at)
		*due = w->last_at;
	w->last_at = *due;
	return PASSED;
}

/* The node an IPv4 packet is for; `nodes`: none of ours. */
static unsigned
receiver(const uint8_t *p, int n)
{
	uint32_t ip;

	if (n < 20 || p[0] >> 4 != 4)
		return nodes;
	memcpy(&ip, p + 16, sizeof(ip));
	ip = ntohl(ip);
	if ((ip & 0xffffff00) != NET || (ip & 0xff) == 0)
		return nodes;
	return (ip & 0xff) - 1 < nodes ? (ip & 0xff) - 1 : nodes;
}

/* False: nothing to read there now. */
static bool
take(unsigned from, int64_t now)
{
	static struct packet in;
	struct packet *p;
	struct path *w;
	enum fate fate;

	in.n = (int)read(tun[from], in.bytes, sizeof(in.bytes));
	if (in.n <= 0)
		return false;
	in.from = from;
	in.to = receiver(in.bytes, in.n);
	if (in.to == nodes || in.to == from)
		return true;
	w = &paths[from][in.to];
	fate = travel(w, in.n, now, &in.due);
	if (fate != PASSED) {
		count(w, fate, in.n);
		return true;
	}
	in.order = arrivals++;
	p = malloc(sizeof(*p));
	if (p == NULL)
		die("memory");
	*p = in;
	push(p);
	return true;
}

static void
deliver(int64_t now)
{
	while (held > 0 && heap[0]->due <= now) {
		struct packet *p = pop();
		struct path *w = &paths[p->from][p->to];

		count(w, w->cut ? CUT : PASSED, p->n);
		if (!w->cut && write(tun[p->to], p->bytes, (size_t)p->n) < 0 &&
		    errno != EAGAIN && errno != EIO)
			die("write");
		free(p);
	}
}

/* ---- commands ---- */

static bool
node_fits(const char *word, unsigned i)
{
	return strcmp(word, "*") == 0 || strtoul(word, NULL, 10) == i + 1;
}

static void
set_path(struct path *w, const char *name, uint64_t value)
{
	unsigned i;

	for (i = 0; i < SETTINGS; i++)
		if (strcmp(name, setting_name[i]) == 0)
			w->set[i] = value;
}

static void
change(char **word, unsigned n)
{
	unsigned i, j, k;

	for (i = 0; i < nodes; i++)
		for (j = 0; j < nodes; j++) {
			struct path *w = &paths[i][j];

			if (!(node_fits(word[1], i) && node_fits(word[2], j)) &&
			    !(node_fits(word[1], j) && node_fits(word[2], i)))
				continue;
			if (strcmp(word[0], "set") != 0)
				w->cut = strcmp(word[0], "cut") == 0;
			for (k = 3; k + 1 < n; k += 2)
				set_path(w, word[k],
				    strtoull(word[k + 1], NULL, 10));
		}
}

/* Whole or not at all: a reader waits for the name. */
static void
show(const char *name)
{
	char temp[4096];
	unsigned i, j, k;
	FILE *f;

	snprintf(temp, sizeof(temp), "%s.new", name);
	f = fopen(temp, "w");
	if (f == NULL)
		die(temp);
	for (i = 0; i < nodes; i++)
		for (j = 0; j < nodes; j++) {
			fprintf(f, "%u %u", i + 1, j + 1);
			for (k = 0; k < FATES; k++)
				fprintf(f, " %llu %llu",
				    (unsigned long long)paths[i][j].bytes[k],
				    (unsigned long long)paths[i][j].packets[k]);
			fputc('\n', f);
		}
	if (fclose(f) != 0 || rename(temp, name) != 0)
		die(name);
}

static void
trace_begin(const char *name)
{
	if (trace != NULL)
		fclose(trace);
	trace = fopen(name, "w");
	if (trace == NULL)
		die(name);
	memset(traced, 0, sizeof(traced));
	trace_began = trace_at = now_us();
}

static void
trace_path(unsigned from, unsigned to)
{
	const struct path *w = &paths[from][to];
	uint64_t *was = traced[from][to];
	unsigned k;

	if (memcmp(was, w->bytes, sizeof(w->bytes)) == 0)
		return;
	fprintf(trace, "  %u %u", from + 1, to + 1);
	for (k = 0; k < FATES; k++)
		fprintf(
		    trace, " %llu", (unsigned long long)(w->bytes[k] - was[k]));
	memcpy(was, w->bytes, sizeof(w->bytes));
}

/* What has happened since the last line. */
static void
trace_line(int64_t now)
{
	unsigned i, j;

	if (trace == NULL || now < trace_at + TRACE_US)
		return;
	fprintf(trace, "%lld", (long long)(now - trace_began) / 1000);
	for (i = 0; i < nodes; i++)
		for (j = 0; j < nodes; j++)
			trace_path(i, j);
	fputc('\n', trace);
	fflush(trace);
	trace_at = now;
}

static void
obey(char *line)
{
	char *word[16], *save = NULL, *w;
	unsigned n = 0;

	for (w = strtok_r(line, " ", &save); w != NULL && n < 16;
	     w = strtok_r(NULL, " ", &save))
		word[n++] = w;
	if (n == 2 && strcmp(word[0], "show") == 0)
		show(word[1]);
	else if (n == 2 && strcmp(word[0], "trace") == 0)
		trace_begin(word[1]);
	else if (n >= 3)
		change(word, n);
}

static void
listen_to(int fd)
{
	static char text[4096];
	static size_t n;
	char *end;
	ssize_t got = read(fd, text + n, sizeof(text) - 1 - n);

	if (got <= 0)
		return;
	n += (size_t)got;
	text[n] = '\0';
	while ((end = strchr(text, '\n')) != NULL) {
		*end = '\0';
		obey(text);
		n -= (size_t)(end + 1 - text);
		memmove(text, end + 1, n + 1);
	}
	if (n == sizeof(text) - 1)
		n = 0;
}

static _Noreturn void
run(int fifo)
{
	struct pollfd fd[NODES + 1] = { { .fd = fifo, .events = POLLIN } };
	unsigned i, k;

	for (i = 0; i < nodes; i++)
		fd[i + 1] = (struct pollfd){ .fd = tun[i], .events = POLLIN };
	for (;;) {
		struct timespec wait = { 0, TRACE_US * 1000 };
		int64_t now = now_us(), until;

		deliver(now);
		trace_line(now);
		if (held > 0) {
			until = heap[0]->due > now ? heap[0]->due - now : 0;
			if (until < TRACE_US)
				wait.tv_nsec = until * 1000;
		}
		if (ppoll(fd, nodes + 1, &wait, NULL) < 0 && errno != EINTR)
			die("poll");
		if (fd[0].revents != 0)
			listen_to(fifo);
		now = now_us();
		for (i = 0; i < nodes; i++)
			for (k = 0; k < 64 && fd[i + 1].revents != 0; k++)
				if (!take(i, now))
					break;
	}
}

int
main(int argc, char **argv)
{
	int i, fifo;

	if (argc < 5 || argc - 3 > NODES) {
		fputs("usage: wan SEED FIFO NAMESPACE NAMESPACE...\n", stderr);
		return 2;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	random_state = strtoull(argv[1], NULL, 10);
	/* For writing too: it does not end when a writer does. */
	fifo = open(argv[2], O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fifo < 0)
		die(argv[2]);
	for (i = 3; i < argc; i++)
		tun[nodes++] = attach(argv[i], (unsigned)i - 2);
	puts("ready");
	fflush(stdout);
	run(fifo);
}

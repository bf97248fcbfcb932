/* SPDX-License-Identifier: ISC */
#include "client/cli/desk_screen.h"

#include "client/cli/desk_text.h"
#include "client/cli/print.h"

#define NCURSES_NOMACROS 1
#include <curses.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <wchar.h>

#define TICK_MS 1000 /* how often the time that is left is looked at */
#define ESCAPE_MS 200
#define INDENT 8 /* of what does not fit into a line */
#define SAID_MAX 3
#define CODE_PASTE 700 /* key codes of ours, beyond KEY_MAX */
#define CODE_PASTED 701

/* ---- text with our colours, as lines of a screen ---- */

struct lines {
	wchar_t *c; /* without line feeds */
	attr_t *a;
	size_t n, room;
	size_t *start; /* nline + 1 of them */
	size_t nline, room_lines;
	size_t width, column;
	attr_t now;
	bool failed;
};

static void
lines_release(struct lines *l)
{
	if (l->c != NULL)
		explicit_bzero(l->c, l->room * sizeof(*l->c));
	free(l->c);
	free(l->a);
	free(l->start);
	*l = (struct lines){ 0 };
}

static void
new_line(struct lines *l)
{
	size_t room = l->room_lines * 2 + 64, *start;

	if (l->nline + 2 > l->room_lines) {
		start = realloc(l->start, room * sizeof(*start));
		if (start == NULL) {
			l->failed = true;
			return;
		}
		l->start = start;
		l->room_lines = room;
	}
	if (l->nline == 0)
		l->start[0] = 0;
	l->start[++l->nline] = l->n;
	l->column = 0;
}

static bool
make_room(struct lines *l)
{
	size_t room = l->room * 2 + 1024;
	wchar_t *c;
	attr_t *a;

	if (l->n < l->room)
		return true;
	c = calloc(room, sizeof(*c));
	a = calloc(room, sizeof(*a));
	if (c == NULL || a == NULL) {
		free(c);
		free(a);
		l->failed = true;
		return false;
	}
	if (l->n > 0) {
		memcpy(c, l->c, l->n * sizeof(*c));
		memcpy(a, l->a, l->n * sizeof(*a));
		explicit_bzero(l->c, l->n * sizeof(*c));
	}
	free(l->c);
	free(l->a);
	l->c = c;
	l->a = a;
	l->room = room;
	return true;
}

/*
 * What goes on in the next line begins further in than any line of ours: no
 * text of others can put words where ours begin.
 */
static void
put(struct lines *l, wchar_t c)
{
	int columns = wcwidth(c);
	size_t i;

	if (columns < 0) {
		c = 0xfffd;
		columns = 1;
	}
	if (l->column + (size_t)columns > l->width) {
		new_line(l);
		for (i = 0; l->width > 2 * INDENT && i < INDENT; i++)
			put(l, L' ');
	}
	if (l->failed || !make_room(l))
		return;
	l->c[l->n] = c;
	l->a[l->n++] = l->now;
	l->column += (size_t)columns;
}

/* "\033[1;31m", which print.h writes and nobody else can. */
static void
take_colour(struct lines *l, struct span s, size_t *at)
{
	unsigned code = 0;
	uint8_t b;

	for (*at += 1; *at < s.n;) {
		b = s.p[(*at)++];
		if (b >= '0' && b <= '9') {
			code = code * 10 + (b - '0');
			continue;
		}
		if (code == 0)
			l->now = A_NORMAL;
		else if (code == 1)
			l->now |= A_BOLD;
		else if (code == 2)
			l->now |= A_DIM;
		else if (code >= 31 && code <= 37)
			l->now |= COLOR_PAIR(code - 30);
		code = 0;
		if (b != ';')
			break;
	}
}

static void
lines_add(struct lines *l, struct span s)
{
	size_t at = 0;
	uint32_t c;

	while (at < s.n && !l->failed) {
		c = utf8_next(s, &at);
		if (c == '\n')
			new_line(l);
		else if (c == '\033' && at < s.n && s.p[at] == '[')
			take_colour(l, s, &at);
		else if (c == '\t')
			put(l, L' ');
		else
			put(l, (wchar_t)c);
	}
}

/* The last line may be without a line feed. */
static void
lines_end(struct lines *l)
{
	if (!l->failed && (l->nline == 0 || l->start[l->nline] < l->n))
		new_line(l);
	if (l->failed)
		l->nline = 0;
}

/* ---- to the screen ---- */

struct screen {
	struct work *w;
	int height, width;
	int cursor_y, cursor_x;
	size_t waiting; /* tickets of others without an answer */
	bool ended;
};

static void
draw_line(int y, const struct lines *l, size_t i, attr_t with)
{
	size_t at, n;

	move(y, 0);
	if (i >= l->nline)
		return;
	for (at = l->start[i]; at < l->start[i + 1]; at += n) {
		for (n = 1;
		     at + n < l->start[i + 1] && l->a[at + n] == l->a[at]; n++)
			;
		attrset(l->a[at] | with);
		addnwstr(l->c + at, (int)n);
	}
	attrset(A_NORMAL);
}

/* A stream of ours in memory, whose text becomes lines. */
struct page {
	FILE *to;
	char *text;
	size_t n;
};

static bool
page_begin(struct page *p)
{
	*p = (struct page){ 0 };
	p->to = open_memstream(&p->text, &p->n);
	return p->to != NULL;
}

static void
page_end(struct page *p, struct lines *out, int width)
{
	*out = (struct lines){ .width = width > 0 ? (size_t)width : 1 };
	if (fclose(p->to) == 0)
		lines_add(out, (struct span){ (uint8_t *)p->text, p->n });
	lines_end(out);
	if (p->text != NULL)
		explicit_bzero(p->text, p->n);
	free(p->text);
}

/* One line of a function of desk_text.h. */
static void
draw_page(const struct screen *s, int y, struct page *p)
{
	struct lines l;

	page_end(p, &l, s->width);
	if (y >= 0 && y < s->height)
		draw_line(y, &l, 0, A_NORMAL);
	lines_release(&l);
}

static void
draw_item(struct screen *s, int y, size_t i)
{
	const struct model *m = &s->w->m;
	struct lines l;
	struct page p;

	if (!page_begin(&p))
		return;
	desk_item(p.to, m, i, (size_t)s->width);
	page_end(&p, &l, s->width);
	draw_line(y, &l, 0, i == m->chosen ? A_REVERSE : A_NORMAL);
	lines_release(&l);
	if (i == m->chosen)
		s->cursor_y = y;
}

/* The list is between the first line and the last four. */
static void
draw_list(struct screen *s)
{
	struct model *m = &s->w->m;
	int room = s->height > 6 ? s->height - 5 : 1, y;
	struct lines l;
	struct page p;

	model_resize(m, (size_t)room);
	if (page_begin(&p)) {
		desk_head(p.to, s->w, (size_t)s->width);
		draw_page(s, 0, &p);
	}
	for (y = 0; y < room && m->top + (size_t)y < m->nitem; y++)
		draw_item(s, y + 1, m->top + (size_t)y);
	if (s->height <= 6 || !page_begin(&p))
		return;
	desk_more(p.to, m, (size_t)s->width);
	page_end(&p, &l, s->width);
	draw_line(s->height - 4, &l, 0, A_NORMAL);
	draw_line(s->height - 3, &l, 1, A_NORMAL);
	lines_release(&l);
}

/* The first line, with the label, stays where it is. */
static void
draw_banner(const struct screen *s)
{
	const struct model *m = &s->w->m;
	const struct row *r = model_row(m);
	struct page p;
	char left[32];

	if (r == NULL || !page_begin(&p))
		return;
	model_left(left, r, m->now);
	print_tlp(p.to, r->m->tlp);
	fprintf(p.to, " %s%s%s %s %s%s%s %s", colour(BOLD), r->m->short_id,
	    colour(PLAIN), r->m->precedence,
	    model_late(r, m->now) ? colour(RED) : "", left, colour(PLAIN),
	    r->state);
	draw_page(s, 0, &p);
}

static void
draw_scrolled(struct screen *s, const struct lines *l, int from, int room)
{
	struct model *m = &s->w->m;
	size_t most = l->nline > (size_t)room ? l->nline - (size_t)room : 0;
	int y;

	model_resize(m, (size_t)room);
	if (m->scroll > most)
		m->scroll = most;
	for (y = 0; y < room && m->scroll + (size_t)y < l->nline; y++)
		draw_line(from + y, l, m->scroll + (size_t)y, A_NORMAL);
	if (m->scroll < most)
		mvprintw(from + room - 1, s->width > 12 ? s->width - 8 : 0,
		    " %zu more", l->nline - m->scroll - (size_t)room);
	s->cursor_y = from;
}

static int
text_room(const struct screen *s, int from)
{
	return s->height > from + 2 ? s->height - from - 2 : 1;
}

static void
draw_ticket(struct screen *s)
{
	const char *text = s->w->text;
	struct lines l = { .width = (size_t)s->width };

	draw_banner(s);
	if (text != NULL)
		lines_add(&l, span_of(text));
	lines_end(&l);
	draw_scrolled(s, &l, 1, text_room(s, 1));
	lines_release(&l);
}

static void
draw_help(struct screen *s)
{
	struct lines l;
	struct page p;

	if (!page_begin(&p))
		return;
	desk_help(p.to);
	page_end(&p, &l, s->width);
	draw_scrolled(s, &l, 0, text_room(s, 0));
	lines_release(&l);
}

/* ---- what lies over it ---- */

/* The first lines and the last two, if not all fit: label and question. */
static void
draw_box(struct screen *s, const struct lines *l)
{
	size_t room = s->height > 2 ? (size_t)s->height - 1 : 1;
	size_t n = l->nline < room ? l->nline : room, i, line;
	int y = s->height - (int)n;

	for (i = 0; i < n; i++) {
		line = l->nline > room && i + 2 >= n ? l->nline - (n - i) : i;
		move(y + (int)i, 0);
		clrtoeol();
		if (l->nline > room && n > 3 && i + 3 == n)
			mvaddstr(y + (int)i, 0, "  ...");
		else
			draw_line(y + (int)i, l, line, A_NORMAL);
	}
	if (y > 0) {
		mvhline(y - 1, 0, '-', s->width);
	}
	s->cursor_y = s->height - 1;
	s->cursor_x = (int)l->column < s->width ? (int)l->column : s->width - 1;
}

static void
draw_deed(struct screen *s)
{
	const struct model *m = &s->w->m;
	struct lines l;
	struct page p;

	if (!page_begin(&p))
		return;
	desk_deed(p.to, m);
	if (m->said != NULL) {
		fprintf(p.to, "\n%s", colour(m->bad ? RED : BOLD));
		safe_print(p.to, m->said);
		fputs(colour(PLAIN), p.to);
	}
	if (m->mode == MODE_ASK) {
		fputs("\n> ", p.to);
		safe_span(p.to,
		    (struct span){ (const uint8_t *)m->input, m->ninput },
		    SAFE_BODY);
	}
	page_end(&p, &l, s->width);
	draw_box(s, &l);
	lines_release(&l);
}

/* Gives how many of the last lines it took. */
static int
draw_said(struct screen *s)
{
	const struct model *m = &s->w->m;
	struct lines l;
	struct page p;
	int i, n;

	if (!page_begin(&p))
		return 0;
	fputs(colour(m->bad ? RED : BOLD), p.to);
	safe_print(p.to, m->said);
	fputs(colour(PLAIN), p.to);
	page_end(&p, &l, s->width);
	n = l.nline < SAID_MAX ? (int)l.nline : SAID_MAX;
	n = n < s->height ? n : s->height - 1;
	for (i = 0; i < n; i++) {
		move(s->height - n + i, 0);
		clrtoeol();
		draw_line(s->height - n + i, &l, (size_t)i, A_NORMAL);
	}
	lines_release(&l);
	return n;
}

static void
draw_hint(struct screen *s)
{
	const struct model *m = &s->w->m;
	struct page p;

	if (!page_begin(&p))
		return;
	if (m->mode == MODE_SEARCH) {
		fputc('/', p.to);
		safe_title(p.to, m->input, (size_t)s->width / 2);
		fputs("   ", p.to);
		desk_hint(p.to, m, (size_t)s->width / 3);
	} else {
		desk_hint(p.to, m, (size_t)s->width);
	}
	draw_page(s, s->height - 1, &p);
}

/* What was said, or the keys; above it the broker. The list comes first. */
static void
draw_foot(struct screen *s)
{
	struct page p;
	int n = 1;

	if (s->w->m.said != NULL)
		n = draw_said(s);
	else if (s->height > 2 || s->w->m.mode == MODE_SEARCH)
		draw_hint(s);
	if (s->height < 5 || s->height - n - 1 <= 0 || !page_begin(&p))
		return;
	move(s->height - n - 1, 0);
	clrtoeol();
	desk_state(p.to, s->w, (size_t)s->width);
	draw_page(s, s->height - n - 1, &p);
}

static void
draw(struct screen *s)
{
	const struct model *m = &s->w->m;
	bool asked = m->mode == MODE_ASK || m->mode == MODE_SURE;
	enum model_mode under = asked ? m->under : m->mode;

	getmaxyx(stdscr, s->height, s->width);
	s->cursor_y = s->cursor_x = 0;
	erase();
	if (under == MODE_TICKET)
		draw_ticket(s);
	else if (under == MODE_HELP)
		draw_help(s);
	else
		draw_list(s);
	if (asked)
		draw_deed(s);
	else
		draw_foot(s);
	if (m->mode == MODE_SEARCH)
		s->cursor_y = s->height - 1;
	move(s->cursor_y, s->cursor_x);
	refresh();
}

/* ---- keys ---- */

static const struct {
	wint_t code;
	uint32_t key;
} codes[] = {
	{ KEY_UP, KEY_OF_UP },
	{ KEY_DOWN, KEY_OF_DOWN },
	{ KEY_LEFT, KEY_OF_LEFT },
	{ KEY_RIGHT, KEY_OF_RIGHT },
	{ KEY_PPAGE, KEY_OF_PAGE_UP },
	{ KEY_NPAGE, KEY_OF_PAGE_DOWN },
	{ KEY_HOME, KEY_OF_HOME },
	{ KEY_END, KEY_OF_END },
	{ KEY_ENTER, KEY_OF_ENTER },
	{ KEY_BACKSPACE, KEY_OF_BACKSPACE },
	{ CODE_PASTE, KEY_OF_PASTE },
	{ CODE_PASTED, KEY_OF_PASTED },
};

static const struct {
	wint_t letter;
	uint32_t key;
} letters[] = {
	{ '\r', KEY_OF_ENTER },
	{ '\033', KEY_OF_ESCAPE },
	{ '\t', KEY_OF_TAB },
	{ '\b', KEY_OF_BACKSPACE },
	{ 0x7f, KEY_OF_BACKSPACE },
	{ 0x15, KEY_OF_WIPE },	 /* Ctrl-U */
	{ 0x03, KEY_OF_ESCAPE }, /* Ctrl-C, while the terminal is raw */
	{ 0x0e, KEY_OF_DOWN },	 /* Ctrl-N */
	{ 0x10, KEY_OF_UP },
};

/* False: it means nothing here. */
static bool
key_of(int got, wint_t c, uint32_t *key)
{
	size_t i;

	*key = (uint32_t)c;
	if (got == KEY_CODE_YES) {
		for (i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
			if (codes[i].code == c)
				*key = codes[i].key;
		return *key != (uint32_t)c;
	}
	for (i = 0; i < sizeof(letters) / sizeof(letters[0]); i++)
		if (letters[i].letter == c)
			*key = letters[i].key;
	return true;
}

/* Those that have come. */
static void
take_keys(struct screen *s)
{
	uint32_t key;
	enum want want;
	wint_t c;
	int got;

	while (!s->ended && (got = get_wch(&c)) != ERR) {
		if (got == KEY_CODE_YES && c == KEY_RESIZE) {
			work_read(s->w); /* it wraps elsewhere now */
			continue;
		}
		if (!key_of(got, c, &key))
			continue;
		s->w->m.now = cli_now();
		want = work_do(s->w, model_key(&s->w->m, key));
		if (want == WANT_PAINT)
			clearok(curscr, TRUE);
		s->ended |= want == WANT_QUIT;
	}
}

/* ---- waiting ---- */

static int signalled = -1;

static void
on_signal(int signal)
{
	const uint64_t one = 1;
	int kept = errno;

	(void)signal;
	(void)!write(signalled, &one, sizeof(one));
	errno = kept;
}

/* ncurses takes those that nobody has taken, and would exit at once. */
static bool
catch_signals(void)
{
	const struct sigaction act = { .sa_handler = on_signal };

	signalled = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return signalled >= 0 && sigaction(SIGINT, &act, NULL) == 0 &&
	       sigaction(SIGTERM, &act, NULL) == 0 &&
	       sigaction(SIGHUP, &act, NULL) == 0;
}

/* A ticket that came while nobody looked is heard. */
static void
take_news(struct screen *s)
{
	const struct rows *rows;
	size_t i, n = 0;
	bool first = s->w->rows == NULL || s->w->rows->left > 0;

	if (!work_news(s->w))
		return;
	rows = s->w->rows;
	for (i = 0; i < rows->n; i++)
		n += rows->row[i].unacked && !rows->row[i].mine;
	if (n > s->waiting && !first)
		beep();
	s->waiting = n;
}

/* A terminal that hung up is not asked again. */
static void
wait_for(struct screen *s)
{
	struct pollfd fds[] = { { .fd = STDIN_FILENO, .events = POLLIN },
		{ .fd = feed_fd(s->w->feed), .events = POLLIN },
		{ .fd = signalled, .events = POLLIN } };
	int n = poll(fds, 3, TICK_MS);

	if (n == 0 && s->w->m.pasting) /* its end was lost */
		(void)model_key(&s->w->m, KEY_OF_PASTED);
	if (n > 0 && fds[1].revents)
		take_news(s);
	if (n > 0 && (fds[2].revents || (fds[0].revents & ~POLLIN)))
		s->ended = true;
	s->w->m.now = cli_now();
}

/* ---- begin and end ---- */

bool
screen_can(void)
{
	const char *term = getenv("TERM");

	return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && term != NULL &&
	       term[0] != '\0' && strcmp(term, "dumb") != 0;
}

static void
set_up(void)
{
	short i;

	raw();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	idlok(stdscr, TRUE);
	set_escdelay(ESCAPE_MS);
	define_key("\033[200~", CODE_PASTE);
	define_key("\033[201~", CODE_PASTED);
	if (!has_colors())
		return;
	start_color();
	use_default_colors();
	for (i = 1; i <= 7 && i < COLORS; i++)
		init_pair(i, i, -1);
}

static void
bracketed_paste(bool on)
{
	fputs(on ? "\033[?2004h" : "\033[?2004l", stdout);
	fflush(stdout);
}

int
screen_run(struct work *w)
{
	struct screen s = { .w = w };
	SCREEN *terminal;

	if (!catch_signals())
		return cli_fail(TOCSIN_EINTERNAL, "%s", strerror(errno));
	terminal = newterm(NULL, stdout, stdin);
	if (terminal == NULL)
		return cli_fail(TOCSIN_EUSAGE,
		    "this terminal (TERM=%s) is not known here; `tocsin desk "
		    "--plain` takes any",
		    getenv("TERM"));
	set_up();
	bracketed_paste(true);
	while (!s.ended) {
		(void)work_saving(w);
		draw(&s);
		wait_for(&s);
		take_keys(&s);
	}
	erase();
	refresh();
	endwin();
	delscreen(terminal);
	bracketed_paste(false);
	close(signalled);
	return 0;
}

/* SPDX-License-Identifier: ISC */
#include "client/cli/desk_model_impl.h"

#include <stdlib.h>
#include <string.h>

/* clang-format off */
const struct model_help model_help[] = {
	{ "up, down, j, k", "another ticket; in a ticket: another line" },
	{ "PgUp, PgDn, Home, End", "far" },
	{ "Enter, o", "open; its sender is told that we have seen it" },
	{ "space, right, left", "unfold or fold the messages of a ticket" },
	{ "/", "search list and texts as you type; Enter keeps it, Esc ends" },
	{ "f", "list what is open, unanswered, overdue, or all" },
	{ "t", "the most urgent first, or the newest" },
	{ "Ctrl-L", "paint the screen anew" },
	{ "Esc, q", "back; in the list q ends" },
	{ "?", "this" },
	{ NULL, NULL },
};
/* clang-format on */

const char *const model_shows[SHOWS] = { "open", "unanswered", "overdue",
	"all" };

/* ---- what is said ---- */

void
model_say(struct model *m, bool bad, const char *sentence)
{
	char *said = strdup(sentence);

	free(m->said);
	m->said = said;
	m->bad = bad;
}

static void
hush(struct model *m)
{
	free(m->said);
	m->said = NULL;
	m->bad = false;
}

/* ---- keys ---- */

/* Where a page is as many lines as are seen, less one that is seen again. */
static size_t
page(const struct model *m)
{
	return m->height > 1 ? m->height - 1 : 1;
}

static void
go_back(struct model *m)
{
	if (m->mode == MODE_LIST && m->search.n > 0)
		(void)model_search(m, "");
	else
		m->mode = m->mode == MODE_HELP ? m->under : MODE_LIST;
	m->scroll = 0;
}

static void
scroll(struct model *m, uint32_t key)
{
	switch (key) {
	case KEY_OF_UP:
	case 'k':
		m->scroll -= m->scroll > 0;
		break;
	case KEY_OF_DOWN:
	case 'j':
		m->scroll++;
		break;
	case KEY_OF_PAGE_UP:
		m->scroll -= m->scroll < page(m) ? m->scroll : page(m);
		break;
	case KEY_OF_PAGE_DOWN:
	case ' ':
		m->scroll += page(m);
		break;
	case KEY_OF_HOME:
		m->scroll = 0;
		break;
	case KEY_OF_END:
		m->scroll = SIZE_MAX / 2;
		break;
	default:
		break;
	}
}

static enum want
key_reading(struct model *m, uint32_t key)
{
	const struct deed *d =
	    m->mode == MODE_TICKET ? model_deed_of(key) : NULL;

	if (d != NULL)
		return model_begin(m, d);
	if (key == 'q' || key == KEY_OF_ESCAPE || key == KEY_OF_LEFT)
		go_back(m);
	else if (key == '?' && m->mode == MODE_HELP)
		go_back(m);
	else
		scroll(m, key);
	return WANT_NOTHING;
}

static void
help(struct model *m)
{
	m->under = m->mode;
	m->mode = MODE_HELP;
	m->scroll = 0;
}

static void
begin_search(struct model *m)
{
	m->mode = MODE_SEARCH;
	model_set_input(m, m->search.n > 0 ? (const char *)m->search.p : "");
}

static enum want
open_chosen(struct model *m)
{
	if (!model_may_open(m, model_row(m)))
		return WANT_NOTHING;
	m->mode = MODE_TICKET;
	m->scroll = 0;
	return WANT_OPEN;
}

static void
show_next(struct model *m)
{
	model_list(m, (enum model_show)((m->show + 1) % SHOWS));
}

static void
other_order(struct model *m)
{
	m->newest = !m->newest;
	model_sort(m);
	model_choose_first(m);
}

/* True if the key moves in the list. */
static bool
key_moves(struct model *m, uint32_t key)
{
	switch (key) {
	case KEY_OF_UP:
	case 'k':
		model_move_by(m, 1, false);
		return true;
	case KEY_OF_DOWN:
	case 'j':
		model_move_by(m, 1, true);
		return true;
	case KEY_OF_PAGE_UP:
		model_move_by(m, page(m), false);
		return true;
	case KEY_OF_PAGE_DOWN:
		model_move_by(m, page(m), true);
		return true;
	case KEY_OF_HOME:
		model_move_by(m, m->nitem, false);
		return true;
	case KEY_OF_END:
		model_move_by(m, m->nitem, true);
		return true;
	default:
		return false;
	}
}

static enum want
key_in_list(struct model *m, uint32_t key)
{
	const struct deed *d = model_deed_of(key);

	if (d != NULL)
		return model_begin(m, d);
	if (key_moves(m, key))
		return WANT_NOTHING;
	switch (key) {
	case KEY_OF_ENTER:
	case 'o':
		return open_chosen(m);
	case ' ':
		model_turn(m, 0);
		break;
	case KEY_OF_RIGHT:
		model_turn(m, 1);
		break;
	case KEY_OF_LEFT:
		model_turn(m, -1);
		break;
	case '/':
		begin_search(m);
		break;
	case 'f':
		show_next(m);
		break;
	case 't':
		other_order(m);
		break;
	case KEY_OF_ESCAPE:
		go_back(m);
		break;
	case 'q':
		return WANT_QUIT;
	default:
		break;
	}
	return WANT_NOTHING;
}

static enum want
key_searching(struct model *m, uint32_t key)
{
	if (key == KEY_OF_ENTER || key == KEY_OF_ESCAPE) {
		m->mode = MODE_LIST;
		if (key == KEY_OF_ESCAPE)
			return model_search(m, "");
	} else if (model_edit(m, key)) {
		return model_search(m, m->input);
	} else {
		(void)key_moves(m, key);
	}
	return WANT_NOTHING;
}

static enum want
key_asked(struct model *m, uint32_t key)
{
	if (key == KEY_OF_ESCAPE) {
		model_drop(m);
		model_say(m, false, "given up; nothing was sent");
	} else if (key == KEY_OF_TAB) {
		model_complete(m);
	} else if (key == KEY_OF_ENTER) {
		return model_answer(m);
	} else {
		(void)model_edit(m, key);
	}
	return WANT_NOTHING;
}

/* Enter, and what is typed in haste, is no answer to this one. */
static enum want
key_sure(struct model *m, uint32_t key)
{
	if (key == 'y')
		return WANT_POST;
	if (key == 'n' || key == 'q' || key == KEY_OF_ESCAPE) {
		model_drop(m);
		model_say(m, false, "given up; nothing was sent");
	}
	return WANT_NOTHING;
}

/* Commands are typed. What comes out of a clipboard is text or nothing. */
static enum want
pasted(struct model *m, uint32_t key)
{
	if (key == KEY_OF_PASTED)
		m->pasting = false;
	else if (m->mode == MODE_ASK)
		(void)model_edit(m, key == KEY_OF_ENTER ? '\n' : key);
	else if (m->mode == MODE_SEARCH && key < KEY_OF_ENTER &&
		 model_edit(m, key))
		return model_search(m, m->input);
	return WANT_NOTHING;
}

enum want
model_key(struct model *m, uint32_t key)
{
	static enum want (*const keys[])(struct model *, uint32_t) = {
		[MODE_LIST] = key_in_list,
		[MODE_TICKET] = key_reading,
		[MODE_HELP] = key_reading,
		[MODE_SEARCH] = key_searching,
		[MODE_ASK] = key_asked,
		[MODE_SURE] = key_sure,
	};

	hush(m);
	m->touched = true;
	if (key == KEY_OF_PASTE)
		m->pasting = true;
	if (m->pasting)
		return pasted(m, key);
	if (key == 0x0c)
		return WANT_PAINT;
	if (key == '?' && (m->mode == MODE_LIST || m->mode == MODE_TICKET)) {
		help(m);
		return WANT_NOTHING;
	}
	return keys[m->mode](m, key);
}

enum want
model_enter(struct model *m, const char *line)
{
	hush(m);
	if (m->mode == MODE_SURE)
		return key_sure(
		    m, strcmp(line, "yes") == 0 ? (uint32_t)'y' : 'n');
	model_set_input(m, line);
	return key_asked(m, KEY_OF_ENTER);
}

/* ---- begin and end ---- */

void
model_init(struct model *m, const char *own, const char *const *members)
{
	*m = (struct model){ .own = own, .members = members, .height = 20 };
}

void
model_release(struct model *m)
{
	model_release_list(m);
	free(m->folder);
	model_drop(m);
	hush(m);
	buf_release(&m->search);
}

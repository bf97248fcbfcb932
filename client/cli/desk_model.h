/* SPDX-License-Identifier: ISC */
/*
 * desk_model.h - what the officer's desk shows and what a key does
 *
 * The state of `tocsin desk` without a terminal, a network or a clock: which
 * tickets are listed and in what order, which one is chosen, what is typed, and
 * what was answered to a question so far. A key goes in, and what somebody else
 * must do comes out (enum want): open a ticket, post a draft. So all of it is
 * tested without a screen, and the full screen and the line mode behave the
 * same.
 *
 * The one idea: what is done is done to the ticket that was chosen, never to a
 * place in the list. Tickets come and go and change their order while the
 * officer looks; the chosen one stays chosen and listed until a key moves on.
 *
 * A deed that leaks or cannot be taken back is asked for once more, with the
 * ticket's label and subject and all that it goes to, and is done for 'y'
 * alone: Enter is pressed too easily. What is pasted is text, never a command.
 *
 * Rows and members are the caller's, and must live until others are given.
 * Strings of others are as they came: the views print them through print.h.
 */
#ifndef TOCSIN_CLI_DESK_MODEL_H
#define TOCSIN_CLI_DESK_MODEL_H

#include "client/cli/rows.h"
#include "client/vocab.h"
#include "crypto/buf.h"

#define MODEL_INPUT 4096 /* bytes of what is typed */
#define MODEL_TO 32	 /* members that are named in a deed */

/* What a view makes of the terminal's keys; a letter is its code point. */
enum model_key {
	KEY_OF_ENTER = 0x200000,
	KEY_OF_ESCAPE,
	KEY_OF_TAB,
	KEY_OF_BACKSPACE,
	KEY_OF_WIPE, /* all that was typed */
	KEY_OF_UP,
	KEY_OF_DOWN,
	KEY_OF_LEFT,
	KEY_OF_RIGHT,
	KEY_OF_PAGE_UP,
	KEY_OF_PAGE_DOWN,
	KEY_OF_HOME,
	KEY_OF_END,
	KEY_OF_PASTE, /* what follows was pasted, up to ... */
	KEY_OF_PASTED,
};

enum model_mode {
	MODE_LIST,
	MODE_TICKET, /* one is open */
	MODE_HELP,
	MODE_SEARCH,
	MODE_ASK,  /* for a word or text that the deed needs */
	MODE_SURE, /* whether it is to be done */
};

/* What is to be done before the next key. */
enum want {
	WANT_NOTHING,
	WANT_OPEN,  /* show `at`, and tell its sender if it was not seen yet */
	WANT_LOOK,  /* to whom the draft goes: model_looked(), model_failed() */
	WANT_POST,  /* the draft: model_told(), model_failed() */
	WANT_PARTS, /* the ticket's attachments: model_parts(), model_failed()
		     */
	WANT_SAVE,  /* one of them: model_told(), model_failed() */
	WANT_FIND,  /* what is searched for, in texts: model_found() */
	WANT_PAINT, /* all of the screen: something else wrote there */
	WANT_QUIT,
};

enum model_show { SHOW_OPEN, SHOW_UNACKED, SHOW_OVERDUE, SHOW_ALL, SHOWS };

/* ---- deeds ---- */

enum ask {
	ASK_TO,
	ASK_PART,
	ASK_FOLDER,
	ASK_REASON,
	ASK_RESOLUTION,
	ASK_LOOK,
	ASK_TEXT,
	ASK_WHEN,
	ASK_SURE,
};
#define ASKS(a) (1u << (a))

/* What an officer does to a ticket with a key, or in line mode with a word. */
struct deed {
	uint32_t key;
	const char *word;
	const char *kind;   /* of the message; NULL: none is sent */
	const char *answer; /* of an ack */
	unsigned asks;
	const char *help;
};
extern const struct deed deeds[]; /* ends with a NULL word */

/* The other keys, for help. */
struct model_help {
	const char *keys;
	const char *what;
};
extern const struct model_help model_help[]; /* ends with NULL */

/* A deed that is being asked about. */
struct model_draft {
	const struct deed *deed;
	char id[TOCSIN_ID_TEXT];
	char short_id[TOCSIN_SHORT_TEXT];
	char *subject; /* of the ticket; or NULL */
	const char *to[MODEL_TO + 1];
	const char *reason;
	const char *resolution;
	char *text;	    /* or NULL */
	int64_t ackby;	    /* or 0 */
	const char **part;  /* names of attachments; NULL-terminated */
	const char *chosen; /* one of them */
	char *folder;
	/* What model_looked() said. */
	char tlp[16];
	struct buf goes; /* "mycert@my, singcert@sg", NUL-terminated */
};

/* As the library takes it; alive as long as the model's draft is. */
void model_draft_of(const struct model_draft *d, struct tocsin_draft *out);

/* ---- the state ---- */

/* A line of an unfolded ticket: one message of it. */
struct model_line {
	char tlp[16];
	int64_t time;
	char *text; /* of others, too */
};

struct model_fold {
	char id[TOCSIN_ID_TEXT];
	size_t messages; /* that the row had when they were loaded */
	bool stale;
	size_t n;
	struct model_line *line;
};

/* A line of the list. */
struct model_item {
	const struct row *row;
	const struct model_line *line; /* NULL: the ticket itself */
};

struct model {
	const struct rows *rows; /* NULL: they are being read */
	const char *const *members;
	const char *own; /* our member */
	int64_t now;

	enum model_mode mode;
	enum model_show show;
	bool newest; /* first; else the most urgent */
	struct buf search;
	unsigned *found; /* of each of the rows, which words of it are in its
			    texts, as bits; or NULL */
	const struct row **order; /* all rows */
	size_t norder;
	struct model_item *item; /* those that are listed */
	size_t nitem, chosen;	 /* 0 if there is none */
	size_t top;		 /* the first line that is seen */
	char at[TOCSIN_ID_TEXT]; /* the chosen ticket; "": none */
	uint64_t at_number;	 /* and its number, or 0: any */
	size_t height;		 /* lines that are seen */

	struct model_fold *fold;
	size_t nfold;

	size_t scroll;	       /* of an open ticket or the help */
	enum model_mode under; /* where the question or the help came from */

	enum ask asking;
	struct model_draft draft;
	char *folder; /* that was named last; or NULL */
	char input[MODEL_INPUT];
	size_t ninput;
	bool pasting;

	bool touched; /* a key was pressed */
	char *said;   /* since the last key; or NULL */
	bool bad;     /* it is a refusal */
};

/* The members end with NULL. */
void model_init(struct model *m, const char *own, const char *const *members);
void model_release(struct model *m);

/* New rows in place of the old ones, which the model no longer has then. */
void model_take(struct model *m, const struct rows *rows, int64_t now);

/* How many lines of the list there are to see. */
void model_resize(struct model *m, size_t height);

enum want model_key(struct model *m, uint32_t key);

/* In line mode: a deed, or a whole line in place of the keys. */
enum want model_begin(struct model *m, const struct deed *d);
enum want model_enter(struct model *m, const char *line);
/* A ticket by its id, listed or not; false: it is not here. */
bool model_at(struct model *m, const char *id);
void model_list(struct model *m, enum model_show show);
enum want model_search(struct model *m, const char *words);
const struct deed *model_deed(const char *word);

/* The chosen ticket's row; NULL: there is none. */
const struct row *model_row(const struct model *m);

/* ---- answers to what was wanted ---- */

enum want model_looked(
    struct model *m, const char *tlp, const char *const *to, size_t n);
/* Names of attachments, `n` of them, which are copied. */
enum want model_parts(struct model *m, const char *const *names, size_t n);
/*
 * The i-th word of the search, or false; and for each row which of the words
 * are somewhere in its texts. Takes the array over. `anew`: the list begins
 * with its first line.
 */
#define MODEL_WORDS 16 /* later ones are looked for in the list alone */
bool model_word(const struct model *m, size_t i, char word[256]);
void model_found(struct model *m, unsigned *found, bool anew);
/* Both end the deed; the sentence is shown until the next key. */
void model_told(struct model *m, const char *sentence);
void model_failed(struct model *m, const char *sentence);
/* A sentence that ends nothing. */
void model_say(struct model *m, bool bad, const char *sentence);

/* An unfolded ticket whose lines are to be loaded; NULL: none. */
const char *model_stale(const struct model *m);
/* Takes the lines and their texts over. */
void model_unfold(
    struct model *m, const char *id, struct model_line *line, size_t n);

/* ---- what is shown ---- */

/* What is asked: "close: how it ended (may be empty)". */
void model_question(const struct model *m, struct buf *out);
/* The words to choose from; NULL: any. */
const struct word *model_choices(const struct model *m);

/* To the next deadline: "3h05m", "late 12m", "" */
void model_left(char out[32], const struct row *r, int64_t now);
bool model_late(const struct row *r, int64_t now);
bool model_unfolded(const struct model *m, const struct row *r);
extern const char *const model_shows[SHOWS]; /* "open" */

#endif

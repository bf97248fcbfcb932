/* SPDX-License-Identifier: ISC */
/*
 * config.h - tocsind.conf
 *
 * An INI file: sections in brackets, `key = value`, comments after # or ; at
 * the start of a line. One table in config.c holds for each key where it goes,
 * what it may be, its default and a sentence. From it come the parser, the file
 * that `tocsind init` writes, and the list that the manual is compared with.
 *
 * A key that does not exist, is given twice, or has a value that it cannot have
 * is an error, told with its line and, for a misspelt key, the nearest right
 * one. Nothing is guessed: a broker does not start on half of what was meant.
 *
 * Sizes are bytes, or 64k, 16m, 2g (powers of 1024). Durations are 500ms, 30s,
 * 5m, 12h or 1d, kept in milliseconds. Rates are 64kbit, 2mbit or 1gbit (powers
 * of 1000), kept in bits per second. Yes and no are written yes and no.
 */
#ifndef TOCSIN_BROKER_CONFIG_H
#define TOCSIN_BROKER_CONFIG_H

#include "crypto/text.h"

#define CONFIG_PATH_MAX 511
#define CONFIG_DEFAULT_FILE "/etc/tocsin/tocsind.conf"
#define CONFIG_FILE_MAX (64 * 1024)
#define CONFIG_LABELS 16 /* keep.LABEL */
#define CONFIG_WORDS_MAX 527
#define CONFIG_EXERCISES_MAX 1039

/* [peer NAME]: what is said about one other broker. */
#define CONFIG_PEERS 64
struct config_peer {
	char name[LABEL_MAX + 1];
	uint64_t rate;	/* bits per second; 0: no limit */
	uint64_t quota; /* bytes; 0: as [accept] quota */
};

/* Strings are empty where nothing was said and there is no default. */
struct config {
	/* [broker] */
	char federation[FEDERATION_MAX + 1];
	char nation[NATION_MAX + 1];
	char name[LABEL_MAX + 1];
	char state[CONFIG_PATH_MAX + 1];
	char listen[URL_MAX + 1];
	char url[URL_MAX + 1];
	uint64_t log; /* enum log_level */
	uint64_t canary;

	/* [store] */
	uint64_t map;
	uint64_t prealloc;
	uint64_t readers;
	uint64_t batch;
	uint64_t keep;
	uint64_t keep_unread;
	uint64_t check;
	struct config_keep {
		char label[TOKEN_MAX + 1];
		uint64_t ms;
	} keep_label[CONFIG_LABELS]; /* in the order of the file */
	size_t nkeep;

	/* [limits] */
	uint64_t contexts;
	uint64_t reserve;
	uint64_t connections;
	uint64_t per_source;
	uint64_t source_rate;
	uint64_t source_burst;
	uint64_t idle;
	uint64_t handshakes;
	uint64_t half_open;
	uint64_t sessions;
	uint64_t strangers;
	uint64_t per_device;
	uint64_t parks;
	uint64_t queue;
	uint64_t post_rate;
	uint64_t post_burst;
	uint64_t member_day;
	uint64_t part_max;
	uint64_t staged;
	uint64_t staged_for;

	/* [relay] */
	uint64_t window;

	/* [exercise] */
	char carry[CONFIG_EXERCISES_MAX + 1];
	uint64_t live;
	uint64_t exercise_quota;
	uint64_t exercise_rate;
	uint64_t exercise_burst;

	/* [accept] */
	uint64_t largest_body;
	uint64_t largest_part;
	uint64_t quota;
	uint64_t member_quota;
	char kinds_refused[CONFIG_WORDS_MAX + 1];
	char labels_refused[CONFIG_WORDS_MAX + 1];

	size_t npeer;
	struct config_peer peer[CONFIG_PEERS];
};

struct config_fault {
	unsigned line;	/* 0: the file as a whole */
	char text[320]; /* a sentence without a full stop */
};

void config_defaults(struct config *c);

/*
 * Defaults, and what the text says, and then what config_check() says.
 * EMALFORMED with *fault, *c is not to be used then; EINTERNAL: memory.
 */
MUST_USE enum tocsin_err config_parse(
    struct config *c, struct span text, struct config_fault *fault);

/* The same for a file. Other errors are those of file_read(). */
MUST_USE enum tocsin_err config_read(
    struct config *c, const char *path, struct config_fault *fault);

/* Set one key; EMALFORMED with *fault. For options of `init`. */
MUST_USE enum tocsin_err config_set(struct config *c, const char *section,
    const char *key, const char *value, struct config_fault *fault);

/* What is missing, or does not fit together. */
MUST_USE enum tocsin_err config_check(
    const struct config *c, struct config_fault *fault);

/* The whole file with a comment on each key; what is parsed prints the same. */
void config_print(struct buf *b, const struct config *c);

/* A path below the state folder. */
void config_path(
    char out[CONFIG_PATH_MAX + 1], const struct config *c, const char *name);

/* The i-th key, for help and manual; false after the last. */
struct config_key {
	const char *section;
	const char *key;
	const char *preset; /* as text; NULL: it must be given */
	const char *help;
};
bool config_key(size_t i, struct config_key *out);

#endif

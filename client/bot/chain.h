/* SPDX-License-Identifier: ISC */
/*
 * chain.h - who is asked next when somebody does not answer
 *
 * A chain is rows of members: the first, its backup, who stands in for that
 * one, up to the regional lead. The row of a member is the one that begins with
 * it; or else the first one that it stands in, from there on; or else that of
 * `*`.
 */
#ifndef TOCSIN_CLIENT_BOT_CHAIN_H
#define TOCSIN_CLIENT_BOT_CHAIN_H

#include "client/bot/rules.h"

#define CHAIN_ROWS 500
#define CHAIN_LINKS 16

struct chain_row {
	const char *member;	 /* or "*" */
	const char *const *link; /* those behind it, in order */
	size_t n;
};

struct chain {
	const char *name;
	const struct chain_row *row;
	size_t nrow;
	unsigned line;
};

/* The first behind `member` of whom asked() is false; NULL: none is left. */
const char *chain_next(const struct chain *c, const char *member,
    bool (*asked)(void *arg, const char *member), void *arg);

#endif

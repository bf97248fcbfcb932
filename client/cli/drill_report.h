/* SPDX-License-Identifier: ISC */
/*
 * drill_report.h - what a desk has of an exercise, and the report of it
 *
 * The rows that client/drill/report.h folds are read from the desk here:
 * messages that were opened and believed, and the receipts for them. What is
 * shown of the result is text, JSON and a page, all of the same figures.
 */
#ifndef TOCSIN_CLI_DRILL_REPORT_H
#define TOCSIN_CLI_DRILL_REPORT_H

#include "client/drill/report.h"
#include "client/handle.h"

struct json_t;

/* Begins as { 0 }. */
struct drill_data {
	char exercise[EXERCISE_MAX + 1];
	struct drill_message *message;
	size_t n, room;
	struct ladder_receipt *receipt;
	size_t nreceipt, receipt_room;
	enum ticket_tlp tlp; /* the narrowest of all; of nothing, CLEAR */
	unsigned left_out;   /* messages that are not believed */
	bool ours;	     /* our member posted injects */
	struct arena arena;
};

enum tocsin_err MUST_USE drill_data_load(
    struct drill_data *out, struct tocsin *t, const char *exercise);
void drill_data_release(struct drill_data *d);

/* What the outputs say beside the figures. */
struct drill_about {
	const char *exercise;
	const char *federation;
	const char *member; /* whose desk it is */
	const struct script *script;
	enum ticket_tlp tlp;
	unsigned left_out;
	int64_t now;
};

void drill_print(const struct drill_report *r, const struct drill_about *a);
struct json_t *drill_json(
    const struct drill_report *r, const struct drill_about *a);

enum tocsin_err MUST_USE drill_page(
    struct buf *out, const struct drill_report *r, const struct drill_about *a);

#endif

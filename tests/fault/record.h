/* SPDX-License-Identifier: ISC */
/*
 * record.h - what recorder.so writes and reorder reads
 *
 * A log is a sequence of records and of lines. A record begins with its op,
 * which is below a space; a line is an id as base64 and a newline, and says
 * that somebody was promised it by then. The integers are the machine's: who
 * reads a log is on the machine that wrote it.
 */
#ifndef TOCSIN_TESTS_FAULT_RECORD_H
#define TOCSIN_TESTS_FAULT_RECORD_H

#include <stdint.h>

enum record_op {
	RECORD_WRITE = 1, /* len bytes at `at` follow */
	RECORD_SYNC = 2,
	RECORD_SIZE = 3,  /* the file has now `at` bytes */
	RECORD_REACH = 4, /* and now at least so many */
};

struct record {
	uint8_t op;
	uint8_t synced; /* the write was durable when it returned */
	uint8_t spare[2];
	uint32_t len;
	uint64_t at;
};

#endif

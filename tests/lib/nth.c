/* SPDX-License-Identifier: ISC */
#include "tests/lib/nth.h"

#include <errno.h>
#include <lmdb.h>
#include <stdatomic.h>
#include <stddef.h>

/* ld's --wrap=f: calls of f come to __wrap_f, and __real_f is f. */
#define WRAP(type, name, params, args, failed)              \
	type __real_##name params;                          \
	type __wrap_##name params;                          \
	type __wrap_##name params                           \
	{                                                   \
		return hit() ? failed : __real_##name args; \
	}

static atomic_uint left; /* calls until the one that fails; 0: none does */
static atomic_bool met;
static _Thread_local unsigned mine; /* the same, of this thread */
static _Thread_local bool left_out;

void
nth_set(unsigned n)
{
	met = false;
	left = n;
}

void
nth_set_mine(unsigned n)
{
	met = false;
	mine = n;
}

bool
nth_met(void)
{
	return met;
}

bool
nth_clear(void)
{
	left = mine = 0;
	return met;
}

void
nth_leave_out(bool out)
{
	left_out = out;
}

static bool
hit(void)
{
	unsigned n = left;

	if (left_out)
		return false;
	if (mine > 0 && --mine == 0) {
		met = true;
		return true;
	}
	while (n > 0 && !atomic_compare_exchange_weak(&left, &n, n - 1))
		;
	if (n != 1)
		return false;
	met = true;
	return true;
}

WRAP(void *, malloc, (size_t n), (n), NULL)
WRAP(void *, calloc, (size_t m, size_t n), (m, n), NULL)
WRAP(void *, realloc, (void *p, size_t n), (p, n), NULL)
WRAP(int, mdb_txn_begin,
    (MDB_env * env, MDB_txn *parent, unsigned flags, MDB_txn **out),
    (env, parent, flags, out), ENOMEM)
WRAP(int, mdb_cursor_open, (MDB_txn * txn, MDB_dbi dbi, MDB_cursor **out),
    (txn, dbi, out), ENOMEM)
WRAP(int, mdb_put,
    (MDB_txn * txn, MDB_dbi dbi, MDB_val *k, MDB_val *v, unsigned flags),
    (txn, dbi, k, v, flags), MDB_MAP_FULL)
WRAP(int, mdb_del, (MDB_txn * txn, MDB_dbi dbi, MDB_val *k, MDB_val *v),
    (txn, dbi, k, v), ENOSPC)

int __real_mdb_txn_commit(MDB_txn *txn);
int __wrap_mdb_txn_commit(MDB_txn *txn);

int
__wrap_mdb_txn_commit(MDB_txn *txn)
{
	if (!hit())
		return __real_mdb_txn_commit(txn);
	mdb_txn_abort(txn);
	return EIO;
}

/* SPDX-License-Identifier: ISC */
#include "client/desk.h"

#include "crypto/buf.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <lmdb.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MAP_SIZE ((size_t)64 << 30) /* address space; the file grows by use */
#define HASH_LEN 16
#define NAME_MAX_LEN 128
#define WATCH_MS 100 /* how soon another process's change is seen */

enum table {
	MSG,
	ID,
	THREAD,
	OUTBOX,
	UPLOAD,
	PLACE,
	VALUE,
	FOLD,
	WORDS,
	TABLES
};

static const struct {
	const char *name;
	unsigned flags;
} tables[TABLES] = {
	[MSG] = { "messages", MDB_INTEGERKEY },
	[ID] = { "ids", 0 },
	[THREAD] = { "threads", 0 },
	[OUTBOX] = { "outbox", MDB_INTEGERKEY },
	[UPLOAD] = { "uploads", 0 },
	[PLACE] = { "places", 0 },
	[VALUE] = { "values", 0 },
	[FOLD] = { "folds", 0 },
	[WORDS] = { "words", 0 },
};

struct desk {
	struct desk *next; /* in `all` */
	unsigned refs;
	pid_t pid; /* a child of fork() must not touch its parent's */
	dev_t dev;
	ino_t ino;
	MDB_env *env;
	MDB_dbi dbi[TABLES];
	pthread_mutex_t lock;
	pthread_cond_t changed;
	uint64_t wakes;
	void *map; /* of the file; NULL: not known */
	size_t map_size;
};

static pthread_mutex_t all_lock = PTHREAD_MUTEX_INITIALIZER;
static struct desk *all; /* open in this process, or in its parent */

struct desk_tx {
	struct desk *desk;
	MDB_txn *txn;
	bool writes;
};

static enum tocsin_err
from_mdb(int rc)
{
	switch (rc) {
	case 0:
		return TOCSIN_OK;
	case MDB_NOTFOUND:
		return TOCSIN_ENOTFOUND;
	case MDB_KEYEXIST:
		return TOCSIN_EDUPLICATE;
	case MDB_MAP_FULL:
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
	case EIO: /* how LMDB reports a short write */
		return TOCSIN_ENOSPACE;
	case ENOENT:
		return TOCSIN_ENOTFOUND;
	case EACCES:
	case EPERM:
		return TOCSIN_EPERMISSIONS;
	case MDB_READERS_FULL:
		return TOCSIN_EBUSY;
	default:
		return TOCSIN_EINTERNAL;
	}
}

static MDB_val
val(struct span s)
{
	return (MDB_val){ s.n, (void *)(uintptr_t)s.p };
}

static struct span
unval(MDB_val v)
{
	return (struct span){ v.mv_size > 0 ? v.mv_data : NULL, v.mv_size };
}

static int
open_tables(struct desk *d)
{
	MDB_txn *txn = NULL;
	int rc = mdb_txn_begin(d->env, NULL, 0, &txn);
	int i;

	for (i = 0; !rc && i < TABLES; i++)
		rc = mdb_dbi_open(txn, tables[i].name,
		    tables[i].flags | MDB_CREATE, &d->dbi[i]);
	if (rc) {
		mdb_txn_abort(txn);
		return rc;
	}
	return mdb_txn_commit(txn);
}

/* LMDB never syncs the folder that holds a new file. */
static void
sync_dir(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0) {
		(void)fsync(fd);
		close(fd);
	}
}

static void
dispose(struct desk *d)
{
	if (d->env != NULL)
		mdb_env_close(d->env);
	pthread_cond_destroy(&d->changed);
	pthread_mutex_destroy(&d->lock);
	free(d);
}

/* Something that lies in the map. */
static const void *
in_map(MDB_env *env)
{
	const void *p = NULL;
	MDB_txn *txn = NULL;
	MDB_cursor *c = NULL;
	MDB_val k, v;
	MDB_dbi names;

	if (mdb_txn_begin(env, NULL, MDB_RDONLY, &txn) != 0)
		return NULL;
	if (mdb_dbi_open(txn, NULL, 0, &names) == 0 &&
	    mdb_cursor_open(txn, names, &c) == 0) {
		if (mdb_cursor_get(c, &k, &v, MDB_FIRST) == 0)
			p = v.mv_data;
		mdb_cursor_close(c);
	}
	mdb_txn_abort(txn);
	return p;
}

/* LMDB does not say where its map is; the kernel does, or nothing is trimmed.
 */
static void
find_map(struct desk *d)
{
	const uintptr_t at = (uintptr_t)in_map(d->env);
	FILE *f = at != 0 ? fopen("/proc/self/maps", "re") : NULL;
	uintptr_t from, to;
	char line[256];

	while (
	    f != NULL && d->map == NULL && fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " r--s", &from,
			&to) == 2 &&
		    from <= at && at < to) {
			d->map = (void *)from;
			d->map_size = to - from;
		}
	if (f != NULL)
		fclose(f);
}

/*
 * The map is shared and only read: nothing in it is ours alone. It stays where
 * it is, since its size is set once, before it is made.
 */
void
desk_trim(struct desk *d)
{
	if (d->map != NULL)
		(void)madvise(d->map, d->map_size, MADV_DONTNEED);
}

static int
open_env(struct desk *d, const char *dir)
{
	int dead, rc = mdb_env_create(&d->env);

	if (rc)
		return rc;
	mdb_env_set_maxdbs(d->env, TABLES);
	mdb_env_set_mapsize(d->env, MAP_SIZE);
	rc = mdb_env_open(d->env, dir, MDB_NOTLS, 0600);
	if (rc)
		return rc;
	(void)mdb_reader_check(d->env, &dead);
	rc = open_tables(d);
	if (rc)
		return rc;
	sync_dir(dir);
	find_map(d);
	return 0;
}

static int
make(struct desk **out, const char *dir, const struct stat *st)
{
	struct desk *d = calloc(1, sizeof(*d));
	pthread_condattr_t attr;
	int rc;

	if (d == NULL)
		return ENOMEM;
	d->pid = getpid();
	d->dev = st->st_dev;
	d->ino = st->st_ino;
	pthread_mutex_init(&d->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&d->changed, &attr);
	pthread_condattr_destroy(&attr);
	rc = open_env(d, dir);
	if (rc)
		dispose(d);
	else
		*out = d;
	return rc;
}

static struct desk *
find_open(const struct stat *st)
{
	struct desk *d;

	for (d = all; d != NULL; d = d->next)
		if (d->pid == getpid() && d->dev == st->st_dev &&
		    d->ino == st->st_ino)
			break;
	return d;
}

enum tocsin_err
desk_open(struct desk **out, const char *dir)
{
	struct desk *d;
	struct stat st;
	int rc = 0;

	if (mkdir(dir, 0700) != 0 && errno != EEXIST)
		return from_mdb(errno);
	if (stat(dir, &st) != 0)
		return from_mdb(errno);
	pthread_mutex_lock(&all_lock);
	d = find_open(&st);
	if (d == NULL) {
		rc = make(&d, dir, &st);
		if (!rc) {
			d->next = all;
			all = d;
		}
	}
	if (!rc) {
		d->refs++;
		*out = d;
	}
	pthread_mutex_unlock(&all_lock);
	return from_mdb(rc);
}

void
desk_close(struct desk *d)
{
	struct desk **at;

	if (d == NULL)
		return;
	pthread_mutex_lock(&all_lock);
	if (--d->refs == 0) {
		for (at = &all; *at != d; at = &(*at)->next)
			;
		*at = d->next;
		dispose(d);
	}
	pthread_mutex_unlock(&all_lock);
}

static enum tocsin_err
begin(struct desk *d, bool writes, struct desk_tx **out)
{
	struct desk_tx *tx = calloc(1, sizeof(*tx));
	int rc;

	if (tx == NULL)
		return TOCSIN_EINTERNAL;
	tx->desk = d;
	tx->writes = writes;
	rc = mdb_txn_begin(d->env, NULL, writes ? 0 : MDB_RDONLY, &tx->txn);
	if (rc) {
		free(tx);
		return from_mdb(rc);
	}
	*out = tx;
	return TOCSIN_OK;
}

enum tocsin_err
desk_read(struct desk *d, struct desk_tx **tx)
{
	return begin(d, false, tx);
}

enum tocsin_err
desk_write(struct desk *d, struct desk_tx **tx)
{
	return begin(d, true, tx);
}

enum tocsin_err
desk_commit(struct desk_tx *tx)
{
	struct desk *d = tx->desk;
	bool writes = tx->writes;
	int rc = mdb_txn_commit(tx->txn);

	free(tx);
	if (!rc && writes)
		desk_wake(d);
	return from_mdb(rc);
}

void
desk_end(struct desk_tx *tx)
{
	if (tx == NULL)
		return;
	mdb_txn_abort(tx->txn);
	free(tx);
}

/* ---- waiting ---- */

void
desk_wake(struct desk *d)
{
	pthread_mutex_lock(&d->lock);
	d->wakes++;
	pthread_cond_broadcast(&d->changed);
	pthread_mutex_unlock(&d->lock);
}

static uint64_t
changes(struct desk *d)
{
	MDB_envinfo info;

	/* The last transaction's number counts all processes' changes. */
	mdb_env_info(d->env, &info);
	return info.me_last_txnid + d->wakes;
}

uint64_t
desk_changes(struct desk *d)
{
	uint64_t n;

	pthread_mutex_lock(&d->lock);
	n = changes(d);
	pthread_mutex_unlock(&d->lock);
	return n;
}

static struct timespec
in_ms(int64_t ms)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += ms / 1000;
	t.tv_nsec += (ms % 1000) * 1000000;
	if (t.tv_nsec >= 1000000000) {
		t.tv_sec++;
		t.tv_nsec -= 1000000000;
	}
	return t;
}

static bool
before(const struct timespec *a, const struct timespec *b)
{
	if (a->tv_sec != b->tv_sec)
		return a->tv_sec < b->tv_sec;
	return a->tv_nsec < b->tv_nsec;
}

void
desk_wait(struct desk *d, uint64_t seen, int timeout_ms)
{
	struct timespec end = in_ms(timeout_ms < 0 ? 0 : timeout_ms);

	pthread_mutex_lock(&d->lock);
	while (changes(d) == seen) {
		struct timespec now = in_ms(0), look = in_ms(WATCH_MS);

		if (timeout_ms >= 0 && !before(&now, &end))
			break;
		if (timeout_ms >= 0 && before(&end, &look))
			look = end;
		pthread_cond_timedwait(&d->changed, &d->lock, &look);
	}
	pthread_mutex_unlock(&d->lock);
}

/* ---- tables ---- */

static enum tocsin_err
put(struct desk_tx *tx, enum table t, struct span key, struct span value,
    unsigned flags)
{
	MDB_val k = val(key), v = val(value);

	return from_mdb(mdb_put(tx->txn, tx->desk->dbi[t], &k, &v, flags));
}

static enum tocsin_err
get(struct desk_tx *tx, enum table t, struct span key, struct span *value)
{
	MDB_val k = val(key), v = { 0 };
	int rc = mdb_get(tx->txn, tx->desk->dbi[t], &k, &v);

	*value = unval(v);
	return from_mdb(rc);
}

static enum tocsin_err
del(struct desk_tx *tx, enum table t, struct span key)
{
	MDB_val k = val(key);

	return from_mdb(mdb_del(tx->txn, tx->desk->dbi[t], &k, NULL));
}

/* The first row at or after `key`. */
static enum tocsin_err
seek(struct desk_tx *tx, enum table t, struct span *key, struct span *value)
{
	MDB_cursor *c = NULL;
	MDB_val k = val(*key), v;
	int rc = mdb_cursor_open(tx->txn, tx->desk->dbi[t], &c);

	if (rc)
		return from_mdb(rc);
	rc = mdb_cursor_get(c, &k, &v, key->n > 0 ? MDB_SET_RANGE : MDB_FIRST);
	mdb_cursor_close(c);
	if (rc)
		return from_mdb(rc);
	*key = unval(k);
	*value = unval(v);
	return TOCSIN_OK;
}

/* Integer keys are in the machine's order: the home stays on its machine. */
static enum tocsin_err
seek_number(struct desk_tx *tx, enum table t, uint64_t after, uint64_t *out)
{
	uint64_t n = after + 1;
	struct span key = { (const uint8_t *)&n, sizeof(n) }, value;
	enum tocsin_err err;

	if (n == 0)
		return TOCSIN_ENOTFOUND;
	err = seek(tx, t, &key, &value);
	if (err == TOCSIN_OK)
		memcpy(out, key.p, sizeof(*out));
	return err;
}

static struct span
number_key(const uint64_t *n)
{
	return (struct span){ (const uint8_t *)n, sizeof(*n) };
}

/* ---- messages ---- */

#define MESSAGE_OWN 1

static void
encode(struct buf *b, const struct desk_message *m)
{
	uint8_t hash[HASH_LEN];

	buf_u64(b, m->seq);
	buf_u64(b, (uint64_t)m->posted);
	buf_u64(b, (uint64_t)m->arrived);
	buf_u16(b, (uint16_t)m->refused);
	buf_u8(b, m->own ? MESSAGE_OWN : 0);
	buf_add(b, SPAN(m->id));
	buf_add(b, SPAN(m->thread));
	buf_u32(b, (uint32_t)m->note.n);
	buf_add(b, m->note);
	buf_add(b, m->body);
	if (!buf_ok(b))
		return;
	crypto_generichash(hash, sizeof(hash), b->p, b->n, NULL, 0);
	buf_add(b, SPAN(hash));
}

static enum tocsin_err
decode(struct desk_message *out, uint64_t number, struct span row)
{
	struct desk_message m = { .number = number };
	struct span rest = row.n < HASH_LEN
			       ? (struct span){ 0 }
			       : span_cut(row, 0, row.n - HASH_LEN);
	struct rd r = rd_init(rest);
	uint8_t hash[HASH_LEN];

	if (row.n < HASH_LEN)
		return TOCSIN_EBODYMISMATCH;
	crypto_generichash(hash, sizeof(hash), rest.p, rest.n, NULL, 0);
	if (memcmp(hash, row.p + rest.n, HASH_LEN) != 0)
		return TOCSIN_EBODYMISMATCH;
	m.seq = rd_u64(&r);
	m.posted = (int64_t)rd_u64(&r);
	m.arrived = (int64_t)rd_u64(&r);
	m.refused = tocsin_err_from_wire(rd_u16(&r));
	m.own = rd_u8(&r) == MESSAGE_OWN;
	rd_copy(&r, m.id, sizeof(m.id));
	rd_copy(&r, m.thread, sizeof(m.thread));
	m.note = rd_span(&r, rd_u32(&r));
	m.body = rd_rest(&r);
	if (!rd_done(&r))
		return TOCSIN_EBODYMISMATCH;
	*out = m;
	return TOCSIN_OK;
}

static enum tocsin_err
put_row(struct desk_tx *tx, const struct desk_message *m, unsigned flags)
{
	struct buf b = { 0 };
	enum tocsin_err err = TOCSIN_EINTERNAL;

	encode(&b, m);
	if (buf_ok(&b))
		err = put(tx, MSG, number_key(&m->number), buf_span(&b), flags);
	buf_release(&b);
	return err;
}

enum tocsin_err
desk_last(struct desk_tx *tx, uint64_t *number)
{
	MDB_cursor *c = NULL;
	MDB_val k, v;
	int rc = mdb_cursor_open(tx->txn, tx->desk->dbi[MSG], &c);

	*number = 0;
	if (rc)
		return from_mdb(rc);
	rc = mdb_cursor_get(c, &k, &v, MDB_LAST);
	if (!rc)
		memcpy(number, k.mv_data, sizeof(*number));
	mdb_cursor_close(c);
	return rc == MDB_NOTFOUND ? TOCSIN_OK : from_mdb(rc);
}

static void
thread_key(uint8_t key[ID_LEN + 8], const uint8_t thread[ID_LEN], uint64_t n)
{
	size_t i;

	memcpy(key, thread, ID_LEN);
	for (i = 0; i < 8; i++)
		key[ID_LEN + i] = (uint8_t)(n >> (56 - 8 * i));
}

/* ---- folds ---- */

static uint64_t
stamp_of(struct span value)
{
	struct rd r = rd_init(value);

	return rd_u64(&r);
}

uint64_t
desk_snapshot(const struct desk_tx *tx)
{
	return mdb_txn_id(tx->txn);
}

enum tocsin_err
desk_forget(struct desk_tx *tx, const uint8_t thread[ID_LEN])
{
	struct span key = { thread, ID_LEN };
	struct buf b = { 0 };
	enum tocsin_err err = TOCSIN_EINTERNAL;

	buf_u64(&b, desk_snapshot(tx));
	if (buf_ok(&b))
		err = put(tx, FOLD, key, buf_span(&b), 0);
	buf_drop(&b);
	if (err == TOCSIN_OK)
		err = del(tx, WORDS, key);
	return err == TOCSIN_ENOTFOUND ? TOCSIN_OK : err;
}

/* What is later than this very change is from another desk's counting. */
static bool
changed_since(
    struct desk_tx *tx, const uint8_t thread[ID_LEN], uint64_t snapshot)
{
	struct span key = { thread, ID_LEN }, value;
	uint64_t at;

	if (get(tx, FOLD, key, &value) != TOCSIN_OK)
		return false;
	at = stamp_of(value);
	return at > snapshot && at <= desk_snapshot(tx);
}

uint64_t
desk_fold_stamp(struct desk_tx *tx, const uint8_t thread[ID_LEN])
{
	struct span value;

	return get(tx, FOLD, (struct span){ thread, ID_LEN }, &value) ==
		       TOCSIN_OK
		   ? stamp_of(value)
		   : 0;
}

enum tocsin_err
desk_fold_put(struct desk_tx *tx, const uint8_t thread[ID_LEN],
    uint64_t snapshot, struct span fold, struct span words)
{
	struct span key = { thread, ID_LEN };
	struct buf b = { 0 };
	enum tocsin_err err = TOCSIN_EINTERNAL;

	if (changed_since(tx, thread, snapshot))
		return TOCSIN_EDUPLICATE;
	buf_u64(&b, snapshot);
	buf_add(&b, fold);
	if (buf_ok(&b))
		err = put(tx, FOLD, key, buf_span(&b), 0);
	buf_drop(&b);
	return err == TOCSIN_OK ? put(tx, WORDS, key, words, 0) : err;
}

enum tocsin_err
desk_fold_get(
    struct desk_tx *tx, const uint8_t thread[ID_LEN], struct span *out)
{
	enum tocsin_err err =
	    get(tx, FOLD, (struct span){ thread, ID_LEN }, out);

	if (err == TOCSIN_OK)
		*out = span_cut(*out, 8, out->n);
	return err == TOCSIN_OK && out->n == 0 ? TOCSIN_ENOTFOUND : err;
}

enum tocsin_err
desk_words_get(
    struct desk_tx *tx, const uint8_t thread[ID_LEN], struct span *out)
{
	return get(tx, WORDS, (struct span){ thread, ID_LEN }, out);
}

/* ---- messages, kept ---- */

enum tocsin_err
desk_put(struct desk_tx *tx, struct desk_message *m)
{
	uint8_t key[ID_LEN + 8];
	enum tocsin_err err;

	err = desk_find(tx, m->id, &m->number);
	if (err == TOCSIN_OK)
		return TOCSIN_EDUPLICATE;
	if (err != TOCSIN_ENOTFOUND)
		return err;
	err = desk_last(tx, &m->number);
	m->number++;
	thread_key(key, m->thread, m->number);
	if (err == TOCSIN_OK)
		err = put_row(tx, m, MDB_APPEND);
	if (err == TOCSIN_OK)
		err = put(tx, ID, SPAN(m->id), number_key(&m->number), 0);
	if (err == TOCSIN_OK)
		err = put(tx, THREAD, SPAN(key), (struct span){ 0 }, 0);
	return err == TOCSIN_OK ? desk_forget(tx, m->thread) : err;
}

enum tocsin_err
desk_update(struct desk_tx *tx, const struct desk_message *m)
{
	enum tocsin_err err = put_row(tx, m, 0);

	return err == TOCSIN_OK ? desk_forget(tx, m->thread) : err;
}

enum tocsin_err
desk_again(struct desk_tx *tx, struct desk_message *m)
{
	uint64_t old = m->number;
	uint8_t key[ID_LEN + 8];
	enum tocsin_err err;

	/* The new row first: what the number was does not come again. */
	err = desk_last(tx, &m->number);
	m->number++;
	if (err == TOCSIN_OK)
		err = put_row(tx, m, MDB_APPEND);
	if (err == TOCSIN_OK)
		err = put(tx, ID, SPAN(m->id), number_key(&m->number), 0);
	thread_key(key, m->thread, m->number);
	if (err == TOCSIN_OK)
		err = put(tx, THREAD, SPAN(key), (struct span){ 0 }, 0);
	thread_key(key, m->thread, old);
	if (err == TOCSIN_OK)
		err = del(tx, THREAD, SPAN(key));
	if (err == TOCSIN_OK)
		err = del(tx, MSG, number_key(&old));
	return err == TOCSIN_OK ? desk_forget(tx, m->thread) : err;
}

enum tocsin_err
desk_get(struct desk_tx *tx, uint64_t number, struct desk_message *out)
{
	struct span row;
	enum tocsin_err err = get(tx, MSG, number_key(&number), &row);

	return err == TOCSIN_OK ? decode(out, number, row) : err;
}

enum tocsin_err
desk_find(struct desk_tx *tx, const uint8_t id[ID_LEN], uint64_t *number)
{
	struct span row;
	enum tocsin_err err;

	err = get(tx, ID, (struct span){ id, ID_LEN }, &row);
	if (err == TOCSIN_OK && row.n != sizeof(*number))
		err = TOCSIN_EBODYMISMATCH;
	if (err == TOCSIN_OK)
		memcpy(number, row.p, sizeof(*number));
	return err;
}

enum tocsin_err
desk_next(struct desk_tx *tx, uint64_t after, uint64_t *number)
{
	return seek_number(tx, MSG, after, number);
}

enum tocsin_err
desk_thread_next(struct desk_tx *tx, const uint8_t thread[ID_LEN],
    uint64_t after, uint64_t *number)
{
	uint8_t from[ID_LEN + 8];
	struct span key = SPAN(from), value;
	enum tocsin_err err;
	struct rd r;

	if (after == UINT64_MAX)
		return TOCSIN_ENOTFOUND;
	thread_key(from, thread, after + 1);
	err = seek(tx, THREAD, &key, &value);
	if (err != TOCSIN_OK)
		return err;
	r = rd_init(key);
	if (!span_eq(rd_span(&r, ID_LEN), (struct span){ thread, ID_LEN }))
		return TOCSIN_ENOTFOUND;
	*number = rd_u64(&r);
	return TOCSIN_OK;
}

enum tocsin_err
desk_thread_after(
    struct desk_tx *tx, const uint8_t *after, uint8_t thread[ID_LEN])
{
	uint8_t from[ID_LEN + 8];
	struct span key = { 0 }, value;
	enum tocsin_err err;

	if (after != NULL) {
		thread_key(from, after, UINT64_MAX);
		key = SPAN(from);
	}
	err = seek(tx, THREAD, &key, &value);
	if (err == TOCSIN_OK && key.n != ID_LEN + 8)
		return TOCSIN_EBODYMISMATCH;
	if (err == TOCSIN_OK)
		memcpy(thread, key.p, ID_LEN);
	return err;
}

/* Those of one table, whose keys begin with an id, that are not in ids yet. */
static enum tocsin_err
match_in(struct desk_tx *tx, enum table table, const struct id_prefix *prefix,
    uint8_t (*ids)[ID_LEN], size_t *n, size_t max)
{
	MDB_cursor *c = NULL;
	MDB_val k = val(SPAN(prefix->bits)), v;
	size_t i;
	int rc = mdb_cursor_open(tx->txn, tx->desk->dbi[table], &c);

	if (rc)
		return from_mdb(rc);
	for (rc = mdb_cursor_get(c, &k, &v, MDB_SET_RANGE);
	     rc == 0 && *n <= max; rc = mdb_cursor_get(c, &k, &v, MDB_NEXT)) {
		if (k.mv_size < ID_LEN || !shortid_fits(prefix, k.mv_data))
			break;
		for (i = 0; i < *n && i < max; i++)
			if (memcmp(ids[i], k.mv_data, ID_LEN) == 0)
				break;
		if (i < *n && i < max)
			continue;
		if (*n < max)
			memcpy(ids[*n], k.mv_data, ID_LEN);
		++*n;
	}
	mdb_cursor_close(c);
	return rc == MDB_NOTFOUND ? TOCSIN_OK : from_mdb(rc);
}

enum tocsin_err
desk_match(struct desk_tx *tx, const struct id_prefix *prefix,
    uint8_t (*ids)[ID_LEN], size_t max, size_t *n)
{
	enum tocsin_err err;

	*n = 0;
	err = match_in(tx, ID, prefix, ids, n, max);
	return err == TOCSIN_OK ? match_in(tx, THREAD, prefix, ids, n, max)
				: err;
}

/* ---- outbox and uploads ---- */

enum tocsin_err
desk_outbox_add(struct desk_tx *tx, uint64_t number)
{
	return put(tx, OUTBOX, number_key(&number), (struct span){ 0 }, 0);
}

enum tocsin_err
desk_outbox_next(struct desk_tx *tx, uint64_t after, uint64_t *number)
{
	return seek_number(tx, OUTBOX, after, number);
}

enum tocsin_err
desk_outbox_done(struct desk_tx *tx, uint64_t number)
{
	return del(tx, OUTBOX, number_key(&number));
}

enum tocsin_err
desk_upload_add(struct desk_tx *tx, const uint8_t hash[ID_LEN], uint64_t size)
{
	return put(
	    tx, UPLOAD, (struct span){ hash, ID_LEN }, number_key(&size), 0);
}

enum tocsin_err
desk_upload_next(struct desk_tx *tx, const uint8_t *after, uint8_t hash[ID_LEN],
    uint64_t *size)
{
	uint8_t from[ID_LEN + 1] = { 0 }; /* the key right after `after` */
	struct span key = { 0 }, value;
	enum tocsin_err err;

	if (after != NULL) {
		memcpy(from, after, ID_LEN);
		key = SPAN(from);
	}
	err = seek(tx, UPLOAD, &key, &value);
	if (err != TOCSIN_OK)
		return err;
	if (key.n != ID_LEN || value.n != sizeof(*size))
		return TOCSIN_EBODYMISMATCH;
	memcpy(hash, key.p, ID_LEN);
	memcpy(size, value.p, sizeof(*size));
	return TOCSIN_OK;
}

bool
desk_upload_has(struct desk_tx *tx, const uint8_t hash[ID_LEN])
{
	struct span size;

	return get(tx, UPLOAD, (struct span){ hash, ID_LEN }, &size) ==
	       TOCSIN_OK;
}

enum tocsin_err
desk_upload_done(struct desk_tx *tx, const uint8_t hash[ID_LEN])
{
	return del(tx, UPLOAD, (struct span){ hash, ID_LEN });
}

/* ---- receipts ---- */

static void
add_short(struct buf *b, struct span s)
{
	buf_u8(b, (uint8_t)s.n);
	buf_add(b, span_cut(s, 0, UINT8_MAX));
}

/* Of a message that is not here nothing is remembered. */
static enum tocsin_err
forget_thread_of(struct desk_tx *tx, const uint8_t id[ID_LEN])
{
	struct desk_message m;
	uint64_t number;
	enum tocsin_err err = desk_find(tx, id, &number);

	if (err == TOCSIN_OK)
		err = desk_get(tx, number, &m);
	if (err == TOCSIN_OK)
		return desk_forget(tx, m.thread);
	return err == TOCSIN_ENOTFOUND || err == TOCSIN_EBODYMISMATCH
		   ? TOCSIN_OK
		   : err;
}

enum tocsin_err
desk_place_put(
    struct desk_tx *tx, const uint8_t id[ID_LEN], const struct desk_place *p)
{
	struct buf key = { 0 }, row = { 0 };
	enum tocsin_err err = TOCSIN_EINTERNAL;

	buf_add(&key, (struct span){ id, ID_LEN });
	buf_u8(&key, p->kind);
	buf_add(&key, span_cut(p->who, 0, 128));
	buf_u64(&row, (uint64_t)p->time);
	add_short(&row, p->by);
	add_short(&row, p->reason);
	add_short(&row, p->receipt);
	if (buf_ok(&key) && buf_ok(&row))
		err = put(
		    tx, PLACE, buf_span(&key), buf_span(&row), MDB_NOOVERWRITE);
	if (err == TOCSIN_OK)
		err = forget_thread_of(tx, id);
	if (err == TOCSIN_EDUPLICATE) /* the first word stands */
		err = TOCSIN_OK;
	buf_release(&key);
	buf_release(&row);
	return err;
}

/* The i-th row whose key begins with `prefix`. */
static enum tocsin_err
nth(struct desk_tx *tx, enum table t, struct span prefix, size_t i,
    struct span *key, struct span *value)
{
	MDB_cursor *c = NULL;
	MDB_val k = val(prefix), v;
	int rc = mdb_cursor_open(tx->txn, tx->desk->dbi[t], &c);

	if (rc)
		return from_mdb(rc);
	rc = mdb_cursor_get(c, &k, &v, MDB_SET_RANGE);
	while (!rc && i-- > 0)
		rc = mdb_cursor_get(c, &k, &v, MDB_NEXT);
	mdb_cursor_close(c);
	if (rc)
		return from_mdb(rc);
	*key = unval(k);
	*value = unval(v);
	if (!span_eq(span_cut(*key, 0, prefix.n), prefix))
		return TOCSIN_ENOTFOUND;
	return TOCSIN_OK;
}

enum tocsin_err
desk_place_get(struct desk_tx *tx, const uint8_t id[ID_LEN], size_t i,
    struct desk_place *out)
{
	struct span key, row;
	enum tocsin_err err;
	struct rd r;

	err = nth(tx, PLACE, (struct span){ id, ID_LEN }, i, &key, &row);
	if (err != TOCSIN_OK)
		return err;
	r = rd_init(key);
	rd_span(&r, ID_LEN);
	out->kind = rd_u8(&r);
	out->who = rd_rest(&r);
	r = rd_init(row);
	out->time = (int64_t)rd_u64(&r);
	out->by = rd_span(&r, rd_u8(&r));
	out->reason = rd_span(&r, rd_u8(&r));
	out->receipt = (struct span){ 0 };
	if (r.rest.n > 0) /* older rows have none */
		out->receipt = rd_span(&r, rd_u8(&r));
	return rd_done(&r) ? TOCSIN_OK : TOCSIN_EBODYMISMATCH;
}

/* ---- named values ---- */

enum tocsin_err
desk_value_put(struct desk_tx *tx, const char *name, struct span value)
{
	enum tocsin_err err;

	if (value.n > 0)
		return put(tx, VALUE, span_of(name), value, 0);
	err = del(tx, VALUE, span_of(name));
	return err == TOCSIN_ENOTFOUND ? TOCSIN_OK : err;
}

enum tocsin_err
desk_value_get(struct desk_tx *tx, const char *name, struct span *out)
{
	return get(tx, VALUE, span_of(name), out);
}

enum tocsin_err
desk_u64_put(struct desk_tx *tx, const char *name, uint64_t v)
{
	return desk_value_put(tx, name, number_key(&v));
}

uint64_t
desk_u64_get(struct desk_tx *tx, const char *name)
{
	struct span s;
	uint64_t v = 0;

	if (desk_value_get(tx, name, &s) == TOCSIN_OK && s.n == sizeof(v))
		memcpy(&v, s.p, sizeof(v));
	return v;
}

enum tocsin_err
desk_value_next(struct desk_tx *tx, const char *prefix, struct span *name,
    struct span *value)
{
	uint8_t after[NAME_MAX_LEN + 1] = { 0 };
	struct span key = span_of(prefix);
	enum tocsin_err err;

	if (name->n > NAME_MAX_LEN)
		return TOCSIN_EUSAGE;
	if (name->n > 0) {
		memcpy(after, name->p, name->n);
		key = (struct span){ after, name->n + 1 };
	}
	err = seek(tx, VALUE, &key, value);
	if (err != TOCSIN_OK)
		return err;
	if (!span_eq(span_cut(key, 0, strlen(prefix)), span_of(prefix)))
		return TOCSIN_ENOTFOUND;
	*name = key;
	return TOCSIN_OK;
}

/* SPDX-License-Identifier: ISC */
/*
 * Opening and closing. Everything that can be wrong with the folder and the
 * file is judged here, before the engine maps the file: reading a mapped page
 * that is not there kills the process.
 *
 * The file is always longer than what the engine has written: file_reach() runs
 * ahead of it before each commit. So a file that is shorter than its meta pages
 * say has been cut, and growing costs one allocation per step, not per commit.
 */
#include "broker/store.h"

#include "broker/store_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define NAME_LOCK "lock"
#define LOCK_SUFFIX "-lock" /* the engine's, for its readers */

#define FORMAT "tocsin store 5"

#define GROW_STEP (8 * 1024 * 1024)

/*
 * The engine's flags. Not one more: NOSYNC and NOMETASYNC lose what was
 * acknowledged when the power fails, WRITEMAP dies on a full disk. NOTLS only
 * unties a snapshot from the thread that took it.
 */
#define ENV_FLAGS (MDB_NOSUBDIR | MDB_NOTLS)

/* clang-format off */
static const struct {
	const char *name;
	unsigned flags;
} tables[TABLES] = {
	[T_META]     = { "meta",     0 },
	[T_LOG]      = { "log",      MDB_INTEGERKEY },
	[T_IDS]      = { "ids",      0 },
	[T_MAILBOX]  = { "mailbox",  0 },
	[T_OUTBOX]   = { "outbox",   0 },
	[T_COUNTERS] = { "counters", 0 },
	[T_VALUES]   = { "values",   0 },
	[T_PARTS]    = { "parts",    0 },
	[T_CHUNKS]   = { "chunks",   0 },
	[T_GARBAGE]  = { "garbage",  MDB_INTEGERKEY },
	[T_AMENDS]   = { "amends",   MDB_INTEGERKEY },
};

/*
 * File systems on which a sync or a mapping means less than it says. A broker's
 * folder is on a local disk.
 */
static const struct {
	unsigned long magic;
	const char *name;
} refused_fs[] = {
	{ NFS_SUPER_MAGIC,  "NFS" },
	{ SMB_SUPER_MAGIC,  "SMB" },
	{ 0xff534d42,       "CIFS" },
	{ 0xfe534d42,       "SMB" },
	{ 0x65735546,       "FUSE" },
	{ V9FS_MAGIC,       "9P" },
	{ AFS_SUPER_MAGIC,  "AFS" },
	{ 0x6b414653,       "AFS" },
	{ CODA_SUPER_MAGIC, "Coda" },
	{ 0x00c36400,       "Ceph" },
	{ 0x0bd00bd0,       "Lustre" },
	{ 0x01161970,       "GFS2" },
	{ 0x7461636f,       "OCFS2" },
};
/* clang-format on */

/* ---- saying why ---- */

static enum tocsin_err fault(const char **why, enum tocsin_err err,
    const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static enum tocsin_err
fault(const char **why, enum tocsin_err err, const char *fmt, ...)
{
	static _Thread_local char sentence[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(sentence, sizeof(sentence), fmt, ap);
	va_end(ap);
	if (why != NULL)
		*why = sentence;
	return err;
}

/* For what the system refused; errno decides which refusal it is. */
enum tocsin_err
store_fault_errno(const char **why, const char *what)
{
	int e = errno;
	enum tocsin_err err = e == ENOSPC || e == EDQUOT || e == EFBIG
				  ? TOCSIN_ENOSPACE
				  : TOCSIN_EINTERNAL;

	return fault(why, err, "%s: %s", what, strerror(e));
}

enum tocsin_err
store_fault_mdb(struct store *s, const char **why, const char *what, int rc)
{
	return fault(
	    why, store_from_mdb(s, rc), "%s: %s", what, mdb_strerror(rc));
}

/* ---- the folder ---- */

enum tocsin_err
store_sync_parent(const char *dir, const char **why)
{
	char path[4096];
	char *slash;
	int fd, rc;

	snprintf(path, sizeof(path), "%s", dir);
	slash = strrchr(path, '/');
	if (slash == path)
		slash++;
	if (slash != NULL)
		*slash = '\0';
	fd = open(
	    slash != NULL ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return store_fault_errno(why, "the folder above the store");
	rc = fsync(fd);
	close(fd);
	return rc == 0 ? TOCSIN_OK
		       : store_fault_errno(why, "the folder above the store");
}

static enum tocsin_err
make_dir(const char *dir, const char **why)
{
	if (mkdir(dir, 0700) == 0)
		return store_sync_parent(dir, why);
	return errno == EEXIST ? TOCSIN_OK : store_fault_errno(why, dir);
}

static enum tocsin_err
check_fs(int dir, const char **why)
{
	struct statfs fs;
	size_t i;

	if (fstatfs(dir, &fs) != 0)
		return store_fault_errno(why, "the store's file system");
	for (i = 0; i < sizeof(refused_fs) / sizeof(refused_fs[0]); i++)
		if (((unsigned long)fs.f_type & 0xffffffff) ==
		    refused_fs[i].magic)
			return fault(why, TOCSIN_EUNSUPPORTED,
			    "the store's folder is on %s, which may lose what "
			    "was synced; move it to a local disk",
			    refused_fs[i].name);
	return TOCSIN_OK;
}

/*
 * Our own lock: the engine lets a second daemon in. It is the open file's, so
 * a second open in this process does not get it either.
 */
static enum tocsin_err
open_dir(struct store *s, const char *dir, const char **why)
{
	struct stat st;
	enum tocsin_err err = make_dir(dir, why);

	if (err)
		return err;
	s->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->dir < 0 || fstat(s->dir, &st) != 0)
		return store_fault_errno(why, dir);
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		return fault(why, TOCSIN_EPERMISSIONS,
		    "others may write to the store's folder; make it mode "
		    "0700");
	err = check_fs(s->dir, why);
	if (err)
		return err;
	s->lock = openat(
	    s->dir, NAME_LOCK, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (s->lock < 0)
		return store_fault_errno(why, "the store's lock");
	if (flock(s->lock, LOCK_EX | LOCK_NB) == 0)
		return TOCSIN_OK;
	if (errno == EWOULDBLOCK)
		return fault(
		    why, TOCSIN_EBUSY, "another process has the store open");
	return store_fault_errno(why, "the store's lock");
}

/* ---- the file ---- */

/* The head of a meta page; lmdb.h promises the format, not the struct. */
struct meta_page {
	uint8_t header[16];
	uint32_t magic;
	uint32_t version;
	uint64_t address;
	uint64_t map_size;
	struct {
		uint32_t pad;
		uint16_t flags;
		uint16_t depth;
		uint64_t branch, leaf, overflow, entries, root;
	} db[2];
	uint64_t last_page;
	uint64_t txn;
};

#define META_MAGIC 0xbeefc0de
#define META_VERSION 1
#define META_FLAG 0x08 /* of a page */
#define ROOT_NONE UINT64_MAX

static bool
meta_is_one(const struct meta_page *m)
{
	uint16_t flags;

	memcpy(&flags, m->header + 10, sizeof(flags));
	return m->magic == META_MAGIC && (flags & META_FLAG) &&
	       m->db[0].pad >= 512 && m->db[0].pad <= 65536 &&
	       (m->db[0].pad & (m->db[0].pad - 1)) == 0;
}

/* Whether it can be used: nothing in it points beyond its end. */
static bool
meta_ok(const struct meta_page *m)
{
	size_t i;

	if (m->last_page < 1 || m->last_page >= UINT64_C(1) << 48)
		return false;
	for (i = 0; i < 2; i++)
		if (m->db[i].depth > 32 ||
		    (m->db[i].root != ROOT_NONE &&
			(m->db[i].root < 2 || m->db[i].root > m->last_page)))
			return false;
	return true;
}

static enum tocsin_err
no_store(const char **why)
{
	return fault(why, TOCSIN_EBODYMISMATCH,
	    STORE_DATA " does not begin as a store does; restore it from a "
		       "backup");
}

static enum tocsin_err
read_meta(int fd, off_t at, struct meta_page *m, const char **why)
{
	ssize_t n = pread(fd, m, sizeof(*m), at);

	if (n < 0)
		return store_fault_errno(why, STORE_DATA);
	if ((size_t)n < sizeof(*m) || !meta_is_one(m))
		return no_store(why);
	if (m->version != META_VERSION)
		return fault(why, TOCSIN_EUNSUPPORTED,
		    STORE_DATA " is of another version of LMDB");
	return TOCSIN_OK;
}

/*
 * Of two meta pages the engine takes the newer one. The other may be anything:
 * when the write of one fails, the engine puts an older number over it, and
 * leaves what it says.
 */
static enum tocsin_err
check_file(struct store *s, const char **why)
{
	struct meta_page a, b;
	const struct meta_page *newer;
	struct stat st = { 0 };
	uint64_t need;
	enum tocsin_err err;
	int fd;

	fd = openat(s->dir, STORE_DATA, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) != 0) {
		err = store_fault_errno(why, STORE_DATA);
		goto out;
	}
	err = read_meta(fd, 0, &a, why);
	if (!err)
		err = read_meta(fd, (off_t)a.db[0].pad, &b, why);
	if (err)
		goto out;
	newer = a.txn < b.txn ? &b : &a;
	if (!meta_ok(newer)) {
		err = no_store(why);
		goto out;
	}
	need = (newer->last_page + 1) * a.db[0].pad;
	if ((uint64_t)st.st_size < need)
		err = fault(why, TOCSIN_EBODYMISMATCH,
		    STORE_DATA " is cut: %llu bytes, %llu are needed; restore "
			       "it from a backup",
		    (unsigned long long)st.st_size, (unsigned long long)need);
	s->file_size = (uint64_t)st.st_size;
out:
	if (fd >= 0)
		close(fd);
	return err;
}

/*
 * What the disk once gave to the file it does not take back: asking again for a
 * range that is there costs nothing, also on a full disk. A step is tried
 * first, so that not every commit asks. Where files cannot be allocated, the
 * commit says whether there was room.
 */
bool
file_solid(struct store *s, uint64_t bytes)
{
	uint64_t step = (bytes + GROW_STEP - 1) / GROW_STEP * GROW_STEP;
	int rc;

	if (bytes > s->limit)
		bytes = s->limit;
	if (step > s->limit)
		step = s->limit;
	if (bytes <= s->solid || s->hollow)
		return true;
	rc = fallocate(s->file, 0, (off_t)s->solid, (off_t)(step - s->solid));
	if (rc != 0 && errno == EOPNOTSUPP) {
		s->hollow = true;
		return true;
	}
	if (rc != 0) {
		step = bytes;
		rc = fallocate(
		    s->file, 0, (off_t)s->solid, (off_t)(step - s->solid));
	}
	if (rc != 0)
		return false;
	s->solid = step;
	if (s->file_size < step)
		s->file_size = step;
	return true;
}

/*
 * Allocated if the disk has it, else as a hole: then the commit itself says
 * whether there is room, and loses nothing if there is not.
 */
enum tocsin_err
file_reach(struct store *s, uint64_t bytes)
{
	uint64_t want = (bytes + GROW_STEP - 1) / GROW_STEP * GROW_STEP;

	if (bytes > s->limit)
		bytes = s->limit;
	if (want > s->limit)
		want = s->limit;
	if (bytes <= s->file_size)
		return TOCSIN_OK;
	if (file_solid(s, want) && !s->hollow)
		return TOCSIN_OK;
	if (ftruncate(s->file, (off_t)bytes) != 0)
		return errno == ENOSPC || errno == EDQUOT || errno == EFBIG
			   ? TOCSIN_ENOSPACE
			   : TOCSIN_EINTERNAL;
	s->file_size = bytes;
	return TOCSIN_OK;
}

/*
 * What fallocate() gives are blocks that read as zeros until they are written:
 * the sync of a commit that writes to them has to change the file's map too,
 * and takes half as long again. So in idle moments zeros are written a little
 * ahead of the engine. It knows nothing of pages beyond its last one, and no
 * transaction is open, so nothing can be lost there.
 */
#define ZEROS (64 * 1024)
#define ZEROS_AT_ONCE (4 * ZEROS)
#define ZEROS_AHEAD (1024 * 1024)

void
store_prepare(struct store *s)
{
	static const uint8_t zeros[ZEROS];
	uint64_t used = pages_in_file(s) * s->page, to;

	if (s->tx.live || s->broken)
		return;
	if (s->written < used)
		s->written = used;
	if (s->written >= used + ZEROS_AHEAD)
		return;
	to = s->written + ZEROS_AT_ONCE;
	if (to > s->limit || file_reach(s, to) != TOCSIN_OK)
		return;
	while (s->written < to) {
		size_t left = (size_t)(to - s->written);
		ssize_t n = pwrite(s->file, zeros, left < ZEROS ? left : ZEROS,
		    (off_t)s->written);

		if (n <= 0)
			return; /* a commit will say what is wrong */
		s->written += (uint64_t)n;
	}
}

/* The same for the operator's wish, which a new store insists on. */
static enum tocsin_err
preallocate(struct store *s, uint64_t bytes, bool insist, const char **why)
{
	if (bytes > s->limit)
		bytes = s->limit;
	if (bytes <= s->file_size)
		return TOCSIN_OK;
	if (fallocate(s->file, 0, 0, (off_t)bytes) == 0) {
		s->file_size = s->solid = bytes;
		if (fsync(s->file) != 0)
			return store_fault_errno(why, STORE_DATA);
		return TOCSIN_OK;
	}
	if (!insist || errno == EOPNOTSUPP)
		return file_reach(s, bytes);
	return store_fault_errno(why, "allocating the store's file");
}

/* ---- the engine ---- */

static void (*on_fatal)(const char *what);

void
store_on_fatal(void (*fatal)(const char *what))
{
	on_fatal = fatal;
}

static void
engine_assert(MDB_env *env, const char *what)
{
	(void)env;
	if (on_fatal != NULL)
		on_fatal(what);
}

/*
 * Somebody has cut the file. A read would end the process by itself, but a
 * commit makes it long again, with zeros where there were pages.
 */
bool
file_is_cut(const struct store *s)
{
	struct stat st;

	if (fstat(s->file, &st) != 0 || (uint64_t)st.st_size >= s->file_size)
		return false;
	if (on_fatal != NULL)
		on_fatal("its file was cut");
	return true;
}

/* Without options: to read what another process may be writing. */
static enum tocsin_err
env_open(struct store *s, const char *dir, const char *name,
    const struct store_options *opt, const char **why)
{
	char path[4096];
	int rc;

	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >=
	    (int)sizeof(path) - 8)
		return fault(why, TOCSIN_EUSAGE,
		    "the store's folder has too long a name");
	rc = mdb_env_create(&s->env);
	if (!rc)
		rc = mdb_env_set_assert(s->env, engine_assert);
	if (!rc && opt != NULL)
		rc = mdb_env_set_mapsize(s->env, opt->map_size);
	if (!rc)
		rc = mdb_env_set_maxdbs(s->env, TABLES);
	if (!rc && opt != NULL)
		rc = mdb_env_set_maxreaders(s->env, opt->readers + 2);
	if (!rc)
		rc = mdb_env_open(s->env, path,
		    ENV_FLAGS | (opt == NULL ? MDB_RDONLY : 0), 0600);
	if (!rc)
		rc = mdb_env_get_fd(s->env, &s->file);
	return rc ? store_fault_mdb(s, why, name, rc) : TOCSIN_OK;
}

void
store_close_engine(struct store *s)
{
	while (s->pool != NULL) {
		struct store_rx *rx = s->pool;

		s->pool = rx->next;
		rx_free(rx);
	}
	if (s->env != NULL)
		mdb_env_close(s->env);
	s->env = NULL;
}

/* Handles of all tables; they are made if `txn` may write. */
static int
open_tables(struct store *s, MDB_txn *txn, unsigned create)
{
	int rc = 0, t;

	for (t = 0; !rc && t < TABLES; t++)
		rc = mdb_dbi_open(
		    txn, tables[t].name, tables[t].flags | create, &s->dbi[t]);
	return rc;
}

static enum tocsin_err
write_format(struct store *s)
{
	struct store_tx *tx;
	enum tocsin_err err = store_begin(s, &tx);

	if (err)
		return err;
	err = row_put(tx, T_META, span_of("format"), span_of(FORMAT));
	if (err) {
		store_abort(tx);
		return err;
	}
	return store_commit(tx);
}

/*
 * Where the file is mapped. The engine does not say, so it is the mapping that
 * holds the value of a row; 0 if there is none like that.
 */
static uintptr_t
find_map(uintptr_t at)
{
	unsigned long long from, to;
	uintptr_t map = 0;
	char line[512];
	FILE *f = fopen("/proc/self/maps", "re");

	if (f == NULL)
		return 0;
	while (map == 0 && fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "%llx-%llx ", &from, &to) == 2 && at >= from &&
		    at < to && strstr(line, STORE_DATA) != NULL)
			map = (uintptr_t)from;
	fclose(f);
	return map;
}

static void
learn_map(struct store *s)
{
	struct store_rx *rx;
	struct span format;

	if (store_read(s, &rx) != TOCSIN_OK)
		return;
	if (row_get(rx, T_META, span_of("format"), &format) == TOCSIN_OK)
		s->map = find_map((uintptr_t)format.p);
	store_read_end(rx);
}

static void
learn_sizes(struct store *s)
{
	MDB_envinfo info;
	MDB_stat stat;

	mdb_env_info(s->env, &info);
	mdb_env_stat(s->env, &stat);
	s->page = stat.ms_psize;
	s->limit = info.me_mapsize / s->page * s->page;
}

/*
 * A new store is made under another name and gets its own with a rename, so
 * that a power cut leaves a whole one or none.
 */
static enum tocsin_err
create(struct store *s, const char *dir, const struct store_options *opt,
    const char **why)
{
	MDB_txn *txn = NULL;
	enum tocsin_err err;
	int rc;

	unlinkat(s->dir, STORE_NEW, 0);
	unlinkat(s->dir, STORE_NEW LOCK_SUFFIX, 0);
	err = env_open(s, dir, STORE_NEW, opt, why);
	if (err)
		return err;
	learn_sizes(s);
	rc = mdb_txn_begin(s->env, NULL, 0, &txn);
	if (!rc)
		rc = open_tables(s, txn, MDB_CREATE);
	if (!rc) {
		rc = mdb_txn_commit(txn);
		txn = NULL;
	}
	mdb_txn_abort(txn);
	if (rc)
		return store_fault_mdb(s, why, "making the store", rc);
	err = write_format(s);
	if (err)
		return fault(why, err, "the new store cannot be written");
	if (fsync(s->file) != 0)
		return store_fault_errno(why, STORE_NEW);
	store_close_engine(s);
	unlinkat(s->dir, STORE_NEW LOCK_SUFFIX, 0);
	if (renameat(s->dir, STORE_NEW, s->dir, STORE_DATA) != 0 ||
	    fsync(s->dir) != 0)
		return store_fault_errno(why, STORE_DATA);
	return TOCSIN_OK;
}

static bool
exists(const struct store *s)
{
	struct stat st;

	return fstatat(s->dir, STORE_DATA, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static enum tocsin_err
open_data(struct store *s, const char *dir, const struct store_options *opt,
    const char **why)
{
	MDB_txn *txn = NULL;
	enum tocsin_err err = env_open(s, dir, STORE_DATA, opt, why);
	int rc, dead;

	if (err)
		return err;
	rc = mdb_txn_begin(s->env, NULL, MDB_RDONLY, &txn);
	if (!rc)
		rc = open_tables(s, txn, 0);
	if (!rc) {
		rc = mdb_txn_commit(txn); /* the handles stay open */
		txn = NULL;
	}
	mdb_txn_abort(txn);
	if (!rc)
		rc = mdb_reader_check(s->env, &dead);
	if (rc)
		return store_fault_mdb(s, why, STORE_DATA, rc);
	learn_sizes(s);
	learn_map(s);
	return TOCSIN_OK;
}

/*
 * The format, and whether the ends of log and tree agree. That costs the same
 * with one entry and with millions; store_verify() looks at all of it.
 */
static enum tocsin_err
check_ends(struct store *s, const char **why)
{
	struct store_rx *rx;
	struct store_entry e;
	struct merkle_store tree;
	uint8_t hash[MERKLE_HASH];
	struct span format;
	uint64_t head;
	enum tocsin_err err = store_read(s, &rx);

	if (err)
		return fault(why, err, "the store cannot be read");
	err = row_get(rx, T_META, span_of("format"), &format);
	if (!err && !span_is(format, FORMAT)) {
		err = fault(why, TOCSIN_EUNSUPPORTED,
		    "the store is of another version of tocsin");
		goto out;
	}
	head = store_head(rx);
	tree = store_tree(rx);
	if (!err && head > 0)
		err = store_get(rx, head, &e);
	if (!err && head > 0)
		err = tree.get(tree.arg, merkle_nodes(head) - 1, hash);
	if (err)
		err = fault(why, TOCSIN_EBODYMISMATCH,
		    "the newest entry of the store is damaged; try tocsind "
		    "verify --repair, else restore a backup");
out:
	store_read_end(rx);
	return err;
}

static struct store *
store_new(void)
{
	struct store *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->dir = s->lock = s->file = -1;
	s->tx.view.s = s;
	s->tx.view.tx = &s->tx;
	pthread_mutex_init(&s->pool_lock, NULL);
	pthread_mutex_init(&s->damaged_lock, NULL);
	return s;
}

/* The owner may be writing a meta page just now: then it is read again. */
#define LOOKS 5

enum tocsin_err
store_open_beside(struct store **out, const char *dir, const char **why)
{
	struct store *s = sodium_init() < 0 ? NULL : store_new();
	enum tocsin_err err = TOCSIN_OK;
	unsigned looks = 0;

	if (s == NULL)
		return fault(why, TOCSIN_EBUSY, "no memory for the store");
	s->broken = true; /* nothing is ever written */
	s->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->dir < 0)
		err = store_fault_errno(why, dir);
	else if (!exists(s))
		err = fault(why, TOCSIN_ENOTFOUND, "there is no store yet");
	while (!err && looks++ < LOOKS) {
		err = check_file(s, why);
		if (!err)
			break;
		if (looks < LOOKS)
			err = TOCSIN_OK;
	}
	if (!err)
		err = open_data(s, dir, NULL, why);
	if (err) {
		store_close(s);
		return err;
	}
	*out = s;
	return TOCSIN_OK;
}

enum tocsin_err
store_open(struct store **out, const char *dir, const struct store_options *opt,
    const char **why)
{
	struct store *s;
	bool fresh;
	enum tocsin_err err;

	if (opt->map_size < 256 * 1024 || opt->readers == 0)
		return fault(
		    why, TOCSIN_EUSAGE, "the store needs a size and readers");
	if (sodium_init() < 0)
		return fault(why, TOCSIN_EINTERNAL, "libsodium does not start");
	s = store_new();
	if (s == NULL)
		return fault(why, TOCSIN_EBUSY, "no memory for the store");
	err = open_dir(s, dir, why);
	fresh = !err && !exists(s);
	if (fresh)
		err = create(s, dir, opt, why);
	if (!err)
		err = check_file(s, why);
	if (!err)
		err = open_data(s, dir, opt, why);
	if (!err && s->file_size <= s->limit &&
	    fallocate(s->file, 0, 0, (off_t)s->file_size) == 0)
		s->solid = s->file_size;
	if (!err)
		err = preallocate(s, opt->prealloc, fresh, why);
	if (!err)
		err = opt->harmed ? TOCSIN_OK : check_ends(s, why);
	if (err) {
		store_close(s);
		return err;
	}
	*out = s;
	return TOCSIN_OK;
}

void
store_close(struct store *s)
{
	if (s == NULL)
		return;
	if (s->tx.live)
		store_abort(&s->tx);
	store_close_engine(s);
	buf_release(&s->tx.segment);
	buf_release(&s->tx.rows);
	buf_release(&s->tx.nodes);
	free(s->tx.chunk);
	if (s->lock >= 0)
		close(s->lock); /* and with it the lock */
	if (s->dir >= 0)
		close(s->dir);
	pthread_mutex_destroy(&s->pool_lock);
	pthread_mutex_destroy(&s->damaged_lock);
	free(s);
}

void
store_tidy(struct store *s)
{
	int dead;

	/* A failure here is a failure of the next commit: it will say so. */
	(void)mdb_reader_check(s->env, &dead);
}

const char *
store_engine(void)
{
	return mdb_version(NULL, NULL, NULL);
}

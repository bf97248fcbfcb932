/* SPDX-License-Identifier: ISC */
#include "broker/mark.h"

#include "broker/file.h"
#include "crypto/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MARK_MAX 128

struct mark {
	uint64_t size;
	uint8_t root[MERKLE_HASH];
};

static enum tocsin_err
mark_of(struct mark *m, struct store *s)
{
	struct store_rx *rx;
	struct merkle_store tree;
	enum tocsin_err err = store_read(s, &rx);

	if (err)
		return err;
	tree = store_tree(rx);
	m->size = store_head(rx);
	err = merkle_root(&tree, m->size, m->root);
	store_read_end(rx);
	return err;
}

void
mark_write(const char *path, struct store *s)
{
	char name[4096], root[ID_TEXT + 1];
	struct mark m;
	FILE *f;
	bool good;

	if (mark_of(&m, s) != TOCSIN_OK ||
	    snprintf(name, sizeof(name), "%s.new", path) >= (int)sizeof(name))
		return;
	f = fopen(name, "we");
	if (f == NULL)
		return;
	id_print(root, m.root);
	good = fprintf(f, "%" PRIu64 " %s\n", m.size, root) > 0;
	good = fclose(f) == 0 && good;
	if (!good || rename(name, path) != 0)
		(void)unlink(name);
}

/* False: it is not there, or not whole. */
static bool
mark_read(struct mark *m, const char *path)
{
	struct buf text = { 0 };
	const uint8_t *space;
	struct span s;
	bool good = false;

	if (file_read(path, MARK_MAX, &text) == TOCSIN_OK && text.n > 0 &&
	    text.p[text.n - 1] == '\n') {
		s = span_cut(buf_span(&text), 0, text.n - 1);
		space = memchr(s.p, ' ', s.n);
		good = space != NULL &&
		       num_parse(
			   span_cut(s, 0, (size_t)(space - s.p)), &m->size) &&
		       id_parse(span_cut(s, (size_t)(space - s.p) + 1, s.n),
			   m->root);
	}
	buf_release(&text);
	return good;
}

enum tocsin_err
mark_check(const char *path, struct store *s, const char **why)
{
	uint8_t root[MERKLE_HASH];
	struct merkle_store tree;
	struct store_rx *rx;
	struct mark m;
	enum tocsin_err err;

	if (!mark_read(&m, path))
		return TOCSIN_OK;
	err = store_read(s, &rx);
	if (err)
		return err;
	tree = store_tree(rx);
	if (store_head(rx) < m.size)
		err = TOCSIN_ECHAINCONFLICT;
	else
		err = merkle_root(&tree, m.size, root);
	if (!err && memcmp(root, m.root, sizeof(root)) != 0)
		err = TOCSIN_ECHAINCONFLICT;
	store_read_end(rx);
	if (err == TOCSIN_ECHAINCONFLICT)
		*why = "the store is not the one that this broker had: it is "
		       "older, or another; put a backup in its place with "
		       "tocsind restore, which keeps numbers from being used "
		       "twice";
	else if (err)
		*why = "the tree of the store cannot be read; see tocsind "
		       "verify";
	return err;
}

/* SPDX-License-Identifier: ISC */
#include "client/cli/saving.h"

#include <string.h>
#include <sys/stat.h>

static bool
has_part(const struct tocsin_message *m, const char *name)
{
	size_t i;

	for (i = 0; i < m->nparts; i++)
		if (strcmp(m->parts[i].name, name) == 0)
			return true;
	return false;
}

enum tocsin_err
saving_find(struct tocsin *t, const char *typed, const char *name,
    char id[TOCSIN_ID_TEXT])
{
	struct tocsin_message *m = NULL;
	struct tocsin_list *l = NULL;
	enum tocsin_err err = tocsin_get(t, typed, &m);
	size_t i;

	if (err != TOCSIN_OK)
		return err;
	memcpy(id, m->id, TOCSIN_ID_TEXT);
	if (!has_part(m, name))
		err = tocsin_thread(t, id, &l);
	for (i = 0; l != NULL && i < l->n; i++)
		if (has_part(l->message[i], name))
			memcpy(id, l->message[i]->id, TOCSIN_ID_TEXT);
	tocsin_list_free(l);
	tocsin_message_free(m);
	return err;
}

bool
saving_folder(const char *dir)
{
	struct stat st;

	return stat(dir, &st) == 0 && S_ISDIR(st.st_mode);
}

/* SPDX-License-Identifier: ISC */
#include "broker/in_unwanted.h"

#include "broker/item.h"
#include "crypto/ticket.h"

#include <string.h>

void
in_unwanted_note(struct in_item *it)
{
	struct in_unwanted *u = &it->peer->unwanted;
	struct item_entry e;
	struct ticket t;
	struct note n;
	size_t i;

	if (it->kind != RELAY_TICKET ||
	    item_entry_parse(&e, buf_span(&it->bytes)) != TOCSIN_OK ||
	    ticket_parse(&t, &n, e.note) != TOCSIN_OK)
		return;
	pthread_mutex_lock(&it->peer->lock);
	for (i = 0; i < t.npart; i++)
		memcpy(
		    u->hash[u->n++ % IN_UNWANTED], t.part[i].hash, ITEM_HASH);
	pthread_mutex_unlock(&it->peer->lock);
}

bool
in_unwanted_has(struct in_peer *p, const uint8_t hash[32])
{
	const struct in_unwanted *u = &p->unwanted;
	bool has = false;
	unsigned i;

	pthread_mutex_lock(&p->lock);
	for (i = 0; i < u->n && i < IN_UNWANTED && !has; i++)
		has = memcmp(u->hash[i], hash, ITEM_HASH) == 0;
	pthread_mutex_unlock(&p->lock);
	return has;
}

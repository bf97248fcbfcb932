/* SPDX-License-Identifier: ISC */
#include "client/form/form.h"

#include "client/form/observable.h"
#include "client/json.h"
#include "client/vocab.h"
#include "crypto/text.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

extern const struct form form_stix, form_misp, form_iodef, form_iodef_json,
    form_xarf, form_idea, form_markdown;

const struct form *const forms[] = { &form_stix, &form_misp, &form_iodef,
	&form_iodef_json, &form_xarf, &form_idea, &form_markdown, NULL };

const struct form *
form_named(const char *name)
{
	size_t i;

	for (i = 0; forms[i] != NULL; i++)
		if (strcmp(forms[i]->name, name) == 0)
			return forms[i];
	return NULL;
}

/* ---- reading ---- */

static json_t *
load(struct span file)
{
	if (!json_shallow(file, FORM_DEPTH_MAX))
		return NULL;
	return json_loadb(
	    (const char *)file.p, file.n, JSON_REJECT_DUPLICATES, NULL);
}

static const struct form *
recognise(const json_t *root, struct span file)
{
	size_t i;

	for (i = 0; forms[i] != NULL; i++)
		if ((root != NULL && forms[i]->is != NULL &&
			forms[i]->is(root)) ||
		    (forms[i]->is_text != NULL && forms[i]->is_text(file)))
			return forms[i];
	return NULL;
}

/*
 * A file that tocsin wrote has the ticket inside, for what the format cannot
 * say. It says nothing against the file itself, and its attachments are not
 * here.
 */
static bool
adopt(struct form_in *out, const struct form_file *f)
{
	static const char *const no[] = { "attachments", "ack", "original" };
	json_t *ticket = load(buf_span(&f->bytes));
	const char *format = form_text(ticket, "format");
	bool ours = format != NULL && strcmp(format, "tocsin-ticket/v1") == 0;
	size_t i;

	for (i = 0; ours && i < sizeof(no) / sizeof(no[0]); i++)
		json_object_del(ticket, no[i]);
	if (ours)
		json_object_update_missing(out->content, ticket);
	json_decref(ticket);
	return ours;
}

static void
adopt_all(struct form_in *out)
{
	size_t i;

	for (i = 0; i < out->nfile; i++)
		if (adopt(out, &out->file[i]))
			return;
}

enum tocsin_err
form_read(struct form_in *out, const struct form *as, struct span file,
    const struct form **found)
{
	enum tocsin_err err = TOCSIN_EMALFORMED;
	json_t *root = NULL;

	*out = (struct form_in){ .content = json_object() };
	*found = as;
	if (file.n > FORM_FILE_MAX)
		return TOCSIN_ETOOLARGE;
	root = load(file);
	if (as == NULL)
		*found = recognise(root, file);
	if (*found != NULL && (*found)->read == NULL &&
	    (*found)->read_text == NULL)
		err = TOCSIN_EUNSUPPORTED; /* it is only written */
	else if (*found != NULL && (*found)->read_text != NULL)
		err = (*found)->read_text(out, file);
	else if (*found != NULL && (*found)->read != NULL && root != NULL &&
		 (*found)->is(root))
		err = (*found)->read(out, root);
	if (err == TOCSIN_OK)
		adopt_all(out);
	json_decref(root);
	return err;
}

void
form_in_release(struct form_in *f)
{
	size_t i;

	for (i = 0; i < f->nfile; i++) {
		free(f->file[i].name);
		free(f->file[i].media);
		buf_release(&f->file[i].bytes);
	}
	json_decref(f->content);
	*f = (struct form_in){ 0 };
}

const char *
form_text(const json_t *o, const char *name)
{
	return json_string_value(json_object_get(o, name));
}

void
form_set(json_t *content, const char *name, const char *value)
{
	if (value != NULL && value[0] != '\0')
		json_object_set_new(content, name, json_string(value));
}

static bool
listed(const json_t *list, const json_t *value)
{
	size_t i;

	for (i = 0; i < json_array_size(list); i++)
		if (json_equal(json_array_get(list, i), value))
			return true;
	return false;
}

void
form_add(json_t *content, const char *list, json_t *value)
{
	json_t *all = json_object_get(content, list);

	if (all == NULL) {
		all = json_array();
		json_object_set_new(content, list, all);
	}
	if (json_array_size(all) < FORM_LIST_MAX && !listed(all, value))
		json_array_append(all, value);
	json_decref(value);
}

/* The words of the list go from narrow to wide. */
static size_t
width(const char *label)
{
	size_t i;

	for (i = 0; vocab_word(VOCAB_TLP, i) != NULL; i++)
		if (strcasecmp(vocab_word(VOCAB_TLP, i), label) == 0)
			break;
	return i;
}

void
form_tlp(struct form_in *out, const char *label)
{
	const char *word;

	if (strncasecmp(label, "tlp:", 4) == 0)
		label += 4;
	word = vocab_find(
	    VOCAB_TLP, strcasecmp(label, "white") == 0 ? "CLEAR" : label);
	if (word != NULL &&
	    (out->tlp[0] == '\0' || width(word) < width(out->tlp)))
		snprintf(out->tlp, sizeof(out->tlp), "%s", word);
}

void
form_keep(struct form_in *out, const char *where, const char *name)
{
	char both[128];

	snprintf(both, sizeof(both), "%s%s%s", where,
	    where[0] != '\0' ? "." : "", name);
	form_add(out->content, "kept", json_string(both));
}

void
form_keep_others(struct form_in *out, const char *where, const json_t *o,
    const char *const *known)
{
	void *at;
	size_t i;

	for (at = json_object_iter((json_t *)(uintptr_t)o); at != NULL;
	     at = json_object_iter_next((json_t *)(uintptr_t)o, at)) {
		for (i = 0; known[i] != NULL &&
			    strcmp(known[i], json_object_iter_key(at)) != 0;
		     i++)
			;
		if (known[i] == NULL)
			form_keep(out, where, json_object_iter_key(at));
	}
}

enum tocsin_err
form_add_file(struct form_in *out, const char *name, const char *media,
    const char *base64)
{
	struct form_file *f = &out->file[out->nfile];
	size_t n = strlen(base64), got = 0;
	uint8_t *at;

	if (out->nfile == FORM_FILES_MAX)
		return TOCSIN_ETOOLARGE;
	f->name = strdup(name != NULL ? name : "attachment");
	f->media = strdup(media != NULL ? media : "application/octet-stream");
	at = buf_grow(&f->bytes, n / 4 * 3 + 3);
	out->nfile++;
	if (f->name == NULL || f->media == NULL || at == NULL)
		return TOCSIN_EINTERNAL;
	if (!span_ascii(span_of(base64)) ||
	    sodium_base642bin(at, f->bytes.n, base64, n, "\r\n ", &got, NULL,
		sodium_base64_VARIANT_ORIGINAL) != 0)
		return TOCSIN_EMALFORMED;
	buf_cut(&f->bytes, got);
	return TOCSIN_OK;
}

void
form_refer(json_t *content, const char *source, const char *id, const char *url)
{
	json_t *one;

	if (id == NULL && url == NULL)
		return;
	one = json_object();
	form_set(one, "source_name", source);
	form_set(one, "external_id", id);
	form_set(one, "url", url);
	form_add(content, "references", one);
}

bool
form_class(json_t *content, const char *word)
{
	const char *found = vocab_find(VOCAB_RSIT, word), *colon;
	json_t *pair;

	if (found == NULL)
		return false;
	colon = strchr(found, ':');
	pair = colon == NULL ? json_pack("{s:s}", "class", found)
			     : json_pack("{s:s%, s:s}", "class", found,
				   (size_t)(colon - found), "type", colon + 1);
	json_object_set_new(content, "classification", pair);
	return true;
}

void
form_class_of(char out[100], const json_t *content)
{
	const json_t *pair = json_object_get(content, "classification");
	const char *class = form_text(pair, "class");
	const char *type = form_text(pair, "type");

	snprintf(out, 100, "%.40s%s%.56s", class != NULL ? class : "",
	    class != NULL && type != NULL ? ":" : "",
	    class != NULL && type != NULL ? type : "");
}

bool
form_indicate(
    json_t *content, unsigned observable, const char *value, const char *name)
{
	struct buf pattern = { 0 };
	json_t *one;
	bool good;

	if (observable >= OBSERVABLES || value[0] == '\0')
		return false;
	observable_pattern(&pattern, (enum observable)observable, value);
	buf_u8(&pattern, '\0');
	good = buf_ok(&pattern);
	if (good) {
		one = json_object();
		form_set(one, "pattern", (const char *)pattern.p);
		form_set(one, "pattern_type", "stix");
		form_set(one, "name", name);
		form_add(content, "indicators", one);
	}
	buf_release(&pattern);
	return good;
}

/* ---- times ---- */

/* "+07:00" or "Z" or nothing; seconds east, or false. */
static bool
offset(const char *s, int64_t *out)
{
	unsigned h, m;
	int n = 0;

	*out = 0;
	if (*s == '\0' || strcasecmp(s, "Z") == 0)
		return true;
	if ((*s != '+' && *s != '-') ||
	    sscanf(s + 1, "%2u:%2u%n", &h, &m, &n) != 2 || n != 5 ||
	    s[6] != '\0' || h > 23 || m > 59)
		return false;
	*out = (int64_t)(h * 3600 + m * 60) * (*s == '-' ? -1 : 1);
	return true;
}

static bool
all_digits(const char *s)
{
	return *s != '\0' && s[strspn(s, "0123456789")] == '\0';
}

bool
form_time(char out[21], const char *typed)
{
	char plain[TIME_TEXT + 1];
	int64_t t, east;
	uint64_t seconds;
	size_t n;

	if (typed == NULL)
		return false;
	if (all_digits(typed)) {
		if (!num_parse(span_of(typed), &seconds) ||
		    seconds > UINT64_C(253402300799))
			return false;
		time_print(out, (int64_t)seconds);
		return true;
	}
	if (strlen(typed) < 10)
		return false;
	n = strspn(typed, "0123456789-T:t ");
	if (n == 10) { /* a date */
		snprintf(plain, sizeof(plain), "%.10sT00:00:00Z", typed);
		typed += 10;
	} else if (strlen(typed) >= 19) {
		snprintf(
		    plain, sizeof(plain), "%.10sT%.8sZ", typed, typed + 11);
		typed += 19;
		if (*typed == '.')
			typed += 1 + strspn(typed + 1, "0123456789");
	} else {
		return false;
	}
	if (!time_parse(span_of(plain), &t) || !offset(typed, &east) ||
	    t - east < 0)
		return false;
	time_print(out, t - east);
	return true;
}

/* ---- writing ---- */

/* Version 8 of RFC 9562: 122 bits of a hash. */
void
form_uuid(char out[37], const char *of, const char *what)
{
	uint8_t h[crypto_generichash_BYTES];
	crypto_generichash_state st;

	crypto_generichash_init(&st, NULL, 0, sizeof(h));
	crypto_generichash_update(&st, (const uint8_t *)of, strlen(of) + 1);
	crypto_generichash_update(&st, (const uint8_t *)what, strlen(what));
	crypto_generichash_final(&st, h, sizeof(h));
	h[6] = (h[6] & 0x0f) | 0x80;
	h[8] = (h[8] & 0x3f) | 0x80;
	snprintf(out, 37,
	    "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-"
	    "%02x%02x%02x%02x%02x%02x",
	    h[0], h[1], h[2], h[3], h[4], h[5], h[6], h[7], h[8], h[9], h[10],
	    h[11], h[12], h[13], h[14], h[15]);
}

const char *
form_title(const struct form_out *from)
{
	const char *s = form_text(from->message[0].content, "subject");

	return s != NULL ? s : "";
}

/* What was said after the first message, as its own paragraphs. */
static void
add_message(struct buf *out, const struct form_message *m)
{
	const json_t *ack = json_object_get(m->content, "ack");
	const char *text = form_text(m->content, "text");
	char time[TIME_TEXT + 1];

	time_print(time, m->time);
	buf_addf(out, "\n\n%s %s %s TLP:%s", time, m->from, m->kind, m->tlp);
	if (form_text(ack, "state") != NULL)
		buf_addf(out, " %s", form_text(ack, "state"));
	if (form_text(ack, "reason") != NULL)
		buf_addf(out, " (%s)", form_text(ack, "reason"));
	if (text != NULL) {
		buf_addz(out, "\n");
		buf_addz(out, text);
	}
}

enum tocsin_err
form_story(struct buf *out, struct form_out *from)
{
	const char *text = form_text(from->message[0].content, "text");
	size_t i;

	buf_addf(out, "TLP:%s\n\n%s", from->tlp, text != NULL ? text : "");
	for (i = 1; i < from->n; i++)
		add_message(out, &from->message[i]);
	buf_addf(out, "\n\nTLP:%s", from->tlp);
	return buf_ok(out) ? TOCSIN_OK : TOCSIN_EINTERNAL;
}

/* Our own two lines of a label, which are no words of anybody. */
static struct span
unlabelled(struct form_in *out, const char *text)
{
	struct span s = span_of(text), head, foot;
	char label[24];

	for (head.n = 0; head.n < s.n && text[head.n] != '\n'; head.n++)
		;
	if (head.n < 4 || head.n >= sizeof(label) || s.n < 2 * head.n + 4 ||
	    strncmp(text, "TLP:", 4) != 0)
		return s;
	head = span_cut(s, 0, head.n);
	foot = span_cut(s, s.n - head.n, head.n);
	if (!span_eq(head, foot))
		return s;
	memcpy(label, text, head.n);
	label[head.n] = '\0';
	form_tlp(out, label);
	return span_cut(s, head.n + 2, s.n - 2 * head.n - 4);
}

void
form_words(struct form_in *out, const char *text)
{
	const char *before = form_text(out->content, "text");
	struct buf b = { 0 };

	if (text == NULL)
		return;
	if (before != NULL)
		buf_addf(&b, "%s\n\n", before);
	buf_add(&b, unlabelled(out, text));
	buf_u8(&b, '\0');
	if (buf_ok(&b))
		form_set(out->content, "text", (const char *)b.p);
	buf_release(&b);
}

void
form_lose(struct form_out *from, const char *what)
{
	json_t *one = json_string(what);

	if (!listed(from->lost, one))
		json_array_append(from->lost, one);
	json_decref(one);
}

void
form_lose_others(struct form_out *from, const char *const *said)
{
	json_t *o = (json_t *)(uintptr_t)from->message[0].content;
	void *at;
	size_t i;

	for (at = json_object_iter(o); at != NULL;
	     at = json_object_iter_next(o, at)) {
		const char *name = json_object_iter_key(at);

		for (i = 0; said[i] != NULL && strcmp(said[i], name) != 0; i++)
			;
		if (said[i] == NULL && strcmp(name, "format") != 0)
			form_lose(from, name);
	}
}

char *
form_original(const struct form_out *from)
{
	char *text = json_dumps(
	    from->message[0].content, JSON_INDENT(2) | JSON_SORT_KEYS);
	struct buf b = { 0 };
	char *out = NULL;

	if (text == NULL)
		return NULL;
	buf_base64(&b, span_of(text));
	if (buf_ok(&b))
		out = strndup((const char *)b.p, b.n);
	buf_release(&b);
	free(text);
	return out;
}

enum tocsin_err
form_write(struct buf *out, const struct form *as, struct form_out *from)
{
	enum tocsin_err err = TOCSIN_EINTERNAL;
	json_t *root;
	char *text;

	if (as->write_text != NULL)
		return as->write_text(out, from);
	if (as->write == NULL)
		return TOCSIN_EUNSUPPORTED;
	root = as->write(from);
	if (root == NULL && from->why != NULL)
		return TOCSIN_EUNSUPPORTED;
	text = json_dumps(root, JSON_INDENT(2));
	if (text != NULL) {
		buf_addz(out, text);
		buf_addz(out, "\n");
		err = buf_ok(out) ? TOCSIN_OK : TOCSIN_EINTERNAL;
	}
	free(text);
	json_decref(root);
	return err;
}

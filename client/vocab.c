/* SPDX-License-Identifier: ISC */
#include "client/vocab.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

#define WORD_MAX 64

static const char *const tlp[] = { "RED", "AMBER+STRICT", "AMBER", "GREEN",
	"CLEAR", NULL };

static const char *const precedence[] = { "flash", "immediate", "priority",
	"routine", NULL };

static const char *const role[] = { "officer", "bot", "reader", NULL };

/* RSIT, machine version 1003 (CC0): 11 classes, 39 types. */
/* clang-format off */
static const char *const rsit[] = {
	"abusive-content",
	"abusive-content:spam",
	"abusive-content:harmful-speech",
	"abusive-content:violence",
	"malicious-code",
	"malicious-code:infected-system",
	"malicious-code:c2-server",
	"malicious-code:malware-distribution",
	"malicious-code:malware-configuration",
	"information-gathering",
	"information-gathering:scanner",
	"information-gathering:sniffing",
	"information-gathering:social-engineering",
	"intrusion-attempts",
	"intrusion-attempts:ids-alert",
	"intrusion-attempts:brute-force",
	"intrusion-attempts:exploit",
	"intrusions",
	"intrusions:privileged-account-compromise",
	"intrusions:unprivileged-account-compromise",
	"intrusions:application-compromise",
	"intrusions:system-compromise",
	"intrusions:burglary",
	"availability",
	"availability:dos",
	"availability:ddos",
	"availability:misconfiguration",
	"availability:sabotage",
	"availability:outage",
	"information-content-security",
	"information-content-security:unauthorised-information-access",
	"information-content-security:unauthorised-information-modification",
	"information-content-security:data-loss",
	"information-content-security:data-leak",
	"fraud",
	"fraud:unauthorised-use-of-resources",
	"fraud:copyright",
	"fraud:masquerade",
	"fraud:phishing",
	"vulnerable",
	"vulnerable:weak-crypto",
	"vulnerable:ddos-amplifier",
	"vulnerable:potentially-unwanted-accessible",
	"vulnerable:information-disclosure",
	"vulnerable:vulnerable-system",
	"other",
	"other:other",
	"other:undetermined",
	"test",
	"test:test",
	NULL
};

/*
 * GB/T 20986-2023; CISA NCISS as in MISP's priority-level; UK NCSC 1 to 6;
 * DFIR-IRIS. The first scale is the one that a bare level means.
 */
static const char *const severity[] = {
	"GB/T 20986:I", "GB/T 20986:II", "GB/T 20986:III", "GB/T 20986:IV",
	"NCISS:baseline-negligible", "NCISS:baseline-minor", "NCISS:low",
	"NCISS:medium", "NCISS:high", "NCISS:severe", "NCISS:emergency",
	"NCSC:1", "NCSC:2", "NCSC:3", "NCSC:4", "NCSC:5", "NCSC:6",
	"IRIS:informational", "IRIS:low", "IRIS:medium", "IRIS:high",
	"IRIS:critical",
	NULL
};

/* RFC 6545, RequestStatus: Justification. */
static const char *const refusal[] = {
	"SystemResource", "Authentication", "AuthenticationOrigin",
	"Encryption", "UnrecognizedFormat", "CannotProcess", "Other",
	NULL
};
/* clang-format on */

static const char *const *const lists[VOCABS] = {
	[VOCAB_TLP] = tlp,
	[VOCAB_PRECEDENCE] = precedence,
	[VOCAB_RSIT] = rsit,
	[VOCAB_SEVERITY] = severity,
	[VOCAB_REFUSAL] = refusal,
	[VOCAB_ROLE] = role,
};

const char *
vocab_word(enum vocab v, size_t i)
{
	return lists[v][i];
}

const char *
vocab_find(enum vocab v, const char *typed)
{
	size_t i;

	for (i = 0; lists[v][i] != NULL; i++)
		if (strcasecmp(lists[v][i], typed) == 0)
			return lists[v][i];
	return NULL;
}

/* A bare level: of the first scale, or of the only one that has it. */
const char *
vocab_severity(const char *typed)
{
	const char *found = vocab_find(VOCAB_SEVERITY, typed);
	bool twice = false;
	size_t i;

	if (found != NULL)
		return found;
	for (i = 0; severity[i] != NULL; i++) {
		if (strcasecmp(strchr(severity[i], ':') + 1, typed) != 0)
			continue;
		if (strncmp(severity[i], severity[0], 10) == 0)
			return severity[i];
		twice = found != NULL;
		found = severity[i];
	}
	return twice ? NULL : found;
}

static unsigned
least_of(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

static bool
same(const char *a, const char *b)
{
	return strncasecmp(a, b, 1) == 0;
}

/*
 * Edit distance of the first WORD_MAX characters, case ignored, where two
 * neighbours that changed places are one edit.
 */
unsigned
vocab_distance(const char *a, const char *b)
{
	size_t na = strnlen(a, WORD_MAX), nb = strnlen(b, WORD_MAX), i, j;
	unsigned d[WORD_MAX + 1][WORD_MAX + 1];

	for (i = 0; i <= na; i++)
		d[i][0] = (unsigned)i;
	for (j = 0; j <= nb; j++)
		d[0][j] = (unsigned)j;
	for (i = 1; i <= na; i++)
		for (j = 1; j <= nb; j++) {
			unsigned n =
			    d[i - 1][j - 1] + !same(a + i - 1, b + j - 1);

			n = least_of(n, d[i - 1][j] + 1);
			n = least_of(n, d[i][j - 1] + 1);
			if (i > 1 && j > 1 && same(a + i - 1, b + j - 2) &&
			    same(a + i - 2, b + j - 1))
				n = least_of(n, d[i - 2][j - 2] + 1);
			d[i][j] = n;
		}
	return d[na][nb];
}

/* What was typed may be a type without its class, or a bare level. */
static unsigned
closeness(const char *word, const char *typed)
{
	const char *colon = strchr(word, ':');
	unsigned whole = vocab_distance(word, typed);
	unsigned tail =
	    colon != NULL ? vocab_distance(colon + 1, typed) : whole;

	return tail < whole ? tail : whole;
}

const char *
vocab_nearest(enum vocab v, const char *typed)
{
	const char *best = lists[v][0];
	unsigned least = UINT32_MAX;
	size_t i;

	for (i = 0; lists[v][i] != NULL; i++) {
		unsigned d = closeness(lists[v][i], typed);

		if (d < least) {
			least = d;
			best = lists[v][i];
		}
	}
	return best;
}

/* SPDX-License-Identifier: ISC */
#include "client/vocab.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define WORD_MAX 64

/* clang-format off */
static const struct word tlp[] = {
	{ "RED", "for the named recipients alone, nobody else" },
	{ "AMBER+STRICT", "for the recipient's organisation" },
	{ "AMBER", "for the recipient's organisation and its clients, who need to know" },
	{ "GREEN", "for the community, not by public channels" },
	{ "CLEAR", "for anybody" },
	{ NULL, NULL },
};

static const struct word precedence[] = {
	{ "flash", "overtakes everything: life, or a nation's services" },
	{ "immediate", "somebody must be woken" },
	{ "priority", "before the ordinary work" },
	{ "routine", "in its turn; the default" },
	{ NULL, NULL },
};

static const struct word role[] = {
	{ "officer", "a person: writes everything" },
	{ "bot", "a program: acknowledges receipt, updates, reminds, escalates" },
	{ "reader", "writes nothing" },
	{ NULL, NULL },
};

static const struct word may[] = {
	{ "accept", "answer that its team deals with a ticket" },
	{ "defer", "answer that it doesn't now" },
	{ "refuse", "answer that it doesn't, for a reason" },
	{ "invalid", "answer that it is no incident" },
	{ "in-progress", "answer that its team is at it" },
	{ "close", "end a ticket" },
	{ "reopen", "take it up again" },
	{ "recall", "take back what the team has sent" },
	{ "share", "give a ticket to further members" },
	{ NULL, NULL },
};

static const struct word pap[] = {
	{ "RED", "look only at what you have: nothing that can be noticed" },
	{ "AMBER", "ask third parties, passively" },
	{ "GREEN", "act: block, ping" },
	{ "CLEAR", "no limit" },
	{ NULL, NULL },
};

static const struct word outlook[] = {
	{ "improving", "over the next 6 hours it gets better" },
	{ "stable", "it stays as it is" },
	{ "worsening", "it gets worse" },
	{ NULL, NULL },
};

/* Directive (EU) 2022/2555, annexes I and II. */
static const struct word sector[] = {
	{ "energy", "electricity, heating, oil, gas, hydrogen" },
	{ "transport", "air, rail, water, road" },
	{ "banking", "credit institutions" },
	{ "financial-markets", "trading venues, central counterparties" },
	{ "health", "care, laboratories, medicines, critical devices" },
	{ "drinking-water", "supply and distribution" },
	{ "waste-water", "collection and treatment" },
	{ "digital-infrastructure", "exchanges, DNS, registries, clouds, networks" },
	{ "ict-services", "managed services, between businesses" },
	{ "public-administration", "of the state and its regions" },
	{ "space", "ground infrastructure" },
	{ "postal", "post and couriers" },
	{ "waste", "waste management" },
	{ "chemicals", "making and distribution" },
	{ "food", "making and distribution" },
	{ "manufacturing", "devices, computers, machines, vehicles" },
	{ "digital-providers", "marketplaces, search engines, social networks" },
	{ "research", "research organisations" },
	{ NULL, NULL },
};

static const struct word rsit[] = {
	{ "abusive-content", "Abusive Content" },
	{ "abusive-content:spam", "Spam" },
	{ "abusive-content:harmful-speech", "Harmful Speech" },
	{ "abusive-content:violence",
	    "(Child) Sexual Exploitation/Sexual/Violent Content" },
	{ "malicious-code", "Malicious Code" },
	{ "malicious-code:infected-system", "Infected System" },
	{ "malicious-code:c2-server", "C2 Server" },
	{ "malicious-code:malware-distribution", "Malware Distribution" },
	{ "malicious-code:malware-configuration", "Malware Configuration" },
	{ "information-gathering", "Information Gathering" },
	{ "information-gathering:scanner", "Scanning" },
	{ "information-gathering:sniffing", "Sniffing" },
	{ "information-gathering:social-engineering", "Social Engineering" },
	{ "intrusion-attempts", "Intrusion Attempts" },
	{ "intrusion-attempts:ids-alert",
	    "Exploitation of Known Vulnerabilities" },
	{ "intrusion-attempts:brute-force", "Login Attempts" },
	{ "intrusion-attempts:exploit", "New Attack Signature" },
	{ "intrusions", "Intrusions" },
	{ "intrusions:privileged-account-compromise",
	    "Privileged Account Compromise" },
	{ "intrusions:unprivileged-account-compromise",
	    "Unprivileged Account Compromise" },
	{ "intrusions:application-compromise", "Application Compromise" },
	{ "intrusions:system-compromise", "System Compromise" },
	{ "intrusions:burglary", "Burglary" },
	{ "availability", "Availability" },
	{ "availability:dos", "Denial of Service" },
	{ "availability:ddos", "Distributed Denial of Service" },
	{ "availability:misconfiguration", "Misconfiguration" },
	{ "availability:sabotage", "Sabotage" },
	{ "availability:outage", "Outage" },
	{ "information-content-security", "Information Content Security" },
	{ "information-content-security:unauthorised-information-access",
	    "Unauthorised Access to Information" },
	{ "information-content-security:unauthorised-information-modification",
	    "Unauthorised Modification of Information" },
	{ "information-content-security:data-loss", "Data Loss" },
	{ "information-content-security:data-leak",
	    "Leak of Confidential Information" },
	{ "fraud", "Fraud" },
	{ "fraud:unauthorised-use-of-resources",
	    "Unauthorised Use of Resources" },
	{ "fraud:copyright", "Copyright" },
	{ "fraud:masquerade", "Masquerade" },
	{ "fraud:phishing", "Phishing" },
	{ "vulnerable", "Vulnerable" },
	{ "vulnerable:weak-crypto", "Weak Cryptography" },
	{ "vulnerable:ddos-amplifier", "DDoS Amplifier" },
	{ "vulnerable:potentially-unwanted-accessible",
	    "Potentially Unwanted Accessible Services" },
	{ "vulnerable:information-disclosure", "Information Disclosure" },
	{ "vulnerable:vulnerable-system", "Vulnerable System" },
	{ "other", "Other" },
	{ "other:other", "Uncategorised" },
	{ "other:undetermined", "Undetermined" },
	{ "test", "Test" },
	{ "test:test", "Test" },
	{ NULL, NULL },
};

/* The first scale is the one that a bare level means. */
static const struct word severity[] = {
	{ "GB/T 20986:I", "especially major" },
	{ "GB/T 20986:II", "major" },
	{ "GB/T 20986:III", "larger" },
	{ "GB/T 20986:IV", "general" },
	{ "NCISS:emergency", "an imminent threat to a nation's services or lives" },
	{ "NCISS:severe", "likely to have a significant impact on a nation" },
	{ "NCISS:high", "likely to have a demonstrable impact" },
	{ "NCISS:medium", "may have a demonstrable impact" },
	{ "NCISS:low", "unlikely to have one" },
	{ "NCISS:baseline-minor", "highly unlikely; to be watched" },
	{ "NCISS:baseline-negligible", "an unsubstantiated event" },
	{ "NCSC:1", "national cyber emergency" },
	{ "NCSC:2", "highly significant incident" },
	{ "NCSC:3", "significant incident" },
	{ "NCSC:4", "substantial incident" },
	{ "NCSC:5", "moderate incident" },
	{ "NCSC:6", "localised incident" },
	{ "NIS2:red", "very large impact" },
	{ "NIS2:yellow", "large impact" },
	{ "NIS2:green", "minor impact" },
	{ "NIS2:white", "no impact" },
	{ "IRIS:critical", "critical" },
	{ "IRIS:high", "high" },
	{ "IRIS:medium", "medium" },
	{ "IRIS:low", "low" },
	{ "IRIS:informational", "informational" },
	{ "IRIS:unspecified", "not judged yet" },
	{ NULL, NULL },
};

static const struct word importance[] = {
	{ "especially-important", "hit, it harms the nation's security or economy" },
	{ "important", "hit, it harms public order or the public interest" },
	{ "ordinary", "hit, it harms its owner and users" },
	{ NULL, NULL },
};

static const struct word loss[] = {
	{ "especially-serious", "large parts stand still, or key data is lost" },
	{ "serious", "stands still for long, or in part" },
	{ "larger", "interrupted, data partly damaged" },
	{ "minor", "works on; small damage" },
	{ NULL, NULL },
};

static const struct word refusal[] = {
	{ "SystemResource", "we have not the means at the moment" },
	{ "Authentication", "we don't know whom it is from" },
	{ "AuthenticationOrigin", "we don't know where it began" },
	{ "Encryption", "we cannot open it" },
	{ "UnrecognizedFormat", "we cannot read it" },
	{ "CannotProcess", "law or policy forbids it; it ends here" },
	{ "Other", "see the text" },
	{ NULL, NULL },
};

static const struct word answer[] = {
	{ "opened", "somebody has read it" },
	{ "accepted", "we deal with it" },
	{ "deferred", "not now" },
	{ "refused", "we don't, for a reason" },
	{ "invalid", "it is no incident" },
	{ "in-progress", "we are at it" },
	{ "received", "a program has it; nobody has read it yet" },
	{ NULL, NULL },
};

static const struct word resolution[] = {
	{ "resolved", "it is over" },
	{ "abandoned", "nothing more is done" },
	{ "true-positive-with-impact", "it happened, and did harm" },
	{ "true-positive-without-impact", "it happened, and did none" },
	{ "false-positive", "it did not happen" },
	{ "legitimate", "it was meant to happen" },
	{ "not-applicable", "it does not concern us" },
	{ "duplicated", "another ticket is about it" },
	{ "indeterminate", "nobody can say" },
	{ "unknown", "not said" },
	{ NULL, NULL },
};

static const struct word kind[] = {
	{ "report", "this happened" },
	{ "request", "do something, please" },
	{ "query", "what do you know of it?" },
	{ "update", "an addition" },
	{ "ack", "how a member stands to it" },
	{ "result", "what came of a request or query" },
	{ "escalate", "the ticket, for members that are to act" },
	{ "share", "the ticket, for members that are to know" },
	{ "recall", "what we said is taken back" },
	{ "close", "it is over" },
	{ "reopen", "it is not over" },
	{ NULL, NULL },
};
/* clang-format on */

static const struct vocabulary lists[VOCABS] = {
	[VOCAB_TLP] = { "tlp", tlp, "who may know",
	    "Traffic Light Protocol 2.0 (FIRST)" },
	[VOCAB_PRECEDENCE] = { "precedence", precedence, "how urgent", "" },
	[VOCAB_RSIT] = { "class", rsit, "what kind of incident",
	    "Reference Security Incident Taxonomy, machine version 1003" },
	[VOCAB_SEVERITY] = { "severity", severity, "how bad",
	    "GB/T 20986-2023, CISA NCISS, UK NCSC, NIS2, DFIR-IRIS" },
	[VOCAB_IMPORTANCE] = { "importance", importance,
	    "of the system that is hit", "GB/T 20986-2023" },
	[VOCAB_LOSS] = { "loss", loss, "what the system suffers",
	    "GB/T 20986-2023" },
	[VOCAB_OUTLOOK] = { "outlook", outlook, "where it goes",
	    "EU NIS2 taxonomy" },
	[VOCAB_PAP] = { "pap", pap, "what the receiver may do",
	    "Permissible Actions Protocol" },
	[VOCAB_SECTOR] = { "sector", sector, "whom it hits",
	    "Directive (EU) 2022/2555 (NIS2), annexes I and II" },
	[VOCAB_REFUSAL] = { "reason", refusal, "why a ticket is refused",
	    "RFC 6545 (RID), Justification" },
	[VOCAB_ANSWER] = { "answer", answer, "how a member stands to a ticket",
	    "" },
	[VOCAB_RESOLUTION] = { "resolution", resolution, "how a ticket ended",
	    "RTIR, DFIR-IRIS, TheHive" },
	[VOCAB_KIND] = { "kind", kind, "what a message is", "" },
	[VOCAB_ROLE] = { "role", role, "what a device may say", "" },
	[VOCAB_MAY] = { "may", may, "what a bot may be let do besides", "" },
};

const struct vocabulary *
vocab_list(enum vocab v)
{
	return &lists[v];
}

const char *
vocab_word(enum vocab v, size_t i)
{
	return lists[v].words[i].word;
}

size_t
vocab_place(enum vocab v, const char *word)
{
	size_t i;

	for (i = 0; vocab_word(v, i) != NULL; i++)
		if (strcasecmp(vocab_word(v, i), word) == 0)
			break;
	return i;
}

const char *
vocab_find(enum vocab v, const char *typed)
{
	return vocab_word(v, vocab_place(v, typed));
}

const char *
vocab_says(enum vocab v, const char *word)
{
	return word != NULL ? lists[v].words[vocab_place(v, word)].says : NULL;
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
	for (i = 0; severity[i].word != NULL; i++) {
		const char *word = severity[i].word;

		if (strcasecmp(strchr(word, ':') + 1, typed) != 0)
			continue;
		if (strncmp(word, severity[0].word, 10) == 0)
			return word;
		twice = found != NULL;
		found = word;
	}
	return twice ? NULL : found;
}

/*
 * The table of GB/T 20986 is a sum: importance 3 to 1 and loss 4 to 1 make 7
 * for level I, 6 for II, 5 for III, and the rest is IV.
 */
const char *
vocab_severity_of(const char *of_system, const char *suffered)
{
	size_t steps = vocab_place(VOCAB_IMPORTANCE, of_system) +
		       vocab_place(VOCAB_LOSS, suffered);

	return severity[steps < 3 ? steps : 3].word;
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
	const char *best = vocab_word(v, 0);
	unsigned least = UINT32_MAX;
	size_t i;

	for (i = 0; vocab_word(v, i) != NULL; i++) {
		unsigned d = closeness(vocab_word(v, i), typed);

		if (d < least) {
			least = d;
			best = vocab_word(v, i);
		}
	}
	return best;
}

struct guess
guess_of(const char *typed)
{
	return (struct guess){ .typed = typed, .least = UINT32_MAX };
}

void
guess_at(struct guess *g, const char *word)
{
	unsigned d = vocab_distance(word, g->typed);

	if (d < g->least) {
		g->least = d;
		g->best = word;
	}
}

#include "rank/explain.h"

#include <string.h>

#define MAX_MATCHES 512u

struct matching {
    const struct sticker_terms *document;
    struct explain_match *matches;
    size_t n;
};

static void note(struct matching *m, const char *term, const char *in, bool synonym)
{
    for (size_t i = 0; i < m->n; i++)
        if (strcmp(m->matches[i].term, term) == 0 && strcmp(m->matches[i].in, in) == 0)
            return;
    if (m->n < MAX_MATCHES)
        m->matches[m->n++] = (struct explain_match){term, in, synonym};
}

/* Is the word, or the beginning of one, in a list of terms between spaces? */
static bool has_term(const char *list, const char *term, bool beginning)
{
    size_t len = strlen(term);
    for (const char *at = list; *at; at += strspn(at, " ")) {
        size_t n = strcspn(at, " ");
        if (len && (beginning ? n >= len : n == len) && memcmp(at, term, len) == 0)
            return true;
        at += n;
    }
    return false;
}

static void match_stem(struct matching *m, const char *stem, bool synonym)
{
    const struct sticker_terms *d = m->document;
    if (has_term(d->title, stem, false))
        note(m, stem, "title", synonym);
    if (has_term(d->words, stem, false))
        note(m, stem, "words", synonym);
    if (has_term(d->filename, stem, false))
        note(m, stem, "filename", synonym);
}

static void match_form(struct matching *m, const struct word_form *form, bool synonym)
{
    for (size_t i = 0; i < m->document->n_languages; i++) {
        const struct language_terms *t = &m->document->languages[i];
        if (language_set_has(&form->in, t->language) &&
            (has_term(t->title, form->stem, false) || has_term(t->words, form->stem, false)))
            note(m, form->stem, language_code(t->language), synonym);
    }
}

/* Beside the whole word its beginning counts nothing. */
static void match_prefix(struct matching *m, const struct term_query *q)
{
    for (size_t i = 0; i < m->n; i++)
        if (strcmp(m->matches[i].term, q->prefix) == 0)
            return;
    if (has_term(m->document->folded, q->prefix, true))
        note(m, q->prefix, "beginning", false);
    for (size_t i = 0; q->prefix_in_all && i < m->document->n_languages; i++)
        if (has_term(m->document->languages[i].words, q->prefix, true))
            note(m, q->prefix, "beginning", false);
}

enum status explain_terms(const struct rank_sources *s, const struct rank_query *q,
                          const struct sticker_terms *document, struct arena *a, struct explain_match **out, size_t *n,
                          struct error *err)
{
    struct term_query terms;
    struct matching m = {.document = document, .matches = arena_array(a, MAX_MATCHES, sizeof *m.matches)};
    *n = 0;
    if (!m.matches)
        return err_no_memory(err, "the terms of a document");
    bool expanded;
    enum status st = leg_lexical_terms(s, q, true, a, &terms, &expanded, err);
    if (st != OK)
        return st;
    for (size_t i = 0; i < terms.n_stems; i++)
        if (terms.stems[i])
            match_stem(&m, terms.stems[i], terms.traits[i].share > 0);
    for (size_t i = 0; i < terms.n_forms; i++)
        match_form(&m, &terms.forms[i], terms.traits[terms.forms[i].word].share > 0);
    if (terms.prefix && *terms.prefix)
        match_prefix(&m, &terms);
    *out = m.matches;
    *n = m.n;
    return OK;
}

static enum status best_phrase(const struct rank_model *m, const struct rank_query *q, const float *vector, int64_t id,
                               struct arena *a, struct explain_alike *out, struct error *err)
{
    struct phrase_query ask = {.vector = vector, .text = q->text, .text_len = q->text_len, .language = q->language};
    struct phrase_best best;
    enum status st = phrases_best(m->phrases, &ask, id, a, &best, err);
    out->phrase = best.text;
    out->language = best.language;
    out->alike = (double)best.score;
    return st == ERR_NOT_FOUND ? OK : st;
}

enum status explain_alike(const struct rank_sources *s, enum leg_number leg, const struct rank_query *q, int64_t id,
                          struct arena *a, struct explain_alike *out, struct error *err)
{
    const struct rank_model *m = &s->models[leg];
    struct rank_query asked = *q, read = *q;
    float whole;
    *out = (struct explain_alike){0};
    if (!m->encoder)
        return err_set(err, ERR_UNAVAILABLE, "no model of this leg is ready");
    float *vector = arena_array(a, encoder_dim(m->encoder), sizeof *vector);
    if (!vector)
        return err_no_memory(err, "a vector");
    enum status st = m->phrases ? leg_sentence_text(q, a, &asked, &read, err) : OK;
    if (st == OK)
        st = leg_model_embed(s, m, &read, vector, err);
    if (st == OK)
        st = vectors_compare(m->vectors, vector, &id, 1, &whole, err);
    if (st == OK && whole <= VECTORS_NO_SCORE)
        return err_set(err, ERR_NOT_FOUND, "the document has no vector of model %s", m->id);
    if (st != OK)
        return st;
    out->whole = (double)whole;
    return m->phrases ? best_phrase(m, &asked, vector, id, a, out, err) : OK;
}

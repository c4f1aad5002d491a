/* language.h: languages, and what a sticker is called in several of them.
 *
 * Words are kept under their whole tag ("pt-BR"), but searched by primary language ("pt"): the words of
 * Brazil and Portugal, or those in both scripts of Serbian, are one list there. Each primary language has a
 * number, which is its column in the word indexes; LANGUAGE_OTHER stands for those not in the list. */
#ifndef PEEL_BASE_LANGUAGE_H
#define PEEL_BASE_LANGUAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Those of CLDR 48's annotations. The order is that of columns in databases: append only, with a migration. */
/* clang-format off */
#define LANGUAGE_LIST(X)                                                                                               \
    X(en)                                                                                                              \
    X(af)                                                                                                              \
    X(ak) X(am) X(ar) X(as) X(ast) X(az) X(ba) X(be) X(bew) X(bg) X(bgn) X(blo) X(bn) X(br) X(bs) X(ca) X(ccp) X(ceb)  \
        X(chr) X(ckb) X(cs) X(cv) X(cy) X(da) X(de) X(doi) X(dsb) X(el) X(es) X(et) X(eu) X(fa) X(ff) X(fi) X(fil)     \
            X(fo) X(fr) X(frr) X(ga) X(gd) X(gl) X(gu) X(ha) X(he) X(hi) X(hr) X(hsb) X(hu) X(hy) X(ia) X(id) X(ig)    \
                X(is) X(it) X(ja) X(jv) X(ka) X(kab) X(kk) X(kl) X(km) X(kn) X(ko) X(kok) X(ku) X(ky) X(lb) X(lij)     \
                    X(lo) X(lt) X(lv) X(mai) X(mi) X(mk) X(ml) X(mn) X(mni) X(mr) X(ms) X(mt) X(my) X(ne) X(nl) X(nn)  \
                        X(no) X(nso) X(oc) X(om) X(or) X(pa) X(pap) X(pcm) X(pl) X(ps) X(pt) X(qu) X(quc) X(rhg) X(rm) \
                            X(ro) X(ru) X(rw) X(sa) X(sat) X(sc) X(sd) X(shn) X(si) X(sk) X(sl) X(so) X(sq) X(sr)      \
                                X(su) X(sv) X(sw) X(syr) X(ta) X(te) X(tg) X(th) X(ti) X(tk) X(tn) X(to) X(tr) X(tt)   \
                                    X(ug) X(uk) X(ur) X(uz) X(vec) X(vi) X(wo) X(xh) X(yo) X(yue) X(zh) X(zu) X(yi)
/* clang-format on */

#define LANGUAGE_NUMBER(code) LANGUAGE_##code,
enum { LANGUAGE_OTHER, LANGUAGE_LIST(LANGUAGE_NUMBER) LANGUAGE_COUNT };
#undef LANGUAGE_NUMBER

#define LANGUAGE_MAX_TAG   35u          /* bytes; RFC 5646 section 4.4.1 */
#define LANGUAGE_MAX_LISTS 256u         /* tags that one sticker has words under */
#define LANGUAGE_MAX_BYTES (256u << 10) /* of all words and titles of one sticker */

/* The shape of a BCP 47 tag: "en", "pt-BR", "zh-Hant-HK". */
bool language_valid(const char *tag);
/* The number of its primary language, without regard to case; "nb" is "no", and so on for a few aliases. */
unsigned language_number(const char *tag);
const char *language_code(unsigned number); /* "en"; "und" for LANGUAGE_OTHER */

struct language_set {
    uint64_t bits[3];
};
_Static_assert(LANGUAGE_COUNT <= 192, "a set has a bit for each language");
static inline void language_set_add(struct language_set *s, unsigned number)
{
    s->bits[number / 64] |= 1ull << number % 64;
}
static inline bool language_set_has(const struct language_set *s, unsigned number)
{
    return s->bits[number / 64] >> number % 64 & 1;
}

/* What a sticker is called in one language. */
struct sticker_words {
    const char *language; /* tag */
    const char *words;    /* "cat, kitten" (see text_normalize_words) */
    const char *title;    /* NULL or "": none of its own */
};

#endif

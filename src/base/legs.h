/* legs.h: the legs of a search, in the order in which answers name them. To add one, add a line here and its file,
 * src/rank/leg_NAME.c: the option --NAME-weight, the name in answers and metrics, and the fusion follow. */
#ifndef PEEL_BASE_LEGS_H
#define PEEL_BASE_LEGS_H

/* LEG(name, help of the option --name-weight) */
#define LEG_LIST(LEG)                                                                                                  \
    LEG(lexical, "Weight of keyword matches in hybrid search")                                                         \
    LEG(vector, "Weight of image vectors in hybrid search")                                                            \
    LEG(words, "Weight of the meanings of single words in hybrid search")                                              \
    LEG(sentence, "Weight of the meanings of whole titles and keywords in hybrid search")

#define LEG_NUMBER(name, help) LEG_##name,
enum leg_number { LEG_LIST(LEG_NUMBER) LEG_COUNT };
#undef LEG_NUMBER

#endif

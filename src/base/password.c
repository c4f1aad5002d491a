#include "base/password.h"

#include "base/secret.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEAST_PIECES 5 /* a word that is guessed first, a year or a run is one piece; other characters are one each */
#define LEAST_NAME   3 /* bytes of a username that is looked for */

static const char *const words[] = {"administrator", "passwort", "password", "stickers", "sticker", "welcome",
                                    "letmein",       "iloveyou", "changeme", "default",  "qwerty",  "secret",
                                    "passwd",        "login",    "admin",    "guest",    "root",    "user",
                                    "demo",          "test",     "peel"};
static const char *const rows[] = {"qwertyuiop", "qwertzuiop", "azertyuiop", "asdfghjkl", "zxcvbnm", "yxcvbnm"};

/* As the most common replacements are read: "p4ssw0rd". */
static char plain(char c)
{
    static const char from[] = "013457@$!", to[] = "oleastasi";
    const char *at = c ? strchr(from, c) : NULL;
    return at ? to[at - from] : (char)tolower((unsigned char)c);
}

/* Does b go on with what a began: the same again, the next one of the alphabet, the digits or a keyboard's row? */
static bool goes_on(char a, char b)
{
    a = (char)tolower((unsigned char)a);
    b = (char)tolower((unsigned char)b);
    if (a == b || (isalnum((unsigned char)a) && isalnum((unsigned char)b) && abs(a - b) == 1) || (a == '9' && b == '0'))
        return true;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *at = strchr(rows[i], a);
        if (at && (at[1] == b || (at > rows[i] && at[-1] == b)))
            return true;
    }
    return false;
}

static size_t word_at(const char *at, const char *word)
{
    size_t n = 0;
    while (word[n] && at[n] &&
           (tolower((unsigned char)at[n]) == tolower((unsigned char)word[n]) ||
            plain(at[n]) == tolower((unsigned char)word[n])))
        n++;
    return word[n] ? 0 : n;
}

/* "1987", "2026" */
static size_t year_at(const char *at)
{
    return (strncmp(at, "19", 2) == 0 || strncmp(at, "20", 2) == 0) && isdigit((unsigned char)at[2]) &&
                   isdigit((unsigned char)at[3])
               ? 4
               : 0;
}

static size_t count_pieces(const char *password, const char *username)
{
    size_t pieces = 0;
    for (const char *at = password; *at; pieces++) {
        size_t len = strlen(username) >= LEAST_NAME ? word_at(at, username) : 0;
        for (size_t i = 0; !len && i < sizeof words / sizeof *words; i++)
            len = word_at(at, words[i]);
        if (!len && !(len = year_at(at)))
            for (len = 1; at[len] && goes_on(at[len - 1], at[len]);)
                len++;
        at += len;
    }
    return pieces;
}

static bool same_text(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t i = 0;
    while (i < a_len && i < b_len && tolower((unsigned char)a[i]) == tolower((unsigned char)b[i]))
        i++;
    return a_len == b_len && i == a_len;
}

static enum status find_denied(const char *password, const char *path, bool *found, struct error *err)
{
    char line[SECRET_MOST_PASSWORD + 2];
    size_t len = strlen(password), stem = len;
    while (stem && !isalpha((unsigned char)password[stem - 1]) && (unsigned char)password[stem - 1] < 0x80)
        stem--;
    FILE *f = fopen(path, "re");
    if (!f)
        return err_errno(err, "cannot read %s, the list of refused passwords", path);
    for (*found = false; !*found && fgets(line, sizeof line, f);) {
        size_t n = strcspn(line, "\r\n");
        *found = n && (same_text(password, len, line, n) || same_text(password, stem, line, n));
    }
    enum status st = ferror(f) ? err_errno(err, "cannot read %s", path) : OK;
    fclose(f);
    return st;
}

enum status password_check(const char *password, const char *username, const char *deny_file, struct error *err)
{
    size_t len = strlen(password);
    bool found = false;
    if (len < SECRET_LEAST_PASSWORD || len > SECRET_MOST_PASSWORD)
        return err_set(err, ERR_INVALID, "A password must have %d to %d bytes, not %zu.", SECRET_LEAST_PASSWORD,
                       SECRET_MOST_PASSWORD, len);
    if (count_pieces(password, username) < LEAST_PIECES)
        return err_set(err, ERR_INVALID,
                       "This password is easy to guess: common words, names, repetitions and sequences hardly count. "
                       "Choose another one, such as several unrelated words.");
    enum status st = deny_file && *deny_file ? find_denied(password, deny_file, &found, err) : OK;
    return st == OK && found ? err_set(err, ERR_INVALID, "This password is on the list of common passwords.") : st;
}

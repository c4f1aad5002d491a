/* session.h: the secrets of a session and of its forms.
 *
 * A session's token is 256 random bits that only the browser keeps; stores get its SHA-256. The token that forms
 * carry against cross-site request forgery is made from it, so that nothing else needs to be stored. */
#ifndef PEEL_WEB_SESSION_H
#define PEEL_WEB_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#define SESSION_TOKEN_SIZE 65 /* hex and a NUL; also of hashes and of CSRF tokens */

void session_token_new(char out[SESSION_TOKEN_SIZE]);
bool session_token_is(const char *s); /* has that form */
void session_hash(const char *token, char out[SESSION_TOKEN_SIZE]);
void session_csrf(const char *token, char out[SESSION_TOKEN_SIZE]);
/* Compares without telling by its time where the difference is; false for NULL. */
bool session_csrf_ok(const char *token, const char *sent);

/* A device from which a user has logged in before ("device cookies", OWASP): it has tries of its own, so that others
 * who guess do not keep the owner out. Signed by the hash of the password, so a new password ends it.
 * session_device_key: the part of it that names the device. */
#define SESSION_DEVICE_SIZE (2 * SESSION_TOKEN_SIZE)
void session_device_new(const char *username, const char *password_hash, char out[SESSION_DEVICE_SIZE]);
bool session_device_ok(const char *device, const char *username, const char *password_hash);
void session_device_key(const char *device, char out[SESSION_TOKEN_SIZE]);

/* Shows for a few minutes that the right password was given in the log-in form with this token, so that the form for
 * the second factor need not ask again: "EXPIRY.SIGNATURE", signed as a device is. */
#define SESSION_TICKET_SIZE (SESSION_TOKEN_SIZE + 16)
void session_ticket_new(const char *token, const char *username, const char *password_hash, int64_t until_s,
                        char out[SESSION_TICKET_SIZE]);
bool session_ticket_ok(const char *ticket, const char *token, const char *username, const char *password_hash,
                       int64_t now_s);

#endif

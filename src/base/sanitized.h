/* sanitized.h: whether this is a build with the address or the thread sanitizer, as gcc and as clang say it. Time runs
 * slower there, and they need address space, stacks and system calls of their own. */
#ifndef PEEL_BASE_SANITIZED_H
#define PEEL_BASE_SANITIZED_H

#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
#define SANITIZED 1
#elif defined __has_feature
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

#endif

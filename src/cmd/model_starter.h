/* model_starter.h: the small model that comes with the program (models/starter, made by train/). */
#ifndef PEEL_CMD_MODEL_STARTER_H
#define PEEL_CMD_MODEL_STARTER_H

#include "base/status.h"

#define STARTER "starter" /* its id, and its folder below the models folder */

/* Copies it to `models`/starter, whole or not at all; fine when it is there already. It is looked for beside the
 * program (models/starter), in the source tree that it was built in, and in ../share/peel/models/starter;
 * ERR_NOT_FOUND says so. */
enum status starter_install(const char *models, struct error *err) MUST_CHECK;

#endif

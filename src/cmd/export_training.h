/* export_training.h: `peel export --format pairs --out FOLDER`: what people said, as data that models are trained with.
 */
#ifndef PEEL_CMD_EXPORT_TRAINING_H
#define PEEL_CMD_EXPORT_TRAINING_H

#include "config/config.h"

/* For every format but those of the votes themselves. Returns the exit status. */
int export_training(const struct config *cfg);

#endif

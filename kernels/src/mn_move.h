/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MN_MOVE_H
#define MN_MOVE_H

#include "mn_types.h"

/* Moves bytes to a lower address; the regions may overlap. */
void mn_move_down(uint8_t *to, const uint8_t *from, int32_t bytes);

#endif

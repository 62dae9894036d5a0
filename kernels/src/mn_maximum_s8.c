/* SPDX-License-Identifier: Apache-2.0 */
/* The larger of two int8 values. See mn_nnfunctions.h. */
#include "mn_choice.h"
#include "mn_nnfunctions.h"

MN_CHOICE(mn_maximum_s8, mn_max_s8x4, >)

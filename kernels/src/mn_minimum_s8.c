/* SPDX-License-Identifier: Apache-2.0 */
/* The smaller of two int8 values. See mn_nnfunctions.h. */
#include "mn_choice.h"
#include "mn_nnfunctions.h"

MN_CHOICE(mn_minimum_s8, mn_min_s8x4, <)

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an operator's kernel takes, as one block of 32-bit words: `custom_options` of a device model
 * in flash, or the same block in the arena. predictor/model/device/options.py writes them;
 * docs/device_model.md describes the format.
 */
#ifndef MN_OPTIONS_H
#define MN_OPTIONS_H

#include "mn_types.h"

#define MN_OPTIONS_VERSION 1

/* Where requantisation tables lie: behind the options, multipliers, then shifts, int32 each; or in
 * the arena, where Init unpacks them from multipliers, then shifts of one byte each. */
#define MN_TABLES_IN_FLASH 0
#define MN_TABLES_IN_ARENA 1

/** Operators with weights. Requantisation tables follow the options. */
typedef struct
{
    int32_t version;
    int32_t table_place;
    int32_t table_entries;
    mn_dims input;
    mn_dims filter;
    mn_dims output;
} mn_layer_options;

typedef struct
{
    mn_layer_options layer;
    mn_conv_params params;
} mn_conv_options;

typedef struct
{
    mn_layer_options layer;
    mn_dw_conv_params params;
} mn_depthwise_options;

typedef struct
{
    mn_layer_options layer;
    mn_fc_params params;
} mn_fc_options;

typedef struct
{
    int32_t version;
    mn_dims input;
    mn_dims filter;
    mn_dims output;
    mn_pool_params params;
} mn_pool_options;

typedef struct
{
    int32_t version;
    int32_t count;
    mn_add_params params;
} mn_add_options;

typedef struct
{
    int32_t version;
    int32_t rows;
    int32_t row_size;
    int32_t multiplier;
    int32_t left_shift;
    int32_t diff_min;
} mn_softmax_options;

typedef struct
{
    int32_t version;
    int32_t value;
    mn_dims input;
    mn_dims before;
    mn_dims after;
} mn_pad_options;

typedef struct
{
    int32_t version;
    int32_t count;
    mn_activation activation;
} mn_clamp_options;

typedef struct
{
    int32_t version;
    int32_t count;
    mn_requantize_params params;
} mn_requantize_options;

typedef struct
{
    int32_t version;
    int32_t count;
    int8_t table[256];
} mn_lookup_options;

typedef struct
{
    int32_t version;
    int32_t outer;
    int32_t reduced;
    int32_t inner;
    mn_requantize_params params;
} mn_mean_options;

/** Operators of two tensors that may be repeated. */
typedef struct
{
    int32_t version;
    mn_dims input1;
    mn_dims input2;
    mn_dims output;
} mn_pair_options;

typedef struct
{
    mn_pair_options pair;
    mn_add_params params;
} mn_broadcast_add_options;

typedef struct
{
    mn_pair_options pair;
    mn_mul_params params;
} mn_mul_options;

#endif

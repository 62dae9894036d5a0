/* SPDX-License-Identifier: Apache-2.0 */
/* Groups of layers, one function for each pair of types. See mn_stream.h. */
#include "mn_nnfunctions.h"
#include "mn_packing.h"
#include "mn_stream_part.h"
#include "mn_sums.h"

static mn_dims mn_with_rows(mn_dims dims, int32_t rows)
{
    dims.h = rows;
    return dims;
}

/* A layer with weights: its parameters, tables and dims for a part of it. */
#define MN_LAYER_PART(name, options_type, params_type, kernel)                                     \
    static mn_status mn_run_##name(const mn_stream_part *part)                                     \
    {                                                                                              \
        const options_type *const options = part->options;                                         \
        const mn_layer_options *const layer = &options->layer;                                     \
        const int32_t *const tables = (const int32_t *)(const void *)(options + 1);                \
        const mn_per_channel_quant_params quant = {tables, tables + layer->table_entries};         \
        const mn_dims input_dims = mn_with_rows(layer->input, part->input_rows);                   \
        const mn_dims output_dims = mn_with_rows(layer->output, part->output_rows);                \
        params_type params = options->params;                                                      \
        params.padding.h = part->padding;                                                          \
        return kernel(&part->scratch, &params, &quant, &input_dims, part->input[0],                \
                      &layer->filter, part->filter, NULL, part->bias, &output_dims,                \
                      part->output);                                                               \
    }                                                                                              \
                                                                                                   \
    static int32_t mn_buffer_of_##name(const mn_stream_part *part)                                 \
    {                                                                                              \
        const options_type *const options = part->options;                                         \
        const mn_layer_options *const layer = &options->layer;                                     \
        const mn_dims input_dims = mn_with_rows(layer->input, part->input_rows);                   \
        const mn_dims output_dims = mn_with_rows(layer->output, part->output_rows);                \
        return kernel##_get_buffer_size(&options->params, &input_dims, &layer->filter,             \
                                        &output_dims);                                             \
    }

#define MN_POOL_PART(name, kernel)                                                                 \
    static mn_status mn_run_##name(const mn_stream_part *part)                                     \
    {                                                                                              \
        const mn_pool_options *const options = part->options;                                      \
        const mn_dims input_dims = mn_with_rows(options->input, part->input_rows);                 \
        const mn_dims output_dims = mn_with_rows(options->output, part->output_rows);              \
        mn_pool_params params = options->params;                                                   \
        params.padding.h = part->padding;                                                          \
        return kernel(&params, &input_dims, part->input[0], &options->filter, &output_dims,        \
                      part->output);                                                               \
    }

#define MN_ELEMENT_PARTS(bits)                                                                     \
    static mn_status mn_run_add_s##bits(const mn_stream_part *part)                                \
    {                                                                                              \
        const mn_add_options *const options = part->options;                                       \
        return mn_elementwise_add_s##bits(&options->params, part->input[0], part->input[1],        \
                                          part->output, part->elements);                           \
    }                                                                                              \
                                                                                                   \
    static mn_status mn_run_clamp_s##bits(const mn_stream_part *part)                              \
    {                                                                                              \
        const mn_clamp_options *const options = part->options;                                     \
        return mn_clamp_s##bits(&options->activation, part->input[0], part->output,                \
                                part->elements);                                                   \
    }

/* Rows of PAD may hold no row of its input. */
#define MN_PAD_PART(bits)                                                                          \
    static mn_status mn_run_pad_s##bits(const mn_stream_part *part)                                \
    {                                                                                              \
        const mn_pad_options *const options = part->options;                                       \
        if (part->input_rows == 0)                                                                 \
        {                                                                                          \
            mn_fill_s##bits(part->output, 0, options->value, part->elements);                      \
            return MN_SUCCESS;                                                                     \
        }                                                                                          \
        const int32_t below = part->output_rows - part->padding - part->input_rows;                \
        const mn_dims input_dims = mn_with_rows(options->input, part->input_rows);                 \
        const mn_dims before = mn_with_rows(options->before, part->padding);                       \
        const mn_dims after = mn_with_rows(options->after, below);                                 \
        return mn_pad_s##bits(options->value, &input_dims, part->input[0], &before, &after,        \
                              part->output);                                                       \
    }

#define MN_GLOBAL_POOL_PART(bits)                                                                  \
    static mn_status mn_run_global_avgpool_s##bits(const mn_stream_part *part)                     \
    {                                                                                              \
        const mn_pool_options *const options = part->options;                                      \
        const mn_dims *const dims = &options->input;                                               \
        if (part->first == 0)                                                                      \
        {                                                                                          \
            mn_fill_s8(part->sums, 0, 0, 4 * dims->c);                                             \
        }                                                                                          \
        mn_sum_pixels_s##bits(part->input[0], part->output_rows * dims->w, dims->c, part->sums);   \
        if (part->first + part->output_rows == dims->h)                                            \
        {                                                                                          \
            mn_average_sums_s##bits(part->sums, dims->c, dims->h * dims->w,                        \
                                    &options->params.activation, part->output);                    \
        }                                                                                          \
        return MN_SUCCESS;                                                                         \
    }

MN_POOL_PART(avgpool_s8, mn_avgpool_s8)
MN_POOL_PART(avgpool_s4, mn_avgpool_s4)
MN_POOL_PART(max_pool_s8, mn_max_pool_s8)
MN_POOL_PART(max_pool_s4, mn_max_pool_s4)
MN_ELEMENT_PARTS(8)
MN_ELEMENT_PARTS(4)
MN_PAD_PART(8)
MN_PAD_PART(4)
MN_GLOBAL_POOL_PART(8)
MN_GLOBAL_POOL_PART(4)
MN_LAYER_PART(depthwise_s8_w16, mn_depthwise_options, mn_dw_conv_params, mn_depthwise_conv_s8_w16)
MN_LAYER_PART(depthwise_s4_w16, mn_depthwise_options, mn_dw_conv_params, mn_depthwise_conv_s4_w16)

#define MN_STREAM(types, bits, w_bits)                                                             \
    MN_LAYER_PART(conv_##types, mn_conv_options, mn_conv_params, mn_convolve_##types)              \
    MN_LAYER_PART(depthwise_##types, mn_depthwise_options, mn_dw_conv_params,                      \
                  mn_depthwise_conv_##types)                                                       \
                                                                                                   \
    static const mn_stream_kernels mn_kernels_##types = {                                          \
        .input_bits = bits,                                                                        \
        .weight_bits = w_bits,                                                                     \
        .run = {mn_run_conv_##types, mn_run_depthwise_##types, mn_run_depthwise_s##bits##_w16,     \
                mn_run_avgpool_s##bits, mn_run_max_pool_s##bits, mn_run_add_s##bits,               \
                mn_run_clamp_s##bits, mn_run_pad_s##bits, mn_run_global_avgpool_s##bits},          \
        .buffer = {mn_buffer_of_conv_##types, mn_buffer_of_depthwise_##types,                      \
                   mn_buffer_of_depthwise_s##bits##_w16},                                          \
    };                                                                                             \
                                                                                                   \
    int32_t mn_stream_##types##_get_buffer_size(const mn_stream_group *group)                      \
    {                                                                                              \
        return mn_stream_buffer_size(&mn_kernels_##types, group);                                  \
    }                                                                                              \
                                                                                                   \
    mn_status mn_stream_##types(const mn_context *ctx, const mn_stream_group *group,               \
                                const void *const *inputs, void *output)                           \
    {                                                                                              \
        return mn_stream_run(&mn_kernels_##types, ctx, group, inputs, output);                     \
    }

MN_STREAM(s8, 8, 8)
MN_STREAM(s8_w4, 8, 4)
MN_STREAM(s4, 4, 4)
MN_STREAM(s4_w8, 4, 8)

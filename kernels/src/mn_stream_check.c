/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of groups are checked as a whole before one is followed. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("Os") /* runs once a table: small rather than fast */
#endif

#include "mn_arguments.h"
#include "mn_depthwise_scratch.h"
#include "mn_pad.h"
#include "mn_pooling.h"
#include "mn_stream_guest.h"

/* The rows of a tensor. */
typedef struct
{
    int32_t rows;
    int32_t row_bytes;
} mn_stream_tensor;

static int mn_has_rows(mn_stream_tensor tensor, const mn_dims *dims, int32_t bits)
{
    return mn_is_dims(dims) && dims->n == 1 && dims->h == tensor.rows &&
           (int64_t)dims->w * dims->c * bits == (int64_t)tensor.row_bytes * 8;
}

static int mn_is_input(const mn_stream_group *group, int32_t position, int64_t bytes)
{
    return position > 0 && position < group->input_count && group->input_bytes[position] == bytes;
}

static int64_t mn_filter_bytes(const mn_stream_kernels *kernels, int32_t kind,
                               const mn_dims *dims)
{
    if (kind == MN_STREAM_DEPTHWISE_PREPARED)
    {
        return mn_quads_of(dims->c) * (16 + 8LL * dims->h * dims->w);
    }
    const int64_t elements = mn_count_elements(dims);
    return (elements * kernels->weight_bits + 7) / 8;
}

/* Multipliers, then shifts, behind the options of a layer. */
static int mn_are_tables(const int32_t *tables, int32_t entries)
{
    for (int32_t i = 0; i < entries; ++i)
    {
        const int32_t shift = tables[entries + i];
        if (tables[i] < 0 || shift < -31 || shift > 30)
        {
            return 0;
        }
    }
    return 1;
}

/* The vertical steps of a layer with weights. */
typedef struct
{
    int32_t stride;
    int32_t padding;
    int32_t dilation;
} mn_stream_window;

static mn_stream_window mn_window_of(const mn_stream_stage *stage)
{
    if (stage->kind == MN_STREAM_CONV)
    {
        const mn_conv_options *const options = mn_options_of(stage);
        const mn_conv_params *const params = &options->params;
        return (mn_stream_window){params->stride.h, params->padding.h, params->dilation.h};
    }
    const mn_depthwise_options *const options = mn_options_of(stage);
    const mn_dw_conv_params *const params = &options->params;
    return (mn_stream_window){params->stride.h, params->padding.h, params->dilation.h};
}

static int mn_has_window(const mn_stream_stage *stage, int64_t reach, int32_t stride,
                         int32_t padding)
{
    return stage->reach == reach && stage->stride == stride && stage->padding == padding;
}

/* The scratch buffer of the layer for a step, or MN_ARG_ERROR. */
static int32_t mn_step_buffer(const mn_stream_kernels *kernels, const mn_stream_stage *stage,
                              int32_t rows)
{
    const int64_t needed = (int64_t)(stage->step - 1) * stage->stride + stage->reach;
    mn_stream_part part = {.options = mn_options_of(stage)};
    part.input_rows = needed < rows ? (int32_t)needed : rows;
    part.output_rows = stage->step < stage->rows ? stage->step : stage->rows;
    return kernels->buffer[stage->kind](&part);
}

static int32_t mn_check_layer(const mn_stream_kernels *kernels, const mn_stream_group *group,
                              const mn_stream_stage *stage, mn_stream_tensor input)
{
    const int is_conv = stage->kind == MN_STREAM_CONV;
    const int32_t size = (is_conv ? sizeof(mn_conv_options) : sizeof(mn_depthwise_options)) / 4;
    const int32_t tables = stage->words - MN_STREAM_STAGE_WORDS - size;
    if (tables < 2)
    {
        return MN_ARG_ERROR;
    }
    const mn_layer_options *const layer = mn_options_of(stage);
    const mn_stream_window window = mn_window_of(stage);
    const mn_stream_tensor output = {stage->rows, stage->row_bytes};
    if (layer->version != MN_OPTIONS_VERSION || layer->table_place != MN_TABLES_IN_FLASH ||
        tables % 2 != 0 || layer->table_entries != tables / 2 ||
        layer->table_entries != layer->output.c || !mn_is_dims(&layer->filter) ||
        !mn_has_rows(input, &layer->input, kernels->input_bits) ||
        !mn_has_rows(output, &layer->output, kernels->input_bits) ||
        !mn_has_window(stage, (layer->filter.h - 1LL) * window.dilation + 1, window.stride,
                       window.padding) ||
        !mn_is_input(group, stage->filter,
                     mn_filter_bytes(kernels, stage->kind, &layer->filter)) ||
        (stage->bias != 0 && !mn_is_input(group, stage->bias, 4LL * layer->output.c)) ||
        !mn_are_tables((const int32_t *)(const void *)layer + size, layer->table_entries))
    {
        return MN_ARG_ERROR;
    }
    return mn_step_buffer(kernels, stage, input.rows);
}

static int mn_is_pool_stage(const mn_stream_kernels *kernels, const mn_stream_stage *stage,
                            mn_stream_tensor input)
{
    const mn_pool_options *const options = mn_options_of(stage);
    const mn_stream_tensor output = {stage->rows, stage->row_bytes};
    return stage->words == MN_STREAM_STAGE_WORDS + (int32_t)(sizeof(*options) / 4) &&
           options->version == MN_OPTIONS_VERSION && mn_is_dims(&options->filter) &&
           mn_has_rows(input, &options->input, kernels->input_bits) &&
           mn_has_rows(output, &options->output, kernels->input_bits) &&
           mn_is_pooling(&options->params, &options->input, options, &options->filter,
                         &options->output, options, kernels->input_bits) &&
           mn_has_window(stage, options->filter.h, options->params.stride.h,
                         options->params.padding.h);
}

static int mn_is_pad_stage(const mn_stream_kernels *kernels, const mn_stream_stage *stage,
                           mn_stream_tensor input)
{
    const mn_pad_options *const options = mn_options_of(stage);
    if (stage->words != MN_STREAM_STAGE_WORDS + (int32_t)(sizeof(*options) / 4) ||
        options->version != MN_OPTIONS_VERSION || !mn_is_value(options->value, kernels->input_bits) ||
        !mn_has_rows(input, &options->input, kernels->input_bits) ||
        !mn_is_padding(&options->input, options, &options->before, &options->after, options))
    {
        return 0;
    }
    const mn_dims *const before = &options->before;
    const mn_dims *const after = &options->after;
    const int64_t width = (int64_t)before->w + options->input.w + after->w;
    return (before->n | before->c | after->n | after->c) == 0 &&
           before->h + input.rows + after->h == stage->rows &&
           width * options->input.c * kernels->input_bits == 8LL * stage->row_bytes &&
           mn_has_window(stage, 1, 1, before->h);
}

/* One window over the whole image. */
static int mn_is_global_stage(const mn_stream_kernels *kernels, const mn_stream_call *call,
                              int32_t index, mn_stream_tensor input)
{
    const mn_stream_stage *const stage = call->states[index].stage;
    const mn_pool_options *const options = mn_options_of(stage);
    const mn_dims *const output = &options->output;
    return index + 1 == call->head->stages &&
           stage->words == MN_STREAM_STAGE_WORDS + (int32_t)(sizeof(*options) / 4) &&
           options->version == MN_OPTIONS_VERSION &&
           mn_has_rows(input, &options->input, kernels->input_bits) && output->h == 1 &&
           output->w == 1 && output->c * (int64_t)kernels->input_bits % 8 == 0 &&
           mn_is_dims(&options->filter) && options->filter.h == options->input.h &&
           options->filter.w == options->input.w &&
           options->params.padding.h == 0 && options->params.padding.w == 0 &&
           mn_is_pooling(&options->params, &options->input, options, &options->filter, output,
                         options, kernels->input_bits) &&
           mn_has_window(stage, 1, 1, 0) && stage->step == 1 && stage->slots == 1 &&
           stage->rows == input.rows &&
           stage->row_bytes == 4LL * output->c;
}

/* ADD and CLAMP. */
static int mn_is_element_stage(const mn_stream_kernels *kernels, const mn_stream_stage *stage,
                               mn_stream_tensor input)
{
    const int32_t size =
        (stage->kind == MN_STREAM_ADD ? sizeof(mn_add_options) : sizeof(mn_clamp_options)) / 4;
    const mn_clamp_options *const options = mn_options_of(stage); /* both begin alike */
    return stage->words == MN_STREAM_STAGE_WORDS + size &&
           options->version == MN_OPTIONS_VERSION && stage->rows == input.rows &&
           stage->row_bytes == input.row_bytes && mn_has_window(stage, 1, 1, 0) &&
           (int64_t)input.rows * input.row_bytes * (8 / kernels->input_bits) == options->count;
}

static mn_stream_tensor mn_tensor_of(const mn_stream_call *call, int32_t source)
{
    if (source < 0)
    {
        return (mn_stream_tensor){call->head->rows, call->head->row_bytes};
    }
    const mn_stream_stage *const stage = call->states[source].stage;
    return (mn_stream_tensor){stage->rows, stage->row_bytes};
}

/* The scratch buffer of the layer of a stage that lies in the table, or MN_ARG_ERROR. */
static int32_t mn_check_stage(const mn_stream_kernels *kernels, const mn_stream_group *group,
                              const mn_stream_call *call, int32_t index)
{
    const mn_stream_stage *const stage = call->states[index].stage;
    const int is_add = stage->kind == MN_STREAM_ADD;
    const int is_pad = stage->kind == MN_STREAM_PAD;
    const int has_weights = stage->kind <= MN_STREAM_DEPTHWISE_PREPARED;
    const int32_t *const source = stage->source;
    if (stage->kind < 0 || stage->kind > MN_STREAM_GLOBAL_AVERAGE_POOL || source[0] < MN_STREAM_INPUT ||
        source[0] >= index || source[1] >= index ||
        (is_add ? source[1] < MN_STREAM_INPUT : source[1] != MN_STREAM_NONE) || stage->step < 1 ||
        stage->step > MN_STREAM_ROWS || stage->start < 1 || stage->start > stage->step ||
        stage->slots < 1 || stage->rows < 1 ||
        stage->rows > MN_STREAM_ROWS || stage->row_bytes < 1)
    {
        return MN_ARG_ERROR;
    }
    const mn_stream_tensor input = mn_tensor_of(call, source[0]);
    if (is_add)
    {
        const mn_stream_tensor second = mn_tensor_of(call, source[1]);
        if (second.rows != input.rows || second.row_bytes != input.row_bytes)
        {
            return MN_ARG_ERROR;
        }
    }
    /* Every window but those of PAD reads a row of the input. */
    if (stage->stride < 1 || stage->stride > MN_MAX_STEP || stage->padding < 0 ||
        stage->reach > MN_MAX_BUFFER ||
        (!is_pad &&
         (stage->padding >= stage->reach ||
          (int64_t)(stage->rows - 1) * stage->stride - stage->padding >= input.rows)))
    {
        return MN_ARG_ERROR;
    }
    int32_t bytes = 0;
    int is_right = 1;
    if (has_weights)
    {
        bytes = mn_check_layer(kernels, group, stage, input);
    }
    else if (stage->kind <= MN_STREAM_MAX_POOL)
    {
        is_right = mn_is_pool_stage(kernels, stage, input);
    }
    else if (is_pad)
    {
        is_right = mn_is_pad_stage(kernels, stage, input);
    }
    else if (stage->kind == MN_STREAM_GLOBAL_AVERAGE_POOL)
    {
        is_right = mn_is_global_stage(kernels, call, index, input);
    }
    else
    {
        is_right = mn_is_element_stage(kernels, stage, input);
    }
    is_right = is_right && bytes >= 0 && (has_weights || (stage->filter | stage->bias) == 0);
    return is_right && (stage->front == 0 || mn_is_guest(kernels, call, index)) ? bytes
                                                                                 : MN_ARG_ERROR;
}

/* Whether the stages follow each other to the end of the table. */
static int mn_is_table(const mn_stream_group *group)
{
    if (group->table == NULL || ((uintptr_t)group->table & 3u) != 0 ||
        group->words < MN_STREAM_HEAD_WORDS)
    {
        return 0;
    }
    const mn_stream_head *const head = (const mn_stream_head *)(const void *)group->table;
    if (head->version != MN_OPTIONS_VERSION || head->stages < 1 ||
        head->stages > MN_STREAM_STAGES || head->rows < 1 || head->rows > MN_STREAM_ROWS ||
        head->row_bytes < 1 || group->input_count < 1 || group->input_bytes == NULL ||
        (int64_t)head->rows * head->row_bytes != group->input_bytes[0])
    {
        return 0;
    }
    int32_t at = MN_STREAM_HEAD_WORDS;
    for (int32_t i = 0; i < head->stages; ++i)
    {
        const int32_t left = group->words - at;
        if (left < MN_STREAM_STAGE_WORDS || group->table[at] < MN_STREAM_STAGE_WORDS ||
            group->table[at] > left)
        {
            return 0;
        }
        at += group->table[at];
    }
    return at == group->words;
}

/* Whether the last stage writes so many bytes. */
static int mn_is_output(const mn_stream_kernels *kernels, const mn_stream_stage *last,
                        int32_t bytes)
{
    return last->kind == MN_STREAM_GLOBAL_AVERAGE_POOL
               ? (int64_t)last->row_bytes / 4 * kernels->input_bits == 8LL * bytes
               : last->slots == last->rows && (int64_t)last->rows * last->row_bytes == bytes;
}

int32_t mn_stream_buffer_size(const mn_stream_kernels *kernels, const mn_stream_group *group)
{
    if (group == NULL || !mn_is_table(group))
    {
        return MN_ARG_ERROR;
    }
    mn_stream_call call = {.kernels = NULL};
    const int32_t lines = mn_stream_begin(&call, group);
    int32_t scratch = 0;
    int32_t rows = 0;
    for (int32_t i = 0; i < call.head->stages && lines >= 0; ++i)
    {
        const int32_t bytes = mn_check_stage(kernels, group, &call, i);
        if (bytes < 0)
        {
            return MN_ARG_ERROR;
        }
        scratch = bytes > scratch ? bytes : scratch;
        rows += call.states[i].stage->rows;
    }
    if (lines < 0 || rows > MN_STREAM_ROWS || scratch > MN_MAX_BUFFER - lines)
    {
        return MN_ARG_ERROR;
    }
    const mn_stream_stage *const last = call.states[call.head->stages - 1].stage;
    if (!mn_is_output(kernels, last, group->output_bytes) || mn_stream_rows(&call) != MN_SUCCESS)
    {
        return MN_ARG_ERROR;
    }
    return lines + scratch;
}

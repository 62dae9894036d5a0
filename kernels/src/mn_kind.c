#include "mn_kind.h"

void mn_pad_rows(const mn_conv_kind *kind, void *padded, const void *filter, int32_t rows,
                 int32_t depth)
{
    const int32_t group = mn_group_of(kind);
    kind->fill_weights(padded, 0, 0, rows * group);
    for (int32_t row = 0; row < rows; ++row)
    {
        kind->pad_weights(padded, row * group, filter, row * depth, depth);
    }
}

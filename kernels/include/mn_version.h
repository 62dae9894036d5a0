/* SPDX-License-Identifier: Apache-2.0 */
/* The version of the kernels: that of the project. */
#ifndef MN_VERSION_H
#define MN_VERSION_H

#define MN_VERSION_MAJOR 0
#define MN_VERSION_MINOR 1
#define MN_VERSION_PATCH 0

/** Versions compare as numbers: MN_VERSION >= MN_MAKE_VERSION(1, 2, 0). */
#define MN_MAKE_VERSION(major, minor, patch) (((major) * 1000 + (minor)) * 1000 + (patch))
#define MN_VERSION MN_MAKE_VERSION(MN_VERSION_MAJOR, MN_VERSION_MINOR, MN_VERSION_PATCH)

#endif

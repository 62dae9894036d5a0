// SPDX-License-Identifier: Apache-2.0
// What this firmware is, sent in `hello`.
#ifndef SRC_IDENTITY_H_
#define SRC_IDENTITY_H_

#ifdef __cplusplus
extern "C" {
#endif

extern const char firmware_id[];
extern const char board_name[];
extern const char board_core[];

#ifdef __cplusplus
}
#endif

#endif  // SRC_IDENTITY_H_

// The message by which a failing rank tells rank 0 why: an exit code and a text, sent with Tag::failure.
#pragma once

#include "h5score/base/error.hpp"
#include "h5score/base/types.hpp"

namespace h5score::comm {

[[nodiscard]] base::Bytes encode_failure(const base::Error& error);

/// Throws the error that rank `rank` sent, with `rank N: ` in front; Error(internal) if the message is malformed.
[[noreturn]] void throw_failure(base::u32 rank, base::ByteView message);

}  // namespace h5score::comm

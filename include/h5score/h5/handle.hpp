// Owning HDF5 identifiers and error translation. Inside src/ only: nothing that users include pulls in <hdf5.h>.
// Every C call goes through check(): a failed one throws base::Error with the innermost message of HDF5's own stack,
// and nothing is ever printed as HDF5-DIAG text.
#pragma once

#include "h5score/base/error.hpp"
#include "h5score/h5/library.hpp"

#include <hdf5.h>

#include <concepts>
#include <string>
#include <utility>

namespace h5score::h5 {

/// What HDF5's error stack of this thread says, most specific first, in one line; clears the stack.
std::string take_error_text();

/// Throws what take_error_text() tells: base::Error(code), or Error(io) where a disk or network failed (EIO).
[[noreturn]] void throw_failure(const std::string& what, base::ExitCode code);
/// Clears the error stack after a call that may fail; throws only where a disk or network failed.
void forgive_failure(const std::string& what);

/// Throws by throw_failure() with `what` as the problem when a C call returned a negative value; returns the value
/// else.
template <std::signed_integral T>
T check(T result, const std::string& what, base::ExitCode code = base::ExitCode::data) {
  if (result < 0) throw_failure(what, code);
  return result;
}

/// Owner of one hid_t of any kind; closes it by H5Idec_ref (which serves every kind) and never throws while doing so.
class Handle {
 public:
  Handle() = default;
  /// Takes ownership of a C call's result; throws like check() if it is invalid.
  Handle(hid_t id, const std::string& what, base::ExitCode code = base::ExitCode::data) : id_(check(id, what, code)) {}
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, H5I_INVALID_HID)) {}
  Handle& operator=(Handle&& other) noexcept {
    if (this != &other) {
      reset();
      id_ = std::exchange(other.id_, H5I_INVALID_HID);
    }
    return *this;
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() { reset(); }

  [[nodiscard]] hid_t get() const { return id_; }
  [[nodiscard]] explicit operator bool() const { return id_ >= 0; }
  /// Closes now and reports a failure (a file's last close writes); throws base::Error(io).
  void close(const std::string& what);

 private:
  void reset() noexcept;
  hid_t id_ = H5I_INVALID_HID;
};

}  // namespace h5score::h5

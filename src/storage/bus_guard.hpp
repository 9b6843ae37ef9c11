// What happens when a file shrinks, or cannot be read, while parts of it are mapped: the kernel sends SIGBUS to whoever
// looks at a lost page. Guarded ranges get zeros instead, and are told.
#pragma once

#include "h5score/base/types.hpp"

#include <cstddef>
#include <span>

namespace h5score::storage {

/// Guards one range of addresses as long as it lives. The first guard installs the process's handler of SIGBUS, which
/// passes everything else on to the one before it.
class BusGuard {
 public:
  BusGuard() = default;
  BusGuard(const BusGuard&) = delete;
  BusGuard& operator=(const BusGuard&) = delete;
  ~BusGuard();

  /// False where too many ranges are guarded already, or the handler cannot be installed.
  bool guard(std::span<const std::byte> range);
  /// True if a page of the range was lost: what was read there is worthless.
  [[nodiscard]] bool lost() const;

 private:
  std::size_t slot_ = none;
  static constexpr std::size_t none = ~std::size_t{0};
};

}  // namespace h5score::storage

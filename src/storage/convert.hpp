// Stored elements to float or double.
#pragma once

#include "h5score/base/element_type.hpp"
#include "h5score/storage/layout.hpp"

#include <span>

namespace h5score::storage {

/// `count` neighbouring elements in each of `rows` rows that lie `row_bytes` apart.
struct StoredElements {
  const std::byte* data = nullptr;  ///< the first row's first element
  u64 row_bytes = 0;
  u64 rows = 0;
  u64 count = 1;
};

/// Functions for one stored type and byte order.
template <class T>
struct Conversion {
  /// Converts to T, `stride` elements from row to row.
  void (*convert)(StoredElements from, T* out, u64 stride) = nullptr;
  /// Sets `out` to NaN where an element equals one of `missing`, each rounded to the stored floating-point type; an
  /// integer equals only whole numbers.
  void (*mark)(const StoredElements& from, std::span<const double> missing, T* out, u64 stride) = nullptr;
};

/// Throws Error(internal) for text.
template <class T>
[[nodiscard]] Conversion<T> conversion(const base::ElementType& type);

extern template Conversion<float> conversion(const base::ElementType&);
extern template Conversion<double> conversion(const base::ElementType&);

}  // namespace h5score::storage

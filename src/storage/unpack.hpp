// Stored numbers to the values that they stand for by netCDF's attributes.
#pragma once

#include "h5score/storage/layout.hpp"

#include "convert.hpp"

#include <string>

namespace h5score::storage {

/// Converts elements of `type` to T, `stride` elements from row to row: what `packing` calls missing or outside the
/// valid range becomes NaN, anything else stored * scale + offset in float64, rounded to T.
template <class T>
void unpack(const StoredElements& from, const base::ElementType& type, const h5::Packing& packing, T* out, u64 stride);

/// For people: "x 0.01 + 273.15", "missing: -32767", "valid: from 0 to 100"; several of them with commas between.
std::string packing_text(const h5::Packing& packing, const base::ElementType& type);

extern template void unpack(const StoredElements&, const base::ElementType&, const h5::Packing&, float*, u64);
extern template void unpack(const StoredElements&, const base::ElementType&, const h5::Packing&, double*, u64);

}  // namespace h5score::storage
